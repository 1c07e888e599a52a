"""Undo on the marking page: across questions, divided answers, other points, and other graders."""

import pytest

from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import (
    NAME,
    SCHEME,
    give,
    mark,
    opened,
    states_of,
    stored,
    write_source,
)
from tests.instructor.marking.marking_page import current, go_to, press, wait_until_keys_count
from tests.instructor.marking.marking_server import marking_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]
RICH = SCHEME.replace("**+0.5**", "**+1**")
LOCAL = "- Locality (+1)"


def status_of(page):
    """Return the text of the status, and whether it looks like a success."""
    status = page.locator("#status")
    return status.inner_text(), "saved" in (status.get_attribute("class") or "")


def state_of(root, student):
    """Return the state of a student's answer in the gradebook."""
    with opened(root) as marks:
        return states_of(marks)[student]


def test_a_change_is_undone_after_another_question_and_after_mark_separately(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        press(page, "u")
        assert status_of(page) == ("Nothing to undo", False)
        go_to(page, "filters are local")
        press(page, "1", "2")
        page.locator("article[aria-current]").get_by_role("button", name="Mark separately").click()
        press(page, "f")
        scores = sorted(stored(root)[name][0] for name in ("ada", "bob"))
        assert scores == [1.5, 2]
        page.locator("#questions").select_option(index=1)
        page.get_by_text("Why does it conclude?").wait_for()
        press(page, "n", "f")
        marked = [each[0] for each in stored(root, "conclude").values()]
        assert marked.count(1) == 1
        press(page, "u")
        assert [each[0] for each in stored(root, "conclude").values()].count(1) == 0
        press(page, "u")
        page.get_by_text("Why does it explain?").wait_for()
        assert stored(root)["ada"][0] == stored(root)["bob"][0] == 1.5
        assert "filters are local" in current(page)
        press(page, "u")
        assert stored(root)["ada"] == stored(root)["bob"] == (1, LOCAL, False)
        press(page, "u")
        assert stored(root)["ada"] == stored(root)["bob"] == (None, None, True)
        press(page, "u")
        assert status_of(page) == ("Nothing to undo", False)


def test_a_change_of_points_is_not_undone_and_the_marks_before_it_are(root, open_page):
    write_source(root, RICH)
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1", "3")
        page.get_by_role("button", name="Change points of Locality").click()
        dialog = page.get_by_role("dialog", name="Change the points of an item")
        dialog.get_by_label("Points").fill("1.5")
        dialog.get_by_role("button", name="Preview").click()
        dialog.get_by_role("button", name="Change the points", exact=True).click()
        dialog.wait_for(state="hidden")
        assert stored(root)["cy"][0] == 1
        press(page, "u")
        sentence = "The points of an item cannot be undone with u: change them again."
        assert status_of(page) == (sentence, False)
        assert stored(root)["cy"][0] == 1
        press(page, "u")
        assert stored(root)["cy"] == (1.5, "- Locality (+1.5)", False)
        press(page, "u")
        assert stored(root)["cy"] == (None, None, True)


def test_a_change_is_not_undone_if_another_grader_has_marked_the_answer_since(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1")
        with opened(root) as marks:
            give(marks, "cy", mark(adjustment=2, comment="Good."), grader="Hopper")
        page.locator("#questions").select_option(index=1)
        page.get_by_text("Why does it conclude?").wait_for()
        press(page, "u")
        page.get_by_text("Not saved: somebody else has changed answer").wait_for()
        assert stored(root)["cy"] == (2, "Good.", False)
        wait_until_keys_count(page)
        press(page, "u")
        assert status_of(page) == ("Nothing to undo", False)


def test_a_change_outside_the_selection_is_not_undone_and_stays_undoable(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1")
        page.locator("#filter").select_option("flagged")
        press(page, "u")
        text, is_success = status_of(page)
        assert text.startswith("The change to undo is not in this selection") and not is_success
        page.locator("#filter").select_option("all")
        press(page, "u")
        assert stored(root)["cy"] == (None, None, True)
        assert NAME in page.locator("#questions").inner_html()


def test_an_undo_leaves_the_name_of_the_grader_who_marked(root, open_page):
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=1), grader="Hopper")
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1")
        assert state_of(root, "cy").grader == "Grace"
        press(page, "u")
        assert (state_of(root, "cy").score, state_of(root, "cy").grader) == (1, "Hopper")


def test_a_reason_and_its_flag_are_undone_one_after_the_other(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "x")
        page.keyboard.type("Is this right?")
        press(page, "Enter", "u")
        assert status_of(page)[0].startswith("Undone: reason of the flag on answer")
        press(page, "u")
        assert status_of(page)[0].startswith("Undone: flag on answer")
        assert not state_of(root, "cy").flagged
