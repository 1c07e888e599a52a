"""Comparison of a course directory at the end of a term with what must be in it."""

import csv
import hashlib
import html
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from tests.benchmarks.term import expected_scores, platforms
from tests.benchmarks.term.assignments import ALL, LISTS, Assignment
from tests.benchmarks.term.example_class import Student, Upload, is_excused
from tests.benchmarks.term.expected_scores import ExpectedScore
from tests.benchmarks.term.steps import Term

CELLS = """
    SELECT submitted_assignment.student_id, assignment.name, base_cell.name,
           grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade
    FROM grade JOIN base_cell ON base_cell.id = grade.cell_id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN assignment ON assignment.id = submitted_assignment.assignment_id
"""
PENALTIES = """
    SELECT submitted_assignment.student_id, assignment.name,
           submitted_notebook.late_submission_penalty
    FROM submitted_notebook
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN assignment ON assignment.id = submitted_assignment.assignment_id
"""
PAGE = re.compile(r'<p class="total"><b>([\d.,−-]+)</b> of ([\d.,]+) points</p>')
UNFINISHED = re.compile(r".*\.part|\..*\.(new|old)|\.repaired")
EXACT, HUNDREDTHS = 1e-4, 0.00501  # how far a written number may be from the expected one


@dataclass
class Comparison:
    """The differences that were found, as sentences, and how much was compared."""

    problems: list[str] = field(default_factory=list)
    scores: int = 0
    files: int = 0
    pages: int = 0

    def number(self, what: str, found: object, expected: Fraction, tolerance: float) -> None:
        """Compare a number or the text of one."""
        self.scores += 1
        try:
            is_right = abs(float(str(found)) - float(expected)) <= tolerance
        except ValueError:
            is_right = False
        if not is_right:
            self.problems.append(f"{what}: {found!r} instead of {float(expected):.4f}")

    def text(self, what: str, found: object, expected: object) -> None:
        """Compare anything else."""
        if found != expected:
            self.problems.append(f"{what}: {found!r} instead of {expected!r}")


def compare(term: Term) -> Comparison:
    """Compare everything at the end of a term."""
    found = Comparison()
    own = expected_scores.submission_scores(term.example)
    counting = expected_scores.class_scores(term.example)
    _compare_gradebook(term, own, found)
    _compare_scores(term, counting, found)
    _compare_canvas(term, counting, found)
    _compare_moodle(term, counting, found)
    _compare_worksheet(term, counting, found)
    _compare_totals(term, found)
    _compare_pages(term, counting, found)
    _compare_files(term, found)
    return found


def _compare_gradebook(
    term: Term, own: dict[tuple[Student, str], ExpectedScore], found: Comparison
) -> None:
    """Compare each cell and each penalty, and check that the database is intact."""
    with sqlite3.connect(term.root / "gradebook.db") as database:
        check = database.execute("PRAGMA integrity_check").fetchone()
        found.text("the gradebook's integrity", check, ("ok",))
        cells = {tuple(row[:3]): row[3:] for row in database.execute(CELLS)}
        penalties = {tuple(row[:2]): row[2] for row in database.execute(PENALTIES)}
    expected = {
        (student.id, name, cell): points
        for (student, name), score in own.items()
        for cell, points in score.cells.items()
    }
    _same_keys("the scores in the gradebook", cells, expected, found)
    for key in cells.keys() & expected.keys():
        auto, manual, extra, pending = cells[key]
        points = (auto if manual is None else manual) or 0
        found.number(f"gradebook, {' '.join(key)}", points + (extra or 0), expected[key], EXACT)
        found.text(f"gradebook, {' '.join(key)}, pending", bool(pending), False)
    for (student, name), score in own.items():
        penalty = penalties.get((student.id, name), "nothing")
        found.number(
            f"gradebook, penalty of {student.id} in {name}", penalty or 0, score.penalty, EXACT
        )


