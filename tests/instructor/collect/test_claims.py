"""Only the path of an upload says whose it is; two uploads that claim one person are reviewed."""

import json
import os
from datetime import datetime

import pytest
from nbgrader.utils import parse_utc

from course import packing
from course.packing.manifest import create_manifest
from tests.instructor.collect import platform_archives
from tests.instructor.collect.damages import damage
from tests.instructor.collect.platform_archives import zipped
from tests.instructor.collect.test_collection import FILE, NAME, WHOLE, other, submitted
from tests.submissions import solved

FOREIGN = other("someone else's answer")
EVIDENCE_NAME, EVIDENCE_FILE = "06-dropout-batchnorm", "dropout_batchnorm.ipynb"
BOB = f"Submissions/Bob Ross/{FILE}"
# What Ada uploads to her folder or to the shared one, beside Bob's upload.
FOREIGN_NAMES = {
    "in a zip": {"Ada Lovelace/work.zip": {f"Bob Ross - {FILE}": FOREIGN}},
    "a folder in a zip": {"Ada Lovelace/work.zip": {f"Bob Ross/{FILE}": FOREIGN}},
    "nbgrader's path in a zip": {"Ada Lovelace/work.zip": {f"x/bob/{NAME}/{FILE}": FOREIGN}},
    "Moodle's path in a zip": {
        "Ada Lovelace/work.zip": {platform_archives.moodle("Bob Ross", 1, FILE): FOREIGN}
    },
    "a zip in a zip": {"Ada Lovelace/work.zip": {"Bob Ross.zip": zipped({FILE: FOREIGN})}},
}


def with_roster(root):
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\nbob,Bob Ross\n")


@pytest.mark.parametrize("roster", [True, False], ids=["roster", "no roster"])
@pytest.mark.parametrize("kind", FOREIGN_NAMES)
def test_names_inside_an_archive_do_not_say_whose_it_is(root, collect, kind, roster):
    if roster:
        with_roster(root)
    ada, bob = ("ada", "bob") if roster else ("ada-lovelace", "bob-ross")
    own = {f"Submissions/{path}": zipped(files) for path, files in FOREIGN_NAMES[kind].items()}
    done = collect({BOB: WHOLE, **own})
    assert done.returncode == 0, done.stdout
    assert submitted(root) == {f"{ada}/{NAME}/{FILE}": FOREIGN, f"{bob}/{NAME}/{FILE}": WHOLE}


@pytest.mark.parametrize(
    "path",
    [f"Bob Ross - {FILE}", "Bob Ross.zip", platform_archives.canvas("Bob Ross", 4, 9, FILE)],
)
def test_two_uploads_that_claim_one_person_are_reviewed(root, collect, path):
    with_roster(root)
    content = zipped({FILE: FOREIGN}) if path.endswith(".zip") else FOREIGN
    done = collect({BOB: WHOLE, f"Submissions/{path}": content})
    assert done.returncode == 1
    assert "2 uploads could be from bob" in done.stdout
    assert "collect the right one with --student bob" in done.stdout
    assert submitted(root) == {}
    # The same file twice is no conflict.
    content = zipped({FILE: WHOLE}) if path.endswith(".zip") else WHOLE
    assert collect({BOB: WHOLE, f"Submissions/{path}": content}).returncode == 0


def test_a_path_that_names_two_people_is_reviewed(root, collect):
    with_roster(root)
    done = collect({BOB: WHOLE, f"Submissions/Ada Lovelace/Bob Ross - {FILE}": FOREIGN})
    assert done.returncode == 1
    assert "the path names ada and bob" in done.stdout
    assert submitted(root) == {f"bob/{NAME}/{FILE}": WHOLE}


