"""`course collect` on archives and folders as platforms export them."""

import csv
import itertools
import json
import os
import resource
import shutil
import unicodedata
from pathlib import Path

import pytest

from course import packing
from course.packing.manifest import create_manifest
from tests.conftest import cell, write_notebook
from tests.instructor.collect import platform_archives
from tests.instructor.collect.damages import damage
from tests.instructor.collect.platform_archives import zipped
from tests.submissions import ROOT, read_fixtures, solved, trainings

NAME, FILE = "02-mnist", "mnist.ipynb"
NOTEBOOK = solved(NAME)
WHOLE = damage(NOTEBOOK, ())[0]


def submitted(root):
    """Return the files in submitted/ as path -> content."""
    folder = root / "submitted"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def other(text="another answer"):
    """Return the file of a solved notebook with a different last cell."""
    changed = json.loads(WHOLE)
    changed["cells"][-1]["source"] = [text]
    return damage(changed, ())[0]


PLATFORMS = {
    "Canvas": {platform_archives.canvas("Ada Lovelace", 4711, 90210, FILE): WHOLE},
    "Canvas, late": {platform_archives.canvas("Ada Lovelace", 4711, 90210, FILE, late=True): WHOLE},
    "Canvas, a name with an underscore": {"lovelace_byronada_4711_90210_mnist.ipynb": WHOLE},
    "Moodle": {platform_archives.moodle("Ada Lovelace", 17, FILE): WHOLE},
    "Moodle, newer": {f"Ada Lovelace_17_assignsubmission_file/{FILE}": WHOLE},
    "Moodle, flat": {f"Ada Lovelace_17_assignsubmission_file_{FILE}": WHOLE},
    "Drive": {platform_archives.drive("Ada Lovelace", FILE): WHOLE},
    "Drive, copies": {platform_archives.drive("Ada Lovelace", "Copy of mnist (1).ipynb"): WHOLE},
    "folders": {f"Submissions 2/Ada Lovelace/{FILE}": WHOLE, "Submissions 2/README.txt": b"x"},
    "exchange": {
        platform_archives.exchange("ada", NAME, "2026-03-01 12:00:00.000000", FILE): WHOLE
    },
    "submitted": {f"submitted/ada/{NAME}/{FILE}": WHOLE},
    "a student's zip": {
        platform_archives.canvas("Ada Lovelace", 4711, 90210, "my work.zip"): zipped(
            {f"work/{FILE}": WHOLE}
        )
    },
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_export_of_each_platform_is_collected(root, collect, platform):
    (root / "roster.csv").write_text(
        "student,name,canvas\nada,Ada Lovelace,4711\nbob,Bob Ross,4712\n"
    )
    done = collect(PLATFORMS[platform])
    assert done.returncode == 0, done.stdout + done.stderr
    found = submitted(root)
    found.pop(f"ada/{NAME}/timestamp.txt", None)
    assert found == {f"ada/{NAME}/{FILE}": WHOLE}
    assert f"missing in {NAME}: bob" in done.stdout


def test_a_member_of_a_group_that_submitted_is_not_missing(root, collect):
    (root / "roster.csv").write_text("student,name\nada,Ada\nbob,Bob\ncy,Cy\ndora,Dora\n")
    (root / "groups.csv").write_text("group,student\nred,ada\nred,bob\nblue,cy\nblue,dora\n")
    done = collect({FILE: WHOLE}, "--student", "ada")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"missing in {NAME}: cy, dora\n" in done.stdout


@pytest.mark.parametrize(
    ("platform", "student"),
    [
        ("Canvas", "lovelaceada-4711"),
        ("Moodle", "ada-lovelace"),
        ("Drive", "ada-lovelace"),
        ("folders", "ada-lovelace"),
        ("exchange", "ada"),
    ],
)
def test_without_a_roster_the_student_id_comes_from_the_platforms_name(
    root, collect, platform, student
):
    assert collect(PLATFORMS[platform]).returncode == 0
    assert f"{student}/{NAME}/{FILE}" in submitted(root)


def test_a_folder_and_a_single_notebook_are_collected(root, collect_path):
    inbox = root.parent / "inbox"
    (inbox / "ada").mkdir(parents=True)
    (inbox / "ada" / "mnist (2).ipynb").write_bytes(WHOLE)
    (inbox / "bob.ipynb").write_bytes(other())
    done = collect_path(inbox)
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"ada/{NAME}/{FILE}", f"bob/{NAME}/{FILE}"}
    done = collect_path(inbox / "bob.ipynb", "--student", "eve")
    assert done.returncode == 0, done.stdout
    assert submitted(root)[f"eve/{NAME}/{FILE}"] == other()


