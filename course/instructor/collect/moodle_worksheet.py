"""Submission times in the grading worksheet of an assignment in Moodle.

The worksheet is written by `mod/assign/gradingtable.php`, in the language and the time zone of the
person who downloads it. The column "Last modified (submission)" has the time by which Moodle itself
decides whether a submission is late, without the seconds. For a draft, it is the time of the last
change, which is not a submission time: only the rows of submitted work have one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from course.errors import CourseError
from course.instructor import submission_time
from course.instructor.collect.archive_reader import shorten
from course.instructor.csv_files.csv_reader import read_table
from course.instructor.gradebook.roster_matching import match_people
from course.instructor.roster.roster import Person, Roster, make_roster


@dataclass(frozen=True)
class Language:
    """The texts of one language in a worksheet."""

    columns: dict[str, str]  # the English name of each column that is used
    submitted: str  # how the status of submitted work begins
    months: tuple[str, ...]


# The columns that are used, under their English names.
ID, STATUS, TIME = "identifier", "status", "last modified (submission)"
LANGUAGES = (
    Language(
        {each: each for each in (ID, STATUS, TIME, "full name", "email address", "id number")},
        "submitted for grading",
        ("january", "february", "march", "april", "may", "june", "july", "august", "september",
         "october", "november", "december"),
    ),
    Language(
        {"id": ID, "status": STATUS, "zuletzt geändert (abgabe)": TIME,
         "vollständiger name": "full name", "e-mail-adresse": "email address",
         "id-nummer": "id number"},
        "zur bewertung abgegeben",
        ("januar", "februar", "märz", "april", "mai", "juni", "juli", "august", "september",
         "oktober", "november", "dezember"),
    ),
)  # fmt: skip
# "Wednesday, 10 June 2026, 2:14 PM", in the United States "Wednesday, June 10, 2026, 2:14 PM", and
# "Mittwoch, 10. Juni 2026, 14:14".
DATE = re.compile(
    r"[^\W\d]+, (?:(?P<day>\d{1,2})\.? (?P<month>[^\W\d]+)"
    r"|(?P<us_month>[^\W\d]+) (?P<us_day>\d{1,2}),)"
    r" (?P<year>\d{4}), (?P<hour>\d{1,2}):(?P<minute>\d\d)(?: (?P<half>[AP]M))?",
    re.I,
)


@dataclass
class Worksheet:
    """The students of a worksheet, and the UTC times of those who submitted, by their ids in it."""

    path: Path
    roster: Roster
    times: dict[str, datetime] = field(default_factory=dict)

    def times_of(self, people: Mapping[str, Person]) -> dict[str, datetime]:
        """Return the known submission times of `people` by student id; `people` has the same keys.

        The participant number in the paths of Moodle's archive identifies a row. Students without a
        number are matched as in the export of scores.
        """
        rows, unmatched = {}, dict(people)
        for student, person in people.items():
            if numbered := self.roster.find("participant_id", person.participant_id):
                rows[student] = numbered[0].student
                del unmatched[student]
            elif person.participant_id:  # the worksheet is that of another assignment
                del unmatched[student]
        for member in match_people(unmatched, self.roster):
            if member.row is not None:
                rows.setdefault(member.student, member.person.student)
        return {
            student: self.times[rows[student]]
            for student in people
            if rows.get(student) in self.times
        }


def read_worksheet(path: Path, time_zone: str) -> Worksheet:
    """Read a worksheet whose times are local times in `time_zone`.

    Raises CourseError if the file is not a worksheet, or if a time in it cannot be read; the
    message then names the line.
    """
    table = read_table(path)
    header = [cell.strip().lower() for cell in table[0][1]] if table else []
    language = next(
        (
            each
            for each in LANGUAGES
            if {ID, STATUS, TIME} <= {each.columns.get(cell) for cell in header}
        ),
        None,
    )
    if not language:
        raise CourseError(
            f'{path} is not a grading worksheet with the columns "Identifier", "Status", and "Last'
            ' modified (submission)": download the worksheet from the assignment in Moodle, with'
            " Moodle's language set to English or German."
        )
    columns = [language.columns.get(cell, "") for cell in header]
    rows = [(line, row + [""] * (len(header) - len(row))) for line, row in table[1:]]
    # Only the participant number is unique, so the students' ids are made from it.
    rows = [(line, [*row, f"participant-{_digits(row[columns.index(ID)])}"]) for line, row in rows]
    roster = make_roster(path, [(table[0][0], [*columns, "student"]), *rows])
    status, time = columns.index(STATUS), columns.index(TIME)
    worksheet = Worksheet(path, roster)
    for person, row, (line, _) in zip(roster, roster.rows, rows, strict=True):
        if row[status].strip().lower().startswith(language.submitted):
            where = f"{path}, line {line}"
            worksheet.times[person.student] = _parse(row[time].strip(), language, time_zone, where)
    return worksheet


def _digits(text: str) -> str:
    """Return the digits at the end of a text, or ""."""
    return text[len(text.rstrip("0123456789")) :]


def _parse(text: str, language: Language, time_zone: str, where: str) -> datetime:
    """Return a time in a worksheet as UTC without a time zone, or raise CourseError."""
    match = DATE.fullmatch(" ".join(text.split()))
    try:
        if not match:
            raise ValueError
        month = language.months.index((match["month"] or match["us_month"]).lower()) + 1
        day, hour = int(match["day"] or match["us_day"]), int(match["hour"])
        if match["half"]:
            if not 1 <= hour <= 12:
                raise ValueError
            hour = hour % 12 + 12 * (match["half"].lower() == "pm")
        date = f"{match['year']}-{month:02}-{day:02} {hour:02}:{match['minute']}"
        return submission_time.parse_local(date, time_zone)
    except ValueError:
        raise CourseError(
            f"{where}: {shorten(text)!r} is not a time that can be read: download the worksheet"
            " again, and do not open it in a spreadsheet."
        ) from None
