import json
import shutil

import pytest

from tests.conftest import BIN, cell, run_command
from tests.submissions import ROOT

SOLUTION = (
    "def one():\n    ### BEGIN SOLUTION Return the number one.\n    return 1\n    ### END SOLUTION"
)
TEST = "assert one() == 1\n### BEGIN HIDDEN TESTS\nassert type(one()) is int\n### END HIDDEN TESTS"


@pytest.fixture
def course_copy(tmp_path):
    """Return a copy of the course's own sources and releases, without a gradebook."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    for folder in ("source", "release"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def contents(tree):
    return {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_the_committed_release_is_fresh(course_command):
    checked = course_command("release", "--check")
    assert checked.returncode == 0, checked.stderr
    assert "fresh: " in checked.stdout and "02-mnist" in checked.stdout


def test_nbgrader_and_course_compile_the_same(course_copy, course_command):
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
        (release / "left-over.txt").write_text("an old file")
        named = "release/01-small/left-over.txt"
    else:
        shutil.rmtree(release)
    before = contents(root)
    checked = course_command("-C", root, "release", "--check")
    assert checked.returncode == 1
    assert f"stale: {named} is not what source/ compiles to: run course release." in checked.stderr
    assert contents(root) == before, "--check must change nothing, the gradebook neither"


def test_a_stub_raises_with_its_own_instruction(small_course, course_command):
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


def test_a_source_that_does_not_compile_leaves_the_release_whole(small_course, course_command):
    root = small_course(cell("code", SOLUTION, "one"), cell("code", TEST, "test_one", points=1))
    assert course_command("-C", root, "release").returncode == 0
    before = contents(root / "release")
    source = root / "source" / "01-small" / "small.ipynb"
    source.write_text(source.read_text().replace("### END SOLUTION", ""))
    failed = course_command("-C", root, "release")
    assert failed.returncode == 1
    assert "course: source/01-small does not compile: " in failed.stderr
    assert "no end solution statement found" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert contents(root / "release") == before
