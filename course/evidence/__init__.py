"""What a student hands in of a long training, and what can be told from it.

    evidence.hand_in(run, results, chosen="III")           # one of the last cells of a notebook
    found = evidence.read()                                # a test cell, beside the notebook

Grading runs a notebook on synthetic data within seconds and sees nothing of an hour on a GPU. So
`hand_in` leaves the folder `evidence` beside the notebook: NAME.json, the numbers of an experiment,
for each of them, and NAME.npz, the weights of the chosen one as float16.

That is not the folder `results`, where `train_each` keeps NAME-KEY.json and .npz of every attempt
and finds what it goes on from, and which `nbgrader_config.py` leaves out of what is collected: what
was handed in must never be taken for something to go on from, nor the other way round.

What `read` finds comes from anybody: it believes no file and raises nothing. It and the checks
answer in sentences for a person; nothing here gives points or takes any.
"""

from course.evidence.checks import (
    claimed_and_measured,
    fingerprint_of_weights,
    group_by_fingerprint,
    problems_of_metrics,
    problems_of_weights,
)
from course.evidence.reader import read
from course.evidence.writer import hand_in

__all__ = [
    "claimed_and_measured",
    "fingerprint_of_weights",
    "group_by_fingerprint",
    "hand_in",
    "problems_of_metrics",
    "problems_of_weights",
    "read",
]
