"""What is to be written for a learning platform, and how its own columns are found again."""

import re
from dataclasses import dataclass, field

from course.errors import CourseError
from course.instructor.roster.csv_writer import escape_formula, escape_identifier, format_points

# Headings, in small letters, of what a platform knows a person by.
_IDENTIFYING = {"id", "sis user id", "sis login id", "integration id", "identifier"}
_IDENTIFYING |= {"id number", "email address", "username"}


@dataclass
class Table:
    """What is to be written, and what is to be said about it.

    Attributes
    ----------
    rows : list of list of str
        The headings first.
    columns : dict of str to str
        Assignment to the heading of its scores.
    blanks : dict of (str, str) to list of str
        Assignment and reason to the students who get no score from here.
    notes : list of str
        Lines for the person at the terminal.
    """

    rows: list[list[str]] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    blanks: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def score(self, member, name, standing, there=""):
        """Return a cell: the score, else what the platform has; say why there is no score."""
        if standing.score is None:
            self.blank(member, name, standing.reason)
            return escape_formula(there)
        return format_points(standing.score)

    def blank(self, member, name, reason):
        """Note that a student gets no score from here."""
        self.blanks.setdefault((name, reason), []).append(member.student)


def copied(head, row):
    """Return the cells of a line that a platform wrote, as they are but for formulas."""
    return [
        escape_identifier(cell) if heading.lower() in _IDENTIFYING else escape_formula(cell)
        for heading, cell in zip(head, row, strict=False)
    ]


def place_of(name, roster, pattern):
    """Return the place of an assignment's column in what a platform has exported.

    Parameters
    ----------
    name : str
        The assignment here.
    roster : Roster
    pattern : str
        Matches headings of such columns; the first group is the title.

    Returns
    -------
    int or None
        That of the column with this title, else of the one whose title holds the name.

    Raises
    ------
    CourseError
        If it may be several.
    """
    titles = {
        at: _letters(found[1])
        for at, heading in enumerate(roster.header)
        if (found := re.fullmatch(pattern, heading))
    }
    wanted = _letters(name)
    places = [at for at, title in titles.items() if title == wanted]
    places = places or [at for at, title in titles.items() if wanted in title]
    if len(places) > 1:
        which = " and ".join(repr(roster.header[at]) for at in places)
        raise CourseError(
            f"{name} may be {which} in the roster: delete the other column in a copy of the file."
        )
    return places[0] if places else None


def same_points(name, full, there, platform):
    """Refuse an assignment whose points are others on the platform, where a score would mislead.

    Parameters
    ----------
    name : str
    full : float
        The points here.
    there : str
        What the platform has written; nothing is said of what is no number, or 0.
    platform : str
    """
    try:
        points = float(there.replace(",", "."))
    except ValueError:
        return
    if points and abs(points - full) > 0.005:
        raise CourseError(
            f"{name} has {format_points(full)} points here and {format_points(points)} in {platform}: set"
            f" {format_points(full)} there, and export the roster again."
        )


def _letters(text):
    return "".join(each for each in text.casefold() if each.isalnum())
