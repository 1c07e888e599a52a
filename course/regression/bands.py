"""Bands: what a metric may be, as it was measured over several seeds.

One file, `tests/regression/bands.toml`, has a table an assignment and setting, such as
`[02-mnist.smoke]`: where and when its bands were measured, figures that never change (`exact`), and
the bands. Two things in it a person writes and a measurement keeps: `lessons`, comparisons of
metrics that must hold in each run, and `sources`, what the source documents say of a metric.
"""

import math
import re
import statistics
import tomllib
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError
from course.metrics import kind, text
from course.regression.lessons import holds

FILE = Path("tests", "regression", "bands.toml")
# How many standard deviations a band reaches, by the number of seeds that it was measured with: a
# further run of the same code lies outside once in 10,000 times; with fewer than ten seeds once in
# 1,000, since the band would say too little otherwise. Student's t for n - 1 degrees of freedom at
# 0.99995 or 0.9995, times sqrt(1 + 1/n); a test compares them with scipy.
K = {5: 9.43, 6: 7.42, 7: 6.37, 8: 5.74, 9: 5.31, 10: 6.92, 12: 6.16, 15: 5.54, 20: 5.02, 30: 4.58}
MIN_SEEDS = 5
# Another machine's processor rounds otherwise: float32 has seven digits.
ROUNDING = 1e-4
# Peak memory depends on the machine, on how many threads it has above all.
MEMORY = 0.25


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
        The band; alike for what is exact.
    reason : str
        A sentence, where the state is not "inside".
    """

    name: str
    state: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @property
    def failed(self):
        """Whether the run fails by it."""
        return self.state in ("outside", "missing", "not finite")


class Bands:
    """The bands of a course directory.

    Parameters
    ----------
    path : Path
        The file; one that is not there has no bands.

    Raises
    ------
    CourseError
        If the file cannot be read.
    """

    def __init__(self, path):
        self.path = Path(path)
        try:
            self._tables = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._tables = {}
        except (OSError, ValueError) as error:
            raise CourseError(
                f"{path} cannot be read ({error}): put it right, or take it from git again."
            ) from None

    def of(self, run):
        """Return the table for a run's assignment and setting, {} where there is none."""
        return self._tables.get(run.assignment, {}).get(run.setting, {})

    def judge(self, run):
        """Compare a run with its bands.

        Parameters
        ----------
        run : NotebookRun

        Returns
        -------
        list of Verdict
            One a number that was recorded or should have been, and one a lesson.
        """
        table = self.of(run)
        bands = table.get("exact", {}) | table.get("bands", {})
        metrics = with_ratios(run.metrics)
        found = []
        for name in dict.fromkeys([*metrics, *bands]):
            why = _not_compared(name, run)
            if why and name in metrics:
                single = metrics[name] if isinstance(metrics[name], float) else None
                found.append(Verdict(name, "not compared", single, reason=why))
            elif not why:
                found += _judge(name, metrics, bands.get(name))
        for name, history in run.curves.items():
            if any(value is None for values in history.values() for value in values):
                reason = f"the learning curves of {name} hold what is no number"
                found.append(Verdict(f"curves of {name}", "not finite", reason=reason))
        for lesson in table.get("lessons", []):
            found.append(_judge_lesson(lesson, run.metrics))
        return found

    def update(self, runs, command, machine, data):
        """Measure the bands of an assignment and setting anew, and write the file.

        Parameters
        ----------
        runs : list of NotebookRun
            With one seed each, all passed.
        command, machine, data : str
            What measured them, where, and on what.

        Returns
        -------
        list of str
            What has changed, a line each; every band that has become wider is among them.

        Raises
        ------
        CourseError
            If there are fewer than five seeds, or what must not scatter does.
        """
        first = runs[0]
        if len(runs) < MIN_SEEDS:
            raise CourseError(
                f"bands need at least {MIN_SEEDS} seeds, {first.assignment} has {len(runs)}: give"
                f" --seeds {MIN_SEEDS} or more."
            )
        before = self.of(first)
        exact, bands = _measure(runs)
        measured = {
            "date": max(run.finished for run in runs)[:10],
            "seeds": len(runs),
            "k": _k(len(runs)),
            "backend": first.backend,
            "device": first.device or "CPU",
            "seconds": round(statistics.mean(run.seconds for run in runs)),
            "data": data,
            "machine": machine,
            "versions": ", ".join(f"{name} {version}" for name, version in first.versions.items()),
            "command": command,
        }
        table = {"measured": measured, "exact": exact, "bands": bands}
        table |= {name: before[name] for name in ("lessons", "sources") if name in before}
        self._tables.setdefault(first.assignment, {})[first.setting] = table
        self._write()
        return _changes(before, table)

    def _write(self):
        lines = [HEAD]
        for name in sorted(self._tables):
            for setting in sorted(self._tables[name]):
                lines += _table_lines(name, setting, self._tables[name][setting])
        unfinished = self.path.with_suffix(".part")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
        unfinished.replace(self.path)


