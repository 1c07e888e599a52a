"""The platforms' times and numbers decide which submission is newer, not the order of commands."""

import json
import os

import pytest

from course import packing
from course.instructor.grading.journal import Journal
from course.packing.manifest import create_manifest
from tests.instructor.collect import platform_archives
from tests.instructor.collect.platform_archives import zipped
from tests.instructor.collect.test_collection import FILE, NAME, other, submitted
from tests.submissions import ROOT

OLD, NEW = other("old"), other("new")
DAY = 86_400
TIME = 1_770_000_000
KEY = f"ada/{NAME}/{FILE}"


def exchange(day):
    return platform_archives.exchange("ada", NAME, f"2026-03-0{day} 12:00:00.000000", FILE)


def canvas(number):
    return platform_archives.canvas("Ada Lovelace", 4711, number, FILE)


def moodle(name="Ada Lovelace"):
    return platform_archives.moodle(name, 17, FILE)


# The old and the new member and their times; None: no time, as in an archive without one.
PAIRS = {
    "Canvas, by number": (canvas(90200), canvas(90210), TIME + DAY, TIME),
    "Moodle, by time": (moodle(), moodle(), TIME, TIME + DAY),
    "nbgrader, by its time": (exchange(1), exchange(2), TIME + DAY, TIME),
    "Drive, by time": (f"Ada Lovelace/{FILE}", f"Ada Lovelace/{FILE}", TIME, TIME + DAY),
    "from Moodle to Canvas": (moodle(), canvas(5), TIME, TIME + DAY),
    "from Canvas to Drive": (canvas(5), f"Ada Lovelace/{FILE}", TIME, TIME + DAY),
}


@pytest.fixture
def collect_old_and_new(root, collect):
    """Return functions that collect the old and the new archive of a pair."""
    (root / "roster.csv").write_text("student,name,canvas\nada,Ada Lovelace,4711\n")

    def make(pair):
        old, new, old_time, new_time = PAIRS[pair]

        def collect_one(name, path, content, when, *flags):
            return collect({path: content}, *flags, name=name, times={path: when})

        return (
            lambda *flags: collect_one("old.zip", old, OLD, old_time, *flags),
            lambda *flags: collect_one("new.zip", new, NEW, new_time, *flags),
        )

    return make


PLATFORMS = ["Canvas, by number", "Moodle, by time"]
OTHERS = ["from Moodle to Canvas", "from Canvas to Drive"]


def replaced(root):
    """Return the contents of the replaced notebooks."""
    return {path.read_bytes() for path in (root / "originals" / "replaced").rglob(FILE)}


@pytest.mark.parametrize("pair", PLATFORMS)
def test_a_newer_submission_of_a_platform_replaces_an_older_one_and_never_the_reverse(
    root, collect_old_and_new, pair
):
    collect_old, collect_new = collect_old_and_new(pair)
    assert collect_old().returncode == 0
    done = collect_new()
    assert done.returncode == 0
    assert "02-mnist  ada  collected: replaced an older submission" in done.stdout
    assert submitted(root)[KEY] == NEW
    assert replaced(root) == {OLD}
    assert Journal(root, NAME).ungraded() == {"ada"}
    for flags in ([], ["--force"]):
        done = collect_old(*flags)
        assert done.returncode == 0
        assert "older attempt: a newer submission exists: add --force-older" in done.stdout
        assert submitted(root)[KEY] == NEW
    done = collect_old("--force-older")
    assert "replaced a newer submission" in done.stdout
    assert submitted(root)[KEY] == OLD
    assert replaced(root) == {OLD, NEW}


@pytest.mark.parametrize("pair", PLATFORMS)
def test_a_submission_that_a_person_replaced_by_an_older_one_does_not_come_back(
    root, collect, collect_old_and_new, pair
):
    collect_old, collect_new = collect_old_and_new(pair)
    for run in (collect_old, collect_new, lambda: collect_old("--force-older")):
        assert run().returncode == 0
    done = collect_new()
    assert done.returncode == 1
    assert "an older submission exists: add --force to replace it" in done.stdout
    assert submitted(root)[KEY] == OLD
    path = PAIRS[pair][1]
    path = {canvas(90210): canvas(90220)}.get(path, path)
    done = collect({path: other("newest")}, name="newest.zip", times={path: TIME + 2 * DAY})
    assert "collected: replaced an older submission" in done.stdout
    assert submitted(root)[KEY] == other("newest")


