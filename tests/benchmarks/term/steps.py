"""The term, step by step: the documented commands, and what people do between two of them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.term import assignments, expected_scores, marking, platforms
from tests.benchmarks.term.assignments import ALL, COUNTING, LISTS, MARKED, SIZES, Assignment
from tests.benchmarks.term.example_class import (
    GRACE,
    ZONE,
    ExampleClass,
    Student,
    due_time,
)
from tests.conftest import write_notebook
from tests.submissions import ROOT

ROSTER_HEADER = ["student", "name", "email", "login", "canvas", "sis"]


@dataclass(frozen=True)
class Command:
    """A command of the instructor, without `course`, and the exit code that it must have."""

    arguments: tuple[str, ...]
    code: int = 0


@dataclass(frozen=True)
class Change:
    """What a person or a platform does between two commands."""

    name: str
    make: Callable[[], None] = field(repr=False)


Step = Command | Change


@dataclass
class Term:
    """A course directory, the folder of what is downloaded for it, and the class."""

    root: Path
    downloads: Path
    example: ExampleClass

    def steps(self, thorough: bool = True) -> Iterator[Step]:
        """Yield the steps of the term; without `thorough`, without those that change nothing."""
        yield Change("set up the course", self._set_up)
        yield Command(("release",))
        if thorough:
            # The solution fails the wrong test of the second one, which is published nevertheless.
            yield from (Command(("try", each.name), code=int(each is LISTS)) for each in ALL)
        yield Change("students fill in their notebooks", self._write_uploads)
        yield from self._first_assignment(thorough)
        yield Change("a student joins", self._enroll)
        yield from self._second_assignment(thorough)
        yield from self._leave()
        yield from self._third_assignment(thorough)
        yield from self._end(thorough)

    def _first_assignment(self, thorough: bool) -> Iterator[Step]:
        """Yield the weeks of the assignment on Canvas."""
        for week in (0, 1):
            archive = self.downloads / f"canvas-{week}.zip"
            yield Change(
                "download from Canvas",
                lambda w=week, a=archive: platforms.write_canvas_archive(
                    self.example, COUNTING, w, a
                ),
            )
            flagged = any(each.is_damaged for each in self.example.uploads_of(COUNTING, week))
            yield Command(("collect", str(archive), COUNTING.name), code=int(flagged))
            yield Change("enter late times", lambda w=week: self._write_times(COUNTING, w))
            yield from self._grading(COUNTING, week, thorough)
            if thorough:
                yield self._export("weekly.csv")

    def _second_assignment(self, thorough: bool) -> Iterator[Step]:
        """Yield the weeks of the assignment on Moodle, and the correction of its wrong test."""
        for week in (0, 1):
            archive = self.downloads / f"moodle-{week}.zip"
            worksheet = self.downloads / f"worksheet-{week}.csv"
            yield Change(
                "download from Moodle",
                lambda w=week, a=archive, s=worksheet: (
                    platforms.write_moodle_archive(self.example, LISTS, w, a),
                    platforms.write_worksheet(self.example, LISTS, w, s),
                ),
            )
            flagged = any(each.is_damaged for each in self.example.uploads_of(LISTS, week))
            yield Command(
                ("collect", str(archive), LISTS.name, "--times", str(worksheet)),
                code=int(flagged),
            )
            yield from self._grading(LISTS, week, thorough)
            if thorough:
                yield Command(("statistics", LISTS.name))
                yield Command(("similar", LISTS.name))
        yield Change("correct a test", self._correct_test)
        if thorough:
            yield Command(("try", LISTS.name))
        yield Command(("release", LISTS.name))
        yield Command(("grade", LISTS.name, "--outdated"))

    def _leave(self) -> Iterator[Step]:
        """Yield the steps for the students who leave the class or get another ID."""
        dropped, renamed = self.example.role("is_dropped"), self.example.role("new_id")
        yield Command(("student", "drop", dropped.id, "--yes"))
        yield Command(("student", "rename", renamed.id, renamed.new_id))
        yield Change("use the new ID", lambda: setattr(renamed, "id", renamed.new_id))

    def _third_assignment(self, thorough: bool) -> Iterator[Step]:
        """Yield the weeks of the assignment in nbgrader's exchange and a watched folder."""
        exchange = self.downloads / "inbound"
        drive = self.downloads / "Submissions"
        watch = ("watch", str(drive), SIZES.name, "--once", "--interval", "0.5")
        for week in (0, 1):
            yield Change(
                "students submit",
                lambda w=week: (
                    platforms.write_exchange(self.example, SIZES, w, exchange),
                    platforms.write_drive_folder(self.example, SIZES, w, drive),
                ),
            )
            # Neither a copy of the exchange nor Google Drive shows for certain what is newer.
            force = ("--force",) if week else ()
            yield Command(("collect", str(exchange), SIZES.name, *force))
            yield Command((*watch, *force))
            yield Change("enter late times", lambda w=week: self._write_times(SIZES, w))
            yield from self._grading(SIZES, week, thorough)
            if thorough:
                yield self._export("weekly.csv")

    def _end(self, thorough: bool) -> Iterator[Step]:
        """Yield the end of the term: complaints, an extension, feedback, and the exports."""
        if thorough:
            complaint = self._complaint()
            yield Command(("grade", COUNTING.name, "--student", complaint, "--force"))
        yield Command(("confirm",))
        yield Change("grant another extension", self._extend)
        # An archive of an earlier week changes nothing, and the roster keeps a dropped student out.
        archive = self.downloads / "canvas-0.zip"
        flagged = any(
            each.is_damaged or each.student.is_dropped
            for each in self.example.uploads_of(COUNTING, 0)
        )
        yield Command(("collect", str(archive), COUNTING.name), code=int(flagged))
        yield Command(("grade",))
        yield Command(("feedback", "--for", "zip"))
        if thorough:
            yield from (Command(("statistics", each.name)) for each in ALL)
            yield Command(("report",))
        yield Change("download gradebooks", self._download_gradebooks)
        yield self._export("scores.csv")
        for kind in ("canvas", "moodle"):
            roster = self.downloads / f"from-{kind}.csv"
            yield self._export(f"{kind}.csv", "--to", kind, "--roster", str(roster))
        worksheet = ("--roster", str(self.downloads / "worksheet-end.csv"))
        chosen = ("--assignment", LISTS.name)
        yield self._export("worksheet.csv", "--to", "moodle", *worksheet, *chosen)
        yield self._export("totals.csv", "--to", "totals")

    def _grading(self, assignment: Assignment, week: int, thorough: bool) -> Iterator[Step]:
        """Yield what follows each collection."""
        yield Command(("grade", assignment.name))
        yield Change("grade by hand", lambda: self._grade_by_hand(assignment, week))
        if thorough:
            yield Command(("confirm", assignment.name))
            yield Command(("feedback", assignment.name))

    def _export(self, name: str, *arguments: str) -> Command:
        """Return an export; without --force, one that was killed late would find its own file."""
        return Command(("export", str(self.downloads / name), *arguments, "--force"))

    def _set_up(self) -> None:
        """Create the course directory."""
        self.downloads.mkdir(parents=True)
        self.root.mkdir()
        shutil.copy(ROOT / "nbgrader_config.py", self.root)
        with (self.root / "nbgrader_config.py").open("a", encoding="utf-8") as config:
            config.write(
                f"\nc.LatePolicy.percent_per_day = {expected_scores.PERCENT_PER_DAY}"
                f"\nc.LatePolicy.max_percent = {expected_scores.MAX_PERCENT}"
                f"\nc.LatePolicy.grace_minutes = {GRACE.total_seconds() / 60:g}"
                f"\nc.LatePolicy.time_zone = {ZONE.key!r}"
                f"\nc.TotalsExportPlugin.weights = {expected_scores.WEIGHTS}"
                f"\nc.TotalsExportPlugin.drop_lowest = {expected_scores.DROP_LOWEST}\n"
            )
        for assignment in ALL:
            assignment.write_source(self.root)
        self._write_roster([each for each in self.example.students if not each.joins_late])
        self._write_due_dates(self._all_extensions()[:-1])
        groups = [[SIZES.name, name, each.id] for each, name in self.example.groups.items()]
        header = ["assignment", "group", "student"]
        platforms.write_csv(self.root / "groups.csv", [header, *groups])

    def _write_uploads(self) -> None:
        """Write every notebook that a student uploads in the term."""
        for upload in self.example.uploads:
            upload.write(self.root)

    def _write_roster(self, students: list[Student]) -> None:
        """Write the roster."""
        rows = [_roster_row(each) for each in students]
        platforms.write_csv(self.root / "roster.csv", [ROSTER_HEADER, *rows])

    def _enroll(self) -> None:
        """Add the student who joins late to the roster, and excuse the missed assignment."""
        student = self.example.role("joins_late")
        with (self.root / "roster.csv").open("a", encoding="utf-8") as file:
            file.write(",".join(_roster_row(student)) + "\n")
        rows = [["assignment", "student"], [COUNTING.name, student.id]]
        platforms.write_csv(self.root / "excused.csv", rows)

    def _all_extensions(self) -> list[list[str]]:
        """Return the rows of the extensions."""
        return [
            [name, student.id, _local(time)]
            for (name, student), time in self.example.extensions.items()
            if not student.is_dropped
        ]

    def _write_due_dates(self, extensions: list[list[str]]) -> None:
        """Write the table of due dates."""
        rows = [["assignment", "student", "due"]]
        rows += [[each.name, "", _local(due_time(each))] for each in ALL]
        platforms.write_csv(self.root / "due_dates.csv", rows + extensions)

    def _extend(self) -> None:
        """Add the last extension, of which nobody knew before."""
        self._write_due_dates(self._all_extensions())

    def _write_times(self, assignment: Assignment, week: int) -> None:
        """Write the times of late submissions that no file contains, as the platform shows them."""
        rows = []
        for each in ALL[: ALL.index(assignment) + 1]:
            known = week if each is assignment else 1
            for student in self.example.students:
                upload = self.example.counting_upload(student, each, known)
                is_gone = student.is_dropped and assignment is SIZES
                if not upload or is_gone or upload.platform not in ("canvas", "drive"):
                    continue
                if upload.time > due_time(each):
                    rows.append([each.name, student.id, _local(upload.time)])
        header = ["assignment", "student", "submitted"]
        platforms.write_csv(self.root / "submission_times.csv", [header, *rows])

    def _grade_by_hand(self, assignment: Assignment, week: int) -> None:
        """Enter scores and comments with `course mark` and as the formgrader does."""
        from nbgrader.api import Gradebook

        uploads = self.example.to_mark(assignment, week)
        if is_marked := assignment is MARKED:
            marking.mark(self.root, assignment, uploads)
        notebook = Path(assignment.file_name).stem
        with Gradebook(f"sqlite:///{self.root}/gradebook.db") as gradebook:
            for upload in uploads:
                place = (assignment.written, notebook, assignment.name, upload.student.id)
                grade = gradebook.find_grade(*place)
                grade.extra_credit = float(upload.extra_credit) or None
                if is_marked:
                    continue
                grade.manual_score, grade.needs_manual_grade = float(upload.mark), False
                if upload.comment:
                    gradebook.find_comment(*place).manual_comment = upload.comment
            for (student, test), score in (
                self.example.to_correct(assignment).items() if not week else ()
            ):
                grade = gradebook.find_grade(test, notebook, assignment.name, student.id)
                grade.manual_score, grade.needs_manual_grade = float(score), False
            gradebook.db.commit()

    def _correct_test(self) -> None:
        """Correct the hidden test that rejects right answers, and change the points of another."""
        cells = assignments.lists(assignments.RIGHT_TEST, count_points=2)
        write_notebook(self.root / "source" / LISTS.name / LISTS.file_name, cells)

    def _complaint(self) -> str:
        """Return the ID of the first student with a submission of the first assignment."""
        submitted = {each.student for each in self.example.uploads if each.assignment is COUNTING}
        students = platforms.remaining(self.example)
        return next(each.new_id or each.id for each in students if each in submitted)

    def _download_gradebooks(self) -> None:
        """Write what the platforms export at the end of the term."""
        platforms.write_canvas_gradebook(self.example, self.downloads / "from-canvas.csv")
        platforms.write_moodle_gradebook(self.example, self.downloads / "from-moodle.csv")
        platforms.write_worksheet(self.example, LISTS, 1, self.downloads / "worksheet-end.csv")


def _roster_row(student: Student) -> list[str]:
    """Return the row of a student."""
    number = str(student.number)
    return [student.id, student.name, student.email, student.login, number, f"sis{number}"]


def _local(time) -> str:
    """Return a time in the time zone of the course."""
    return f"{time.astimezone(ZONE):%Y-%m-%d %H:%M}"
