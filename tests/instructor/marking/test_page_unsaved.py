"""Comments being typed on the marking page when it is reloaded, or shows another answer."""

import pytest

from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import give, mark, opened, stored
from tests.instructor.marking.marking_page import current, go_to, press, wait_until_keys_count
from tests.instructor.marking.marking_server import marking_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]


def give_from_elsewhere(root, request):
    with opened(root) as marks:
        give(marks, "cy", request, grader="Hopper")


def start_comment(page, text):
    """Type a comment on the answer about weights without ending it."""
    go_to(page, "fewer weights")
    page.keyboard.press("c")
    page.keyboard.type(text)


def reload(page):
    """Reload the page, and return the kinds of the questions that the browser asks."""
    asked = []

    def accept(dialog):
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.reload()
    page.locator("article[aria-current]").wait_for()
    page.remove_listener("dialog", accept)
    return asked


def test_the_browser_asks_before_a_comment_is_lost_and_the_comment_is_there_again(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        start_comment(page, "Say why.")
        assert reload(page) == ["beforeunload"]
        assert "fewer weights" in current(page)
        assert "Your comment on this answer is not saved." in current(page)
        assert page.locator("#comment").input_value() == "Say why."
        assert stored(root)["cy"] == (None, None, True)
        press(page, "Escape")
        assert stored(root)["cy"] == (None, "Say why.", True)
        assert reload(page) == []
        assert not page.locator("#draft").is_visible()


def test_after_a_reload_a_comment_follows_what_another_grader_has_written(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        start_comment(page, "Say why.")
        give_from_elsewhere(root, mark(adjustment=2, comment="Good."))
        assert reload(page) == ["beforeunload"]
        assert page.locator("#comment").input_value() == "Good.\n\nSay why."
        press(page, "Escape")
        assert stored(root)["cy"] == (2, "Good.\n\nSay why.", False)


def test_a_comment_whose_request_was_on_its_way_is_not_lost_by_a_reload(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.route("**/api/mark", lambda route: None)
        start_comment(page, "Say why.")
        page.keyboard.press("Escape")
        page.wait_for_function("() => state.waiting")
        assert reload(page) == ["beforeunload"]
        page.unroute("**/api/mark")
        assert page.locator("#comment").input_value() == "Say why."
        press(page, "Escape")
        assert stored(root)["cy"] == (None, "Say why.", True)


def test_a_comment_is_saved_to_its_own_answer_if_the_question_changes_meanwhile(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        held = []
        page.route("**/api/question", lambda route: held.append(route))
        page.evaluate("() => open_(state.questions[1].key)")
        page.keyboard.press("c")
        page.keyboard.type("Say why.")
        while not held:
            page.wait_for_timeout(20)
        held[0].continue_()
        page.get_by_text("Why does it conclude?").wait_for()
        page.keyboard.type("01")  # keys that were meant as text
        press(page)
        assert stored(root)["cy"] == (None, "Say why.", True)
        found = stored(root, "conclude").values()
        assert all(score is None and text is None for score, text, _ in found)


def test_a_comment_stays_with_its_answer_if_that_leaves_the_selection(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#filter").select_option("open")
        start_comment(page, "Say why.")
        give_from_elsewhere(root, mark(adjustment=2))
        page.evaluate("() => load(state.question.key, current().answers[0].id)")
        page.locator("article", has_text="fewer weights").wait_for(state="detached")
        assert page.locator("#comment").input_value() == ""
        press(page, "j", "k")
        assert {text for _, text, _ in stored(root).values()} == {None}
        page.locator("#filter").select_option("all")
        go_to(page, "fewer weights")
        assert page.locator("#comment").input_value() == "Say why."
        wait_until_keys_count(page)
        press(page, "Escape")
        assert stored(root)["cy"] == (2, "Say why.", False)


@pytest.mark.parametrize("field", ["score", "reason"])
def test_the_browser_asks_before_a_score_or_a_reason_is_lost(root, open_page, field):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "x", "Enter")
        page.locator(f"#{field}").click()
        assert reload(page) == []
        page.locator(f"#{field}").click()
        page.keyboard.type("1")
        assert reload(page) == ["beforeunload"]
