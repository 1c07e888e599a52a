"""Comparison of a run's metrics with their bands, and a check of its claims."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from course.instructor.regression.claims import holds
from course.instructor.regression.run_records import MEMORY, PEAK_MEMORY, NotebookRun
from course.recorded_metrics import ACCURACY, RATE, SECONDS, TIME_RATIO, text

# What a verdict is about.
METRIC, CLAIM, REFERENCE = "metric", "claim", "reference"


@dataclass(frozen=True)
class Verdict:
    """The result for one value of a metric, for a claim, or for a part of the reference."""

    name: str  # of the metric; a list item includes its index, such as "accuracies[2]"
    state: str  # "inside", "outside", "missing", "not finite", "new" (no band), or "not compared"
    value: float | None = None
    low: float | None = None  # limits of the band; None if the value is exact or has no band
    high: float | None = None
    reason: str = ""  # one sentence, unless the state is "inside"
    mean: float | None = None  # the mean of the runs that measured the band
    about: str = METRIC

    @property
    def failed(self) -> bool:
        """True if this verdict makes the run fail."""
        return self.state in ("outside", "missing", "not finite")


def judge_metric(name: str, run: NotebookRun, band: Any) -> list[Verdict]:
    """Return the verdicts on a metric, one per value.

    The band is a dict, an exact value or list, or None if there is no band yet.
    """
    if name not in run.metrics:
        return [Verdict(name, "missing", reason=f"{name} was not recorded")]
    value = run.metrics[name]
    is_list = isinstance(value, list)
    values = value if is_list else [value]
    single = None if is_list else value
    if any(each is None for each in _flatten(values)):
        return [Verdict(name, "not finite", reason=f"{name} is {text(value)}")]
    if band is None:
        return [Verdict(name, "new", single, reason="it has no band yet")]
    if not isinstance(band, dict):
        if value == band:
            return [Verdict(name, "inside", single)]
        reason = f"{name} is {text(value)}, but must be {text(band)}"
        return [Verdict(name, "outside", single, reason=reason)]
    lows, highs = band_limits(band, run.kind_of(name))
    if len(lows) != len(values) or is_list != isinstance(next(iter(band.values())), list):
        reason = f"{name} has {len(values)} values, but must have {len(lows)}"
        return [Verdict(name, "outside", reason=reason)]
    found = []
    means = band.get("mean") if is_list else [band.get("mean")]
    means = means or [None] * len(values)
    for index, (each, low, high) in enumerate(zip(values, lows, highs, strict=True)):
        label = f"{name}[{index}]" if is_list else name
        state, reason = "inside", ""
        if not low <= each <= high:
            state = "outside"
            reason = f"{label} is {each:.4g}, but must be between {low:.4g} and {high:.4g}"
        found.append(Verdict(label, state, each, low, high, reason, means[index]))
    return found


def band_limits(band: dict[str, Any], kind: str) -> tuple[list[float], list[float]]:
    """Return the lower and upper limits of a band; the limits of an accuracy are from 0 to 1."""
    listed = {key: each if isinstance(each, list) else [each] for key, each in band.items()}
    if "low" in listed:
        return listed["low"], listed["high"]
    pairs = list(zip(listed["mean"], listed["plus_minus"], strict=True))
    lows, highs = [mean - reach for mean, reach in pairs], [mean + reach for mean, reach in pairs]
    if kind == ACCURACY:
        return [max(0.0, low) for low in lows], [min(1.0, high) for high in highs]
    return lows, highs


def judge_claim(claim: str, metrics: dict[str, Any], seeds: int = 1, needed: int = 1) -> Verdict:
    """Return the verdict on a claim for the metrics of a run, or for their means over seeds.

    `seeds` is the number of runs over which the metrics were averaged. With fewer than `needed`
    runs, the claim is not judged.
    """
    if seeds < needed:
        reason = f"it is judged on the mean of {needed} seeds"
        return Verdict(claim, "not compared", reason=reason, about=CLAIM)
    of_seeds = f" on average over {seeds} seeds" if seeds > 1 else ""
    try:
        true, reason = holds(claim, metrics), f"the claim {claim} does not hold{of_seeds}"
    except (KeyError, IndexError, TypeError, ZeroDivisionError) as error:
        true, reason = False, f"the claim {claim} cannot be evaluated ({error!r})"
    state, reason = ("inside", "") if true else ("outside", reason)
    return Verdict(claim, state, reason=reason, about=CLAIM)


def with_time_ratios(run: NotebookRun) -> NotebookRun:
    """Return the run with each list of durations added as fractions of its sum."""
    metrics, kinds = dict(run.metrics), dict(run.kinds)
    for name, value in run.metrics.items():
        if run.kind_of(name) == SECONDS and isinstance(value, list) and len(value) > 1:
            total = sum(each or 0 for each in value)
            metrics[f"{name}_ratios"] = [each and total and each / total for each in value]
            kinds[f"{name}_ratios"] = TIME_RATIO
    return replace(run, metrics=metrics, kinds=kinds)


def reason_not_compared(name: str, run: NotebookRun, measured: dict[str, Any]) -> str:
    """Return the reason why a metric of this run is not compared, or "".

    `measured` states where the metric's band was measured; it may be empty.
    """
    kind = run.kind_of(name)
    if name == PEAK_MEMORY and name not in run.metrics:
        return "it is not measured in every run"
    if kind in (SECONDS, RATE) and run.device != "GPU":
        return "timings depend on the machine"
    if kind == TIME_RATIO and run.profile == "smoke":
        return "the training runs of this profile are too short to compare their times"
    if kind in (SECONDS, RATE, TIME_RATIO, MEMORY):
        here = [run.backend, run.device or "CPU"]
        there = [measured.get("backend", here[0]), measured.get("device", here[1])]
        if there != here:
            return f"its band was measured with {there[0]} on a {there[1]}"
    return ""


def _flatten(values: list) -> Iterator[Any]:
    """Yield the values of nested lists."""
    for each in values:
        if isinstance(each, list):
            yield from _flatten(each)
        else:
            yield each
