"""Marks of written answers in the gradebook."""

import json
import shutil
import sqlite3

import pytest

from course.errors import CourseError
from course.instructor.course_dir import open_api
from course.instructor.gradebook import pending_scores
from course.instructor.grading.preprocessors import SaveScoresAtomically
from course.instructor.marking.course_marks import (
    AUTOMATIC,
    MARKED,
    OPEN,
    PENDING,
    MarkConflict,
)
from tests.conftest import cell
from tests.instructor.marking.conftest import (
    ANSWERS,
    NAME,
    SCHEME,
    give,
    mark,
    opened,
    question_of,
    run,
    states_of,
    stored,
    submit_graded,
    write_source,
)


def test_a_question_has_its_text_model_answer_and_rubric(marks):
    question = question_of(marks)
    assert question.title == "Exercise: explain"
    assert question.text.startswith("### Exercise: explain (2 points)")
    assert "MARK SCHEME" not in question.text and "Locality" not in question.text
    assert question.model_answer == "The model answer of explain."
    assert [each.points for each in question.items] == [1, 0.5, -0.5]
    assert question.scheme.guidance == "Read the whole answer first."
    assert question.max_score == 2
    assert [each.question.name for each in marks.overview()] == ["explain", "conclude"]


def test_the_text_of_a_question_begins_at_its_heading(root):
    path = root / "source" / NAME / "small.ipynb"
    before = r"**What happened:** much.\n\n## 3 Results\n\n### Exercise: explain (2 points)\n\n"
    text = path.read_text().replace(r"### Exercise: explain (2 points)\n", before + "#### Hint\\n")
    path.write_text(text)
    with opened(root) as marks:
        text = question_of(marks).text
    assert text.startswith("### Exercise: explain (2 points)\n\n#### Hint\n\nWhy does it")


def test_identical_and_empty_answers_are_recognized(marks):
    states = states_of(marks)
    assert set(states) == set(ANSWERS)
    assert states["ada"].text.digest == states["bob"].text.digest != states["cy"].text.digest
    assert {name for name, each in states.items() if each.text.is_empty} == {"dora", "eve"}
    assert states["dora"].status == AUTOMATIC and states["ada"].status == OPEN


def test_an_answer_contains_the_cells_that_its_student_added_beside_it(root):
    beside = [cell("markdown", "My real answer."), cell("code", "x = 1")]
    with open_api(root).gradebook as gradebook:
        submit_graded(root, gradebook, "fay", {}, beside)
        gradebook.db.commit()
    with opened(root) as marks:
        state = states_of(marks)["fay"]
        assert not state.text.is_empty
        assert [each.source for each in state.text.cells if each.is_added] == ["My real answer."]
        assert states_of(marks, "conclude")["fay"].text.cells[0].source == "My real answer."


def test_items_become_score_and_comment_in_the_gradebook(marks, root):
    question = question_of(marks)
    local, shared, effect = question.items
    state = give(marks, "ada", mark(local, shared, effect, comment="See page 3."))
    assert (state.status, state.score, state.grader) == (MARKED, 1, "Grace")
    comment = "- Locality (+1)\n- Sharing (+0.5)\n- Only the effect, without a property (\u22120.5)"
    assert stored(root)["ada"] == (1, f"{comment}\n\nSee page 3.", False)
    assert stored(root)["bob"] == (None, None, True)
    state = give(marks, "ada", mark())
    assert stored(root)["ada"] == (None, None, True) and state.status == OPEN


@pytest.mark.parametrize("score", [2, 0, 1.25])
def test_a_score_can_be_given_without_items(marks, root, score):
    give(marks, "cy", mark(adjustment=score))
    assert stored(root)["cy"] == (score, None, False)


@pytest.mark.parametrize(
    ("adjustment", "items", "sentence"),
    [
        (2.01, 0, "the score is at most 2: enter another one."),
        (7, 0, "the score is at most 2: enter another one."),
        (-0.5, 0, "the score is at least 0: enter another one."),
        (0.75, 2, "the score is at most 2: enter another one."),
        (-1.75, 2, "the score is at least 0: enter another one."),
    ],
)
def test_a_score_beyond_the_limits_is_refused(marks, root, adjustment, items, sentence):
    chosen = question_of(marks).items[:items]
    with pytest.raises(CourseError, match=sentence):
        give(marks, "cy", mark(*chosen, adjustment=adjustment))
    assert stored(root)["cy"] == (None, None, True)


def test_the_sum_of_the_items_is_limited(root):
    write_source(root, SCHEME.replace("**+0.5**", "**+1.5**"))
    with opened(root) as marks:
        local, shared, effect = question_of(marks).items
        assert give(marks, "ada", mark(local, shared)).score == 2
        assert give(marks, "bob", mark(effect)).score == 0


