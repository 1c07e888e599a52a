"""Scores as Canvas's Gradebook imports them.

lib/gradebook_importer.rb of canvas-lms reads these columns, lib/gradebook_exporter.rb writes them.
Where the roster is such an export, its columns are taken over, so that Canvas finds people and
assignments again.
Canvas takes an empty cell for a score to delete: what the export has stays where we have none.
"""

from course.instructor.export.columns import Table, copied, place_of, same_points
from course.instructor.roster.csv_writer import escape_formula, escape_identifier, format_points

COLUMNS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
TITLE_WITH_ID = r"(.*) \(\d+\)"  # Canvas knows an assignment by the number
POINTS_POSSIBLE = "    Points Possible"  # with the spaces that Canvas writes
EXCUSED = "EX"


def table_of(standings):
    """Return the table of a class.

    Parameters
    ----------
    standings : Standings

    Returns
    -------
    Table

    Raises
    ------
    CourseError
        If an assignment has other points in Canvas, or could be several of its columns.
    """
    roster = standings.roster if standings.roster and standings.roster.kind == "Canvas" else None
    table, members = Table(), standings.members
    if roster:
        width = [each.lower() for each in roster.header].index("section") + 1
        head = roster.header[:width]
        rows = [copied(head, each.row) for each in members]
    else:
        head = list(COLUMNS)
        rows = [_about(each.person) for each in members]
    points = [POINTS_POSSIBLE] + [""] * (len(head) - 1)
    for name in standings.with_scores():
        full = standings.assignments[name][0]
        at = place_of(name, roster, TITLE_WITH_ID) if roster else None
        if at is not None:
            same_points(name, full, roster.points_possible[at] if roster.points_possible else "", "Canvas")
        elif roster:
            table.notes.append(f"{name} is no assignment in Canvas's export: Canvas makes it anew")
        head.append(name if at is None else roster.header[at])
        points.append(format_points(full))
        table.columns[name] = head[-1]
        for member, row in zip(members, rows, strict=True):
            there = "" if at is None else member.row[at].strip()
            if there.upper() == EXCUSED:
                table.blank(member, name, "excused in Canvas")
                row.append(there)
            else:
                row.append(table.score(member, name, standings.of(member, name), there))
    table.rows = [head, points, *rows]
    return table


def _about(person):
    # Without any other name, the folder's may be a login; Canvas asks if it is nobody's.
    nameless = not (person.name or person.canvas_id or person.sis_id or person.login)
    login = person.student if nameless else person.login
    cells = [escape_identifier(each) for each in (person.canvas_id, person.sis_id, login)]
    return [escape_formula(person.name), *cells, escape_formula(person.section)]
