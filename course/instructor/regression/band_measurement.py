"""Measuring bands from several runs, and what has changed about them."""

import math
import statistics

from course.errors import CourseError
from course.instructor.regression.verdicts import band_limits, reason_not_compared, with_time_ratios
from course.metrics import kind, text

# How many standard deviations a band reaches, by the number of seeds that it was measured with: a
# further run of the same code lies outside once in 10,000 times; with fewer than ten seeds once in
# 1,000, since the band would say too little otherwise. Student's t for n - 1 degrees of freedom at
# 0.99995 or 0.9995, times sqrt(1 + 1/n); a test compares them with scipy.
DEVIATIONS_BY_SEEDS = {5: 9.43, 6: 7.42, 7: 6.37, 8: 5.74, 9: 5.31, 10: 6.92, 12: 6.16, 15: 5.54, 20: 5.02, 30: 4.58}
MIN_SEEDS = 5
# Another machine's processor rounds otherwise: float32 has seven digits.
ROUNDING = 1e-4
# Peak memory depends on the machine, on how many threads it has above all.
MEMORY = 0.25


def measure_bands(runs):
    """Return what several runs of a notebook say of its metrics.

    Parameters
    ----------
    runs : list of NotebookRun
        Of one assignment and setting, with different seeds.

    Returns
    -------
    exact : dict
        What is the same in each, by metric.
    bands : dict
        Mean, standard deviation and reach of what scatters, by metric.

    Raises
    ------
    CourseError
        If there are too few seeds, or what must not scatter does.
    """
    if len(runs) < MIN_SEEDS:
        raise CourseError(
            f"bands need at least {MIN_SEEDS} seeds, {runs[0].assignment} has {len(runs)}: give"
            f" --seeds {MIN_SEEDS} or more."
        )
    exact, bands = {}, {}
    recorded = [with_time_ratios(run.metrics) for run in runs]
    for name in dict.fromkeys(name for metrics in recorded for name in metrics):
        values = [metrics.get(name) for metrics in recorded]
        first = values[0]
        if any(reason_not_compared(name, run, {}) for run in runs):
            continue
        if kind(name, first) == "structural":
            if any(value != first for value in values):
                raise CourseError(
                    f"{name} of {runs[0].assignment} is a whole number and differs between seeds"
                    f" ({', '.join(sorted({text(value) for value in values}))}): record what is"
                    " measured as a fraction."
                )
            exact[name] = first
        else:
            bands[name] = _band(name, values, runs)
    return exact, bands


def _band(name, values, runs):
    lists = isinstance(values[0], list)
    rows = [value if lists else [value] for value in values]
    if len({len(row) for row in rows}) > 1 or any(each is None for row in rows for each in row):
        raise CourseError(
            f"{name} of {runs[0].assignment} is not a number, or not as many, with each seed: no"
            " band can be measured."
        )
    columns = list(zip(*rows, strict=True))
    means = [statistics.mean(column) for column in columns]
    stds = [statistics.stdev(column) for column in columns]
    if "accurac" in name:
        count = _pictures([value for row in rows for value in row])
        least = [_scatter_of_counting(mean, count) for mean in means]
        stds = [max(pair) for pair in zip(stds, least, strict=True)]
    relative = MEMORY if name == "peak_memory_mb" else ROUNDING
    reaches = [
        max(deviations_per_band(len(runs)) * std, relative * abs(mean), ROUNDING)
        for mean, std in zip(means, stds, strict=True)
    ]
    band = {"mean": means, "std": stds, "plus_minus": reaches}
    rounded = {key: [_rounded(each) for each in numbers] for key, numbers in band.items()}
    return rounded if lists else {key: numbers[0] for key, numbers in rounded.items()}


def _pictures(accuracies):
    """Return on how many pictures accuracies may have been counted: the least number that fits."""
    for count in range(1, 10_000):
        if all(abs(each * count - round(each * count)) < 1e-3 for each in accuracies):
            return count
    return 10_000


def _scatter_of_counting(accuracy, count):
    """Return the standard deviation of an accuracy that is counted on so many other pictures.

    That of a binomial distribution. Five seeds may by chance all come to the same accuracy; that is
    no reason to believe that the next one will. (The rule of succession keeps it above 0 where all
    pictures are right, or none.)
    """
    share = (accuracy * count + 1) / (count + 2)
    return math.sqrt(share * (1 - share) / count)


def deviations_per_band(seeds):
    """Return how many standard deviations a band reaches that so many seeds measured."""
    return DEVIATIONS_BY_SEEDS[max(count for count in DEVIATIONS_BY_SEEDS if count <= seeds)]


def _rounded(number):
    """Return a number with six digits, which is more than any band needs."""
    return float(f"{number:.6g}")


def band_changes(before, after):
    """Return what differs between two tables, a line each."""
    lines = []
    old, new = ({**each.get("exact", {}), **each.get("bands", {})} for each in (before, after))
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            lines.append(f"{name}: gone, it is no longer recorded")
        elif name not in old:
            lines.append(f"{name}: new")
        elif not isinstance(new[name], dict) or not isinstance(old[name], dict):
            if old[name] != new[name]:
                lines.append(f"{name}: was {_shown(old[name])}, is {_shown(new[name])}")
        else:
            lines += _change_of_band(name, old[name], new[name])
    return lines


def _shown(value):
    return "a band" if isinstance(value, dict) else text(value)


def _change_of_band(name, old, new):
    (old_lows, old_highs), (lows, highs) = band_limits(name, old), band_limits(name, new)
    if len(lows) != len(old_lows):
        return [f"{name}: had {len(old_lows)} numbers, has {len(lows)}"]
    lines = []
    for place, four in enumerate(zip(old_lows, old_highs, lows, highs, strict=True)):
        old_low, old_high, low, high = four
        label = f"{name}[{place}]" if len(lows) > 1 else name
        was, now = old_high - old_low, high - low
        words = f"{old_low:.4g} to {old_high:.4g}, is {low:.4g} to {high:.4g}"
        if now > was * (1 + ROUNDING):
            lines.append(f"{label}: WIDER, was {words}")
        elif now < was * (1 - ROUNDING) or not math.isclose(low, old_low, rel_tol=ROUNDING):
            lines.append(f"{label}: was {words}")
    return lines
