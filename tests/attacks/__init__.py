"""Attacks on grading: submissions of a wrong answer that try to score, to break out or to stay.

`target.toml` is the assignment, with its solutions and its wrong answers. Every other TOML file, in
a folder a kind, is one attack; its name is the student's name, and everything in it is done to the
wrong submission:

    about = "What it tries."
    stock = 9                 # what it scored in stock nbgrader 0.9.6, where that was more than 1
    forbidden = ["text"]      # must not occur in graded outputs, on pages or in the terminal
    first = "code"            # a code cell in front of everything; `last` puts one at the end
    delete = ["grade_id"]     # also: duplicate, move_to_front, strip (of nbgrader's metadata)
    [before]                  # grade id to the code of a cell in front of it; [after]: behind it
    [source]                  # grade id to what stands in the cell instead
    [cell.grade_id]           # merged into the cell's JSON, and [notebook] into the notebook's
    [files]                   # name to text laid beside the notebook
    [links]                   # name to where a symbolic link points
    [made]                    # name to the function of payloads.py that writes it

Where getting through brings no points by itself, a fixture pays itself: it sets `answer` to the
right one only if it got through, so that the score tells. Nothing is endless but time, so that
a missing limit is a failed test and not a dead machine. `@COURSE@`, `@PORT@` and `@SOCKET@`
stand for the course directory, a port on loopback and the name of a Unix socket on which the
test listens: an attacker may know every path.
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
SLEEPER = "98765"  # every process that an attack leaves behind is a `sleep` of so many seconds


def attacks():
    """Return the attacks: name to the content of its TOML file and its kind, the folder."""
    found = {}
    for path in sorted(HERE.glob("*/*.toml")):
        found[path.stem] = tomllib.loads(path.read_text(encoding="utf-8"))
        found[path.stem]["kind"] = path.parent.name
    return dict(sorted(found.items()))


def source():
    """Return the cells of the target as a teacher writes them."""
    return [_target_cell(described, described["source"]) for described in TARGET["cell"]]


def solved():
    """Return the cells that a perfect student hands in."""
    return [
        _target_cell(described, _as_released(described["source"])) for described in TARGET["cell"]
    ]


def wrong():
    """Return the cells of the wrong answer."""
    return [
        _target_cell(described, described.get("wrong", _as_released(described["source"])))
        for described in TARGET["cell"]
    ]


def attacked(attack):
    """Return the cells of the wrong answer with an attack in them."""
    cells = wrong()
    places = {
        each["metadata"]["nbgrader"]["grade_id"]: each for each in cells if _is_nbgrader(each)
    }

    def index(grade_id):
        return next(i for i, each in enumerate(cells) if each is places[grade_id])

    for grade_id, text in attack.get("source", {}).items():
        places[grade_id]["source"] = text.strip("\n")
    for offset, side in enumerate(("before", "after")):
        for grade_id, text in attack.get(side, {}).items():
            cells.insert(index(grade_id) + offset, cell("code", text.strip("\n")))
    for grade_id in attack.get("move_to_front", []):
        cells.insert(0, cells.pop(index(grade_id)))
    for grade_id in attack.get("duplicate", []):
        double = copy.deepcopy(places[grade_id])
        double["id"] += "-again"
        cells.insert(index(grade_id) + 1, double)
    for grade_id in attack.get("delete", []):
        cells.pop(index(grade_id))
    for grade_id in attack.get("strip", []):
        del places[grade_id]["metadata"]["nbgrader"]
    for grade_id, content in attack.get("cell", {}).items():
        _merge(places[grade_id], content)
    if "first" in attack:
        cells.insert(0, cell("code", attack["first"].strip("\n")))
    if "last" in attack:
        cells.append(cell("code", attack["last"].strip("\n")))
    return cells


def lay_out(root, names=None, **known):
    """Lay out a course directory whose class has handed in `solved`, `wrong` and the attacks.

    Parameters
    ----------
    root : Path
        Where to.
    names : collection of str, optional
        The attacks; none means all.
    **known : str
        What stands for `@PORT@` and `@SOCKET@`, in lower case.
    """
    known = {"course": str(root), "port": "9", "socket": f"{root}/no-socket"} | known
    shutil.copy(ROOT / "nbgrader_config.py", root)
    write_notebook(root / "source" / ASSIGNMENT / FILE_NAME, source())
    for name, cells in {"solved": solved(), "wrong": wrong()}.items():
        write_notebook(root / "submitted" / name / ASSIGNMENT / FILE_NAME, cells)
    for name, attack in attacks().items():
        if names is None or name in names:
            hand_in(_fill_in(attack, known), root / "submitted" / name / ASSIGNMENT)


def hand_in(attack, folder):
    """Write an attack's notebook and what lies beside it into a folder."""
    path = write_notebook(folder / FILE_NAME, attacked(attack))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    _merge(notebook, attack.get("notebook", {}))
    path.write_text(json.dumps(notebook), encoding="utf-8")
    for name, text in attack.get("files", {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
    for name, end in attack.get("links", {}).items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(end)
    for name, function in attack.get("made", {}).items():
        getattr(payloads, function)(folder / name)


def _target_cell(described, text):
    kind, grade_id = described.get("kind", "code"), described.get("grade_id")
    made = cell(
        kind, text.strip("\n"), grade_id, described.get("points"), described.get("tags", ())
    )
    if described.get("locked"):
        made["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
    if described.get("by_hand"):
        made["metadata"]["nbgrader"] |= {"locked": False, "solution": True}
    return made


def _as_released(text):
    """Take out what no student gets: the markers of solutions, and hidden tests."""
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


def _fill_in(value, known):
    """Replace `@NAME@` in every text of an attack."""
    if isinstance(value, dict):
        return {key: _fill_in(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill_in(each, known) for each in value]
    if isinstance(value, str):
        for name, text in known.items():
            value = value.replace(f"@{name.upper()}@", text)
    return value
