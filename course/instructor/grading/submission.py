"""A submission on its way to grading: what is trusted of it, and what the gradebook puts right."""

import ast
import re
from dataclasses import replace
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from course.files import files_below
from course.instructor.grading.job import Job, ReferenceNotebook
from course.instructor.python_parser import parse_python

GRADING_PROFILE = "smoke"
PARTIAL_CREDIT_TAG = "partial-credit"
_HAS_STUDENT = re.compile(r"^student = ", re.MULTILINE)
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
PICTURES = ("image/png", "image/jpeg")
GRADING_NOTE = "**While this was graded:**"  # so begins the cell that says what befell a submission
MAX_OUTPUT_BYTES = 4 * 2**20


def read_reference(gradebook, source, assignment, notebook):
    """Return what grading an assignment needs beside a submission.

    Parameters
    ----------
    gradebook : nbgrader.api.Gradebook
        Has the cells, hidden tests included, since the assignment was compiled.
    source : Path
        The source notebook: the order of its cells, its parameters, and which tests give partial
        credit.
    assignment, notebook : str
        Names as the gradebook has them.

    Returns
    -------
    Kit
    """
    record = gradebook.find_notebook(notebook, assignment)
    points = {cell.name: cell.max_score for cell in record.grade_cells}
    solutions = {cell.name for cell in record.solution_cells}
    tasks = {cell.name: cell.max_score for cell in record.task_cells}
    nb = nbformat.read(source, as_version=4)
    order = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
    partial = tagged(nb, PARTIAL_CREDIT_TAG)
    cells = {
        cell.name: {
            "cell_type": cell.cell_type,
            "source": cell.source,
            "locked": cell.locked,
            "checksum": cell.checksum,
            "grade": cell.name in points,
            "solution": cell.name in solutions,
            "task": cell.name in tasks,
            "points": points.get(cell.name, tasks.get(cell.name)),
            "partial": cell.name in partial,
        }
        for cell in record.source_cells
    }
    known = [name for name in order if name in cells]
    return ReferenceNotebook([*known, *sorted(cells.keys() - set(known))], cells, _pinned_parameters(nb))


def tagged(nb, tag):
    """Return the grade ids of a source notebook's cells that have a tag."""
    return {
        cell["metadata"].get("nbgrader", {}).get("grade_id")
        for cell in nb["cells"]
        if tag in cell["metadata"].get("tags", [])
    }


def sanitize(nb, reference):
    """Put a submitted notebook right, in place: no cell is what its metadata merely claims.

    Cells are known by their grade id alone. A known one gets the type, the rights and, where it is
    locked, the text that the gradebook has; one that comes twice counts where it comes last; a
    missing one comes back. Outputs keep text and pictures; no other metadata is kept.
    """
    nb.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    seen, ids = set(), set()
    for cell in reversed(nb.cells):
        name = _claimed_id(cell)
        cell.metadata = nbformat.NotebookNode()
        if "id" in cell and (not CELL_ID.fullmatch(str(cell.id)) or cell.id in ids):
            cell.id = new_code_cell().id
        ids.add(cell.get("id"))
        if name in reference.cells and name not in seen:
            seen.add(name)
            _restore(cell, name, reference.cells[name])
    missing = [name for name in reference.order if name not in seen]
    for name in missing:
        _put_back(nb, name, reference)
    for cell in nb.cells:
        is_test = reference.is_test(_claimed_id(cell))
        if cell.cell_type == "code":
            cell.outputs = [] if is_test else safe_outputs(cell.get("outputs", []))
            if is_test:
                cell.execution_count = None


def knows_any(nb, reference):
    """Return whether a submitted notebook has a single cell that the gradebook knows."""
    return any(_claimed_id(cell) in reference.cells for cell in nb.cells)


def code_cells(nb):
    """Return a sanitized notebook's code cells as a job has them."""
    return [
        {"index": index, "grade_id": _claimed_id(cell), "source": cell.source}
        for index, cell in enumerate(nb.cells)
        if cell.cell_type == "code"
    ]


def folders(root, submitted, assignment):
    """Return where the files beside a notebook come from; a later folder's win."""
    return [Path(submitted), Path(root, "source", assignment)]


