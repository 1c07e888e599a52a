"""The report: one HTML page with runs, bands, curves, pictures and scores, that needs no server."""

import json
import re
from datetime import datetime
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from course.files import write_atomically
from course.instructor import pages
from course.instructor.regression import report_changes, svg_charts
from course.instructor.regression.notebook_run import headings_of
from course.instructor.sandbox.execute import printable
from course.metrics import text

# How the page calls what has no band to be drawn in: what is exact, and lessons.
STATES = {"inside": "as it must be"}
MOST_VALUES = 6  # of a figure that are written out; all are drawn


def write(folder, scores, checked):
    """Write the report page.

    Parameters
    ----------
    folder : Path
        Where to; it is made. `last.json` in it is what the next report is compared with.
    scores : list of course.instructor.gradebook.submission_results.SubmissionResult
        What the gradebook holds.
    checked : list of course.instructor.regression.suite.CheckedRun
        The headless runs to show; pictures are taken from their executed notebooks.

    Returns
    -------
    Path
        The page.
    """
    folder = Path(folder)
    page = pages.render(
        "regression.html",
        id_of=_id,
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        scores=scores,
        checked=checked,
        failed=sum(each.failed for each in checked),
        changes=report_changes.changes_since_last_report(folder / "last.json", checked),
        sections=[
            _section(name, setting, list(group))
            for (name, setting), group in groupby(
                checked, key=lambda each: (each.run.assignment, each.run.setting)
            )
        ],
    )
    path = folder / "index.html"
    write_atomically(path, page)
    return path


def write_junit(path, checked):
    """Write runs as JUnit's XML, which CI servers read: a suite a run, a case a figure.

    Parameters
    ----------
    path : Path
    checked : list of Checked
    """
    suites = ElementTree.Element("testsuites")
    for each in checked:
        run = each.run
        name = f"{run.assignment} {run.setting} seed {run.seed} {run.backend}"
        suite = ElementTree.SubElement(suites, "testsuite", name=name, time=str(run.seconds))
        cases = [("runs to its end", run.error, "failure")]
        for verdict in each.verdicts:
            problem = verdict.reason if verdict.failed else None
            skipped = verdict.state in ("new", "not compared")
            cases.append((verdict.name, verdict.reason if skipped else problem,
                          "skipped" if skipped else "failure"))  # fmt: skip
        for label, reason, kind in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=label, time="0")
            if reason:
                ElementTree.SubElement(case, kind, message=printable(reason))
        suite.set("tests", str(len(cases)))
        for kind, key in (("failure", "failures"), ("skipped", "skipped")):
            suite.set(key, str(sum(bool(reason) and it == kind for _, reason, it in cases)))
    ElementTree.indent(suites)
    write_atomically(path, ElementTree.tostring(suites, encoding="unicode", xml_declaration=True))


def _section(name, setting, group):
    """Return what the page shows of the runs of an assignment in one setting."""
    first = group[0]
    shown = {}  # of each backend the first that failed, else the first
    for each in sorted(group, key=lambda each: not each.failed):
        shown.setdefault(each.run.backend, each)
    return {
        "name": name,
        "setting": setting,
        "id": _id(name, setting),
        "group": group,
        "measured": first.measured,
        "figures": _figures(group, first.sources),
        "backends": _backends(group),
        "curves": [
            (label, Markup(svg_charts.learning_curve_chart(histories)))
            for label, histories in _histories(group).items()
        ],
        "pictures": figures(next(iter(shown.values())).run.notebook),
        "notebooks": [(each.run, Markup(_as_html(each.run.notebook))) for each in shown.values()],
    }


def _id(name, setting):
    """Return how a section is called in a link."""
    return re.sub(r"[^\w-]+", "-", f"{name}-{setting}")


def _figures(group, sources):
    """Return a row for each figure: its name, states, values, band, drawing, source."""
    rows = {}
    for each in group:
        for verdict in each.verdicts:
            row = rows.setdefault(verdict.name, {"verdicts": [], "runs": []})
            row["verdicts"].append(verdict)
            row["runs"].append(each.run)
    found = []
    for label, row in rows.items():
        verdicts, runs = row["verdicts"], row["runs"]
        name = label.partition("[")[0]
        banded = next((each for each in verdicts if each.low is not None), None)
        found.append({
            "label": label,
            "states": sorted({STATES.get(each.state, each.state) for each in verdicts}),
            "failed": any(each.failed for each in verdicts),
            "reasons": [each.reason for each in verdicts if each.failed],
            "shown": _values(label, verdicts, runs),
            "band": f"{banded.low:.4g} to {banded.high:.4g}" if banded else "",
            "drawn": Markup(svg_charts.band_chart(verdicts, runs)) if banded else "",
            "source": sources.get(label) or sources.get(name, ""),
        })  # fmt: skip
    return found


def _values(label, verdicts, runs):
    """Return a figure's values as text; what is the same everywhere is written once."""
    values = [
        text(verdict.value) if verdict.value is not None
        else text(run.metrics[label]) if label in run.metrics else ""
        for verdict, run in zip(verdicts, runs, strict=True)
    ]  # fmt: skip
    different = list(dict.fromkeys(value for value in values if value))
    return ", ".join(different[:MOST_VALUES]) + (", ..." if len(different) > MOST_VALUES else "")


def _backends(group):
    """Return how measured figures differ between backends, where there are several.

    Returns
    -------
    dict
        "names", the backends; "rows", a label and a text each.
    """
    names = list(dict.fromkeys(each.run.backend for each in group))
    if len(names) < 2:
        return None
    means = {}
    for backend in names:
        values = {}
        for each in group:
            if each.run.backend == backend:
                for verdict in each.verdicts:
                    if verdict.value is not None:
                        values.setdefault(verdict.name, []).append(verdict.value)
        means[backend] = {label: sum(found) / len(found) for label, found in values.items()}
    labels = dict.fromkeys(label for found in means.values() for label in found)
    rows = [
        (label, [f"{means[name][label]:.4g}" if label in means[name] else "-" for name in names])
        for label in labels
    ]
    return {"names": names, "rows": [row for row in rows if len(set(row[1])) > 1]}


def _histories(group):
    """Return, for each training, its histories in all runs."""
    found = {}
    for each in group:
        for label, history in each.run.curves.items():
            found.setdefault(label, []).append((each.run, history))
    return found


def figures(notebook_path):
    """Return the pictures of an executed notebook.

    Parameters
    ----------
    notebook_path : str or Path
        The executed notebook; one that is gone has no pictures.

    Returns
    -------
    list of (str, str)
        The heading that a picture stands under, and its PNG in base64.
    """
    path = Path(notebook_path)
    if not path.is_file():
        return []
    found, heading = [], ""
    for cell in _cells(path):
        heading = next(iter(headings_of(cell)), heading)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                # JSON notebooks keep long strings as one string or as a list of lines.
                found.append((heading, "".join(output["data"]["image/png"]).replace("\n", "")))
    return found


def _cells(path):
    """Return the cells of a notebook; one of which a kill left a part has none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["cells"]
    except ValueError:
        return []


def _as_html(notebook_path):
    """Return an executed notebook as HTML in which nothing runs."""
    import nbformat
    from nbconvert import HTMLExporter

    path = Path(notebook_path)
    if not path.is_file() or not _cells(path):
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
