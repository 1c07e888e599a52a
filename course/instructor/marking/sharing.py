"""Sharing the answers to a question among graders."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from course.errors import CourseError
from course.instructor.gradebook.mark_table import MAX_GRADER

MAX_GRADERS = 50


def share(
    groups: Sequence[Sequence[str]], present: Mapping[str, str], graders: Sequence[str]
) -> dict[str, str]:
    """Return the grader of each answer, from groups of answers that are marked together.

    A group keeps its present grader, unless that one has more than an equal share. The others go to
    the grader with the fewest answers. The same arguments always have the same result.
    """
    found: dict[str, str] = {}
    counts = Counter(dict.fromkeys(graders, 0))
    limit = math.ceil(sum(map(len, groups)) / len(graders)) if graders else 0
    waiting = []
    for group in sorted(groups, key=_order):  # the largest first, so that the shares become equal
        grader = present.get(min(group), "")
        if grader in counts and counts[grader] + len(group) <= limit:
            counts[grader] += len(group)
            found |= dict.fromkeys(group, grader)
        else:
            waiting.append(group)
    for group in waiting if graders else []:
        grader = min(graders, key=lambda each: counts[each])
        counts[grader] += len(group)
        found |= dict.fromkeys(group, grader)
    return found


def _order(group: Sequence[str]) -> tuple[int, str]:
    """Return a key for sorting by size that says nothing about the students."""
    return -len(group), hashlib.sha256(min(group).encode()).hexdigest()


def parse_graders(text: str) -> list[str]:
    """Return the names in a text, without repetitions; raise CourseError if one is not valid."""
    names = [checked_grader(part) for part in text.split(",") if part.strip()]
    found = list(dict.fromkeys(names))
    if len(found) > MAX_GRADERS:
        raise CourseError(f"there are more than {MAX_GRADERS} graders: name fewer.")
    return found


def checked_grader(name: str) -> str:
    """Return the name of a grader; raise CourseError if it is missing or too long."""
    name = " ".join("".join(each for each in name if each.isprintable()).split())
    if not name or len(name) > MAX_GRADER:
        raise CourseError(f"enter your name, with at most {MAX_GRADER} characters.")
    return name
