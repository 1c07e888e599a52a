"""Nothing that a student's process wrote makes a page large."""

import re

import nbformat

from course.instructor.feedback.page import REASON_OMITTED, render_page
from course.instructor.grading import redaction
from course.instructor.student_text.size_limits import MAX_PAGE_CHARACTERS

METADATA = {"grade_id": "test_a", "grade": True, "solution": False, "score": 0, "points": 1}


def render(errors, view=None):
    """Return the page of a notebook in which cells failed with the given errors.

    `view` is the student view of its test.
    """
    cells = [nbformat.v4.new_code_cell(f"x{number}") for number in range(len(errors))]
    test = nbformat.v4.new_code_cell("assert False")
    test.metadata["nbgrader"] = nbformat.from_dict(METADATA)
    if view:
        test.outputs = [nbformat.v4.new_output("display_data", {redaction.STUDENT_VIEW: view})]
    details = {"assignment": "01-small", "student": "ada", "score": 0, "max_score": 1}
    details |= {"late_penalty": 0, "pending_manual_grading": set(), "graded_by_hand": set()}
    details["grading_errors"] = [
        (number, {"ename": "ValueError", "evalue": text}) for number, text in enumerate(errors)
    ]
    return render_page(nbformat.v4.new_notebook(cells=[*cells, test]), details)


def notes(page):
    return re.findall(r"During grading, this cell failed: ValueError: (\w+)", page)


def test_every_failed_cell_of_an_honest_notebook_has_its_note():
    errors = [f"reason{number}" for number in range(15)]
    page = render(errors)
    assert notes(page) == errors
    assert "More cells failed" not in page


def test_a_page_has_at_most_twenty_notes_and_counts_the_others():
    page = render([f"reason{number}" + '"' * 4_000 for number in range(1_990)])
    assert notes(page) == [f"reason{number}" for number in range(20)]
    assert "More cells failed during grading: 1,970." in page
    assert len(page) < 2_500_000


def test_notes_are_part_of_the_size_of_a_page():
    page = render(["reason" + '"' * 2_000_000] * 10)
    assert 0 < len(notes(page)) < 10
    assert "More cells failed during grading" in page
    assert len(page) < MAX_PAGE_CHARACTERS


def test_reasons_are_part_of_the_size_of_a_page():
    page = render([], {"items": [], "reason": {"subject": '"' * 10_000_000, "got": "1"}})
    assert REASON_OMITTED in page
    assert len(page) < 1_000_000
    page = render([], {"items": [f"item{number}" for number in range(200_000)], "reason": None})
    assert "item100" in page and REASON_OMITTED in page
    assert len(page) < MAX_PAGE_CHARACTERS
