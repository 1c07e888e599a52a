"""A written answer gets an automatic 0 only if the student wrote nothing, not even beside it."""

import copy
import re

import pytest

from tests.conftest import cell, write_notebook

STUB = "*Write your answer here.*"
QUESTION = cell("markdown", "Why?", "question", points=0)
QUESTION["metadata"]["nbgrader"]["grade"] = False
del QUESTION["metadata"]["nbgrader"]["points"]
ANSWER = cell("markdown", "### BEGIN SOLUTION\nBecause.\n### END SOLUTION", "why", points=2)
ANSWER["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
SUPPLIED = [cell("markdown", "The next section."), cell("code", "print('supplied')")]
TEST = cell("code", "assert True", "test", points=1)
PICTURE = {"a.png": {"image/png": "iVBORw0KGgo="}}
ERROR = {"output_type": "error", "ename": "SyntaxError", "evalue": "", "traceback": []}

# The cells that a student adds below the unchanged answer.
PENDING = {
    "below": [cell("markdown", "It shares its weights.")],
    "after a supplied cell": [SUPPLIED[0], cell("markdown", "It shares its weights.")],
    "raw": [cell("raw", "It shares its weights.")],
    "comment": [cell("code", "# It shares\n# its weights.")],
    "prose as code": [cell("code", "It shares its weights.") | {"outputs": [ERROR]}],
    "picture": [cell("markdown", "") | {"attachments": PICTURE}],
}
ZERO = {
    "untouched": [],
    "empty cell": [cell("markdown", " \n")],
    "code": [cell("code", "x = 1")],
    "supplied twice": [SUPPLIED[0]],
}


@pytest.mark.slow
def test_an_unchanged_answer_is_pending_if_there_is_text_beside_it(small_course, course_command):
    root = small_course(QUESTION, ANSWER, *SUPPLIED, TEST)
    assert course_command("-C", root, "release").returncode == 0
    expected = {}
    submissions = {name: ([], added) for name, added in {**PENDING, **ZERO}.items()}
    submissions["above"] = PENDING["below"], []
    for name, (above, below) in submissions.items():
        student = name.replace(" ", "-")
        answer = copy.deepcopy(ANSWER) | {"source": STUB}
        cells = [QUESTION, *above, answer, *below, *SUPPLIED, TEST]
        write_notebook(root / "submitted" / student / "01-small" / "small.ipynb", cells)
        expected[student] = name not in ZERO
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {
        match[1]: match[2] for match in re.finditer(r"  (\S+): (graded.*)$", done.stdout, re.M)
    }
    assert {student: "pending" in line for student, line in lines.items()} == expected
