"""A class with damaged and hostile submissions: no command stops, and no honest work suffers."""

import csv
import resource
import subprocess
from types import SimpleNamespace

import pytest

from tests.conftest import cell
from tests.instructor.grading.classes import ANSWER, NAME, TESTS, create_course
from tests.instructor.grading.damaged_submissions import (
    DAMAGED,
    GRADABLE,
    NOT_GRADABLE,
    RIGHT,
    write_class,
)

pytestmark = pytest.mark.slow
HONEST = {f"student-{number:02}": f"answer = {number % 4}" for number in range(30)}
POINTS = [0, 1, 3, 3]  # by answer
# Between the honest ones, in alphabetical order.
HOSTILE = {f"student-{number:02}-{name}": name for number, name in enumerate(DAMAGED)}
SETUP = cell("code", "import math", "setup")
SETUP["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
COMMANDS = {
    "grade": ["grade", "--workers", "2"],
    "feedback": ["feedback", "--workers", "2"],
    "similar": ["similar"],
    "export": ["export", "scores.csv", "--force"],
}


@pytest.fixture(scope="module")
def classes(tmp_path_factory, course_command):
    """Run the commands for the honest class and for the same class with the hostile submissions."""
    found = {}
    for name, hostile in {"honest": {}, "mixed": HOSTILE}.items():
        root = create_course(tmp_path_factory.mktemp(name) / "course", SETUP, ANSWER, *TESTS)
        with (root / "nbgrader_config.py").open("a") as config:
            config.write("c.ExecuteIsolated.cell_seconds = 5\n")
        assert course_command("-C", root, "release").returncode == 0
        write_class(root, HONEST, hostile)
        found[name] = SimpleNamespace(root=root, done={}, seconds={})
    for command, arguments in COMMANDS.items():
        # Other work on the machine only adds time: of short commands, the fastest run counts, and
        # the two classes take turns, so that neither has all its runs beside heavier work.
        for _ in range(1 if command in ("grade", "feedback") else 5):
            for run in found.values():
                start = processor_seconds()
                run.done[command] = course_command("-C", run.root, *arguments, cwd=run.root)
                seconds = processor_seconds() - start
                run.seconds[command] = min(seconds, run.seconds.get(command, seconds))
    yield SimpleNamespace(**found)
    # pytest's own cleanup exceeds Python's limit of recursion in the nested folders.
    subprocess.run(["rm", "-r", found["mixed"].root / "submitted"], check=True)


def processor_seconds():
    """Return the processor time of finished commands and of everything that they started."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def scores(run):
    with (run.root / "scores.csv").open(newline="") as file:
        return {row["student_id"]: row["score"] for row in csv.DictReader(file)}


def test_every_score_is_the_one_that_the_work_deserves(classes):
    expected = {student: str(POINTS[int(text[-1])]) for student, text in HONEST.items()}
    assert scores(classes.honest) == expected
    for student, name in HOSTILE.items():
        expected[student] = "3" if name in RIGHT else "0"
    assert scores(classes.mixed) == expected
    for student in HONEST:
        assert f"{student}: graded\n" in classes.mixed.done["grade"].stdout


def test_exit_codes_and_lines_name_each_submission_that_failed(classes):
    codes = {name: (run.returncode, run.stderr) for name, run in classes.honest.done.items()}
    assert codes == dict.fromkeys(codes, (0, ""))
    graded = classes.mixed.done["grade"]
    assert graded.returncode == 1
    assert graded.stderr == ""
    (failed,) = (line for line in graded.stdout.splitlines() if line.startswith("failed in"))
    names = failed.removeprefix(f"failed in {NAME}: ").split(", ")
    assert {HOSTILE[name] for name in names} == NOT_GRADABLE.keys()
    for student, name in HOSTILE.items():
        (line,) = (each for each in graded.stdout.splitlines() if f"  {student}: " in each)
        if name in GRADABLE:
            assert f"{student}: graded" in line
        else:
            assert f"{student}: submitted/{student}/{NAME}/small.ipynb cannot be graded" in line


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_stops_or_shows_a_traceback(classes, command):
    done = classes.mixed.done[command]
    assert "Traceback" not in done.stdout + done.stderr
    if command == "feedback":
        pages = {path.parent.parent.name for path in classes.mixed.root.glob("feedback/*/*/*.html")}
        assert pages == HONEST.keys() | HOSTILE.keys()
    if command == "similar":
        assert done.returncode == 1
        skipped = [line for line in done.stdout.splitlines() if " is skipped (" in line]
        assert {
            HOSTILE[student] for line in skipped for student in HOSTILE if f"/{student}/" in line
        } >= NOT_GRADABLE.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_twenty_hostile_submissions_take_at_most_half_the_time_of_thirty_honest_ones(
    classes, command
):
    # An honest submission of this assignment is graded in 0.1 s, one of 02-mnist in more than 0.8.
    training = 30 * 0.7 if command == "grade" else 0
    honest, mixed = classes.honest.seconds[command], classes.mixed.seconds[command]
    assert mixed + training <= 1.5 * (honest + training), (honest, mixed)
