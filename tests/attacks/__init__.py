"""Attacks on grading: wrong submissions that try to score, to escape or to keep running.

`target.toml` is the assignment, with its solutions and its wrong answers. Each of the other TOML
files is one attack; its folder is its kind, and its name is the student's name. It changes the
wrong submission:

    about = "A description of the attack."
    stock = 9                 # its score in stock nbgrader 0.9.6, if that was more than 1
    forbidden = ["text"]      # must not occur in graded outputs, on pages or in the terminal
    first = "code"            # a code cell before all others; `last` adds one at the end
    delete = ["grade_id"]     # also: duplicate, move_to_front, strip (of nbgrader's metadata)
    [before]                  # grade id to the code of a cell before it; [after]: after it
    [source]                  # grade id to the new source of the cell
    [cell.grade_id]           # merged into the cell's JSON, and [notebook] into the notebook's
    [files]                   # name to the text of a file beside the notebook
    [links]                   # name to the target of a symbolic link
    [payloads]                # name to the function of payloads.py that writes the file

If success alone earns no points, the attack sets `answer` to the right value when it succeeds, so
that the score shows it. Attacks use bounded resources, except time: a missing limit fails a test
and does not bring down the machine. `@COURSE@`, `@PORT@` and `@SOCKET@` are replaced by the course
directory, a port on loopback and the name of a Unix socket on which the test listens: an attacker
may know every path.
"""

import copy
import json
import re
import shutil
import tomllib
from pathlib import Path

from tests.attacks import payloads
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

HERE = Path(__file__).parent
ASSIGNMENT = "01-target"
FILE_NAME = "target.ipynb"
TARGET = tomllib.loads((HERE / "target.toml").read_text(encoding="utf-8"))
SECRETS = TARGET["secrets"]
SLEEPER = "98765"  # every process that an attack leaves behind is a `sleep` of this duration


def attacks():
    """Return a dict from attack name to the content of its TOML file and its kind, the folder."""
    found = {}
    for path in sorted(HERE.glob("*/*.toml")):
        found[path.stem] = tomllib.loads(path.read_text(encoding="utf-8"))
        found[path.stem]["kind"] = path.parent.name
    return dict(sorted(found.items()))


def source():
    """Return the cells of the target as an instructor writes them."""
    return [_target_cell(description, description["source"]) for description in TARGET["cell"]]


def solved():
    """Return the cells of a perfect submission."""
    return [
        _target_cell(description, _as_released(description["source"]))
        for description in TARGET["cell"]
    ]


def wrong():
    """Return the cells of the wrong submission."""
    return [
        _target_cell(description, description.get("wrong", _as_released(description["source"])))
        for description in TARGET["cell"]
    ]


def attacked(attack):
    """Return the cells of the wrong submission, changed by an attack."""
    cells = wrong()
    by_grade_id = {
        each["metadata"]["nbgrader"]["grade_id"]: each for each in cells if _is_nbgrader(each)
    }

    def index(grade_id):
        return next(i for i, each in enumerate(cells) if each is by_grade_id[grade_id])

    for grade_id, text in attack.get("source", {}).items():
        by_grade_id[grade_id]["source"] = text.strip("\n")
    for offset, side in enumerate(("before", "after")):
        for grade_id, text in attack.get(side, {}).items():
            cells.insert(index(grade_id) + offset, cell("code", text.strip("\n")))
    for grade_id in attack.get("move_to_front", []):
        cells.insert(0, cells.pop(index(grade_id)))
    for grade_id in attack.get("duplicate", []):
        duplicate = copy.deepcopy(by_grade_id[grade_id])
        duplicate["id"] += "-again"
        cells.insert(index(grade_id) + 1, duplicate)
    for grade_id in attack.get("delete", []):
        cells.pop(index(grade_id))
    for grade_id in attack.get("strip", []):
        del by_grade_id[grade_id]["metadata"]["nbgrader"]
    for grade_id, content in attack.get("cell", {}).items():
        _merge(by_grade_id[grade_id], content)
    if "first" in attack:
        cells.insert(0, cell("code", attack["first"].strip("\n")))
    if "last" in attack:
        cells.append(cell("code", attack["last"].strip("\n")))
    return cells


def create_course(root, names=None, **values):
    """Create a course directory with the submissions `solved`, `wrong` and the named attacks.

    The default is all attacks. `values` are the values of `@PORT@` and `@SOCKET@`, in lower case.
    """
    values = {"course": str(root), "port": "9", "socket": f"{root}/no-socket"} | values
    shutil.copy(ROOT / "nbgrader_config.py", root)
    write_notebook(root / "source" / ASSIGNMENT / FILE_NAME, source())
    for name, cells in {"solved": solved(), "wrong": wrong()}.items():
        write_notebook(root / "submitted" / name / ASSIGNMENT / FILE_NAME, cells)
    for name, attack in attacks().items():
        if names is None or name in names:
            write_submission(_fill_in(attack, values), root / "submitted" / name / ASSIGNMENT)


def write_submission(attack, folder):
    """Write an attack's notebook and its other files into a folder."""
    path = write_notebook(folder / FILE_NAME, attacked(attack))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    _merge(notebook, attack.get("notebook", {}))
    path.write_text(json.dumps(notebook), encoding="utf-8")
    for name, text in attack.get("files", {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
    for name, target in attack.get("links", {}).items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    for name, function in attack.get("payloads", {}).items():
        getattr(payloads, function)(folder / name)


def _target_cell(description, text):
    kind, grade_id = description.get("kind", "code"), description.get("grade_id")
    target_cell = cell(
        kind, text.strip("\n"), grade_id, description.get("points"), description.get("tags", ())
    )
    if description.get("locked"):
        target_cell["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
    if description.get("manual"):
        target_cell["metadata"]["nbgrader"] |= {"locked": False, "solution": True}
    return target_cell


def _as_released(text):
    """Remove what students do not receive: solution markers and hidden tests."""
    text = re.sub(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", "", text, flags=re.DOTALL)
    lines = text.strip("\n").split("\n")
    return "\n".join(line for line in lines if not re.match(r"\s*### (BEGIN|END) SOLUTION", line))


def _is_nbgrader(each):
    return "nbgrader" in each["metadata"]


def _merge(old, new):
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value


def _fill_in(value, values):
    """Replace `@NAME@` in every text of an attack."""
    if isinstance(value, dict):
        return {key: _fill_in(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill_in(each, values) for each in value]
    if isinstance(value, str):
        for name, text in values.items():
            value = value.replace(f"@{name.upper()}@", text)
    return value
