"""Compare the plain and the fast recipe of 06-dropout-batchnorm, using saved runs.

    course run 06-dropout-batchnorm --profile gpu -p recipe=plain
    course run 06-dropout-batchnorm --profile gpu -p recipe=fast --seeds 3
    python -m tests.benchmarks.recipe_comparison

Prints the accuracies and seconds of each experiment with each recipe, as mean ± standard deviation
if there are several seeds, and how many times as fast the fast one is. Compare only runs of the
same machine.
"""

import argparse
import statistics
from pathlib import Path

from course import tables
from course.instructor.regression.run_store import load_all

NAMES = ("I", "II", "III", "IV", "V", "VI", "VII")
QUANTITIES = {
    "training accuracy": "training_accuracies",
    "validation accuracy": "validation_accuracies",
    "seconds": "seconds",
}


def table(plain, fast):
    """Return the table as text, given at least one NotebookRun of each recipe."""
    rows = []
    for index, name in enumerate(NAMES):
        row = {"experiment": name}
        seconds = {}
        for recipe, runs in {"plain": plain, "fast": fast}.items():
            for quantity, metric in QUANTITIES.items():
                values = [run.metrics[metric][index] for run in runs]
                row[f"{recipe}: {quantity}"] = _format(values, quantity)
            seconds[recipe] = statistics.mean(run.metrics["seconds"][index] for run in runs)
        row["times as fast"] = seconds["plain"] / seconds["fast"]
        rows.append(row)
    return tables.table(rows)


def _format(values, quantity):
    scale, unit = (100, " %") if quantity.endswith("accuracy") else (1, "")
    text = f"{scale * statistics.mean(values):.1f}"
    if len(values) > 1:
        text += f" ± {scale * statistics.stdev(values):.1f}"
    return text + unit


def main(arguments=None):
    """Print the table of the runs under a directory; return 1 if a recipe has no run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("build/runs"), metavar="DIR")
    parser.add_argument("--profile", default="gpu")
    given = parser.parse_args(arguments)
    found = {"plain": [], "fast": []}
    for run in load_all(given.runs):
        folder = Path(run.notebook).parent.name
        if run.assignment == "06-dropout-batchnorm" and run.profile == given.profile:
            for recipe, runs in found.items():
                if folder.endswith(f"recipe={recipe}") and not run.error:
                    runs.append(run)
    missing = [recipe for recipe, runs in found.items() if not runs]
    if missing:
        print(f"{given.runs} has no successful run of the {missing[0]} recipe: see --help.")
        return 1
    print(table(found["plain"], found["fast"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
