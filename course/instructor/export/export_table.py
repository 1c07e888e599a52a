"""The table to export, and the search for an assignment's column in a platform's own export."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from course.errors import CourseError
from course.instructor.csv_files.csv_writer import escape_formula, escape_identifier, format_points
from course.instructor.gradebook.class_scores import MemberScore
from course.instructor.gradebook.roster_matching import Member

# The lowercase headers of the columns that identify a person.
_IDENTIFIER_HEADERS = {"id", "sis user id", "sis login id", "integration id", "identifier"}
_IDENTIFIER_HEADERS |= {"id number", "email address", "username"}


@dataclass
class ExportTable:
    """The rows to write, header first, and the information to report about them.

    `columns` maps an assignment to the header of its score column. `blanks` maps (assignment,
    reason) to the students for whom no score is exported.
    """

    rows: list[list[str]] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    blanks: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # lines for the terminal

    def score_cell(
        self, member: Member, assignment: str, score: MemberScore, existing: str = ""
    ) -> str:
        """Return a score as text; if there is none, record the reason and return `existing`."""
        if score.score is None:
            self.record_blank(member, assignment, score.missing_reason)
            return escape_formula(existing)
        return format_points(score.score)

    def record_blank(self, member: Member, assignment: str, reason: str) -> None:
        """Record why no score is exported for a student."""
        self.blanks.setdefault((assignment, reason), []).append(member.student)


def escape_row(header: Sequence[str], row: Sequence[str]) -> list[str]:
    """Return the cells of a row from a platform's export, with formulas escaped."""
    return [
        escape_identifier(cell) if name.lower() in _IDENTIFIER_HEADERS else escape_formula(cell)
        for name, cell in zip(header, row, strict=False)
    ]


def find_column(assignment: str, header: Sequence[str], title_pattern: str) -> int | None:
    """Return the index of an assignment's column in a platform's export, or None.

    The first group of `title_pattern` is a column's title, which equals or, failing that, contains
    the assignment's name. Raises CourseError if several columns match.
    """
    titles = {
        index: _alphanumeric(match[1])
        for index, cell in enumerate(header)
        if (match := re.fullmatch(title_pattern, cell))
    }
    name = _alphanumeric(assignment)
    found = [index for index, title in titles.items() if title == name]
    found = found or [index for index, title in titles.items() if name in title]
    if len(found) > 1:
        cells = " and ".join(repr(header[index]) for index in found)
        raise CourseError(
            f"{assignment} matches the columns {cells} in the roster: copy the file, delete the"
            " wrong columns from the copy, and use the copy as the roster."
        )
    return found[0] if found else None


def check_points(assignment: str, points: float, platform_points: str, platform: str) -> None:
    """Raise CourseError if the platform has a different number of points for an assignment.

    `platform_points` is the text of a cell; 0 and any text that is not a number are accepted.
    """
    try:
        value = float(platform_points.replace(",", "."))
    except ValueError:
        return
    if value and abs(value - points) > 0.005:
        raise CourseError(
            f"{assignment} has {format_points(points)} points here and {format_points(value)} in"
            f" {platform}: set {format_points(points)} there, then export the roster from there."
        )


def _alphanumeric(text: str) -> str:
    """Return the case-folded letters and digits of a text."""
    return "".join(char for char in text.casefold() if char.isalnum())