def make_job(nb, folders, reference, identity, settings):
    """Return the job of a sanitized notebook.

    Parameters
    ----------
    nb : NotebookNode
        From `sanitize`.
    folders : sequence of Path
        Where files beside it lie; those of a later folder win.
    reference : Kit
        The assignment's.
    identity : tuple of str
        Assignment, student, notebook.
    settings : dict
        limits, isolated and devices, as `Job` has them, and own_numbers: whether the notebook's
        parameter `student`, if it has one, says whose submission it is.
    """
    settings = dict(settings)
    if settings.pop("own_numbers", False) and _HAS_STUDENT.search(reference.parameters):
        reference = replace(reference, parameters=f"{reference.parameters}\nstudent = {identity[1]!r}")
    files, too_large = {}, []
    for folder in folders:
        found = files_below(folder, lambda name: name.endswith(".ipynb"), too_large=too_large)
        own = list(found)
        files |= dict(own)
    settings["provided"] = [path for path, _ in own] if folders else []
    settings["left_out"] = [
        f"{path} ({size / 2**20:,.0f} MB)" for path, size in too_large if path not in files
    ]
    return Job(*identity, code_cells(nb), sorted(files.items()), reference, **settings)


def safe_outputs(outputs):
    """Return outputs without what a browser would run: text, errors and pictures."""
    kept, size = [], 0
    for output in outputs:
        kind = output.get("output_type")
        if kind in ("display_data", "execute_result"):
            data = output.get("data")
            data = {
                name: _text(value)
                for name, value in (data.items() if isinstance(data, dict) else ())
                if name in ("text/plain", *PICTURES)
            }
            safe = {"output_type": "display_data", "data": data, "metadata": {}}
        elif kind == "stream":
            safe = {"output_type": kind, "name": "stdout", "text": _text(output.get("text"))}
        elif kind == "error":
            safe = {name: _text(output.get(name)) for name in ("ename", "evalue")}
            lines = output.get("traceback")
            lines = [_text(line) for line in (lines if isinstance(lines, list) else [])[:100]]
            safe |= {"output_type": kind, "traceback": lines}
        else:
            continue
        size += len(str(safe))
        if size > MAX_OUTPUT_BYTES:
            note = "(what follows was too large to be kept)\n"
            kept.append({"output_type": "stream", "name": "stdout", "text": note})
            break
        kept.append(safe)
    return [nbformat.from_dict(output) for output in kept]


def apply_outcome(nb, outcome):
    """Put what came of a job into its notebook, in place."""
    for index, outputs in outcome.outputs.items():
        cell = nb.cells[int(index)]
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.outputs = []
        cell.outputs += [nbformat.from_dict(output) for output in outputs]
    if outcome.reason:
        text = f"{GRADING_NOTE} {_plain_markdown(outcome.reason)}"
        nb.cells.insert(0, new_markdown_cell(text))


def _restore(cell, name, known):
    if cell.cell_type != known["cell_type"]:
        cell.cell_type = known["cell_type"]
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    if known["locked"] or (known["grade"] and not known["solution"]):
        cell.source = known["source"]
    cell.metadata["nbgrader"] = _metadata(name, known)


def _metadata(name, known):
    fields = ("locked", "grade", "solution", "task", "checksum", "cell_type")
    content = {field: known[field] for field in fields}
    content |= {"grade_id": name, "schema_version": 3}
    if known["grade"] or known["task"]:
        content["points"] = known["points"]
    return nbformat.from_dict(content)


def _put_back(nb, name, reference):
    """Insert a missing cell behind the nearest known one that comes before it in the source."""
    known = reference.cells[name]
    make = new_code_cell if known["cell_type"] == "code" else new_markdown_cell
    cell = make(known["source"], metadata={"nbgrader": _metadata(name, known)})
    if nb.nbformat_minor < 5:
        cell.pop("id", None)
    before = set(reference.order[: reference.order.index(name)])
    places = [place for place, each in enumerate(nb.cells) if _claimed_id(each) in before]
    nb.cells.insert(places[-1] + 1 if places else 0, cell)


def _claimed_id(cell):
    claimed = cell.metadata.get("nbgrader")
    name = claimed.get("grade_id") if isinstance(claimed, dict) else None
    return name if isinstance(name, str) else None


def _pinned_parameters(nb):
    """Return code that sets every parameter to the source's value, and the profile to smoke."""
    lines = []
    for cell in nb.cells:
        if "parameters" in cell.metadata.get("tags", []):
            for statement in parse_python(cell.source).body:
                if isinstance(statement, ast.Assign):
                    name = ast.unparse(statement.targets[0])
                    value = ast.unparse(statement.value)
                    lines.append(
                        f"{name} = {value if name != 'profile' else repr(GRADING_PROFILE)}"
                    )
    return "\n".join(lines) or f"profile = {GRADING_PROFILE!r}"


def _text(value):
    from course.instructor.sandbox.execute import printable

    text = "".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return printable(text)


def _plain_markdown(text):
    return "".join(letter for letter in text if letter.isprintable()).replace("<", "&lt;")
