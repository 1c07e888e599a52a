"""Submission times from Moodle's grading worksheet, and those that a person wrote."""

import csv
import io

import pytest

from tests.instructor.collect import platform_archives
from tests.instructor.collect.test_collection import FILE, NAME, other, submitted

ENGLISH = [
    "Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade",
    "Grade can be changed", "Last modified (submission)", "Last modified (grade)",
    "Feedback comments",
]  # fmt: skip
GERMAN = [
    "ID", "Vollständiger Name", "E-Mail-Adresse", "Status", "Bewertung", "Bestwertung",
    "Bewertung kann geändert werden", "Zuletzt geändert (Abgabe)", "Zuletzt geändert (Bewertung)",
    "Feedback als Kommentar",
]  # fmt: skip
SUBMITTED, ABGEGEBEN = "Submitted for grading", "Zur Bewertung abgegeben"
LATE = "2026-06-10 12:14:00.000000 UTC"  # 14:14 in Berlin


def worksheet(header, *rows):
    """Return a worksheet with the rows (identifier, name, status, time)."""
    text = io.StringIO(newline="")
    written = csv.writer(text)
    written.writerow(header)
    for identifier, name, status, time in rows:
        email = f"{name.split()[0].lower()}@example.org"
        written.writerow([identifier, name, email, status, "", "20,00", "Ja", time, "-", ""])
    return "\ufeff" + text.getvalue()


def members(*students):
    """Return an archive with the submissions of the students (number, name)."""
    return {platform_archives.moodle(name, number, FILE): other(name) for number, name in students}


