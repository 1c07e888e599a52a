"""The order of answers on the marking page, which would differ from run to run."""

import contextlib
import sqlite3
import uuid
from pathlib import Path

ORDER = """
    SELECT grade.id, submitted_assignment.student_id, base_cell.name
    FROM grade JOIN base_cell ON base_cell.id = grade.cell_id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
"""


def fix_order(root: Path) -> None:
    """Replace the random IDs of grades, which determine the order of the answers on a page."""
    with contextlib.closing(sqlite3.connect(root / "gradebook.db")) as database, database:
        for old, student, cell in database.execute(ORDER).fetchall():
            new = uuid.uuid5(uuid.NAMESPACE_URL, f"{student} {cell}").hex
            database.execute("UPDATE grade SET id = ? WHERE id = ?", (new, old))