@pytest.mark.parametrize("claim", ["parameter", "manifest"])
def test_a_name_inside_the_notebook_is_only_a_suggestion(root, collect, claim):
    notebook = json.loads(WHOLE)
    parameters = next(
        cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", ())
    )
    if claim == "parameter":
        parameters["source"] = ["student = 'Bob Ross'\n", *parameters["source"]]
    content = json.dumps(notebook).encode()
    manifest, _ = create_manifest({"student": "Bob Ross"}, {FILE: content})
    files = {FILE: content} | ({packing.MANIFEST: manifest} if claim == "manifest" else {})
    done = collect({f"Submissions/{name}": each for name, each in files.items()})
    assert done.returncode == 1
    says = "the notebook or its manifest says 'Bob Ross'"
    assert f"the student cannot be determined ({says})" in done.stdout
    assert submitted(root) == {}


def test_evidence_of_one_student_is_not_added_to_another(root, collect):
    with_roster(root)
    notebook = damage(solved(EVIDENCE_NAME), (), EVIDENCE_FILE)[0]
    members = {
        f"Submissions/Bob Ross - {EVIDENCE_FILE}": notebook,
        "Submissions/Ada Lovelace/evidence/iii.json": b"{}",
        "Submissions/iii.npz": b"npz",
    }
    done = collect(members)
    assert done.returncode == 1
    assert submitted(root) == {f"bob/{EVIDENCE_NAME}/{EVIDENCE_FILE}": notebook}
    assert "there is no notebook with it" in done.stdout
    assert "it belongs to no notebook" in done.stdout


def test_a_manifest_is_not_compared_with_the_files_of_others(root, collect):
    """A manifest in the common folder would otherwise read the files of the whole class."""
    with_roster(root)
    description = {"assignment": NAME}
    manifest, _ = create_manifest(description, {f"Bob Ross/{FILE}": WHOLE})
    done = collect({BOB: WHOLE, "Submissions/submission.json": manifest})
    assert done.returncode == 0, done.stdout
    assert submitted(root) == {f"bob/{NAME}/{FILE}": WHOLE}


# The time in nbgrader's file, and what is written to submitted/ or why it is not.
TIMES = {
    b"2026-03-01 12:00:00.000000 UTC": "2026-03-01 12:00:00.000000 UTC",
    b"\xef\xbb\xbf2026-03-01 12:00:00 UTC": "2026-03-01 12:00:00.000000 UTC",
    "2026-03-01 12:00:00 UTC\r\n".encode("utf-16"): "2026-03-01 12:00:00.000000 UTC",
    b"2026-03-01 12:00": "2026-03-01 12:00:00.000000 UTC",
    b"2026-03-01T12:00:00+01:00": "2026-03-01 11:00:00.000000 UTC",
    b"2026-07-01 12:00:00 Europe/Berlin": "2026-07-01 10:00:00.000000 UTC",
    b"2026-03-01 18:30 MEZ": "its time zone is unknown",
    b"2026-03-01 10:30:00 PST": "its time zone is unknown",
    b"01.03.2026 18:30": "is not a time that can be read",
    b"18:30": "is not a time that can be read",
    b"2026-02-30 18:30": "there is no such time",
    b"0001-01-01 00:00:00 UTC": "is not between the years 1970 and 2100",
    b"9999-12-31 23:59:59 UTC": "is not between the years 1970 and 2100",
    b"9" * 40: "is not a time that can be read",
    b"\xff\xfe\xfd": "is not a time that can be read",
}


@pytest.mark.parametrize("content", TIMES)
def test_a_submission_time_is_read_exactly_or_reviewed(root, collect, content):
    folder = f"submitted/ada/{NAME}"
    done = collect({f"{folder}/{FILE}": WHOLE, f"{folder}/timestamp.txt": content})
    found = submitted(root)
    assert found[f"ada/{NAME}/{FILE}"] == WHOLE
    written = found.get(f"ada/{NAME}/timestamp.txt", b"").decode().strip()
    if done.returncode == 0:
        assert written == TIMES[content]
        assert parse_utc(written) == datetime.fromisoformat(written.removesuffix(" UTC"))
    else:
        assert not written
        assert TIMES[content] in done.stdout
        assert "write it as 2026-03-01 18:00:00 UTC, in submitted/ada/02-mnist/" in done.stdout


