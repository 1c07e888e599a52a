"""Score tables for import into Moodle's gradebook or into a single Moodle assignment.

Moodle's gradebook imports its own export ("Grade import" in Moodle's documentation;
grade/import/csv/classes/load_data.php, grade/export/txt/grade_export_txt.php). An assignment
imports its grading worksheet (mod/assign/gradingtable.php writes it,
mod/assign/feedback/offline/importgradeslib.php reads it). Moodle's gradebook deletes a grade if its
cell is empty. Therefore, if nbgrader's gradebook has no score, the cell repeats the grade in the
Moodle export.
"""

import html
from collections.abc import Sequence

from course.errors import CourseError
from course.instructor.csv_files.csv_writer import escape_comment, escape_formula, escape_identifier
from course.instructor.export.export_table import ExportTable, check_points, escape_row, find_column
from course.instructor.gradebook.class_scores import ClassScores, MemberScore
from course.instructor.gradebook.roster_matching import Member, first_and_last_name
from course.instructor.roster.roster import Roster

# Maps each header by which Moodle identifies people to a field of `Person`.
IDENTIFIERS = {"ID number": "sis_id", "Email address": "email", "Username": "login"}
NO_GRADE = "-"  # written and read by Moodle
REAL, FEEDBACK = " (Real)", " (Feedback)"
GRADE_ITEM = r"(?:[^:]+: )?(.*?)(?: \(Real\)|(?<!\)))"  # not a percentage, letter, or feedback


def build_table(class_scores: ClassScores) -> ExportTable:
    """Return the scores in the column layout of Moodle's gradebook or of a grading worksheet.

    Raises CourseError if Moodle could not identify the students or the roster does not fit.
    """
    roster = class_scores.roster
    if roster and roster.kind == "worksheet":
        return _fill_in_worksheet(class_scores, roster)
    known_header = roster.header if roster and roster.kind == "Moodle" else []
    table, names = ExportTable(), class_scores.scored_assignments()
    members = []
    for member in class_scores.members:
        scores = {name: class_scores.score_of(member, name) for name in names}
        # A row without any score could only delete Moodle's grades.
        if any(each.score is not None for each in scores.values()):
            members.append(member)
        else:
            for name, each in scores.items():
                table.record_blank(member, name, each.missing_reason)
    header, rows = _identifying_columns(members)
    for name in names:
        column = find_column(name, known_header, GRADE_ITEM)
        title = f"Assignment: {name}{REAL}" if column is None else known_header[column]
        header.append(title)
        table.columns[name] = title
        found = [class_scores.score_of(each, name) for each in members]
        for member, row, score in zip(members, rows, found, strict=True):
            existing = member.cell(column).strip() or NO_GRADE
            row.append(table.score_cell(member, name, score, existing))
        if any(each.comment for each in found):
            title = title.removesuffix(REAL) + FEEDBACK
            column = known_header.index(title) if title in known_header else None
            header.append(title)
            for member, row, score in zip(members, rows, found, strict=True):
                row.append(_to_html(score.comment) or escape_formula(member.cell(column)))
    table.rows = [header, *rows]
    return table


def _identifying_columns(members: Sequence[Member]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the columns that identify people."""
    # If a cell is empty, older versions of Moodle use the person in the previous row.
    complete = {
        header: field
        for header, field in IDENTIFIERS.items()
        if all(getattr(each.person, field) for each in members)
    }
    if not complete:
        example = next(each.student for each in members if not each.person.email)
        raise CourseError(
            "Moodle identifies people by email address, ID number, or username, and none of these"
            f" is known for everyone (for example, not for {example}): use a roster with a column"
            " named email."
        )
    rows = []
    for member in members:
        names = [escape_formula(each) for each in first_and_last_name(member.person)]
        identifiers = [getattr(member.person, field) for field in complete.values()]
        rows.append(names + [escape_identifier(each) for each in identifiers])
    return ["First name", "Last name", *complete], rows


def _fill_in_worksheet(class_scores: ClassScores, roster: Roster) -> ExportTable:
    """Return an assignment's grading worksheet with its scores and comments filled in."""
    table, names = ExportTable(), class_scores.scored_assignments()
    if len(names) != 1:
        raise CourseError(
            "a grading worksheet belongs to one assignment, but there are scores in"
            f" {', '.join(names)}: choose one with --assignment."
        )
    (name,) = names
    points = class_scores.assignments[name][0]
    # Capitalization differs between versions of Moodle.
    columns = {title.lower(): index for index, title in enumerate(roster.header)}
    if not {"grade", "last modified (grade)"} <= columns.keys():
        raise CourseError(
            "the roster is not a complete grading worksheet, because Moodle requires the columns"
            ' "Identifier", "Grade", and "Last modified (grade)": download the worksheet again.'
        )
    grade, comments = columns["grade"], columns.get("feedback comments")
    table.rows.append(roster.header)
    table.columns[name] = roster.header[grade]
    for member in class_scores.members:
        row = escape_row(roster.header, member.row or [])
        score = class_scores.score_of(member, name)
        check_points(name, points, member.cell(columns.get("maximum grade")), "Moodle")
        if score.score is not None and score.score > points:
            # Moodle ignores such a score without a message.
            score = MemberScore(missing_reason="more than Moodle's maximum")
        row[grade] = table.score_cell(member, name, score, row[grade])
        if comments is not None and score.comment:
            row[comments] = _to_html(score.comment)
        table.rows.append(row)
    return table


def _to_html(comment: str) -> str:
    """Return a comment as the HTML that Moodle expects."""
    return escape_comment(html.escape(comment, quote=False).replace("\n", "<br>"))