def test_an_adjustment_of_items_is_in_the_comment_so_that_the_points_add_up(marks, root):
    local, shared, _ = question_of(marks).items
    give(marks, "cy", mark(local, shared, adjustment=-0.25))
    comment = "- Locality (+1)\n- Sharing (+0.5)\n- Adjusted by the grader (\u22120.25)"
    assert stored(root)["cy"] == (1.25, comment, False)


def test_items_that_only_deduct_start_at_the_maximum(root):
    write_source(root, SCHEME.replace("**+", "**\u2212"))
    with opened(root) as marks:
        assert give(marks, "ada", mark(question_of(marks).items[1])).score == 1.5


def test_several_answers_get_one_mark_or_none_of_them_does(marks, root):
    question = question_of(marks)
    versions = {each.id: each.version for each in states_of(marks).values()}
    outdated = dict(versions)
    outdated[next(iter(outdated))] = "another"
    with pytest.raises(MarkConflict) as conflict:
        marks.save(question, outdated, mark(adjustment=1), "Grace")
    assert len(conflict.value.states) == 5
    assert {each[0] for each in stored(root).values()} == {None}
    marks.save(question, versions, mark(adjustment=1), "Grace")
    assert {each[0] for each in stored(root).values()} == {1}
    progress = marks.overview()[0]
    assert (progress.count, progress.done, progress.graders) == (5, 5, {"Grace": 5})


def test_of_two_graders_the_second_sees_what_the_first_has_written(root):
    with opened(root) as first, opened(root) as second:
        question, seen = question_of(first), states_of(second)["ada"]
        give(first, "ada", mark(adjustment=2, comment="Good."))
        with pytest.raises(MarkConflict) as conflict:
            second.save(question, {seen.id: seen.version}, mark(adjustment=0), "Hopper")
        (state,) = conflict.value.states
        assert (state.score, state.mark.comment, state.grader) == (2, "Good.", "Grace")
        assert stored(root)["ada"] == (2, "Good.", False)
        second.save(question, {state.id: state.version}, mark(adjustment=1), "Hopper")
        assert states_of(first)["ada"].grader == "Hopper"


def test_a_change_in_the_formgrader_is_shown_and_not_overwritten(marks, root):
    item = question_of(marks).items[0]
    before = give(marks, "ada", mark(item))
    with open_api(root).gradebook as gradebook:
        gradebook.find_grade("explain", "small", NAME, "ada").manual_score = 1.75
        gradebook.db.commit()
    with pytest.raises(MarkConflict):
        marks.save(question_of(marks), {before.id: before.version}, mark(item), "Grace")
    state = states_of(marks)["ada"]
    assert state.mark.adjustment == 1.75 and state.mark.items == () and state.grader == ""
    assert [each.label for each in state.earlier.items] == ["Locality"]
    assert state.mark.comment == "- Locality (+1)"
    (flagged,) = marks.flag(question_of(marks), {state.id: state.version}, True)
    assert flagged.flagged and flagged.earlier == state.earlier
    assert stored(root)["ada"] == (1.75, "- Locality (+1)", False)


def test_a_score_from_the_formgrader_is_a_mark(marks, root):
    with open_api(root).gradebook as gradebook:
        grade = gradebook.find_grade("explain", "small", NAME, "cy")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_comment("explain", "small", NAME, "cy").manual_comment = "Fine."
        gradebook.db.commit()
    state = states_of(marks)["cy"]
    assert (state.status, state.mark.adjustment, state.mark.comment) == (MARKED, 1.5, "Fine.")
    assert state.earlier is None


def test_an_answer_whose_text_has_changed_is_not_marked_unseen(marks, root):
    seen = states_of(marks)["ada"]
    with open_api(root).gradebook as gradebook:
        gradebook.remove_submission(NAME, "ada")
        gradebook.db.commit()
    with pytest.raises(MarkConflict) as conflict:
        marks.save(question_of(marks), {seen.id: seen.version}, mark(adjustment=1), "Grace")
    assert conflict.value.states == []
    seen = states_of(marks)["cy"]
    path = root / "autograded" / "cy" / NAME / "small.ipynb"
    path.write_text(path.read_text().replace("fewer weights", "more weights"))
    with pytest.raises(MarkConflict) as conflict:
        marks.save(question_of(marks), {seen.id: seen.version}, mark(adjustment=1), "Grace")
    assert "more weights" in conflict.value.states[0].text.cells[0].source


def regrade(root, student, earlier):
    """Save the scores of a submission again, as grading does."""
    import nbformat

    api = open_api(root)
    nb = nbformat.read(root / "autograded" / student / NAME / "small.ipynb", as_version=4)
    ids = {"assignment": NAME, "student": student, "notebook": "small"}
    resources = {"nbgrader": ids | {"db_url": api.coursedir.db_url}}
    with SaveScoresAtomically(parent=api).transaction(nb, resources, earlier):
        pass


