"""The outputs of a student's own run that belong to an answer."""

import pytest

from tests.conftest import cell, write_notebook
from tests.instructor.marking.conftest import NAME, content_of, opened, question_of, states_of


def printed(text):
    """Return a code cell that has printed a text, or nothing."""
    found = cell("code", "show()")
    output = {"output_type": "stream", "name": "stdout", "text": [text]}
    found["outputs"] = [output] if text else []
    return found


def near(root, cells):
    """Return what cy's own run printed near the answer, and the heading above it.

    The cells come before the question.
    """
    path = root / "autograded" / "cy" / NAME / "small.ipynb"
    own = content_of(path)["cells"]
    write_notebook(path, [printed("opening picture"), *cells, *own[2:]])
    with opened(root) as marks:
        found = marks.outputs_near(question_of(marks), states_of(marks)["cy"].id)
    return "".join("".join(each["text"]) for each in found.outputs), found.section


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        # The section of the question.
        ([("markdown", "## 8 Test"), "far", ("markdown", "## 9 Look"), "near "], "near "),
        ([("markdown", "### Exercise 7"), "one ", ("markdown", "and"), "two "], "one two "),
        ([("markdown", "### Exercise 7"), "one ", ("markdown", "#### Part"), "two "], "one two "),
        # The nearest section with code, if that of the question has none.
        (["far", ("markdown", "## 9"), "near ", ("markdown", "## 10")], "near "),
        # Code that has shown nothing: not the output of another section.
        ([("markdown", "## 8"), "far", ("markdown", "## 9"), ""], ""),
        # At most five cells.
        ([("markdown", "## 9"), *"abcdefg"], "cdefg"),
    ],
)  # fmt: skip
def test_outputs_are_those_of_the_nearest_section_with_code(root, cells, expected):
    made = [printed(each) if isinstance(each, str) else cell(*each) for each in cells]
    text, section = near(root, made)
    assert text == expected
    assert bool(section) == bool(expected)


def test_outputs_of_a_test_are_not_the_students_own(root):
    test = printed("of the test")
    test["metadata"]["nbgrader"] = {"grade": True, "solution": False, "grade_id": "test_x"}
    assert near(root, [cell("markdown", "## 9 Look"), printed("own "), test]) == ("own ", "9 Look")


def test_a_missing_or_broken_notebook_has_no_outputs(root):
    path = root / "autograded" / "cy" / NAME / "small.ipynb"
    with opened(root) as marks:
        question, key = question_of(marks), states_of(marks)["cy"].id
        for text in ("{", None):
            path.write_text(text) if text else path.unlink()
            assert marks.outputs_near(question, key).outputs == ()
