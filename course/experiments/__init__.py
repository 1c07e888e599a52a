"""Experiments: networks that are specified as data and trained in sequence, with saved results."""

from course.experiments.recipe import Recipe
from course.experiments.train import Interrupted, Result, best, speed, table, train_each

__all__ = ["Interrupted", "Recipe", "Result", "best", "speed", "table", "train_each"]