def test_a_mark_is_pending_after_a_regrade_until_it_is_confirmed(marks, root):
    item = question_of(marks).items[0]
    give(marks, "ada", mark(item))
    regrade(root, "ada", {})
    state = states_of(marks)["ada"]
    assert state.status == PENDING and state.mark.items == (item,) and state.earlier is None
    state = give(marks, "ada", mark(item, pending=False), grader="Hopper")
    assert state.status == MARKED and stored(root)["ada"] == (1, "- Locality (+1)", False)
    state = give(marks, "ada", mark(item, pending=True))
    assert state.status == PENDING and stored(root)["ada"] == (1, "- Locality (+1)", True)
    with open_api(root).gradebook as gradebook:
        assert pending_scores.confirm(gradebook, NAME) == 1
    state = states_of(marks)["ada"]
    assert state.status == MARKED and state.mark.items == (item,)


def test_other_points_of_an_item_change_the_scores_of_those_who_have_it(root):
    with opened(root) as marks:
        local, shared, _ = question_of(marks).items
        give(marks, "ada", mark(local, comment="Yes."))
        give(marks, "bob", mark(local, shared, adjustment=0.25))
        give(marks, "cy", mark(shared))
        give(marks, "eve", mark(adjustment=1))
        assert marks.outdated(question_of(marks)) == []
    write_source(root, SCHEME.replace("**+1**", "**+0.75**"))
    with opened(root) as marks:
        found = marks.outdated(question_of(marks))
        assert {each.state.student: each.score for each in found} == {"ada": 0.75, "bob": 1.75}
        before = stored(root)
        versions = {each.state.id: each.state.version for each in found}
        marks.recompute(question_of(marks), versions)
        after = stored(root)
        assert after["ada"] == (0.75, "- Locality (+0.75)\n\nYes.", False)
        assert after["bob"][0] == before["bob"][0] == 1.75
        assert after["bob"][1].endswith("- Adjusted by the grader (+0.5)")
        assert {name: after[name] for name in ("cy", "eve")} == {
            name: before[name] for name in ("cy", "eve")
        }
        assert marks.outdated(question_of(marks)) == []
        assert states_of(marks)["ada"].grader == "Grace"


def test_an_item_that_is_no_longer_in_the_mark_scheme_keeps_its_points(root):
    with opened(root) as marks:
        give(marks, "ada", mark(question_of(marks).items[0]))
    write_source(root, SCHEME.replace("Locality:", "Patches:"))
    with opened(root) as marks:
        state = states_of(marks)["ada"]
        assert state.score == 1 and marks.outdated(question_of(marks)) == []
        shared = question_of(marks).items[1]
        assert give(marks, "ada", mark(*state.mark.items, shared)).score == 1.5


def test_the_submission_of_a_group_counts_once(root):
    (root / "groups.csv").write_text("student,group\nada,1\nbob,1\n")
    times = f"{NAME},ada,2026-03-01 10:00\n{NAME},bob,2026-03-01 11:00\n"
    (root / "submission_times.csv").write_text(f"assignment,student,submitted\n{times}")
    with opened(root) as marks:
        assert set(states_of(marks)) == set(ANSWERS) - {"ada"}
        assert marks.names(question_of(marks))["bob"] == "Ada Example (ada), Bob Example (bob)"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"items": ["x"]}, "1 items are not in the mark scheme"),
        ({"items": "x"}, "the mark is not valid"),
        ({"adjustment": float("nan")}, "the score is not a number"),
        ({"adjustment": True}, "the score is not a number"),
        ({"comment": "x" * 30_000}, "shorten it"),
        ({"comment": None}, "the mark is not valid"),
    ],
)
def test_a_mark_that_is_not_valid_is_refused(marks, root, request_, sentence):
    with pytest.raises(CourseError, match=sentence):
        give(marks, "ada", mark() | request_)
    assert stored(root)["ada"] == (None, None, True)
    with pytest.raises(CourseError, match="enter your name"):
        give(marks, "ada", mark(adjustment=1), grader=" ")


def test_a_dropped_student_leaves_no_mark_and_a_renamed_one_keeps_it(root, capsys):
    with opened(root) as marks:
        for student in ("ada", "bob"):
            give(marks, student, mark(adjustment=1, comment=f"Well done, {student}-person."))
    assert run(capsys, root, "student", "drop", "ada", "--yes")[0] == 0
    assert run(capsys, root, "student", "rename", "bob", "king")[0] == 0
    assert b"ada-person" not in (root / "gradebook.db").read_bytes()
    with opened(root) as marks:
        states = states_of(marks)
        assert "ada" not in states and states["king"].grader == "Grace"
        assert states["king"].earlier is None


