"""Dropping students with `course student drop`."""

import io
import sys

import pytest

from course.instructor import unfinished_change
from course.instructor.collect import originals
from course.instructor.grading.journal import Journal
from course.instructor.unfinished_change import UnfinishedChange
from course.instructor.watch.record import all_files
from tests.instructor.students.conftest import (
    FILE,
    NAME,
    PAGES,
    mentions,
    rows_of,
    tree,
    watched_by,
)

TRACES = ("lovelace7", "Ada Lovelace", "Lovelace, Ada")


def test_nothing_of_a_student_remains_but_what_the_command_names(root, run):
    scores = rows_of(root)
    others = {path: content for path, content in tree(root).items() if b"Bob Ross" in content}
    done = run(root, "student", "drop", "lovelace7", "--yes")
    assert done.returncode == 0, done.stderr
    (archive,) = mentions(root, *TRACES)
    assert f"To do: {archive} is the archive of a class" in done.stdout
    assert "still contain" not in done.stdout
    root.joinpath(archive).unlink()
    assert not mentions(root, *TRACES), "as the output says, nothing else is left"
    # The others lose nothing but the pages.
    del scores["lovelace7"]
    assert rows_of(root) == scores
    rewritten = (originals.TABLE, "record.json")
    edited = {"roster.csv", *PAGES, *(path for path in others if path.endswith(rewritten))}
    kept = others.keys() - edited - {archive}
    assert len(kept) > 5
    assert all(root.joinpath(path).read_bytes() == others[path] for path in kept)
    assert (root / "times.csv").read_bytes() == b"Student;minutes\r\nbross5;10\r\n"
    assert Journal(root, NAME).pending_regrades() == ({"bross5"}, {"bross5", "curie"})
    # What they collected is still known.
    again = run(root, "collect", root / "submitted" / "bross5" / NAME / FILE, "--student", "bross5")
    assert "already collected" in again.stdout


def test_the_record_of_a_watched_folder_keeps_only_the_uploads_of_others(root, run):
    paths, _ = watched_by(root)
    own = [path for path in paths if "Ada Lovelace" in path]
    done = run(root, "student", "drop", "lovelace7", "--yes")
    assert watched_by(root) == ([each for each in paths if each not in own], ["bross5", "curie"])
    (folder,) = root.glob("originals/watched/*/")
    assert (
        f"To do: the folder of uploads whose record is {folder.relative_to(root)} contains files of"
        " lovelace7: delete them there, or the next course watch command collects them again."
    ) in done.stdout