@pytest.fixture
def collect_with(root, collect):
    """Return a function that collects an archive with the times of a worksheet."""
    with (root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.LatePolicy.time_zone = 'Europe/Berlin'\n")

    def run(content, archive, *arguments, names=(NAME,), **options):
        path = root.parent / "worksheet.csv"
        path.write_text(content, "utf-8", newline="")
        return collect(archive, *names, "--times", str(path), *arguments, **options)

    return run


def times(root):
    """Return the submission times beside the notebooks, by student."""
    found = submitted(root).items()
    return {
        name.split("/")[0]: content.decode().strip()
        for name, content in found
        if name.endswith("timestamp.txt")
    }


GÜL = (17, "Gül Ångström")
WORKSHEETS = {
    "English": worksheet(
        ENGLISH, ("Participant 17", GÜL[1], SUBMITTED, "Wednesday, 10 June 2026, 2:14 PM")
    ),
    "English, United States": worksheet(
        ENGLISH, ("Participant 17", GÜL[1], SUBMITTED, "Wednesday, June 10, 2026, 2:14 PM")
    ),
    "a narrow space": worksheet(
        ENGLISH, ("Participant 17", GÜL[1], SUBMITTED, "Wednesday, 10 June 2026, 2:14\u202fPM")
    ),
    "late": worksheet(
        ENGLISH,
        (
            "Participant 17",
            GÜL[1],
            f"{SUBMITTED} - 3 mins 31 secs late - Graded",
            "Wednesday, 10 June 2026, 2:14 PM",
        ),
    ),
    "German": worksheet(
        GERMAN,
        (
            "Teilnehmer/in17",
            GÜL[1],
            f"{ABGEGEBEN} - 36 Tage 10 Stunden zu spät",
            "Mittwoch, 10. Juni 2026, 14:14",
        ),
    ),
}


@pytest.mark.parametrize("kind", WORKSHEETS)
def test_the_times_of_a_worksheet_are_written_beside_the_notebooks(root, collect_with, kind):
    done = collect_with(WORKSHEETS[kind], members(GÜL))
    assert done.returncode == 0, done.stdout + done.stderr
    assert times(root) == {"gül-ångström": LATE}


ANN = "Ann Lee"


@pytest.mark.parametrize(
    ("heading", "own"), [("Email address", "email"), ("ID number", "sis")], ids=["email", "ID"]
)
def test_the_worksheet_tells_students_with_the_same_name_apart(root, collect_with, heading, own):
    (root / "roster.csv").write_text(f"student,name,{own}\nann1,{ANN},one@x\nann2,{ANN},two@x\n")
    time = "Wednesday, 10 June 2026, 2:14 PM"
    rows = [f'Participant {n},{ANN},{SUBMITTED},"{time}",' for n in (17, 18)]
    header = f"Identifier,Full name,Status,Last modified (submission),{heading}\n"
    done = collect_with(f"{header}{rows[0]}TWO@x\n{rows[1]}one@x\n", members((17, ANN), (18, ANN)))
    assert done.returncode == 0, done.stdout
    assert times(root) == {"ann1": LATE, "ann2": LATE}
    archive = members((17, ANN))
    assert submitted(root)[f"ann2/{NAME}/{FILE}"] == archive.popitem()[1]


def test_a_worksheet_in_which_the_number_has_a_different_name_tells_nobody_apart(
    root, collect_with
):
    (root / "roster.csv").write_text(
        f"student,name,email\nann1,{ANN},one@x\nann2,{ANN},two@x\nbob,Bob Ross,bob@example.org\n"
    )
    time = "Wednesday, 10 June 2026, 2:14 PM"
    content = worksheet(ENGLISH, ("Participant 17", "Bob Ross", SUBMITTED, time))
    done = collect_with(content, members((17, ANN)))
    assert done.returncode == 1
    assert f"'{ANN}' could be ann1 or ann2" in done.stdout
    assert submitted(root) == {}


def test_every_month_is_read_in_both_languages(root, collect_with):
    english = "January February March April May June July August September October November"
    german = "Januar Februar März April Mai Juni Juli August September Oktober November"
    students = [(number, f"Ada {chr(64 + number)}") for number in range(1, 13)]
    archive = members(*students)
    for header, status, months, form in (
        (ENGLISH, SUBMITTED, f"{english} December", "Monday, 5 {} 2026, 12:05 AM"),
        (GERMAN, ABGEGEBEN, f"{german} Dezember", "Montag, 5. {} 2026, 00:05"),
    ):
        rows = [
            (f"Participant {number}", name, status, form.format(month))
            for (number, name), month in zip(students, months.split(), strict=True)
        ]
        done = collect_with(worksheet(header, *rows), archive)
        assert done.returncode == 0, done.stderr
        found = [times(root)[f"ada-{chr(96 + number)}"] for number, _ in students]
        assert [each[5:10] for each in found] == [f"{number:02}-04" for number in range(1, 13)]
        assert found[6] == "2026-07-04 22:05:00.000000 UTC"


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("10.06.2026 14:14", "'10.06.2026 14:14' is not a time that can be read"),
        ("mercredi 10 juin 2026, 14:14", "is not a time that can be read"),
        ("Wednesday, 10 Juni 2026, 2:14 PM", "is not a time that can be read"),
        ("Wednesday, 10 June 2026, 14:14 PM", "is not a time that can be read"),
        ("Wednesday, 31 June 2026, 2:14 PM", "is not a time that can be read"),
        ("-", "'-' is not a time that can be read"),
        ("", "'' is not a time that can be read"),
        ("=1+1", "is not a time that can be read"),
    ],
)
def test_a_time_that_cannot_be_read_is_an_error_with_the_line(root, collect_with, time, reason):
    rows = (
        ("Participant 17", GÜL[1], SUBMITTED, "Wednesday, 10 June 2026, 2:14 PM"),
        (
            "Participant 18",
            "Bob\nRoss",
            SUBMITTED,
            time,
        ),
    )
    done = collect_with(worksheet(ENGLISH, *rows), members(GÜL))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "worksheet.csv, line 4: " in line and reason in line
    assert line.endswith("download the worksheet again, and do not open it in a spreadsheet.")
    assert not submitted(root)


def test_only_submitted_work_has_a_submission_time(root, collect_with):
    moment = "Wednesday, 10 June 2026, 2:14 PM"
    rows = [
        ("Participant 17", GÜL[1], "Draft (not submitted)", moment),
        ("Participant 18", "Bob Ross", f"{SUBMITTED} - Graded", moment),
        ("Participant 19", "Cem Ay", "No submission", "-"),
    ]
    done = collect_with(worksheet(ENGLISH, *rows), members(GÜL, (18, "Bob Ross"), (20, "Eve")))
    assert done.returncode == 0
    assert times(root) == {"bob-ross": LATE}
    for student in ("gül-ångström", "eve"):
        line = next(line for line in done.stdout.splitlines() if f"  {student}  " in line)
        assert "collected: worksheet.csv has no submission time" in line


