"""A rename and a drop that are killed at any step; the same command completes them."""

import multiprocessing
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import sqlalchemy

from course.instructor.cli import main
from tests.instructor.students.conftest import in_one_group, mentions, rows_of, tree

COMMANDS = {
    "drop": ["student", "drop", "lovelace7", "--yes"],
    "drop from a group": ["student", "drop", "lovelace7", "--yes"],
    "rename": ["student", "rename", "lovelace7", "king"],
}
# Processes are forked from a small one: this one may have threads of TensorFlow, and a fork of it
# may crash.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [__name__, "course.instructor.cli.student", "course.instructor.students.change", "nbgrader.api"]
)
CHANGES = {"os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.mkdir"}


def run_until_killed(root, arguments, step):
    """Run `course` in a process of its own, which kills itself before a step.

    A step is a change of the file system in another place than the one before, or a statement that
    changes the gradebook. Returns the exit code, or the negative number of the signal.
    """
    child = PROCESSES.Process(target=_run, args=(root, arguments, step))
    child.start()
    child.join()
    return child.exitcode


def _run(root, arguments, step):
    count, last = 0, ""

    def tick(place):
        nonlocal count, last
        if place != last:
            count, last = count + 1, place
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    def audit(event, values):
        is_write = event == "open" and isinstance(values[2], int) and values[2] & os.O_WRONLY
        if (event in CHANGES or is_write) and isinstance(values[0], str | Path):
            path = Path(values[0])
            if path.is_relative_to(root) and path.name not in ("lock", "gradebook.db"):
                tick("/".join(path.relative_to(root).parts[:2]))

    sys.addaudithook(audit)

    def execute(connection, cursor, statement, *others):
        if statement.startswith(("INSERT", "UPDATE", "DELETE", "VACUUM")):
            tick(statement)

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", execute)
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "commit", lambda connection: tick("commit"))
    sys.exit(main.main(["-C", str(root), *arguments]))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_command_completes_what_a_kill_interrupted(template, tmp_path, command):
    if command == "drop from a group":
        template = shutil.copytree(template, tmp_path / "group", symlinks=True)
        in_one_group(template, "lovelace7", "bross5")
    whole = shutil.copytree(template, tmp_path / "whole", symlinks=True)
    assert run_until_killed(whole, COMMANDS[command], 0) == 0
    expected, scores = tree(whole), rows_of(whole)
    before = rows_of(template)
    kills = 0
    while True:
        root = shutil.copytree(template, tmp_path / "killed", symlinks=True)
        code = run_until_killed(root, COMMANDS[command], kills + 1)
        if code == 0:
            break
        assert code == -signal.SIGKILL, f"step {kills + 1}"
        kills += 1
        if rows_of(root) not in (before, scores):
            raise AssertionError(f"step {kills} changes the gradebook by half")
        again = run_until_killed(root, COMMANDS[command], 0)
        assert again == 0, f"step {kills}"
        assert tree(root) == expected, f"step {kills}"
        assert rows_of(root) == scores, f"step {kills}"
        if command == "drop":
            left = mentions(root, "lovelace7", "Ada Lovelace")
            assert {Path(path).name for path in left} == {"submissions.zip"}
        shutil.rmtree(root)
    assert kills > 20
