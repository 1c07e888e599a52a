"""Other points of a rubric item: in source/, and in the scores of those who have the item."""

import contextlib
import http.client
import json
import random
import signal
import threading
import time

import pytest

from course.errors import CourseError
from course.instructor.course_dir import open_api
from course.instructor.marking.course_marks import MarkConflict
from course.instructor.marking.rubric import parse_mark_scheme, with_points
from tests.instructor.marking.conftest import (
    NAME,
    SCHEME,
    give,
    mark,
    opened,
    question_of,
    states_of,
    stored,
    write_source,
)
from tests.instructor.marking.marking_server import marking_server

RICH = SCHEME.replace("**+0.5**", "**+1**")


def source_of(root):
    return root / "source" / NAME / "small.ipynb"


def versions_of(preview):
    return {each.state.id: each.state.version for each in preview.changes}


@pytest.fixture
def marked(root):
    """A class whose mark scheme can earn all points, with three marks."""
    write_source(root, RICH)
    with opened(root) as marks:
        local, shared, _ = question_of(marks).items
        give(marks, "ada", mark(local, comment="Yes."))
        give(marks, "bob", mark(local, shared, adjustment=-0.25))
        give(marks, "cy", mark(shared))
        give(marks, "eve", mark(adjustment=1))
    return root


def test_points_are_changed_in_the_source_and_for_all_who_have_the_item(marked):
    before = source_of(marked).read_text()
    with opened(marked) as marks:
        question = question_of(marks)
        local = question.items[0]
        preview = marks.preview_points(question, local.key, 1.5)
        assert (preview.count, preview.elsewhere) == (2, 0)
        assert [each.student for each in preview.entered] == ["eve"]
        changes = {each.state.student: (each.state.score, each.score) for each in preview.changes}
        assert changes == {"ada": (1, 1.5), "bob": (1.75, 1.75)}
        assert [each.state.student for each in preview.changes if each.is_entered] == ["bob"]
        assert source_of(marked).read_text() == before and stored(marked)["ada"][0] == 1
        marks.change_points(question, local.key, 1.5, versions_of(preview))
        assert stored(marked)["ada"] == (1.5, "- Locality (+1.5)\n\nYes.", False)
        # An entered score stays.
        lines = ["- Locality (+1.5)", "- Sharing (+1)", "- Adjusted by the grader (\u22120.75)"]
        assert stored(marked)["bob"] == (1.75, "\n".join(lines), False)
        assert (stored(marked)["cy"][0], stored(marked)["eve"][0]) == (1, 1)
        assert [each.points for each in question_of(marks).items] == [1.5, 1, -0.5]
        assert (
            marks.outdated(question_of(marks)) == [] and states_of(marks)["ada"].grader == "Grace"
        )
        # The other question has its own mark scheme.
        assert [each.points for each in question_of(marks, "conclude").items] == [1, 1, -0.5]
    old, new = json.loads(before), json.loads(source_of(marked).read_text())
    differing = [one for one, two in zip(old["cells"], new["cells"], strict=True) if one != two]
    assert [each["id"] for each in differing] == ["explain_question"]
    assert [*source_of(marked).parent.glob(".*")] == []


def test_nothing_changes_if_somebody_has_marked_since_the_preview(marked):
    with opened(marked) as first, opened(marked) as second:
        question = question_of(first)
        local = question.items[0]
        preview = first.preview_points(question, local.key, 1.5)
        give(second, "eve", mark(local), grader="Hopper")
        before = source_of(marked).read_text(), stored(marked)
        with pytest.raises(MarkConflict):
            first.change_points(question, local.key, 1.5, versions_of(preview))
        assert (source_of(marked).read_text(), stored(marked)) == before
        preview = first.preview_points(question, local.key, 1.5)
        assert preview.count == 3
        first.change_points(question, local.key, 1.5, versions_of(preview))
        assert stored(marked)["eve"][0] == 1.5


def test_a_score_that_was_changed_elsewhere_stays(marked):
    with open_api(marked).gradebook as gradebook:
        gradebook.find_grade("explain", "small", NAME, "ada").manual_score = 0.25
        gradebook.db.commit()
    with opened(marked) as marks:
        question = question_of(marks)
        preview = marks.preview_points(question, question.items[0].key, 1.25)
        assert (preview.count, preview.elsewhere) == (1, 1)
        marks.change_points(question, question.items[0].key, 1.25, versions_of(preview))
    assert stored(marked)["ada"][0] == 0.25 and stored(marked)["cy"][0] == 1


