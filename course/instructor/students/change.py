"""Renaming and dropping students: the checks, and the steps, which can resume after a kill.

Before the first step, a record of the change is written; the last step removes it. Every step can
be repeated. If the command is killed, running it again repeats all steps; until then, no other
command collects, grades, or writes feedback. The gradebook is changed last, because its names
identify a student's row in the roster.
"""

import contextlib
import shlex
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from course.errors import CourseError
from course.instructor import unfinished_change
from course.instructor.collect import originals, student_originals
from course.instructor.course_dir import open_api
from course.instructor.feedback import page_writer
from course.instructor.gradebook import student_rows
from course.instructor.grading.preprocessors import ExecuteIsolated
from course.instructor.roster.roster import (
    ROSTER_FILE_NAME,
    Person,
    is_same_id,
    is_valid_student_id,
    student_column,
)
from course.instructor.students import course_tables, group_work
from course.instructor.students.class_data import (
    FOLDERS,
    ClassData,
    describe,
    has_gradebook,
    journals,
    read_class,
)
from course.instructor.unfinished_change import DROP, RENAME, UnfinishedChange
from course.instructor.watch import record as watch_record
from course.instructor.watch import student_entries

# Pages and archives about the whole class, which commands can write again.
PAGES = (
    "build/feedback/*.zip",
    "build/leaderboard/*/",
    "build/report/index.html",
    "build/similar/*.html",
    "build/statistics/*/",
)


@contextlib.contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Prevent watching, collecting, grading, and writing feedback while the `with` block runs.

    Raises LockHeldError if another command is doing one of these.
    """
    with contextlib.ExitStack() as stack:
        # A watch keeps its record in memory, and would write it again.
        for file in watch_record.all_files(root):
            where = file.folder.relative_to(root)
            message = f"course watch is running, with its record in {where}: stop it first."
            stack.enter_context(file.exclusive(message))
        stack.enter_context(originals.exclusive(root))
        for journal in journals(root):
            stack.enter_context(journal.exclusive())
        stack.enter_context(page_writer.exclusive(root))
        originals.move_old_originals(root)
        yield


def unfinished(root: Path, action: str, students: Sequence[str]) -> UnfinishedChange | None:
    """Return the unfinished change that a killed command with these arguments left, or None.

    Raises CourseError if a different change is unfinished.
    """
    found = unfinished_change.read(root)
    if found and (found.action, found.students) == (action, list(students)):
        return found
    unfinished_change.require_none(root)
    return None


def is_complete(root: Path, action: str, students: Sequence[str], gone: Sequence[str]) -> bool:
    """Return whether the last change had these arguments, and no student in `gone` exists again.

    A command can be killed after its last step but before it reports success.
    """
    return unfinished_change.was_last(root, action, students) and not any(
        each in read_class(root).places for each in gone
    )


def prepare_drop(root: Path, students: Sequence[str]) -> tuple[UnfinishedChange, list[str]]:
    """Return the change that drops students, and lines that describe what will be deleted.

    Raises CourseError if a student is unknown.
    """
    known = read_class(root)
    for student in students:
        _require_known(known, student)
    moves = group_work.find_moves(root, students)
    roster_ids: dict[str, str] = {}
    names: list[str] = []
    by_hand: list[str] = []
    lines: list[str] = []
    for student in students:
        person = course_tables.find_person(root, student, known.enrolled)
        if person:
            roster_ids[student] = person.student
            names.append(person.student)
        names += _names(known, student, person)
        own_moves = [each for each in moves if each.old == student]
        by_hand += student_originals.leftovers(root, student, {each.name for each in own_moves})
        by_hand += student_entries.leftovers(root, student)
        by_hand += [text for each in own_moves for text in _quiz_warning(root, student, each.new)]
        lines.append(f"{student}:")
        lines += [f"  {line}" for line in describe(root, student, person)]
        lines += [f"  {each.describe()}" for each in own_moves]
    lines += _describe_pages(root)
    # Remove duplicates, but keep the order.
    names, by_hand = (list(dict.fromkeys(each)) for each in (names, by_hand))
    kept = [(each.name, each.old, each.new) for each in moves]
    return UnfinishedChange(DROP, list(students), roster_ids, names, by_hand, kept), lines


def drop(root: Path, change: UnfinishedChange) -> None:
    """Delete what is stored about students, except for submissions that count for a group.

    Call `unfinished_change.end` afterward.
    """
    with _errors_as_sentences(change):
        unfinished_change.begin(root, change)
        _remove_pages(root)
        # Before the tables change, which show whose the uploads are.
        moved = {(name, old): new for name, old, new in change.moves}
        student_entries.remove(root, change.students, moved)
        for name, old, new in change.moves:
            group_work.move_files(root, name, old, new)
        for student in change.students:
            for path in _folders(root, student):
                _remove(path)
            for journal in journals(root):
                journal.forget(student)
            student_originals.remove(root, student)
            course_tables.remove(root, student, change.roster_ids.get(student, ""))
        if has_gradebook(root):
            with open_api(root).gradebook as gradebook:
                for student in change.students:
                    moves = {name: new for name, old, new in change.moves if old == student}
                    student_rows.remove(gradebook, student, moves)
                student_rows.erase_deleted_rows(gradebook)


def prepare_rename(root: Path, old: str, new: str) -> tuple[UnfinishedChange, list[str]]:
    """Return the change that renames a student, and lines that describe what will be changed.

    Raises CourseError if the student is unknown, or if the new ID is invalid or already in use.
    """
    if not is_valid_student_id(new) or unicodedata.normalize("NFC", new) != new:
        raise CourseError(f"{new!r} cannot be the name of a folder: choose a different ID.")
    known = read_class(root)
    _require_known(known, old)
    if new == old:
        raise CourseError(f"{new!r} is already the ID of this student: choose a different ID.")
    person = course_tables.find_person(root, old, known.enrolled)
    roster_id = person.student if person else ""
    for other, places in known.places.items():
        is_own = other == old or (places == [ROSTER_FILE_NAME] and other == roster_id)
        if is_same_id(other, new) and not is_own:
            similar = "" if other == new else f" too similar to {other!r}, which is"
            raise CourseError(f"{new!r} is{similar} already in {places[0]}: choose a different ID.")
    lines = [f"  {line}" for line in describe(root, old, person)] + _describe_pages(root)
    change = UnfinishedChange(
        RENAME, [old, new], {old: roster_id} if person else {}, [], _rename_by_hand(root, old, new)
    )
    if person is None:
        change.by_hand.append(
            f"{ROSTER_FILE_NAME} has no row of this student: add one with the ID {new}, or the next"
            f" course collect can store submissions under {old} again."
        )
    if person and person.student != new and not _has_ids(root):
        change.by_hand.append(
            f"{ROSTER_FILE_NAME} has no column with student IDs: add a column student_id, with"
            f" {new} in the row of {person.name or person.student}."
        )
    return change, lines


def rename(root: Path, change: UnfinishedChange) -> None:
    """Give a student a new ID everywhere, and delete pages that show the old one.

    Call `unfinished_change.end` afterward.
    """
    old, new = change.students
    with _errors_as_sentences(change):
        unfinished_change.begin(root, change)
        _remove_pages(root)
        # Feedback pages show the old ID.
        _remove(Path(root, "feedback", old))
        for path in _folders(root, old):
            if path.is_dir():
                path.rename(path.with_name(new))
        for journal in journals(root):
            journal.rename(old, new)
        student_originals.rename(root, old, new)
        student_entries.rename(root, old, new)
        course_tables.rename(root, old, new, change.roster_ids.get(old, ""))
        if has_gradebook(root):
            with open_api(root).gradebook as gradebook:
                student_rows.rename(gradebook, old, new)
                student_rows.erase_deleted_rows(gradebook)


def _require_known(known: ClassData, student: str) -> None:
    """Raise CourseError if nothing is stored about a student or the ID cannot be a folder name."""
    if student not in known.places or Path(student).name != student:
        similar = [each for each in known.places if is_same_id(each, student)]
        remedy = f"did you mean {similar[0]!r}?" if similar else "check the spelling."
        raise CourseError(f"{student!r} is not a student of this course directory: {remedy}")


def _names(known: ClassData, student: str, person: Person | None) -> Iterator[str]:
    """Yield a student's names and email addresses in the forms in which files may contain them."""
    found = known.enrolled.get(student)
    pairs = [(person.first_name, person.last_name)] if person else []
    pairs += [(found.first_name or "", found.last_name or "")] if found else []
    for first, last in pairs:
        if first and last:
            yield from (f"{first} {last}", f"{last}, {first}")
            # Canvas writes names in this way.
            yield "".join(char for char in f"{last}{first}".casefold() if char.isalnum())
    others = [person.name, person.email] if person else []
    others += [found.email] if found else []
    yield from filter(None, others)