def test_the_newest_attempt_counts_and_the_others_are_saved(root, collect):
    old, new = other("old"), other("new")
    for kind, members in {
        "Canvas": {
            platform_archives.canvas("Ada Lovelace", 1, 90210, "mnist-1.ipynb"): new,
            platform_archives.canvas("Ada Lovelace", 1, 90200, "mnist.ipynb"): old,
        },
        "exchange": {
            platform_archives.exchange("ada", NAME, "2026-03-02 12:00:00.000000", FILE): new,
            platform_archives.exchange("ada", NAME, "2026-03-01 12:00:00.000000", FILE): old,
        },
        "times": {"ada/mnist.ipynb": new, "ada/mnist (1).ipynb": old},
    }.items():
        times = {"ada/mnist.ipynb": 1_770_000_000, "ada/mnist (1).ipynb": 1_760_000_000}
        done = collect(members, "--student", kind.lower(), name=f"{kind}.zip", times=times)
        assert done.returncode == 0, done.stdout
        assert submitted(root)[f"{kind.lower()}/{NAME}/{FILE}"] == new
        assert "older attempt" in done.stdout
        saved = [path.read_bytes() for path in (root / "originals").rglob("*.ipynb")]
        assert old in saved


@pytest.mark.parametrize(
    ("archive", "manifest_name"),
    [("mnist-submission.zip", packing.MANIFEST), ("mnist-hand-in.zip", "hand-in.json")],
    ids=["present", "earlier version"],
)
def test_a_packed_attempt_does_not_count_as_newer_than_a_later_notebook(
    root, collect, archive, manifest_name
):
    old, new = other("old"), other("new")
    description = {"assignment": NAME, "packed_at": "2026-01-01 12:00:00 UTC"}
    manifest, checksum = create_manifest(description, {FILE: old})
    packed = zipped({FILE: old, manifest_name: manifest})
    done = collect({archive: packed}, "--student", "ada", name="packed.zip")
    assert f"checksum {checksum}" in done.stdout
    members = {f"ada/{archive}": packed, f"ada/{FILE}": new}
    times = dict.fromkeys(members, 1_772_000_000)  # in February
    done = collect(members, "--student", "ada", "--force", times=times)
    assert done.returncode == 0, done.stdout
    assert submitted(root)[f"ada/{NAME}/{FILE}"] == new


def test_anonymous_names_of_canvas_are_student_ids(root, collect):
    done = collect({"LATE_anon_x7Gq2_90210_mnist.ipynb": WHOLE, "anon_k1_90211_mnist.ipynb": WHOLE})
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"anon-x7gq2/{NAME}/{FILE}", f"anon-k1/{NAME}/{FILE}"}


def test_a_folder_that_contains_the_course_is_refused(root, collect_path):
    for path in (root, root.parent):
        done = collect_path(path)
        assert done.returncode == 1
        assert "contains the course directory" in done.stderr
    assert submitted(root) == {}


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_an_upload_without_files_is_refused(tmp_path, root, collect_path, kind):
    if kind == "folder":
        path = tmp_path / "empty"
        (path / NAME).mkdir(parents=True)
    else:
        path = tmp_path / "empty.zip"
        path.write_bytes(zipped({}))
    done = collect_path(path)
    assert done.returncode == 1
    assert f"{path} contains no files: name the folder or archive of submissions." in done.stderr
    assert submitted(root) == {}


def test_a_file_that_is_not_kept_is_listed_in_the_table(tmp_path, root, collect_path):
    path = tmp_path / "notes"
    path.write_bytes(zipped({}))
    done = collect_path(path)
    assert "1 files: 1 skipped" in done.stdout, done.stdout + done.stderr
    assert Path(done.stdout.split("list of all files: ")[1].strip()).is_file()


