"""The archives of every week are collected by one command, in any order and after any kill."""

import itertools
import json
import os
import shutil
from pathlib import Path

import pytest

from course.instructor.cli import main
from course.instructor.grading.journal import Journal
from tests.instructor.collect import platform_archives
from tests.instructor.collect.platform_archives import zipped
from tests.instructor.collect.test_collection import FILE, NAME, other, submitted
from tests.instructor.collect.test_newest_submission import untouched

WEEK = 7 * 86_400
START = 1_770_000_000
STUDENTS = {"ada": ("Ada Lovelace", 4711), "bob": ("Bob Ross", 4712), "cem": ("Cem Yılmaz", 4713)}
# What each student has submitted at the end of each week; None: nothing yet.
CONTENTS = {
    "ada": [other("ada 1"), other("ada 2"), other("ada 3")],
    "bob": [None, other("bob 2"), other("bob 2")],
    "cem": [other("cem 1"), other("cem 1"), untouched()],
}
FINAL = {"ada": other("ada 3"), "bob": other("bob 2"), "cem": other("cem 1")}


def weeks(platform):
    """Return the members of the archive of each week."""
    archives = []
    for week in range(3):
        members = {}
        for student, (name, number) in STUDENTS.items():
            content = CONTENTS[student][week]
            # Canvas gives each new submission a number; Moodle says nothing about the time.
            submission = [each for each in CONTENTS[student][: week + 1] if each is not None]
            attempt = 100 * number + len(set(submission))
            path = platform_archives.moodle(name, number, FILE)
            if platform == "Canvas":
                is_late = student == "ada" and week == 2
                path = platform_archives.canvas(name, number, attempt, FILE, is_late)
            if content is not None:
                members[path] = content
        # Both platforms write the time at which the archive is made.
        archives.append((members, dict.fromkeys(members, START + week * WEEK)))
    return archives


def state(root):
    """Return everything that a later command reads."""
    records = sorted((root / "originals" / "collected").rglob("*.json"))
    return submitted(root), {path.name: json.loads(path.read_text()) for path in records}


@pytest.fixture
def collect_week(root, collect):
    """Return a function that collects the archive of one week."""
    rows = [f"{student},{name},{number}" for student, (name, number) in STUDENTS.items()]
    (root / "roster.csv").write_text("\n".join(["student,name,canvas", *rows, ""]), "utf-8")

    def run(platform, week, *flags):
        members, times = weeks(platform)[week]
        return collect(members, *flags, name=f"week-{week}.zip", times=times)

    return run


@pytest.mark.parametrize("platform", ["Canvas", "Moodle"])
def test_the_archives_of_a_term_end_in_the_same_state_in_any_order(root, collect_week, platform):
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        for folder in ("submitted", "originals"):
            shutil.rmtree(root / folder, ignore_errors=True)
        for week in order:
            done = collect_week(platform, week)
            # Only a notebook without answers is for a person to decide about.
            flagged = "the notebook contains no answers" in done.stdout
            assert done.returncode == flagged, done.stdout
        expected = {f"{student}/{NAME}/{FILE}": content for student, content in FINAL.items()}
        assert submitted(root) == expected, order
        before = state(root)
        for week in order:
            done = collect_week(platform, week)
            assert "replaced" not in done.stdout
        assert state(root) == before, order


def test_a_late_mark_of_canvas_is_shown_and_kept(root, collect_week):
    collect_week("Canvas", 0)
    done = collect_week("Canvas", 2)
    line = next(line for line in done.stdout.splitlines() if "  ada  " in line)
    assert "collected: replaced an older submission; marked late by Canvas" in line
    assert "  bob  collected  (" in done.stdout
    (table,) = root.glob("originals/week-2-*/table.csv")
    assert "marked late by Canvas" in table.read_text("utf-8")
    assert "already collected: marked late by Canvas" in collect_week("Canvas", 2).stdout
    _, records = state(root)
    assert [each["is_late"] for each in records["ada.json"].values()] == [False, True]


def test_the_late_mark_of_the_newest_archive_counts(root, collect):
    """Canvas removes the mark if the due date changes."""
    for order in (("late.zip", "on-time.zip"), ("on-time.zip", "late.zip")):
        shutil.rmtree(root / "originals", ignore_errors=True)
        for name in order:
            is_late = name == "late.zip"
            path = platform_archives.canvas("Ada", 1, 5, FILE, late=is_late)
            when = START if is_late else START + WEEK
            assert collect({path: other()}, name=name, times={path: when}).returncode == 0
        _, records = state(root)
        (record,) = records["ada-1.json"].values()
        assert not record["is_late"], order


def killed_before(step, arguments):
    """Run `course` in a process that is killed before a change of a submission; False if it ends.

    A change is a file operation in submitted/ or in what originals/ contains about submissions.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    try:
        counter = itertools.count()
        folders = ("/submitted/", "/collected/", "/replaced/", "/resubmitted/")

        def killing(operation):
            def run(path, *others, **options):
                if any(each in f"{path}/" for each in folders) and next(counter) == step:
                    os.kill(os.getpid(), 9)
                return operation(path, *others, **options)

            return run

        for owner, names in {
            Path: ("mkdir", "rename", "replace", "touch", "write_bytes", "open"),
            shutil: ("copytree", "rmtree"),
        }.items():
            for name in names:
                setattr(owner, name, killing(getattr(owner, name)))
        os._exit(main.main(arguments))
    finally:
        os._exit(99)


@pytest.mark.slow
@pytest.mark.parametrize("flag", [None, "--force-older"], ids=["newer", "older"])
def test_after_a_kill_at_any_step_the_same_command_completes(root, collect, flag):
    old, new = (platform_archives.canvas("Ada", 1, number, FILE) for number in (5, 6))
    first, second = ({new: other("new")}, {old: other("old")})
    if not flag:
        first, second = second, first
    archive = root.parent / "second.zip"
    archive.write_bytes(zipped(second))
    assert collect(first, name="first.zip").returncode == 0
    start = {name: root.parent / f"start-{name}" for name in ("submitted", "originals")}
    for name, saved in start.items():
        shutil.copytree(root / name, saved)
    arguments = ["-C", str(root), "collect", str(archive), *filter(None, [flag])]
    assert main.main(arguments) == 0
    expected = state(root)
    for step in itertools.count():
        for name, saved in start.items():
            shutil.rmtree(root / name)
            shutil.copytree(saved, root / name)
        if not killed_before(step, arguments):
            break
        assert set(visible(root).values()) <= {other("old"), other("new")}, step
        assert main.main(arguments) == 0
        assert (visible(root), state(root)[1]) == expected, step
        assert Journal(root, NAME).ungraded() == {"ada-1"}
    assert step > 10


def visible(root):
    """Return the submissions, without what a killed process left in hidden folders."""
    return {name: content for name, content in submitted(root).items() if "/." not in name}
