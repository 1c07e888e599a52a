"""Scores on their way out: nbgrader's export plugins for CSV, Canvas and Moodle."""

import re
import sys
from pathlib import Path

from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Unicode

from course.errors import CourseError
from course.instructor.export import canvas, moodle
from course.instructor.export.columns import Table
from course.instructor.gradebook import standings
from course.instructor.gradebook.members import first_and_last, members_of
from course.instructor.roster import csv_writer
from course.instructor.roster import roster as rosters
from course.training import results_table

# Those of nbgrader's CsvExportPlugin.
COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
SHOWN = 12  # names in a line; the others are counted


class ScoresExportPlugin(ExportPlugin):
    """A line for each student and assignment, in the columns of nbgrader's own export.

    Parameters
    ----------
    parent
        What has a `coursedir`: nbgrader's application or API.
    """

    takes_strangers = True  # students of the gradebook whom the roster does not know

    roster = Unicode("", help="the class as CSV; roster.csv in the course directory if empty").tag(
        config=True
    )
    force = Bool(False, help="replace the file if it is there").tag(config=True)
    waiting = Bool(False, help="also scores of which a part waits for a person").tag(config=True)
    zero = Bool(False, help="0 for who has handed in nothing").tag(config=True)

    def export(self, gradebook):
        """Write the file and print what is in it, as `nbgrader export` wants it."""
        try:
            print(self._as_typed(self.write(gradebook)))
        except CourseError as error:
            sys.exit(f"{type(self).__name__}: {self._as_typed(str(error))}")

    def _as_typed(self, text):
        """Return a text with the options of `course export` as nbgrader takes them."""
        return re.sub(r"--(force|waiting)\b", rf"--{type(self).__name__}.\1=True", text)

    def write(self, gradebook):
        """Write the file.

        Parameters
        ----------
        gradebook : nbgrader.api.Gradebook

        Returns
        -------
        str
            What is in it, as a table and some lines.

        Raises
        ------
        CourseError
            If there is nothing to export, or it cannot be written.
        """
        path, root = Path(self.to or "grades.csv"), Path(self.parent.coursedir.root)
        if path.resolve() in (Path(self.roster).resolve(), (root / rosters.ROSTER_FILE_NAME).resolve()):
            raise CourseError(f"{path} is the roster: name another file for the scores.")
        found = self._class(gradebook, root)
        strangers = [] if self.takes_strangers else found.strangers()
        if strangers:
            anybody, found = found.with_scores(), found.without_strangers()
            if anybody and not found.with_scores():
                raise CourseError(
                    f"nobody who has a score is in the roster (not {_some(strangers)}): give it a"
                    " column student with these names."
                )
        if not found.with_scores():
            raise CourseError(
                "there is no score to export: run course grade first, and give in the formgrader"
                " what waits for a person (--waiting exports what there is so far)."
            )
        table = self.table_of(found)
        if strangers:
            words = f"left out, since the roster does not know them: {_some(strangers)}"
            table.notes.append(words)
        csv_writer.write_table(path, table.rows, force=self.force)
        return _summary(path, found, table)

    def _class(self, gradebook, root):
        collected_with = rosters.read_course_roster(root)
        roster = rosters.read_roster(Path(self.roster)) if self.roster else collected_with
        choice = standings.Choice(
            tuple(map(str, self.student)),
            tuple(map(str, self.assignment)),
            self.waiting,
            self.zero,
        )
        members = members_of(gradebook.students, roster, collected_with)
        return standings.read(gradebook, root, members, roster, choice)

    def table_of(self, found):
        """Return the `Table` of a class."""
        return _nbgraders_columns(found)


class CanvasExportPlugin(ScoresExportPlugin):
    """The CSV file that Canvas's Gradebook imports."""

    takes_strangers = False

    def table_of(self, found):
        """Return the `Table` of a class."""
        return canvas.table_of(found)


class MoodleExportPlugin(ScoresExportPlugin):
    """The CSV file that Moodle's gradebook imports, or an assignment's grading worksheet."""

    takes_strangers = False

    def table_of(self, found):
        """Return the `Table` of a class."""
        return moodle.table_of(found)


PLUGINS = {
    "csv": ScoresExportPlugin,
    "canvas": CanvasExportPlugin,
    "moodle": MoodleExportPlugin,
}


def _nbgraders_columns(found):
    """Return the columns of nbgrader's CsvExportPlugin; what has no score is empty, never 0."""
    table = Table(rows=[list(COLUMNS)])
    for name, (full, due) in found.assignments.items():
        table.columns[name] = "score"
        for member in found.members:
            each, (first, last) = found.of(member, name), first_and_last(member.person)
            points = [each.raw_score, each.penalty, each.score]
            if each.score is None:
                table.blank(member, name, each.reason)
            table.rows.append(
                [
                    name,
                    due,
                    each.timestamp,
                    csv_writer.escape_identifier(member.student),
                    csv_writer.escape_formula(last),
                    csv_writer.escape_formula(first),
                    csv_writer.escape_identifier(member.person.email),
                    *("" if value is None else csv_writer.format_points(value) for value in points),
                    csv_writer.format_points(full),
                ]
            )
    return table


def _summary(path, found, table):
    """Return how many have scores, who has none and why."""
    lines = []
    blanks = dict.fromkeys(table.columns, 0)
    for (name, reason), students in table.blanks.items():
        blanks[name] += len(students)
        hint = " (--waiting exports the score so far)" if reason == standings.WAITING else ""
        lines.append(f"no score in {name}, {reason}{hint}: {_some(students)}")
    left_out = [name for name in found.assignments if name not in table.columns]
    if left_out:
        lines.append(f"left out, since nobody has a score: {', '.join(left_out)}")
    rows = [
        {
            "assignment": name,
            "points": csv_writer.format_points(found.assignments[name][0]),
            "column": column,
            "students": len(found.members),
            "scores": len(found.members) - blanks[name],
            "no score": blanks[name],
        }
        for name, column in table.columns.items()
    ]
    return "\n".join([results_table(rows), *lines, *table.notes, f"written: {path}"])


def _some(students):
    more = f" and {len(students) - SHOWN} more" if len(students) > SHOWN else ""
    return ", ".join(students[:SHOWN]) + more
