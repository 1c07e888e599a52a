"""Comments being typed on the marking page when it is reloaded, or shows another answer."""

import pytest

from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import give, mark, opened, stored
from tests.instructor.marking.marking_page import current, go_to, press
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
