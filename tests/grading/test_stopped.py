import os
import random
import resource
import shutil
import signal
import sqlite3
import threading
import time

import nbformat
import pytest

from tests.conftest import cell
from tests.grading.classes import (
    ANSWER,
    NAME,
    TESTS,
    descendants,
    hand_in,
    hand_in_answers,
    kill_all,
    scores,
    start_grading,
    wait_until_gone,
)

pytestmark = pytest.mark.slow
ANSWERS = {"ada": 1, "bob": 2, "cem": 3, "dan": 0, "eve": 2, "fay": 1}
POINTS = {1: (1, 0), 2: (1, 2), 3: (1, 2), 0: (0, 0)}


def execution(root, student):
    """Return the name of the execution whose result is kept for a student, or None."""
    kept = root / "autograded" / student / NAME / "small.ipynb"
    return printed(nbformat.read(kept, as_version=4).cells) if kept.is_file() else None


def printed(cells):
    (test,) = (
        each for each in cells if each.metadata.get("nbgrader", {}).get("grade_id") == "test_1"
    )
    return test.outputs[0].text.strip()


def executions(root):
    return {student: execution(root, student) for student in ANSWERS}


def journaled(root):
    """Return student to the execution that a killed grading has left for the next one to save."""
    import json

    found = {}
    for path in (root / "build" / "grading" / NAME / "outcomes").glob("*.json"):
        texts = [
            each["text"].strip()
            for outputs in json.loads(path.read_text())["outputs"].values()
            for each in outputs
            if each["output_type"] == "stream"
        ]
        found[path.stem] = texts[0]
    return found


def saved(output):
    """Return the students whose lines say that they were graded by this command."""
    return {
        line.rpartition(": graded")[0].split()[-1]
        for line in output.splitlines()
        if line.endswith(": graded")
    }


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
    found = scores(root)
    assert {
        student: tuple(cells[test][0] for test in ("test_1", "test_2"))
        for student, cells in found.items()
    } == {student: POINTS[answer] for student, answer in ANSWERS.items()}
    assert {path.parent.parent.name for path in root.glob("autograded/*/*/small.ipynb")} == set(
        ANSWERS
    )
    left = [path for path in (root / "build" / "grading").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["lock"]


class Killed:
    """A grading that is killed at a moment; what it has printed is in `output`."""

    def __init__(self, root, *arguments, moment, family):
        grading = start_grading(root, *arguments)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(grading.stdout), daemon=True)
        reader.start()
        self.finished = not moment(grading)
        children = descendants(grading.pid)
        grading.kill()
        if family:
            kill_all(children)
        grading.wait()
        assert not wait_until_gone(children), "something outlives the command"
        reader.join()
        self.output = "".join(lines)


def after(seconds):
    """Return a moment: so long after the start."""

    def wait(grading):
        end = time.monotonic() + seconds
        while time.monotonic() < end and grading.poll() is None:
            time.sleep(0.01)
        return grading.poll() is None

    return wait


def when(root, pattern, seconds=0.0):
    """Return a moment: so long after there is a new path of the pattern below build/grading/."""
    folder = root / "build" / "grading" / NAME

    def wait(grading):
        before = set(folder.glob(pattern))
        while not set(folder.glob(pattern)) - before:
            if grading.poll() is not None:
                return False
            time.sleep(0.001)
        return after(seconds)(grading)

    return wait


def test_killed_at_any_moment_it_goes_on_where_it_was(small_course, course_command):
    root = small_course(ANSWER, *TESTS)
    hand_in_answers(root, ANSWERS, seconds=0.5)
    chance = random.Random(1)
    moments = [
        after(chance.uniform(1, 6)),  # imports, a new gradebook
        when(root, "outcomes/*.json"),
        when(root, "stage/autograded"),
        when(root, "outcomes/*.json", chance.uniform(0, 1)),
        when(root, "outcomes/*.json", chance.uniform(0, 1)),
    ]
    known = {}
    for number, moment in enumerate(moments):
        killed = Killed(root, "--workers", "2", moment=moment, family=number % 2)
        assert_whole(root)
        # What a line has called graded stays as it is, and what waits to be saved is not lost.
        print(number, killed.finished, repr(killed.output), journaled(root), executions(root))
        known |= journaled(root)
        found = executions(root)
        assert all(found[student] for student in saved(killed.output))
        assert {student: found[student] or known[student] for student in known} == known
        known |= {student: each for student, each in found.items() if each}
    last = course_command("-C", root, "grade", "--workers", "2")
    assert last.returncode == 0, last.stderr
    assert_done(root)
    found = executions(root)
    assert {student: found[student] for student in known} == known, "graded twice"
    again = course_command("-C", root, "grade")
    assert again.stdout.count(": graded before\n") == len(ANSWERS)
    assert executions(root) == found
