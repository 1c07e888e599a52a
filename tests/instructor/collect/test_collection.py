"""`course collect` on what platforms hand out."""

import csv
import itertools
import json
import resource
import shutil
import unicodedata

import pytest

from course import packing
from course.packing.manifest import make_manifest
from tests.conftest import cell, write_notebook
from tests.instructor.collect import archives
from tests.instructor.collect.archives import zipped
from tests.instructor.collect.damages import damage
from tests.submissions import ROOT, behaviours, solved, trainings

NAME, FILE = "02-mnist", "mnist.ipynb"
NOTEBOOK = solved(NAME)
WHOLE = damage(NOTEBOOK, ())[0]


def submitted(root):
    """Return what lies in submitted/: path to content."""
    place = root / "submitted"
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def other(text="another answer"):
    """Return the file of another solved notebook."""
    changed = json.loads(WHOLE)
    changed["cells"][-1]["source"] = [text]
    return damage(changed, ())[0]


PLATFORMS = {
    "Canvas": {archives.canvas("Ada Lovelace", 4711, 90210, FILE): WHOLE},
    "Canvas, late": {archives.canvas("Ada Lovelace", 4711, 90210, FILE, late=True): WHOLE},
    "Canvas, a name with a dash below": {"lovelace_byronada_4711_90210_mnist.ipynb": WHOLE},
    "Moodle": {archives.moodle("Ada Lovelace", 17, FILE): WHOLE},
    "Moodle, newer": {f"Ada Lovelace_17_assignsubmission_file/{FILE}": WHOLE},
    "Moodle, flat": {f"Ada Lovelace_17_assignsubmission_file_{FILE}": WHOLE},
    "Drive": {archives.drive("Ada Lovelace", FILE): WHOLE},
    "Drive, copies": {archives.drive("Ada Lovelace", "Copy of mnist (1).ipynb"): WHOLE},
    "folders": {f"Hand-in 2/Ada Lovelace/{FILE}": WHOLE, "Hand-in 2/README.txt": b"x"},
    "exchange": {archives.exchange("ada", NAME, "2026-03-01 12:00:00.000000", FILE): WHOLE},
    "submitted": {f"submitted/ada/{NAME}/{FILE}": WHOLE},
    "a zip of one's own": {
        archives.canvas("Ada Lovelace", 4711, 90210, "my work.zip"): zipped({f"work/{FILE}": WHOLE})
    },
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_a_platform_hands_out_lands_where_grading_looks(root, collect, platform):
    (root / "roster.csv").write_text(
        "student,name,canvas\nada,Ada Lovelace,4711\nbob,Bob Ross,4712\n"
    )
    done = collect(PLATFORMS[platform])
    assert done.returncode == 0, done.stdout + done.stderr
    found = submitted(root)
    found.pop(f"ada/{NAME}/timestamp.txt", None)
    assert found == {f"ada/{NAME}/{FILE}": WHOLE}
    assert f"missing in {NAME}: bob" in done.stdout


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
def test_without_a_roster_the_names_are_those_of_the_platform(root, collect, platform, student):
    assert collect(PLATFORMS[platform]).returncode == 0
    assert f"{student}/{NAME}/{FILE}" in submitted(root)


def test_a_notebook_a_folder_and_the_exchange_are_taken_in_too(root, collect_path):
    place = root.parent / "inbox"
    (place / "ada").mkdir(parents=True)
    (place / "ada" / "mnist (2).ipynb").write_bytes(WHOLE)
    (place / "bob.ipynb").write_bytes(other())
    done = collect_path(place)
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"ada/{NAME}/{FILE}", f"bob/{NAME}/{FILE}"}
    done = collect_path(place / "bob.ipynb", "--student", "eve")
    assert done.returncode == 0, done.stdout
    assert submitted(root)[f"eve/{NAME}/{FILE}"] == other()


def test_the_newest_of_several_attempts_counts_and_the_others_are_kept(root, collect):
    old, new = other("old"), other("new")
    for kind, members in {
        "Canvas": {
            archives.canvas("Ada Lovelace", 1, 90210, "mnist-1.ipynb"): new,
            archives.canvas("Ada Lovelace", 1, 90200, "mnist.ipynb"): old,
        },
        "exchange": {
            archives.exchange("ada", NAME, "2026-03-02 12:00:00.000000", FILE): new,
            archives.exchange("ada", NAME, "2026-03-01 12:00:00.000000", FILE): old,
        },
        "times": {"ada/mnist.ipynb": new, "ada/mnist (1).ipynb": old},
    }.items():
        times = {"ada/mnist.ipynb": 1_770_000_000, "ada/mnist (1).ipynb": 1_760_000_000}
        done = collect(members, "--student", kind.lower(), name=f"{kind}.zip", times=times)
        assert done.returncode == 0, done.stdout
        assert submitted(root)[f"{kind.lower()}/{NAME}/{FILE}"] == new
        assert "older attempt" in done.stdout
        kept = [path.read_bytes() for path in (root / "originals").rglob("*.ipynb")]
        assert old in kept


