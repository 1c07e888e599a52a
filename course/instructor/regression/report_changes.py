"""The changes since the previous report."""

import json
import math
from pathlib import Path
from typing import Any

from course.files import write_atomically
from course.instructor.regression.checked_run import CheckedRun
from course.instructor.regression.run_records import MEMORY, NotebookRun
from course.recorded_metrics import RATE, SECONDS, text


def changes_since_last_report(path: Path, checked_runs: list[CheckedRun]) -> list[str] | None:
    """Save the state of this report in a file; return the changes, or None for the first report.

    The changes are those since the last report with a different state, so that writing a report of
    the same runs again does not change it.
    """
    now = {
        _title(each.run): {"problems": each.problems, "metrics": each.run.metrics}
        for each in checked_runs
    }
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        before = stored["before"] if stored["now"] == now else stored["now"]
    except (OSError, ValueError, KeyError):
        before = None
    write_atomically(Path(path), json.dumps({"now": now, "before": before}, indent=1))
    if before is None:
        return None
    lines = [f"{title}: was not run before" for title in now if title not in before]
    lines += [f"{title}: was run before, but not now" for title in before if title not in now]
    for each in checked_runs:
        title = _title(each.run)
        if title in before:
            changes = _changes(before[title], now[title], each.run)
            lines += [f"{title}: {change}" for change in changes]
    return lines


def _title(run: NotebookRun) -> str:
    """Return the text that identifies a run."""
    return f"{run.assignment}, {run.setting}, seed {run.seed}, {run.backend}"


def _changes(before: dict[str, Any], now: dict[str, Any], run: NotebookRun) -> list[str]:
    """Return the changes between two states of a run."""
    problems = [each for each in now["problems"] if each not in before["problems"]]
    lines = [f"fails now: {problem}" for problem in problems]
    if before["problems"] and not now["problems"]:
        lines.append("passes again")
    old, new = before["metrics"], now["metrics"]
    for name in dict.fromkeys([*old, *new]):
        kind = run.kind_of(name)
        if name not in new:
            lines.append(f"{name} is no longer recorded")
        elif name not in old:
            lines.append(f"{name} = {text(new[name])} is new")
        elif kind not in (SECONDS, RATE) and not _is_close(old[name], new[name], kind):
            lines.append(f"{name} was {text(old[name])}, is {text(new[name])}")
    return lines


def _is_close(old: Any, new: Any, kind: str) -> bool:
    """Return True if two values are the same up to rounding; peak memory may vary by 5 %."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return all(_is_close(*pair, kind) for pair in zip(old, new, strict=True))
    if isinstance(old, float) and isinstance(new, float):
        tolerance = 0.05 if kind == MEMORY else 1e-4
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=1e-6)
    return old == new