def test_a_time_inside_a_students_archive_is_not_used(root, collect):
    packed = zipped({FILE: WHOLE, "timestamp.txt": b"2020-01-01 12:00:00 UTC"})
    done = collect({f"submitted/ada/{NAME}/work.zip": packed})
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"ada/{NAME}/{FILE}"}


@pytest.mark.parametrize("time", ["2026-13-45 99:99:99 UTC", "2026-03-01 12:00:00 FOO"])
def test_an_invalid_time_in_a_folder_name_is_reviewed(root, collect, time):
    """nbgrader's formgrader fails for the whole class if it cannot read the time."""
    ada = platform_archives.exchange("ada", NAME, "2026-03-01 12:00:00.000000", FILE)
    done = collect({ada: WHOLE, f"eve+{NAME}+{time}/{FILE}": FOREIGN})
    assert done.returncode == 1
    assert "the time in the folder's name is invalid" in done.stdout
    written = {path: content for path, content in submitted(root).items() if path.endswith(".txt")}
    assert written == {f"ada/{NAME}/timestamp.txt": b"2026-03-01 12:00:00.000000 UTC\n"}
    assert f"eve/{NAME}/{FILE}" not in submitted(root)


# Ada's upload, and one of Mallory, whose display name or folder makes it look like Ada's.
TWO_READINGS = {
    "Canvas": (f"adaada_1_100_{FILE}", f"adaada_1_999_2_101_{FILE}"),
    "Moodle": (
        f"Ada A_1_assignsubmission_file/{FILE}",
        f"Ada A_1_assignsubmission_file_2_assignsubmission_file/{FILE}",
    ),
    "Moodle, flat": (
        f"Ada A_1_assignsubmission_file_{FILE}",
        f"Ada A_1_assignsubmission_file_x_2_assignsubmission_file_{FILE}",
    ),
    "Moodle, exchange": (
        f"ada+{NAME}+2026-03-01 12:00:00 UTC/{FILE}",
        f"ada+{NAME}+2026-03-02 12:00:00 UTC+_2_assignsubmission_file/{FILE}",
    ),
}


@pytest.mark.parametrize("roster", [True, False], ids=["roster", "no roster"])
@pytest.mark.parametrize("kind", TWO_READINGS)
def test_a_name_that_can_be_read_in_several_ways_is_reviewed(root, collect, kind, roster):
    if roster:
        people = "ada,Ada A,1\nadaada,adaada,3\nmallory,Mallory,2\n"
        (root / "roster.csv").write_text(f"student,name,canvas\n{people}")
    own, foreign = TWO_READINGS[kind]
    done = collect({own: WHOLE, foreign: FOREIGN})
    assert done.returncode == 1
    assert "can be read in several ways" in done.stdout
    assert FOREIGN not in submitted(root).values()
    assert WHOLE in submitted(root).values()
    # Neither is it anybody's newest attempt in another download.
    collect({foreign: FOREIGN}, "--force", name="again.zip")
    assert FOREIGN not in submitted(root).values()


def test_a_name_with_numbers_is_read_if_the_roster_confirms_name_and_id(root, collect):
    member = {f"lovelaceada_4711_90210_2_{FILE}": WHOLE}
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\n")
    assert "can be read in several ways" in collect(member).stdout
    people = "ada,Ada Lovelace,4711\nbob,Bob Ross,4712\n"
    (root / "roster.csv").write_text(f"student,name,canvas\n{people}")
    assert collect(member).returncode == 0
    assert submitted(root) == {f"ada/{NAME}/{FILE}": WHOLE}


@pytest.mark.parametrize("own", [True, False], ids=["both", "only the other"])
def test_on_canvas_a_user_id_decides_against_a_display_name(root, collect, own):
    (root / "roster.csv").write_text("student,name,canvas\nada,Ada Lovelace,11\nbob,Bob Ross,12\n")
    foreign = platform_archives.canvas("Ada Lovelace", 66, 200, FILE)  # enrolled later
    members = {platform_archives.canvas("Ada Lovelace", 11, 199, FILE): WHOLE} if own else {}
    done = collect({foreign: FOREIGN, **members})
    assert done.returncode == 1
    assert "the roster has no student called 'lovelaceada'" in done.stdout
    assert submitted(root) == ({f"ada/{NAME}/{FILE}": WHOLE} if own else {})


