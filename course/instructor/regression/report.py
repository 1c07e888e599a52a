"""The report: a self-contained HTML page of runs, bands, learning curves, figures, and scores."""

import json
import re
import statistics
from collections import defaultdict
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from course.files import write_atomically
from course.instructor import pages
from course.instructor.regression import svg_charts
from course.instructor.regression.checked_run import CheckedRun
from course.instructor.regression.report_changes import changes_since_last_report
from course.instructor.regression.run_records import NotebookRun
from course.instructor.regression.verdicts import Verdict
from course.notebook_headings import section_headings
from course.recorded_metrics import text

if TYPE_CHECKING:
    from course.instructor.gradebook.submission_results import SubmissionResult

# The words on the page for the states of exact values and claims, which have no chart.
STATES = {"inside": "as required"}
MAX_VALUES = 6  # of a metric, as text; the chart shows all of them


def write(folder: Path, scores: "list[SubmissionResult]", checked_runs: list[CheckedRun]) -> Path:
    """Write index.html into a folder and return its path.

    The figures come from the executed notebooks. The page lists the changes since the previous
    report, whose state is in `last.json` in the same folder.
    """
    page = pages.render(
        "regression.html",
        id_of=_id,
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        scores=scores,
        checked=checked_runs,
        failed=sum(each.failed for each in checked_runs),
        changes=changes_since_last_report(Path(folder, "last.json"), checked_runs),
        sections=[
            _section(name, setting, list(group))
            for (name, setting), group in groupby(
                checked_runs, key=lambda each: (each.run.assignment, each.run.setting)
            )
        ],
    )
    path = Path(folder, "index.html")
    write_atomically(path, page)
    return path


def _section(name: str, setting: str, group: list[CheckedRun]) -> dict[str, Any]:
    """Return the page's section about an assignment's runs with one setting."""
    first = group[0]
    shown: dict[str, CheckedRun] = {}  # each backend's first failed run, or else its first run
    for each in sorted(group, key=lambda each: not each.failed):
        shown.setdefault(each.run.backend, each)
    return {
        "name": name,
        "setting": setting,
        "id": _id(name, setting),
        "group": group,
        "measured": first.measured,
        "metrics": _metric_rows(group, first.sources),
        "backends": _backend_differences(group),
        "curves": [
            (label, Markup(svg_charts.learning_curve_chart(histories)))
            for label, histories in _histories(group).items()
        ],
        "figures": figures(next(iter(shown.values())).run.notebook),
        "notebooks": [(each.run, Markup(_as_html(each.run.notebook))) for each in shown.values()],
    }


def _id(name: str, setting: str) -> str:
    """Return the HTML id of a section."""
    return re.sub(r"[^\w-]+", "-", f"{name}-{setting}")


def _metric_rows(group: list[CheckedRun], sources: dict[str, str]) -> list[dict[str, Any]]:
    """Return one table row per metric: name, states, values, band, chart, and source."""
    by_label: dict[str, list[tuple[Verdict, NotebookRun]]] = defaultdict(list)
    for each in group:
        for verdict in each.verdicts:
            by_label[verdict.name].append((verdict, each.run))
    rows = []
    for label, pairs in by_label.items():
        verdicts, runs = [verdict for verdict, _ in pairs], [run for _, run in pairs]
        name = label.partition("[")[0]
        banded = next((each for each in verdicts if each.low is not None), None)
        rows.append(
            {
                "label": label,
                "states": sorted({STATES.get(each.state, each.state) for each in verdicts}),
                "failed": any(each.failed for each in verdicts),
                "reasons": [each.reason for each in verdicts if each.failed],
                "value": _values(label, verdicts, runs),
                "band": f"{banded.low:.4g} to {banded.high:.4g}" if banded else "",
                "chart": Markup(svg_charts.band_chart(verdicts, runs)) if banded else "",
                "source": sources.get(label) or sources.get(name, ""),
            }
        )
    return rows


def _values(label: str, verdicts: list[Verdict], runs: list[NotebookRun]) -> str:
    """Return a metric's distinct values as text."""
    shown = []
    for verdict, run in zip(verdicts, runs, strict=True):
        if verdict.value is not None:
            shown.append(text(verdict.value))
        elif label in run.metrics:
            shown.append(text(run.metrics[label]))
    different = list(dict.fromkeys(shown))
    return ", ".join(different[:MAX_VALUES]) + (", ..." if len(different) > MAX_VALUES else "")


def _backend_differences(group: list[CheckedRun]) -> dict[str, Any] | None:
    """Return the "names" of the backends and the "rows" (label, means) in which they differ.

    If there is only one backend, return None.
    """
    names = list(dict.fromkeys(each.run.backend for each in group))
    if len(names) < 2:
        return None
    # Maps a label and a backend to the values of that backend's runs.
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in group:
        for verdict in each.verdicts:
            if verdict.value is not None:
                values[verdict.name][each.run.backend].append(verdict.value)
    rows = []
    for label, found in values.items():
        means = [f"{statistics.fmean(found[name]):.4g}" if found[name] else "-" for name in names]
        if len(set(means)) > 1:
            rows.append((label, means))
    return {"names": names, "rows": rows}


def _histories(group: list[CheckedRun]) -> dict[str, list[tuple[NotebookRun, dict[str, list]]]]:
    """Return, by the name of the training run, its training history from every notebook run."""
    found: dict[str, list[tuple[NotebookRun, dict[str, list]]]] = defaultdict(list)
    for each in group:
        for label, history in each.run.curves.items():
            found[label].append((each.run, history))
    return found


def figures(notebook_path: str | Path) -> list[tuple[str, str]]:
    """Return (heading, base64 PNG) for each figure of an executed notebook.

    A missing or damaged notebook has no figures.
    """
    cells = _cells(Path(notebook_path))
    found = []
    for cell, heading in zip(cells, section_headings(cells), strict=True):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                # The notebook format allows a string or a list of lines.
                found.append((heading, "".join(output["data"]["image/png"]).replace("\n", "")))
    return found


def _cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook; a missing or incomplete file has none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return []


def _as_html(notebook_path: str) -> str:
    """Return an executed notebook as HTML without scripts."""
    import nbformat
    from nbconvert import HTMLExporter

    path = Path(notebook_path)
    if not _cells(path):
        return ""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in [kind for kind in data if "script" in kind or "<script" in str(data[kind])]:
                del data[kind]
                data.setdefault("text/plain", "(an output that needs a running notebook)")
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    return body
