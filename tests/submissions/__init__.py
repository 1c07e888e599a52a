"""Fixture submissions, derived from the source so that they never become outdated.

A fixture is a TOML file in the assignment's folder:

    about = "A description of the submission."
    score = 18                    # the total score of the test cells
    lost = ["test_x"]             # test cells with a score of 0, or "all"
    partial = { test_y = 2.5 }    # test cells with partial credit
    reasons = { test_x = "why" }  # text that the feedback must contain: a string or a list
    [[edit]]                      # an edit of the solved notebook
    cell = "grade_id"
    old = "text that must occur once"
    new = "its replacement"

Three keys change the submitted files: `from = "release"` starts from the unchanged release,
`truncate = true` cuts the file in half, and `evidence = "honest"` adds a folder of `trainings`.
"""

import json
import shutil
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def read_fixtures(assignment):
    """Map the name of each fixture of an assignment to the content of its TOML file."""
    files = sorted((HERE / assignment).glob("*.toml"))
    return {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}


def solved(assignment, root=ROOT):
    """Return the release with the solutions filled in."""
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
    """Map the id of each cell of an assignment's source notebook to its source."""
    cells = _read(root, "source", assignment)["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells}


def submission(assignment, fixture, root=ROOT):
    """Return the text of a fixture's notebook file."""
    if fixture.get("from") == "release":
        notebook = _read(root, "release", assignment)
    else:
        notebook = solved(assignment, root)
    for edit in fixture.get("edit", []):
        (cell,) = (each for each in notebook["cells"] if _grade_id(each) == edit["cell"])
        source = "".join(cell["source"])
        if (count := source.count(edit["old"])) != 1:
            raise ValueError(f"{edit['cell']} contains {edit['old']!r} {count} times, not once")
        cell["source"] = source.replace(edit["old"], edit["new"])
    text = json.dumps(notebook, indent=1)
    return text[: len(text) // 2] if fixture.get("truncate") else text


def create_fixture_class(destination, assignment, names=None, root=ROOT):
    """Create a course directory whose class has submitted the fixtures, each under its name.

    Unchanged files are not written again, so that their submissions stay graded.
    """
    destination = Path(destination)
    destination.mkdir(parents=True, exist_ok=True)
    _write(
        destination / "nbgrader_config.py",
        (root / "nbgrader_config.py").read_text(encoding="utf-8"),
    )
    for stage in ("source", "release"):
        shutil.copytree(
            root / stage / assignment, destination / stage / assignment, dirs_exist_ok=True
        )
    file_name = next((root / "source" / assignment).glob("*.ipynb")).name
    for name, fixture in read_fixtures(assignment).items():
        if names is None or name in names:
            path = destination / "submitted" / name / assignment / file_name
            _write(path, submission(assignment, fixture, root))
            if "evidence" in fixture:
                _write_evidence(path.with_name("evidence"), fixture["evidence"])
    return destination


def _write_evidence(folder, kind):
    from tests.submissions import trainings

    folder.mkdir(exist_ok=True)
    for name, content in trainings.FOLDERS[kind]().items():
        if isinstance(content, int):
            with (folder / name).open("wb") as file:
                file.truncate(content)
        else:
            (folder / name).write_bytes(content)


def _write(path, text):
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        # A changed submission must be graded again.
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