def test_a_packed_attempt_is_no_newer_than_a_notebook_that_came_later(root, collect):
    old, new = other("old"), other("new")
    said = {"assignment": NAME, "packed_at": "2026-01-01 12:00:00 UTC"}
    manifest, _ = make_manifest(said, {FILE: old})
    packed = zipped({FILE: old, packing.MANIFEST: manifest})
    members = {"ada/mnist-hand-in.zip": packed, f"ada/{FILE}": new}
    times = dict.fromkeys(members, 1_772_000_000)  # in February
    done = collect(members, "--student", "ada", times=times)
    assert done.returncode == 0, done.stdout
    assert submitted(root)[f"ada/{NAME}/{FILE}"] == new


def test_where_canvas_hides_names_its_own_stand_for_them(root, collect):
    done = collect({"LATE_anon_x7Gq2_90210_mnist.ipynb": WHOLE, "anon_k1_90211_mnist.ipynb": WHOLE})
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"anon-x7gq2/{NAME}/{FILE}", f"anon-k1/{NAME}/{FILE}"}


def test_the_course_itself_is_not_taken_for_what_was_handed_in(root, collect_path):
    for path in (root, root.parent):
        done = collect_path(path)
        assert done.returncode == 1
        assert "contains the course directory" in done.stderr
    assert submitted(root) == {}


def test_a_table_that_a_spreadsheet_opens_holds_no_formula(root, collect):
    collect({"=HYPERLINK(1).ipynb": b"{", **PLATFORMS["Moodle"]})
    (table,) = (root / "originals").rglob("table.csv")
    assert "'=HYPERLINK" in table.read_text(encoding="utf-8")


def test_of_two_attempts_of_the_same_time_a_person_chooses(root, collect):
    members = {"ada/mnist.ipynb": other("one"), "ada/my mnist.ipynb": other("two")}
    done = collect(members, "--student", "ada", times=dict.fromkeys(members, 1_770_000_000))
    assert done.returncode == 1
    assert "nothing shows which is newest" in done.stdout
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


def test_every_original_stays_byte_for_byte(root, collect):
    content = zipped(PLATFORMS["Moodle"] | {"notes.pdf": b"pdf"})
    collect(content)
    kept = [path.read_bytes() for path in (root / "originals").rglob("*") if path.is_file()]
    assert content in kept
    assert WHOLE in kept


def test_a_damaged_notebook_is_mended_and_the_line_says_how(root, collect):
    content, _ = damage(NOTEBOOK, ["metadata and ids lost", "Windows line ends", "byte-order mark"])
    done = collect({archives.drive("Ada", "Copy of mnist (1).ipynb"): content})
    assert done.returncode == 0
    (line,) = (line for line in done.stdout.splitlines() if "  ada  " in line)
    for words in (
        "repaired",
        "byte-order mark",
        "by text",
        "Windows line endings",
        "Copy of mnist",
    ):
        assert words in line


def test_the_table_accounts_for_every_file(root, collect):
    members = PLATFORMS["Moodle"] | {
        archives.moodle("Bob Ross", 18, "essay.docx"): b"doc",
        archives.moodle("Cy Twombly", 19, FILE): b"{",
        archives.moodle("Di", 20, "work.rar"): b"Rar!",
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
    assert "unpack it" in done.stdout
    assert "89 more files" in done.stdout


def test_evidence_is_taken_along(root, collect):
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
            archives.canvas("Ada", 7, 1, file): notebook,
            archives.canvas("Ada", 7, 2, "evidence.zip"): inner,
            archives.canvas("Bob", 8, 3, FILE): WHOLE,
        },
    }.items():
        (root / "roster.csv").write_text("student,name\nada,Ada\nbob,Bob\n")
        shutil.rmtree(root / "submitted", ignore_errors=True)
        done = collect(members, name=f"{kind}.zip")
        assert done.returncode == 0, (kind, done.stdout)
        found = {k: v for k, v in submitted(root).items() if k.startswith("ada/")}
        assert found == wanted, kind


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_other_scripts_and_normal_forms_are_one(root, collect, form):
    people = ["李 雷", "Анна Петрова", "José García", "Việt Nguyễn"]
    rows = "\n".join(f"s{n},{name}" for n, name in enumerate(people))
    (root / "roster.csv").write_text(f"student,name\n{rows}\n", encoding="utf-8")
    members = {
        archives.moodle(unicodedata.normalize(form, name), 10 + n, FILE): WHOLE
        for n, name in enumerate(people)
    }
    done = collect(members)
    assert done.returncode == 0, done.stdout
    assert submitted(root).keys() == {f"s{n}/{NAME}/{FILE}" for n in range(len(people))}


