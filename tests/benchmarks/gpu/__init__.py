"""Measurements on one GPU: the capstone, the networks of 04 to 06 on all images, and all notebooks.

    python -m tests.benchmarks.gpu --output results.json   # measures for at most nine minutes
    python -m tests.benchmarks.gpu.table results.json      # prints what is in the file
    python -m tests.benchmarks.gpu.bands results.json      # updates the gpu bands
    python -m tests.benchmarks.gpu.table                   # prints the tables for h100.json

The first command measures, in order of importance: the solution of the capstone; the images per
second of `fit` and of training on the device; the seven experiments of 06 in the plain and the fast
configuration; and each notebook in the gpu profile. Each finished measurement is in the file at
once. No measurement starts that cannot end within `--seconds`, according to its estimate. Repeat
the command with the same file to measure what is missing; `--list` shows the plan. One that fails
is recorded with its error, the others are measured, and the command exits with 1. Parts of the plan
can be named:

    python -m tests.benchmarks.gpu "momentum 10=all" "plain=I,V" --output results.json
    python -m tests.benchmarks.gpu solution speed notebooks=02-mnist,06-dropout-batchnorm --seeds 5
    python -m tests.benchmarks.gpu lessons --output results.json
    python -m tests.benchmarks.gpu "capstone=wide, 20 epochs|wide, 40 epochs" --output results.json

Needs JAX, and `cifar10.npz` and `mnist.npz` in the folder that COURSE_DATA_DIR specifies. With
`--tiny`, all parts run to their end on a CPU in a few minutes: random images, a smoke run for each
gpu run, and two of the seven experiments. For a GPU machine without a network:

    python -m tests.benchmarks.gpu.pack DIR                # writes two archives

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
- `solution`, `speed`, `notebooks`, and `lessons` have not been measured yet, nor have the
  configurations of `capstone.py` that are not in the file.
- "seconds" of the capstone is the time of training alone on the GPU, after compilation, which
  takes 20 to 100 seconds. The two runs of "small, 10 epochs" come from a trial of `capstone.py`.
"""
