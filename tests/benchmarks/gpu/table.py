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


def print_solutions(runs: list[dict[str, Any]]) -> None:
    """Print the trainings of solution notebooks; "seconds" includes tracing, but not compiling."""
    groups: dict[tuple, list] = {}
    for run in runs:
        groups.setdefault((run["assignment"], run["network"]), []).append(run)
    rows = []
    for (assignment, name), found in groups.items():
        row: dict[str, Any] = {"assignment": assignment, "network": name}
        row |= {key: found[0][key] for key in ("parameters", "epochs")} | {"seeds": len(found)}
        row["seconds"] = float(np.mean([run["seconds"] for run in found]))
        for key in ("training", "validation"):
            row[key] = _percent(interval([run[f"{key}_accuracy"] for run in found]))
        for title in ("test", "with flips"):
            values = [run[TEST_TIME[title]] for run in found if TEST_TIME[title] in run]
            row[title] = _percent(interval(values)) if values else ""
        rows.append(row)
    print(tables.table(rows))


def print_speeds(runs: list[dict[str, Any]]) -> None:
    """Print images per second, and the ratio to the first row of the same network."""
    first: dict[tuple, float] = {}
    rows = []
    for run in runs:
        key, speed = (run["assignment"], run["network"]), run["images_per_second"]
        rows.append(
            {
                "assignment": run["assignment"],
                "network": run["network"],
                "loop": run["configuration"],
                "images per second": speed,
                "times as fast": speed / first.setdefault(key, speed),
            }
        )
    print(tables.table(rows))


def print_notebooks(runs: list[dict[str, Any]]) -> None:
    """Print the runs of notebooks; their metrics are for `tests.benchmarks.gpu.bands`."""
    rows = [
        {
            "notebook": run["assignment"],
            "profile": run["profile"],
            "seed": run["seed"],
            "device": run["device"],
            "seconds": run["seconds"],
            "metrics": len(run["metrics"]),
            "outside the bands": len(run["problems"]),
        }
        for run in runs
    ]
    print(tables.table(rows))


def kind_of(run: dict[str, Any]) -> str:
    """Return the kind of a row; the rows in h100.json have none, and are of two kinds."""
    return run.get("kind") or ("replica" if isinstance(run["configuration"], str) else "capstone")


def _percent(values: tuple[float, float], sign: str = "") -> str:
    """Return a mean and its half-width as percentages; the latter is nan for one value."""
    mean, half_width = values
    text = f"{100 * mean:{sign}.2f}"
    return text if math.isnan(half_width) else f"{text} ± {100 * half_width:.2f}"


PRINTERS = {
    "solution": print_solutions,
    "capstone": print_capstone,
    "speed": print_speeds,
    "replica": print_experiments,
    "notebook": print_notebooks,
}


def main(arguments: list[str]) -> None:
    """Print the tables of a file, and the measurements that failed."""
    path = Path(arguments[0]) if arguments else Path(__file__).with_name("h100.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    print(f"{content['machine']}; {versions}; {content['date']}")
    for kind, show in PRINTERS.items():
        if runs := [run for run in content["runs"] if kind_of(run) == kind]:
            print()
            show(runs)
    for entry in content.get("measurements", []):
        if "error" in entry:
            print(f"\nfailed: {entry['name']}: {entry['error']}")


if __name__ == "__main__":
    main(sys.argv[1:])