def _compare_scores(
    term: Term, counting: dict[tuple[Student, str], ExpectedScore], found: Comparison
) -> None:
    """Compare the table with one row per student and assignment."""
    rows = {
        (row["student_id"], row["assignment"]): row for row in _read(term.downloads / "scores.csv")
    }
    students = platforms.remaining(term.example)
    keys = [(each.id, assignment.name) for each in students for assignment in ALL]
    _same_keys("the rows of scores.csv", rows, keys, found)
    for student in students:
        for assignment in ALL:
            if row := rows.get((student.id, assignment.name)):
                what = f"scores.csv, {student.id} in {assignment.name}"
                score = counting.get((student, assignment.name))
                _compare_cell(what, row["score"], score, "", EXACT, found)
                found.number(f"{what}, maximum", row["max_score"], assignment.points, EXACT)
                if score:
                    found.number(
                        f"{what}, penalty",
                        row["late_submission_penalty"],
                        score.penalty,
                        EXACT,
                    )


def _compare_canvas(
    term: Term, counting: dict[tuple[Student, str], ExpectedScore], found: Comparison
) -> None:
    """Compare the file for Canvas."""
    points, *rows = _read(term.downloads / "canvas.csv")
    for number, assignment in enumerate(ALL):
        title = f"{assignment.name} ({7000 + number})"
        found.number(f"canvas.csv, {title}", points.get(title), assignment.points, EXACT)
        _compare_column(term, "canvas.csv", rows, "ID", title, assignment, counting, found)


def _compare_moodle(
    term: Term, counting: dict[tuple[Student, str], ExpectedScore], found: Comparison
) -> None:
    """Compare the file for Moodle's gradebook, with the comments."""
    rows = _read(term.downloads / "moodle.csv")
    by_email = {row["Email address"]: row for row in rows}
    for student in platforms.remaining(term.example):
        scores = {each.name: counting.get((student, each.name)) for each in ALL}
        row = by_email.pop(student.email, None)
        found.text(f"moodle.csv has a row for {student.id}", bool(row), any(scores.values()))
        if not row:
            continue
        for name, score in scores.items():
            what, column = f"moodle.csv, {student.id} in {name}", f"Assignment: {name}"
            _compare_cell(what, row[f"{column} (Real)"], score, "-", EXACT, found)
            comment = html.escape(score.comment, quote=False) if score else ""
            comment = comment.replace("\n", "<br>")
            shown = row.get(f"{column} (Feedback)", "")
            found.text(f"{what}, comment", shown.partition(": ")[2], comment)
    found.text("further rows of moodle.csv", list(by_email), [])


def _compare_worksheet(
    term: Term, counting: dict[tuple[Student, str], ExpectedScore], found: Comparison
) -> None:
    """Compare the grading worksheet of the assignment on Moodle."""
    rows = {row["Email address"]: row for row in _read(term.downloads / "worksheet.csv")}
    for student in platforms.remaining(term.example):
        score = counting.get((student, LISTS.name))
        what = f"worksheet.csv, {student.id}"
        _compare_cell(what, rows[student.email]["Grade"], score, "", EXACT, found)


def _compare_column(
    term: Term,
    file: str,
    rows: list[dict[str, str]],
    key: str,
    title: str,
    assignment: Assignment,
    counting: dict[tuple[Student, str], ExpectedScore],
    found: Comparison,
) -> None:
    """Compare one column of a file with one row per student."""
    by_number = {row[key]: row for row in rows}
    students = platforms.remaining(term.example)
    _same_keys(f"the rows of {file}", by_number, [str(each.number) for each in students], found)
    for student in students:
        if row := by_number.get(str(student.number)):
            what = f"{file}, {student.id} in {assignment.name}"
            score = counting.get((student, assignment.name))
            empty = "EX" if is_excused(student, assignment) else ""
            _compare_cell(what, row.get(title), score, empty, EXACT, found)