def test_a_path_below_a_students_folder_is_not_nbgraders(root, collect):
    """Neither a notebook nor a time or evidence in it is anybody else's."""
    members = {f"{name}/{NAME}/{FILE}": other(name) for name in ("ada", "bob", "mallory")}
    inner = f"mallory/bob/{NAME}"
    time = b"2026-01-01 12:00:00 UTC"
    done = collect({**members, f"{inner}/{FILE}": FOREIGN, f"{inner}/timestamp.txt": time})
    assert done.returncode == 1
    assert done.stdout.count("the path looks like nbgrader's") == 2
    assert submitted(root) == members
    done = collect({**members, f"{inner}/timestamp.txt": time}, name="time.zip")
    assert done.returncode == 1
    assert submitted(root) == members


def test_evidence_that_grading_would_not_read_is_not_collected(root, collect):
    notebook = damage(solved(EVIDENCE_NAME), (), EVIDENCE_FILE)[0]
    files = {f"eve/evidence/{n}.npz": bytes(2**23) for n in range(9)}
    files |= {"eve/evidence/large.npz": bytes(9 * 2**20), "eve/evidence/x.json": bytes(2**20 + 1)}
    many = {f"mal/evidence/{n}.npz": b"" for n in range(201)}
    notebooks = {f"{name}/{EVIDENCE_FILE}": notebook for name in ("ada", "eve", "mal")}
    done = collect({**notebooks, **files, **many})
    assert done.returncode == 1
    for reason in (
        "is larger than 8 MB",
        "is larger than 1 MB",
        "more than 64 MB of evidence",
        "more than 200 evidence files",
    ):
        assert reason in done.stdout, reason
    found = submitted(root)
    assert f"ada/{EVIDENCE_NAME}/{EVIDENCE_FILE}" in found
    eves = [len(content) for path, content in found.items() if path.startswith("eve/")]
    assert sum(eves) <= 2**26 + len(notebook)
    assert sum(path.startswith("mal/") for path in found) == 201


ADA, EVE = f"Ada Lovelace/{FILE}", f"Eve Adams/{FILE}"
INNER = {
    "folder": f"Eve Adams/Ada Lovelace/{FILE}",
    "file": f"Eve Adams/Ada Lovelace - {FILE}",
    "nbgrader": f"Eve Adams/Ada Lovelace/{NAME}/{FILE}",
}


@pytest.mark.parametrize("kind", INNER)
def test_names_in_a_students_folder_do_not_say_whose_it_is(root, collect, kind):
    """Without a roster, with one, and with one that does not know the folder's name."""
    bob = f"Bob Ross/{FILE}"
    own = {ADA: other("Ada"), bob: WHOLE, EVE: other("Eve")}
    assert collect(own).returncode == 0
    before = submitted(root)
    assert len(before) == 3
    late = {INNER[kind]: FOREIGN, bob: WHOLE}
    for number, people in enumerate(("", "ada,Ada Lovelace", "ada,Ada Lovelace\neve,Eve Adams")):
        if people:
            (root / "roster.csv").write_text(f"student,name\nbob,Bob Ross\n{people}\n")
        done = collect(late, "--force", name=f"late{number}.zip", times=dict.fromkeys(late, 2e9))
        found = {key.partition("/")[0] for key, text in submitted(root).items() if text == FOREIGN}
        assert found <= {"eve-adams", "eve"}, done.stdout
        assert done.returncode == (1 if people else done.returncode), done.stdout
    done = collect(late | {EVE: WHOLE}, "--force", "--roster", root / "roster.csv", name="all.zip")
    assert submitted(root)[f"ada-lovelace/{NAME}/{FILE}"] == other("Ada")


def test_a_name_in_a_students_folder_is_a_reason_for_a_review(root, collect):
    bob = {f"Bob Ross/{FILE}": WHOLE}
    done = collect({**bob, ADA: other("Ada"), EVE: WHOLE, INNER["folder"]: FOREIGN})
    assert done.returncode == 1
    assert "2 uploads could be from eve-adams" in done.stdout
    found = submitted(root)
    assert found[f"ada-lovelace/{NAME}/{FILE}"] == other("Ada")
    assert f"eve-adams/{NAME}/{FILE}" not in found