def test_the_table_contains_no_spreadsheet_formula(root, collect):
    collect({"=HYPERLINK(1).ipynb": b"{", **PLATFORMS["Moodle"]})
    (table,) = (root / "originals").rglob("table.csv")
    assert "'=HYPERLINK" in table.read_text(encoding="utf-8")


def test_two_attempts_with_the_same_time_are_flagged(root, collect):
    members = {"ada/mnist.ipynb": other("one"), "ada/my mnist.ipynb": other("two")}
    done = collect(members, "--student", "ada", times=dict.fromkeys(members, 1_770_000_000))
    assert done.returncode == 1
    assert "none is clearly the newest" in done.stdout
    assert submitted(root) == {}


def test_nothing_is_overwritten_without_force_and_nothing_is_lost_with_it(root, collect):
    members = {f"submitted/ada/{NAME}/{FILE}": WHOLE}
    assert collect(members).returncode == 0
    again = collect(members)
    assert again.returncode == 0
    assert "already collected" in again.stdout
    newer = {f"submitted/ada/{NAME}/{FILE}": other()}
    refused = collect(newer)
    assert refused.returncode == 1
    assert "--force" in refused.stdout
    assert submitted(root) == {f"ada/{NAME}/{FILE}": WHOLE}
    assert collect(newer, "--force").returncode == 0
    assert submitted(root) == {f"ada/{NAME}/{FILE}": other()}
    replaced = root / "originals" / "replaced" / "ada"
    assert [path.read_bytes() for path in replaced.rglob(FILE)] == [WHOLE]


def test_a_submission_that_a_killed_command_moved_aside_is_not_overwritten(root, collect):
    members = {f"submitted/ada/{NAME}/{FILE}": WHOLE}
    assert collect(members).returncode == 0
    folder = root / "submitted" / "ada" / NAME
    folder.rename(folder.with_name(f".{NAME}.old"))
    refused = collect({f"submitted/ada/{NAME}/{FILE}": other()})
    assert "--force" in refused.stdout
    assert submitted(root) == {f"ada/{NAME}/{FILE}": WHOLE}


def test_every_original_is_saved_unchanged(root, collect):
    content = zipped(PLATFORMS["Moodle"] | {"notes.pdf": b"pdf"})
    collect(content)
    saved = [path.read_bytes() for path in (root / "originals").rglob("*") if path.is_file()]
    assert content in saved
    assert WHOLE in saved


def test_a_damaged_notebook_is_repaired_and_its_line_says_how(root, collect):
    content, _ = damage(
        NOTEBOOK, ["metadata and ids missing", "Windows line endings", "byte-order mark"]
    )
    done = collect({platform_archives.drive("Ada", "Copy of mnist (1).ipynb"): content})
    assert done.returncode == 0
    (line,) = (line for line in done.stdout.splitlines() if "  ada  " in line)
    for note in (
        "repaired",
        "byte-order mark",
        "by text",
        "Windows line endings",
        "Copy of mnist",
    ):
        assert note in line


def test_the_table_accounts_for_every_file(root, collect):
    members = PLATFORMS["Moodle"] | {
        platform_archives.moodle("Bob Ross", 18, "essay.docx"): b"doc",
        platform_archives.moodle("Cy Twombly", 19, FILE): b"{",
        platform_archives.moodle("Di", 20, "work.rar"): b"Rar!",
        "__MACOSX/._x": b"",
        **{f"junk/{n}.txt": b"" for n in range(100)},
    }
    done = collect(members)
    assert done.returncode == 1
    assert "105 files" in done.stdout
    (table,) = (root / "originals").rglob("table.csv")
    rows = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    assert {row["file"] for row in rows} == set(members)
    assert len(rows) == len(members)
    assert "not a complete notebook" in done.stdout
    assert "unpack the file" in done.stdout
    assert "there is no notebook with it" in done.stdout  # the essay
    assert "88 more files" in done.stdout


