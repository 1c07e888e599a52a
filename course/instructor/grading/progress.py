"""Progress of a grading run as text: one line per submission, then a table."""

import time
from collections.abc import Callable

from course import tables
from course.instructor.gradebook.submission_results import SubmissionResult
from course.instructor.sandbox.cell_execution import printable
from course.instructor.shortened_list import shorten_list

ALREADY_GRADED = "already graded"
GRADED_WITH_OLDER_TESTS = "already graded, with older tests"
MAX_LISTED = 50  # students in one line


class Progress:
    """Collects the results of finished submissions and estimates the remaining time."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.results: list[SubmissionResult] = []
        self._expected = 0
        self._graded = 0
        self._clock = clock
        self._start = clock()
        self._first_graded_at: float | None = None

    def expect(self, count: int) -> None:
        """Add to the number of expected submissions."""
        self._expected += count

    def record(self, result: SubmissionResult) -> str:
        """Record the result of a submission and return the line to print."""
        self.results.append(result)
        if result.note not in (ALREADY_GRADED, GRADED_WITH_OLDER_TESTS):
            self._graded += 1
            self._first_graded_at = self._first_graded_at or self._clock()
        points = (
            "    -    " if result.score is None else f"{result.score:4g}/{result.max_score:<4g}"
        )
        pending = ", pending manual grading" if result.needs_manual_grading else ""
        count = f"{len(self.results)}/{self._expected}"
        return (
            f"{count:>7}{self._time_left():>14}  {result.assignment}  {points}"
            f"  {result.seconds:5.1f} s  {one_line(result.student)}: {one_line(result.note)}"
            f"{pending}"
        )

    def summary(self) -> str:
        """Return a table with one row per assignment, followed by the duration.

        Below the table are the students whose submissions failed, and the command that grades again
        what was graded with older tests.
        """
        rows, lines = [], []
        for name in dict.fromkeys(result.assignment for result in self.results):
            results = [result for result in self.results if result.assignment == name]
            points = [result.score for result in results if result.score is not None]
            failed = sum(result.failed for result in results)
            rows.append(
                {
                    "assignment": name,
                    "graded": len(results) - failed,
                    "failed": failed,
                    "pending manual": sum(result.needs_manual_grading for result in results),
                    "mean points": f"{sum(points) / len(points):.1f}" if points else "-",
                    "lowest": f"{min(points):g}" if points else "-",
                    "highest": f"{max(points):g}" if points else "-",
                }
            )
            if names := [one_line(each.student) for each in results if each.failed]:
                lines.append(f"failed in {name}: {shorten_list(names, MAX_LISTED)}")
            if older := sum(each.note == GRADED_WITH_OLDER_TESTS for each in results):
                lines.append(
                    f"{older} of {len(results)} submissions for {name} were graded with older"
                    f" tests: to grade them again, run course grade {name} --outdated."
                )
        seconds = self._clock() - self._start
        rate = f", {60 * self._graded / seconds:.0f} per minute" if self._graded > 1 else ""
        lines.append(f"{self._graded} graded in {seconds:.1f} s{rate}")
        return "\n".join([tables.table(rows), *lines])

    def _time_left(self) -> str:
        """Return the estimated time for the remaining submissions, or "" if it is unknown."""
        remaining = self._expected - len(self.results)
        if self._graded < 2 or not remaining or self._first_graded_at is None:
            return ""
        per_submission = (self._clock() - self._first_graded_at) / (self._graded - 1)
        seconds = per_submission * remaining
        return f"{seconds:.0f} s left" if seconds < 100 else f"{seconds / 60:.0f} min left"


def one_line(text: str) -> str:
    """Return a text in printable form on one line; names of files can contain line breaks."""
    return " ".join(printable(text).splitlines())
