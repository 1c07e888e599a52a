"""Score tables for import into Canvas's Gradebook.

In canvas-lms, lib/gradebook_importer.rb reads these columns, and lib/gradebook_exporter.rb writes
them. If the roster is a Canvas export, its columns are copied, so that Canvas recognizes the
students and assignments. Canvas deletes a score if its cell is empty. Therefore, if nbgrader's
gradebook has no score, the cell repeats the one in the Canvas export.
"""

from course.instructor.csv_files.csv_writer import escape_formula, escape_identifier, format_points
from course.instructor.export.export_table import ExportTable, check_points, escape_row, find_column
from course.instructor.gradebook.class_scores import EXCUSED, ClassScores
from course.instructor.roster.roster import Person

COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
TITLE_WITH_ID = r"(.*) \(\d+\)"  # Canvas identifies an assignment by the number in parentheses
POINTS_POSSIBLE = "    Points Possible"  # with the leading spaces that Canvas writes
EXCUSED_CELL = "EX"


def build_table(class_scores: ClassScores) -> ExportTable:
    """Return the scores of a class in Canvas's column layout.

    Raises CourseError if the points of an assignment differ in Canvas or several columns match it.
    """
    roster = class_scores.roster
    known_header, points_possible = [], []
    if roster and roster.kind == "Canvas":
        known_header, points_possible = roster.header, roster.points_possible
    table, members = ExportTable(), class_scores.members
    if known_header:
        width = [each.lower() for each in known_header].index("section") + 1
        header = known_header[:width]
        rows = [escape_row(header, each.row or []) for each in members]
    else:
        header = list(COLUMNS)
        rows = [_identifying_cells(each.person) for each in members]
    points_row = [POINTS_POSSIBLE] + [""] * (len(header) - 1)
    for name in class_scores.scored_assignments():
        points = class_scores.assignments[name][0]
        column = find_column(name, known_header, TITLE_WITH_ID)
        title = name if column is None else known_header[column]
        if column is not None and points_possible:
            check_points(name, points, points_possible[column], "Canvas")
        elif column is None and known_header:
            table.notes.append(f"{name} is not in Canvas's export: Canvas will create it")
        header.append(title)
        points_row.append(format_points(points))
        table.columns[name] = title
        for member, row in zip(members, rows, strict=True):
            score = class_scores.score_of(member, name)
            is_excused = score.missing_reason == EXCUSED
            existing = EXCUSED_CELL if is_excused else member.cell(column).strip()
            row.append(table.score_cell(member, name, score, existing))
    table.rows = [header, points_row, *rows]
    return table


def find_excused(class_scores: ClassScores) -> set[tuple[str, str]]:
    """Return (assignment, student) for each student whom Canvas's export shows as excused.

    The result is empty if the roster is not a Canvas export.
    """
    roster = class_scores.roster
    if not roster or roster.kind != "Canvas":
        return set()
    columns = {
        name: find_column(name, roster.header, TITLE_WITH_ID) for name in class_scores.assignments
    }
    return {
        (name, member.student)
        for name, column in columns.items()
        for member in class_scores.members
        if member.cell(column).strip().upper() == EXCUSED_CELL
    }


def _identifying_cells(person: Person) -> list[str]:
    """Return a student's cells for the columns in COLUMNS."""
    # Without another identifier, the student ID may be a login; if not, Canvas asks who it is.
    has_identifier = person.name or person.canvas_id or person.sis_id or person.login
    login = person.login if has_identifier else person.student
    identifiers = [escape_identifier(each) for each in (person.canvas_id, person.sis_id, login)]
    return [escape_formula(person.name), *identifiers, escape_formula(person.section)]