def test_folders_in_students_folders_are_not_students(root, collect):
    members = {f"Ada/week 1/{FILE}": other("Ada"), f"Bob/homework/{FILE}": WHOLE}
    assert collect(members).returncode == 0
    assert submitted(root) == {f"ada/{NAME}/{FILE}": other("Ada"), f"bob/{NAME}/{FILE}": WHOLE}


def test_a_student_does_not_choose_the_submission_time(root, collect):
    """An assignment's folder in a folder of Google Drive is not nbgrader's layout."""
    eve = f"Eve Adams/{NAME}"
    time = b"2026-01-01 00:00:00 UTC"
    members = {f"{eve}/{FILE}": FOREIGN, f"{eve}/timestamp.txt": time, f"Bob Ross/{FILE}": WHOLE}
    assert collect(members).returncode == 0
    assert submitted(root).keys() == {f"eve-adams/{NAME}/{FILE}", f"bob-ross/{NAME}/{FILE}"}


PEOPLE = {"ada-lovelace": "Ada Lovelace", "bob-ross": "Bob Ross", "cy-young": "Cy Young"}
CLASSES = {
    "Drive": lambda name, number: f"{name} - {FILE}",
    "Moodle": lambda name, number: platform_archives.moodle(name, 500 + number, FILE),
    "Canvas": lambda name, number: platform_archives.canvas(name, 500 + number, number, FILE),
    "folders": lambda name, number: f"{name}/{FILE}",
}


@pytest.mark.parametrize("count", [3, 1])
@pytest.mark.parametrize("kind", CLASSES)
def test_the_folder_of_a_class_is_not_a_student(root, collect, kind, count):
    names = list(PEOPLE.values())[:count]
    path = CLASSES[kind]
    members = {f"CS101/{NAME}/{path(name, 1 + n)}": other(name) for n, name in enumerate(names)}
    done = collect(members)
    assert done.returncode == 0, done.stdout
    assert sorted(submitted(root).values()) == sorted(members.values())
    assert not any(key.startswith("CS101") for key in submitted(root))
    people = "".join(f"{key},{name}\n" for key, name in PEOPLE.items())
    (root / "roster.csv").write_text(f"student,name\n{people}")
    done = collect(members, "--force", name="again.zip")
    assert done.returncode == 0, done.stdout
    assert {f"{key}/{NAME}/{FILE}" for key in list(PEOPLE)[:count]} <= submitted(root).keys()


def test_folders_of_two_classes_are_reviewed(root, collect):
    names = {"CS101": ("Ada", "Bob"), "CS102": ("Cy", "Di")}
    for middle in ("", f"{NAME}/"):
        members = {
            f"{each}/{middle}{name} - {FILE}": other(name)
            for each, people in names.items()
            for name in people
        }
        done = collect(members, name=f"{len(middle)}.zip")
        assert done.returncode == 1
        assert "2 uploads could be from" in done.stdout
        assert submitted(root) == {}


@pytest.mark.parametrize("make", [platform_archives.moodle, platform_archives.canvas])
def test_a_display_name_that_is_another_students_login_names_nobody(root, collect, make):
    numbers = (503,) if make is platform_archives.moodle else (503, 901)
    (root / "roster.csv").write_text("student,name,login\nbob,Bob Jones,bjones7\neve,Eve A,eve9\n")
    done = collect({make("bjones7", *numbers, FILE): FOREIGN})
    assert done.returncode == 1
    assert "the roster has no student called 'bjones7'" in done.stdout
    assert submitted(root) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a file")
