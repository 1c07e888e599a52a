"""Experiments: networks that are specified as data and trained in sequence, with saved results."""

from course.experiments.device_data import augment
from course.experiments.learning_rates import tabulated_rate
from course.experiments.options import check_options
from course.experiments.recipe import Recipe
from course.experiments.train import Interrupted, Result, best, speed, table, train_each

__all__ = [
    "Interrupted",
    "Recipe",
    "Result",
    "augment",
    "best",
    "check_options",
    "speed",
    "table",
    "tabulated_rate",
    "train_each",
]