@pytest.mark.parametrize("pair", ["Drive, by time", "nbgrader, by its time"])
def test_a_newer_file_whose_owner_is_uncertain_needs_force(root, collect_old_and_new, pair):
    """Anybody can write a name into a shared folder, and a copy has the time of copying."""
    collect_old, collect_new = collect_old_and_new(pair)
    assert collect_old().returncode == 0
    done = collect_new()
    assert done.returncode == 1
    assert "an older submission exists: add --force to replace it" in done.stdout
    done = collect_new("--force")
    assert "replaced an older submission" in done.stdout
    assert submitted(root)[KEY] == NEW
    assert "a newer submission exists" in collect_old("--force").stdout
    assert submitted(root)[KEY] == NEW


@pytest.mark.parametrize("pair", OTHERS)
def test_submissions_of_two_platforms_are_not_compared(root, collect_old_and_new, pair):
    """The time in an archive from Canvas or Moodle is the one at which it was made."""
    collect_old, collect_new = collect_old_and_new(pair)
    assert collect_old().returncode == 0
    done = collect_new()
    assert done.returncode == 1
    assert "a different submission exists: add --force to replace it" in done.stdout
    assert submitted(root)[KEY] == OLD
    assert "replaced a different submission" in collect_new("--force").stdout
    assert submitted(root)[KEY] == NEW


@pytest.mark.parametrize("platform", ["Canvas", "Moodle"])
def test_another_person_with_the_name_of_a_student_replaces_nothing(root, collect, platform):
    """Students choose the names that they show; the platform's number is that of a person."""
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\n")
    own = {"Canvas": canvas(5), "Moodle": moodle()}[platform]
    foreign = {
        "Canvas": platform_archives.canvas("Ada Lovelace", 666, 6, FILE),
        "Moodle": platform_archives.moodle("Ada Lovelace", 666, FILE),
    }[platform]
    assert collect({own: OLD}, name="old.zip", times={own: TIME}).returncode == 0
    done = collect({foreign: NEW}, name="new.zip", times={foreign: TIME + DAY})
    assert done.returncode == 1
    assert "an older submission exists: add --force to replace it" in done.stdout
    assert submitted(root)[KEY] == OLD


def test_an_unpacked_archive_of_moodle_needs_force(root, collect_path):
    """A program that unpacks an archive may give every file the time of unpacking."""
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\n")
    for folder, content, when in (("new", NEW, TIME), ("old", OLD, TIME + DAY)):
        path = root.parent / folder / moodle()
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        os.utime(path, (when, when))
    assert collect_path(root.parent / "new").returncode == 0
    assert collect_path(root.parent / "old").returncode == 1
    assert submitted(root)[KEY] == NEW


def test_only_the_same_account_replaces_a_submission_in_nbgraders_exchange(root, collect_path):
    """Everybody can make a folder with the name of any student."""
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another account")
    days = (1, OLD, 1001), (2, NEW, 1002), (3, other("day 3"), 1001), (4, other("day 4"), 0)
    for day, content, account in days:
        path = root.parent / f"day-{day}" / exchange(day)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        os.chown(path, account, account)
    assert collect_path(root.parent / "day-1").returncode == 0
    for day, expected in ((2, OLD), (4, OLD), (3, other("day 3"))):
        done = collect_path(root.parent / f"day-{day}")
        is_same = day == 3
        assert done.returncode == (0 if is_same else 1)
        assert ("replaced an older submission" in done.stdout) == is_same
        assert ("an older submission exists: add --force to replace it" in done.stdout) != is_same
        assert submitted(root)[KEY] == expected


