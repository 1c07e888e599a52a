"""Trainings with several seeds whose results the course keeps in `course/measurements/`.

    COURSE_DATA_DIR=DIR python -m tests.benchmarks.measurements NN-name [--seeds 5] [--only TEXT]

`lesson_NN.py` defines `JOBS`, which maps the name of each training to a function of the seed that
returns its metrics. Each runs in a process of its own. Finished ones are kept, so that the command
can be interrupted and repeated.
"""