def test_one_students_files_do_not_hide_those_of_another(root, collect):
    """The reasons are the same, and each student has a file in the printed lines."""
    many = zipped({f"n{number}.ipynb": b'{"a' for number in range(13)})
    members = {
        "aaamallory_1_1_x.zip": many,
        "victimvera_2_2_mnist.ipynb": b'{"ab' + b" " * 2_000,
        f"lovelaceada_4711_90210_{FILE}": WHOLE,
    }
    done = collect(members)
    assert done.returncode == 1
    assert "victimvera-2  flagged for manual review" in done.stdout
    assert "1 more file of aaamallory-1\n" in done.stdout


def test_one_students_files_print_few_lines(root, collect):
    """The reasons differ, or the copies are the same."""
    copies = {f"same{number}.ipynb": WHOLE for number in range(20)}
    old = {f"old{number}.ipynb": other(str(number)) for number in range(20)}
    times = {name: 1_700_000_000 + 60 * number for number, name in enumerate([*old, *copies])}
    done = collect({"eve_1_1_x.zip": zipped(old | copies, times), f"ada_2_2_{FILE}": WHOLE})
    assert done.returncode == 0, done.stdout
    assert "older attempt: 8 more files of eve-1\n" in done.stdout
    assert "already collected: 7 more files of eve-1\n" in done.stdout


def test_an_upload_that_contains_only_an_editors_files_is_flagged(root, collect):
    checkpoint = ".ipynb_checkpoints/mnist-checkpoint.ipynb"
    members = {
        platform_archives.moodle("Ada Lovelace", 1, checkpoint): WHOLE,
        platform_archives.moodle("Bob Ross", 2, checkpoint): WHOLE,
        platform_archives.moodle("Bob Ross", 2, FILE): WHOLE,
        platform_archives.moodle("Cy Young", 3, "work.zip"): zipped({checkpoint: WHOLE}),
    }
    done = collect(members)
    assert done.returncode == 1
    assert done.stdout.count("flagged for manual review: there is no notebook with it") == 2
    assert submitted(root).keys() == {f"bob-ross/{NAME}/{FILE}"}


def test_fractions_of_a_second_do_not_decide_which_notebook_is_the_newest(root, collect_path):
    folder = root.parent / "inbox" / "Ada Lovelace_17_assignsubmission_file"
    folder.mkdir(parents=True)
    (folder / "mnist.ipynb").write_bytes(other("new"))
    (folder / "mnist_old.ipynb").write_bytes(other("old"))
    for name, seconds in {"mnist.ipynb": 1.0, "mnist_old.ipynb": 1.01}.items():
        os.utime(folder / name, (1_770_000_000 + seconds, 1_770_000_000 + seconds))
    done = collect_path(folder.parent)
    assert done.returncode == 1
    assert done.stdout.count("several attempts differ, and none is clearly the newest") == 2
    assert not submitted(root)
    os.utime(folder / "mnist.ipynb", (1_770_000_100, 1_770_000_100))
    assert collect_path(folder.parent).returncode == 0
    assert submitted(root)[f"ada-lovelace/{NAME}/{FILE}"] == other("new")


