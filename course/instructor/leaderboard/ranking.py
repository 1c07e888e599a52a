"""Ranking of measured evidence: one table per device, with the entries that are not ranked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from course.instructor.evidence_measurement import DEVICES, MeasuredEvidence, same_weights


@dataclass
class Entry:
    """A student's evidence on a leaderboard, under the name that is shown.

    `notes` are sentences without a student's text, except for the names of other students.
    """

    name: str
    evidence: MeasuredEvidence
    budget: float | None  # seconds
    notes: list[str] = field(default_factory=list)
    rank: int | None = None

    @property
    def budget_used(self) -> float | None:
        """The reported seconds as a fraction of the budget."""
        if self.budget is None or self.evidence.seconds is None:
            return None
        return self.evidence.seconds / self.budget

    @property
    def status(self) -> str:
        """One of "ranked", "over budget", and "needs review"."""
        if self.evidence.problems:
            return "needs review"
        return "over budget" if (self.budget_used or 0) > 1 else "ranked"


@dataclass
class DeviceTable:
    """The entries that were trained on one kind of device, best first within each group."""

    device: str
    budgets: list[float]
    ranked: list[Entry]
    over_budget: list[Entry]
    needs_review: list[Entry]


@dataclass
class Leaderboard:
    """The leaderboard of an assignment."""

    assignment: str
    tables: list[DeviceTable]
    unreadable: list[Entry]  # not even the device is known
    without_evidence: int  # students who submitted the assignment without evidence
    test_images: int

    @property
    def entries(self) -> list[Entry]:
        """All entries, in the order in which they are shown."""
        groups = [
            group
            for table in self.tables
            for group in (table.ranked, table.over_budget, table.needs_review)
        ]
        return [entry for group in [*groups, self.unreadable] for entry in group]

    @property
    def is_flagged(self) -> bool:
        """Whether an entry needs review, or several students submitted the same weights."""
        submissions = [entry.evidence for entry in self.entries]
        return any(each.problems for each in submissions) or bool(same_weights(submissions))


def rank(
    assignment: str,
    submissions: Sequence[MeasuredEvidence],
    names: Mapping[str, str],
    budgets: Mapping[str, float],
) -> Leaderboard:
    """Return the leaderboard of submissions.

    `names` maps student IDs to the names to show. `budgets` maps devices to budgets in seconds,
    which take precedence over the budget in the source.
    """
    entries = [
        Entry(
            names[each.student],
            each,
            budgets.get(each.device, each.budget),
            list(each.reasons),
        )
        for each in submissions
        if not each.is_missing
    ]
    _note_same_weights(entries)
    for entry in entries:
        if (entry.budget_used or 0) > 1:
            entry.notes.insert(0, f"More than the budget of {entry.budget:,g} s.")
    tables = [
        _rank_device(device, [each for each in entries if each.evidence.device == device])
        for device in DEVICES
    ]
    return Leaderboard(
        assignment,
        [table for table in tables if table],
        _sorted([entry for entry in entries if entry.evidence.device not in DEVICES]),
        sum(each.is_missing for each in submissions),
        max((each.test_images for each in submissions), default=0),
    )


def _rank_device(device: str, entries: list[Entry]) -> DeviceTable | None:
    """Return the table of a device, or None if there are no entries."""
    if not entries:
        return None
    groups = {
        status: _sorted([entry for entry in entries if entry.status == status])
        for status in ("ranked", "over budget", "needs review")
    }
    for position, entry in enumerate(groups["ranked"], start=1):
        before = groups["ranked"][position - 2] if position > 1 else None
        # Equal accuracies share a rank.
        is_tied = before and _accuracy(before) == _accuracy(entry)
        entry.rank = before.rank if before and is_tied else position
    budgets = sorted({entry.budget for entry in entries if entry.budget is not None})
    return DeviceTable(device, budgets, *groups.values())


def _sorted(entries: list[Entry]) -> list[Entry]:
    """Return entries by accuracy, then by seconds, then by the name that is shown.

    The student IDs have no influence: the order must not reveal the person behind a pseudonym.
    """
    return sorted(
        entries,
        key=lambda each: (-_accuracy(each), each.evidence.seconds or float("inf"), each.name),
    )


def _accuracy(entry: Entry) -> float:
    """Return the accuracy by which an entry is ranked; below 0 if it was not measured."""
    measured = entry.evidence.test_accuracy_with_flips
    return -1.0 if measured is None else measured


def _note_same_weights(entries: list[Entry]) -> None:
    """Add a note to entries with the same weights."""
    by_student = {entry.evidence.student: entry for entry in entries}
    for group in same_weights([entry.evidence for entry in entries]):
        for student in group:
            others = sorted(by_student[each].name for each in group if each != student)
            by_student[student].notes.append(f"The same weights as {'; '.join(others)}.")