def test_two_students_of_one_name_are_told_apart_or_left(root, collect):
    members = {
        archives.moodle("Ada Lovelace", 17, FILE): WHOLE,
        archives.moodle("Ada Lovelace", 18, FILE): other(),
    }
    done = collect(members)
    assert done.returncode == 1
    assert "two students are called 'Ada Lovelace'" in done.stdout
    (root / "roster.csv").write_text("student,name\nada1,Ada Lovelace\nada2,Ada Lovelace\n")
    done = collect(members)
    assert done.returncode == 1
    assert "could be ada1 or ada2" in done.stdout
    assert submitted(root) == {}
    members = {
        archives.canvas("Ada Lovelace", 1, 5, FILE): WHOLE,
        archives.canvas("Ada Lovelace", 2, 6, FILE): other(),
    }
    (root / "roster.csv").write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section\n"
        '"Lovelace, Ada",1,s1,ada1,A\n"Lovelace, Ada",2,s2,ada2,A\n'
    )
    done = collect(members)
    assert done.returncode == 0, done.stdout
    assert submitted(root) == {f"ada1/{NAME}/{FILE}": WHOLE, f"ada2/{NAME}/{FILE}": other()}


def test_whose_it_is_is_never_guessed(root, collect):
    done = collect({"Submissions/mnist.ipynb": WHOLE, "Submissions/mnist (1).ipynb": other()})
    assert done.returncode == 1
    assert "the student cannot be determined" in done.stdout
    (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\n")
    done = collect({archives.moodle("Nobody", 3, FILE): WHOLE})
    assert done.returncode == 1
    assert "the roster has no student called 'Nobody'" in done.stdout
    assert submitted(root) == {}


BOMB = b"0" * (600 * 2**20)


def hostile():
    """Return what may be in an archive beside an honest notebook, and what is said of it."""
    honest = PLATFORMS["Moodle"]
    path = archives.moodle("Eve", 66, FILE)
    many = zipped({f"{n}.txt": b"" for n in range(10_000)})
    deep = zipped({"a.zip": zipped({"b.zip": zipped({"c.zip": zipped({FILE: WHOLE})})})})
    return {
        "path": (zipped({**honest, "../../evil.ipynb": WHOLE}), "leads out of the archive"),
        "absolute": (zipped({**honest, "/tmp/evil.ipynb": WHOLE}), "leads out of the archive"),
        "drive": (zipped({**honest, "C:\\evil.ipynb": WHOLE}), "leads out of the archive"),
        "backslash": (zipped({**honest, "..\\evil.ipynb": WHOLE}), "leads out of the archive"),
        "link": (archives.add_link(zipped(honest), path, "/etc/passwd"), "link to another file"),
        "many files": (
            zipped({**honest, archives.moodle("Eve", 66, "x.zip"): many}),
            "has more than 500 files",
        ),
        "encrypted": (archives.encrypted(zipped({**honest, path: WHOLE}), path), "encrypted"),
        "deep": (
            zipped({**honest, archives.moodle("Eve", 66, "x.zip"): deep}),
            "nested too deeply",
        ),
        "damaged inside": (
            zipped({**honest, archives.moodle("Eve", 66, "x.zip"): b"PK\3\4junk"}),
            "not a complete zip archive",
        ),
    }


@pytest.mark.parametrize("kind", list(hostile()))
def test_hostile_archives_are_one_sentence_and_harm_nobody(root, collect, kind):
    before = set(root.parent.rglob("*"))
    content, words = hostile()[kind]
    done = collect(content)
    assert done.returncode == 1
    assert words in done.stdout, done.stdout
    assert done.stderr == ""
    assert f"ada-lovelace/{NAME}/{FILE}" in submitted(root)
    assert len(submitted(root)) == 1
    new = set(root.parent.rglob("*")) - before - {root.parent / "submissions.zip"}
    for path in new:
        assert any(path.is_relative_to(root / name) for name in ("submitted", "originals", "build"))
        assert not path.is_symlink()


def test_a_bomb_is_not_unpacked(root, collect):
    bomb = zipped({FILE: BOMB})
    assert len(bomb) < 2**20
    done = collect(zipped({**PLATFORMS["Moodle"], archives.moodle("Eve", 66, FILE): BOMB}))
    assert done.returncode == 1
    assert "would unpack to more than 512 MB" in done.stdout
    assert len(submitted(root)) == 1


def test_ten_thousand_files_of_a_class_are_counted_not_listed(root, collect):
    done = collect({**PLATFORMS["Moodle"], **{f"x/{n}.txt": b"" for n in range(10_000)}})
    assert done.returncode == 0
    assert "10,001 files" in done.stdout
    assert len(done.stdout.splitlines()) < 30


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a complete zip archive"),
        (b"PK\5\6" + b"\xff" * 18, "zip archive"),
        (None, "no file"),
    ],
)
def test_what_is_no_archive_is_one_sentence(root, collect_path, content, words):
    path = root.parent / "x.zip"
    if content is not None:
        path.write_bytes(content)
    done = collect_path(path)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_names_that_no_system_takes_are_made_safe(root, collect):
    long = "x" * 300
    done = collect({f"{long}/{long} - {FILE}": WHOLE, "..foo/CON - mnist.ipynb": other()})
    assert done.returncode == 0, done.stdout
    for path in submitted(root):
        assert all(len(part) <= 100 and not part.startswith(".") for part in path.split("/"))


