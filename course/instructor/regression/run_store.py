"""Saved runs, each in its own folder: the executed notebook and metrics.json."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from course.files import write_atomically
from course.instructor.regression.run_records import NotebookRun


def save(run: NotebookRun, executed: str) -> None:
    """Save a finished run: write the executed notebook, then metrics.json."""
    write_atomically(Path(run.notebook), executed)
    write_atomically(
        Path(run.notebook).with_name("metrics.json"), json.dumps(asdict(run), indent=2) + "\n"
    )


def load(folder: str | Path) -> NotebookRun | None:
    """Return the run saved in a folder, or None if it is missing or damaged."""
    try:
        content = json.loads(Path(folder, "metrics.json").read_text(encoding="utf-8"))
        known = {each.name for each in fields(NotebookRun)}
        return NotebookRun(**{name: content[name] for name in content if name in known})
    except (OSError, ValueError, TypeError):
        return None


def load_all(runs_folder: Path) -> list[NotebookRun]:
    """Return the runs saved below `build/runs`, oldest first."""
    files = sorted(runs_folder.glob("*/*/metrics.json"), key=lambda path: path.stat().st_mtime)
    return [run for path in files if (run := load(path.parent))]
