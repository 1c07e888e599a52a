import os
import resource
import subprocess
import sys

import pytest

from course import __version__
from course.errors import CourseError
from course.instructor.cli.commands import course
from course.instructor.cli.main import main
from tests.conftest import BIN, cell
from tests.submissions import ROOT

# Mistake of a user: the arguments, and the sentence of the error. None needs TensorFlow.
MISTAKES = {
    "an unknown assignment": (["release", "08-mnist"], "'08-mnist' is not an assignment in source"),
    "an unknown assignment to run": (["run", "mnist"], "choose from 01-"),
    "an unknown assignment to grade": (["grade", "mnist"], "'mnist' is not an assignment"),
    "an unknown profile": (
        ["run", "02-mnist", "--profile", "fast"],
        "choose one of smoke, cpu, gpu.",
    ),
    "an unknown parameter": (
        ["run", "02-mnist", "-p", "epoch=3"],
        "has a parameter 'epoch': choose one of profile, seed, epochs.",
    ),
    "a parameter without a value": (
        ["run", "02-mnist", "-p", "epochs"],
        "-p epochs has no value: write it as -p NAME=VALUE.",
    ),
    "no course directory": (["-C", "/", "grade"], "is not a course directory"),
    "nothing submitted": (
        ["grade", "02-mnist", "--student", "nobody"],
        "submitted/nobody/02-mnist",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_in_one_sentence(course_command, mistake):
    arguments, sentence = MISTAKES[mistake]
    finished = course_command(*arguments)
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith("course: ") and line.endswith(".")
    assert sentence in line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["grad"], "No such command 'grad'."),
        ([], "Missing command. Run course --help for usage."),
        (["run", "--seed", "x"], "'x' is not a valid integer. Run course run --help for"),
        (["grade", "--workers", "0"], "0 is not in the range x>=1."),
        (["export"], "Missing argument 'PATH'."),
        (["export", "scores.csv", "--to", "excel"], "'excel' is not one of 'csv', 'canvas'"),
        (["export", "a", "b"], "Got unexpected extra argument (b)"),
        (["grade", "--forced"], "No such option"),
    ],
)
def test_a_usage_error_is_one_line_and_exits_with_2(course_command, arguments, sentence):
    finished = course_command(*arguments)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith("course: ") and line.endswith("--help for usage.")
    assert sentence in line and finished.stdout == ""


def test_the_help_lists_each_command_and_the_defaults(course_command):
    listed = course_command("--help")
    assert listed.returncode == 0 and listed.stdout.startswith("Usage: course ")
    # Each on one line, none of them shortened.
    lines = listed.stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in lines] == list(course.commands)
    assert not any(line.endswith("...") for line in lines)
    for name in course.commands:
        shown = course_command(name, "--help")
        assert shown.returncode == 0 and shown.stdout.startswith(f"Usage: course {name} ")
    assert "[default: 20; x>=1]" in course_command("similar", "-h").stdout


def test_options_may_come_before_or_after_names_and_the_version_is_shown(course_command):
    for arguments in (["--student", "x", "02-mnist"], ["02-mnist", "--student", "x"]):
        assert "submitted/x/02-mnist" in course_command("grade", *arguments).stderr
    assert course_command("--version").stdout == f"course {__version__}\n"


def test_without_click_the_error_names_the_extra(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "course.instructor.cli.commands")
    monkeypatch.setitem(sys.modules, "click", None)  # its import fails
    assert main(["--help"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "course: this command needs click, which is not installed: run make demo"
    )
    assert error.endswith("pip install '.[instructor]' in the course directory.\n")


@pytest.mark.parametrize("arguments", [["--help"], ["grad"], ["grade", "08-mnist"]])
def test_the_help_and_a_mistyped_name_answer_at_once(arguments):
    """The processor time is compared, which other processes do not lengthen."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([BIN / "course", *arguments], cwd=ROOT, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 0.5


def test_a_closed_output_is_one_sentence():
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
    assert finished.stderr.startswith(
        "course: stopped because no program reads the output anymore: "
    )
    assert finished.stderr.count("\n") == 1


def test_feedback_before_grading_names_the_first_step(small_course, course_command):
    root = small_course(cell("code", "1"))
    finished = course_command("-C", root, "feedback")
    assert finished.returncode == 1
    assert "run course grade first" in finished.stderr


def test_a_report_without_a_gradebook_creates_none(small_course, course_command):
    root = small_course(cell("code", "1"))
    finished = course_command("-C", root, "report")
    assert finished.returncode == 0
    assert "report: " in finished.stdout
    assert not (root / "gradebook.db").exists()


def test_every_line_of_every_command_is_printable(monkeypatch, capsys):
    def command(arguments):
        print("title \x1b]0;x\x07\x9b8m, half \ud800, names \u202eada\rzoe")
        print("error \x1b[8m\ud800", file=sys.stderr)
        raise CourseError("submitted/\udce9 \x1b[2J cannot be read")

    monkeypatch.setattr("course.instructor.cli.commands.run_command_line", command)
    assert main(["evidence"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "title 8m, half \ufffd, names adazoe\n"
    assert shown.err == "error \ufffd\ncourse: submitted/\ufffd  cannot be read\n"