def test_a_folder_of_another_account_in_the_exchange_is_reviewed(root, collect_path):
    """Every student can make a folder in it, under any name and with any time."""
    inbound = root.parent / "inbound"

    def submit(student, hour, content, account):
        folder = inbound / f"{student}+{NAME}+2026-03-01 {hour}:00:00.000000 UTC"
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(content)
        for path in (folder, folder / FILE):
            os.chown(path, account, account)

    submit("bob", 12, other("old"), 1001)
    submit("bob", 13, WHOLE, 1001)
    submit("eve", 13, other("Eve"), 1002)
    assert collect_path(inbound).returncode == 0
    before = submitted(root)
    assert before[f"bob/{NAME}/{FILE}"] == WHOLE
    submit("bob", 14, FOREIGN, 1002)
    done = collect_path(inbound, "--force")
    assert done.returncode == 1
    assert "the folders of bob belong to 2 accounts" in done.stdout
    assert submitted(root) == before


COMMON = {
    "folders": {
        f"Homework One/Bob Ross/{FILE}": WHOLE,
        f"Homework One/Ada (nickname)/{FILE}": FOREIGN,
    },
    "file names": {
        f"Homework One/Bob Ross - {FILE}": WHOLE,
        f"Homework One/{FILE}": FOREIGN,
    },
    "Canvas": {
        f"Homework One/{platform_archives.canvas('Bob Ross', 4, 9, FILE)}": WHOLE,
        f"Homework One/{platform_archives.canvas('Ada (nickname)', 5, 10, FILE)}": FOREIGN,
    },
}


@pytest.mark.parametrize("kind", COMMON)
def test_the_folder_that_all_uploads_share_names_nobody(root, collect, kind):
    """A student whose name is that of the folder gets nobody's work, and no honest one suffers."""
    (root / "roster.csv").write_text("student,name\nbob,Bob Ross\nmallory,Homework One\n")
    done = collect(COMMON[kind])
    assert done.returncode == 1
    assert submitted(root) == {f"bob/{NAME}/{FILE}": WHOLE}
    assert "names mallory" not in done.stdout


@pytest.mark.parametrize("file_name", [FILE, "my final.ipynb"])
def test_the_folder_of_a_single_student_names_the_student(root, collect, file_name):
    with_roster(root)
    assert collect({f"Ada Lovelace/{file_name}": WHOLE}).returncode == 0
    assert submitted(root) == {f"ada/{NAME}/{FILE}": WHOLE}


@pytest.mark.parametrize("roster", [True, False], ids=["roster", "no roster"])
def test_a_folder_of_the_assignment_in_a_students_folder_changes_nothing(root, collect, roster):
    if roster:
        with_roster(root)
    ada, bob = ("ada", "bob") if roster else ("ada-lovelace", "bob-ross")
    paths = {f"Homework One/{name}/{NAME}/{FILE}" for name in ("Ada Lovelace", "Bob Ross")}
    done = collect(dict.fromkeys(paths, WHOLE))
    assert done.returncode == 0, done.stdout
    assert submitted(root) == {f"{each}/{NAME}/{FILE}": WHOLE for each in (ada, bob)}


@pytest.mark.parametrize("make", [platform_archives.moodle, platform_archives.canvas])
def test_late_work_with_another_assignment_is_reviewed(root, collect, make):
    """The platform enforced the deadline of the assignment to which the archive belongs."""
    late = damage(solved("01-convolution"), ())[0]
    people = ["Ada Lovelace", "Bob Ross", "Cy Young"]
    members = {
        make(name, 4 + n, *([9 + n] if make is platform_archives.canvas else []), FILE): WHOLE
        for n, name in enumerate(people)
    }
    extra = make("Cy Young", 6, *([20] if make is platform_archives.canvas else []), "extra.ipynb")
    done = collect({**members, extra: late})
    assert done.returncode == 1
    assert f"most students here submitted {NAME}: to accept this file, name both" in done.stdout
    assert {path.split("/")[1] for path in submitted(root)} == {NAME}
    # The printed command accepts the file, and all others again.
    (line,) = (line for line in done.stdout.splitlines() if "most students" in line)
    command = f"course collect {root.parent}/submissions.zip {NAME} 01-convolution"
    assert f": {command}  (" in line
    done = collect({**members, extra: late}, NAME, "01-convolution")
    assert done.returncode == 0, done.stdout
    assert {path.split("/")[1] for path in submitted(root)} == {NAME, "01-convolution"}


