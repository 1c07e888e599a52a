"""A mark: the rubric items that a grader selected, an adjustment, and a comment."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from course.errors import CourseError

MAX_COMMENT = 20_000  # characters
MAX_ITEMS = 100
MAX_POINTS = 10_000
MINUS = "\u2212"


@dataclass(frozen=True)
class MarkItem:
    """A selected rubric item, with its points and label when it was selected.

    `requires` is the key of the item without which it does not count, or "".
    """

    key: str
    points: float
    label: str
    requires: str = ""
    required_label: str = ""


@dataclass(frozen=True)
class Mark:
    """What a grader gave an answer.

    `adjustment` is added to the points of the items. Without items, it is the whole score, and the
    answer has no mark if it is None. `pending` is True if a person has to confirm the score after a
    regrade.
    """

    items: tuple[MarkItem, ...] = ()
    adjustment: float | None = None
    comment: str = ""
    pending: bool = False

    def score(self, max_score: float, deducts: bool = False) -> float | None:
        """Return the score between 0 and the maximum, or None if there is no mark.

        `deducts` is True if all items of the rubric subtract from the maximum.
        """
        if not self.items and self.adjustment is None:
            return None
        return round(min(max(self._total(max_score, deducts), 0.0), max(max_score, 0.0)), 6)

    def same_points_as(self, other: "Mark") -> bool:
        """Return whether another mark has the same items and adjustment, and gives a score too."""
        own, others = ({each.key for each in mark.items} for mark in (self, other))
        is_same = (own, self.adjustment, self.pending) == (others, other.adjustment, other.pending)
        return is_same and (bool(own) or self.adjustment is not None)

    def check_adjustment(self, max_score: float, deducts: bool = False) -> None:
        """Raise CourseError if the adjustment leads to a score beyond the limits.

        The sum of the items may be beyond them, and is limited.
        """
        total = round(self._total(max_score, deducts), 6)
        if (self.adjustment or 0.0) > 0 and total > max(max_score, 0.0):
            raise CourseError(f"the score is at most {max_score:g}: enter another one.")
        if (self.adjustment or 0.0) < 0 and total < 0:
            raise CourseError("the score is at least 0: enter another one.")

    def with_score(self, score: float | None, max_score: float, deducts: bool = False) -> "Mark":
        """Return this mark, which has items, with the adjustment that leads to a score."""
        total = replace(self, adjustment=None)._total(max_score, deducts)
        difference = round((score or 0.0) - total, 6)
        return replace(self, adjustment=difference or None)

    def _total(self, max_score: float, deducts: bool) -> float:
        """Return the sum of the items and the adjustment, without limits."""
        start = max_score if self.items and deducts else 0.0
        counted = sum(each.points for each in self.items if self.counts(each))
        return start + counted + (self.adjustment or 0.0)

    def counts(self, item: MarkItem) -> bool:
        """Return whether an item counts: the one that it requires, if any, is selected too."""
        return not item.requires or any(each.key == item.requires for each in self.items)

    def text(self) -> str | None:
        """Return the comment that the student reads, or None: a line per item, then the text."""
        lines = [
            f"- {each.label} ({signed(each.points)})"
            if self.counts(each)
            else f"- {each.label} (+0, because it counts only with: {each.required_label})"
            for each in self.items
        ]
        if self.items and self.adjustment:
            lines.append(f"- Adjusted by the grader ({signed(self.adjustment)})")
        return "\n\n".join(filter(None, ["\n".join(lines), self.comment.strip()])) or None

    def items_as_json(self) -> str:
        """Return the items as they are stored."""
        return json.dumps([asdict(each) for each in self.items])


def signed(points: float) -> str:
    """Return points with their sign."""
    return f"{MINUS if points < 0 else '+'}{abs(points):g}"


def stored_items(text: str) -> tuple[MarkItem, ...]:
    """Return the items that `Mark.items_as_json` stored."""
    return tuple(MarkItem(**each) for each in json.loads(text))


def parse_mark(request: Any, known: Iterable[MarkItem]) -> Mark:
    """Return the mark in a request, whose items are keys; raise CourseError if it is not valid.

    `known` are the items of the rubric and those that the answers have already.
    """
    if not isinstance(request, dict):
        raise CourseError("the mark is not valid: reload the page.")
    keys, adjustment = request.get("items"), request.get("adjustment")
    comment, pending = request.get("comment"), request.get("pending", False)
    if not isinstance(keys, list) or not isinstance(comment, str) or len(keys) > MAX_ITEMS:
        raise CourseError("the mark is not valid: reload the page.")
    by_key: dict[str, MarkItem] = {}
    for item in known:
        by_key.setdefault(item.key, item)
    if unknown := [key for key in keys if not isinstance(key, str) or key not in by_key]:
        raise CourseError(f"{len(unknown)} items are not in the mark scheme: reload the page.")
    if adjustment is not None and not is_number(adjustment):
        raise CourseError("the score is not a number: enter a number.")
    if len(comment) > MAX_COMMENT:
        raise CourseError(f"the comment has more than {MAX_COMMENT:,} characters: shorten it.")
    ordered = [item for key, item in by_key.items() if key in keys]
    number = None if adjustment is None else float(adjustment)
    return Mark(tuple(ordered), number, _clean(comment), pending is True)


def is_number(value: Any) -> bool:
    """Return whether a value from JSON is a usable number of points."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and abs(value) <= MAX_POINTS


def _clean(comment: str) -> str:
    """Return a comment that both databases can store."""
    text = comment.replace("\r\n", "\n").replace("\x00", "")
    return text.encode("utf-8", "replace").decode("utf-8").strip()