def test_a_worksheet_of_another_assignment_changes_nothing(root, collect_with):
    """The participant numbers differ, although the names are the same."""
    row = ("Participant 99", GÜL[1], SUBMITTED, "Wednesday, 10 June 2026, 2:14 PM")
    done = collect_with(worksheet(ENGLISH, row), members(GÜL))
    assert done.returncode == 0
    assert "has no submission time" in done.stdout
    assert not times(root)


def test_a_repaired_copy_gets_the_time_of_the_student(root, collect_with):
    (root / "roster.csv").write_text("student,name,email\nguel,Gül Ångström,\n", "utf-8")
    done = collect_with(WORKSHEETS["German"], {FILE: other()}, "--student", "guel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert times(root) == {"guel": LATE}


def test_a_worksheet_needs_one_assignment_and_an_archive_of_moodle(root, collect_with):
    for names in ((), (NAME, "03-vgg16")):
        done = collect_with(WORKSHEETS["German"], members(GÜL), names=names)
        assert done.returncode == 1
        assert "a grading worksheet belongs to one assignment: name it" in done.stderr
    done = collect_with(WORKSHEETS["German"], {f"ada_1_2_{FILE}": other()})
    assert done.returncode == 1
    assert "is from Moodle, but" in done.stderr and "leave out --times" in done.stderr
    done = collect_with("Name,Zeit\nAda,1\n", members(GÜL))
    assert done.returncode == 1
    columns = '"Identifier", "Status", and "Last modified (submission)"'
    assert f"is not a grading worksheet with the columns {columns}: download" in done.stderr
    assert "with Moodle's language set to English or German" in done.stderr
    assert not submitted(root)


def test_times_follow_the_submissions_in_any_order(root, collect, collect_with):
    """A later collection without a worksheet keeps the time of the same files, and no other."""
    week = 7 * 86_400
    (path,) = members(GÜL)
    early = WORKSHEETS["German"].replace("14:14", "12:14")
    first, second = {path: 1_770_000_000}, {path: 1_770_000_000 + week}
    archive = {path: other()}
    assert collect(archive, name="1.zip", times=first).returncode == 0
    assert not times(root)
    # The files are those that were collected: only the time is new.
    done = collect_with(WORKSHEETS["German"], archive, name="2.zip", times=second)
    assert "already collected" in done.stdout
    assert times(root) == {"gül-ångström": LATE}
    collect_with(early, archive, name="1.zip", times=first)
    collect(archive, name="2.zip", times=second)
    assert times(root) == {"gül-ångström": LATE}
    done = collect({path: other("new")}, name="3.zip", times={path: 1_770_000_000 + 2 * week})
    assert "replaced an older submission; its submission time is unknown" in done.stdout
    assert not times(root)


def test_collecting_again_keeps_a_time_that_a_person_wrote(root, collect):
    archive = members(GÜL)
    assert collect(archive).returncode == 0
    file = root / "submitted" / "gül-ångström" / NAME / "timestamp.txt"
    file.write_text("2026-06-10 14:14 Europe/Berlin\n")
    done = collect(archive)
    assert "already collected" in done.stdout
    assert file.read_text() == "2026-06-10 14:14 Europe/Berlin\n"


def test_a_replaced_submission_with_a_row_in_the_table_is_to_be_checked(root, collect):
    (root / "submission_times.csv").write_text(
        f"assignment,student,submitted\n{NAME},ada-1,2026-06-10 14:14\n"
    )
    for number, content in ((5, "old"), (6, "new")):
        path = platform_archives.canvas("Ada", 1, number, FILE)
        done = collect({path: other(content)}, name=f"{number}.zip")
    assert "replaced an older submission; check its time in submission_times.csv" in done.stdout
    (root / "submission_times.csv").write_text("assignment,student,submitted\n02-mnist,ada,noon\n")
    done = collect({path: other("new")})
    assert done.returncode == 1
    assert "submission_times.csv, line 2: 'noon' is not a time that can be read" in done.stderr