HEAD = """\
# What the solution notebooks measure, and how far that may scatter. `course run --update-bands`
# writes this file; `lessons` and `sources` are written by a person, and kept.
# A band is mean - plus_minus to mean + plus_minus; plus_minus is k standard deviations (std), or
# what rounding makes where that is more. Of a list, each number has its own.
"""


def with_ratios(metrics):
    """Return metrics and, of each list of seconds, what share of them all each is."""
    found = dict(metrics)
    for name, value in metrics.items():
        if name.endswith("seconds") and isinstance(value, list) and len(value) > 1:
            whole = sum(each or 0 for each in value)
            found[f"{name}_ratios"] = [each and whole and each / whole for each in value]
    return found


def _not_compared(name, run):
    """Return why a metric says nothing of the course in this run, or an empty text."""
    what = kind(name, run.metrics.get(name))
    if what == "timing" and run.device != "GPU":
        return "seconds depend on the machine"
    if what == "timing ratio" and run.profile == "smoke":
        return "these trainings are too short for their seconds to be compared"
    return ""


def _judge(name, metrics, band):
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
    lows, highs = _edges(name, band)
    if len(lows) != len(values) or lists != isinstance(next(iter(band.values())), list):
        reason = f"{name} has {len(values)} numbers, and must have {len(lows)}"
        return [Verdict(name, "outside", reason=reason)]
    found = []
    for place, (each, low, high) in enumerate(zip(values, lows, highs, strict=True)):
        label = f"{name}[{place}]" if lists else name
        if low <= each <= high:
            found.append(Verdict(label, "inside", each, low, high))
        else:
            reason = f"{label} is {each:.4g}, and must lie between {low:.4g} and {high:.4g}"
            found.append(Verdict(label, "outside", each, low, high, reason))
    return found


def _edges(name, band):
    """Return the lows and highs of a band, as lists; an accuracy is a share."""
    listed = {key: each if isinstance(each, list) else [each] for key, each in band.items()}
    if "low" in listed:
        return listed["low"], listed["high"]
    pairs = list(zip(listed["mean"], listed["plus_minus"], strict=True))
    lows, highs = [mean - reach for mean, reach in pairs], [mean + reach for mean, reach in pairs]
    if "accurac" in name:
        return [max(0.0, low) for low in lows], [min(1.0, high) for high in highs]
    return lows, highs


def _judge_lesson(lesson, metrics):
    try:
        true, reason = holds(lesson, metrics), f"the lesson {lesson} does not hold"
    except (KeyError, IndexError, TypeError) as error:
        true, reason = False, f"the lesson {lesson} cannot be looked at ({error!r})"
    return Verdict(lesson, "inside") if true else Verdict(lesson, "outside", reason=reason)


def _measure(runs):
    """Return what is exact and the bands of what is measured."""
    exact, bands = {}, {}
    recorded = [with_ratios(run.metrics) for run in runs]
    for name, first in recorded[0].items():
        values = [metrics.get(name) for metrics in recorded]
        if _not_compared(name, runs[0]):
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
        max(_k(len(runs)) * std, relative * abs(mean), ROUNDING)
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


def _k(seeds):
    return K[max(count for count in K if count <= seeds)]


def _rounded(number):
    """Return a number with six digits, which is more than any band needs."""
    return float(f"{number:.6g}")


def _changes(before, after):
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
    (old_lows, old_highs), (lows, highs) = _edges(name, old), _edges(name, new)
    if len(lows) != len(old_lows):
        return [f"{name}: had {len(old_lows)} numbers, has {len(lows)}"]
    lines = []
    for place, edges in enumerate(zip(old_lows, old_highs, lows, highs, strict=True)):
        old_low, old_high, low, high = edges
        label = f"{name}[{place}]" if len(lows) > 1 else name
        was, now = old_high - old_low, high - low
        words = f"{old_low:.4g} to {old_high:.4g}, is {low:.4g} to {high:.4g}"
        if now > was * (1 + ROUNDING):
            lines.append(f"{label}: WIDER, was {words}")
        elif now < was * (1 - ROUNDING) or not math.isclose(low, old_low, rel_tol=ROUNDING):
            lines.append(f"{label}: was {words}")
    return lines


def _flat(values):
    for each in values:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


def _table_lines(name, setting, table):
    """Return a table as lines of TOML."""
    head = ".".join(
        part if re.fullmatch(r"[\w-]+", part) else f'"{part}"' for part in (name, setting)
    )
    lines = []
    if "lessons" in table:
        lessons = "".join(f"    {_toml(lesson)},\n" for lesson in table["lessons"])
        lines += [f"[{head}]", f"lessons = [\n{lessons}]", ""]
    for part in ("sources", "measured", "exact", "bands"):
        if part in table:
            rows = [f"{key} = {_toml(value)}" for key, value in table[part].items()]
            lines += [f"[{head}.{part}]", *rows, ""]
    return lines


def _toml(value):
    """Return a value as TOML has it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)
