"""nbgrader export plugins that write scores as CSV for spreadsheets, Canvas, and Moodle."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Dict, Integer, Unicode

from course import tables
from course.errors import CourseError
from course.instructor.course_dir import assignment_names
from course.instructor.csv_files import csv_writer
from course.instructor.export import canvas, moodle, totals
from course.instructor.export.export_table import ExportTable
from course.instructor.gradebook import class_scores
from course.instructor.gradebook.class_scores import PENDING, ClassScores, ScoreSelection
from course.instructor.gradebook.excused import FILE_NAME, read_excused
from course.instructor.gradebook.group_submissions import read_course_groups
from course.instructor.gradebook.roster_matching import (
    first_and_last_name,
    match_members,
    without_names,
)
from course.instructor.grading import outdated_results
from course.instructor.lateness import due_dates
from course.instructor.roster.roster import ROSTER_FILE_NAME, read_course_roster, read_roster
from course.instructor.shortened_list import shorten_list

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

# The columns of nbgrader's CsvExportPlugin.
COLUMNS = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip
MAX_LISTED = 12  # students named in a line of the summary; the others are only counted


def build_nbgrader_table(scores: ClassScores) -> ExportTable:
    """Return the table of nbgrader's CsvExportPlugin, but with empty cells for missing scores."""
    table = ExportTable(rows=[list(COLUMNS)])
    for name, (points, due_date) in scores.assignments.items():
        table.columns[name] = "score"
        for member in scores.members:
            each, (first, last) = scores.score_of(member, name), first_and_last_name(member.person)
            table.rows.append(
                [
                    name,
                    due_date,
                    each.timestamp,
                    csv_writer.escape_identifier(member.student),
                    csv_writer.escape_formula(last),
                    csv_writer.escape_formula(first),
                    csv_writer.escape_identifier(member.person.email),
                    csv_writer.format_points(each.raw_score),
                    csv_writer.format_points(each.penalty),
                    table.score_cell(member, name, each),
                    csv_writer.format_points(points),
                ]
            )
    return table


class ScoresExportPlugin(ExportPlugin):
    """An export with one row per student and assignment, and the columns of nbgrader's export."""

    includes_students_not_in_roster = True
    build_table: Callable[[ClassScores], ExportTable] = staticmethod(build_nbgrader_table)

    roster = Unicode(
        "", help="Roster as a CSV file; by default, roster.csv in the course directory."
    ).tag(config=True)
    force = Bool(False, help="Replace an existing file.").tag(config=True)
    waiting = Bool(False, help="Include scores that are partly pending manual grading.").tag(
        config=True
    )
    zero = Bool(False, help="Write 0 for students without a submission.").tag(config=True)

    def export(self, gradebook: "Gradebook") -> None:
        """Write the file and print a summary, for `nbgrader export`."""
        try:
            print(self._with_nbgrader_options(self.write(gradebook)))
        except CourseError as error:
            sys.exit(f"{type(self).__name__}: {self._with_nbgrader_options(str(error))}")

    def _with_nbgrader_options(self, text: str) -> str:
        """Return a message in which --force and --waiting are replaced by nbgrader's options."""
        return re.sub(r"--(force|waiting)\b", rf"--{type(self).__name__}.\1=True", text)

    def write(self, gradebook: "Gradebook") -> str:
        """Write the file and return a summary; raise CourseError if nothing can be exported."""
        path, root = Path(self.to or "grades.csv"), Path(self.parent.coursedir.root)
        if path.resolve() in (Path(self.roster).resolve(), (root / ROSTER_FILE_NAME).resolve()):
            raise CourseError(f"{path} is the roster: name a different file for the scores.")
        scores, unknown = self._read_scores(gradebook, root)
        excluded = []
        if not self.includes_students_not_in_roster and scores.roster:
            excluded = [each.student for each in scores.members if each.row is None]
        if excluded:
            has_scores = bool(scores.scored_assignments())
            scores = replace(scores, members=[each for each in scores.members if each.row])
            if has_scores and not scores.scored_assignments():
                step = "add a column student_id with these IDs to it"
                if _any_pending(scores):
                    step += ", or, if it is correct, export the scores so far with --waiting"
                raise CourseError(
                    "none of the students with a score is in the roster"
                    f" ({shorten_list(excluded, MAX_LISTED)} are not): {step}."
                )
        if not scores.scored_assignments():
            raise CourseError(
                "there is no score to export: run course grade first, then finish the manual"
                " grading in the formgrader (--waiting exports the scores so far)."
            )
        table = self.build_table(scores)
        if excluded:
            table.notes.append(f"skipped, not in the roster: {shorten_list(excluded, MAX_LISTED)}")
        table.notes += unknown
        table.notes += scores.notes
        for name in table.columns:
            table.notes += outdated_results.describe_outdated(root, gradebook, name)
        csv_writer.write_table(path, table.rows, force=self.force)
        return _summarize(path, scores, table)

    def _read_scores(self, gradebook: "Gradebook", root: Path) -> tuple[ClassScores, list[str]]:
        """Return the selected scores, and sentences about IDs in tables that nobody has."""
        collection_roster = read_course_roster(root)
        roster = read_roster(Path(self.roster)) if self.roster else collection_roster
        students, assignments = tuple(map(str, self.student)), tuple(map(str, self.assignment))
        selection = ScoreSelection(students, assignments, self.waiting, self.zero)
        groups = read_course_groups(root, gradebook)
        known = {each.id: each for each in gradebook.students}
        # Members of a group who submitted nothing themselves are not in the gradebook.
        others = [without_names(each) for each in groups.students if each not in known]
        members = match_members([*known.values(), *others], roster, collection_roster)
        scores = class_scores.read_class_scores(gradebook, root, members, roster, selection, groups)
        excused = read_excused(root)
        scores.excuse(excused | canvas.find_excused(scores))
        class_ids = {each for member in members for each in (member.student, member.person.student)}
        in_tables = {FILE_NAME: excused, due_dates.FILE_NAME: due_dates.extensions(root)}
        unknown = [
            due_dates.describe_unknown(file, {student for _, student in pairs} - class_ids)
            for file, pairs in in_tables.items()
        ]
        return scores, list(filter(None, unknown))


