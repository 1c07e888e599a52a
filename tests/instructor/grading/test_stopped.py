import json
import random
import resource
import shutil
import sqlite3
import threading
import time

import nbformat
import pytest

from tests.conftest import cell
from tests.instructor.grading.classes import (
    ANSWER,
    NAME,
    TESTS,
    descendants,
    hand_in,
    hand_in_answers,
    kill_all,
    lay_out,
    scores,
    start_grading,
    wait_until_gone,
)

pytestmark = pytest.mark.slow
ANSWERS = {"ada": 1, "bob": 2, "cem": 3, "dan": 0, "eve": 2, "fay": 1, "gus": 3}
POINTS = [(0, 0), (1, 0), (1, 2), (1, 2)]  # of test_1 and test_2, by answer


def execution(root, student):
    """Return the name of the execution whose result is kept for a student, or None."""
    kept = root / "autograded" / student / NAME / "small.ipynb"
    if not kept.is_file():
        return None
    cells = nbformat.read(kept, as_version=4).cells
    (test,) = (
        each for each in cells if each.metadata.get("nbgrader", {}).get("grade_id") == "test_1"
    )
    return test.outputs[0].text.strip()


def executions(root):
    return {student: execution(root, student) for student in ANSWERS}


def journaled(root):
    """Return student to the execution that a killed grading has left for the next one to save."""
    found = {}
    for path in (root / "build" / "grading" / NAME / "outcomes").glob("*.json"):
        outputs = json.loads(path.read_text())["outputs"].values()
        (found[path.stem],) = (
            each["text"].strip() for some in outputs for each in some if "text" in each
        )
    return found


def points(root):
    return {
        student: tuple(cells[test][0] for test in ("test_1", "test_2"))
        for student, cells in scores(root).items()
    }


def line_of(student, output):
    (line,) = (each for each in output.splitlines() if f"  {student}: " in each)
    return line.partition(f"  {student}: ")[2]


