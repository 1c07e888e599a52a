"""Scores as Moodle takes them in: into its gradebook, or into one assignment.

The gradebook imports what it exports ("Grade import" of Moodle's documentation;
grade/import/csv/classes/load_data.php, grade/export/txt/grade_export_txt.php). An assignment takes
its grading worksheet back, filled in (mod/assign/gradingtable.php writes it,
mod/assign/feedback/offline/importgradeslib.php reads it). Moodle's gradebook takes an empty cell
for a grade to delete: what the roster has as Moodle's own stays where we have none.
"""

import html

from course.errors import CourseError
from course.instructor.export.columns import Table, copied, place_of, same_points
from course.instructor.gradebook.members import first_and_last
from course.instructor.gradebook.standings import Standing
from course.instructor.roster.csv_writer import escape_formula, escape_identifier

# Heading to what Moodle can tell people by.
IDENTIFYING = {"ID number": "sis_id", "Email address": "email", "Username": "login"}
NO_GRADE = "-"  # as Moodle writes it itself; it reads it too
REAL, FEEDBACK = " (Real)", " (Feedback)"
GRADE_ITEM = r"(?:[^:]+: )?(.*?)(?: \(Real\)|(?<!\)))"  # no percentage, letter or feedback


def table_of(standings):
    """Return what the gradebook imports of a class; the grading worksheet, if that is the roster.

    Parameters
    ----------
    standings : Standings

    Returns
    -------
    Table

    Raises
    ------
    CourseError
        If Moodle could not tell who everybody is, or would not take the scores for what they are.
    """
    if standings.roster and standings.roster.kind == "worksheet":
        return _worksheet(standings)
    roster = standings.roster if standings.roster and standings.roster.kind == "Moodle" else None
    table, names = Table(), standings.with_scores()
    members = []
    for member in standings.members:
        found = {name: standings.of(member, name) for name in names}
        # A line without a score would only delete what Moodle has.
        if any(each.score is not None for each in found.values()):
            members.append(member)
        else:
            for name, each in found.items():
                table.blank(member, name, each.reason)
    head, rows = _about(members)
    for name in names:
        at = place_of(name, roster, GRADE_ITEM) if roster else None
        item = f"Assignment: {name}{REAL}" if at is None else roster.header[at]
        head.append(item)
        table.columns[name] = item
        found = [standings.of(each, name) for each in members]
        for member, row, standing in zip(members, rows, found, strict=True):
            there = "" if at is None else member.row[at].strip()
            row.append(table.score(member, name, standing, there or NO_GRADE))
        if any(each.comment for each in found):
            heading = item.removesuffix(REAL) + FEEDBACK
            at = roster.header.index(heading) if roster and heading in roster.header else None
            head.append(heading)
            for member, row, standing in zip(members, rows, found, strict=True):
                there = "" if at is None else escape_formula(member.row[at])
                row.append(_as_html(standing.comment) or there)
    table.rows = [head, *rows]
    return table


def _about(members):
    """Return the columns that say who somebody is, and their cells."""
    # Of an empty cell, older versions of Moodle take the person of the line above.
    telling = {
        heading: what
        for heading, what in IDENTIFYING.items()
        if all(getattr(each.person, what) for each in members)
    }
    if not telling:
        lacking = next(each.student for each in members if not each.person.email)
        raise CourseError(
            "Moodle knows people by e-mail address, ID number or login, and none of the three is"
            f" known of everybody (not of {lacking}, for one): give a roster with a column email."
        )
    rows = []
    for member in members:
        names = [escape_formula(each) for each in first_and_last(member.person)]
        rows.append(names + [escape_identifier(getattr(member.person, each)) for each in telling.values()])
    return ["First name", "Last name", *telling], rows


def _worksheet(standings):
    roster, table = standings.roster, Table()
    names = standings.with_scores()
    if len(names) != 1:
        raise CourseError(
            "a grading worksheet is of one assignment, and there are scores in"
            f" {', '.join(names)}: say by --assignment which."
        )
    (name,) = names
    full = standings.assignments[name][0]
    small = [each.lower() for each in roster.header]
    if not {"grade", "last modified (grade)"} <= set(small):
        raise CourseError(
            "the roster is no whole grading worksheet, as Moodle wants the columns Identifier,"
            " Grade and Last modified (grade): download it from the assignment again."
        )
    grade = small.index("grade")
    # Capitals differ between versions of Moodle.
    most = small.index("maximum grade") if "maximum grade" in small else None
    comments = small.index("feedback comments") if "feedback comments" in small else None
    table.rows.append(roster.header)
    table.columns[name] = roster.header[grade]
    for member in standings.members:
        row, standing = copied(roster.header, member.row), standings.of(member, name)
        if most is not None:
            same_points(name, full, row[most], "Moodle")
        if standing.score is not None and standing.score > full:
            # Moodle passes over it without a word.
            standing = Standing(reason="more than Moodle's maximum")
        row[grade] = table.score(member, name, standing, row[grade])
        if comments is not None and standing.comment:
            row[comments] = _as_html(standing.comment)
        table.rows.append(row)
    return table


def _as_html(comment):
    """Return a comment as what Moodle takes a text for."""
    return escape_formula(html.escape(comment, quote=False).replace("\n", "<br>"))
