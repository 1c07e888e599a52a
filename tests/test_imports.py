"""Imports between the rooms of `course/` run one way, as CONTRIBUTING.md draws them."""

import ast

import pytest

from course.instructor.release import student_package
from tests.submissions import ROOT

PACKAGE = ROOT / "course"
# A room may import those of the rows below its own, and the student kit.
ROWS = [
    {"commands"},
    {"publishing", "similarity", "doctor"},
    {"intake"},
    {"grading", "regression"},
    {"roster"},
    {"kernels"},
]
ROW_OF = {room: number for number, rooms in enumerate(ROWS) for room in rooms}
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def imported(room):
    """Return the rooms that a room's modules import, those in functions included."""
    found = set()
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [each.name.split(".") for each in node.names]
                found |= {name[1] for name in names if name[0] == "course" and name[1:]}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "course":
                _, *inner = node.module.split(".")
                found |= {inner[0]} if inner else {each.name for each in node.names}
    return (found & set(ROOMS)) - {room}


def test_every_room_has_its_row():
    assert set(ROOMS) == set(ROW_OF) | (set(ROOMS) & set(student_package.KIT))
    assert not set(ROW_OF) & set(student_package.KIT)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_of_a_room_run_one_way(room):
    for other in imported(room):
        assert other in student_package.KIT or (room in ROW_OF and ROW_OF[room] < ROW_OF[other]), (
            other
        )
