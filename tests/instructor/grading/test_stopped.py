import json
import random
import resource
import shutil
import signal
import sqlite3
import sys
import threading
import time

import nbformat
import pytest

from tests.conftest import cell, run_command
from tests.instructor.grading.classes import (
    ANSWER,
    NAME,
    TESTS,
    create_course,
    descendants,
    kill_all,
    scores,
    start_grading,
    submit,
    submit_answers,
    wait_until_gone,
)

pytestmark = pytest.mark.slow
ANSWERS = {"ada": 1, "bob": 2, "cem": 3, "dan": 0, "eve": 2, "fay": 1, "gus": 3}
POINTS = [(0, 0), (1, 0), (1, 2), (1, 2)]  # of test_1 and test_2, by answer
JOURNAL = f"build/grading/{NAME}"


def execution(root, student):
    """Return the identifier of the execution whose result a student has, or None."""
    path = root / "autograded" / student / NAME / "small.ipynb"
    if not path.is_file():
        return None
    cells = nbformat.read(path, as_version=4).cells
    (test,) = (
        each for each in cells if each.metadata.get("nbgrader", {}).get("grade_id") == "test_1"
    )
    return test.outputs[0].text.strip()


def executions(root):
    return {student: execution(root, student) for student in ANSWERS}


def journaled(root):
    """Map each student to the execution that a killed grading left for the next one to save."""
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


