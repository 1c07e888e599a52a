import time

import numpy as np
import pytest

from course.training import Stopwatch, accuracy

PROBABILITIES = [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.4, 0.5, 0.1], [0.3, 0.3, 0.4]]


def test_a_stopwatch_measures_the_seconds_of_its_block():
    stopwatch = Stopwatch()
    start = time.perf_counter()
    with stopwatch:
        time.sleep(0.05)
        assert stopwatch.seconds == 0
    assert 0.05 <= stopwatch.seconds <= time.perf_counter() - start


def test_a_stopwatch_measures_a_failing_block_and_reraises_the_error():
    stopwatch = Stopwatch()
    with pytest.raises(KeyError), stopwatch:
        time.sleep(0.01)
        raise KeyError
    assert stopwatch.seconds >= 0.01


def test_a_stopwatch_restarts_for_each_block():
    stopwatch = Stopwatch()
    with stopwatch:
        time.sleep(0.2)
    with stopwatch:
        pass
    assert stopwatch.seconds < 0.2


@pytest.mark.parametrize(
    ("labels", "fraction"), [([0, 2, 1, 2], 1), ([0, 2, 1, 0], 0.75), ([1, 1, 2, 0], 0)]
)
def test_accuracy_is_the_fraction_of_images_whose_most_probable_class_is_right(labels, fraction):
    result = accuracy(np.array(PROBABILITIES), np.array(labels, dtype="uint8"))
    assert result == fraction
    assert type(result) is float
    assert accuracy(PROBABILITIES, labels) == fraction


@pytest.mark.parametrize(
    ("probabilities", "labels", "shapes"),
    [
        (PROBABILITIES, np.eye(3)[[0, 2, 1, 2]], r"\(4, 3\) and \(4, 3\)"),
        (PROBABILITIES, [0, 2, 1], r"\(4, 3\) and \(3,\)"),
        ([0, 2, 1, 2], [0, 2, 1, 2], r"\(4,\) and \(4,\)"),
    ],
    ids=["one-hot", "too few labels", "classes instead of probabilities"],
)
def test_accuracy_refuses_labels_that_do_not_fit(probabilities, labels, shapes):
    with pytest.raises(ValueError, match=f"got {shapes}: pass integer labels, not one-hot"):
        accuracy(probabilities, labels)