def test_a_copy_of_the_gradebook_has_the_marks(root, capsys, tmp_path):
    with opened(root) as marks:
        state = give(marks, "ada", mark(*question_of(marks).items[:1]))
        marks.flag(question_of(marks), {state.id: state.version}, True, "Enough?", "Tess")
    code, output = run(capsys, root, "gradebook", "copy", f"sqlite:///{tmp_path / 'copy.db'}")
    assert code == 0, output
    shutil.copy(tmp_path / "copy.db", root / "gradebook.db")
    with opened(root) as marks:
        state = states_of(marks)["ada"]
        assert [each.label for each in state.mark.items] == ["Locality"]
        assert (state.flag_reason, state.flagger) == ("Enough?", "Tess")


@pytest.mark.slow
def test_marks_work_in_postgresql(root, capsys, gradebook_url):
    with opened(root) as marks:
        give(marks, "ada", mark(*question_of(marks).items[:1]))
    assert run(capsys, root, "gradebook", "copy", gradebook_url)[0] == 0
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.CourseDirectory.db_url = {gradebook_url!r}\n")
    with opened(root) as first, opened(root) as second:
        seen = states_of(second)["ada"]
        assert [each.label for each in seen.mark.items] == ["Locality"]
        give(first, "ada", mark(adjustment=2))
        with pytest.raises(MarkConflict):
            second.save(question_of(second), {seen.id: seen.version}, mark(), "Hopper")
    assert run(capsys, root, "student", "drop", "ada", "--yes")[0] == 0
    assert run(capsys, root, "student", "rename", "bob", "king")[0] == 0
    with opened(root) as marks:
        assert set(states_of(marks)) == {"king", "cy", "dora", "eve"}


def test_a_second_use_creates_nothing_and_a_damaged_notebook_costs_only_its_student(root):
    (root / "autograded" / "ada" / NAME / "small.ipynb").write_text("{")
    (root / "autograded" / "bob" / NAME / "small.ipynb").unlink()
    with opened(root) as marks:
        states = states_of(marks)
        assert "cannot be read" in states["ada"].text.problem
        assert "is missing" in states["bob"].text.problem
        assert give(marks, "cy", mark(adjustment=1)).score == 1


def test_stored_rows_are_json_that_says_how_a_score_was_chosen(marks, root):
    give(marks, "ada", mark(*question_of(marks).items[:1]))
    with sqlite3.connect(root / "gradebook.db") as database:
        ((items,),) = database.execute("SELECT items FROM course_mark").fetchall()
    assert [each["label"] for each in json.loads(items)] == ["Locality"]


def test_a_flag_has_the_name_of_the_one_who_set_it_also_in_an_older_gradebook(root):
    with opened(root) as marks:
        cy = states_of(marks)["cy"]
        marks.flag(question_of(marks), {cy.id: cy.version}, True, "Enough?")
    with sqlite3.connect(root / "gradebook.db") as database:
        database.execute("DROP TABLE course_mark_flag")
    with opened(root) as marks:
        cy = states_of(marks)["cy"]
        assert (cy.flagged, cy.flag_reason, cy.flagger) == (True, "Enough?", "")
        marks.flag(question_of(marks), {cy.id: cy.version}, True, "Enough?", "Tess")
        cy = states_of(marks)["cy"]
        assert (cy.flag_reason, cy.flagger) == ("Enough?", "Tess")
        give(marks, "cy", mark(adjustment=1))
        cy = states_of(marks)["cy"]
        assert (cy.flagger, cy.grader) == ("Tess", "Grace")
        marks.flag(question_of(marks), {cy.id: cy.version}, False)
        assert states_of(marks)["cy"].flagger == ""


def test_a_comment_or_a_flag_alone_does_not_change_who_gave_the_score(marks):
    local = question_of(marks).items[0]
    give(marks, "cy", mark(local), grader="Ada")
    assert give(marks, "cy", mark(local, comment="Good."), grader="Ben").grader == "Ada"
    state = states_of(marks)["cy"]
    (flagged,) = marks.flag(question_of(marks), {state.id: state.version}, True, "Why?", "Ben")
    assert flagged.grader == "Ada" and flagged.flagger == "Ben"
    assert give(marks, "cy", mark(local, adjustment=0.5), grader="Ben").grader == "Ben"
    # A comment on an answer without a mark gives no score, and the grader of the score counts.
    give(marks, "dora", mark(comment="Write something."), grader="Ben")
    assert give(marks, "dora", mark(adjustment=0), grader="Ada").grader == "Ada"
