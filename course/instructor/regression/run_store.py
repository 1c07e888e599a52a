"""Runs that are kept, each in a folder of its own: the executed notebook and metrics.json."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from course.files import write_atomically
from course.instructor.regression.notebook_run import NotebookRun


def save(folder, run, executed):
    """Keep a finished run: the executed notebook, and metrics.json, which comes last."""
    write_atomically(Path(run.notebook), executed)
    write_atomically(folder / "metrics.json", json.dumps(asdict(run), indent=2) + "\n")


def load(folder):
    """Return the run that is kept in a folder, or None."""
    try:
        content = json.loads(Path(folder, "metrics.json").read_text(encoding="utf-8"))
        known = {each.name for each in fields(NotebookRun)}
        return NotebookRun(**{name: content[name] for name in content if name in known})
    except (OSError, ValueError, TypeError):
        return None


def load_all(output_root):
    """Return the runs that are kept below a directory, the newest last."""
    files = sorted(
        Path(output_root).glob("*/*/metrics.json"), key=lambda path: path.stat().st_mtime
    )
    return [run for path in files if (run := load(path.parent))]
