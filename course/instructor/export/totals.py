"""The table of course totals: one row per student, with the weighted mean of the assignments."""

from collections.abc import Collection, Mapping

from course.errors import CourseError
from course.instructor.csv_files.csv_writer import escape_formula, escape_identifier
from course.instructor.export.export_table import ExportTable
from course.instructor.gradebook.class_scores import EXCUSED, NOT_SUBMITTED, ClassScores
from course.instructor.gradebook.roster_matching import Member, first_and_last_name

COLUMNS = ("student_id", "last_name", "first_name", "email")
TOTAL, DROPPED = "total_percent", "dropped"


def build_table(
    scores: ClassScores, weights: Mapping[str, float], drop_lowest: int, known: Collection[str] = ()
) -> ExportTable:
    """Return a table with the percentage of each assignment and the total of each student.

    The total is the weighted mean of the percentages (the default weight is 1) without the
    `drop_lowest` lowest ones; at least one always counts. Work that was not submitted counts as 0,
    and work from which a student is excused does not count. The total is empty while a score is
    pending or missing for another reason, or if a student is excused from everything that counts.
    `known` contains the assignments of the course, some of which may not be exported. Raises
    CourseError if a weight is negative or its assignment is unknown, or if no assignment would
    remain.
    """
    names = scores.scored_assignments()
    for name, weight in weights.items():
        if name not in scores.assignments and name not in known:
            raise CourseError(
                f"{name!r} in c.TotalsExportPlugin.weights is not an assignment: correct the name"
                " in nbgrader_config.py."
            )
        if weight < 0:
            raise CourseError(
                f"the weight of {name} in nbgrader_config.py is {weight:g}: use 0 or more."
            )
    counted = [name for name in names if weights.get(name, 1.0) > 0]
    if not counted:
        raise CourseError(
            "no assignment counts, because all have a weight of 0 in nbgrader_config.py: give one a"
            " positive weight."
        )
    if drop_lowest >= len(counted):
        raise CourseError(
            f"c.TotalsExportPlugin.drop_lowest is {drop_lowest}, but the number of assignments that"
            f" count is {len(counted)}: set a lower number in nbgrader_config.py."
        )
    table = ExportTable(rows=[[*COLUMNS, *names, TOTAL, DROPPED]])
    table.columns = {name: name for name in names}
    for member in scores.members:
        shares = {name: _share(scores, member, name, table) for name in names}
        excused = {
            name for name in names if scores.score_of(member, name).missing_reason == EXCUSED
        }
        dropped: list[str] = []
        total = ""
        scored = {name: share for name in counted if (share := shares[name]) is not None}
        if scored and scored.keys() | excused >= set(counted):
            by_share = sorted(scored, key=lambda name: scored[name])
            dropped = by_share[: min(drop_lowest, len(scored) - 1)]
            kept = [name for name in scored if name not in dropped]
            weight = sum(weights.get(name, 1.0) for name in kept)
            points = sum(weights.get(name, 1.0) * scored[name] for name in kept)
            total = f"{100 * points / weight:.2f}"
        first, last = first_and_last_name(member.person)
        table.rows.append(
            [
                escape_identifier(member.student),
                escape_formula(last),
                escape_formula(first),
                escape_identifier(member.person.email),
                *(
                    EXCUSED if name in excused else "" if share is None else f"{100 * share:.2f}"
                    for name, share in shares.items()
                ),
                total,
                " ".join(dropped),
            ]
        )
    return table


def _share(scores: ClassScores, member: Member, name: str, table: ExportTable) -> float | None:
    """Return the fraction of the points that a member has, or None if it is unknown or excused.

    A missing score is recorded in the table; it is 0.0 if nothing was submitted.
    """
    points, _ = scores.assignments[name]
    each = scores.score_of(member, name)
    if each.score is not None:
        return each.score / points if points else 0.0
    table.record_blank(member, name, each.missing_reason)
    return 0.0 if each.missing_reason == NOT_SUBMITTED else None
