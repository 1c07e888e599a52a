"""A small course with a folder of uploads, and `course watch` on it."""

import json
import os
import signal
import subprocess
import time

import pytest

from course.instructor.cli import main
from course.instructor.grading.submission import KERNELSPEC
from tests.conftest import BIN, cell, write_notebook
from tests.instructor.collect.conftest import Finished
from tests.instructor.grading import classes

NAME, FILE = classes.NAME, "small.ipynb"
STUB = cell("code", "# Your code here\nraise NotImplementedError('x')", "answer")


def notebook(answer):
    """Return the content of a submission with an answer."""
    cells = [cell("code", answer, "answer"), *classes.TESTS]
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content).encode()


class WatchedCourse:
    """A course directory, and a folder in which uploads arrive."""

    def __init__(self, root, capsys):
        self._capsys = capsys
        self.root = classes.create_course(root, classes.ANSWER, *classes.TESTS)
        write_notebook(root / "release" / NAME / FILE, [STUB, *classes.TESTS])
        self.uploads = root.parent / "uploads"
        self.uploads.mkdir()
        (root / "roster.csv").write_text("student,name\nada,Ada\nbob,Bob\ncy,Cy\n")

    def upload(self, path, content):
        """Put a file into the folder of uploads."""
        target = self.uploads / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def arguments(self, *more):
        """Return the arguments of a watch that looks at the folder often."""
        fixed = ("-C", self.root, "watch", self.uploads, "--interval", "0.3")
        return [str(each) for each in (*fixed, *more)]

    def once(self, *more):
        """Run `course watch --once` in this process, which saves seconds a test."""
        self._capsys.readouterr()
        code = main.main(self.arguments("--once", *more))
        printed = self._capsys.readouterr()
        return Finished(code, printed.out, printed.err)

    def score(self, student):
        """Return the points of a student."""
        found = classes.scores(self.root).get(student, {})
        return sum(grade[0] or 0 for name, grade in found.items() if name)

    def page(self, student):
        """Return the path of a student's feedback page."""
        return self.root / "feedback" / student / NAME / "small.html"


class RunningWatch:
    """A running `course watch`, and the lines that it has printed so far."""

    def __init__(self, course, log, *arguments):
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [BIN / "course", *course.arguments(*arguments)],
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    def text(self):
        """Return what the watch has printed."""
        return self.log.read_text()

    def wait_for(self, text, count=1, seconds=60):
        """Wait until a text has been printed so many times."""
        end = time.monotonic() + seconds
        while self.text().count(text) < count:
            assert time.monotonic() < end and self.process.poll() is None, self.text()
            time.sleep(0.05)

    def end(self, number=signal.SIGTERM):
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def course(tmp_path, capsys):
    """Return a course with a folder of uploads."""
    return WatchedCourse(tmp_path / "course", capsys)


@pytest.fixture
def watch(course, tmp_path):
    """Return a function that starts a watch; it is killed after the test."""
    started = []

    def start(*arguments):
        started.append(RunningWatch(course, tmp_path / "log", *arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
