"""Bands: what a metric may be, as it was measured over several seeds.

One file, `tests/bands.toml`, has a table an assignment and setting, such as
`[02-mnist.smoke]`: where and when its bands were measured, figures that never change (`exact`), and
the bands. Two things in it a person writes and a measurement keeps: `lessons`, comparisons of
metrics that must hold in each run, and `sources`, what the source documents say of a metric.
"""

import json
import re
import statistics
import tomllib
from pathlib import Path

from course.errors import CourseError
from course.files import write_atomically
from course.instructor.regression.claims import parse
from course.instructor.regression.verdicts import (
    Verdict,
    band_limits,
    judge_metric,
    judge_claim,
    reason_not_compared,
    with_time_ratios,
)
from course.instructor.regression.band_measurement import band_changes, deviations_per_band, measure_bands

BANDS_PATH = Path("tests", "regression", "bands.toml")
HEAD = """\
# What the solution notebooks measure, and how far that may scatter. `course run --update-bands`
# writes this file; `lessons` and `sources` are written by a person, and kept; comments are not.
# A band is mean - plus_minus to mean + plus_minus; plus_minus is k standard deviations (std), or
# what rounding makes where that is more. Of a list, each number has its own.
"""


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
        self._tables = self._read()

    def _read(self):
        try:
            tables = tomllib.loads(self.path.read_text(encoding="utf-8"))
            for table in (each for settings in tables.values() for each in settings.values()):
                for lesson in table.get("lessons", []):
                    parse(lesson)
                for name, band in table.get("bands", {}).items():
                    band_limits(name, band)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CourseError(
                f"{self.path} cannot be read ({error}): put it right, or take it from git again."
            ) from None
        return tables

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
        metrics = with_time_ratios(run.metrics)
        found = []
        for name in dict.fromkeys([*metrics, *bands]):
            why = reason_not_compared(name, run, table.get("measured", {}))
            if why and name in metrics:
                single = metrics[name] if isinstance(metrics[name], float) else None
                found.append(Verdict(name, "not compared", single, reason=why))
            elif not why:
                found += judge_metric(name, metrics, bands.get(name))
        if run.profile == "gpu" and run.device == "CPU":
            reason = "the gpu profile ran without a GPU: course doctor gpu says what is missing"
            found.append(Verdict("device", "outside", reason=reason))
        for name, history in run.curves.items():
            if any(value is None for values in history.values() for value in values):
                reason = f"the learning curves of {name} hold what is no number"
                found.append(Verdict(f"curves of {name}", "not finite", reason=reason))
        for lesson in table.get("lessons", []):
            found.append(judge_claim(lesson, run.metrics))
        return found

    def update(self, runs, command):
        """Measure the bands of an assignment and setting anew, and write the file.

        Parameters
        ----------
        runs : list of NotebookRun
            With one seed each, all passed.
        command : str
            What measured them.

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
        # A person may have written a lesson while hours of measuring went by.
        self._tables = self._read()
        before = self.of(first)
        exact, bands = measure_bands(runs)
        measured = {
            "date": max(run.finished for run in runs)[:10],
            "seeds": len(runs),
            "k": deviations_per_band(len(runs)),
            "backend": first.backend,
            "device": first.device or "CPU",
            "seconds": round(statistics.mean(run.seconds for run in runs)),
            "data": first.data,
            "machine": first.machine,
            "versions": ", ".join(f"{name} {version}" for name, version in first.versions.items()),
            "command": command,
        }
        table = {"measured": measured, "exact": exact, "bands": bands}
        table |= {name: before[name] for name in ("lessons", "sources") if name in before}
        self._tables.setdefault(first.assignment, {})[first.setting] = table
        self._write()
        return band_changes(before, table)

    def _write(self):
        lines = [HEAD]
        for name in sorted(self._tables):
            for setting in sorted(self._tables[name]):
                lines += _table_lines(name, setting, self._tables[name][setting])
        content = "\n".join(lines).rstrip() + "\n"
        tomllib.loads(content)  # what could not be read again must not take the file's place
        write_atomically(self.path, content)


def _table_lines(name, setting, table):
    """Return a table as lines of TOML."""
    head = f"{_key(name)}.{_key(setting)}"
    lines = []
    if "lessons" in table:
        lessons = "".join(f"    {_toml(lesson)},\n" for lesson in table["lessons"])
        lines += [f"[{head}]", f"lessons = [\n{lessons}]", ""]
    for part in ("sources", "measured", "exact", "bands"):
        if part in table:
            rows = [f"{_key(key)} = {_toml(value)}" for key, value in table[part].items()]
            lines += [f"[{head}.{part}]", *rows, ""]
    return lines


def _toml(value):
    """Return a value as TOML has it."""
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items()) + " }"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # TOML's strings are those of JSON
    return repr(value)


def _key(name):
    """Return a key as TOML has it: bare, or quoted."""
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name, ensure_ascii=False)
