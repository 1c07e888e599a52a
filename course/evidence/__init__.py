"""Evidence of a long training: files that a student submits, and checks of their content.

    evidence.save(run, results, chosen="III")           # in one of a notebook's last cells
    submitted = evidence.read()                         # in a test cell, beside the notebook

Grading runs a notebook on synthetic data in seconds, so it cannot repeat an hour on a GPU. Instead,
`save` writes the folder `evidence` beside the notebook. It contains the record NAME.json of each
experiment, and NAME.npz, the weights of the chosen one as float16.

The folder `results` is separate: there `train_each` saves every training, to continue from it, and
it is not collected. Submitted files must never be mistaken for saved results, or vice versa.

The files that `read` finds are untrusted, and it raises no error. Like the checks, it describes
problems in sentences for a person; nothing here adds or subtracts points.
"""

from course.evidence.checks import (
    compare_accuracy,
    find_metric_problems,
    find_weight_problems,
    group_by_fingerprint,
    weights_fingerprint,
)
from course.evidence.reader import read
from course.evidence.writer import save

__all__ = [
    "compare_accuracy",
    "find_metric_problems",
    "find_weight_problems",
    "group_by_fingerprint",
    "read",
    "save",
    "weights_fingerprint",
]
