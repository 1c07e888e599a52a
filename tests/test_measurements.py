"""Tests of the kept measurements and of the command that makes them."""

import csv

import numpy as np
import pytest
from scipy import stats

from course import measurements
from course.errors import CourseError
from tests.benchmarks.measurements.__main__ import main

FILES = sorted(measurements.FOLDER.glob("*.csv"))


@pytest.mark.parametrize("count", [2, 3, 5, 10, 21])
def test_an_interval_is_that_of_students_t(count):
    values = np.random.default_rng(count).normal(size=count)
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert measurements.interval(values) == pytest.approx(
        ((low + high) / 2, (high - low) / 2), rel=1e-3
    )


def test_a_difference_is_at_least_as_wide_as_welch_says():
    random = np.random.default_rng(0)
    for _ in range(50):
        values, others = random.normal(1, 2, 5), random.normal(0, 1, 7)
        found = stats.ttest_ind(values, others, equal_var=False).confidence_interval(0.95)
        mean, half_width = measurements.difference(values, others)
        assert mean == pytest.approx((found.low + found.high) / 2)
        assert (found.high - found.low) / 2 <= half_width < 1.2 * (found.high - found.low) / 2


def test_values_without_scatter_differ_by_an_interval_of_zero_width():
    assert measurements.difference([1, 1, 1], [0, 0]) == (1, 0)


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="at least two values, not 1"):
        measurements.interval([0.5])


def test_an_assignment_without_measurements_is_an_error():
    with pytest.raises(CourseError, match="no measurements for '99-none'"):
        measurements.load("99-none")


def test_the_command_adds_what_is_missing(tmp_path, capsys):
    """Each training runs in a process of its own; what is there is not run again."""
    assert main(["00-example", "--seeds", "2", "--folder", str(tmp_path)]) == 0
    path = tmp_path / "00-example.csv"
    rows = path.read_text().splitlines()
    assert rows[0] == "name,seed,metric,value" and len(rows) == 1 + 2 * 2 * 2
    assert [row.split(",")[:2] for row in rows[1::2]] == [
        ["first", "0"], ["first", "1"], ["second", "0"], ["second", "1"]
    ]  # fmt: skip
    assert len({row for row in rows if ",process," in row}) == 4
    path.write_text("\n".join(rows[:-2]) + "\n")
    capsys.readouterr()
    assert main(["00-example", "--seeds", "2", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("second, seed 1: ")
    assert path.read_text().splitlines()[:-1] == rows[:-1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kept_training_has_five_seeds_of_each_metric(path):
    with path.open(encoding="utf-8", newline="") as file:
        assert tuple(next(csv.reader(file))) == measurements.COLUMNS
    for name, metrics in measurements.load(path.stem).items():
        counts = {metric: len(values) for metric, values in metrics.items()}
        assert len(set(counts.values())) == 1 and min(counts.values()) >= 5, (name, counts)