def assert_whole(root):
    """Assert that the gradebook is sound and each result that is there can be read."""
    if (root / "gradebook.db").is_file():
        with sqlite3.connect(root / "gradebook.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for path in root.glob(f"autograded/*/{NAME}/small.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


def assert_done(root):
    """Assert that all are graded, rightly, and nothing lies about."""
    assert_whole(root)
    assert points(root) == {student: POINTS[answer] for student, answer in ANSWERS.items()}
    assert None not in executions(root).values()
    left = [path.name for path in (root / "build" / "grading").rglob("*") if path.is_file()]
    assert left == ["lock"]


def grade_and_kill(root, *arguments, moment, family=False):
    """Start grading, kill it with SIGKILL at a moment and return what it has printed.

    Killed is the command alone or, with `family`, every process of it. Nothing may outlive it.
    """
    grading = start_grading(root, *arguments)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(grading.stdout), daemon=True)
    reader.start()
    moment(grading)
    children = descendants(grading.pid)
    grading.kill()
    if family:
        kill_all(children)
    grading.communicate()
    assert not wait_until_gone(children), "something outlives the command"
    reader.join()
    return "".join(lines)


def after(seconds):
    """Return a moment: so long after the start."""

    def wait(grading):
        end = time.monotonic() + seconds
        while time.monotonic() < end and grading.poll() is None:
            time.sleep(0.01)

    return wait


def when(root, pattern, seconds=0.0):
    """Return a moment: so long after a path of the pattern appears below build/grading/."""
    folder = root / "build" / "grading" / NAME

    def wait(grading):
        before = set(folder.glob(pattern))
        while not set(folder.glob(pattern)) - before and grading.poll() is None:
            time.sleep(0.001)
        after(seconds)(grading)

    return wait


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_command):
    """Grade the class once."""
    root = lay_out(tmp_path_factory.mktemp("graded") / "course", ANSWER, *TESTS)
    hand_in_answers(root, ANSWERS, seconds=0.3)
    first = course_command("-C", root, "grade", "--workers", "2")
    assert first.returncode == 0, first.stderr
    return root


@pytest.fixture
def root(graded, tmp_path):
    """Return a copy of the graded class."""
    return shutil.copytree(graded, tmp_path / "course")


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path, course_command):
    root = lay_out(tmp_path / "course", ANSWER, *TESTS)
    hand_in_answers(root, ANSWERS, seconds=0.5)
    chance = random.Random(1)
    moments = [
        after(chance.uniform(1, 6)),  # imports, a new gradebook
        when(root, "outcomes/*.json"),
        when(root, "stage/autograded"),
        when(root, "outcomes/*.json", chance.uniform(0, 0.7)),
        when(root, "outcomes/*.json", chance.uniform(0, 0.7)),
        when(root, "outcomes/*.json", chance.uniform(0, 0.7)),
    ]
    known = {}
    for number, moment in enumerate(moments):
        output = grade_and_kill(root, "--workers", "2", moment=moment, family=number % 2)
        assert_whole(root)
        found, waiting = executions(root), journaled(root)
        for student in ANSWERS:
            if f"  {student}: graded\n" in output:
                assert found[student], "what a line called graded is not there"
        # What was saved, or waited to be saved, at the last kill is neither lost nor done again.
        assert {student: found[student] or waiting[student] for student in known} == known
        known |= waiting | {student: each for student, each in found.items() if each}
    assert len(known) >= 3
    last = course_command("-C", root, "grade", "--workers", "2")
    assert last.returncode == 0, last.stderr
    assert_done(root)
    assert executions(root) | known == executions(root), "graded twice"


def test_a_forced_regrading_that_is_killed_goes_on_and_the_next_begins_anew(root, course_command):
    old = executions(root)
    seen = []
    for pattern in ("stage/autograded", "stage/old/*"):
        grade_and_kill(root, "--force", "--workers", "2", moment=when(root, pattern))
        assert_whole(root)
        assert points(root) == {student: POINTS[answer] for student, answer in ANSWERS.items()}
        # Between two renamings a result is in neither place; the next grading puts it back.
        fresh = {
            key: each for key, each in executions(root).items() if each not in (None, old[key])
        }
        seen.append(journaled(root) | fresh)
    last = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert last.returncode == 0, last.stderr
    assert_done(root)
    found = executions(root)
    assert not set(found.values()) & set(old.values()), "--force grades all again"
    for known in seen:
        assert found | known == found, "graded twice"
    third = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert third.stdout.count(": graded\n") == len(ANSWERS)
    assert not set(executions(root).values()) & set(found.values())
    assert_done(root)


def test_without_isolation_too_nothing_outlives_the_command(tmp_path):
    root = lay_out(tmp_path / "course", ANSWER, *TESTS)
    endless = cell("code", "import time\nwhile True: time.sleep(0.01)\nanswer = 1", "answer")
    hand_in(root, "ada", endless, *TESTS)

    def moment(grading):
        # The process that forks, and both kernels.
        while len(descendants(grading.pid)) < 3 and grading.poll() is None:
            time.sleep(0.01)
        after(1)(grading)

    assert grade_and_kill(root, "--no-isolation", moment=moment) == ""


def test_a_submission_that_cannot_be_read_never_takes_an_earlier_result(root, course_command):
    before, old = points(root), executions(root)
    for student in ("ada", "zoe"):  # zoe is new
        hand_in(root, student, ANSWER).write_text("not a notebook")
    forced = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert forced.returncode == 1
    kept = line_of("ada", forced.stdout)
    assert "is not a readable notebook" in kept
    assert kept.endswith("ask for it to be handed in again; the earlier result stays.")
    assert line_of("zoe", forced.stdout).endswith("ask for it to be handed in again.")
    assert points(root) == before | {"zoe": (0, 0)}
    assert executions(root)["ada"] == old["ada"] and executions(root)["bob"] != old["bob"]

    # Zeros for what could not be read are no result: it is tried again, and complained of again.
    again = course_command("-C", root, "grade")
    assert again.returncode == 1
    assert line_of("ada", again.stdout) == "graded before"
    assert line_of("zoe", again.stdout) == line_of("zoe", forced.stdout)
    hand_in_answers(root, {"zoe": 2}, seconds=0)
    mended = course_command("-C", root, "grade")
    assert mended.returncode == 0
    assert line_of("zoe", mended.stdout) == "graded"
    assert points(root) == before | {"zoe": POINTS[2]}


def test_a_later_submission_is_graded_as_nbgrader_does(root, course_command):
    def hand_in_at(day, answer):
        hand_in_answers(root, {"bob": answer}, seconds=0)
        folder = root / "submitted" / "bob" / NAME
        (folder / "timestamp.txt").write_text(f"2026-03-{day} 12:00:00 UTC\n")

    hand_in_at(10, 1)
    assert course_command("-C", root, "grade", "--force", "--student", "bob").returncode == 0
    hand_in_at(11, 2)
    later = course_command("-C", root, "grade")
    assert line_of("bob", later.stdout) == "graded"
    assert later.stdout.count(": graded before\n") == len(ANSWERS) - 1
    assert points(root)["bob"] == POINTS[2]


def test_a_locked_gradebook_stops_the_command_and_loses_nothing(root, course_command):
    old, before = executions(root), points(root)
    hand_in_answers(root, {"ada": 3, "bob": 0}, seconds=2)
    for student in ANSWERS.keys() - {"ada", "bob"}:
        shutil.rmtree(root / "submitted" / student)
    grading = start_grading(root, "--force", "--workers", "1")
    assert "ada: graded" in grading.stdout.readline()
    with sqlite3.connect(root / "gradebook.db", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        output, errors = grading.communicate(timeout=60)
        database.execute("ROLLBACK")
    assert grading.returncode == 1 and output == ""
    (line,) = errors.splitlines()
    assert line.startswith("course: the gradebook cannot be written (")
    assert "database is locked" in line
    assert points(root) == before | {"ada": POINTS[3]}
    assert executions(root)["bob"] == old["bob"] and executions(root)["ada"] != old["ada"]
    waiting = journaled(root)
    assert list(waiting) == ["bob"]
    again = course_command("-C", root, "grade", "--force")
    assert again.returncode == 0
    assert points(root) == before | {"ada": POINTS[3], "bob": POINTS[0]}
    assert executions(root)["bob"] == waiting["bob"], "graded twice"


def test_a_step_that_fails_after_the_scores_takes_them_back(root, course_command, tmp_path):
    before, old = points(root), executions(root)
    (tmp_path / "strict.py").write_text(
        "from nbgrader.plugins import LateSubmissionPlugin\n"
        "class Strict(LateSubmissionPlugin):\n"
        "    def late_submission_penalty(self, student, score, seconds):\n"
        "        raise ValueError('no lateness here')\n"
    )
    with (root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.AssignLatePenalties.plugin_class = 'strict.Strict'\n")
    with sqlite3.connect(root / "gradebook.db") as database:
        database.execute("UPDATE assignment SET duedate = '2026-03-01 12:00:00.000000'")
    hand_in_answers(root, {"ada": 3}, seconds=0)
    late = root / "submitted" / "ada" / NAME / "timestamp.txt"
    late.write_text("2026-03-02 12:00:00 UTC\n")
    arguments = ["-C", root, "grade", "--force", "--student", "ada"]
    refused = course_command(*arguments, PYTHONPATH=str(tmp_path))
    assert refused.returncode == 1
    note = line_of("ada", refused.stdout)
    assert "nbgrader refuses it (ValueError: no lateness here" in note
    assert note.endswith("; the earlier result stays.")
    assert points(root) == before
    assert executions(root) == old


def test_a_disk_that_takes_no_more_stops_one_submission_alone(root):
    old, before = executions(root), points(root)
    hand_in_answers(root, {"ada": 3, "bob": 3}, seconds=0)
    (root / "submitted" / "ada" / NAME / "large.bin").write_bytes(bytes(3 * 2**20))
    for student in ANSWERS.keys() - {"ada", "bob"}:
        shutil.rmtree(root / "submitted" / student)
    grading = start_grading(root, "--force")
    when(root, "again.json")(grading)
    # No file of the command's grows beyond 2 MB now: as good as a full disk, and full for it alone.
    resource.prlimit(grading.pid, resource.RLIMIT_FSIZE, (2 * 2**20, 2 * 2**20))
    output, errors = grading.communicate(timeout=120)
    assert grading.returncode == 1 and "Traceback" not in errors, errors
    assert line_of("ada", output) == (
        "what came of it cannot be saved: [Errno 27] File too large; the earlier result stays."
    )
    assert line_of("bob", output) == "graded"
    assert points(root) == before | {"bob": POINTS[3]}
    assert executions(root)["ada"] == old["ada"] and executions(root)["bob"] != old["bob"]


def test_two_gradings_of_an_assignment_do_not_meet(root, course_command):
    hand_in_answers(root, {"ada": 1}, seconds=20)
    first = start_grading(root, "--force", "--student", "ada")
    when(root, "again.json")(first)
    second = course_command("-C", root, "grade")
    assert second.returncode == 1
    assert second.stderr == (
        "course: 01-small is being graded here already: wait for that, or stop it.\n"
    )
    first.kill()
    first.communicate()
