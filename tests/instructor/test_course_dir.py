"""The path of a course directory: nbgrader uses it as a regular expression and as a pattern."""

import shutil

import click
import pytest

from course.instructor.cli.commands import course
from course.instructor.cli.main import main
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

ARGUMENTS = {
    "publish": ["tree"],
    "site": ["pages"],
    "collect": ["mnist.ipynb"],
    "export": ["scores.csv"],
    "gradebook copy": ["sqlite:///copy.db"],
    "student drop": ["ada"],
    "student rename": ["ada", "eve"],
    "watch": ["."],
}


def create_course(root):
    """Create a course directory with one submission."""
    root.mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", root)
    solution = "### BEGIN SOLUTION Set two to 2.\ntwo = 2\n### END SOLUTION"
    test = cell("code", "assert two == 2", "test_two", 3)
    write_notebook(root / "source/01-small/small.ipynb", [cell("code", solution, "two"), test])
    submitted = [cell("code", "two = 2", "two"), test]
    write_notebook(root / "submitted/ada/01-small/small.ipynb", submitted)


def command_names(group):
    """Yield the names of the commands of a group and of its groups, such as "student drop"."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from (f"{name} {each}" for each in command_names(command))
        else:
            yield name


@pytest.mark.parametrize("character", ["[1]", "*", "?", "%20", "\n"])
def test_every_command_refuses_a_path_that_nbgrader_cannot_use(tmp_path, capsys, character):
    root = tmp_path / f"course {character}"
    create_course(root)
    for command in sorted(set(command_names(course)) - {"doctor"}):
        arguments = [*command.split(), *ARGUMENTS.get(command, [])]
        assert main(["-C", str(root), *arguments]) == 1, command
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"course: the path of the course directory, {str(root)!r}, contains")
        assert line.endswith(f"{character[0]!r}, which nbgrader cannot use: rename the folder.")
    assert main(["-C", str(root), "doctor", "gradebook"]) == 1
    assert capsys.readouterr().out.startswith(
        "missing gradebook   the path of the course directory"
    )
    assert not (tmp_path / "course ").exists() and not list(root.rglob("*.db"))


@pytest.mark.slow
def test_a_path_with_the_characters_of_regular_expressions_works(tmp_path, course_command):
    root = tmp_path / "course (1) a+b {x} $"
    create_course(root)
    for command in (["release"], ["grade"], ["feedback"], ["report"], ["export", root / "a.csv"]):
        finished = course_command("-C", root, *command)
        assert finished.returncode == 0, finished.stderr
    assert (
        "ada,,,,01-small,3" in (root / "a.csv").read_text() or ",3" in (root / "a.csv").read_text()
    )
    assert (root / "feedback/ada/01-small/small.html").is_file()