def test_evidence_is_collected_with_its_notebook(root, collect):
    name, file = "06-dropout-batchnorm", "dropout_batchnorm.ipynb"
    notebook = damage(solved(name), (), file)[0]
    evidence = {"iii.json": b"{}", "iii.npz": b"npz"}
    wanted = {f"ada/{name}/{file}": notebook}
    wanted |= {f"ada/{name}/evidence/{each}": content for each, content in evidence.items()}
    folder = {f"ada/{file}": notebook} | {f"ada/evidence/{k}": v for k, v in evidence.items()}
    inner = zipped({f"evidence/{each}": content for each, content in evidence.items()})
    for kind, members in {
        "folder": folder,
        "one zip": {"ada/x.zip": zipped({k.removeprefix("ada/"): v for k, v in folder.items()})},
        "a zip beside": {f"ada/{file}": notebook, "ada/evidence.zip": inner},
        "Canvas": {
            platform_archives.canvas("Ada", 7, 1, file): notebook,
            platform_archives.canvas("Ada", 7, 2, "evidence.zip"): inner,
            platform_archives.canvas("Bob", 8, 3, FILE): WHOLE,
        },
    }.items():
        (root / "roster.csv").write_text("student,name\nada,Ada\nbob,Bob\n")
        shutil.rmtree(root / "submitted", ignore_errors=True)
        done = collect(members, name=f"{kind}.zip")
        assert done.returncode == 0, (kind, done.stdout)
        found = {k: v for k, v in submitted(root).items() if k.startswith("ada/")}
        assert found == wanted, kind
        # The table says whose each saved file is.
        (table,) = (root / "originals").glob(f"{kind}-*/table.csv")
        rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
        own = {row["upload"] for row in rows if row["student"] == "ada"}
        assert len(own) == 1 and own.isdisjoint(
            row["upload"] for row in rows if row["student"] == "bob"
        )
        copies = [Path(row["saved as"]) for row in rows if row["saved as"]]
        assert {root / each for each in copies} == set(table.parent.glob("files/*"))
        assert len(copies) == len(set(copies)) == 3 + (kind == "Canvas")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_match_in_every_script_and_unicode_normal_form(root, collect, form):
    people = ["李 雷", "Анна Петрова", "José García", "Việt Nguyễn"]
    rows = "\n".join(f"s{n},{name}" for n, name in enumerate(people))
    (root / "roster.csv").write_text(f"student,name\n{rows}\n", encoding="utf-8")
    members = {
        platform_archives.moodle(unicodedata.normalize(form, name), 10 + n, FILE): WHOLE
        for n, name in enumerate(people)
    }
    done = collect(members)
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"s{n}/{NAME}/{FILE}" for n in range(len(people))}


def test_two_students_with_one_name_are_distinguished_or_flagged(root, collect):
    members = {
        platform_archives.moodle("Ada Lovelace", 17, FILE): WHOLE,
        platform_archives.moodle("Ada Lovelace", 18, FILE): other(),
    }
    done = collect(members)
    assert done.returncode == 1
    assert "several students are called 'Ada Lovelace'" in done.stdout
    (root / "roster.csv").write_text("student,name\nada1,Ada Lovelace\nada2,Ada Lovelace\n")
    done = collect(members)
    assert done.returncode == 1
    assert "could be ada1 or ada2" in done.stdout
    assert submitted(root) == {}
    members = {
        platform_archives.canvas("Ada Lovelace", 1, 5, FILE): WHOLE,
        platform_archives.canvas("Ada Lovelace", 2, 6, FILE): other(),
    }
    (root / "roster.csv").write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section\n"
        '"Lovelace, Ada",1,s1,ada1,A\n"Lovelace, Ada",2,s2,ada2,A\n'
    )
    done = collect(members)
    assert done.returncode == 0, done.stdout
    assert submitted(root) == {f"ada1/{NAME}/{FILE}": WHOLE, f"ada2/{NAME}/{FILE}": other()}


def test_the_student_is_never_guessed(root, collect):
    done = collect({"Submissions/mnist.ipynb": WHOLE, "Submissions/mnist (1).ipynb": other()})
    assert done.returncode == 1
    assert "the student cannot be determined" in done.stdout
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\n")
    done = collect({platform_archives.moodle("Nobody", 3, FILE): WHOLE})
    assert done.returncode == 1
    assert "the roster has no student called 'Nobody'" in done.stdout
    assert submitted(root) == {}


BOMB = b"0" * (100 * 2**20)


def hostile():
    """Return archives with an honest notebook and a hostile file, and the printed reasons."""
    honest = PLATFORMS["Moodle"]
    path = platform_archives.moodle("Eve", 66, FILE)
    many = zipped({f"{n}.txt": b"" for n in range(10_000)})
    deep = zipped({"a.zip": zipped({"b.zip": zipped({"c.zip": zipped({FILE: WHOLE})})})})
    return {
        "path": (zipped({**honest, "../../evil.ipynb": WHOLE}), "points outside the archive"),
        "absolute": (zipped({**honest, "/tmp/evil.ipynb": WHOLE}), "points outside the archive"),
        "drive": (zipped({**honest, "C:\\evil.ipynb": WHOLE}), "points outside the archive"),
        "backslash": (zipped({**honest, "..\\evil.ipynb": WHOLE}), "points outside the archive"),
        "link": (
            platform_archives.add_link(zipped(honest), path, "/etc/passwd"),
            "link to another file",
        ),
        "many files": (
            zipped({**honest, platform_archives.moodle("Eve", 66, "x.zip"): many}),
            "has more than 500 files",
        ),
        "encrypted": (
            platform_archives.encrypted(zipped({**honest, path: WHOLE}), path),
            "encrypted",
        ),
        "deep": (
            zipped({**honest, platform_archives.moodle("Eve", 66, "x.zip"): deep}),
            "nested too deeply",
        ),
        "damaged inside": (
            zipped({**honest, platform_archives.moodle("Eve", 66, "x.zip"): b"PK\3\4junk"}),
            "not a complete zip archive",
        ),
    }


