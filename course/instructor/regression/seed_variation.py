"""One notebook run with several seeds: what each metric is on average, and how far it scatters."""

import statistics

from course.metrics import text


def variation_lines(runs):
    """Return what several runs of a notebook measured, a line each.

    Parameters
    ----------
    runs : list of NotebookRun
        Of one assignment and profile, two at least, with different seeds.

    Returns
    -------
    list of str
        "NAME = MEAN ± STANDARD DEVIATION", the latter with n - 1; of a list an entry each. What is
        the same in all runs has no deviation. A metric that one of them has not is named.
    """
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    lines = []
    for name in names:
        values = [run.metrics.get(name) for run in runs]
        lists = [value if isinstance(value, list) else [value] for value in values]
        if any(not isinstance(each, int | float) for numbers in lists for each in numbers):
            lines.append(f"{name}: no number with each seed")
        elif len(set(map(len, lists))) > 1:
            lines.append(f"{name}: not as many numbers with each seed")
        else:
            lines.append(f"{name} = " + ", ".join(map(_entry, zip(*lists, strict=True))))
    return lines


def _entry(values):
    if len(set(values)) == 1:
        return text(values[0])
    return f"{statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}"
