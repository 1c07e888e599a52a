"""A example class, drawn from a seed: who the students are, and what they submit, and when."""

import copy
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.benchmarks.term import assignments
from tests.benchmarks.term.assignments import COUNTING, LISTS, SIZES, Assignment
from tests.instructor.collect.platform_archives import people

ZONE = ZoneInfo("Europe/Berlin")
ROUNDS = (timedelta(hours=12), timedelta(days=8))  # after the due date: when work is collected
GRACE = timedelta(minutes=15)
DAY = timedelta(days=1)
EXACT_DELAYS = (GRACE, GRACE + timedelta(minutes=1), GRACE + DAY, GRACE + DAY + timedelta(hours=1))
PLATFORMS = {"canvas", "moodle", "exchange", "drive"}
HELPER = "own_functions.py"
MIN_STUDENTS = 7  # one for each role, and one without


@dataclass(eq=False)
class Student:
    """A student; the ID changes when the student is renamed."""

    id: str
    name: str
    number: int  # on the platforms
    is_dropped: bool = False  # before the third assignment
    joins_late: bool = False  # after the first assignment
    is_always_late: bool = False
    never_submits: bool = False
    new_id: str = ""  # after the second assignment

    @property
    def email(self) -> str:
        """Return the email address, in which the ID does not occur."""
        return f"{self.login}@example.org"

    @property
    def login(self) -> str:
        """Return the login on the platforms."""
        return f"login{self.number}"


