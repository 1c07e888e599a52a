"""CIFAR-10 as the measurements split it."""

import functools
from typing import Any

import numpy as np

from course import datasets

TRAINING_IMAGES = 50_000
VALIDATION_IMAGES = 10_000  # of the training images, in 04 and 05
TINY = 640  # the number of images per split with --tiny


@functools.cache
def load(tiny: bool) -> dict[str, Any]:
    """Return the splits of CIFAR-10 as uint8 images and int32 labels: "training" and "test"."""
    if tiny:
        random = np.random.default_rng(0)
        data = [
            (random.integers(0, 255, (TINY, 32, 32, 3), np.uint8), random.integers(0, 10, TINY))
            for _ in range(2)
        ]
    else:
        data = datasets.load_cifar10("gpu")
    names = ("training", "test")
    return {
        name: (images, labels.astype("int32"))
        for name, (images, labels) in zip(names, data, strict=True)
    }


def experiment_splits(data: dict[str, Any]) -> dict[str, Any]:
    """Return the splits for 06, which validates on test images: one half of them, and the other."""
    (images, labels), half = data["test"], len(data["test"][0]) // 2
    return {
        "training": data["training"],
        "validation": (images[:half], labels[:half]),
        "test": (images[half:], labels[half:]),
    }


def lesson_splits(data: dict[str, Any]) -> dict[str, Any]:
    """Return the splits for 04 and 05, which validate on the last training images."""
    images, labels = data["training"]
    count = validation_count(len(images))
    return {
        "training": (images[:-count], labels[:-count]),
        "validation": (images[-count:], labels[-count:]),
        "test": data["test"],
    }


def validation_count(training_images: int) -> int:
    """Return the number of training images that `lesson_splits` uses for validation."""
    return min(VALIDATION_IMAGES, training_images // 5)
