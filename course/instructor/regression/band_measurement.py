"""Measurement of bands from runs with several seeds, and their comparison with earlier bands."""

import math
import statistics
from typing import Any

from course.errors import CourseError
from course.instructor.regression.run_records import MEMORY, NotebookRun
from course.instructor.regression.verdicts import band_limits, reason_not_compared, with_time_ratios
from course.recorded_metrics import ACCURACY, COUNT, text

# Maps the number of seeds to the half-width of a band in standard deviations. A further run of the
# same code falls outside once in 10,000 runs, or once in 1,000 with fewer than ten seeds, because
# the band would otherwise be uselessly wide. A factor is Student's t for n - 1 degrees of freedom
# at 0.99995 or 0.9995, times sqrt(1 + 1/n); a test compares the factors with SciPy.
DEVIATIONS_BY_SEEDS = {
    5: 9.43, 6: 7.42, 7: 6.37, 8: 5.74, 9: 5.31, 10: 6.92, 12: 6.16, 15: 5.54, 20: 5.02, 30: 4.58
}  # fmt: skip
MIN_SEEDS = 5
# The smallest relative half-widths: float32 has seven digits, and processors round differently;
# peak memory depends on the machine, above all on its number of threads.
ROUNDING = 1e-4
MEMORY_TOLERANCE = 0.25


def measure_bands(runs: list[NotebookRun]) -> tuple[dict[str, Any], dict[str, dict]]:
    """Return the exact values and the bands of metrics from runs that differ in their seed.

    Raises CourseError if there are too few seeds, or if a count differs between seeds.
    """
    if len(runs) < MIN_SEEDS:
        raise CourseError(
            f"bands need at least {MIN_SEEDS} seeds, but {runs[0].assignment} has {len(runs)}:"
            f" specify --seeds {MIN_SEEDS} or more."
        )
    exact: dict[str, Any] = {}
    bands: dict[str, dict] = {}
    runs = [with_time_ratios(run) for run in runs]
    for name in dict.fromkeys(name for run in runs for name in run.metrics):
        values = [run.metrics.get(name) for run in runs]
        if any(reason_not_compared(name, run, {}) for run in runs):
            continue
        if runs[0].kind_of(name) == COUNT:
            if any(value != values[0] for value in values):
                raise CourseError(
                    f"{name} of {runs[0].assignment} is a count, but differs between seeds"
                    f" ({', '.join(sorted({text(value) for value in values}))}): record a"
                    " measurement as a floating-point number."
                )
            exact[name] = values[0]
        else:
            bands[name] = _band(name, values, runs)
    return exact, bands


def _band(name: str, values: list[Any], runs: list[NotebookRun]) -> dict[str, Any]:
    """Return a metric's mean, standard deviation, and half-width; for a list, one per item."""
    is_list = isinstance(values[0], list)
    rows = [value if is_list else [value] for value in values]
    if len({len(row) for row in rows}) > 1 or any(each is None for row in rows for each in row):
        raise CourseError(
            f"{name} of {runs[0].assignment} has no band, because it is not a finite number with"
            " every seed, or its length differs between seeds: correct the value that the notebook"
            " records."
        )
    columns = list(zip(*rows, strict=True))
    means = [statistics.mean(column) for column in columns]
    stds = [statistics.stdev(column) for column in columns]
    kind = runs[0].kind_of(name)
    if kind == ACCURACY:
        images = _image_count([value for row in rows for value in row])
        least = [_binomial_deviation(mean, images) for mean in means]
        stds = [max(pair) for pair in zip(stds, least, strict=True)]
    tolerance = MEMORY_TOLERANCE if kind == MEMORY else ROUNDING
    half_widths = [
        max(deviations_per_band(len(runs)) * std, tolerance * abs(mean), ROUNDING)
        for mean, std in zip(means, stds, strict=True)
    ]
    band = {"mean": means, "std": stds, "plus_minus": half_widths}
    # Six significant digits are enough.
    rounded = {key: [float(f"{each:.6g}") for each in column] for key, column in band.items()}
    return rounded if is_list else {key: column[0] for key, column in rounded.items()}


def _image_count(accuracies: list[float]) -> int:
    """Return the smallest number of images that is consistent with all the accuracies."""
    for count in range(1, 10_000):
        if all(abs(each * count - round(each * count)) < 1e-3 for each in accuracies):
            return count
    return 10_000


def _binomial_deviation(accuracy: float, images: int) -> float:
    """Return the standard deviation of an accuracy due to the choice of the images.

    Five seeds can reach the same accuracy by chance, which does not mean that the next seed will.
    The rule of succession keeps the deviation above 0 for an accuracy of 0 or 1.
    """
    fraction = (accuracy * images + 1) / (images + 2)
    return math.sqrt(fraction * (1 - fraction) / images)


def deviations_per_band(seeds: int) -> float:
    """Return the half-width, in standard deviations, of a band measured with a number of seeds."""
    return DEVIATIONS_BY_SEEDS[max(count for count in DEVIATIONS_BY_SEEDS if count <= seeds)]


def band_changes(before: dict[str, Any], after: dict[str, Any], run: NotebookRun) -> list[str]:
    """Return the differences between two tables of bands, one line each.

    `run` supplies the kind of each metric. Every band that becomes wider is listed.
    """
    lines = []
    run = with_time_ratios(run)
    old, new = ({**each.get("exact", {}), **each.get("bands", {})} for each in (before, after))
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            lines.append(f"{name}: removed, because it is no longer recorded")
        elif name not in old:
            lines.append(f"{name}: new")
        elif not isinstance(new[name], dict) or not isinstance(old[name], dict):
            if old[name] != new[name]:
                lines.append(f"{name}: was {_shown(old[name])}, is {_shown(new[name])}")
        else:
            lines += _limit_changes(name, old[name], new[name], run.kind_of(name))
    return lines


def _shown(value: Any) -> str:
    """Return an exact value as text, or "a band" for a band."""
    return "a band" if isinstance(value, dict) else text(value)


def _limit_changes(name: str, old: dict, new: dict, kind: str) -> list[str]:
    """Return the changes in the limits of a band, one line per value."""
    (old_lows, old_highs), (lows, highs) = band_limits(old, kind), band_limits(new, kind)
    if len(lows) != len(old_lows):
        return [f"{name}: had {len(old_lows)} values, has {len(lows)}"]
    lines = []
    for index, limits in enumerate(zip(old_lows, old_highs, lows, highs, strict=True)):
        old_low, old_high, low, high = limits
        label = f"{name}[{index}]" if len(lows) > 1 else name
        old_width, width = old_high - old_low, high - low
        change = f"{old_low:.4g} to {old_high:.4g}, is {low:.4g} to {high:.4g}"
        if width > old_width * (1 + ROUNDING):
            lines.append(f"{label}: WIDER, was {change}")
        elif width < old_width * (1 - ROUNDING) or not math.isclose(low, old_low, rel_tol=ROUNDING):
            lines.append(f"{label}: was {change}")
    return lines
