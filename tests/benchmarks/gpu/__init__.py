"""Measurements on one GPU: the networks of 04 to 06 on all images, and a fast network.

    python -m tests.benchmarks.gpu "momentum 10=all" "plain=I,V" --output results.json
    python -m tests.benchmarks.gpu lessons --output results.json
    python -m tests.benchmarks.gpu "capstone=wide, 20 epochs|wide, 40 epochs" --output results.json
    python -m tests.benchmarks.gpu.table                   # prints the table for h100.json

Needs JAX, and `cifar10.npz` in the folder that COURSE_DATA_DIR specifies. `--seconds` ends the
measurement in time; what is complete by then is in the file. A GPU machine without a network needs
the wheels of keras, optree, namex, and rich beside JAX. With `--tiny --seeds 1 --epochs 1`, a
command runs to its end on a CPU in a few minutes.

`h100.json` was measured on 2026-11-26 on one NVIDIA H100 with 80 GB and 16 CPU cores, with
Python 3.12.3, JAX 0.11.2, and Keras 3.15.1, on a copy of CIFAR-10 whose images had been compressed
as JPEG. It lists the commands that repeat the measurements. What is important when reading it:

- The seven experiments were trained with five replicas side by side (`replicas.py`), in bfloat16
  and without the last batch of an epoch if that is not full. So "seconds_of_all_seeds" is not what
  `fit` takes. Other work ran on the machine during IV and VI.
- 06 validates on the test images. Here, "validation" is their first half and "test" the second,
  so that a choice made on one half can be checked on the other. `table.py` shows the mean of both.
- VII was stopped after 37 of 50 epochs, with three seeds. A training of V in the plain
  configuration that was stopped after 3 epochs has been left out.
- `lessons` has not been measured yet, nor have the configurations of the capstone that are not in
  the file.
- "seconds" of the capstone is the time of training alone on the GPU, after compilation, which
  takes 20 to 100 seconds. The two runs of "small, 10 epochs" come from a trial of `capstone.py`.
"""
