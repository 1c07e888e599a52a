"""What evidence consists of: its files, what a record holds, and how large all may be."""

import json

import numpy as np

from course.experiments.store import fingerprint

FOLDER = "evidence"  # beside the notebook
MAX_WEIGHTS = 8 * 2**20  # bytes of the file; the largest of 06-dropout-batchnorm takes 5.1 MB
# Bytes of all numbers together. Two bytes make a thing at most, and a million things cross.
MAX_NUMBERS = 2**20
MAX_EXPERIMENTS = 100
MAX_ENTRIES = 200  # in the folder, where systems and editors leave files of their own
MAX_DEPTH = 10  # of lists and dicts in one another; far fewer than cross
MAX_HEADER = 512  # bytes that describe an array; of an honest one 118

# What a record holds. Its key is a fingerprint of all the rest and of the weights.
KINDS = {
    "name": str, "specification": dict, "profile": str, "seed": int, "backend": str, "device": str,
    "parameters": int, "epochs": int, "seconds": float, "history": dict,
    "training_accuracy": float, "validation_accuracy": float, "key": str,
}  # fmt: skip
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
BACKENDS = ("tensorflow", "jax", "torch")
MAX_FLOAT32 = float(np.finfo(np.float32).max)  # in which Keras measures


def key_of(record, halves):
    """Return the fingerprint of a record, without the key that it may hold, and of its weights."""
    rest = {name: value for name, value in record.items() if name != "key"}
    return fingerprint(json.dumps(rest, sort_keys=True), *halves)


def is_deep(value, left=MAX_DEPTH):
    """Return whether lists and dicts stand in one another more often than an honest record's."""
    inside = value.values() if type(value) is dict else value if type(value) is list else ()
    return left < 0 or any(is_deep(each, left - 1) for each in inside)


def shown(value, longest=60):
    """Return whatever was handed in as a short text that can be printed."""
    text = f"{value:,}" if type(value) is int else str(value)
    return "".join(each if each.isprintable() else "?" for each in text[:longest])


def size_of(count):
    """Return a number of bytes in words, rounded up: what is too large must not look as allowed."""
    if count < 2**20:
        return f"{-(-count // 2**10)} KB"
    return f"{-(-10 * count // 2**20) / 10:,.1f} MB"
