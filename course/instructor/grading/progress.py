"""What a person sees while a class is graded: a line a submission, then a table."""

import time

from course.instructor.sandbox.execute import printable
from course.training import results_table


class Progress:
    """Counts what is done and reckons what is left.

    Attributes
    ----------
    done : list of Grade
        In the order in which they came.
    """

    def __init__(self, clock=time.perf_counter):
        self.done = []
        self._expected = 0
        self._graded = 0
        self._clock = clock
        self._start = clock()
        self._first = None

    def expect(self, count):
        """Add submissions to those that are to come."""
        self._expected += count

    def line(self, grade):
        """Note that a submission is done and return its line."""
        self.done.append(grade)
        if grade.note != "graded before":
            self._graded += 1
            self._first = self._first or self._clock()
        points = "    -    " if grade.score is None else f"{grade.score:4g}/{grade.max_score:<4g}"
        hand = ", some by hand still" if grade.by_hand else ""
        place = f"{len(self.done)}/{self._expected}"
        return (
            f"{place:>7}{self._left():>14}  {grade.assignment}  {points}  {grade.seconds:5.1f} s"
            f"  {printable(grade.student)}: {printable(grade.note)}{hand}"
        )

    def summary(self):
        """Return the table of all assignments, and how long it took."""
        rows = []
        for name in dict.fromkeys(grade.assignment for grade in self.done):
            grades = [grade for grade in self.done if grade.assignment == name]
            points = [grade.score for grade in grades if grade.score is not None]
            failed = sum(grade.failed for grade in grades)
            rows.append(
                {
                    "assignment": name,
                    "graded": len(grades) - failed,
                    "not": failed,
                    "by hand still": sum(grade.by_hand for grade in grades),
                    "mean points": f"{sum(points) / len(points):.1f}" if points else "-",
                    "lowest": f"{min(points):g}" if points else "-",
                    "highest": f"{max(points):g}" if points else "-",
                }
            )
        seconds = self._clock() - self._start
        rate = f", {60 * self._graded / seconds:.0f} a minute" if self._graded > 1 else ""
        return f"{results_table(rows)}\n{self._graded} graded now in {seconds:.1f} s{rate}"

    def _left(self):
        """Return how long the rest is going to take, from what was graded so far."""
        rest = self._expected - len(self.done)
        if self._graded < 2 or not rest:
            return ""
        each = (self._clock() - self._first) / (self._graded - 1)
        return f"{_duration(each * rest)} left"


def _duration(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