@pytest.mark.parametrize("kind", list(hostile()))
def test_a_hostile_file_is_flagged_with_a_reason_and_harms_nothing(root, collect, kind):
    before = set(root.parent.rglob("*"))
    content, reason = hostile()[kind]
    done = collect(content)
    assert done.returncode == 1
    assert reason in done.stdout, done.stdout
    assert done.stderr == ""
    assert f"ada-lovelace/{NAME}/{FILE}" in submitted(root)
    assert len(submitted(root)) == 1
    new = set(root.parent.rglob("*")) - before - {root.parent / "submissions.zip"}
    for path in new:
        assert any(path.is_relative_to(root / name) for name in ("submitted", "originals", "build"))
        assert not path.is_symlink()


def test_a_zip_bomb_is_not_unpacked(root, collect):
    bomb = zipped({FILE: BOMB})
    assert len(bomb) < 2**20
    done = collect(zipped({**PLATFORMS["Moodle"], platform_archives.moodle("Eve", 66, FILE): BOMB}))
    assert done.returncode == 1
    assert "would unpack to 100 MB" in done.stdout
    assert len(submitted(root)) == 1


def test_ten_thousand_files_are_counted_but_not_listed(root, collect):
    done = collect({**PLATFORMS["Moodle"], **{f"x/{n}.txt": b"" for n in range(10_000)}})
    assert done.returncode == 0
    assert "10,001 files" in done.stdout
    assert len(done.stdout.splitlines()) < 30


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a complete zip archive"),
        (b"PK\5\6" + b"\xff" * 18, "zip archive"),
        (None, "no file"),
    ],
)
def test_an_invalid_archive_is_one_sentence(root, collect_path, content, reason):
    path = root.parent / "x.zip"
    if content is not None:
        path.write_bytes(content)
    done = collect_path(path)
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_invalid_file_names_are_made_safe(root, collect):
    long = "x" * 300
    done = collect({f"{long}/{long} - {FILE}": WHOLE, "..foo/CON - mnist.ipynb": other()})
    assert done.returncode == 0, done.stdout
    for path in submitted(root):
        assert all(len(part) <= 100 and not part.startswith(".") for part in path.split("/"))


def test_utf8_names_without_the_utf8_flag_are_decoded(root, collect):
    path = platform_archives.moodle("Josxx", 3, FILE)
    content = zipped({path: WHOLE}).replace(b"Josxx", "José".encode())
    done = collect(content)
    assert done.returncode == 0, done.stdout
    assert f"josé/{NAME}/{FILE}" in submitted(root)


