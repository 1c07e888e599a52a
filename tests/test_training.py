import time

import numpy as np
import pytest

from course.training import Stopwatch, accuracy, results_table

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


def test_a_results_table_aligns_names_left_and_numbers_right():
    table = results_table(
        [
            {"network": "linear", "parameters": 7_850, "seconds": 3.21, "test accuracy": 0.9012},
            {"network": "CNN", "parameters": np.int64(1_199_882), "seconds": np.float64(1234.5)},
        ]
    )
    assert table.splitlines() == [
        "network  parameters  seconds  test accuracy",
        "-------------------------------------------",
        "linear        7,850      3.2         90.1 %",
        "CNN       1,199,882  1,234.5              -",
    ]


def test_a_results_table_ignores_columns_missing_from_the_first_row():
    assert "seconds" not in results_table([{"network": "a"}, {"network": "b", "seconds": 1.0}])


def test_a_results_table_wraps_long_texts_between_words():
    words = " ".join(f"layer({number})" for number in range(12))
    table = results_table([{"network": "a", "seconds": 1.0, "words": words}, {"network": "b"}])
    lines = table.splitlines()
    assert lines[2] == "a            1.0  " + " ".join(words.split()[:5])
    assert lines[3] == " " * 18 + " ".join(words.split()[5:10])
    assert lines[4] == " " * 18 + " ".join(words.split()[10:])
    assert lines[5] == "b              -  -"


def test_a_results_table_wraps_its_headings_if_it_is_too_wide():
    row = {"network": "a", "validation accuracy": 0.5, "seconds": 1.0}
    assert results_table([row]).splitlines()[0] == "network  validation accuracy  seconds"
    lines = results_table([row | {f"loss number {n}": 0.25 for n in range(6)}]).splitlines()
    assert lines[0].split() == ["loss"] * 6
    assert lines[1].split() == ["validation"] + ["number"] * 6
    assert lines[2].split() == ["network", "accuracy", "seconds", *"012345"]
    assert lines[4].split()[:4] == ["a", "50.0", "%", "1.0"]
    assert max(map(len, lines)) < 100