def test_a_notebook_of_an_assignment_that_is_not_named_is_reviewed(root, collect):
    members = {
        platform_archives.moodle("Ada Lovelace", 4, FILE): WHOLE,
        platform_archives.moodle("Bob Ross", 5, FILE): damage(solved("01-convolution"), ())[0],
    }
    done = collect(members, NAME)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if "manual review: " in line)
    command = f"course collect {root.parent}/submissions.zip {NAME} 01-convolution"
    reason = "this is a notebook of 01-convolution: to collect it, name 01-convolution too"
    assert line.startswith(
        f"01-convolution  bob-ross  flagged for manual review: {reason}: {command}  ("
    )
    assert {path.split("/")[1] for path in submitted(root)} == {NAME}
    assert collect(members, NAME, "01-convolution").returncode == 0
    assert {path.split("/")[1] for path in submitted(root)} == {NAME, "01-convolution"}


@pytest.mark.parametrize("name", ["notes.txt", ".DS_Store", "work.zip", "x.ipynb"])
def test_a_file_above_the_students_folders_stops_nothing(root, collect, name):
    with_roster(root)
    inner = {f"Class/Week 1/{each}/{FILE}": WHOLE for each in ("Ada Lovelace", "Bob Ross")}
    done = collect({name: b"", **inner})
    assert "flagged for manual review" in done.stdout or done.returncode == 0
    if name in ("notes.txt", ".DS_Store"):
        assert submitted(root) == {f"{each}/{NAME}/{FILE}": WHOLE for each in ("ada", "bob")}


def test_a_manifest_in_a_shared_folder_says_nothing_about_anybodys_notebook(root, collect):
    """Everybody who can upload to the folder can write it."""
    with_roster(root)
    names = [f"Ada Lovelace - {FILE}", f"Bob Ross - {FILE}"]
    forged = {"student": "Eve", "files": {names[0]: "0" * 64, "solution_from_Bob.ipynb": "1" * 64}}
    manifest = json.dumps(forged).encode()
    for members in (
        {names[0]: other("Ada"), names[1]: WHOLE},
        {names[0]: other("Ada"), f"x - {FILE}": WHOLE},
    ):
        files = {**members, "submission.json": manifest}
        done = collect({f"Homework/{name}": content for name, content in files.items()}, "--force")
        assert submitted(root)[f"ada/{NAME}/{FILE}"] == other("Ada")
        assert "since it was packed" not in done.stdout
        assert "Eve" not in done.stdout


def test_a_manifest_in_a_students_folder_is_compared_with_it(root, collect):
    with_roster(root)
    manifest, checksum = create_manifest({"assignment": NAME}, {FILE: WHOLE})
    members = {
        f"Homework/Ada Lovelace/{FILE}": other("Ada"),
        "Homework/Ada Lovelace/submission.json": manifest,
        f"Homework/Bob Ross/{FILE}": WHOLE,
        "Homework/Bob Ross/submission.json": manifest,
    }
    done = collect(members)
    assert f"ada  collected: changed since it was packed: {FILE}" in done.stdout
    assert f"bob  collected: checksum {checksum}" in done.stdout


# Ada's folder, with a mistake in her name.
UNKNOWN = {
    "folders": f"Homework/Ada Lovelase/{FILE}",
    "nbgrader's layout": f"Homework/Ada Lovelase/{NAME}/{FILE}",
    "submitted": f"submitted/adaa/{NAME}/{FILE}",
    "exchange": platform_archives.exchange("adaa", NAME, "2026-03-01 12:00:00.000000", FILE),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_a_folder_that_the_roster_does_not_contain_is_reviewed(root, collect, kind):
    with_roster(root)
    path = UNKNOWN[kind]
    bobs = path.replace("Ada Lovelase", "Bob Ross").replace("adaa", "bob")
    done = collect({path: FOREIGN, bobs: WHOLE})
    assert done.returncode == 1
    assert [path for path in submitted(root) if path.endswith(FILE)] == [f"bob/{NAME}/{FILE}"]