@pytest.mark.slow
def test_a_class_of_200_is_collected_in_a_minute_and_every_file_is_listed(root, course_command):
    damaged = {platform_archives.moodle("Cut Short", 9000, FILE): WHOLE[: len(WHOLE) // 2]}
    packed, files = platform_archives.class_of(199, NOTEBOOK, FILE, NAME, damaged=0.1)
    packed["cut.zip"] = zipped(damaged)
    start = cpu_seconds()
    for name, content in packed.items():
        (root.parent / name).write_bytes(content)
        done = course_command("-C", root, "collect", root.parent / name)
        assert done.returncode == (1 if name == "cut.zip" else 0), done.stdout + done.stderr
    # CPU time, since other tests may use the cores.
    assert cpu_seconds() - start < 60
    rows = []
    for table in (root / "originals").rglob("table.csv"):
        rows += csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert len(rows) == files + 1
    assert len(list((root / "submitted").glob(f"*/{NAME}/{FILE}"))) == 199
    repaired = [row for row in rows if row["status"] == "repaired"]
    assert 10 <= len(repaired) <= 30


@pytest.mark.slow
def test_a_repaired_notebook_earns_the_points_of_the_undamaged_one(root, collect, course_command):
    kinds = itertools.cycle(
        [
            ["metadata and ids missing", "graded cells deleted", "Windows line endings"],
            ["saved by Colab", "duplicate graded cells", "byte-order mark"],
            ["metadata missing", "large outputs", "foreign kernel"],
        ]
    )
    members, wanted = {}, {}
    for path in sorted(ROOT.glob("release/*/*.ipynb")):
        name, damaged = path.parent.name, next(kinds)
        untouched = json.loads(path.read_text(encoding="utf-8"))
        members[f"solved/{name}/Copy of {path.name}"] = damage(solved(name), damaged)[0]
        members[f"untouched/{name}/{path.name}"] = damage(untouched, damaged)[0]
        wanted[name, "solved"] = read_fixtures(name)["solved"]["score"]
        wanted[name, "untouched"] = 0
        if kind := read_fixtures(name)["solved"].get("evidence"):
            for file, content in trainings.FOLDERS[kind]().items():
                members[f"solved/{name}/evidence/{file}"] = content
    done = collect(members)
    assert done.returncode == 0, done.stdout
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stdout + done.stderr
    for (name, student), score in wanted.items():
        (line,) = (x for x in done.stdout.splitlines() if f" {name} " in x and f" {student}: " in x)
        assert f" {score:g}/" in line, line


@pytest.mark.slow
def test_a_replaced_submission_is_graded_again(root, collect, course_command, small_course):
    small_course(cell("code", "### BEGIN SOLUTION\nx = 3\n### END SOLUTION", "x"), TEST)
    course = root.parent
    assert course_command("-C", course, "release").returncode == 0
    path = write_notebook(root.parent / "in" / "ada" / "small.ipynb", [answer("x = 1"), TEST])
    assert course_command("-C", course, "collect", root.parent / "in").returncode == 0
    assert " 0/1 " in course_command("-C", course, "grade").stdout
    write_notebook(path, [answer("x = 3"), TEST])
    assert course_command("-C", course, "collect", root.parent / "in", "--force").returncode == 0
    shutil.rmtree(course / "build")  # as `make clean` does
    assert " 1/1 " in course_command("-C", course, "grade").stdout


def cpu_seconds():
    """Return the CPU time of all finished commands."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


TEST = cell("code", "assert x == 3", "test_x", points=1)


def answer(source):
    return cell("code", source, "x")


ONLY_FILES = {"mnist.py": b"x = 1", "mnist.html": b"<html>", "notes.pdf": b"%PDF", "a.json": b"{}"}


@pytest.mark.parametrize("name", ONLY_FILES)
@pytest.mark.parametrize("platform", ["Moodle", "Drive"])
def test_a_student_whose_only_file_is_no_notebook_is_reviewed(root, collect, platform, name):
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\nbob,Bob Ross\n")
    path = platform_archives.moodle("Bob Ross", 18, name)
    if platform == "Drive":
        path = f"Submissions/Bob Ross/{name}"
    done = collect(PLATFORMS[platform] | {path: ONLY_FILES[name]})
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if name in line)
    assert line.startswith("bob  flagged for manual review: there is no notebook with it")
    # Beside a notebook, the file is not needed.
    done = collect(PLATFORMS[platform] | {path: ONLY_FILES[name], path + ".ipynb": WHOLE})
    assert done.returncode == 0, done.stdout


def test_a_notebook_that_a_browser_saved_as_json_is_collected(root, collect):
    path = platform_archives.moodle("Bob Ross", 18, "mnist.json")
    done = collect(PLATFORMS["Moodle"] | {path: other()})
    assert done.returncode == 0, done.stdout
    assert submitted(root)[f"bob-ross/{NAME}/{FILE}"] == other()
    beside = platform_archives.moodle("Ada Lovelace", 17, "mnist.json")
    done = collect(PLATFORMS["Moodle"] | {beside: other()})
    assert done.returncode == 0, done.stdout
    assert submitted(root)[f"ada-lovelace/{NAME}/{FILE}"] == WHOLE
