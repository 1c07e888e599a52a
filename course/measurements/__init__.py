"""Saved results of training runs with several seeds, and intervals for their means.

Each file `NN-name.csv` has the columns name, seed, metric, and value. CONTRIBUTING.md describes how
the files are made. Notebooks use them to show effects that a single run cannot show.
"""

import csv
from pathlib import Path

import numpy as np

from course.errors import CourseError

FOLDER = Path(__file__).parent
COLUMNS = ("name", "seed", "metric", "value")
# 97.5 % quantiles of Student's t-distribution with 1, 2, ... degrees of freedom.
T_QUANTILES = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)


def load(assignment):
    """Return the saved measurements of an assignment.

    Parameters
    ----------
    assignment : str
        The name of the assignment, such as "06-dropout-batchnorm".

    Returns
    -------
    dict
        Maps the name of each training run to a dict that maps each metric to an array with one
        value per seed, in the order of the seeds.

    Raises
    ------
    CourseError
        If the course has no measurements for this assignment.
    """
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, seed, metric, value in read_rows(FOLDER / f"{Path(assignment).name}.csv"):
        found.setdefault(name, {}).setdefault(metric, []).append((seed, value))
    return {
        name: {
            metric: np.array([value for _, value in sorted(pairs)])
            for metric, pairs in metrics.items()
        }
        for name, metrics in found.items()
    }


def read_rows(path: Path) -> list[tuple[str, int, str, float]]:
    """Return the rows of a file of measurements."""
    if not path.is_file():
        raise CourseError(
            f"There are no measurements for {path.stem!r}, because {path} does not exist: check the"
            " name of the assignment."
        )
    with path.open(encoding="utf-8", newline="") as file:
        return [
            (row["name"], int(row["seed"]), row["metric"], float(row["value"]))
            for row in csv.DictReader(file)
        ]


def interval(values):
    """Return the mean of values and the half-width of its 95 % confidence interval.

    Parameters
    ----------
    values : array-like of shape (N,)
        One value per seed; at least two.

    Returns
    -------
    tuple of float
        The mean, and the half-width by Student's t-distribution with N - 1 degrees of freedom.

    Examples
    --------
    >>> mean, half_width = interval([0.80, 0.82, 0.81])
    >>> print(f"{mean:.3f} ± {half_width:.3f}")
    0.810 ± 0.025
    """
    values = np.asarray(values, float)
    return float(values.mean()), _t_quantile(len(values) - 1) * _standard_error(values)


def difference(values, others, t=None):
    """Return the difference of two means and the half-width of its 95 % confidence interval.

    If the half-width is smaller than the absolute difference, the difference is unlikely to be due
    to chance alone.

    Parameters
    ----------
    values, others : array-like of shape (N,) and (M,)
        One value per seed; at least two in each. The two may have different variances.
    t : float, optional
        The factor of the standard error. By default, it is that of Welch's approximation.

    Returns
    -------
    tuple of float
        mean(values) - mean(others), and the half-width.
    """
    values, others = np.asarray(values, float), np.asarray(others, float)
    errors = np.array([_standard_error(values), _standard_error(others)]) ** 2
    degrees_each = np.array([len(values) - 1, len(others) - 1])
    total = float(errors.sum())
    if t is None:
        weighted = float((errors**2 / degrees_each).sum())
        t = _t_quantile(total**2 / weighted if total else degrees_each.sum())
    return float(values.mean() - others.mean()), t * total**0.5


def _standard_error(values: np.ndarray) -> float:
    """Return the standard error of a mean."""
    if len(values) < 2:
        raise ValueError(f"An interval needs at least two values, not {len(values)}.")
    return float(values.std(ddof=1)) / len(values) ** 0.5


def _t_quantile(degrees: float) -> float:
    """Return the 97.5 % quantile of Student's t-distribution, rounded up between table entries."""
    whole = min(int(degrees), len(T_QUANTILES))  # fewer degrees of freedom give a wider interval
    return T_QUANTILES[whole - 1]
