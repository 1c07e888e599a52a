"""The format of evidence: files, record fields, and size limits."""

import json

import numpy as np

from course.experiments.store import fingerprint

FOLDER = "evidence"  # beside the notebook
MAX_WEIGHTS_BYTES = 8 * 2**20  # the largest file of 06-dropout-batchnorm has 5.1 MB
# For all records together. A value takes at least two bytes; a million values can be serialized.
MAX_METRICS_BYTES = 2**20
MAX_EXPERIMENTS = 100
MAX_FILES = 200  # in the folder, including files that systems and editors leave there
MAX_DEPTH = 10  # of nested lists and dicts; far below the limit of serialization
MAX_HEADER_BYTES = 512  # of an array; a valid one has 118

# The fields of a record. The key is a fingerprint of the other fields and of the weights.
FIELDS = {
    "name": str, "specification": dict, "profile": str, "seed": int, "backend": str, "device": str,
    "parameters": int, "epochs": int, "seconds": float, "history": dict,
    "training_accuracy": float, "validation_accuracy": float, "key": str,
}  # fmt: skip
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
BACKENDS = ("tensorflow", "jax", "torch")
MAX_FLOAT32 = float(np.finfo(np.float32).max)  # Keras measures in float32


def record_key(record, halves):
    """Return the key of a record with float16 weights; a "key" in the record itself is ignored."""
    rest = {name: value for name, value in record.items() if name != "key"}
    return fingerprint(json.dumps(rest, sort_keys=True), *halves)


def is_too_deep(value, left=MAX_DEPTH):
    """Return True if lists and dicts are nested more deeply than in any valid record."""
    children = value.values() if type(value) is dict else value if type(value) is list else ()
    return left < 0 or any(is_too_deep(each, left - 1) for each in children)


def printable_text(value, longest=60):
    """Return any submitted value as printable text of limited length."""
    text = f"{value:,}" if type(value) is int else str(value)
    return "".join(each if each.isprintable() else "?" for each in text[:longest])


def format_size(count):
    """Return a number of bytes as text, rounded up so that no size above a limit looks equal."""
    if count < 2**20:
        return f"{-(-count // 2**10)} KB"
    return f"{-(-10 * count // 2**20) / 10:,.1f} MB"