def test_an_archive_made_without_the_utf8_flag_keeps_its_names(root, collect):
    path = archives.moodle("Josxx", 3, FILE)
    content = zipped({path: WHOLE}).replace(b"Josxx", "José".encode())
    done = collect(content)
    assert done.returncode == 0, done.stdout
    assert f"josé/{NAME}/{FILE}" in submitted(root)


@pytest.mark.slow
def test_a_class_of_200_is_collected_in_a_minute_and_every_file_accounted_for(root, course_command):
    damaged = {archives.moodle("Cut Short", 9000, FILE): WHOLE[: len(WHOLE) // 2]}
    packed, files = archives.class_of(199, NOTEBOOK, FILE, NAME, damaged=0.1)
    packed["cut.zip"] = zipped(damaged)
    start = processor_seconds()
    for name, content in packed.items():
        (root.parent / name).write_bytes(content)
        done = course_command("-C", root, "collect", root.parent / name)
        assert done.returncode == (1 if name == "cut.zip" else 0), done.stdout + done.stderr
    # What it takes alone: other tests may have the cores.
    assert processor_seconds() - start < 60
    rows = []
    for table in (root / "originals").rglob("table.csv"):
        rows += csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert len(rows) == files + 1
    assert len(list((root / "submitted").glob(f"*/{NAME}/{FILE}"))) == 199
    repaired = [row for row in rows if row["status"] == "repaired"]
    assert 10 <= len(repaired) <= 30


@pytest.mark.slow
def test_what_was_mended_earns_what_the_whole_notebook_earns(root, collect, course_command):
    kinds = itertools.cycle(
        [
            ["metadata and ids lost", "graded cells deleted", "Windows line ends"],
            ["saved by Colab", "graded cells twice", "byte-order mark"],
            ["metadata lost", "large outputs", "foreign kernel"],
        ]
    )
    members, wanted = {}, {}
    for path in sorted(ROOT.glob("release/*/*.ipynb")):
        name, lost = path.parent.name, next(kinds)
        untouched = json.loads(path.read_text(encoding="utf-8"))
        members[f"solved/{name}/Copy of {path.name}"] = damage(solved(name), lost)[0]
        members[f"untouched/{name}/{path.name}"] = damage(untouched, lost)[0]
        wanted[name, "solved"] = behaviours(name)["solved"]["score"]
        wanted[name, "untouched"] = 0
        if "evidence" in behaviours(name)["solved"]:
            for file, content in trainings.FOLDERS["honest"]().items():
                members[f"solved/{name}/evidence/{file}"] = content
    done = collect(members)
    assert done.returncode == 0, done.stdout
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stdout + done.stderr
    for (name, student), score in wanted.items():
        (line,) = (x for x in done.stdout.splitlines() if f" {name} " in x and f" {student}: " in x)
        assert f" {score:g}/" in line, line


@pytest.mark.slow
def test_another_submission_is_graded_anew(root, collect, course_command, small_course):
    small_course(cell("code", "### BEGIN SOLUTION\nx = 3\n### END SOLUTION", "x"), TEST)
    course = root.parent
    assert course_command("-C", course, "release").returncode == 0
    path = write_notebook(root.parent / "in" / "ada" / "small.ipynb", [answer("x = 1"), TEST])
    assert course_command("-C", course, "collect", root.parent / "in").returncode == 0
    assert " 0/1 " in course_command("-C", course, "grade").stdout
    write_notebook(path, [answer("x = 3"), TEST])
    assert course_command("-C", course, "collect", root.parent / "in", "--force").returncode == 0
    assert " 1/1 " in course_command("-C", course, "grade").stdout


def processor_seconds():
    """Return what the commands that have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


TEST = cell("code", "assert x == 3", "test_x", points=1)


def answer(source):
    return cell("code", source, "x")
