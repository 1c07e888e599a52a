"""Reading and writing the marks of a course: scores and comments in nbgrader's own tables.

A mark is written in one transaction, only if the answer and its mark are still those that the
grader saw, as `AnswerState.version` tells.
"""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from nbgrader.api import (
    BaseCell,
    Comment,
    Grade,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import select

from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.gradebook import mark_table
from course.instructor.gradebook.group_submissions import read_course_groups
from course.instructor.gradebook.mark_table import ASSIGNEES, FLAGS, MARKS
from course.instructor.marking import scheme_editor, sharing
from course.instructor.marking.answers import AnswerReader, AnswerText, NearOutputs
from course.instructor.marking.marks import Mark, parse_mark, stored_items
from course.instructor.marking.questions import Question, read_questions
from course.instructor.marking.sharing import checked_grader

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from sqlalchemy.orm import Session

OPEN, MARKED, AUTOMATIC, PENDING = "open", "marked", "automatic", "pending"
MAX_ANSWERS = 2_000  # in one request
MAX_REASON = 200  # characters


@dataclass(frozen=True)
class AnswerState:
    """An answer with its mark; `id` is the key of the score in the gradebook.

    `mark` is what the gradebook has. If it is not what was marked here, because somebody has
    changed it elsewhere, `earlier` is the mark that was. `version` changes with all of these.
    `assignee` is the grader who is to mark the answer; anybody may.
    """

    id: str
    student: str
    text: AnswerText
    mark: Mark
    auto_score: float | None
    manual_score: float | None
    manual_comment: str | None
    status: str
    flagged: bool
    grader: str
    version: str
    earlier: Mark | None = None
    flag_reason: str = ""
    flagger: str = ""
    assignee: str = ""

    @property
    def score(self) -> float | None:
        """The score in the gradebook; one that a person gave counts."""
        return self.auto_score if self.manual_score is None else self.manual_score


@dataclass(frozen=True)
class QuestionProgress:
    """How many answers to a question have a score, and how many of them each grader marked.

    `flagged_open` is the number of flagged answers among those that are not done. `assigned` has,
    for each grader, the number of assigned answers, and how many of them are done; "" are those
    that nobody is to mark. `scores` is the number of answers with each score. `outdated` is the
    number of answers whose items have other points now.
    """

    question: Question
    count: int
    done: int
    flagged: int
    flagged_open: int
    pending: int
    outdated: int
    graders: Mapping[str, int]
    assigned: Mapping[str, tuple[int, int]]
    scores: Mapping[float, int]


@dataclass(frozen=True)
class ScoreChange:
    """An answer whose score, or whose comment, other points of its items change."""

    state: AnswerState
    mark: Mark
    score: float | None

    def counts(self, key: Any) -> bool:
        """Return whether an item counts in this answer."""
        return any(each.key == key and self.mark.counts(each) for each in self.mark.items)

    @property
    def is_entered(self) -> bool:
        """Whether a grader entered the score, which therefore stays."""
        return self.state.mark.adjustment is not None


@dataclass(frozen=True)
class PointsPreview:
    """What other points of a rubric item would do.

    `count` answers have the item. `elsewhere` more had it until their score was changed elsewhere,
    which stays as it is. `entered` are the answers with a score that was entered without items,
    which stays too. `earnable` is the sum of all positive points.
    """

    count: int
    elsewhere: int
    entered: list[AnswerState]
    earnable: float
    changes: list[ScoreChange]


class MarkConflict(Exception):
    """Answers have changed since the grader saw them, and nothing was written.

    `states` are the present states of those that still exist.
    """

    def __init__(self, states: Sequence[AnswerState]) -> None:
        super().__init__("the answer or its mark has changed since this page was loaded")
        self.states = list(states)


@dataclass
class CourseMarks:
    """The marks of some assignments; all methods must be called in the same thread."""

    root: Path
    gradebook: "Gradebook"
    assignments: Sequence[str]
    _reader: AnswerReader = field(init=False)
    _questions: dict[str, tuple[int, list[Question]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._reader = AnswerReader(self.root)
        mark_table.create(self.gradebook)

    def overview(self) -> list[QuestionProgress]:
        """Return the questions that have answers, with their progress."""
        with self._transaction():
            found = []
            for question, students in self._questions_with_students():
                rows = [row for row in self._rows(question) if row.student_id in students]
                marks = [_state(row, AnswerText()) for row in rows]
                if marks:
                    found.append(_progress(question, marks))
            return found

    def find_question(self, key: Any) -> Question:
        """Return the question with a key; raise CourseError if there is none."""
        with self._transaction():
            for assignment in self._graded_assignments():
                for question in self._questions_of(assignment):
                    if question.key == key:
                        return question
        raise CourseError("this question is no longer in the gradebook: reload the page.")

    def answers(self, question: Question) -> list[AnswerState]:
        """Return the answers that count, in an order that says nothing about the students."""
        with self._transaction():
            states = self._counting(question)
        return sorted(states, key=lambda each: hashlib.sha256(each.id.encode()).hexdigest())

    def answer(self, question: Question, key: Any) -> AnswerState:
        """Return one answer; raise CourseError if it does not exist."""
        with self._transaction():
            for row in self._rows(question, [str(key)]):
                return self._read_state(question, row)
        raise CourseError("this answer is no longer in the gradebook: reload the page.")

    def states(self, question: Question, keys: Sequence[str]) -> list[AnswerState]:
        """Return the states of some answers; those that do not exist are left out."""
        if len(keys) > MAX_ANSWERS:
            raise CourseError("the request has too many answers: reload the page.")
        with self._transaction():
            return [self._read_state(question, row) for row in self._rows(question, keys)]

    def outputs_near(self, question: Question, key: Any) -> NearOutputs:
        """Return what the student's own run showed near an answer."""
        return self._reader.outputs_near(question, self.answer(question, key).student)

    def names(self, question: Question) -> dict[str, str]:
        """Return the names of those for whom each student's submission counts."""
        with self._transaction() as db:
            groups = read_course_groups(self.root, self.gradebook)
            columns = select(Student.id, Student.first_name, Student.last_name)
            known = {key: " ".join(filter(None, names)) for key, *names in db.execute(columns)}
        shared = groups.in_assignment(question.assignment)

        def name(student: str) -> str:
            return f"{known[student]} ({student})" if known.get(student) else student

        return {each: ", ".join(map(name, shared.readers_of(each) or (each,))) for each in known}

    def save(
        self, question: Question, versions: Mapping[str, str], request: Any, grader: str
    ) -> list[AnswerState]:
        """Give all these answers the mark in a request, or raise MarkConflict.

        Who changes only the comment of a score does not become its grader.
        """
        name = checked_grader(grader)

        def write(state: AnswerState) -> None:
            own = (*state.mark.items, *(state.earlier.items if state.earlier else ()))
            mark = parse_mark(request, [*question.items, *own])
            mark.check_adjustment(self._max_score(question), question.deducts)
            score = mark.score(self._max_score(question), question.deducts)
            is_same = score == state.manual_score and mark.same_points_as(state.mark)
            self._give(question, state, mark, state.grader if is_same else name)

        return self._write(question, versions, write)

    def flag(
        self,
        question: Question,
        versions: Mapping[str, str],
        is_flagged: bool,
        reason: str = "",
        grader: str = "",
    ) -> list[AnswerState]:
        """Flag answers for a colleague, or remove their flags; or raise MarkConflict.

        `grader` is the one who flags, if known.
        """
        name = checked_grader(grader) if grader else ""
        text = " ".join("".join(each if each.isprintable() else " " for each in reason).split())
        if len(text) > MAX_REASON:
            raise CourseError(f"the reason has more than {MAX_REASON} characters: shorten it.")
        values = {"flagged": is_flagged, "flag_reason": text if is_flagged else ""}

        def write(state: AnswerState) -> None:
            self._store(state, **values)
            db = self.gradebook.db
            db.execute(sqlalchemy.delete(FLAGS).where(FLAGS.c.grade_id == state.id))
            if is_flagged and name:
                db.execute(sqlalchemy.insert(FLAGS).values(grade_id=state.id, grader=name))

        return self._write(question, versions, write)

    def share(self, question: Question, graders: Sequence[str]) -> None:
        """Share all answers to a question among graders; without graders, nobody has any."""
        with self._transaction(is_write=True) as db:
            keys = [row.id for row in self._rows(question)]
            self._lock(question, keys)
            groups: dict[str, list[str]] = {}
            present = {}
            for state in self._counting(question):
                # Identical answers are marked together, and so by one grader.
                digest = state.id if state.text.problem else state.text.digest
                groups.setdefault(digest, []).append(state.id)
                present[state.id] = state.assignee or state.grader
            found = sharing.share(list(groups.values()), present, graders)
            self._assign(keys, found)
            db.commit()

    def assign(self, question: Question, keys: Sequence[str], grader: str) -> list[AnswerState]:
        """Say who is to mark some answers; "" is nobody."""
        name = checked_grader(grader) if grader else ""
        with self._transaction(is_write=True) as db:
            known = [row.id for row in self._rows(question, keys)]
            self._lock(question, known)
            self._assign(known, dict.fromkeys(known, name) if name else {})
            db.commit()
            return [self._read_state(question, row) for row in self._rows(question, known)]

    def _assign(self, keys: Sequence[str], graders: Mapping[str, str]) -> None:
        """Replace the assignment of answers; those without a grader have none."""
        db = self.gradebook.db
        db.execute(sqlalchemy.delete(ASSIGNEES).where(ASSIGNEES.c.grade_id.in_(list(keys))))
        rows = [{"grade_id": key, "grader": grader} for key, grader in graders.items()]
        if rows:
            db.execute(sqlalchemy.insert(ASSIGNEES), rows)

    def outdated(self, question: Question) -> list[ScoreChange]:
        """Return the answers whose items have other points now, with their new mark and score."""
        return _changes(question, self.answers(question))

    def recompute(self, question: Question, versions: Mapping[str, str]) -> list[AnswerState]:
        """Give outdated answers the score that their items have now; or raise MarkConflict."""

        def write(state: AnswerState) -> None:
            self._give(question, state, _with_items_of(question, state.mark), state.grader)

        return self._write(question, versions, write)

    def preview_points(self, question: Question, key: Any, points: Any) -> PointsPreview:
        """Return what other points of a rubric item would do."""
        changed = scheme_editor.changed_question(question, key, points)
        states = self.answers(question)

        def has_item(mark: Mark | None) -> bool:
            return mark is not None and any(each.key == key for each in mark.items)

        return PointsPreview(
            sum(has_item(each.mark) for each in states),
            sum(has_item(each.earlier) for each in states),
            [
                each
                for each in states
                if each.manual_score is not None
                and not each.mark.items
                and not has_item(each.earlier)
            ],
            scheme_editor.earnable(changed.scheme),
            _changes(changed, states),
        )

    def change_points(
        self, question: Question, key: Any, points: Any, versions: Mapping[str, str]
    ) -> list[AnswerState]:
        """Write other points of a rubric item into source/, and give answers their new score.

        `versions` are all answers whose score changes, as the grader saw them in the preview;
        raises MarkConflict, and changes nothing, if these are others by now. The notebook is
        written before the scores are committed, all in one step: if the process is killed between
        the two, these answers are outdated, which the page and the command say.
        """
        changed = scheme_editor.changed_question(question, key, points)

        def write(state: AnswerState) -> None:
            self._give(changed, state, _with_items_of(changed, state.mark), state.grader)

        def check() -> None:
            found = [each.state for each in _changes(changed, self._counting(question))]
            if {each.id for each in found} != set(versions):
                raise MarkConflict(found)

        def finish() -> None:
            self.gradebook.db.flush()
            scheme_editor.write_points(self.root, question, key, points)

        return self._write(question, versions, write, check, finish)

    def _write(
        self,
        question: Question,
        versions: Mapping[str, str],
        write: Callable[[AnswerState], None],
        check: Callable[[], None] | None = None,
        finish: Callable[[], None] | None = None,
    ) -> list[AnswerState]:
        """Call `write` for each answer, all in one transaction; return their new states.

        Without `finish`, which is called before the commit, there must be answers.
        """
        if (not versions and not finish) or len(versions) > MAX_ANSWERS:
            raise CourseError("the request has no answers, or too many: reload the page.")
        with self._transaction(is_write=True) as db:
            self._lock(question, versions)
            states = [self._read_state(question, row) for row in self._rows(question, versions)]
            is_present = len(states) == len(versions)
            if not is_present or any(each.version != versions[each.id] for each in states):
                raise MarkConflict(states)
            if check:
                check()
            for state in states:
                write(state)
            if finish:
                finish()
            db.commit()
        with self._transaction():
            return [self._read_state(question, row) for row in self._rows(question, versions)]

    def _lock(self, question: Question, keys: Iterable[str]) -> None:
        """Let others wait who write a score or comment of these answers, also in the formgrader.

        A comment is locked before it is read: what the formgrader writes is then either seen, or
        written after this transaction. SQLite locks the whole file instead.
        """
        db = self.gradebook.db
        is_marked = Grade.id.in_(list(keys))
        db.execute(select(Grade.id).where(is_marked).order_by(Grade.id).with_for_update())
        notebooks = select(Grade.notebook_id).where(is_marked)
        is_comment = Comment.notebook_id.in_(notebooks)
        is_comment &= Comment.cell_id == question.comment_cell_id
        db.execute(select(Comment.id).where(is_comment).order_by(Comment.id).with_for_update())

    def _give(self, question: Question, state: AnswerState, mark: Mark, grader: str) -> None:
        """Write a mark as the formgrader does, and how it was chosen."""
        db = self.gradebook.db
        grade = db.get(Grade, state.id)
        grade.manual_score = mark.score(self._max_score(question), question.deducts)
        is_missing = grade.manual_score is None and grade.auto_score is None
        grade.needs_manual_grade = is_missing or mark.pending
        conditions = {"notebook_id": grade.notebook_id, "cell_id": question.comment_cell_id}
        comment = db.query(Comment).filter_by(**conditions).one_or_none()
        if comment is not None:
            comment.manual_comment = mark.text()
        elif mark.text():
            raise CourseError(f"the gradebook has no comment of {question.name}: grade again.")
        self._store(
            state,
            items=mark.items_as_json(),
            adjustment=mark.adjustment,
            comment=mark.comment,
            grader=grader,
            score=grade.manual_score,
            written_comment=mark.text(),
        )

    def _store(self, state: AnswerState, **values: Any) -> None:
        """Write the row of an answer; of an existing row, only the values that are given."""
        db = self.gradebook.db
        is_row = MARKS.c.grade_id == state.id
        version = db.scalar(select(MARKS.c.version).where(is_row))
        if version is None:
            values = {
                "items": state.mark.items_as_json(),
                "adjustment": state.mark.adjustment,
                "comment": state.mark.comment,
                "flagged": state.flagged,
                "flag_reason": state.flag_reason,
                "grader": state.grader,
                "score": state.manual_score,
                "written_comment": state.manual_comment,
            } | values
        values["version"] = (version or 0) + 1
        if version is None:
            db.execute(sqlalchemy.insert(MARKS).values(grade_id=state.id, **values))
        else:
            db.execute(sqlalchemy.update(MARKS).where(is_row).values(**values))

    def _max_score(self, question: Question) -> float:
        """Return the points of a question, which can have changed since the page was loaded."""
        cell = self.gradebook.db.get(BaseCell, question.cell_id)
        return float(cell.max_score or 0)

    @contextlib.contextmanager
    def _transaction(self, is_write: bool = False) -> "Iterator[Session]":
        """Begin a transaction that sees the present state, and end it without a change.

        A write transaction excludes others; its block commits it.
        """
        db = self.gradebook.db
        db.rollback()
        try:
            if is_write and self.gradebook.engine.dialect.name == "sqlite":
                # Python's driver would lock the database only before the first change.
                db.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield db
        finally:
            db.rollback()

    def _graded_assignments(self) -> list[str]:
        """Return the names of the selected assignments that are in the gradebook."""
        known = {each.name for each in self.gradebook.assignments}
        return [name for name in self.assignments if name in known]

    def _questions_with_students(self) -> list[tuple[Question, set[str]]]:
        """Return the questions of all assignments, with the students whose answers count."""
        return [
            (question, students)
            for assignment in self._graded_assignments()
            for students in [self._students(assignment)]
            if students
            for question in self._questions_of(assignment, is_fresh=True)
        ]

    def _questions_of(self, assignment: str, is_fresh: bool = False) -> list[Question]:
        """Return the questions of an assignment, read again if the notebook has changed."""
        changed = source_notebook(self.root, assignment).stat().st_mtime_ns
        known = self._questions.get(assignment)
        if known is None or known[0] != changed or is_fresh:
            known = changed, read_questions(self.root, self.gradebook, assignment)
            self._questions[assignment] = known
        return known[1]

    def _students(self, assignment: str) -> set[str]:
        """Return the students with a graded submission that counts; that of a group counts once."""
        groups = read_course_groups(self.root, self.gradebook).in_assignment(assignment)
        graded = {path.parent.name for path in self.root.glob(f"autograded/*/{assignment}")}
        return {each for each in graded if groups.counts(each)}

    def _counting(self, question: Question) -> list[AnswerState]:
        """Return the answers that count."""
        students = self._students(question.assignment)
        return [
            self._read_state(question, row)
            for row in self._rows(question)
            if row.student_id in students
        ]

    def _rows(self, question: Question, keys: Any = None) -> list[Any]:
        """Return what the gradebook and the table of marks have about a question's answers."""
        query = (
            select(
                Grade.id,
                Grade.auto_score,
                Grade.manual_score,
                Grade.needs_manual_grade,
                SubmittedAssignment.student_id,
                Comment.manual_comment,
                *(MARKS.c[each] for each in ("version", "items", "adjustment", "comment")),
                *(MARKS.c[each] for each in ("flagged", "grader", "score", "written_comment")),
                MARKS.c.flag_reason,
                FLAGS.c.grader.label("flagger"),
                ASSIGNEES.c.grader.label("assignee"),
            )
            .select_from(Grade)
            .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
            .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .outerjoin(
                Comment,
                (Comment.notebook_id == Grade.notebook_id)
                & (Comment.cell_id == question.comment_cell_id),
            )
            .outerjoin(MARKS, MARKS.c.grade_id == Grade.id)
            .outerjoin(FLAGS, FLAGS.c.grade_id == Grade.id)
            .outerjoin(ASSIGNEES, ASSIGNEES.c.grade_id == Grade.id)
            .where(Grade.cell_id == question.cell_id)
            .order_by(Grade.id)
        )
        if keys is not None:
            query = query.where(Grade.id.in_(list(keys)))
        return list(self.gradebook.db.execute(query))

    def _read_state(self, question: Question, row: Any) -> AnswerState:
        """Return the state of an answer with its text."""
        return _state(row, self._reader.read(question, row.student_id))


def _state(row: Any, text: AnswerText) -> AnswerState:
    """Return the state of an answer from a row of `CourseMarks._rows`."""
    is_pending = bool(row.needs_manual_grade and row.manual_score is not None)
    own = Mark((), row.manual_score, row.manual_comment or "", is_pending)
    mark, earlier = own, None
    if row.version is not None:
        marked = Mark(stored_items(row.items), row.adjustment, row.comment, is_pending)
        if (row.score, row.written_comment) == (row.manual_score, row.manual_comment):
            mark = marked
        else:
            earlier = replace(marked, pending=False)
    if row.needs_manual_grade:
        status = OPEN if row.manual_score is None else PENDING
    else:
        status = AUTOMATIC if row.manual_score is None else MARKED
    values = [row.version, row.auto_score, row.manual_score, row.needs_manual_grade]
    version = json.dumps([*values, row.manual_comment, text.digest])
    return AnswerState(
        id=row.id,
        student=row.student_id,
        text=text,
        mark=mark,
        auto_score=row.auto_score,
        manual_score=row.manual_score,
        manual_comment=row.manual_comment,
        status=status,
        flagged=bool(row.flagged),
        grader=(row.grader or "") if earlier is None else "",
        version=hashlib.sha256(version.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        earlier=earlier,
        flag_reason=row.flag_reason or "",
        flagger=(row.flagger or "") if row.flagged else "",
        assignee=row.assignee or "",
    )


def _with_items_of(question: Question, mark: Mark) -> Mark:
    """Return a mark whose items have the points that they have in the mark scheme.

    A score that a grader entered stays; only its difference from the sum of the items changes.
    """
    current = {each.key: each for each in question.items}
    items = tuple(current.get(each.key, each) for each in mark.items)
    if items == mark.items or mark.adjustment is None:
        return replace(mark, items=items)
    return replace(mark, items=items).with_score(
        mark.score(question.max_score, question.deducts), question.max_score, question.deducts
    )


def _changes(question: Question, states: Sequence[AnswerState]) -> list[ScoreChange]:
    """Return the answers whose items have other points in the mark scheme."""
    found = []
    for state in states:
        mark = _with_items_of(question, state.mark)
        score = mark.score(question.max_score, question.deducts)
        if mark.items and (mark.items != state.mark.items or score != state.score):
            found.append(ScoreChange(state, mark, score))
    return found


def _progress(question: Question, states: Sequence[AnswerState]) -> QuestionProgress:
    """Return the progress of a question with these answers."""
    done = [each for each in states if each.status in (MARKED, AUTOMATIC)]
    assigned = Counter(each.assignee for each in states)
    assigned_done = Counter(each.assignee for each in done)
    return QuestionProgress(
        question,
        len(states),
        len(done),
        sum(each.flagged for each in states),
        sum(each.flagged for each in states) - sum(each.flagged for each in done),
        sum(each.status == PENDING for each in states),
        len(_changes(question, states)),
        Counter(each.grader for each in done if each.status == MARKED),
        {name: (assigned[name], assigned_done[name]) for name in sorted(assigned)},
        dict(sorted(Counter(each.score for each in done if each.score is not None).items())),
    )
