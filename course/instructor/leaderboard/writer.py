"""Writing a leaderboard as an HTML page and as a CSV file."""

from pathlib import Path

from course.errors import CourseError
from course.files import write_atomically
from course.instructor import pages
from course.instructor.csv_files.csv_writer import escape_formula, format_table
from course.instructor.leaderboard.ranking import Entry, Leaderboard

COLUMNS = (
    "device", "rank", "name", "status", "test_accuracy_with_flips", "test_accuracy",
    "validation_accuracy", "seconds_self_reported", "budget_seconds", "budget_used", "parameters",
    "backend", "notes",
)  # fmt: skip
MAX_SECONDS = 10**7  # larger values are shown with an exponent


def write(root: Path, board: Leaderboard) -> Path:
    """Write the files of a leaderboard and return the path of the page."""
    folder = Path(root, "build", "leaderboard", board.assignment)
    page = pages.render(
        "leaderboard.html", board=board, percent=percent, format_seconds=format_seconds
    )
    rows = [COLUMNS, *map(_csv_row, board.entries)]
    try:
        write_atomically(folder / "leaderboard.csv", format_table(rows))
        write_atomically(folder / "index.html", page)
    except OSError as error:
        raise CourseError(
            f"the leaderboard cannot be written ({error.strerror}): make the folder"
            f" {folder.resolve()} writable or free some space, then run the command again."
        ) from None
    return folder / "index.html"


def percent(value: float | None, digits: int = 2) -> str:
    """Return a fraction as a percentage, or a dash if there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def format_seconds(value: float | None) -> str:
    """Return seconds as text, or a dash if there are none."""
    if value is None:
        return "–"
    return f"{value:,.1f}" if value < MAX_SECONDS else f"{value:.1e}"


def _csv_row(entry: Entry) -> list[str]:
    """Return the row of an entry; no cell is a formula in a spreadsheet."""
    evidence = entry.evidence
    values = [
        evidence.device,
        entry.rank,
        entry.name,
        entry.status,
        evidence.test_accuracy_with_flips,
        evidence.test_accuracy,
        evidence.measured_accuracy,
        evidence.seconds,
        entry.budget,
        entry.budget_used,
        evidence.parameters,
        evidence.backend,
        " ".join(entry.notes),
    ]
    return [escape_formula(_csv_text(value)) for value in values]


def _csv_text(value: str | float | None) -> str:
    """Return a value as text that spreadsheets read, or "" for None."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
