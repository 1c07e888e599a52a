"""What the platforms give an instructor: archives of submissions, folders, and tables."""

import csv
import io
import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from tests.benchmarks.term.assignments import ALL, Assignment
from tests.benchmarks.term.example_class import (
    ROUNDS,
    ZONE,
    ExampleClass,
    Student,
    Upload,
    due_time,
    is_enrolled,
)
from tests.instructor.collect import platform_archives

CANVAS_HEADER = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
MOODLE_HEADER = ["First name", "Last name", "ID number", "Email address"]
WORKSHEET_HEADER = [
    "Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade",
    "Grade can be changed", "Last modified (submission)", "Last modified (grade)",
    "Feedback comments",
]  # fmt: skip


def write_canvas_archive(
    example: ExampleClass, assignment: Assignment, collection: int, path: Path
) -> None:
    """Write what "Download Submissions" gives in a round of collecting."""
    members = {}
    for upload in example.uploads_of(assignment, collection):
        name = platform_archives.canvas(
            upload.student.name,
            upload.student.number,
            90_000 + upload.number,
            assignment.file_name,
            late=upload.time > due_time(assignment),
        )
        members[name] = upload.content
    path.write_bytes(platform_archives.zipped(members, _now(members, assignment, collection)))


def write_moodle_archive(
    example: ExampleClass, assignment: Assignment, collection: int, path: Path
) -> None:
    """Write what "Download all submissions" gives in a round of collecting."""
    members = {
        platform_archives.moodle(
            upload.student.name, _participant(upload.student, assignment), name
        ): content
        for upload in example.uploads_of(assignment, collection)
        for name, content in {assignment.file_name: upload.content, **upload.helpers}.items()
    }
    path.write_bytes(platform_archives.zipped(members, _now(members, assignment, collection)))


def write_worksheet(
    example: ExampleClass, assignment: Assignment, collection: int, path: Path
) -> None:
    """Write Moodle's grading worksheet of an assignment."""
    times = {each.student: each.time for each in example.uploads_of(assignment, collection)}
    rows = [WORKSHEET_HEADER]
    for student in example.students:
        if not is_enrolled(student, assignment):
            continue
        time = times.get(student)
        rows.append(
            [
                f"Participant {_participant(student, assignment)}",
                student.name,
                student.email,
                "Submitted for grading" if time else "No submission",
                "",
                _number(assignment.points),
                "Yes",
                _moodle_time(time) if time else "-",
                "-",
                "",
            ]
        )
    write_csv(path, rows)


def write_drive_folder(
    example: ExampleClass, assignment: Assignment, collection: int, path: Path
) -> None:
    """Write a folder that students share on Google Drive, as it is downloaded."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for upload in example.uploads_of(assignment, collection):
        if upload.platform == "drive":
            name = platform_archives.drive(upload.student.name, assignment.file_name, ".")
            _write(path / name, upload)


def write_exchange(
    example: ExampleClass, assignment: Assignment, collection: int, path: Path
) -> None:
    """Write the inbound folder of nbgrader's exchange."""
    path.mkdir(exist_ok=True)
    for upload in example.uploads_of(assignment, collection):
        if upload.platform == "exchange":
            when = upload.time.strftime("%Y-%m-%d %H:%M:%S.%f")
            name = platform_archives.exchange(
                upload.student.id, assignment.name, when, assignment.file_name
            )
            _write(path / name, upload)
            (path / name).with_name("timestamp.txt").write_text(f"{when} UTC\n")


def write_canvas_gradebook(example: ExampleClass, path: Path) -> None:
    """Write what Canvas's Gradebook > Export gives at the end of the term."""
    titles = [f"{each.name} ({7000 + number})" for number, each in enumerate(ALL)]
    points = [_number(each.points) for each in ALL]
    rows = [[*CANVAS_HEADER, *titles], ["    Points Possible", "", "", "", "", *points]]
    for student in remaining(example):
        *first, last = student.name.split()
        name = f"{last}, {' '.join(first)}"
        number = str(student.number)
        rows.append([name, number, f"sis{number}", student.login, "1", *[""] * len(ALL)])
    write_csv(path, rows)


def write_moodle_gradebook(example: ExampleClass, path: Path) -> None:
    """Write what Moodle's Grades > Export > Plain text file gives at the end of the term."""
    rows = [[*MOODLE_HEADER, *(f"Assignment: {each.name} (Real)" for each in ALL)]]
    for student in remaining(example):
        *first, last = student.name.split()
        rows.append([" ".join(first), last, f"sis{student.number}", student.email, *["-"] * 3])
    write_csv(path, rows)


def remaining(example: ExampleClass) -> list[Student]:
    """Return the students who are in the class at the end of the term."""
    return [each for each in example.students if not each.is_dropped]


def write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a table as platforms do."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), "utf-8", newline="")


def _now(members: dict[str, bytes], assignment: Assignment, collection: int) -> dict[str, float]:
    """Return the times in an archive: platforms write when it was downloaded."""
    when = due_time(assignment) + ROUNDS[collection]
    return dict.fromkeys(members, when.timestamp())


def _participant(student: Student, assignment: Assignment) -> int:
    """Return the number of a student in an assignment, by which only Moodle knows it."""
    return 10_000 * int(assignment.name[:2]) + student.number


def _moodle_time(time: datetime) -> str:
    """Return a time as a worksheet has it."""
    local = time.astimezone(ZONE)
    return f"{local:%A}, {local.day} {local:%B %Y}, {local.hour % 12 or 12}:{local:%M %p}"


def _number(points: Fraction) -> str:
    """Return points as platforms write them."""
    return f"{float(points):.2f}"


def _write(path: Path, upload: Upload) -> None:
    """Write a student's file, with its time."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(upload.content)
    os.utime(path, (upload.time.timestamp(), upload.time.timestamp()))
