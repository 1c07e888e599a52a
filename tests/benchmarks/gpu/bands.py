"""Replace the gpu bands in `tests/bands.toml` by those of the notebooks' runs in a file of results.

    python -m tests.benchmarks.gpu.bands results.json

Notebooks with at least five seeds get new bands, as with `course run --update-bands`, which lists
what it would print. For the others, the command says what is outside the present bands. Runs of
notebooks that have been changed since are not used.
"""

import argparse
import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.regression.band_measurement import MIN_SEEDS
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.checked_run import check_run
from course.instructor.regression.input_digest import input_digest
from course.instructor.regression.run_records import NotebookRun
from tests.submissions import ROOT


def read_runs(content: dict[str, Any]) -> list[NotebookRun]:
    """Return the runs of notebooks in a file of results, by notebook and seed."""
    rows = [row for row in content["runs"] if row.get("kind") == "notebook"]
    known = NotebookRun.__dataclass_fields__
    runs = [NotebookRun(**{name: row[name] for name in row if name in known}) for row in rows]
    return sorted(runs, key=lambda run: (run.assignment, run.setting, run.seed))


def is_current(run: NotebookRun) -> bool:
    """Return whether the notebook and the modules that it imports are those that were run."""
    text = source_notebook(ROOT, run.assignment).read_text(encoding="utf-8")
    return input_digest(run, text) == run.digest


def main(arguments: list[str] | None = None) -> int:
    """Update the bands; return 1 if runs cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gpu.bands", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--bands", type=Path, default=ROOT / BANDS_PATH, help="the file to change")
    options = parser.parse_args(arguments)
    content = json.loads(options.results.read_text(encoding="utf-8"))
    command = "; ".join([*content["commands"], "python -m tests.benchmarks.gpu.bands"])
    bands = Bands(options.bands)
    unused = 0
    runs = read_runs(content)
    for (name, setting), group in groupby(runs, key=lambda run: (run.assignment, run.setting)):
        found = list(group)
        current = [run for run in found if is_current(run)]
        if stale := len(found) - len(current):
            print(f"{name}  {setting}: {stale} of {len(found)} runs are of an older version")
        unused += stale
        if len(current) >= MIN_SEEDS:
            try:
                lines = bands.update(current, command) or ["nothing has changed"]
            except CourseError as error:
                lines, unused = [str(error)], unused + 1
            print(f"{name}  {setting}: bands measured with {len(current)} seeds")
        elif current:
            lines = [
                f"seed {run.seed}: {problem}"
                for run in current
                for problem in check_run(run, bands, ROOT).problems
            ]
            print(f"{name}  {setting}: bands need {MIN_SEEDS} seeds, and there are {len(current)}")
            lines = lines or ["all metrics are inside the present bands"]
        else:
            lines = []
        print(*(f"    {line}" for line in lines), sep="\n")
    return 1 if unused or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
