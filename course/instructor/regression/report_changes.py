"""What has changed since the last report."""

import json
import math
from pathlib import Path

from course.files import write_atomically
from course.metrics import kind, text


def changes_since_last_report(path, checked):
    """Return what has changed since the last report that said something else, and keep this one.

    A report that is written twice from the same runs says the same twice.

    Parameters
    ----------
    path : Path
        Where the states of this and of the last report are kept.
    checked : list of Checked

    Returns
    -------
    list of str or None
        A line each; None where there was no report before.
    """
    now = {_name(each.run): _state(each) for each in checked}
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        before = stored["before"] if stored["now"] == now else stored["now"]
    except (OSError, ValueError, KeyError):
        before = None
    write_atomically(Path(path), json.dumps({"now": now, "before": before}, indent=1))
    return None if before is None else _changes(before, now)


def _name(run):
    return f"{run.assignment}, {run.setting}, seed {run.seed}, {run.backend}"


def _state(each):
    return {"problems": each.problems, "metrics": each.run.metrics}


def _changes(before, now):
    lines = [f"{name}: was not run then" for name in now if name not in before]
    lines += [f"{name}: was run then, and not now" for name in before if name not in now]
    for name in now:
        if name in before:
            lines += [f"{name}: {line}" for line in _of_run(before[name], now[name])]
    return lines


def _of_run(before, now):
    lines = []
    for problem in now["problems"]:
        if problem not in before["problems"]:
            lines.append(f"fails now: {problem}")
    if before["problems"] and not now["problems"]:
        lines.append("passes again")
    old, new = before["metrics"], now["metrics"]
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            lines.append(f"{name} is no longer recorded")
        elif name not in old:
            lines.append(f"{name} = {text(new[name])} is new")
        elif kind(name, new[name]) != "timing" and not _alike(old[name], new[name], name):
            lines.append(f"{name} was {text(old[name])}, is {text(new[name])}")
    return lines


def _alike(old, new, name):
    """Return whether two values are the same, but for rounding; memory is never quite."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return all(_alike(*pair, name) for pair in zip(old, new, strict=True))
    if isinstance(old, float) and isinstance(new, float):
        tolerance = 0.05 if name == "peak_memory_mb" else 1e-4
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=1e-6)
    return old == new
