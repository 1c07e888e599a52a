"""The report: one HTML page with scores, runs, metrics and pictures, that needs no server."""

import json
from datetime import datetime
from pathlib import Path

import jinja2


def write(path, scores, runs):
    """Write the report page.

    Parameters
    ----------
    path : Path
        Where to; its directory is made.
    scores : list of course.grading.grades.Grade
        What the gradebook holds.
    runs : list of course.regression.runs.NotebookRun
        The headless runs to show; pictures are taken from their executed notebooks.

    Returns
    -------
    Path
        The page.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("course.regression", ""), autoescape=True, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        scores=scores,
        runs=[{"run": run, "pictures": pictures(run.notebook)} for run in runs],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(page, encoding="utf-8")
    unfinished.replace(path)
    return path


def pictures(notebook_path):
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
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            lines = "".join(cell["source"]).splitlines()
            heading = next((line.lstrip("# ") for line in lines if line.startswith("#")), heading)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                # JSON notebooks keep long strings as one string or as a list of lines.
                found.append((heading, "".join(output["data"]["image/png"]).replace("\n", "")))
    return found
