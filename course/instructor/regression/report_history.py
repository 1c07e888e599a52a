"""Earlier states of each run, which the report compares with the current one."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.files import write_atomically
from course.instructor.regression.checked_run import CheckedRun
from course.instructor.regression.run_records import MEMORY, NotebookRun
from course.recorded_metrics import RATE, SECONDS, TIME_RATIO, text

KEPT = 20  # states of each run
METRIC_OR_ITEM = re.compile(r"(\w+)(?:\[(\d+)\])?")
ROUNDING = 1e-6  # the size of values that are nothing but errors of rounding


@dataclass(frozen=True)
class Change:
    """A metric that changed."""

    name: str
    before: str
    now: str
    fails: bool  # the new value makes the run fail
    size: float  # relative to the old value; infinite if that is not a number


@dataclass(frozen=True)
class Comparison:
    """A run compared with an earlier state: the latest that passed, or the latest if none did."""

    date: str  # of that state, "YYYY-MM-DD HH:MM"; "" if there is none
    passed: bool  # whether that state passed
    changes: list[Change]  # those that fail first, then by size
    passes_again: bool


class ReportHistory:
    """The latest `KEPT` states of each run: when it finished, its problems, and its metrics."""

    def __init__(self, path: Path) -> None:
        """Read the states from a file; a missing or damaged file contains none."""
        self._path = path
        try:
            self._states: dict[str, list[dict[str, Any]]] = json.loads(
                path.read_text(encoding="utf-8")
            )["runs"]
        except (OSError, ValueError, KeyError, TypeError):
            self._states = {}

    def add(self, checked_runs: list[CheckedRun]) -> None:
        """Add the state of each run, unless it is the latest one, and write the file."""
        for each in checked_runs:
            states = self._states.setdefault(title(each.run), [])
            state = {
                "finished": each.run.finished,
                "problems": each.problems,
                "metrics": each.run.metrics,
            }
            # The verdicts on the same run change with the bands.
            if states and states[-1]["finished"] == state["finished"]:
                states.pop()
            states.append(state)
            del states[:-KEPT]
        write_atomically(self._path, json.dumps({"runs": self._states}, indent=1))

    def passed(self, run: NotebookRun) -> list[tuple[str, bool]]:
        """Return (date, True if it passed) for each kept state of a run, oldest first."""
        return [(_date(each), not each["problems"]) for each in self._states.get(title(run), [])]

    def values(self, run: NotebookRun, label: str) -> list[float]:
        """Return the kept values of a metric or list item, such as `accuracies[2]`."""
        match = METRIC_OR_ITEM.fullmatch(label)
        if not match:  # a claim
            return []
        name, index = match.groups()
        found = []
        for state in self._states.get(title(run), []):
            value = state["metrics"].get(name)
            if index and isinstance(value, list) and int(index) < len(value):
                value = value[int(index)]
            if isinstance(value, int | float):
                found.append(float(value))
        return found

    def compare(self, checked: CheckedRun) -> Comparison:
        """Compare a run with its latest earlier state that passed, or its latest if none did."""
        *earlier, now = self._states[title(checked.run)]
        green = [each for each in earlier if not each["problems"]]
        if not earlier:
            return Comparison("", False, [], False)
        before = (green or earlier)[-1]
        failing = {each.name.partition("[")[0] for each in checked.verdicts if each.failed}
        changes = [
            Change(name, *_texts(name, before, now), name in failing, size)
            for name in dict.fromkeys([*before["metrics"], *now["metrics"]])
            if (size := _size(name, before["metrics"], now["metrics"], checked.run))
        ]
        changes.sort(key=lambda change: (not change.fails, -change.size))
        passes_again = bool(earlier[-1]["problems"]) and not now["problems"]
        return Comparison(_date(before), bool(green), changes, passes_again)


def title(run: NotebookRun) -> str:
    """Return the string that identifies a run."""
    return f"{run.assignment}, {run.setting}, seed {run.seed}, {run.backend}"


def _date(state: dict[str, Any]) -> str:
    """Return when a run finished, to the minute."""
    return state["finished"][:16].replace("T", " ")


def _texts(name: str, before: dict[str, Any], now: dict[str, Any]) -> tuple[str, str]:
    """Return the old and the new value of a metric as text; a missing one is a dash."""
    old, new = (
        text(state["metrics"][name]) if name in state["metrics"] else "–" for state in (before, now)
    )
    return old, new


def _size(name: str, before: dict[str, Any], now: dict[str, Any], run: NotebookRun) -> float:
    """Return the largest relative change of a metric; 0 for rounding, durations, and memory."""
    if name not in before or name not in now:
        return math.inf
    kind = run.kind_of(name)
    # These depend on what else the machine does; the bands say what is too much.
    if kind in (SECONDS, RATE, TIME_RATIO, MEMORY):
        return 0.0
    return _relative_change(before[name], now[name], 1e-4)


def _relative_change(old: Any, new: Any, tolerance: float) -> float:
    """Return the largest relative change of a number or the numbers of a list.

    Floats that differ by less than the tolerance count as equal.
    """
    if old == new:
        return 0.0
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return max(_relative_change(*pair, tolerance) for pair in zip(old, new, strict=True))
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return math.inf
    size = abs(new - old) / abs(old) if old else math.inf
    if isinstance(old, float) and (size <= tolerance or abs(new - old) <= ROUNDING):
        return 0.0
    return size
