"""The policy for late submissions, which nbgrader_config.py configures."""

import math
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from traitlets import Float, TraitError, Unicode, validate

from course.errors import CourseError

if TYPE_CHECKING:
    from nbgrader.apps import NbGraderAPI

DAY = 86_400  # seconds
MINUTE = 60


class LatePolicy(LateSubmissionPlugin):
    """Deducts a percentage of the score for each day or part of a day after the due date.

    By default, it deducts nothing. nbgrader's own setting, `LateSubmissionPlugin.penalty_method`,
    still works: with "zero", a late submission has a score of 0, without a grace period.
    """

    percent_per_day = Float(
        0.0, min=0, max=100, help="Percentage of the score that each day or part of a day costs."
    ).tag(config=True)
    max_percent = Float(
        100.0, min=0, max=100, help="The largest percentage of the score that lateness can cost."
    ).tag(config=True)
    grace_minutes = Float(
        0.0, min=0, help="Minutes after the due date during which a submission loses no points."
    ).tag(config=True)
    time_zone = Unicode(
        "UTC",
        help="The time zone of due_dates.csv, submission_times.csv, and feedback pages, such as"
        " Europe/Berlin.",
    ).tag(config=True)

    @validate("time_zone")
    def _check_time_zone(self, proposal: dict[str, Any]) -> str:
        try:
            ZoneInfo(proposal["value"])
        except (OSError, ValueError, KeyError):
            raise TraitError(
                f"c.LatePolicy.time_zone is {proposal['value']!r}, which is not a time zone: use a"
                " name such as Europe/Berlin."
            ) from None
        return proposal["value"]

    def percent(self, total_seconds_late: float) -> float:
        """Return the percentage of the score that a submission loses, from 0 to 100."""
        if self.penalty_method == "zero":
            return 100.0 if total_seconds_late > 0 else 0.0
        seconds = total_seconds_late - MINUTE * self.grace_minutes
        days = math.ceil(seconds / DAY) if seconds > 0 else 0
        return min(self.max_percent, self.percent_per_day * days)

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """Return the points that a submission loses, or None if it loses none."""
        percent = self.percent(total_seconds_late)
        return score * percent / 100 if percent else None

    def rule(self) -> str:
        """Return the policy as a sentence for students, or "" if lateness costs nothing."""
        if self.penalty_method == "zero":
            return "A late submission has a score of 0."
        if not self.percent_per_day:
            return ""
        parts = [f"Each day or part of a day after the due date costs {self.percent_per_day:g}%"]
        parts.append(" of the score")
        if self.max_percent < 100:
            parts.append(f", {self.max_percent:g}% at most")
        if self.grace_minutes:
            parts.append(f"; the first {self.grace_minutes:g} minutes cost nothing")
        return "".join([*parts, "."])


def late_penalties(api: Any) -> AssignLatePenalties:
    """Return nbgrader's preprocessor that computes late penalties, configured like `api`.

    Raises CourseError if a setting is invalid.
    """
    late = AssignLatePenalties(parent=api)
    try:
        late.init_plugin()
    except TraitError as error:
        raise CourseError(f"nbgrader_config.py has an invalid setting: {error}") from None
    return late


def course_time_zone(api: "NbGraderAPI") -> str:
    """Return the time zone of a course: "UTC" if its late policy is of a class without one."""
    return getattr(late_penalties(api).plugin_inst, "time_zone", "UTC")


def describe_delay(seconds: float) -> str:
    """Return a delay in words, such as "1 day, 3 hours, and 5 minutes", rounded up to minutes."""
    minutes = math.ceil(seconds / MINUTE)
    days, minutes = divmod(minutes, DAY // MINUTE)
    hours, minutes = divmod(minutes, 60)
    counts = _count(days, "day"), _count(hours, "hour"), _count(minutes, "minute")
    found = [each for each in counts if each]
    if len(found) == 3:
        return f"{found[0]}, {found[1]}, and {found[2]}"
    return " and ".join(found)


def _count(number: int, unit: str) -> str:
    """Return a number with its unit, or "" for 0."""
    return f"{number} {unit}{'s' * (number != 1)}" if number else ""
