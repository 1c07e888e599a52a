"""A written answer gets an automatic 0 only if the student wrote nothing, not even beside it."""

import copy
import json
import re

import pytest

from tests.conftest import cell, write_notebook

STUB = "*Write your answer here.*"
# Students don't see the mark scheme: a line of theirs that is in it is an answer.
SCHEME = "\n\n=== BEGIN MARK SCHEME ===\nIt shares its weights.\n=== END MARK SCHEME ==="
QUESTION = cell("markdown", "Why?" + SCHEME, "question", points=0)
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
    "prose not run": [cell("code", "It shares its weights.")],
    "string": [cell("code", '"""It shares."""')],
    "printed": [cell("code", "print('It shares.')")],
    "variable": [cell("code", "why = 'It shares all its weights.'\nx = 1")],
    "comment in code": [cell("code", "x = 1\n# It shares\n# its weights.")],
    "no spaces": [cell("code", "why = '\u56e0\u4e3a\u5b83\u5171\u4eab\u5176\u6743\u91cd'")],
    "magic": [cell("code", "%%markdown\nIt shares.")],
    "picture": [cell("markdown", "") | {"attachments": PICTURE}],
}
ZERO = {
    "untouched": [],
    "empty cell": [cell("markdown", " \n")],
    "code": [cell("code", "x = 1")],
    "more code": [
        cell("code", "%pip install a b\nfor x in [1]:\n    print(f'{x} of 1', not x)  # all")
    ],
    "supplied twice": [SUPPLIED[0]],
}


@pytest.mark.slow
def test_an_unchanged_answer_is_pending_if_there_is_text_beside_it(small_course, course_command):
    root = small_course(QUESTION, ANSWER, *SUPPLIED, TEST)
    assert course_command("-C", root, "release").returncode == 0
    expected = {}
    submissions = {name: ([], added) for name, added in {**PENDING, **ZERO}.items()}
    submissions["above"] = PENDING["below"], []
    submissions["question"] = [], []
    for name, (above, below) in submissions.items():
        student = name.replace(" ", "-")
        answer = copy.deepcopy(ANSWER) | {"source": STUB}
        question = copy.deepcopy(QUESTION) | {"source": "Why?"}
        if name == "question":  # Colab does not know that it is locked
            question["source"] = "Why?\n\nIt shares its weights."
        cells = [question, *above, answer, *below, *SUPPLIED, TEST]
        write_notebook(root / "submitted" / student / "01-small" / "small.ipynb", cells)
        expected[student] = name not in ZERO
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {
        match[1]: match[2] for match in re.finditer(r"  (\S+): (graded.*)$", done.stdout, re.M)
    }
    assert {student: "pending" in line for student, line in lines.items()} == expected
    graded = (root / "autograded" / "question" / "01-small" / "small.ipynb").read_text()
    assert ["".join(each["source"]) for each in json.loads(graded)["cells"]][:3] == [
        "Why?" + SCHEME,
        "It shares its weights.",
        STUB,
    ]
