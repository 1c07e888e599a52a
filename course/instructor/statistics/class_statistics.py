"""The scores of a class in one assignment, and the reasons for lost points in each cell."""

import json
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.errors import CourseError
from course.instructor.course_dir import open_api, source_notebook
from course.instructor.gradebook import health
from course.instructor.gradebook.class_scores import read_submissions
from course.instructor.gradebook.excused import read_excused
from course.instructor.gradebook.group_submissions import read_course_groups
from course.instructor.gradebook.submission_results import final_score, is_graded
from course.instructor.grading.submission import was_graded
from course.instructor.sandbox.cell_execution import printable
from course.instructor.student_text.layout_limits import limit_layout
from course.notebook_headings import section_headings

if TYPE_CHECKING:
    from nbgrader.api import SubmittedAssignment

BINS = 10  # of the score distribution
MAX_MESSAGES = 3  # shown for each cell
MAX_MESSAGE = 200  # characters
# A test is suspicious if nearly everyone fails it, or if strong students fail it more often.
SUSPICIOUS_SHARE, MIN_SUBMISSIONS = 0.8, 5
SUSPICIOUS_DIFFERENCE, MIN_STRONG = 0.25, 5
_NUMBER = re.compile(r"[-−+]?\d[\d,.]*(?:e[-+]?\d+)?")


@dataclass
class CellStatistics:
    """The results of the class in one graded cell."""

    name: str  # the grade ID
    exercise: str  # the heading above the cell
    points: float
    is_manual: bool
    scores: list[float] = field(default_factory=list)  # without pending ones
    pending: int = 0  # submissions in which this cell is pending manual grading
    messages: list[tuple[str, int]] = field(default_factory=list)  # (first line, submissions)
    suspicion: str = ""  # why the test may be wrong, in one sentence

    @property
    def lost(self) -> int:
        """The number of submissions that lost points in this cell."""
        return sum(score < self.points for score in self.scores)

    @property
    def share_lost(self) -> float:
        """The fraction of the submissions with a score that lost points here; 0.0 without any."""
        return self.lost / len(self.scores) if self.scores else 0.0

    @property
    def mean(self) -> float:
        """The mean score, or 0.0 if there are no scores."""
        return statistics.fmean(self.scores) if self.scores else 0.0


@dataclass
class ClassStatistics:
    """The results of the class in one assignment; scores are final, after late penalties."""

    assignment: str
    max_score: float
    scores: list[float]
    pending: int  # graded submissions in which a cell is pending manual grading
    not_graded: int  # submissions that were not graded, or could not be run
    days: list[tuple[str, list[float]]]  # the scores by the day of submission, in UTC
    cells: list[CellStatistics]

    @property
    def distribution(self) -> list[tuple[str, int]]:
        """The number of submissions by percentage of the points, from 90–100% down."""
        counts = Counter(
            min(BINS - 1, int(BINS * score / self.max_score)) if self.max_score else 0
            for score in self.scores
        )
        step = 100 // BINS
        return [(f"{step * at}–{step * (at + 1)}%", counts[at]) for at in reversed(range(BINS))]


def read_statistics(root: Path, assignment: str) -> ClassStatistics:
    """Return the statistics of an assignment, without students who are excused from it.

    Raises CourseError if the gradebook cannot be used or no submission is graded.
    """
    cells = _graded_cells(source_notebook(root, assignment))
    api = open_api(root)
    health.require_gradebook(root, api.coursedir.db_url)
    with api.gradebook as gradebook:
        found = [each for each in gradebook.assignments if each.name == assignment]
        shared = read_course_groups(root, gradebook).in_assignment(assignment)
        excused = read_excused(root)
        submissions = [
            each
            for each in (read_submissions(gradebook, found[0]) if found else [])
            if shared.counts(each.student_id) and (assignment, each.student_id) not in excused
        ]
        folder, file_name = Path(root, "autograded"), source_notebook(root, assignment).name
        # A submission that could not be run has only zeros, which say nothing about the tests.
        graded = [
            each
            for each in submissions
            if is_graded(each) and was_graded(folder / each.student_id / assignment / file_name)
        ]
        if not graded:
            raise CourseError(
                f"no submission of {assignment} is graded: run course grade {assignment} first."
            )
        messages: dict[str, Counter[str]] = {name: Counter() for name in cells}
        totals = {each.student_id: final_score(each) for each in graded}
        by_cell: dict[str, dict[str, float]] = {name: {} for name in cells}
        for submission in graded:
            _add_grades(submission, cells, by_cell)
            for name, message in _messages(root, submission.student_id, assignment):
                if name in messages:
                    messages[name][message] += 1
        result = ClassStatistics(
            assignment,
            graded[0].max_score,
            sorted(totals.values()),
            pending=sum(each.needs_manual_grade for each in graded),
            not_graded=len(submissions) - len(graded),
            days=_days(graded),
            cells=list(cells.values()),
        )
    for name, each in cells.items():
        each.scores = list(by_cell[name].values())
        each.messages = _most_frequent(messages[name])
        each.suspicion = _suspicion(each, by_cell[name], totals)
    return result


