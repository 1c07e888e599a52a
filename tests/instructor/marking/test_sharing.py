"""Sharing answers among graders, and two graders at the same answers."""

import threading

import psycopg
import pytest

from course.errors import CourseError
from course.instructor.course_dir import open_api
from course.instructor.gradebook.mark_table import ASSIGNEES
from course.instructor.marking.course_marks import MarkConflict
from course.instructor.marking.sharing import parse_graders, share
from tests.instructor.marking.conftest import (
    ANSWERS,
    NAME,
    give,
    mark,
    opened,
    question_of,
    run,
    states_of,
    stored,
)
from tests.instructor.marking.marking_server import marking_server
from tests.instructor.sandbox import wait_until


def sizes(found):
    return sorted([*found.values()].count(name) for name in set(found.values()))


def test_shares_are_equal_repeatable_and_change_as_little_as_possible():
    groups = [[f"empty{each}" for each in range(10)], *([f"answer{each}"] for each in range(30))]
    first = share(groups, {}, ["Ada", "Grace"])
    assert sizes(first) == [20, 20]
    assert len({first[key] for key in groups[0]}) == 1
    assert share(groups[::-1], {}, ["Ada", "Grace"]) == first
    assert share(groups, first, ["Ada", "Grace"]) == first
    late = share([*groups, ["late"]], first, ["Ada", "Grace"])
    assert {key: late[key] for key in first} == first and late["late"] in ("Ada", "Grace")
    three = share(groups, first, ["Ada", "Grace", "Hopper"])
    assert sizes(three) == [12, 14, 14]
    assert sum(three[key] == first[key] for key in first) == 28
    assert set(share(groups, first, ["Hopper"]).values()) == {"Hopper"}
    assert share(groups, first, []) == {} == share([], {}, ["Ada"])


def test_names_of_graders_are_separated_by_commas():
    assert parse_graders(" Ada  L., Grace,,Ada L. ") == ["Ada L.", "Grace"]
    with pytest.raises(CourseError, match="at most 100 characters"):
        parse_graders("x" * 101)
    with pytest.raises(CourseError, match="more than 50 graders"):
        parse_graders(",".join(map(str, range(51))))


def test_a_shared_question_has_progress_per_grader_and_anybody_may_mark(marks, root):
    question = question_of(marks)
    marks.share(question, ["Grace", "Hopper"])
    states = states_of(marks)
    assert states["ada"].assignee == states["bob"].assignee != ""
    assert states["dora"].assignee == states["eve"].assignee
    other = "Hopper" if states["cy"].assignee == "Grace" else "Grace"
    seen = states["cy"]
    (after,) = marks.assign(question, [seen.id], other)
    assert after.assignee == other and after.version == seen.version
    give(marks, "cy", mark(adjustment=1), grader=seen.assignee)
    progress = marks.overview()[0]
    assert sum(count for count, _ in progress.assigned.values()) == 5
    # The empty answers of dora and eve have an automatic score.
    assert sum(done for _, done in progress.assigned.values()) == 3
    assert progress.scores == {0: 2, 1: 1}
    marks.share(question, [])
    assert marks.overview()[0].assigned == {"": (5, 3)}
    assert stored(root)["cy"][0] == 1


def test_two_graders_who_mark_the_same_shared_answer_lose_nothing(root):
    with opened(root) as first, opened(root) as second:
        question = question_of(first)
        first.share(question, ["Grace", "Hopper"])
        seen = states_of(second)["cy"]
        give(first, "cy", mark(adjustment=2, comment="Good."))
        second.share(question, ["Hopper"])
        with pytest.raises(MarkConflict):
            second.save(question, {seen.id: seen.version}, mark(adjustment=0), "Hopper")
    assert stored(root)["cy"] == (2, "Good.", False)


def test_the_command_shares_all_questions(root, capsys):
    with marking_server(root, "--graders", "Grace, Hopper") as server:
        _, found = server.call("overview")
        assert [
            sum(count for count, _ in each["assigned"].values()) for each in found["questions"]
        ] == [5, 5]
        assert set(found["questions"][0]["assigned"]) == {"Grace", "Hopper"}
        key = found["questions"][0]["key"]
        _, found = server.call("share", question=key, graders="Ada", all=True)
        assert all(each["assigned"] == {"Ada": [5, each["done"]]} for each in found["questions"])
        assert server.call("share", question=key, graders="x" * 101)[0] == 400
    code, output = run(capsys, root, "mark", "--no-browser", "--graders", " , ")
    assert code == 1 and "--graders has no name" in output


