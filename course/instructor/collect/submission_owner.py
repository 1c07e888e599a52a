"""Determining who submitted a notebook, from platform names, the roster, or the path.

Only one part of the path of an upload counts: the one at which uploads differ, which the platform
or the instructor wrote. Students choose the names below it, the names inside an archive that they
made, and the content of the notebook; these are at most a reason for a manual review.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from course.evidence.format import FOLDER
from course.instructor.collect.archive_reader import SubmittedFile, is_archive, shorten
from course.instructor.collect.platform_file_names import (
    ROSTER_FIELDS,
    Origin,
    PathParser,
    find_readings,
    strip_copy_marks,
    strip_notebook_name,
)
from course.instructor.collect.released_assignment import ReleasedAssignment
from course.instructor.roster.roster import Person, Roster, is_valid_student_id, make_student_id

USE_STUDENT = "name the student with --student"
# Earlier versions of the packing cell wrote NAME-hand-in.zip.
ARCHIVE_SUFFIXES = ("-submission", "-hand-in")


class UnknownOwnerError(Exception):
    """An error for a file whose student cannot be determined; the message is the reason."""


@dataclass(frozen=True)
class Owner:
    """The student who submitted a file, and what names the student (see `Attempt.claim`)."""

    student: str
    claim: tuple[str, ...]
    inner_name: str = ""  # a name in the path below the claim, if no roster identifies students


@dataclass
class OwnerResolver:
    """A resolver that determines which student submitted each file of a collection."""

    roster: Roster | None
    student: str | None  # the owner of everything, if given
    paths: PathParser
    # The folder that contains everything else, or ""; its name is not a student's.
    common_folder: str
    releases: Sequence[ReleasedAssignment]
    worksheet: Roster | None = None  # the students in Moodle's grading worksheet, if given

    def resolve(
        self, file: SubmittedFile, origin: Origin, claimed_names: Sequence[str] = ()
    ) -> Owner:
        """Return the owner of a file; raise UnknownOwnerError if it is uncertain.

        `claimed_names` are the names of the student in the notebook and its manifest.
        """
        if self.student:
            return Owner(self.student, ())
        if origin.problem:
            raise UnknownOwnerError(f"{origin.problem}: {USE_STUDENT}")
        named = self._named_in_path(file.outer) if self.roster else None
        if origin.platform:
            is_nbgrader = origin.platform == "nbgrader"
            resolve = self._resolve_nbgrader if is_nbgrader else self._resolve_platform
            inner = file.outer[origin.position + 2 :] if is_nbgrader and not origin.attempt else ()
            owner = Owner(resolve(origin), origin.submitter, self._inner_name(inner))
            if named and named.student != owner.student:
                raise UnknownOwnerError(
                    f"the path names {named.student} and {owner.student}: {USE_STUDENT}"
                )
            return owner
        if named and len(named.claim) <= self._name_position(file.outer) + 1:
            return named
        return self._resolve_hints(file, claimed_names)

    def _name_position(self, outer: tuple[str, ...]) -> int:
        """Return the position of the part that names the student; students choose those below it.

        It is the first position, from that at which the uploads differ, with a possible name. If
        there is none, it is the position of the last folder that all uploads have in common.
        """
        level = self.paths.level
        named = (each for each in range(level, len(outer)) if self._hints_at(outer, each))
        return next(named, min(level, len(outer)) - 1)

    def _inner_name(self, inner: tuple[str, ...]) -> str:
        """Return the first name in a path below the claim, or "" if none or with a roster."""
        if self.roster:
            return ""  # a name that the roster contains is compared in any position
        hints = (self._hints_at(inner, position) for position in range(len(inner)))
        return next((each[0] for each in hints if each), "")

    def _named_in_path(self, outer: tuple[str, ...]) -> Owner | None:
        """Return the only student in the roster whom the folders or the file name, or None."""
        found: dict[str, Owner] = {}
        # What all uploads have in common says nothing about any of them.
        start = 0 if self._is_one_persons else self.paths.level
        for position in range(start, len(outer)):
            if find_readings(outer, position):
                break  # below a platform's folder, students choose the names
            for hint in self._hints_at(outer, position):
                people = self.roster.find_by_name(hint) if self.roster else []
                if people:
                    student = _only(people, hint)
                    found.setdefault(student, Owner(student, outer[: position + 1]))
                    break
        if len(found) > 1:
            raise UnknownOwnerError(f"the path names {' and '.join(found)}: {USE_STUDENT}")
        return next(iter(found.values()), None)

    @cached_property
    def _is_one_persons(self) -> bool:
        """Return True if one person may have made all uploads.

        That is, if below the folders that all uploads have in common, no folder has a name, and no
        file has the name of a student or one that a platform generated.
        """
        for outer in self.paths.uploads:
            for position in range(self.paths.level, len(outer)):
                hints = self._hints_at(outer, position)
                is_folder = position < len(outer) - 1
                if (is_folder and hints) or find_readings(outer, position):
                    return False
                if self.roster and any(map(self.roster.find_by_name, hints)):
                    return False
        return True

    def _resolve_nbgrader(self, origin: Origin) -> str:
        """Return the student id in a path that nbgrader created, or that has its layout."""
        name = origin.student
        people: Sequence[Person] = []
        if self.roster:
            people = self.roster.find("student", name) or self.roster.find_by_name(name)
        student = _only(people, name) if self.roster else name
        if not people and " " in name:  # not an id of nbgrader's, but a folder such as Drive's
            student = make_student_id(name)
        if not is_valid_student_id(student):
            raise UnknownOwnerError(f"{shorten(student)!r} cannot be a folder name: {USE_STUDENT}")
        return student

    def _resolve_platform(self, origin: Origin) -> str:
        """Return the student id for the name or user id that Canvas or Moodle wrote."""
        if self.roster:
            people = self.roster.find(ROSTER_FIELDS[origin.platform], origin.user_id)
            people = people or self._find_in_worksheet(origin)
            if not people:
                # Students choose their names on Canvas, but not their user ids.
                people = [
                    each
                    for each in self.roster.find_by_display_name(origin.name)
                    if origin.platform != "Canvas" or not each.canvas_id
                ]
            return _only(people, origin.name)
        # Canvas's user id is permanent; Moodle's participant id differs for each assignment.
        names = [origin.name]
        if origin.platform == "Canvas" and origin.user_id != origin.name:
            names.append(origin.user_id)
        student = make_student_id("-".join(names))
        if not student:
            raise UnknownOwnerError(
                f"cannot derive a folder name from {shorten(origin.name)!r}: specify a roster with"
                " --roster"
            )
        return student

    def _find_in_worksheet(self, origin: Origin) -> list[Person]:
        """Return the student in the roster with the ID number or email address in the worksheet.

        The participant number identifies the row; the name must be the same, because the worksheet
        may be that of another assignment.
        """
        if not (self.roster and self.worksheet and origin.platform == "Moodle"):
            return []
        named = self.worksheet.find_by_display_name(origin.name)
        for row in self.worksheet.find("participant_id", origin.user_id):
            for field in ("sis_id", "email"):
                found = self.roster.find(field, getattr(row, field)) if row in named else []
                if len(found) == 1:
                    return found
        return []

    def _resolve_hints(self, file: SubmittedFile, claimed_names: Sequence[str]) -> Owner:
        """Return the owner whose name is in a path that no platform generated."""
        outer, position = file.outer, self._name_position(file.outer)
        # A folder that contains everything may be a student's only if no name is below it.
        above = range(position - 1, -1, -1) if position < self.paths.level else ()
        hints = [
            (hint, each)
            for each in (position, *above)
            for hint in (self._hints_at(outer, each) if each >= 0 else ())
        ]
        source = "the notebook or its manifest"
        says = "".join(f" ({source} says {shorten(name)!r})" for name in claimed_names[:1])
        if self.roster:
            tried = ", ".join(repr(shorten(hint)) for hint, _ in hints[:3])
            names = f" (which does not contain {tried})" if tried else says
            raise UnknownOwnerError(
                f"the student cannot be determined from the roster{names}: {USE_STUDENT}"
            )
        for hint, each in hints:
            if hint != self.common_folder and (student := make_student_id(hint)):
                return Owner(student, outer[: each + 1], self._inner_name(outer[each + 1 :]))
        raise UnknownOwnerError(
            f"the student cannot be determined{says}: specify a roster with --roster, or"
            f" {USE_STUDENT}"
        )

    def _hints_at(self, parts: tuple[str, ...], position: int) -> list[str]:
        """Return possible names of the student in one part of a path."""
        return list(self._hints(parts[position], is_file=position == len(parts) - 1))

    def _hints(self, part: str, is_file: bool) -> Iterator[str]:
        """Yield possible names of the student in a folder's or file's name."""
        stem = strip_copy_marks(part)[0] if is_file or is_archive(part) else part
        if stem in self._not_names:
            return
        known = itertools.chain.from_iterable((each.name, each.stem) for each in self.releases)
        found = [rest for name in known if (rest := strip_notebook_name(stem, name))]
        # A name that contains the notebook's is not a person's: "mnist2" or "My mnist final".
        if not found and not (is_file and self._contains_notebook_name(stem)):
            found = [stem]
        yield from dict.fromkeys(found)

    @cached_property
    def _not_names(self) -> set[str]:
        """Return the names of folders and files that are not those of students."""
        names = {"", FOLDER}
        for release in self.releases:
            names |= {release.name, release.stem}
            names |= {f"{release.stem}{suffix}" for suffix in ARCHIVE_SUFFIXES}
        return names

    def _contains_notebook_name(self, stem: str) -> bool:
        """Return True if a file's name contains that of a notebook."""
        folded = stem.casefold()
        names = (strip_copy_marks(release.file_name)[0] for release in self.releases)
        return any(name.casefold() in folded for name in names)


def _only(people: Sequence[Person], name: str) -> str:
    """Return the student id of the only person found; raise UnknownOwnerError if not only one."""
    students = list(dict.fromkeys(person.student for person in people))
    if not students:
        raise UnknownOwnerError(
            f"the roster has no student called {shorten(name)!r}: add a row, or {USE_STUDENT}"
        )
    if len(students) > 1:
        raise UnknownOwnerError(f"{name!r} could be {' or '.join(students)}: {USE_STUDENT}")
    return students[0]
