"""`course publish` on small courses: what it refuses and what it leaves unchanged."""

import json
import os
import shutil

import pytest

from course import __version__
from course.errors import CourseError
from course.instructor.release import publisher, student_package
from tests.conftest import cell, write_notebook
from tests.instructor.release.small_courses import (
    ADDRESS,
    contents,
    create_course,
    git,
    publish,
    run_course,
    set_address,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return a compiled course directory with files that runs of its notebooks created."""
    root = create_course(tmp_path_factory.mktemp("small") / "course")
    for name in ("evidence/weights.npz", "results/run.json", "mine.keras", "submission.zip"):
        path = root / "source" / "01-small" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("return 3 - 2")
    assert run_course(root, "release").returncode == 0
    (root / "release" / "01-small" / "results").mkdir(exist_ok=True)
    (root / "release" / "01-small" / "results" / "later.json").write_text("{}")
    return root


@pytest.fixture
def course_copy(small, tmp_path):
    """Return a copy of the small course that a test may change."""
    return shutil.copytree(small, tmp_path / "course")


@pytest.fixture(scope="module")
def public(small, tmp_path_factory):
    """Publish the small course once; return the tree and the output of the command."""
    directory = tmp_path_factory.mktemp("public") / "new" / "tree"
    before = os.umask(0o077)
    try:
        return directory, publish(small, directory)
    finally:
        os.umask(before)


def test_outputs_of_runs_are_not_published_and_the_rest_is(public):
    released = {path for path in contents(public[0]) if path.startswith("release/")}
    assert released == {"release/01-small/small.ipynb", "release/01-small/heights.csv"}


def test_every_file_is_readable_for_all_and_has_unix_line_ends(public):
    for path in public[0].rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o644, path
        if path.is_file() and path.suffix != ".png":
            assert b"\r" not in path.read_bytes(), path
            assert path.read_bytes().endswith(b"\n"), path


def test_badges_and_the_install_cell_contain_the_address(public):
    readme = (public[0] / "README.md").read_text()
    on_github = ADDRESS.removeprefix("https://github.com/")
    notebook = f"github/{on_github}/blob/main/release/01-small/small.ipynb"
    assert f"(https://colab.research.google.com/{notebook})" in readme
    assert f"(https://console.paperspace.com/{notebook}?container=paperspace/" in readme
    assert f"(https://mybinder.org/v2/gh/{on_github}/main?urlpath=lab/tree/release)" in readme
    assert f"git+{ADDRESS}" in (public[0] / "release" / "01-small" / "small.ipynb").read_text()


def test_the_output_lists_the_changes_and_the_next_steps(public):
    directory, printed = public
    count = len(contents(directory)) - 1  # without the manifest
    assert "comparing release/01-small with what source/01-small compiles to\n" in printed
    assert f"version {__version__} in {directory}: {count} files written, 0 removed" in printed
    for command in ("init", "add --all", "commit", f"remote add origin {ADDRESS}", "push"):
        assert f"    git -C {directory} {command}" in printed


def test_a_second_publication_changes_nothing(small, public):
    directory, _ = public
    state = {path: path.stat().st_mtime_ns for path in [directory, *directory.rglob("*")]}
    before = contents(directory)
    printed = publish(small, directory)
    assert f"0 files written, 0 removed, {len(before) - 1} unchanged" in printed
    assert "Next" not in printed
    assert contents(directory) == before
    after = {path: path.stat().st_mtime_ns for path in [directory, *directory.rglob("*")]}
    assert after == state


def test_only_the_named_assignments_are_published(course_copy, tmp_path):
    tree = tmp_path / "tree"
    shutil.copytree(course_copy / "source" / "01-small", course_copy / "source" / "02-next")
    unreleased = run_course(course_copy, "publish", tree)
    assert unreleased.returncode == 1 and "course release 02-next" in unreleased.stderr
    publish(course_copy, tree, "01-small")
    assert {path.name for path in (tree / "release").iterdir()} == {"01-small"}
    assert "02-next" not in (tree / "README.md").read_text()
    first = contents(tree)
    # In the next week, both are published; a name that is left out is removed again.
    assert run_course(course_copy, "release", "02-next").returncode == 0
    publish(course_copy, tree, "01-small", "02-next")
    assert {path.name for path in (tree / "release").iterdir()} == {"01-small", "02-next"}
    assert "02-next" in (tree / "README.md").read_text()
    publish(course_copy, tree, "01-small")
    assert contents(tree) == first
    unknown = run_course(course_copy, "publish", tree, "03-none")
    assert unknown.returncode == 1 and "'03-none' is not an assignment" in unknown.stderr
    assert contents(tree) == first


def test_the_placeholder_is_refused(course_copy, tmp_path):
    set_address(course_copy, "https://github.com/YOUR_ORGANIZATION/cnns")
    refused = run_course(course_copy, "publish", tmp_path / "tree")
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "course: c.PublicAddress.url in nbgrader_config.py is still the placeholder"
    )
    assert "publish with --without-address" in refused.stderr
    assert not (tmp_path / "tree").exists()


def refuse(root, directory, reason):
    """Assert that a publication is refused with one sentence and changes nothing."""
    before = contents(root.parent)
    refused = run_course(root, "publish", directory)
    assert refused.returncode == 1
    assert refused.stderr.startswith("course: ") and refused.stderr.count("\n") == 1
    assert reason in refused.stderr
    after = {path: text for path, text in contents(root.parent).items() if ".pyc" not in path}
    assert after == {path: text for path, text in before.items() if ".pyc" not in path}


@pytest.mark.parametrize(
    ("directory", "reason"),
    [
        (".", "is in the course directory"),
        ("source", "is in the course directory"),
        ("release/public", "is in the course directory"),
        (".git/public", "is in the course directory"),
        ("..", "contains the course directory"),
        ("LICENSE", "is in the course directory"),
        ("../file", "is a file"),
        ("../full", "is not empty, and is neither an earlier publication nor a git checkout"),
        ("../other", "is a course directory itself"),
        ("../link", "is in the course directory"),
    ],
)
def test_a_wrong_folder_is_refused(course_copy, directory, reason):
    beside = course_copy.parent
    (beside / "file").write_text("a file")
    (beside / "full").mkdir()
    (beside / "full" / "thesis.txt").write_text("mine")
    (beside / "other").mkdir()
    (beside / "other" / "nbgrader_config.py").write_text("")
    (beside / "link").symlink_to(course_copy / "source")
    refuse(course_copy, course_copy / directory, reason)


def test_the_folder_build_of_a_course_directory_is_accepted(small):
    publisher.check_folder(small / "build" / "public", small)


def test_only_the_running_course_is_published(small, tmp_path, course_command):
    refused = course_command("-C", small, "publish", tmp_path / "tree")
    assert refused.returncode == 1
    assert f"{small} does not contain the running course package: publish" in refused.stderr


def test_a_stale_release_is_refused(course_copy, tmp_path):
    notebook = course_copy / "source" / "01-small" / "small.ipynb"
    notebook.write_text(notebook.read_text().replace("Return the number one", "Return 1"))
    refused = run_course(course_copy, "publish", tmp_path / "tree")
    assert refused.returncode == 1
    assert (
        "course: release/01-small/small.ipynb differs from what source/ compiles to: run course"
        " release 01-small" in refused.stderr
    )
    assert not (tmp_path / "tree").exists()


def refuse_before_comparing(root, directory, reason):
    refused = run_course(root, "publish", directory)
    assert refused.returncode == 1
    assert reason in refused.stderr and refused.stderr.count("\n") == 1
    assert refused.stdout == "" and not directory.exists()


def test_a_module_that_imports_instructor_code_is_refused(course_copy, tmp_path):
    module = course_copy / "course" / "checks.py"
    module.write_text(
        module.read_text() + "\n\ndef later():\n    import course.instructor.grading.job\n"
    )
    reason = (
        "course: course/checks.py imports course.instructor.grading.job, which is not published"
    )
    refuse_before_comparing(course_copy, tmp_path / "tree", reason)


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        (
            "course/checks.py",
            "from course.instructor.grading import job",
            "imports course.instructor.grading.job, which",
        ),
        (
            "course/checks.py",
            "from course import instructor",
            "imports course.instructor, which is not",
        ),
        (
            "course/plotting/charts.py",
            "from ..instructor import doctor",
            "imports course.instructor.doctor, which",
        ),
        (
            "course/plotting/charts.py",
            "from ..instructor.sandbox.messages import send",
            "imports course.instructor.sandbox.mess",
        ),
        ("course/training.py", "import nbgrader.api", "imports nbgrader.api, which students do"),
        ("course/training.py", "import keras\nimport papermill", "imports papermill, which"),
    ],
)
def test_every_kind_of_import_is_recognized(path, text, reason):
    with pytest.raises(CourseError, match=f"{path} {reason}"):
        student_package.check_module(path, text, ["keras", "numpy"])


def test_the_student_package_may_import_itself_and_its_dependencies():
    text = "import numpy as np\nfrom course import checks, setup\nfrom . import charts\nimport os"
    student_package.check_module("course/plotting/images.py", text, ["keras", "numpy"])


def test_a_notebook_that_imports_instructor_code_is_refused(course_copy, tmp_path):
    path = course_copy / "release" / "01-small" / "small.ipynb"
    code = "%matplotlib inline\nfrom course import instructor"
    notebook = json.loads(path.read_text())
    write_notebook(path, [*notebook["cells"], cell("code", code)])
    reason = (
        "course: release/01-small/small.ipynb imports course.instructor, which is not published"
    )
    refuse_before_comparing(course_copy, tmp_path / "tree", reason)


def test_an_unreadable_release_is_refused(course_copy, tmp_path):
    (course_copy / "release" / "01-small" / "small.ipynb").write_text('{"cells": [')
    reason = "course: cannot read the notebook release/01-small/small.ipynb: run course release"
    refuse_before_comparing(course_copy, tmp_path / "tree", reason)


def test_a_marker_that_was_not_removed_is_refused(course_copy, tmp_path):
    notes = course_copy / "release" / "01-small" / "notes.md"
    notes.write_text("### BEGIN HIDDEN TESTS\n")
    reason = (
        "course: release/01-small/notes.md contains 'BEGIN HIDDEN TESTS', which marks text that is"
        " not for students: remove the marked text from the source of this file, and publish again."
    )
    refuse_before_comparing(course_copy, tmp_path / "tree", reason)


def test_a_checkout_gets_a_clean_diff_and_keeps_its_own_files(course_copy, tmp_path):
    checkout = tmp_path / "checkout"
    for path, text in {"CNAME": "cnns.org", ".github/x.yml": "{}", "README.md": "# New"}.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(text)
    git(checkout, "init", "--initial-branch", "main")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--message", "Initial commit of the host")
    (checkout / "notes.txt").write_text("mine, and not committed")
    printed = publish(course_copy, checkout)
    assert "note:" not in printed
    assert f"git -C {checkout} push origin HEAD:main" in printed
    git(checkout, "add", "--all")
    git(checkout, "commit", "--message", "First")

    for folder in ("source", "release"):
        (course_copy / folder / "01-small" / "heights.csv").unlink()
        (course_copy / folder / "01-small" / "data").mkdir()
        (course_copy / folder / "01-small" / "data" / "weights.csv").write_text("a,1\n")
    helper = course_copy / "course" / "checks.py"
    helper.write_text(helper.read_text() + "# fixed\n")
    printed = publish(course_copy, checkout)
    assert "2 files written, 1 removed" in printed
    assert f"note: course/ has changed but is still version {__version__}" in printed
    assert git(checkout, "status", "--porcelain", "--untracked-files=all").splitlines() == [
        " M .published",
        " M course/checks.py",
        " D release/01-small/heights.csv",
        "?? release/01-small/data/weights.csv",
    ]
    assert (checkout / "CNAME").read_text() == "cnns.org"
    assert (checkout / ".github" / "x.yml").read_text() == "{}"
    assert (checkout / "notes.txt").read_text() == "mine, and not committed"


def test_a_history_that_contains_the_sources_is_refused(course_copy, tmp_path):
    checkout = tmp_path / "checkout"
    shutil.copytree(course_copy / "source", checkout / "source")
    git(checkout, "init", "--initial-branch", "main")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--message", "Everything")
    git(checkout, "rm", "--quiet", "-r", "source")
    git(checkout, "commit", "--message", "Gone?")
    refused = run_course(course_copy, "publish", checkout)
    assert refused.returncode == 1
    assert "contains the sources" in refused.stderr and "separate history" in refused.stderr
    assert contents(checkout) == {}


def test_a_published_notebook_equals_the_release(small, public):
    path = "release/01-small/small.ipynb"
    assert (public[0] / path).read_bytes() == (small / path).read_bytes()
    sources = ["".join(c["source"]) for c in json.loads((public[0] / path).read_text())["cells"]]
    assert "3 - 2" not in "".join(sources) and "is int" not in "".join(sources)
