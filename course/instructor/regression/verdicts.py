"""What becomes of a metric that is held against its band."""

from dataclasses import dataclass

from course.instructor.regression.claims import holds
from course.metrics import kind, text


@dataclass(frozen=True)
class Verdict:
    """What became of one metric of a run, or of one number of it.

    Attributes
    ----------
    name : str
        The metric; where it is a list, with the place: "accuracies[2]".
    state : str
        "inside", "outside", "missing", "not finite", "new" (no band yet) or "not compared".
    value : float or None
    low, high : float or None
        The band; None for what is exact and what has none.
    reason : str
        A sentence, where the state is not "inside".
    mean : float or None
        Of the seeds that measured the band.
    """

    name: str
    state: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    mean: float | None = None

    @property
    def failed(self):
        """Whether the run fails by it."""
        return self.state in ("outside", "missing", "not finite")


def judge_metric(name, metrics, band):
    """Return the verdicts on a metric, one a number.

    Parameters
    ----------
    name : str
    metrics : dict
        What was recorded, by name.
    band : int, list, dict or None
        What is exact, or the band; None where there is none yet.
    """
    if name not in metrics:
        return [Verdict(name, "missing", reason=f"{name} was not recorded")]
    value = metrics[name]
    lists = isinstance(value, list)
    values = value if lists else [value]
    if any(each is None for each in _flat(values)):
        return [Verdict(name, "not finite", reason=f"{name} is {text(value)}")]
    if band is None:
        return [Verdict(name, "new", None if lists else value, reason="it has no band yet")]
    if not isinstance(band, dict):
        if value == band:
            return [Verdict(name, "inside", None if lists else value)]
        reason = f"{name} is {text(value)}, and must be {text(band)}"
        return [Verdict(name, "outside", None if lists else value, reason=reason)]
    lows, highs = band_limits(name, band)
    if len(lows) != len(values) or lists != isinstance(next(iter(band.values())), list):
        reason = f"{name} has {len(values)} numbers, and must have {len(lows)}"
        return [Verdict(name, "outside", reason=reason)]
    found = []
    means = band.get("mean") if lists else [band.get("mean")]
    means = means or [None] * len(values)
    for place, (each, low, high) in enumerate(zip(values, lows, highs, strict=True)):
        label = f"{name}[{place}]" if lists else name
        state, reason = "inside", ""
        if not low <= each <= high:
            state = "outside"
            reason = f"{label} is {each:.4g}, and must lie between {low:.4g} and {high:.4g}"
        found.append(Verdict(label, state, each, low, high, reason, means[place]))
    return found


def band_limits(name, band):
    """Return the lows and highs of a band, as lists; an accuracy is a share."""
    listed = {key: each if isinstance(each, list) else [each] for key, each in band.items()}
    if "low" in listed:
        return listed["low"], listed["high"]
    pairs = list(zip(listed["mean"], listed["plus_minus"], strict=True))
    lows, highs = [mean - reach for mean, reach in pairs], [mean + reach for mean, reach in pairs]
    if "accurac" in name:
        return [max(0.0, low) for low in lows], [min(1.0, high) for high in highs]
    return lows, highs


def judge_claim(lesson, metrics):
    """Return the verdict on a lesson."""
    try:
        true, reason = holds(lesson, metrics), f"the lesson {lesson} does not hold"
    except (KeyError, IndexError, TypeError, ZeroDivisionError) as error:
        true, reason = False, f"the lesson {lesson} cannot be looked at ({error!r})"
    return Verdict(lesson, "inside") if true else Verdict(lesson, "outside", reason=reason)


def with_time_ratios(metrics):
    """Return metrics and, of each list of seconds, what share of them all each is."""
    found = dict(metrics)
    for name, value in metrics.items():
        if name.endswith("seconds") and isinstance(value, list) and len(value) > 1:
            whole = sum(each or 0 for each in value)
            found[f"{name}_ratios"] = [each and whole and each / whole for each in value]
    return found


def reason_not_compared(name, run, measured):
    """Return why a metric says nothing of the course in this run, or an empty text.

    Parameters
    ----------
    name : str
    run : NotebookRun
    measured : dict
        Where its band was measured; empty where there is none.
    """
    what = kind(name, run.metrics.get(name))
    if name == "peak_memory_mb" and name not in run.metrics:
        return "it is not measured of every run"
    if what == "timing" and run.device != "GPU":
        return "seconds depend on the machine"
    if what == "timing ratio" and run.profile == "smoke":
        return "these trainings are too short for their seconds to be compared"
    if what.startswith("timing") or name == "peak_memory_mb":
        here = [run.backend, run.device or "CPU"]
        there = [measured.get("backend", here[0]), measured.get("device", here[1])]
        if there != here:
            return f"its band was measured with {there[0]} on a {there[1]}"
    return ""


def _flat(values):
    for each in values:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each
