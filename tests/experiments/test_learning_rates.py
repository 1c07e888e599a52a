"""Learning rates that are given as a list."""

import keras
import numpy as np
import pytest

from course import experiments
from course.errors import CourseError


def test_each_step_uses_its_rate_and_later_steps_use_the_last_one():
    schedule = experiments.tabulated_rate([0.0, 0.5, 0.25])
    found = [float(np.asarray(schedule(step))) for step in range(5)]
    assert found == [0.0, 0.5, 0.25, 0.25, 0.25]


def test_an_optimizer_takes_these_steps():
    weight = keras.Variable(np.zeros(1, "float32"))
    optimizer = keras.optimizers.SGD(experiments.tabulated_rate([1.0, 0.5, 0.0]))
    for expected in (-1.0, -1.5, -1.5):
        optimizer.apply([keras.ops.ones(1)], [weight])
        assert float(np.asarray(weight)[0]) == expected


@pytest.mark.parametrize("rates", [[], [0.1, float("nan")], [-0.1], [[0.1]]], ids=str)
def test_rates_that_are_no_learning_rates_are_an_error(rates):
    with pytest.raises(CourseError, match="a list of finite numbers of at least 0, one per step"):
        experiments.tabulated_rate(rates)