def test_assignments_go_with_their_student_and_into_a_copy(root, capsys, tmp_path):
    with opened(root) as marks:
        marks.share(question_of(marks), ["Grace"])
    code, output = run(capsys, root, "gradebook", "copy", f"sqlite:///{tmp_path / 'copy.db'}")
    assert code == 0, output
    assert run(capsys, root, "student", "drop", "ada", "--yes")[0] == 0
    with opened(root) as marks:
        rows = marks.gradebook.db.execute(ASSIGNEES.select()).all()
        assert len(rows) == 4 and {row.grader for row in rows} == {"Grace"}


@pytest.fixture
def in_postgresql(root, capsys, gradebook_url):
    """The class, with its gradebook on a PostgreSQL server."""
    with opened(root):
        pass
    code, output = run(capsys, root, "gradebook", "copy", gradebook_url)
    assert code == 0, output
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.CourseDirectory.db_url = {gradebook_url!r}\n")
    return root


@pytest.mark.slow
def test_in_postgresql_a_comment_written_in_the_formgrader_at_the_same_time_stays(
    in_postgresql, gradebook_url
):
    with opened(in_postgresql) as marks:
        question, seen = question_of(marks), states_of(marks)["ada"]
    outcome = []

    def save():
        with opened(in_postgresql) as own:
            try:
                own.save(
                    question, {seen.id: seen.version}, mark(adjustment=2, comment="Fine."), "A"
                )
                outcome.append("saved")
            except MarkConflict as conflict:
                outcome.append(conflict.states[0].mark.comment)

    address = gradebook_url.replace("+psycopg", "")
    with psycopg.connect(address) as formgrader, psycopg.connect(address, autocommit=True) as other:
        changed = formgrader.execute(
            "UPDATE comment SET manual_comment = 'From the formgrader' WHERE notebook_id ="
            " (SELECT notebook_id FROM grade WHERE id = %s) AND cell_id = %s",
            (seen.id, question.comment_cell_id),
        )
        assert changed.rowcount == 1
        thread = threading.Thread(target=save)
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        assert wait_until(lambda: other.execute(waiting).fetchone()[0], seconds=30)
        formgrader.commit()
        thread.join()
    assert outcome == ["From the formgrader"]
    with open_api(in_postgresql).gradebook as gradebook:
        comment = gradebook.find_comment("explain", "small", NAME, "ada")
        assert comment.manual_comment == "From the formgrader"
        assert gradebook.find_grade("explain", "small", NAME, "ada").manual_score is None


@pytest.mark.slow
def test_in_postgresql_two_graders_at_once_lose_nothing_and_never_wait_for_each_other(
    in_postgresql,
):
    with opened(in_postgresql) as marks:
        question = question_of(marks)
        first = {each.id: each.version for each in states_of(marks).values()}
    written, problems = {key: [] for key in first}, []

    def work(grader, keys):
        try:
            with opened(in_postgresql) as own:
                versions = dict(first)
                for step in range(12):
                    # Several answers at once, in another order than the other grader.
                    chosen = {key: versions[key] for key in keys[step % 4 :][:2]}
                    text = f"{grader} {step}"
                    try:
                        states = own.save(
                            question, chosen, mark(adjustment=1, comment=text), grader
                        )
                        for state in states:
                            written[state.id].append(text)
                    except MarkConflict as conflict:
                        states = conflict.states
                    if step == 5:
                        own.share(question, ["Grace", "Hopper"])
                    versions |= {state.id: state.version for state in states}
        except Exception as problem:
            problems.append(problem)

    keys = [*first]
    threads = [
        threading.Thread(target=work, args=pair)
        for pair in [("Grace", keys), ("Hopper", keys[::-1])]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len([text for texts in written.values() for text in texts]) > len(ANSWERS)
    with opened(in_postgresql) as marks:
        from course.instructor.gradebook.mark_table import MARKS

        rows = marks.gradebook.db.execute(MARKS.select()).all()
        assert {row.grade_id: row.version for row in rows} == {
            key: len(texts) for key, texts in written.items() if texts
        }
        assert all(row.comment in written[row.grade_id] for row in rows)
        assert {each.assignee for each in states_of(marks).values()} == {"Grace", "Hopper"}
