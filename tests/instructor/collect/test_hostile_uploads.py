"""No upload stops the collection of a class or changes what others submitted."""

import contextlib
import csv
import os
import shutil
import subprocess
import zipfile
from itertools import islice
from pathlib import Path

import pytest

from course.errors import CourseError
from course.instructor.collect import (
    archive_reader,
    notebook_reader,
    originals,
    submission_finder,
    submitted_folder,
)
from course.instructor.sandbox import forkserver_client
from course.instructor.sandbox.kernel_client import EngineError
from tests.instructor.collect.damages import damage
from tests.instructor.collect.hostile_uploads import FILE, UPLOADS
from tests.instructor.collect.platform_archives import people, zipped
from tests.instructor.collect.test_collection import NAME, NOTEBOOK, WHOLE, other, submitted

HONEST = ["Ada Lovelace", *islice((name for name in people(60) if "Lovelace" not in name), 29)]

EVES = other("Eve's answer")


def write_roster(root):
    """Write a roster with the honest students s0, s1, ... and the others h0, h1, ..."""
    rows = [f"s{n},{name}" for n, name in enumerate(HONEST)]
    rows += [f"h{n},Eve {'abcdefghijklmnopqrstuvwxyz'[n]}" for n in range(len(UPLOADS))]
    (root / "roster.csv").write_text("student,name\n" + "\n".join(rows) + "\n", encoding="utf-8")


def honest_members():
    """Return the honest uploads to a Drive folder: copies, damaged files, and one archive."""
    damaged = damage(NOTEBOOK, ["metadata missing", "Windows line endings"])[0]
    members = {}
    for n, name in enumerate(HONEST):
        content = damaged if n % 5 == 1 else other(f"The answer of {name}.")
        file = f"Copy of {FILE}" if n % 7 == 2 else FILE
        members[f"Submissions/{name}/{file}"] = content
        if n % 10 == 3:
            members[f"Submissions/{name}/work.zip"] = zipped({FILE: content})
    return members


def hostile_members(name, n):
    """Return the members of one hostile upload, and a part of its printed line."""
    files, reason = UPLOADS[name](WHOLE)
    folder = f"Eve {'abcdefghijklmnopqrstuvwxyz'[n]}"
    return {f"Submissions/{folder}/{path}": content for path, content in files.items()}, reason


def rows(root):
    """Return the rows of the newest table."""
    tables = (root / "originals").rglob("table.csv")
    table = max(tables, key=lambda path: path.stat().st_mtime)
    return list(csv.DictReader(table.open(encoding="utf-8-sig", newline="")))


@pytest.mark.parametrize("name", UPLOADS)
def test_a_hostile_upload_ends_at_itself(root, collect, name):
    write_roster(root)
    own, reason = hostile_members(name, list(UPLOADS).index(name))
    ada = {f"Submissions/Ada Lovelace/{FILE}": WHOLE}
    done = collect({**own, **ada})
    assert "Traceback" not in done.stdout + done.stderr
    assert submitted(root)[f"s0/{NAME}/{FILE}"] == WHOLE
    assert {path.split("/")[0] for path in submitted(root)} <= {
        "s0",
        f"h{list(UPLOADS).index(name)}",
    }
    found = [row for row in rows(root) if row["student"] != "s0"]
    assert any(reason in f"{row['status']}: {row['details']}" for row in found), found
    assert done.returncode == int(any("manual review" in row["status"] for row in found))


def test_the_notebooks_of_one_upload_have_a_budget_of_processor_time(root, collect, monkeypatch):
    write_roster(root)
    monkeypatch.setattr(notebook_reader, "UPLOAD_CPU_SECONDS", 0.001, raising=False)
    many = zipped({f"v{n}.ipynb": other(str(n)) for n in range(5)})
    members = {"Submissions/Eve a/work.zip": many, f"Submissions/Ada Lovelace/{FILE}": WHOLE}
    done = collect(members)
    assert done.returncode == 1
    assert submitted(root)[f"s0/{NAME}/{FILE}"] == WHOLE
    found = [row["details"] for row in rows(root) if row["student"] == "h0"]
    assert sum("the other notebooks of the upload took" in each for each in found) == 4


