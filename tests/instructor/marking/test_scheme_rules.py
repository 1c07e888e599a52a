"""`course release` refuses mark schemes that cannot be used for marking, in one sentence each."""

import json

import nbformat
import pytest

from course.instructor.cli.main import main
from course.instructor.marking.rubric import parse_mark_scheme
from course.instructor.marking.scheme_rules import find_problems
from tests.conftest import cell
from tests.submissions import ROOT

NOTEBOOK = "source/01-small/small.ipynb"
BEGIN, END = "=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="
TEST = cell("code", "assert True", "test_two", points=1)


def question(scheme, name="why_question"):
    """Return the locked question cell with this mark scheme."""
    new = cell("markdown", f"Why?\n\n{BEGIN}\n\n{scheme}\n\n{END}", name)
    new["metadata"]["nbgrader"] |= {"solution": False, "locked": True}
    return new


def answer(points=2, name="why"):
    """Return the cell of a written answer."""
    new = cell("markdown", "Because.", name, points=points)
    new["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
    return new


def task(scheme, points):
    new = cell("markdown", f"Do it.\n\n{BEGIN}\n\n{scheme}\n\n{END}", "do_it", points=points)
    new["metadata"]["nbgrader"] |= {"grade": False, "locked": True, "task": True}
    return new


def release(root, command="release"):
    return main(["-C", str(root), command])


REFUSED = {
    "an item that requires an item that does not exist": (
        "- **+2** One.\n- **+1** Two. Requires item 3.",
        "has a rubric item, 'Two', that requires item 3: write the number of another item of this"
        " mark scheme, counted from 1.",
    ),
    "an item that requires itself": (
        "- **+2** One: requires item 1.",
        "has a rubric item, 'One', that requires item 1: write the number of another item of this"
        " mark scheme, counted from 1.",
    ),
    "too few points": (
        "- **+1** One.\n- **+0.5** Two.\n- **−0.5** Three.",
        "has rubric items that can earn 1.5 of the 2 points of why: add items, or change their"
        " points.",
    ),
    "only deductions": (
        "- **-1** One.",
        "has rubric items that can earn 0 of the 2 points of why: add items, or change their"
        " points.",
    ),
    "points that cannot be read": (
        "- **+2** One.\n- **+½** Two.",
        "has a rubric item whose points cannot be read, '**+½** Two.': begin it with a signed"
        " number in bold and a space, such as **+0.5** or **-1**.",
    ),
    "only points that cannot be read": (
        "- **+2 points** One.",
        "has a rubric item whose points cannot be read, '**+2 points** One.': begin it with a"
        " signed number in bold and a space, such as **+0.5** or **-1**.",
    ),
    "the same label twice": (
        "- **+1** A reason: one.\n- **+1** A reason: two.\n- **−1** A reason.",
        "has 3 rubric items with the label 'A reason': change what is before their first colon or"
        " period, so that their labels differ.",
    ),
    "no text": (
        "- **+1** One.\n- **+1**",
        "has a rubric item without text: write what its points are for.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("command", ["release", "try"])
def test_each_refusal_names_the_notebook_and_the_cell(small_course, capsys, case, command):
    scheme, sentence = REFUSED[case]
    root = small_course(TEST, question(scheme), answer())
    assert release(root, command) == 1
    assert capsys.readouterr().err == (
        f"course: {root / NOTEBOOK}: cell 2 (why_question) {sentence}\n"
    )
    assert not (root / "release").exists()


def test_all_problems_are_named_at_once(small_course, capsys):
    root = small_course(
        question("- **+1** One.\n- **+½** Two."), answer(), question("- **+1** A.", "q2"),
        answer(3, "why2"),
    )  # fmt: skip
    assert release(root) == 1
    unreadable, first, second = capsys.readouterr().err.splitlines()
    assert "cell 1 (why_question) has a rubric item whose points cannot be read" in unreadable
    assert "cell 1 (why_question) has rubric items that can earn 1 of the 2 points" in first
    assert "cell 3 (q2) has rubric items that can earn 1 of the 3 points of why2" in second


def test_a_task_has_its_mark_scheme_in_its_own_cell():
    wrong = notebook(task("- **+1** One.", 2))
    (problem,) = find_problems(wrong)
    assert problem.startswith("cell 1 (do_it) has rubric items that can earn 1 of the 2 points")
    assert list(find_problems(notebook(task("- **+2** One.", 2)))) == []


def notebook(*cells):
    return nbformat.from_dict(
        {"cells": json.loads(json.dumps(cells)), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )


@pytest.mark.parametrize(
    "scheme",
    [
        "One point for each of two reasons:\n\n- one\n- two",
        "- **+1** One.\n- **+1** Two.",
        "- **+1** One.\n- **+1** Two.\n- **+1** Three.\n- **−0.5** Four.\n\nGuidance.",
        "- **+0.6** One.\n- **+0.7** Two.\n- **+0.7** Three.",  # as binary fractions, less than 2
    ],
)
def test_prose_and_items_that_reach_the_points_are_accepted(scheme):
    assert list(find_problems(notebook(TEST, question(scheme), answer()))) == []


def test_an_answer_without_a_mark_scheme_is_accepted():
    assert list(find_problems(notebook(answer(9), question("- **+1** One."), TEST))) == []


def test_a_mark_scheme_applies_to_the_next_answer_only():
    cells = question("- **+2** One."), answer(), answer(9, "why2")
    assert list(find_problems(notebook(*cells))) == []


def test_an_invalid_cell_is_refused_first(small_course, capsys):
    root = small_course(TEST, question("- **+1** One."), answer(-2))
    assert release(root) == 1
    assert "cell 3 (why) has -2 points" in capsys.readouterr().err


def test_a_file_that_is_not_a_notebook_is_named(small_course, capsys):
    root = small_course(TEST)
    (root / NOTEBOOK).write_text("{")
    assert release(root) == 1
    assert "cannot read the notebook" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(ROOT.glob("source/*/*.ipynb")), ids=lambda each: each.stem)
def test_the_mark_schemes_of_the_course_have_items_and_no_problems(path):
    source = nbformat.read(path, as_version=4)
    assert list(find_problems(source)) == []
    schemes = [parse_mark_scheme(each.source) for each in source.cells if BEGIN in each.source]
    assert all(scheme.items for scheme in schemes)
    # The keys of a keyboard's number row select the items.
    assert all(len(scheme.items) <= 9 for scheme in schemes)
    assert schemes
