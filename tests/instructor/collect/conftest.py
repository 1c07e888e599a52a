"""Fixtures of the collect tests: a course directory, and `course collect` run in this process."""

import shutil
from dataclasses import dataclass

import pytest

from course.instructor.cli import main
from tests.instructor.collect.platform_archives import zipped
from tests.submissions import ROOT


@dataclass
class Finished:
    """A finished command."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def root(tmp_path):
    """Return a course directory with the releases and no submission."""
    folder = tmp_path / "course"
    folder.mkdir()
    for name in ("source", "release"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    return folder


@pytest.fixture
def collect_path(root, capsys):
    """Return a function that runs `course collect` in this process, which saves seconds a test."""

    def run(path, *arguments):
        capsys.readouterr()
        code = main.main(["-C", str(root), "collect", str(path), *arguments])
        printed = capsys.readouterr()
        return Finished(code, printed.out, printed.err)

    return run


@pytest.fixture
def collect(root, collect_path):
    """Return a function that collects an archive with the given members."""

    def run(members, *arguments, name="submissions.zip", times=None):
        path = root.parent / name
        path.write_bytes(members if isinstance(members, bytes) else zipped(members, times))
        return collect_path(path, *arguments)

    return run