@pytest.mark.parametrize("slow", [["Eve a"], ["Eve a", "Ada Lovelace"]], ids=["one", "all"])
def test_a_file_for_which_the_machine_was_too_busy_costs_nobody_else_anything(
    root, collect, monkeypatch, slow
):
    write_roster(root)
    read = notebook_reader.read

    def read_or_be_late(releases, content, budget, others):
        if any(f"of {name}".encode() in content for name in slow):
            raise EngineError("the machine was too busy.")
        return read(releases, content, budget, others)

    monkeypatch.setattr(notebook_reader, "read", read_or_be_late)
    names = ["Ada Lovelace", "Eve a"]
    done = collect({f"Submissions/{name}/{FILE}": other(f"Work of {name}") for name in names})
    assert done.returncode == 1
    if len(slow) == 1:
        assert f"s0/{NAME}/{FILE}" in submitted(root)
        (row,) = (row for row in rows(root) if row["student"] == "h0")
        assert row["details"] == "the machine was too busy."
    else:  # no single file is the reason
        assert done.stderr == "course: the machine was too busy.\n"
        assert submitted(root) == {}


@pytest.mark.parametrize("file_name", ["x{n}.zip", "b_5_{n}_x.zip"])
def test_file_names_that_look_like_a_platforms_share_one_budget(
    root, collect, monkeypatch, file_name
):
    """Canvas writes the student's name and numbers before the name that the student chose."""
    monkeypatch.setattr(originals, "MAX_FILES", 1200)
    many = zipped({f"{n}.txt": b"" for n in range(400)})
    members = {f"mallory_66_{n}_{file_name.format(n=n)}": many for n in range(3)}
    # The largest upload comes last, and it would find nothing left.
    work = {f"{n}.txt": os.urandom(4000) for n in range(100)} | {FILE: WHOLE}
    honest = {"lovelaceada_11_900_work.zip": zipped(work)}
    collect({**members, **honest})
    found = {r["file"]: r["details"] for r in rows(root) if "manual" in r["status"]}
    assert not any("lovelace" in name for name in found), found
    reasons = [details for name, details in found.items() if name in members]
    assert sum("has more than 500 files" in each for each in reasons) == 2, reasons


def test_many_uploads_of_one_student_leave_the_others_their_share(root, collect, monkeypatch):
    """In a folder of Drive, each loose file is an upload of its own."""
    monkeypatch.setattr(originals, "MAX_FILES", 1200)
    many = zipped({f"{n}.txt": b"" for n in range(400)})
    members = {f"Homework/Mallory M - {n}.zip": many for n in range(3)}
    work = {f"{n}.txt": os.urandom(4000) for n in range(100)} | {FILE: WHOLE}
    done = collect({**members, "Homework/Ada Lovelace.zip": zipped(work)})
    assert submitted(root)[f"ada-lovelace/{NAME}/{FILE}"] == WHOLE, done.stdout


def test_what_the_other_uploads_leave_is_named(root, collect, monkeypatch):
    monkeypatch.setattr(originals, "MAX_FILES", 3)
    work = zipped({FILE: WHOLE, "a.txt": b"", "b.txt": b""})
    done = collect({"lovelaceada_11_900_mnist.ipynb": WHOLE, "hoppergrace_12_901_work.zip": work})
    assert done.returncode == 1
    assert "the other uploads leave 2 files and" in done.stdout
    assert submitted(root)[f"lovelaceada-11/{NAME}/{FILE}"] == WHOLE


def processor_seconds():
    """Return the processor time of this process and of all processes below it, also ended ones."""
    parents, seconds = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # a process that has ended
            fields = path.read_text().rpartition(")")[2].split()
            number = int(path.parent.name)
            parents[number] = int(fields[1])
            seconds[number] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    below = {os.getpid()}
    while more := {each for each, parent in parents.items() if parent in below} - below:
        below |= more
    return sum(seconds[each] for each in below)


@pytest.fixture
def own_forkservers(monkeypatch):
    """Give a test forkservers of its own, because it ends them."""
    monkeypatch.setattr(forkserver_client, "_shared", {})
    yield
    forkserver_client.stop_shared()
    forkserver_client.allow_shared()