def test_an_item_that_nobody_has_changes_only_the_source(marked):
    with opened(marked) as marks:
        question = question_of(marks)
        before = stored(marked)
        assert marks.change_points(question, question.items[2].key, -0.75, {}) == []
        assert question_of(marks).items[2].points == -0.75
    assert stored(marked) == before
    assert "- **\u22120.75** Only the effect" in "".join(
        json.loads(source_of(marked).read_text())["cells"][2]["source"]
    )


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ("1", "the points are not a number up to 9999"),
        (float("nan"), "the points are not a number"),
        (10_000, "the points are not a number"),
        (0.5, "the items could then earn only 1.5 of the 2 points of this question"),
    ],
)
def test_points_that_the_mark_scheme_cannot_have_are_refused(marked, points, sentence):
    before = source_of(marked).read_text(), stored(marked)
    with opened(marked) as marks:
        question = question_of(marks)
        with pytest.raises(CourseError, match=sentence):
            marks.preview_points(question, question.items[0].key, points)
        with pytest.raises(CourseError, match=sentence):
            marks.change_points(question, question.items[0].key, points, {})
        with pytest.raises(CourseError, match="no longer in the mark scheme"):
            marks.preview_points(question, "unknown", 1)
    assert (source_of(marked).read_text(), stored(marked)) == before


def test_a_source_that_has_changed_since_the_page_was_loaded_is_not_overwritten(marked):
    with opened(marked) as marks:
        question = question_of(marks)
        preview = marks.preview_points(question, question.items[0].key, 1.5)
        write_source(marked, RICH.replace("Read the whole", "Read every"))
        before = source_of(marked).read_text(), stored(marked)
        with pytest.raises(CourseError, match="cannot be changed from here"):
            marks.change_points(question, question.items[0].key, 1.5, versions_of(preview))
    assert (source_of(marked).read_text(), stored(marked)) == before


def test_the_command_reports_scores_that_a_kill_has_left(marked):
    write_source(marked, RICH.replace("**+1** Loc", "**+1.5** Loc"))
    with marking_server(marked) as server:
        assert server.notes == (
            f"{NAME}, Exercise: explain: the points of the mark scheme have changed since 2 of the"
            " answers were marked; the page lists the scores that would change.\n"
        )
        assert len(server.question()["outdated"]) == 2


@pytest.mark.slow
def test_a_kill_leaves_all_scores_or_none_and_the_next_start_reports_the_rest(marked):
    random.seed(11)
    for points in (1.25, 1.5, 1.75, 1):
        before = {name: each[0] for name, each in stored(marked).items()}
        with marking_server(marked) as server:
            found = server.question()
            item, key = found["question"]["items"][0]["key"], found["question"]["key"]
            content = {"question": key, "item": item, "points": points}
            _, preview = server.call("preview", **content)
            versions = {each["id"]: each["version"] for each in preview["changes"]}

            def change(server=server, content=content, versions=versions):
                with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                    server.call("points", **content, versions=versions)

            thread = threading.Thread(target=change)
            thread.start()
            time.sleep(random.random() / 20)
            server.process.send_signal(signal.SIGKILL)
            thread.join()
        after = {name: each[0] for name, each in stored(marked).items()}
        with opened(marked) as marks:
            question = question_of(marks)
            outdated = marks.outdated(question)
            is_written = question.items[0].points == points
            if after == before:
                assert len(outdated) == (len(versions) if is_written else 0)
                if outdated:
                    marks.recompute(
                        question, {each.state.id: each.state.version for each in outdated}
                    )
            else:
                assert is_written and outdated == []
            if not is_written:
                preview = marks.preview_points(question, item, points)
                marks.change_points(question, item, points, versions_of(preview))
            assert stored(marked)["ada"][0] == points


@pytest.mark.parametrize(
    ("line", "points", "expected"),
    [
        ("- **+1** A: b **+1**", -0.5, "- **\u22120.5** A: b **+1**"),
        ("  3. __-2__ A", 0.25, "  3. __+0.25__ A"),
        ("\t* **+1** A\r", 2, "\t* **+2** A\r"),
    ],
)
def test_only_the_number_of_the_item_is_replaced(line, points, expected):
    source = f"**+1**\n\n=== BEGIN MARK SCHEME ===\n{line}\n\n=== END MARK SCHEME ==="
    (item,) = parse_mark_scheme(source).items
    changed = with_points(source, item.key, points)
    assert changed == source.replace(line, expected)
    assert parse_mark_scheme(changed).items[0].points == points
    assert with_points(source, "unknown", points) == source


def test_an_item_counts_only_with_the_item_that_it_requires(root):
    write_source(root, RICH.replace("at all positions.", "at all positions. Requires item 1."))
    with opened(root) as marks:
        local, shared, _ = question_of(marks).items
        assert (shared.requires, shared.required_label) == (local.key, "Locality")
        give(marks, "ada", mark(shared))
        give(marks, "bob", mark(local, shared))
    assert stored(root)["ada"][:2] == (
        0,
        "- Sharing (+0, because it counts only with: Locality)",
    )
    assert stored(root)["bob"][:2] == (2, "- Locality (+1)\n- Sharing (+1)")