class CanvasExportPlugin(ScoresExportPlugin):
    """An export as a CSV file that Canvas's Gradebook can import."""

    includes_students_not_in_roster = False
    build_table = staticmethod(canvas.build_table)


class MoodleExportPlugin(ScoresExportPlugin):
    """An export as a CSV file for Moodle's gradebook, or as an assignment's grading worksheet."""

    includes_students_not_in_roster = False
    build_table = staticmethod(moodle.build_table)


class TotalsExportPlugin(ScoresExportPlugin):
    """An export with one row per student: the percentage of each assignment, and the total."""

    weights = Dict(
        help="Weights of assignments, such as {'08-capstone': 2}; the default weight is 1."
    ).tag(config=True)
    drop_lowest = Integer(0, min=0, help="Number of lowest percentages that do not count.").tag(
        config=True
    )

    def build_table(self, scores: ClassScores) -> ExportTable:  # type: ignore[override]
        """Return the table of totals with the weights and the number of dropped assignments."""
        known = assignment_names(Path(self.parent.coursedir.root)) if self.weights else []
        return totals.build_table(scores, dict(self.weights), int(self.drop_lowest), known)


PLUGINS = {
    "csv": ScoresExportPlugin,
    "canvas": CanvasExportPlugin,
    "moodle": MoodleExportPlugin,
    "totals": TotalsExportPlugin,
}


def _any_pending(scores: ClassScores) -> bool:
    """Return whether a member has no score because it is pending manual grading."""
    return any(each.missing_reason == PENDING for each in scores.scores.values())


def _summarize(path: Path, scores: ClassScores, table: ExportTable) -> str:
    """Return text with the number of scores per assignment, and the students without a score."""
    lines = []
    blank_counts = dict.fromkeys(table.columns, 0)
    for (name, reason), students in table.blanks.items():
        blank_counts[name] += len(students)
        hint = " (--waiting exports the score so far)" if reason == PENDING else ""
        lines.append(f"no score in {name}, {reason}{hint}: {shorten_list(students, MAX_LISTED)}")
    skipped = [name for name in scores.assignments if name not in table.columns]
    if skipped:
        lines.append(f"skipped, no scores: {', '.join(skipped)}")
    rows = [
        {
            "assignment": name,
            "points": csv_writer.format_points(scores.assignments[name][0]),
            "column": column,
            "students": len(scores.members),
            "scores": len(scores.members) - blank_counts[name],
            "no score": blank_counts[name],
        }
        for name, column in table.columns.items()
    ]
    return "\n".join([tables.table(rows), *lines, *table.notes, f"written: {path}"])
