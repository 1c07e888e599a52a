"""Fixture submissions, one behaviour each, made from the source so that they never go stale.

A behaviour is a TOML file in the assignment's folder:

    about = "What the student did."
    score = 18            # what the automatic cells must give in all
    lost = ["test_x"]     # the test cells that must give 0, or "all"; others give full marks
    partial = { test_y = 2.5 }              # but these, which give so much
    reasons = { test_x = "why" }            # what the feedback says, a text or a list of texts
    [[edit]]              # applied to the solved notebook
    cell = "grade_id"
    old = "text that must be there"
    new = "what stands in its place"

Three keys change what is handed in: `from = "release"` begins with the untouched release,
`truncate = true` cuts the file in half, `evidence = "honest"` adds a folder of `trainings`.
"""

import json
import shutil
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def behaviours(assignment):
    """Return the fixtures of an assignment: name to the content of its TOML file."""
    files = sorted((HERE / assignment).glob("*.toml"))
    return {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}


def solved(assignment, root=ROOT):
    """Return the release with the solutions filled in, as a perfect student hands it in."""
    release = _read(root, "release", assignment)
    solutions = {
        _grade_id(cell): _without_markers("".join(cell["source"]))
        for cell in _read(root, "source", assignment)["cells"]
        if cell["metadata"].get("nbgrader", {}).get("solution")
    }
    for cell in release["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = solutions[_grade_id(cell)]
    return release


def source_cells(assignment, root=ROOT):
    """Return the text of each cell of an assignment's source notebook by cell id."""
    cells = _read(root, "source", assignment)["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells}


def submission(assignment, behaviour, root=ROOT):
    """Return the text of a fixture's notebook file."""
    if behaviour.get("from") == "release":
        notebook = _read(root, "release", assignment)
    else:
        notebook = solved(assignment, root)
    for edit in behaviour.get("edit", []):
        (cell,) = (each for each in notebook["cells"] if _grade_id(each) == edit["cell"])
        source = "".join(cell["source"])
        if source.count(edit["old"]) != 1:
            raise ValueError(
                f"{edit['cell']} holds {edit['old']!r} {source.count(edit['old'])} times"
            )
        cell["source"] = source.replace(edit["old"], edit["new"])
    text = json.dumps(notebook, indent=1)
    return text[: len(text) // 2] if behaviour.get("truncate") else text


def lay_out(destination, assignment, names=None, root=ROOT):
    """Lay out a course directory whose class has handed in the fixtures, each under its name.

    Files that are there and the same stay untouched, so that what is graded stays graded.
    """
    destination = Path(destination)
    destination.mkdir(parents=True, exist_ok=True)
    _put(
        destination / "nbgrader_config.py",
        (root / "nbgrader_config.py").read_text(encoding="utf-8"),
    )
    for stage in ("source", "release"):
        shutil.copytree(
            root / stage / assignment, destination / stage / assignment, dirs_exist_ok=True
        )
    file_name = next((root / "source" / assignment).glob("*.ipynb")).name
    for name, behaviour in behaviours(assignment).items():
        if names is None or name in names:
            path = destination / "submitted" / name / assignment / file_name
            _put(path, submission(assignment, behaviour, root))
            if "evidence" in behaviour:
                _put_evidence(path.with_name("evidence"), behaviour["evidence"])
    return destination


def _put_evidence(folder, kind):
    from tests.submissions import trainings

    folder.mkdir(exist_ok=True)
    for name, content in trainings.FOLDERS[kind]().items():
        if isinstance(content, int):
            with (folder / name).open("wb") as file:
                file.truncate(content)
        else:
            (folder / name).write_bytes(content)


def _put(path, text):
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        # A submission that changed must be graded anew.
        if path.suffix == ".ipynb":
            student, assignment = path.parent.parent.name, path.parent.name
            graded = path.parents[3] / "autograded" / student / assignment
            shutil.rmtree(graded, ignore_errors=True)


def _read(root, stage, assignment):
    (path,) = (Path(root) / stage / assignment).glob("*.ipynb")
    return json.loads(path.read_text(encoding="utf-8"))


def _grade_id(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def _without_markers(source):
    lines = source.splitlines()
    return "\n".join(
        line for line in lines if "BEGIN SOLUTION" not in line and "END SOLUTION" not in line
    )