def _compare_totals(term: Term, found: Comparison) -> None:
    """Compare the totals of the term."""
    rows = {row["student_id"]: row for row in _read(term.downloads / "totals.csv")}
    students = platforms.remaining(term.example)
    _same_keys("the rows of totals.csv", rows, [each.id for each in students], found)
    possible = expected_scores.totals(term.example)
    for student in students:
        if row := rows.get(student.id):
            shown = float(row["total_percent"] or "nan")
            nearest = min(possible[student], key=lambda each: abs(float(each) - shown))
            found.number(f"total of {student.id}", shown, nearest, HUNDREDTHS)


def _compare_pages(
    term: Term, counting: dict[tuple[Student, str], ExpectedScore], found: Comparison
) -> None:
    """Compare the scores on the feedback pages; there is one for each submission that counts."""
    pages = {
        (path.parts[-3], path.parts[-2]): path
        for path in (term.root / "feedback").glob("*/*/*.html")
    }
    expected = {(student.id, name): score for (student, name), score in counting.items()}
    _same_keys("the feedback pages", pages, expected, found)
    for key in pages.keys() & expected.keys():
        found.pages += 1
        match = PAGE.search(pages[key].read_text(encoding="utf-8"))
        shown = match[1].replace(",", "") if match else "no score"
        found.number(f"page of {' '.join(key)}", shown, expected[key].final, HUNDREDTHS)


def _compare_files(term: Term, found: Comparison) -> None:
    """Check that every upload is kept, the right one counts, and nothing is half-written."""
    example, root = term.example, term.root
    kept = {
        _digest_of(path.read_bytes()) for path in (root / "originals").rglob("*") if path.is_file()
    }
    counting = {}
    for assignment in ALL:
        seen: dict[Upload, None] = {}
        for week in (0, 1):
            seen |= dict.fromkeys(example.uploads_of(assignment, week))
        for upload in seen:
            found.files += 1
            digests = {_digest_of(each) for each in (upload.content, *upload.helpers.values())}
            if not digests <= kept and not upload.student.is_dropped:
                found.problems.append(
                    f"an upload of {upload.student.id} in {assignment.name} is lost"
                )
        for student in platforms.remaining(example):
            if upload := example.counting_upload(student, assignment, 1):
                counting[student.id, assignment.name] = upload
    submitted = {
        (path.parts[-3], path.parts[-2]): path for path in root.glob("submitted/*/*/*.ipynb")
    }
    _same_keys("the submissions", submitted, counting, found)
    for key in submitted.keys() & counting.keys():
        if submitted[key].read_bytes() != counting[key].content:
            found.problems.append(f"the submission of {' '.join(key)} is not the newest upload")
        helpers = {path.name: path.read_bytes() for path in submitted[key].parent.glob("*.py")}
        found.text(f"the helper files of {' '.join(key)}", helpers, counting[key].helpers)
    for path in root.rglob("*"):
        if UNFINISHED.fullmatch(path.name):
            found.problems.append(f"{path.relative_to(root)} is left")
    left = [path for path in (root / "build" / "grading").rglob("*") if path.is_file()]
    names = sorted({path.name for path in left} - {"lock"})
    found.text("the files in build/grading", names, [])
    for student in example.students:
        if student.is_dropped:
            places = [
                str(path.relative_to(root))
                for path in root.rglob("*")
                if student.id in path.name and path.suffix != ".zip"
            ]
            found.text(f"what is left of {student.id}", places, [])


def _compare_cell(
    what: str,
    shown: str | None,
    score: ExpectedScore | None,
    empty: str,
    tolerance: float,
    found: Comparison,
) -> None:
    """Compare the score in a cell of a table."""
    if score is None:
        found.text(what, shown, empty)
    else:
        found.number(what, shown, score.final, tolerance)


def _same_keys(what: str, shown: Iterable, expected: Iterable, found: Comparison) -> None:
    """Compare whom two tables are about."""
    shown, expected = set(shown), set(expected)
    if shown != expected:
        missing, more = sorted(expected - shown), sorted(shown - expected)
        found.problems.append(f"{what}: {missing} missing, {more} unexpected")


def _read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by their columns."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _digest_of(content: bytes) -> str:
    """Return a digest of the content of a file."""
    return hashlib.sha256(content).hexdigest()