def assert_intact(root):
    """Assert that the gradebook is intact and every result in autograded/ is readable."""
    if (root / "gradebook.db").is_file():
        with sqlite3.connect(root / "gradebook.db") as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for path in root.glob(f"autograded/*/{NAME}/small.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


def assert_done(root):
    """Assert that all submissions have the right scores and no temporary file is left."""
    assert_intact(root)
    assert points(root) == {student: POINTS[answer] for student, answer in ANSWERS.items()}
    assert None not in executions(root).values()
    left = [path.name for path in (root / "build" / "grading").rglob("*") if path.is_file()]
    assert left == ["lock"]


def grade_and_kill(root, *arguments, moment, family=False):
    """Start grading, kill it with SIGKILL at a moment and return its printed text.

    The command alone is killed or, with `family`, all of its processes. None may outlive it.
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
    assert not wait_until_gone(children), "a process outlives the command"
    reader.join()
    return "".join(lines)


def after(seconds):
    """Return a moment: this many seconds after the start."""

    def wait(grading):
        end = time.monotonic() + seconds
        while time.monotonic() < end and grading.poll() is None:
            time.sleep(0.01)

    return wait


def when(root, pattern, seconds=0.0):
    """Return a moment: this many seconds after a path matching the pattern appears."""

    def wait(grading):
        before = set(root.glob(pattern))
        while not set(root.glob(pattern)) - before and grading.poll() is None:
            time.sleep(0.001)
        after(seconds)(grading)

    return wait


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_command):
    """Grade the class once."""
    root = create_course(tmp_path_factory.mktemp("graded") / "course", ANSWER, *TESTS)
    submit_answers(root, ANSWERS, seconds=0.3)
    first = course_command("-C", root, "grade", "--workers", "2")
    assert first.returncode == 0, first.stderr
    return root


@pytest.fixture
def root(graded, tmp_path):
    """Return a copy of the graded class."""
    return shutil.copytree(graded, tmp_path / "course")


def test_grading_killed_at_any_moment_resumes(tmp_path, course_command):
    root = create_course(tmp_path / "course", ANSWER, *TESTS)
    submit_answers(root, ANSWERS, seconds=0.5)
    random_source = random.Random(1)
    moments = [
        after(random_source.uniform(1, 6)),  # imports, a new gradebook
        when(root, f"{JOURNAL}/outcomes/*.json"),
        when(root, f"{JOURNAL}/stage/autograded"),
        when(root, f"{JOURNAL}/outcomes/*.json", random_source.uniform(0, 0.7)),
        when(root, f"{JOURNAL}/outcomes/*.json", random_source.uniform(0, 0.7)),
        when(root, f"{JOURNAL}/outcomes/*.json", random_source.uniform(0, 0.7)),
    ]
    known = {}
    for number, moment in enumerate(moments):
        output = grade_and_kill(root, "--workers", "2", moment=moment, family=number % 2)
        assert_intact(root)
        found, waiting = executions(root), journaled(root)
        for student in ANSWERS:
            if f"  {student}: graded\n" in output:
                assert found[student], "a result that a line reported is missing"
        # A result saved or journaled at the last kill is neither lost nor graded again.
        assert {student: found[student] or waiting[student] for student in known} == known
        known |= waiting | {student: each for student, each in found.items() if each}
    assert len(known) >= 3
    last = course_command("-C", root, "grade", "--workers", "2")
    assert last.returncode == 0, last.stderr
    assert_done(root)
    assert executions(root) | known == executions(root), "graded twice"


def test_a_killed_forced_regrading_resumes_and_the_next_starts_over(root, course_command):
    old = executions(root)
    seen = []
    for pattern in (f"{JOURNAL}/stage/autograded", f"autograded/*/.{NAME}.new"):
        grade_and_kill(root, "--force", "--workers", "2", moment=when(root, pattern))
        assert_intact(root)
        assert points(root) == {student: POINTS[answer] for student, answer in ANSWERS.items()}
        fresh = {
            key: each for key, each in executions(root).items() if each not in (None, old[key])
        }
        seen.append(journaled(root) | fresh)
    last = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert last.returncode == 0, last.stderr
    assert_done(root)
    found = executions(root)
    assert not set(found.values()) & set(old.values()), "--force grades all submissions again"
    for known in seen:
        assert found | known == found, "graded twice"
    third = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert third.stdout.count(": graded\n") == len(ANSWERS)
    assert not set(executions(root).values()) & set(found.values())
    assert_done(root)


def test_no_process_outlives_the_command_without_isolation_either(tmp_path):
    root = create_course(tmp_path / "course", ANSWER, *TESTS)
    endless = cell("code", "import time\nwhile True: time.sleep(0.01)\nanswer = 1", "answer")
    submit(root, "ada", endless, *TESTS)

    def moment(grading):
        # The forkserver and both kernels.
        while len(descendants(grading.pid)) < 3 and grading.poll() is None:
            time.sleep(0.01)
        after(1)(grading)

    assert grade_and_kill(root, "--no-isolation", moment=moment) == ""


def test_an_unreadable_submission_never_replaces_an_earlier_result(root, course_command):
    before, old = points(root), executions(root)
    for student in ("ada", "zoe"):  # zoe is new
        submit(root, student, ANSWER).write_text("not a notebook")
    forced = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert forced.returncode == 1
    line = line_of("ada", forced.stdout)
    assert "cannot be graded, because the file is not a complete notebook" in line
    assert line.endswith("ask the student for a new submission; the earlier result is unchanged.")
    assert line_of("zoe", forced.stdout).endswith("ask the student for a new submission.")
    assert points(root) == before | {"zoe": (0, 0)}
    assert executions(root)["ada"] == old["ada"] and executions(root)["bob"] != old["bob"]

    # Neither zeros nor an earlier result are a result of this submission: every run tries again.
    for _ in range(2):
        again = course_command("-C", root, "grade")
        assert again.returncode == 1
        for student in ("ada", "zoe"):
            assert line_of(student, again.stdout) == line_of(student, forced.stdout)
    assert line_of("bob", again.stdout) == "already graded"
    submit_answers(root, {"ada": 3, "zoe": 2}, seconds=0)
    repaired = course_command("-C", root, "grade")
    assert repaired.returncode == 0
    assert line_of("ada", repaired.stdout) == line_of("zoe", repaired.stdout) == "graded"
    assert points(root) == before | {"ada": POINTS[3], "zoe": POINTS[2]}
    assert course_command("-C", root, "grade").stdout.count(": already graded\n") == 8


def test_a_submission_that_is_replaced_while_it_is_graded_is_graded_by_the_next_run(
    root, course_command
):
    submit_answers(root, {"ada": 0}, seconds=3)
    grading = start_grading(root, "--student", "ada")
    time.sleep(4)  # the command has read the submission, or reads the new one
    submit_answers(root, {"ada": 3}, seconds=0)
    output, _ = grading.communicate(timeout=60)
    replaced = "graded; the submission was replaced during grading: run the command again"
    if points(root)["ada"] == POINTS[0]:
        assert line_of("ada", output).startswith(replaced)
    again = course_command("-C", root, "grade")
    assert again.returncode == 0
    assert points(root)["ada"] == POINTS[3]
    assert again.stdout.count(": already graded\n") >= len(ANSWERS) - 1


def test_a_files_change_beside_the_notebook_is_a_new_submission(root, course_command):
    folder = root / "submitted" / "ada" / NAME
    (folder / "evidence").mkdir()
    (folder / "evidence" / "run.json").write_text("{}")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "small-checkpoint.ipynb").write_text("{}")
    again = course_command("-C", root, "grade")
    assert line_of("ada", again.stdout) == "graded"
    assert course_command("-C", root, "grade").stdout.count(": already graded\n") == len(ANSWERS)


def test_a_stopped_regrading_of_one_student_does_not_limit_that_of_the_class(root, course_command):
    old = executions(root)
    submit_answers(root, {"ada": 1}, seconds=1)
    moment = when(root, f"{JOURNAL}/outcomes/ada.json")
    grade_and_kill(root, "--force", "--student", "ada", moment=moment)
    everybody = course_command("-C", root, "grade", "--force")
    assert everybody.returncode == 0
    assert everybody.stdout.count(": graded\n") == len(ANSWERS)
    assert not set(executions(root).values()) & set(old.values())
    assert_done(root)


def test_a_later_submission_is_graded_by_nbgraders_rule(root, course_command):
    def submit_on(day, answer):
        submit_answers(root, {"bob": answer}, seconds=0)
        folder = root / "submitted" / "bob" / NAME
        (folder / "timestamp.txt").write_text(f"2026-03-{day} 12:00:00 UTC\n")

    submit_on(10, 1)
    assert course_command("-C", root, "grade", "--force", "--student", "bob").returncode == 0
    submit_on(11, 2)
    later = course_command("-C", root, "grade")
    assert line_of("bob", later.stdout) == "graded"
    assert later.stdout.count(": already graded\n") == len(ANSWERS) - 1
    assert points(root)["bob"] == POINTS[2]


def test_a_locked_gradebook_stops_the_command_without_loss(root, course_command):
    old, before = executions(root), points(root)
    submit_answers(root, {"ada": 3, "bob": 0}, seconds=2)
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


def test_a_step_that_fails_after_the_scores_rolls_them_back(root, course_command, tmp_path):
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
    submit_answers(root, {"ada": 3}, seconds=0)
    late = root / "submitted" / "ada" / NAME / "timestamp.txt"
    late.write_text("2026-03-02 12:00:00 UTC\n")
    arguments = ["-C", root, "grade", "--force", "--student", "ada"]
    refused = course_command(*arguments, PYTHONPATH=str(tmp_path))
    assert refused.returncode == 1
    note = line_of("ada", refused.stdout)
    assert "nbgrader failed (ValueError: no lateness here" in note
    assert note.endswith("; the earlier result is unchanged.")
    assert points(root) == before
    assert executions(root) == old


# The beginning of a program that runs `course` after changing some functions.
PROGRAM = """
import contextlib, os, pathlib, signal, sys
import course.files
from course.instructor.cli.main import main
from course.instructor.grading import journal, result_writer

def kill(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

"""
KILLED_WHILE = {
    "nbgrader converts": "result_writer._ConvertExecuted.convert_single_notebook = kill",
    "scores are uncommitted": "result_writer.replacing_folder = kill",
    "the new folder is filled": "course.files._exchange = kill",
    "the new folder lies beside the old scores": """
original = result_writer.replacing_folder
@contextlib.contextmanager
def replace_and_kill(folder):
    with original(folder) as staging:
        yield staging
    kill()
result_writer.replacing_folder = replace_and_kill
""",
    "all is saved but still in the journal": "journal.Journal.complete = kill",
}
FAIL_TO_RENAME = f"""
course.files._exchange = lambda first, second: False
rename = pathlib.Path.rename
def fail_once(source, target):
    if pathlib.Path(target).match("autograded/*/{NAME}"):
        pathlib.Path.rename = rename
        raise OSError(28, "No space left on device")
    return rename(source, target)
pathlib.Path.rename = fail_once
"""


def run_changed(root, change, *arguments):
    """Run `course` in a process in which a piece of code has changed some functions."""
    code = f"{PROGRAM}{change}\nsys.exit(main(sys.argv[1:]))"
    return run_command(sys.executable, "-c", code, "-C", root, *arguments)


@pytest.mark.parametrize("moment", KILLED_WHILE)
def test_a_kill_while_a_result_is_saved_loses_nothing(root, course_command, moment):
    old, before = executions(root), points(root)
    submit_answers(root, {"ada": 3}, seconds=0)
    arguments = ["grade", "--force", "--student", "ada"]
    killed = run_changed(root, KILLED_WHILE[moment], *arguments)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert_intact(root)
    waiting = journaled(root)
    assert list(waiting) == ["ada"]
    assert executions(root)["ada"] in (old["ada"], waiting["ada"])
    again = course_command("-C", root, "grade")
    assert again.returncode == 0, again.stderr
    assert executions(root) == old | waiting, "graded twice"
    assert points(root) == before | {"ada": POINTS[3]}
    left = [path.name for path in root.glob("autograded/*/.*")]
    assert not left


KILLED_BY_ADA = """
original = result_writer.ResultWriter.save
def save(writer, nb, job, outcome):
    if job.student == "ada":
        kill()
    original(writer, nb, job, outcome)
result_writer.ResultWriter.save = save
"""


def test_an_outcome_whose_saving_kills_the_command_is_tried_again_last(root):
    before = points(root)
    submit_answers(root, {"ada": 3, "bob": 3}, seconds=0)
    killed = run_changed(root, KILLED_BY_ADA, "grade", "--force", "--student", "ada")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list(journaled(root)) == ["ada"]
    again = run_changed(root, KILLED_BY_ADA, "grade")
    assert again.returncode == -signal.SIGKILL, again.stderr
    assert points(root) == before | {"bob": POINTS[3]}


def test_a_result_whose_folder_cannot_be_replaced_leaves_the_earlier_one(root):
    old, before = executions(root), points(root)
    submit_answers(root, {"ada": 3}, seconds=0)
    refused = run_changed(root, FAIL_TO_RENAME, "grade", "--force", "--student", "ada")
    assert refused.returncode == 1, refused.stderr
    assert line_of("ada", refused.stdout) == (
        "was not graded ([Errno 28] No space left on device): run the command again."
    )
    assert executions(root) == old
    assert points(root) == before


def test_a_full_disk_affects_only_the_submission_that_needs_it(root):
    old, before = executions(root), points(root)
    submit_answers(root, {"ada": 3, "bob": 3}, seconds=0)
    (root / "submitted" / "ada" / NAME / "large.bin").write_bytes(bytes(3 * 2**20))
    for student in ANSWERS.keys() - {"ada", "bob"}:
        shutil.rmtree(root / "submitted" / student)
    grading = start_grading(root, "--force")
    when(root, f"{JOURNAL}/pending-regrades.json")(grading)
    # The command can write no file beyond 2 MB now: a full disk for this submission alone.
    resource.prlimit(grading.pid, resource.RLIMIT_FSIZE, (2 * 2**20, 2 * 2**20))
    output, errors = grading.communicate(timeout=120)
    assert grading.returncode == 1 and "Traceback" not in errors, errors
    assert line_of("ada", output) == (
        "was not graded ([Errno 27] File too large): run the command again."
    )
    assert line_of("bob", output) == "graded"
    assert points(root) == before | {"bob": POINTS[3]}
    assert executions(root)["ada"] == old["ada"] and executions(root)["bob"] != old["bob"]


def test_an_assignment_is_graded_by_one_command_at_a_time(root, course_command):
    submit_answers(root, {"ada": 1}, seconds=20)
    first = start_grading(root, "--force", "--student", "ada")
    when(root, f"{JOURNAL}/pending-regrades.json")(first)
    second = course_command("-C", root, "grade")
    assert second.returncode == 1
    assert second.stderr == (
        "course: 01-small is already being graded here: wait until that command ends, or stop it.\n"
    )
    first.kill()
    first.communicate()