@dataclass(eq=False)
class Upload:
    """A notebook that a student uploads, and what a person gives for the written answer in it."""

    student: Student
    assignment: Assignment
    platform: str
    time: datetime
    number: int  # increases with each upload in the class
    answers: dict[str, str]  # by grade ID; "" leaves the released answer
    text: str  # the written answer
    mark: Fraction = Fraction(0)
    keeps_mark: bool = False  # the earlier score is confirmed, or the text has not changed
    comment: str = ""
    extra_credit: Fraction = Fraction(0)
    is_damaged: bool = False
    helper: str = ""  # the grade ID of the answer that is in a helper file
    content: bytes = b""

    @property
    def helpers(self) -> dict[str, bytes]:
        """Return the helper files, which are uploaded with the notebook, by name."""
        return {HELPER: self.answers[self.helper].encode()} if self.helper else {}

    def write(self, root: Path) -> None:
        """Fill in the released notebook of a course directory, as the student does."""
        path = root / "release" / self.assignment.name / self.assignment.file_name
        notebook = copy.deepcopy(json.loads(path.read_text(encoding="utf-8")))
        for each in notebook["cells"]:
            grade_id = each["metadata"].get("nbgrader", {}).get("grade_id")
            answer = {**self.answers, self.assignment.written: self.text}.get(grade_id)
            if grade_id and grade_id == self.helper:
                # In 02-lists, the grade ID of an answer is the name of its function.
                answer = f"from {Path(HELPER).stem} import {grade_id}"
            if answer:
                each["source"] = answer
        content = json.dumps(notebook, indent=1).encode()
        self.content = content[: len(content) // 2] if self.is_damaged else content


@dataclass
class ExampleClass:
    """A class and all that happens in its term."""

    students: list[Student]
    uploads: list[Upload] = field(default_factory=list)
    extensions: dict[tuple[str, Student], datetime] = field(default_factory=dict)
    groups: dict[Student, str] = field(default_factory=dict)  # in the third assignment
    # Scores that a person gives for tests, in the first round of grading: a complaint was right.
    corrected: dict[tuple[str, Student, str], Fraction] = field(default_factory=dict)

    def role(self, name: str) -> Student:
        """Return the only student with a role."""
        (found,) = (each for each in self.students if getattr(each, name))
        return found

    def uploads_of(self, assignment: Assignment, collection: int) -> list[Upload]:
        """Return what a round of collecting finds on the platforms.

        Only nbgrader's exchange also has the earlier attempts.
        """
        end = due_time(assignment) + ROUNDS[collection]
        found = [
            each for each in self.uploads if each.assignment is assignment and each.time <= end
        ]
        newest = {each.student: each for each in sorted(found, key=lambda each: each.time)}
        return [
            each for each in found if each.platform == "exchange" or newest[each.student] is each
        ]

    def counting_upload(
        self, student: Student, assignment: Assignment, collection: int
    ) -> Upload | None:
        """Return the newest readable upload of a student that has been collected by a round."""
        found = [
            each
            for number in range(collection + 1)
            for each in self.uploads_of(assignment, number)
            if each.student is student and not each.is_damaged
        ]
        return max(found, key=lambda each: each.time, default=None)

    def to_mark(self, assignment: Assignment, collection: int) -> list[Upload]:
        """Return the uploads whose written answers a person grades after a round of collecting."""
        found = []
        for student in self.students:
            upload = self.counting_upload(student, assignment, collection)
            earlier = collection and self.counting_upload(student, assignment, collection - 1)
            if not upload or not upload.text or upload is earlier:
                continue
            if not (upload.keeps_mark and earlier and earlier.text):
                found.append(upload)
        return found

    def to_correct(self, assignment: Assignment) -> dict[tuple[Student, str], Fraction]:
        """Return the scores that a person gives for tests, after the first round of collecting."""
        return {
            (student, test): score
            for (name, student, test), score in self.corrected.items()
            if name == assignment.name and self.counting_upload(student, assignment, 0)
        }


def due_time(assignment: Assignment) -> datetime:
    """Return the due date of the class."""
    return datetime.fromisoformat(assignment.due).replace(tzinfo=ZONE).astimezone(UTC)


def draw_class(count: int, seed: int) -> ExampleClass:
    """Return a class in which each platform is used in the first week, and also a helper file."""
    rng = random.Random(seed)
    while True:
        example = _draw(count, rng)
        in_first_week = {
            each.platform
            for assignment in assignments.ALL
            for each in example.uploads_of(assignment, 0)
            if not each.is_damaged
        }
        counting = [example.counting_upload(each, LISTS, 1) for each in example.students]
        # A helper file that cannot be imported would earn nothing, either.
        has_helper = any(each and _earns_points_in_helper(each) for each in counting)
        if in_first_week == PLATFORMS and has_helper:
            return example


def _earns_points_in_helper(upload: Upload) -> bool:
    """Return whether an answer that is in a helper file earns points at the end of the term."""
    return not upload.student.is_dropped and any(
        question.choices[upload.answers[question.answer]]
        for question in upload.assignment.questions
        if question.answer == upload.helper
    )


def is_enrolled(student: Student, assignment: Assignment) -> bool:
    """Return whether a student is in the class during an assignment."""
    has_left = student.is_dropped and assignment is SIZES
    return not has_left and not is_excused(student, assignment)


def is_excused(student: Student, assignment: Assignment) -> bool:
    """Return whether an assignment does not count for a student."""
    return student.joins_late and assignment is COUNTING


def _draw(count: int, rng: random.Random) -> ExampleClass:
    """Draw a class."""
    students = [
        Student(f"s{number:03}", name, 2000 + number)
        for number, name in enumerate(people(count), 1)
    ]
    dropped, renamed, joining, late, damaged, absent, *others = rng.sample(students, count)
    dropped.is_dropped = joining.joins_late = late.is_always_late = absent.never_submits = True
    renamed.new_id = "renamed"
    example = ExampleClass(students)
    _draw_groups(example, rng, [absent, renamed, *others])
    for assignment in assignments.ALL:
        for student in students:
            if is_enrolled(student, assignment) and not student.never_submits:
                _draw_uploads(example, rng, student, assignment)
    # A file that cannot be read, and one that never can.
    _damage(example, rng, damaged, COUNTING, again=True)
    if len(others) > 10:
        _damage(example, rng, others[-1], LISTS, again=False)
    example.uploads.sort(key=lambda each: each.time)
    for number, upload in enumerate(example.uploads):
        upload.number = number
    for assignment in assignments.ALL:
        for student in rng.sample(others, max(1, count // 20)):
            question = rng.choice(assignment.questions)
            key = assignment.name, student, question.test
            example.corrected[key] = question.points / 2
    return example


def _draw_groups(example: ExampleClass, rng: random.Random, students: list[Student]) -> None:
    """Put the first students and some others into groups of two to four."""
    at = 0
    for number in range(max(1, len(students) // 8)):
        size = rng.randint(2, 4)
        for student in students[at : at + size]:
            example.groups[student] = f"group {number}"
        at += size


def _draw_uploads(
    example: ExampleClass, rng: random.Random, student: Student, assignment: Assignment
) -> None:
    """Draw the attempts of a student at an assignment."""
    if rng.random() < 0.05 and not student.is_always_late:
        return
    in_group = assignment is SIZES and student in example.groups
    if in_group and not _submits_for_group(example, rng, student):
        return
    platform = {COUNTING.name: "canvas", LISTS.name: "moodle"}.get(assignment.name, "")
    if not platform:
        platform = "exchange" if in_group or student.number % 2 else "drive"
    if rng.random() < 0.1:
        extension = rng.choice([3, 7])
        example.extensions[assignment.name, student] = due_time(assignment) + extension * DAY
    delay = -timedelta(minutes=rng.randint(1, 3 * 24 * 60))
    if student.is_always_late or rng.random() < 0.25:
        exact = rng.choice(EXACT_DELAYS)
        delay = rng.choice([exact, timedelta(minutes=rng.randint(1, 6 * 24 * 60))])
    first = _draw_upload(rng, student, assignment, platform, due_time(assignment) + delay)
    example.uploads.append(first)
    if rng.random() < 0.35:
        delay += timedelta(minutes=rng.randint(60, 36 * 60))
        again = _draw_upload(rng, student, assignment, platform, due_time(assignment) + delay)
        if first.text and rng.random() < 0.4:
            again.text, again.keeps_mark = first.text, True
        elif first.text and (rng.random() < 0.5 or not again.text):
            again.text, again.keeps_mark = f"{first.text} And more.", True
        example.uploads.append(again)


def _submits_for_group(example: ExampleClass, rng: random.Random, student: Student) -> bool:
    """Return whether a student of a group submits: at least one, and rarely a second one."""
    members = [each for each, name in example.groups.items() if name == example.groups[student]]
    able = [each for each in members if not each.never_submits]
    return student is able[-1] or rng.random() < 0.3


def _draw_upload(
    rng: random.Random, student: Student, assignment: Assignment, platform: str, time: datetime
) -> Upload:
    """Draw the answers of an attempt, and the score of its written answer."""
    answers = {}
    for question in assignment.questions:
        right = next(iter(question.choices))
        answers[question.answer] = rng.choice([right, *question.choices])
    upload = Upload(student, assignment, platform, time, 0, answers, "")
    if assignment is LISTS and rng.random() < 0.4:
        changed = [name for name, answer in answers.items() if answer != assignments.UNTOUCHED]
        upload.helper = rng.choice(changed) if changed else ""
    if rng.random() < 0.9:
        upload.text = f"Because of reason {rng.randrange(10**9)}."
        upload.mark = assignment.written_points * rng.randint(0, 4) / 4
        if rng.random() < 0.3:
            upload.comment = f"Why {rng.randrange(10**6)}, and not <more>?"
        if rng.random() < 0.05:
            upload.extra_credit = Fraction(1, 2)
    return upload


def _damage(
    example: ExampleClass,
    rng: random.Random,
    student: Student,
    assignment: Assignment,
    again: bool,
) -> None:
    """Have a student upload half a file and, perhaps, the whole one in the next week."""
    example.uploads = [
        each
        for each in example.uploads
        if not (each.student is student and each.assignment is assignment)
    ]
    platform = "canvas" if assignment is COUNTING else "moodle"
    times = [due_time(assignment) - timedelta(hours=2), due_time(assignment) + 2 * DAY]
    for time in times[: 1 + again]:
        upload = _draw_upload(rng, student, assignment, platform, time)
        upload.is_damaged = time is times[0]
        example.uploads.append(upload)