@pytest.mark.slow
@pytest.mark.usefixtures("own_forkservers")
def test_a_class_is_collected_as_without_hostile_uploads(root, collect, collect_path):
    write_roster(root)
    honest, hostile = honest_members(), {}
    for n, name in enumerate(list(UPLOADS)[:20]):
        hostile |= hostile_members(name, n)[0]
    found, seconds = {}, {}
    collect({f"Ada Lovelace/{FILE}": WHOLE})  # imports what both runs need
    members = {"without": honest, "with": {**hostile, **honest}}
    # Other work on the machine only adds time: the faster of two runs counts.
    for kind in [*members, *members]:
        for folder in ("submitted", "originals"):
            shutil.rmtree(root / folder, ignore_errors=True)
        # As in a command of its own, the process that forks the readers is started first.
        forkserver_client.stop_shared()
        forkserver_client.allow_shared()
        archive = root.parent / f"{kind}.zip"
        archive.write_bytes(zipped(members[kind]))
        start = processor_seconds()
        done = collect_path(archive, NAME)
        taken = processor_seconds() - start
        seconds[kind] = min(taken, seconds.get(kind, taken))
        assert done.stderr == ""
        assert done.returncode == (kind == "with"), done.stdout
        found[kind] = {k: v for k, v in submitted(root).items() if k.startswith("s")}
    assert len(found["without"]) == len(HONEST)
    assert found["with"] == found["without"]
    named = {row["file"].split("/")[1] for row in rows(root)}
    assert named == {path.split("/")[1] for path in {**hostile, **honest}}
    assert seconds["with"] < 1.5 * seconds["without"], seconds


def test_a_hostile_folder_ends_at_itself(root, collect_path, tmp_path):
    """On disk: 1,300 nested folders, names that are no text, a link, a pipe, and a secret file."""
    write_roster(root)
    inbox = tmp_path / "inbox"
    for name in ("Ada Lovelace", "Eve a"):
        (inbox / name).mkdir(parents=True)
    (inbox / "Ada Lovelace" / FILE).write_bytes(WHOLE)
    deep = os.open(inbox / "Eve a", os.O_RDONLY)
    for _ in range(1300):
        os.mkdir("d", dir_fd=deep)
        deep, above = os.open("d", os.O_RDONLY, dir_fd=deep), deep
        os.close(above)
    os.close(deep)
    (inbox / "Eve a" / os.fsdecode(b"\xff\xfe.ipynb")).write_bytes(b"{")
    (inbox / "Eve a" / "linked.ipynb").symlink_to("/dev/zero")
    os.mkfifo(inbox / "Eve a" / "pipe.ipynb")
    done = collect_path(inbox)
    subprocess.run(["rm", "-r", inbox / "Eve a"], check=True)  # rmtree exceeds the recursion limit
    assert done.returncode == 1
    assert done.stderr == ""
    assert submitted(root) == {f"s0/{NAME}/{FILE}": WHOLE}
    for reason in (
        "more than 32 levels",
        "not a complete notebook",
        "a link",
        "not a regular file",
    ):
        assert reason in done.stdout


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("odd"), None])
@pytest.mark.parametrize("place", ["write_atomically", "read", "_add_attempt", "write"])
def test_an_unexpected_error_ends_at_its_file(root, collect, monkeypatch, place, error):
    write_roster(root)
    module = {"write_atomically": originals, "read": notebook_reader, "write": submitted_folder}
    owner = module.get(place, submission_finder.SubmissionFinder)
    original, error = getattr(owner, place), error or MemoryError()

    def fail(*arguments, **options):
        if any(concerns_eve(each) for each in arguments):
            raise error
        return original(*arguments, **options)

    monkeypatch.setattr(owner, place, fail)
    members = {f"Submissions/Eve a/{FILE}": EVES, f"Submissions/Ada Lovelace/{FILE}": WHOLE}
    done = collect(members)
    assert done.returncode == 1
    assert submitted(root) == {f"s0/{NAME}/{FILE}": WHOLE}
    (row,) = (row for row in rows(root) if row["student"] == "h0")
    assert row["status"] == "flagged for manual review"
    assert type(error).__name__ in row["details"]


def concerns_eve(value):
    """Return whether an argument of a function is Eve's notebook, id, or file."""
    is_file = isinstance(value, originals.SavedFile) and "Eve a" in value.file.parts
    return is_file or value in (EVES, "h0")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627.ipynb", ""),
        ("10.30\u202fPM\xa0(1).ipynb", ""),
        ("a\nb.ipynb", "the name contains control characters"),
    ],
)
def test_the_same_names_are_accepted_in_a_folder_and_in_an_archive(tmp_path, name, problem):
    folder, archive = tmp_path / "folder", tmp_path / "archive.zip"
    folder.mkdir()
    (folder / name).write_bytes(b"{}")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, b"{}")
    for path in (folder, archive):
        (found,) = archive_reader.list_files(path)
        assert found.problem.startswith(problem)
        assert bool(found.problem) == bool(problem)


def test_a_name_in_a_wrong_encoding_is_not_called_a_damaged_archive(tmp_path):
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("foto\xe9.png", b"x")
    archive.write_bytes(archive.read_bytes().replace("\xe9".encode(), b"\xe9x"))
    with pytest.raises(CourseError, match="a file name in an invalid encoding: unpack it"):
        archive_reader.list_files(archive)
