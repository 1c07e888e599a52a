"""Manual scores over regrades: what stays graded, and what a person has to confirm."""

import json

import pytest

from course.instructor.course_dir import open_api
from course.instructor.grading.kept_answers import KeptAnswers, answer_digests
from tests.conftest import cell, write_notebook
from tests.instructor.grading.classes import ANSWER, NAME, create_course, scores, submit

TEST = cell("code", "assert answer > 1", "test_answer", points=2)
WHY = cell("markdown", "*Write your answer here.*", "why", points=4)
HOW = cell("markdown", "*Write your answer here.*", "how", points=3)
for each in (WHY, HOW):
    each["metadata"]["nbgrader"] |= {"solution": True, "locked": False}


def answer_all(root, why, how, number=3, student="ada"):
    answered = cell("code", f"answer = {number}", "answer")
    return submit(root, student, answered, TEST, WHY | {"source": why}, HOW | {"source": how})


def grade_by_hand(root, **points):
    with open_api(root).gradebook as gradebook:
        for name, value in points.items():
            grade = gradebook.find_grade(name, "small", NAME, "ada")
            grade.manual_score, grade.needs_manual_grade = value, False
        gradebook.db.commit()


def pending(root):
    return {name for name, values in scores(root)["ada"].items() if name and values[3]}


@pytest.mark.slow
def test_an_unchanged_answer_stays_graded_and_the_others_can_be_confirmed(tmp_path, course_command):
    root = create_course(tmp_path / "course", ANSWER, TEST, WHY, HOW)

    def grade(*arguments):
        done = course_command("-C", root, "grade", *arguments)
        assert done.returncode == 0, done.stderr

    answer_all(root, "Because.", "So.")
    grade()
    assert pending(root) == {"why", "how"}
    grade_by_hand(root, why=4, how=1, test_answer=1.5)
    answer_all(root, "Because.", "Otherwise.", number=4)
    grade("--force")
    assert pending(root) == {"how", "test_answer"}, "the text of how has changed"
    assert scores(root)["ada"]["why"][1] == 4 and scores(root)["ada"]["how"][1] == 1
    grade("--force")
    assert pending(root) == {"how", "test_answer"}, "nobody has confirmed them yet"

    assert not list((root / "build" / "grading" / NAME / "answers").glob("*.json"))
    done = course_command("-C", root, "confirm", NAME, "--student", "bob")
    assert done.returncode == 1 and "'bob' is not in the gradebook" in done.stderr
    done = course_command("-C", root, "confirm", NAME)
    assert done.stdout == f"{NAME}: 2 confirmed, 0 without a manual score stay pending\n"
    assert pending(root) == set()


@pytest.mark.slow
def test_answers_without_a_manual_score_are_not_confirmed(tmp_path, course_command):
    root = create_course(tmp_path / "course", ANSWER, TEST, WHY, HOW)
    answer_all(root, "Because.", "So.")
    assert course_command("-C", root, "grade").returncode == 0
    done = course_command("-C", root, "confirm")
    assert done.stdout == f"{NAME}: 0 confirmed, 2 without a manual score stay pending\n"
    assert pending(root) == {"why", "how"}


def graded(root, text):
    path = root / "autograded" / "ada" / NAME / "small.ipynb"
    return write_notebook(path, [WHY | {"source": text}])


def test_after_a_kill_the_answers_are_those_that_the_scores_belong_to(tmp_path):
    kept = KeptAnswers(tmp_path, NAME, "ada", "small")
    assert kept.record() == {}, "nothing has been graded yet"
    graded(tmp_path, "Because.")
    first = kept.record()
    assert first.keys() == {"why"}
    # The folder was replaced, and then the command was killed, before the scores were saved.
    graded(tmp_path, "Otherwise.")
    assert KeptAnswers(tmp_path, NAME, "ada", "small").record() == first
    kept.forget()
    assert kept.record() != first


@pytest.mark.parametrize(
    "other",
    [
        {"source": "Otherwise."},
        {"attachments": {"a.png": {"image/png": "iVBORw0KGgo="}}},
        {"points": 5},
    ],
)
def test_another_text_picture_or_number_of_points_is_a_change(tmp_path, other):
    path = graded(tmp_path, "Because.")
    (answer,) = json.loads(path.read_text())["cells"]
    assert answer_digests([answer, cell("markdown", "More.")]) != answer_digests([answer])
    assert answer_digests([answer, TEST, cell("code", "1")]) == answer_digests([answer, TEST])
    before = answer_digests([answer])
    assert before == answer_digests([json.loads(json.dumps(answer))])
    if "points" in other:
        answer["metadata"]["nbgrader"]["points"] = other["points"]
    else:
        answer |= other
    assert answer_digests([answer]) != before
