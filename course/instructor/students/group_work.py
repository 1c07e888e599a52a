"""Moving submissions that count for a group from a student who is dropped to another member."""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError
from course.instructor.collect import student_originals
from course.instructor.gradebook.group_submissions import Group, read_course_groups
from course.instructor.grading.journal import Journal
from course.instructor.students import course_tables


@dataclass(frozen=True)
class Move:
    """A submission for the assignment `name` that another member of the group gets."""

    name: str
    old: str
    new: str
    group: str

    def describe(self) -> str:
        """Return a sentence for the preview."""
        return (
            f"not deleted: the submission for {self.name}, which counts for group {self.group}. It"
            f" moves to {self.new}, with its time, score, comments, and saved files."
        )


def find_moves(root: Path, dropped: Sequence[str]) -> list[Move]:
    """Return the submissions of students to drop that count for groups with other members.

    Raises CourseError if it is not certain that the same submission would count afterward.
    """
    groups = read_course_groups(root)
    names = {path.name for path in root.glob("submitted/[!.]*/[!.]*/")}
    names |= {name for name, _ in groups.recorded}
    found = []
    for name in sorted(names):
        for group in groups.in_assignment(name).groups:
            rest = [each for each in group.members if each not in dropped]
            if rest and _is_lost(group, dropped):
                _require_only_one(name, group, rest)
                found.append(Move(name, str(group.counted), rest[0], group.name))
    return found


def move_files(root: Path, name: str, old: str, new: str) -> None:
    """Move a submission's files and times, but not its rows in the gradebook; can be repeated."""
    # The other member can have graded files of a submission that was deleted from submitted/.
    graded = [Path(root, "autograded", each, name) for each in (old, new)]
    if all(path.is_dir() for path in graded):
        shutil.rmtree(graded[1])
    for folder in ("submitted", "autograded"):
        path = Path(root, folder, old, name)
        if path.is_dir():
            target = Path(root, folder, new, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    Journal(root, name).rename(old, new)
    student_originals.move_assignment(root, name, old, new)
    course_tables.move_times(root, name, old, new)


def _is_lost(group: Group, dropped: Collection[str]) -> bool:
    """Return whether the submission that counts, or all that could, are those of `dropped`."""
    if group.is_unclear:
        return set(group.submitters) <= set(dropped)
    return group.counted in dropped


def _require_only_one(name: str, group: Group, rest: Sequence[str]) -> None:
    """Raise CourseError if one of the other members has a submission, or it is unclear."""
    if group.is_unclear:
        raise CourseError(f"{name}: {group.describe_choice()}")
    if others := [each for each in rest if each in group.submitters]:
        raise CourseError(
            f"{name}: the submission of {group.counted} counts for group {group.name}, and"
            f" {others[0]} has another one: delete submitted/{others[0]}/{name}, or take"
            f" {group.counted} out of the group if each should keep their own."
        )