def test_two_notebooks_in_an_archive_of_moodle_are_not_compared_by_its_times(root, collect):
    """They say in which order Moodle wrote the files."""
    one, two = moodle(), platform_archives.moodle("Ada Lovelace", 17, "my mnist.ipynb")
    done = collect({one: OLD, two: NEW}, times={one: TIME, two: TIME + 10})
    assert done.returncode == 1
    assert done.stdout.count("several attempts differ, and none is clearly the newest") == 2


def test_a_submission_that_a_person_replaced_is_not_compared(root, collect_old_and_new):
    collect_old, collect_new = collect_old_and_new("Moodle, by time")
    assert collect_new().returncode == 0
    (root / "submitted" / KEY).write_bytes(other("from an email"))
    done = collect_old()
    assert done.returncode == 1
    assert "a different submission exists" in done.stdout


def test_a_date_that_a_student_writes_does_not_decide(root, collect):
    """In 2099, an attempt would stay the newest for ever."""
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\n")
    description = {"assignment": NAME, "packed_at": "2099-01-01 12:00:00 UTC"}
    manifest, _ = create_manifest(description, {FILE: OLD})
    members = {FILE: OLD, packing.MANIFEST: manifest}
    packed = zipped(members, dict.fromkeys(members, 4_070_908_800))
    old, new = "Ada Lovelace/old.zip", f"Ada Lovelace/{FILE}"
    done = collect({old: packed, new: NEW}, times={old: TIME, new: TIME + DAY})
    assert done.returncode == 0
    assert submitted(root)[KEY] == NEW
    done = collect({old: packed}, "--force", name="again.zip", times={old: TIME})
    assert "a newer submission exists" in done.stdout
    assert submitted(root)[KEY] == NEW


def test_an_attempt_of_the_future_counts_as_one_of_today(root, collect):
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\n")
    path = f"Ada Lovelace/{FILE}"
    assert collect({path: OLD}, times={path: 4_000_000_000}).returncode == 0
    (record,) = (root / "originals" / "collected").rglob("ada.json")
    (submission,) = json.loads(record.read_text()).values()
    assert submission["recency"]["time"] < 4_000_000_000


def untouched(student="None"):
    """Return the released notebook, whose settings a student may have changed."""
    notebook = json.loads((ROOT / "release" / NAME / FILE).read_bytes())
    settings = next(
        cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())
    )
    settings["source"] = [*settings["source"], f"\nstudent = {student}"]
    return json.dumps(notebook).encode()


@pytest.mark.parametrize("content", [untouched(), untouched("'Ada'")], ids=["untouched", "named"])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_notebook_without_answers_replaces_none(root, collect, pair, content):
    """The course folder, submitted with the next assignment, contains older notebooks."""
    (root / "roster.csv").write_text("student,name,canvas\nada,Ada Lovelace,4711\n")
    old, new, old_time, new_time = PAIRS[pair]
    assert collect({old: OLD}, name="old.zip", times={old: old_time}).returncode == 0
    for flags in ([], ["--force"]):
        done = collect({new: content}, *flags, name="new.zip", times={new: new_time})
        assert done.returncode == 1
        assert "flagged for manual review: the notebook contains no answers" in done.stdout
        assert submitted(root)[KEY] == OLD
    done = collect({new: content}, "--force-older", name="new.zip", times={new: new_time})
    assert done.returncode == 0
    assert submitted(root)[KEY] == content


@pytest.mark.parametrize("is_newer", [True, False], ids=["newer", "older"])
def test_a_notebook_without_answers_is_not_chosen_before_one_with_answers(root, collect, is_newer):
    (root / "roster.csv").write_text("student,name,canvas\nada,Ada Lovelace,4711\n")
    done = collect({canvas(10): OLD, canvas(11 if is_newer else 9): untouched()})
    assert submitted(root)[KEY] == OLD
    status = "flagged for manual review: the notebook" if is_newer else "older attempt: saved"
    assert done.returncode == is_newer
    assert status in done.stdout
    # Alone, it is a submission like any other.
    assert collect({canvas(9): untouched()}, "--student", "bob", name="b.zip").returncode == 0
