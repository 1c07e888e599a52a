"""Networks described as data and trained one after the other; finished trainings are saved."""

from course.experiments.recipe import Recipe
from course.experiments.train import Interrupted, Result, best, speed, table, train_each

__all__ = ["Interrupted", "Recipe", "Result", "best", "speed", "table", "train_each"]
