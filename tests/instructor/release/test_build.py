import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest

from course.instructor.release import build
from tests.conftest import BIN, cell, run_command, write_notebook
from tests.submissions import ROOT

SOLUTION = (
    "def one():\n    ### BEGIN SOLUTION Return the number one.\n    return 1\n    ### END SOLUTION"
)
TEST = "assert one() == 1\n### BEGIN HIDDEN TESTS\nassert type(one()) is int\n### END HIDDEN TESTS"


@pytest.fixture
def course_copy(tmp_path):
    """Return a copy of the sources and releases of this course, without a gradebook."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    for folder in ("source", "release"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def contents(tree):
    return {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_the_committed_releases_are_up_to_date(course_command):
    checked = course_command("release", "--check")
    assert checked.returncode == 0, checked.stderr
    assert "up to date: " in checked.stdout and "02-mnist" in checked.stdout


def test_nbgrader_and_course_compile_the_same_release(course_copy, course_command):
    committed = contents(course_copy / "release" / "02-mnist")
    shutil.rmtree(course_copy / "release")
    generated = run_command(BIN / "nbgrader", "generate_assignment", "02-mnist", cwd=course_copy)
    assert generated.returncode == 0, generated.stderr
    by_nbgrader = contents(course_copy / "release" / "02-mnist")
    assert course_command("release", "02-mnist", cwd=course_copy).returncode == 0
    by_course = contents(course_copy / "release" / "02-mnist")
    assert by_nbgrader == by_course == committed


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_a_stale_release_is_named_and_fails(small_course, course_command, change):
    root = small_course(cell("code", SOLUTION, "one"), cell("code", TEST, "test_one", points=1))
    assert course_command("-C", root, "release").returncode == 0
    assert course_command("-C", root, "release", "--check").returncode == 0
    release = root / "release" / "01-small"
    named = "release/01-small/small.ipynb"
    if change == "edited":
        path = root / "source" / "01-small" / "small.ipynb"
        path.write_text(path.read_text().replace("the number one", "number one"))
    elif change == "added":
        (release / "outdated.txt").write_text("an old file")
        named = "release/01-small/outdated.txt"
    else:
        shutil.rmtree(release)
    before = contents(root)
    checked = course_command("-C", root, "release", "--check")
    assert checked.returncode == 1
    assert (
        f"stale: {named} differs from what source/ compiles to: run course release."
        in checked.stderr
    )
    assert contents(root) == before, "--check must change nothing, including the gradebook"


def test_a_stub_raises_its_instruction(small_course, course_command):
    root = small_course(
        cell("code", SOLUTION, "one"),
        cell("code", TEST, "test_one", points=1),
        cell("code", "### BEGIN SOLUTION\ntwo = 2\n### END SOLUTION", "two"),
    )
    assert course_command("-C", root, "release").returncode == 0
    released = json.loads((root / "release" / "01-small" / "small.ipynb").read_text())
    one, test_one, two = ("".join(each["source"]) for each in released["cells"])
    assert one.endswith('    raise NotImplementedError("Return the number one.")')
    assert test_one == "assert one() == 1"
    assert two.endswith("raise NotImplementedError('Your answer.')")


def test_a_source_that_does_not_compile_leaves_the_release_unchanged(small_course, course_command):
    root = small_course(cell("code", SOLUTION, "one"), cell("code", TEST, "test_one", points=1))
    assert course_command("-C", root, "release").returncode == 0
    before = contents(root / "release")
    source = root / "source" / "01-small" / "small.ipynb"
    source.write_text(source.read_text().replace("### END SOLUTION", ""))
    failed = course_command("-C", root, "release")
    assert failed.returncode == 1
    assert f"{source}: cell 1 (one) has BEGIN SOLUTION without END SOLUTION" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert contents(root / "release") == before


def test_a_kill_at_any_step_leaves_a_whole_release(small_course, monkeypatch):
    root = small_course(cell("code", "1"))
    release = root / "release" / "01-small"
    new = nbformat.writes(nbformat.v4.new_notebook())

    def compile_new(root, name, directory, database=None):
        folder = Path(directory, name)
        folder.mkdir(parents=True)
        (folder / "small.ipynb").write_text(new)
        return folder

    monkeypatch.setattr(build, "_compile", compile_new)
    steps, finished = 0, False
    while not finished:
        shutil.rmtree(root / "release", ignore_errors=True)
        release.mkdir(parents=True)
        (release / "small.ipynb").write_text("old")
        (release / "outdated.txt").write_text("old")
        finished = finishes_before(steps, lambda: build.build(root, "01-small"))
        names = {path.name: path.read_text() for path in release.iterdir()}
        assert names in (
            {"small.ipynb": "old", "outdated.txt": "old"},
            {"small.ipynb": new},
        ), f"killed after {steps} steps"
        # The next run completes it and leaves nothing else behind.
        build.build(root, "01-small")
        assert [path.name for path in (root / "release").iterdir()] == ["01-small"]
        assert [path.name for path in release.iterdir()] == ["small.ipynb"]
        steps += 1
    assert steps > 5


def finishes_before(steps, function):
    """Call a function in a process that is killed after some file operations; False if it was."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    try:
        remaining = iter(range(steps))

        def killing(operation):
            def step(*arguments, **keywords):
                if next(remaining, None) is None:
                    os.kill(os.getpid(), 9)
                return operation(*arguments, **keywords)

            return step

        for owner, names in {
            Path: ("mkdir", "rename", "replace", "unlink"),
            os: ("mkdir", "rename", "rmdir", "unlink"),
            shutil: ("copy2", "copytree", "rmtree"),
        }.items():
            for name in names:
                setattr(owner, name, killing(getattr(owner, name)))
        function()
        os._exit(0)
    finally:
        os._exit(1)


