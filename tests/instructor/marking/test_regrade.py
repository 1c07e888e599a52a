"""Marks through real grading, a regrade, feedback, and export."""

import copy

import pytest

from tests.conftest import write_notebook
from tests.instructor.marking.conftest import (
    NAME,
    SCHEME,
    STUB,
    give,
    mark,
    opened,
    question_of,
    source_cells,
    states_of,
    stored,
)

TEXTS = {"ada": "Its filters are local.", "bob": "It has fewer weights.", "cy": STUB}


def submit(root, student, text):
    cells = copy.deepcopy(source_cells(scheme=""))
    for each in cells:
        if each["metadata"].get("nbgrader", {}).get("solution"):
            each["source"] = text
    write_notebook(root / "submitted" / student / NAME / "small.ipynb", cells)


@pytest.mark.slow
def test_a_mark_survives_a_regrade_and_reaches_the_student(small_course, course_command):
    root = small_course(*source_cells(SCHEME.replace("+0.5", "+1")))

    def course(*arguments):
        finished = course_command("-C", root, *arguments)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    course("release")
    for student, text in TEXTS.items():
        submit(root, student, text)
    course("grade")
    with opened(root) as marks:
        states = states_of(marks)
        assert {name: each.status for name, each in states.items()} == {
            "ada": "open", "bob": "open", "cy": "automatic",
        }  # fmt: skip
        assert states["cy"].text.is_empty
        items = question_of(marks).items
        for name in ("explain", "conclude"):
            give(marks, "ada", mark(items[0], comment="Well *done*."), name)
            give(marks, "bob", mark(items[2], adjustment=1), name)
    course("grade", "--force")
    assert stored(root)["ada"] == (1, "- Locality (+1)\n\nWell *done*.", False)
    submit(root, "bob", "Another answer.")
    course("grade", "--force")
    with opened(root) as marks:
        states = states_of(marks)
        assert [states[name].status for name in TEXTS] == ["marked", "pending", "automatic"]
        assert states["bob"].mark.items == (items[2],) and states["bob"].score == 0.5
        give(marks, "bob", mark(items[2], adjustment=1))
        give(marks, "bob", mark(items[2], adjustment=1), "conclude")
    course("feedback")
    page = (root / "feedback" / "ada" / NAME / "small.html").read_text()
    assert "<li>Locality (+1)</li>" in page and "Well <em>done</em>." in page
    course("export", root / "scores.csv")
    rows = (root / "scores.csv").read_text().splitlines()
    assert any("ada" in row and "2" in row for row in rows)
    assert "pending" not in "\n".join(rows)
