"""Graded quizzes in `course grade`: question by question, and with personalized numbers."""

import json

import nbformat
import pytest

from course import checks
from course.instructor.grading import quiz_marks, submission
from course.instructor.grading.job import GradingSettings
from course.instructor.grading.reference_notebook import ReferenceNotebook
from course.questions import Quiz
from tests.conftest import cell, write_notebook
from tests.instructor.grading.test_class_grader import cell_scores

NAMES = ["conv-parameters", "output-size", "keep-size", "conv-facts"]
PARAMETERS = cell("code", "profile = None\nstudent = None", tags=["parameters"])
QUIZ = cell(
    "code",
    f"from course import questions\nquiz = questions.Quiz(*{NAMES}, seed=8, student=student)\nquiz",
    "quiz",
)
QUIZ["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
TEST = cell(
    "code",
    "quiz.report_unanswered(answers)\n### BEGIN HIDDEN TESTS\n"
    "from course.instructor.grading import quiz_marks\nquiz_marks.mark(quiz, answers, points=8)\n"
    "### END HIDDEN TESTS",
    "test_quiz",
    points=8,
    tags=["partial-credit"],
)


def right(student=None):
    questions = Quiz(*NAMES, seed=8, student=student).questions
    return {key: question.solution for key, question in questions.items()}


def answered(answers):
    return [PARAMETERS, QUIZ, cell("code", f"answers = {answers!r}", "answers"), TEST]


@pytest.fixture
def graded(small_course, course_command):
    """Return a function that grades answers and returns scores and printed texts by student."""

    def grade(submissions, settings=""):
        root = small_course(*answered({}), name="01-small")
        with (root / "nbgrader_config.py").open("a", encoding="utf-8") as config:
            config.write(settings)
        for student, answers in submissions.items():
            path = root / "submitted" / student / "01-small" / "small.ipynb"
            cells = answered(answers)
            cells[0] = PARAMETERS | {"source": f"profile = None\nstudent = {student!r}"}
            write_notebook(path, cells)
        done = course_command("-C", root, "grade")
        assert done.returncode == 0, done.stdout + done.stderr
        scores, printed = {}, {}
        for student in submissions:
            scores[student] = cell_scores(root, student)["test_quiz"][0]
            path = root / "autograded" / student / "01-small" / "small.ipynb"
            *_, test = json.loads(path.read_text(encoding="utf-8"))["cells"]
            printed[student] = "".join("".join(each.get("text", "")) for each in test["outputs"])
        return scores, printed

    return grade


@pytest.mark.slow
def test_a_quiz_is_scored_by_question_and_every_lost_point_has_its_reason(graded):
    mistake, reason = next(iter(Quiz(*NAMES, seed=8).questions["q1"].mistakes.items()))
    scores, printed = graded(
        {
            "ada": right(),
            "bob": right() | {"q1": mistake},
            "cem": right() | {"q2": None, "q4": {"z"}},
            "dan": {},
            "eve": [1, 2],
        }
    )
    assert scores == {"ada": 8, "bob": 6, "cem": 4, "dan": 0, "eve": 0}
    assert f"q1: not right. {reason}" in printed["bob"]
    assert "q2: open." in printed["cem"] and "is not a set of letters" in printed["cem"]


@pytest.mark.slow
def test_with_personalized_numbers_answers_are_right_only_for_the_own_quiz(graded):
    scores, printed = graded(
        {"ada": right("ada"), "bob": right("ada"), "cem": right()},
        settings="\nc.ExecuteIsolated.personalized_quizzes = True\n",
    )
    assert scores["ada"] == 8
    assert scores["bob"] < 8 and scores["cem"] < 8
    assert "Type your name into the parameters cell" in printed["cem"]


@pytest.mark.slow
def test_without_personalized_numbers_the_quiz_with_the_typed_name_counts_too(graded):
    """The notebook shows other values to a student who types a name into the parameters cell."""
    mixed = right("cem") | {"q1": right()["q1"]}
    scores, printed = graded(
        {"ada": right(), "bob": right("bob"), "cem": mixed, "dan": right("bob")}
    )
    assert (scores["ada"], scores["bob"], scores["cem"]) == (8, 8, 6)
    assert scores["dan"] < 8
    assert "q1: not right." in printed["cem"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('student = "Ada Lovelace"  # your name', "Ada Lovelace"),
        ("student='Ada'\nstudent  =  \"Conor O'Brien\"", "Conor O'Brien"),
        ("student = 'O\\'Neill'", "O'Neill"),
        ("student = 4711123", "4711123"),
        ('student = ("Ada " "Lovelace")', "Ada Lovelace"),
        (r'student = "A\d"', r"A\d"),
        ('student = "Ada"\nstudent = None', "Ada"),
        ('student = "' + "a" * 1000 + '"', None),
        ("student = " + "(" * 290, None),
        ("student = True", None),
        ("student = False", None),
        ("student = 0", None),
        ("student = None", None),
        ("student = name", None),
        ('    student = "in a function"', None),
        ('students = "Ada"', None),
    ],
)
def test_the_name_is_read_without_running_the_cell(line, name):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"profile = None\n{line}")])
    reference = ReferenceNotebook([], {}, "student = None")
    identity = ("01-small", "ada", "small")
    job = submission.make_job(nb, [], reference, identity, GradingSettings())
    assert job.typed_name == name
    personal = GradingSettings(personalized_quizzes=True)
    job = submission.make_job(nb, [], reference, identity, personal)
    assert job.typed_name is None and "student = 'ada'" in job.reference.parameters


def test_a_dict_of_questions_is_marked_as_a_quiz():
    quiz = Quiz(*NAMES, seed=8)
    answers = {key: question.solution for key, question in quiz.questions.items()}
    answers[next(iter(answers))] = None
    expected = quiz_marks.mark(quiz, answers, points=8)
    assert quiz_marks.mark(quiz.questions, answers, points=8) == expected > 0


def test_what_students_see_never_repeats_an_answer_that_cannot_be_read(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(checks, "on_show", shown.append)
    quiz = Quiz(*NAMES, seed=8)
    for answer in ("48271605", {"48271605"}, ["48271605", 1], {"a": "48271605"}):
        assert quiz_marks.mark(quiz, dict.fromkeys(quiz.questions, answer), points=8) == 0
    assert "48271605" in capsys.readouterr().out  # which the instructor sees
    assert any("The answer is not" in line for line in shown)
    assert "48271605" not in str(shown)
