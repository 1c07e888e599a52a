"""The report: an HTML page that first shows what failed and what changed, and then all details."""

import json
import os
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
from course.instructor.regression.report_history import ReportHistory
from course.instructor.regression.run_records import NotebookRun
from course.instructor.regression.verdicts import CLAIM, REFERENCE, Verdict
from course.notebook_headings import section_headings
from course.recorded_metrics import text

if TYPE_CHECKING:
    from course.instructor.gradebook.submission_results import SubmissionResult

# The words on the page for the states of exact values and claims, which have no chart.
STATES = {"inside": "as required"}
MIN_TREND = 3  # values that a trend consists of at least
MAX_VALUES = 6  # of a metric, as text; the chart shows all of them


def write(folder: Path, scores: "list[SubmissionResult]", checked_runs: list[CheckedRun]) -> Path:
    """Write index.html and a page per executed notebook into a folder; return the first one's path.

    The page needs no network. `history.json` in the same folder keeps the latest states of each
    run, with which the page compares the current ones.
    """
    history = ReportHistory(Path(folder, "history.json"))
    history.add(checked_runs)
    runs = [_run(folder, each, history) for each in checked_runs]
    page = pages.render(
        "regression.html",
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        scores=scores,
        runs=runs,
        failed=sum(each["checked"].failed for each in runs),
        versions=_versions(checked_runs),
        sections=[
            _section(name, setting, list(group), history)
            for (name, setting), group in groupby(
                checked_runs, key=lambda each: (each.run.assignment, each.run.setting)
            )
        ],
    )
    path = Path(folder, "index.html")
    write_atomically(path, page)
    return path


def _run(folder: Path, checked: CheckedRun, history: ReportHistory) -> dict[str, Any]:
    """Return the data of a run for the page's overview, and write the page of its notebook."""
    run = checked.run
    notebook = Path(run.notebook)
    page = Path(folder, "notebooks", f"{run.assignment}-{run.folder_name}.html")
    body = _as_html(notebook)
    if body:
        name = f"{run.assignment}, {run.setting}, seed {run.seed}, {run.backend}"
        content = pages.render("executed_notebook.html", name=name, body=Markup(body))
        write_atomically(page, content)
    return {
        "checked": checked,
        "section": _id(run.assignment, run.setting),
        "problems": _problems(checked),
        "comparison": history.compare(checked),
        "trend": history.passed(run),
        "page": os.path.relpath(page, folder) if body else "",
        "notebook": os.path.relpath(notebook, folder) if body else "",
    }


def _problems(checked: CheckedRun) -> list[tuple[str, str]]:
    """Return (problem, explanation) for each reason why a run fails."""
    if checked.run.error:
        return [(checked.run.error, "The solution of this notebook does not run to its end.")]
    return [
        (f"{each.reason}.", _meaning(each, checked)) for each in checked.verdicts if each.failed
    ]


def _meaning(verdict: Verdict, checked: CheckedRun) -> str:
    """Return an explanation of a failed verdict, or "" if there is none."""
    name = verdict.name.partition("[")[0]
    source = checked.sources.get(verdict.name) or checked.sources.get(name, "")
    if verdict.about == CLAIM:
        return "The lesson states this, so either its code or its text is wrong."
    if verdict.about == REFERENCE:
        command = f"course run {checked.run.assignment} --update-references"
        return f"The same seed gave a different result before. If that is intended, run {command}."
    if source:
        return f"The source documents say: {source}."
    if verdict.low is not None and checked.measured.get("seeds"):
        seeds, date = checked.measured["seeds"], checked.measured.get("date", "an unknown date")
        return f"The band was measured with {seeds} seeds on {date}."
    return ""


def _versions(checked_runs: list[CheckedRun]) -> list[str]:
    """Return the different versions and machines of the runs, one string for each."""
    found = []
    for run in (each.run for each in checked_runs):
        versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
        found.append("; ".join(filter(None, [versions, run.machine])))
    return list(dict.fromkeys(filter(None, found)))


def _section(
    name: str, setting: str, group: list[CheckedRun], history: ReportHistory
) -> dict[str, Any]:
    """Return the page's section about an assignment's runs with one setting."""
    first = group[0]
    shown = next((each for each in group if each.failed), first)
    return {
        "name": name,
        "setting": setting,
        "id": _id(name, setting),
        "failed": sum(each.failed for each in group),
        "count": len(group),
        "measured": first.measured,
        "metrics": _metric_rows(group, first.sources, history),
        "backends": _backend_differences(group),
        "curves": [
            (label, Markup(svg_charts.learning_curve_chart(histories)))
            for label, histories in _histories(group).items()
        ],
        "figures": figures(shown.run.notebook),
    }


def _id(name: str, setting: str) -> str:
    """Return the HTML id of a section."""
    return re.sub(r"[^\w-]+", "-", f"{name}-{setting}")


def _metric_rows(
    group: list[CheckedRun], sources: dict[str, str], history: ReportHistory
) -> list[dict[str, Any]]:
    """Return a row per metric, claim, and difference from the reference; failed ones come first."""
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
                "trend": _trend(label, runs[0], history),
                "source": sources.get(label) or sources.get(name, ""),
            }
        )
    return sorted(rows, key=lambda row: not row["failed"])


def _trend(label: str, run: NotebookRun, history: ReportHistory) -> Markup | str:
    """Return a chart of a metric's kept values, or "" if there are too few for a trend."""
    values = history.values(run, label)
    return Markup(svg_charts.trend_chart(values)) if len(values) >= MIN_TREND else ""


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


def _as_html(path: Path) -> str:
    """Return an executed notebook as HTML without scripts."""
    import nbformat
    from nbconvert import HTMLExporter

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
