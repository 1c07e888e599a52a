"""Evidence of long training runs: files that students submit, and checks of the files' content.

    evidence.save(run, results, chosen="III")           # in one of a notebook's last cells
    submitted = evidence.read()            # in a test cell; reads the folder beside the notebook

Grading runs a notebook on synthetic data in seconds, so it cannot repeat an hour of training on a
GPU. Instead, `save` writes the folder `evidence` beside the notebook. It contains a record,
NAME.json, for each experiment and the float16 weights, NAME.npz, of the chosen experiment.

The folder `results` is separate: `train_each` saves every training run there to continue from it,
and it is not collected. Submitted files must never be mistaken for saved results, or vice versa.

The files that `read` finds are untrusted, so `read` never raises an error. Like the checks, it
describes problems in sentences for a person; nothing in this package adds or subtracts points.
"""

from course.evidence.reader import read
from course.evidence.submission_checks import (
    compare_accuracy,
    find_changes,
    find_entry,
    find_metric_problems,
    find_weight_problems,
    group_by_fingerprint,
    measure_accuracy,
    weights_fingerprint,
)
from course.evidence.writer import save

__all__ = [
    "compare_accuracy",
    "find_changes",
    "find_entry",
    "find_metric_problems",
    "find_weight_problems",
    "group_by_fingerprint",
    "measure_accuracy",
    "read",
    "save",
    "weights_fingerprint",
]