def _rename_by_hand(root: Path, old: str, new: str) -> list[str]:
    """Return sentences about what the instructor has to do after a student is renamed."""
    if not any(Path(root, folder, old).is_dir() for folder in ("submitted", "autograded")):
        return []
    found = []
    if Path(root, "feedback", old).is_dir():
        command = shlex.join(["course", "feedback", "--student", new])
        found.append(f"the feedback pages were deleted because they show the ID: run {command}.")
    return found + _quiz_warning(root, old, new)


def _quiz_warning(root: Path, old: str, new: str) -> list[str]:
    """Return a sentence in a list if the values of quizzes depend on the student's ID, else []."""
    settings = ExecuteIsolated(parent=open_api(root).coursedir.parent).settings()
    if not settings.personalized_quizzes:
        return []
    return [
        "c.ExecuteIsolated.personalized_quizzes is set, and the values of graded quizzes depend on"
        f" the ID: a regrade would compare the answers of {new} with values that differ from those"
        f" that {old} got, so do not regrade them."
    ]


def _has_ids(root: Path) -> bool:
    """Return whether there is a roster that has a column with student IDs."""
    roster = course_tables.read_people(root)
    return roster is not None and student_column(roster.header) is not None


def _folders(root: Path, student: str) -> list[Path]:
    """Return the paths of a student's folders, which may not exist."""
    return [Path(root, folder, student) for folder in FOLDERS]


def _pages(root: Path) -> list[Path]:
    """Return the existing pages and archives about the class."""
    return sorted(path for pattern in PAGES for path in root.glob(pattern))


def _describe_pages(root: Path) -> list[str]:
    """Return a list with a line about the pages that will be deleted; empty if there are none."""
    found = ", ".join(path.relative_to(root).as_posix() for path in _pages(root))
    return [f"pages about the class, which you can write again: {found}"] if found else []


def _remove_pages(root: Path) -> None:
    """Delete the pages and archives about the class, and temporary files of killed commands."""
    stages = [journal.folder / "stage" for journal in journals(root)]
    for path in [*_pages(root), *stages, root / page_writer.FOLDER / "stage"]:
        _remove(path)


def _remove(path: Path) -> None:
    """Delete a file, a folder, or a link, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _errors_as_sentences(change: UnfinishedChange) -> Iterator[None]:
    """Raise CourseError instead of OSError; the message says which command to run again."""
    try:
        yield
    except OSError as error:
        raise CourseError(
            f"cannot change {error.filename} ({error.strerror}): fix the problem, then run"
            f" {change.command!r} again."
        ) from None
