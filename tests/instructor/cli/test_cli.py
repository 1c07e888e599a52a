import os
import subprocess

import pytest

from tests.conftest import BIN, cell

# What a user gets wrong, and the sentence that must answer. None may need TensorFlow to find out.
MISTAKES = {
    "an unknown assignment": (["release", "08-mnist"], "'08-mnist' is not an assignment in source"),
    "an unknown assignment to run": (["run", "mnist"], "choose of"),
    "an unknown assignment to grade": (["grade", "mnist"], "'mnist' is not an assignment"),
    "an unknown profile": (
        ["run", "02-mnist", "--profile", "fast"],
        "choose one of smoke, cpu, gpu.",
    ),
    "an unknown parameter": (
        ["run", "02-mnist", "-p", "epoch=3"],
        "no notebook that is to run has a parameter 'epoch': choose of profile, seed, epochs.",
    ),
    "a parameter without a value": (
        ["run", "02-mnist", "-p", "epochs"],
        "write it as -p NAME=VALUE.",
    ),
    "no course directory": (["-C", "/", "grade"], "is not a course directory"),
    "nothing handed in": (
        ["grade", "02-mnist", "--student", "nobody"],
        "submitted/nobody/02-mnist",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_in_one_sentence(course_command, mistake):
    arguments, sentence = MISTAKES[mistake]
    finished = course_command(*arguments)
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith("course: ") and line.endswith(".")
    assert sentence in line


@pytest.mark.parametrize("arguments", [["grad"], [], ["run", "--seed", "x"]])
def test_a_mistyped_command_exits_with_2_and_shows_the_usage(course_command, arguments):
    finished = course_command(*arguments)
    assert finished.returncode == 2
    assert finished.stderr.startswith("usage: course")


def test_a_reader_that_has_gone_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        finished = subprocess.run(
            [BIN / "course", "doctor", "python"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert finished.returncode == 1
    assert finished.stderr.startswith("course: stopped, as nobody reads the output any more")
    assert finished.stderr.count("\n") == 1


def test_feedback_before_grading_says_what_comes_first(small_course, course_command):
    root = small_course(cell("code", "1"))
    finished = course_command("-C", root, "feedback")
    assert finished.returncode == 1
    assert "run course grade first" in finished.stderr


def test_a_report_before_any_gradebook_makes_none(small_course, course_command):
    root = small_course(cell("code", "1"))
    finished = course_command("-C", root, "report")
    assert finished.returncode == 0
    assert "report: " in finished.stdout
    assert not (root / "gradebook.db").exists()