def test_the_command_prints_what_it_will_delete_and_asks(root, run, monkeypatch):
    before = tree(root)
    for answer in ("n\n", ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        done = run(root, "student", "drop", "lovelace7")
        assert done.returncode == 1
        assert done.stdout.startswith("lovelace7:\n  submitted/lovelace7: 02-mnist\n")
        for line in (
            "  gradebook: 1 submission, 2 scores, 1 comment",
            "  roster.csv: the row of Ada Lovelace",
            "  originals/replaced/lovelace7: 1 submission",
        ):
            assert line in done.stdout.splitlines()
        assert done.stdout.splitlines()[-1].endswith("nothing was deleted")
        assert tree(root) == before
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert run(root, "student", "drop", "lovelace7").returncode == 0
    assert "lovelace7" not in rows_of(root)


def test_several_students_are_dropped_at_once(root, run):
    done = run(root, "student", "drop", "lovelace7", "bross5", "--yes")
    assert done.returncode == 0, done.stderr
    assert list(rows_of(root)) == ["curie"]
    assert "dropped: lovelace7, bross5" in done.stdout
    again = run(root, "student", "drop", "lovelace7", "bross5", "--yes")
    assert (again.returncode, again.stdout) == (0, "already dropped: lovelace7, bross5\n")
    left = mentions(root, *TRACES, "bross5", "Bob Ross")
    assert {root.joinpath(path).name for path in left} == {"submissions.zip"}


@pytest.mark.parametrize(
    ("student", "remedy"),
    [
        ("nobody", "check the spelling."),
        ("Lovelace7", "did you mean 'lovelace7'?"),
        ("..", "check the spelling."),
        ("bross5/02-mnist", "check the spelling."),
        ("README.md", "check the spelling."),
    ],
)
def test_an_unknown_student_is_an_error(root, run, student, remedy):
    (root / "autograded" / "README.md").touch()
    before = tree(root)
    # A known one in the same command is not dropped either.
    done = run(root, "student", "drop", "bross5", student, "--yes")
    assert done.returncode == 1
    assert done.stderr == (
        f"course: {student!r} is not a student of this course directory: {remedy}\n"
    )
    assert tree(root) == before


def test_a_student_who_is_only_in_the_roster_is_dropped(root, run):
    with (root / "roster.csv").open("a") as roster:
        roster.write("noether,Emmy Noether,\n")
    done = run(root, "student", "drop", "noether", "--yes")
    assert done.returncode == 0, done.stderr
    assert "noether" not in (root / "roster.csv").read_text()
    assert len(rows_of(root)) == 3


def test_a_row_of_the_platform_is_found_by_what_the_gradebook_knows(root, run):
    rows = ["Ada Lovelace,101,,al99,Mon", "Bob Ross,102,,bo99,Mon"]
    header = "Student,ID,SIS User ID,SIS Login ID,Section"
    (root / "roster.csv").write_text("\n".join([header, *rows]))
    assert run(root, "student", "drop", "lovelace7", "--yes").returncode == 0
    assert (root / "roster.csv").read_text() == f"{header}\n{rows[1]}"


def test_the_output_lists_files_that_still_mention_the_student(root, run):
    (root / "backup.csv").write_text("who,points\nada lovelace,5\n")
    (root / "notes").mkdir()
    (root / "notes" / "talk-with-lovelace7.txt").touch()
    (root / "notes" / "other.txt").write_text("lovelace77 and lovelace7-b")
    (root / "submitted" / "lovelace7-b" / NAME).mkdir(parents=True)
    done = run(root, "student", "drop", "lovelace7", "--yes")
    listed = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert listed[-2:] == ["backup.csv", "notes/talk-with-lovelace7.txt"]
    assert "notes/other.txt" not in done.stdout


def test_collections_that_do_not_say_whose_a_file_is_are_named(root, run):
    table = next(root.glob("originals/moodle-*/table.csv"))
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line.rpartition(",")[0] for line in lines))
    (root / "originals" / "killed" / "files").mkdir(parents=True)
    done = run(root, "student", "drop", "lovelace7", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"To do: originals/{table.parent.name} was saved by an older version" in done.stdout
    assert "To do: originals/killed was left by an interrupted course collect" in done.stdout


@pytest.mark.parametrize(
    "lock",
    [
        originals.exclusive,
        lambda root: Journal(root, NAME).exclusive(),
        lambda root: all_files(root)[0].exclusive(""),
    ],
    ids=["collect", "grade", "watch"],
)
def test_it_never_runs_beside_collecting_grading_or_watching(root, run, lock):
    before = tree(root)
    with lock(root):
        done = run(root, "student", "drop", "bross5", "--yes")
    assert done.returncode == 1
    assert "wait until" in done.stderr or "course watch is running, with its" in done.stderr
    assert tree(root) == before


def test_other_commands_wait_until_an_interrupted_change_is_completed(root, run):
    unfinished_change.begin(root, UnfinishedChange("rename", ["bross5", "bob"]))
    sentence = "course: 'course student rename bross5 bob' was interrupted: run that command again"
    for arguments in (
        ["collect", root.parent / "nothing"],
        ["grade", NAME],
        ["feedback", NAME],
        ["student", "drop", "bross5", "--yes"],
        ["student", "rename", "bross5", "rob"],
        ["gradebook", "copy", f"sqlite:///{root}/copy.db"],
    ):
        (root.parent / "nothing").mkdir(exist_ok=True)
        done = run(root, *arguments)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith(sentence), arguments
    assert run(root, "student", "rename", "bross5", "bob").returncode == 0
    assert run(root, "student", "drop", "bob", "--yes").returncode == 0


def test_without_a_gradebook_none_is_created(root, run):
    (root / "gradebook.db").unlink()
    assert run(root, "student", "drop", "lovelace7", "--yes").returncode == 0
    assert not list(root.glob("*.db"))