def _graded_cells(source: Path) -> dict[str, CellStatistics]:
    """Return a source notebook's graded cells that have points, in order, by grade ID."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    found = {}
    for cell, heading in zip(cells, section_headings(cells), strict=True):
        metadata = cell["metadata"].get("nbgrader", {})
        if metadata.get("points") and (metadata.get("grade") or metadata.get("task")):
            is_manual = bool(metadata.get("solution") or metadata.get("task"))
            name = metadata["grade_id"]
            found[name] = CellStatistics(name, heading, metadata["points"], is_manual)
    return found


def _add_grades(
    submission: "SubmittedAssignment",
    cells: dict[str, CellStatistics],
    by_cell: dict[str, dict[str, float]],
) -> None:
    """Add a submission's scores to `by_cell`, and count its pending ones in `cells`."""
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            if grade.name not in cells:
                continue
            if grade.needs_manual_grade:
                cells[grade.name].pending += 1
            else:
                by_cell[grade.name][submission.student_id] = grade.score


def _messages(root: Path, student: str, assignment: str) -> Iterator[tuple[str, str]]:
    """Yield (grade ID, first line of the first error) for each failed cell of a submission."""
    for path in sorted(Path(root, "autograded", student, assignment).glob("*.ipynb")):
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, KeyError):
            continue
        for cell in cells:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            for output in cell.get("outputs", []):
                if name and output.get("output_type") == "error":
                    yield name, _first_line(output)
                    break


def _first_line(output: dict[str, Any]) -> str:
    """Return the first line of an error's message, shortened and safe to print."""
    text = output.get("evalue") or output.get("ename") or "no message"
    if output.get("ename") not in ("CheckFailed", "NotGraded") and output.get("evalue"):
        text = f"{output['ename']}: {text}"
    line = printable(text[: 4 * MAX_MESSAGE]).strip().partition("\n")[0]
    return limit_layout(line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…")


def _most_frequent(messages: "Counter[str]") -> list[tuple[str, int]]:
    """Return the most frequent messages; those that differ only in numbers count as one."""
    groups: dict[str, Counter[str]] = {}
    for message, count in messages.items():
        groups.setdefault(_NUMBER.sub("#", message), Counter())[message] += count
    counted = [(group.most_common(1)[0][0], group.total()) for group in groups.values()]
    return sorted(counted, key=lambda each: -each[1])[:MAX_MESSAGES]


def _suspicion(cell: CellStatistics, scores: dict[str, float], totals: dict[str, float]) -> str:
    """Return a sentence that says why a test may be wrong, or ""."""
    if cell.is_manual or len(scores) < MIN_SUBMISSIONS:
        return ""
    if cell.share_lost >= SUSPICIOUS_SHARE:
        return "Nearly everyone loses points here: check the test and the wording of the exercise."
    # Strong students are those with the most points in the other cells.
    others = sorted(scores, key=lambda student: totals[student] - scores[student])
    third = len(others) // 3
    if third < MIN_STRONG:
        return ""
    weak, strong = (
        statistics.fmean(scores[student] < cell.points for student in group)
        for group in (others[:third], others[-third:])
    )
    if strong - weak >= SUSPICIOUS_DIFFERENCE:
        return (
            f"{strong:.0%} of the strongest third lose points here, but only {weak:.0%} of the"
            " weakest: check whether the test rejects good solutions."
        )
    return ""


def _days(submissions: list["SubmittedAssignment"]) -> list[tuple[str, list[float]]]:
    """Return (day, scores) for the submissions whose time is known, in order; days are UTC."""
    found: dict[str, list[float]] = {}
    for submission in submissions:
        if submission.timestamp:
            day = f"{submission.timestamp:%Y-%m-%d}"
            found.setdefault(day, []).append(final_score(submission))
    return sorted(found.items())
