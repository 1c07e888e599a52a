"""Small classes to grade, their scores, and the processes that grade them."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from course.instructor.course_dir import open_api
from tests.conftest import BIN, cell, write_notebook
from tests.submissions import ROOT

NAME = "01-small"
ANSWER = cell("code", "### BEGIN SOLUTION\nanswer = 3\n### END SOLUTION", "answer")
# The printed identifier distinguishes one execution from another.
TESTS = [
    cell("code", "import uuid\nprint(uuid.uuid4())\nassert answer >= 1", "test_1", points=1),
    cell("code", "assert answer >= 2", "test_2", points=2),
]


def create_course(root, *cells):
    """Create a course directory with one small assignment, as the fixture small_course does."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    write_notebook(root / "source" / NAME / "small.ipynb", list(cells))
    return root


def submit(root, student, *cells):
    """Submit a notebook with the cells and return its path."""
    return write_notebook(root / "submitted" / student / NAME / "small.ipynb", list(cells))


def submit_answers(root, answers, seconds):
    """Submit for each student an answer whose cell runs for some seconds."""
    for student, answer in answers.items():
        source = f"import time\ntime.sleep({seconds})\nanswer = {answer}"
        submit(root, student, cell("code", source, "answer"), *TESTS)


def start_grading(root, *arguments, **options):
    """Start `course grade` in a directory without a configuration."""
    command = [str(part) for part in (BIN / "course", "-C", root, "grade", *arguments)]
    return subprocess.Popen(
        command,
        cwd=Path(root).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def scores(root, name=NAME):
    """Return each student's grades from the gradebook, and the late penalty under the name ""."""
    found = {}
    with open_api(root).gradebook as gradebook:
        for submission in gradebook.find_assignment(name).submissions:
            (notebook,) = submission.notebooks
            found[submission.student.id] = cells = {"": notebook.late_submission_penalty}
            for grade in notebook.grades:
                cells[grade.name] = (
                    grade.auto_score,
                    grade.manual_score,
                    grade.max_score,
                    grade.needs_manual_grade,
                )
    return found


def descendants(process):
    """Return the process ids of a process's descendants, with their start times."""
    found, at = [process], 0
    while at < len(found):
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{found[at]}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        at += 1
    return {each: started for each in found[1:] if (started := _started(each))}


def command_lines(processes):
    """Return the command lines of the processes that are alive."""
    lines = []
    for each in processes:
        with contextlib.suppress(OSError):
            lines.append(
                Path(f"/proc/{each}/cmdline").read_text(errors="replace").replace("\0", " ")
            )
    return lines


def wait_until_gone(processes, seconds=5):
    """Wait until none of the processes is alive and return those that still are."""
    end = time.monotonic() + seconds
    while True:
        left = {each: at for each, at in processes.items() if _started(each) == at}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def kill_all(processes):
    """Kill every process that is still alive."""
    for each, at in processes.items():
        if _started(each) == at:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


def _started(process):
    """Return the start time of a process, or None if it has ended or is a zombie."""
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19]
