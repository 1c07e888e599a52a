"""Writing a tree into a folder that has other content, or after an interrupted publication."""

import os
from pathlib import Path

import pytest

from course.errors import CourseError
from course.instructor.release import publisher
from tests.instructor.release.small_courses import contents, git

OLD = {"README.md": b"old\n", "course/a.py": b"a = 1\n", "course/old/b.py": b"b = 1\n"}
NEW = {"README.md": b"new\n", "course/a.py": b"a = 1\n", "course/new/c.py": b"c = 1\n"}


def without_manifest(tree):
    return {path: text for path, text in contents(tree).items() if path != publisher.MANIFEST}


def test_files_and_folders_that_are_no_longer_published_are_removed(tmp_path):
    publisher.write(tmp_path, OLD)
    (tmp_path / "course" / "mine.txt").write_text("mine")
    changes = publisher.write(tmp_path, NEW)
    assert sorted(changes.written) == ["README.md", "course/new/c.py"]
    assert changes.removed == ["course/old/b.py"] and changes.unchanged == ["course/a.py"]
    assert without_manifest(tmp_path) == NEW | {"course/mine.txt": b"mine"}
    assert not (tmp_path / "course" / "old").exists()


def test_the_manifest_depends_only_on_the_published_files(tmp_path):
    publisher.write(tmp_path / "one", OLD)
    publisher.write(tmp_path / "one", NEW)
    publisher.write(tmp_path / "two", dict(reversed(NEW.items())))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def killed_after(steps, directory, files):
    """Write in a process that is killed at a step; return whether it finished before."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    try:
        remaining = iter(range(steps))

        def killing(function):
            def step(*arguments, **keywords):
                if next(remaining, None) is None:
                    os.kill(os.getpid(), 9)
                return function(*arguments, **keywords)

            return step

        for name in ("chmod", "mkdir", "replace", "rmdir", "unlink", "write_bytes"):
            setattr(Path, name, killing(getattr(Path, name)))
        publisher.write(directory, files)
        os._exit(0)
    finally:
        os._exit(1)


def test_a_kill_at_any_step_loses_nothing_and_the_next_run_completes(tmp_path):
    expected = tmp_path / "expected"
    publisher.write(expected, NEW)
    (expected / "mine.txt").write_text("mine")
    steps, ended = 0, False
    while not ended:
        tree = tmp_path / f"killed-{steps}"
        publisher.write(tree, OLD)
        (tree / "mine.txt").write_text("mine")
        ended = killed_after(steps, tree, NEW)
        for path, text in without_manifest(tree).items():
            if not path.startswith(publisher.STAGING):
                versions = OLD.get(path), NEW.get(path), b"mine"
                assert text in versions, f"{path} after {steps} steps"
        publisher.check_folder(tree, tmp_path / "course")
        publisher.write(tree, NEW)
        assert contents(tree) == contents(expected), f"killed after {steps} steps"
        assert not (tree / publisher.STAGING).exists()
        steps += 1
    assert steps > 10


def test_a_kill_during_the_first_publication_loses_nothing(tmp_path):
    steps, ended = 0, False
    while not ended:
        tree = tmp_path / f"killed-{steps}"
        ended = killed_after(steps, tree, NEW)
        publisher.check_folder(tree, tmp_path / "course")
        publisher.write(tree, NEW)
        assert without_manifest(tree) == NEW, f"killed after {steps} steps"
        steps += 1
    assert steps > 8


@pytest.mark.parametrize("files", [NEW, {"course/a.py": OLD["course/a.py"]}])
def test_a_file_that_a_person_changed_is_neither_replaced_nor_removed(tmp_path, files):
    publisher.write(tmp_path, OLD)
    (tmp_path / "README.md").write_text("my own text")
    before = contents(tmp_path)
    with pytest.raises(
        CourseError,
        match=r"README.md has changed since it was published, and the change is not in git",
    ):
        publisher.write(tmp_path, files)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("state", ["untracked", "changed", "staged", "ignored", "committed"])
def test_in_a_checkout_only_committed_files_are_replaced(tmp_path, state):
    git(tmp_path, "init", "--initial-branch", "main")
    (tmp_path / "README.md").write_text("the first text")
    if state == "ignored":
        (tmp_path / ".gitignore").write_text("*.md\n")
    if state in ("changed", "committed"):
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--message", "First")
    if state == "changed":
        (tmp_path / "README.md").write_text("changed text")
    if state == "staged":
        git(tmp_path, "add", "--all")
    before = contents(tmp_path)
    if state == "committed":
        publisher.write(tmp_path, NEW)
        assert without_manifest(tmp_path) == NEW
        assert git(tmp_path, "show", "HEAD:README.md") == "the first text"
    else:
        with pytest.raises(
            CourseError,
            match=r"README.md has changed since it was published, and the change is not in git",
        ):
            publisher.write(tmp_path, NEW)
        assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", ["folder-linked", "file-linked", "file-for-folder", "folder"])
def test_links_and_folders_in_the_way_are_refused(tmp_path, kind):
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (outside / "new").mkdir(parents=True)
    (outside / "README.md").write_text("elsewhere")
    publisher.write(tree, {"LICENSE": b"MIT\n"})
    if kind == "folder-linked":
        (tree / "course").symlink_to(outside)
    elif kind == "file-linked":
        (tree / "README.md").symlink_to(outside / "README.md")
    elif kind == "file-for-folder":
        (tree / "course").write_text("a file")
    else:
        (tree / "README.md").mkdir()
    before = contents(tmp_path)
    with pytest.raises(CourseError, match=r"is in the way of"):
        publisher.write(tree, NEW)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("path", ["../mine.txt", "/etc/hosts", "course/../../mine.txt", ".git/x"])
def test_a_manifest_entry_outside_the_folder_is_refused(tmp_path, path):
    tree = tmp_path / "tree"
    publisher.write(tree, OLD)
    (tmp_path / "mine.txt").write_text("mine")
    with (tree / publisher.MANIFEST).open("a") as file:
        file.write(f"{'0' * 64}  {path}\n")
    with pytest.raises(CourseError, match=r"is damaged"):
        publisher.write(tree, NEW)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_two_publications_at_once_are_refused(tmp_path):
    with (
        publisher.exclusive_lock(tmp_path / publisher.STAGING, "no other process holds it"),
        pytest.raises(CourseError, match=r"another publication to .* is running"),
    ):
        publisher.write(tmp_path, NEW)