BACKUPS = ("small.ipynb~", "small.ipynb.orig", "small.ipynb.BAK", ".small.ipynb.swp", "small.py")
BACKUPS += ("old/small.ipynb", ".~small.ipynb", "#small.ipynb#", "notes.txt")


def test_no_copy_of_the_source_reaches_students(small_course, course_command):
    """A copy contains the hidden tests: it is neither released nor in a student's process."""
    listing = "assert one() == 1, one()"
    root = small_course(
        cell("code", SOLUTION, "one"), cell("code", f"{listing}\n{TEST}", "test_one", points=1)
    )
    source = root / "source" / "01-small"
    for name in BACKUPS:
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(source / "small.ipynb", source / name)
    (source / "data").mkdir()
    (source / "data" / "heights.csv").write_text("170")
    released = course_command("-C", root, "release")
    assert released.returncode == 0, released.stderr
    assert "not for students: #small.ipynb#, notes.txt, old/small.ipynb, " in released.stdout
    names = [path.as_posix() for path in contents(root / "release" / "01-small")]
    assert sorted(names) == ["data/heights.csv", "small.ipynb"]
    submitted = "from pathlib import Path\nfound = sorted(map(str, Path().rglob('*.*')))\n"
    submitted += "def one():\n    return found"
    folder = root / "submitted" / "ada" / "01-small"
    write_notebook(
        folder / "small.ipynb",
        [cell("code", submitted, "one"), cell("code", TEST, "test_one", points=1)],
    )
    assert course_command("-C", root, "grade").returncode == 0
    graded = (root / "autograded" / "ada" / "01-small" / "small.ipynb").read_text()
    assert "heights.csv" in graded
    assert "small.py" not in graded and "notes.txt" not in graded and "small.ipynb~" not in graded


def test_a_second_notebook_is_named_in_one_sentence(small_course, course_command):
    root = small_course(cell("code", SOLUTION, "one"), cell("code", TEST, "test_one", points=1))
    source = root / "source" / "01-small"
    submitted = root / "submitted" / "ada" / "01-small"
    submitted.mkdir(parents=True)
    shutil.copy(source / "small.ipynb", submitted)
    shutil.copy(source / "small.ipynb", source / "copy.ipynb")
    for command in ("release", "grade"):
        failed = course_command("-C", root, command, "01-small")
        assert failed.returncode == 1
        assert "source/01-small has 2 notebooks (copy.ipynb, small.ipynb), but" in failed.stderr
        assert "Traceback" not in failed.stderr
