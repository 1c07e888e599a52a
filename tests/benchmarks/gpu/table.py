"""Print measurements as means with 95 % confidence intervals (Student's t), in percent.

python -m tests.benchmarks.gpu.table [FILE]
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from course import tables

LAST_EPOCHS = 5
# Pairs of experiments of 06, which differ in one thing: the second has it, the first has not.
PAIRS = {
    "batch normalization": ("I", "III"),
    "dropout after the blocks": ("II", "III"),
    "L2 without dropout after the blocks": ("II", "IV"),
    "L2 with dropout after the blocks": ("III", "V"),
    "a third block": ("V", "VI"),
    "batch normalization for dropout": ("I", "II"),
}
TEST_TIME = {
    "test": "test_accuracy",
    "with flips": "test_accuracy_with_flips",
    "with flips and shifts": "test_accuracy_with_flips_and_shifts",
}


def interval(values: Any) -> tuple[float, float]:
    """Return the mean and the half-width of its confidence interval (nan for one value)."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return float(values.mean()), math.nan
    return float(values.mean()), _quantile(len(values) - 1) * _error(values)


def difference(values: Any, others: Any) -> tuple[float, float]:
    """Return the difference of two means and its half-width by Welch's approximation."""
    values, others = np.asarray(values, float), np.asarray(others, float)
    errors = _error(values) ** 2, _error(others) ** 2
    counts = len(values) - 1, len(others) - 1
    degrees = sum(errors) ** 2 / sum(
        error**2 / count for error, count in zip(errors, counts, strict=True)
    )
    return float(values.mean() - others.mean()), _quantile(degrees) * math.sqrt(sum(errors))


def _error(values: Any) -> float:
    """Return the standard error of a mean."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _quantile(degrees: float) -> float:
    """Return the 97.5 % quantile of Student's t-distribution."""
    from scipy.stats import t  # installed with JAX

    return float(t.ppf(0.975, degrees))


def validation_accuracy(run: dict[str, Any], last: int = 1) -> float:
    """Return the accuracy on all test images, averaged over the last epochs."""
    curves = run["curves"]
    both = np.add(curves["validation_accuracy"], curves["test_accuracy"]) / 2
    return float(both[-last:].mean())


def print_experiments(runs: list[dict[str, Any]]) -> None:
    """Print the trainings with curves of accuracy, and the comparisons of the seven experiments.

    "Fit shows" is the training accuracy during the last epoch, with dropout; "training" and
    "validation" are measured after it, without dropout; "last epochs" is the mean of "validation".
    """
    groups: dict[tuple, list] = {}
    for run in runs:
        groups.setdefault((run["network"], run["configuration"]), []).append(run)

    def accuracies(found: list, measure: Callable[[dict], float]) -> str:
        return _percent(interval([measure(run) for run in found]))

    rows = [
        {
            "network": name,
            "configuration": configuration,
            "seeds": len(found),
            "epochs": found[0]["epochs"],
            "fit shows": accuracies(found, lambda run: run["curves"]["accuracy"][-1]),
            "training": accuracies(found, lambda run: run["curves"]["training_accuracy"][-1]),
            "validation": accuracies(found, validation_accuracy),
            f"last {LAST_EPOCHS} epochs": accuracies(
                found, lambda run: validation_accuracy(run, LAST_EPOCHS)
            ),
        }
        for (name, configuration), found in groups.items()
    ]
    print(tables.table(rows))
    rows = []
    for what, (without, with_it) in PAIRS.items():
        pair = [groups.get((name, "momentum 10")) for name in (with_it, without)]
        if all(pair):
            values = [
                [validation_accuracy(run, LAST_EPOCHS) for run in each or []] for each in pair
            ]
            change = _percent(difference(*values), sign="+")
            rows.append({"change": what, "pair": f"{without}, {with_it}", "points": change})
    if rows:
        print(f"\nValidation accuracy, mean of the last {LAST_EPOCHS} epochs:")
        print(tables.table(rows))


def print_capstone(runs: list[dict[str, Any]]) -> None:
    """Print the trainings of the capstone."""
    groups: dict[str, list] = {}
    for run in runs:
        groups.setdefault(run["network"], []).append(run)
    rows = [
        {
            "configuration": name,
            "parameters": found[0]["parameters"],
            "seeds": len(found),
            "seconds": float(np.mean([run["seconds"] for run in found])),
        }
        | {
            title: _percent(interval([run[key] for run in found]))
            for title, key in TEST_TIME.items()
        }
        for name, found in groups.items()
    ]
    print(tables.table(rows))


def _percent(values: tuple[float, float], sign: str = "") -> str:
    """Return a mean and its half-width as percentages."""
    return f"{100 * values[0]:{sign}.2f} ± {100 * values[1]:.2f}"


def main(arguments: list[str]) -> None:
    """Print the tables of a file."""
    path = Path(arguments[0]) if arguments else Path(__file__).with_name("h100.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    print(f"{content['machine']}; {versions}; {content['date']}\n")
    experiments = [run for run in content["runs"] if isinstance(run["configuration"], str)]
    capstone = [run for run in content["runs"] if not isinstance(run["configuration"], str)]
    if experiments:
        print_experiments(experiments)
    if capstone:
        print()
        print_capstone(capstone)


if __name__ == "__main__":
    main(sys.argv[1:])
