"""The mean and standard deviation of each metric over several seeds, as lines of text."""

import statistics

from course.instructor.regression.run_records import NotebookRun
from course.recorded_metrics import text


def variation_lines(runs: list[NotebookRun]) -> list[str]:
    """Return one line per metric of at least two runs that differ only in their seed.

    A line is "NAME = MEAN ± STANDARD DEVIATION" (with n - 1), with one such entry per list item.
    A value that is the same in all runs has no deviation. A metric that is missing from a run, or
    has a different length there, is reported.
    """
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    lines = []
    for name in names:
        values = [run.metrics.get(name) for run in runs]
        lists = [value if isinstance(value, list) else [value] for value in values]
        if any(not isinstance(each, int | float) for entries in lists for each in entries):
            lines.append(f"{name}: not a number with every seed")
        elif len(set(map(len, lists))) > 1:
            lines.append(f"{name}: the number of values differs between seeds")
        else:
            lines.append(f"{name} = " + ", ".join(map(_entry, zip(*lists, strict=True))))
    return lines


def _entry(values: tuple[float, ...]) -> str:
    """Return the mean and standard deviation of one value over the seeds."""
    if len(set(values)) == 1:
        return text(values[0])
    return f"{statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}"
