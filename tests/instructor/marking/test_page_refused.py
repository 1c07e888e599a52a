"""The marking page when a change is refused: what was typed stays, and no key hits a new state."""

import pytest

from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import (
    give,
    mark,
    opened,
    question_of,
    states_of,
    stored,
)
from tests.instructor.marking.marking_page import current, go_to, press, wait_until_keys_count
from tests.instructor.marking.marking_server import marking_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]
LOCAL = "- Locality (+1)"
SHARING = "- Sharing (+0.5)"
REFUSED = "Not saved: Hopper has changed answer"


def item_of(root, position):
    with opened(root) as marks:
        return question_of(marks).items[position]


def give_from_elsewhere(root, request):
    with opened(root) as marks:
        give(marks, "cy", request, grader="Hopper")


def type_comment(page, text):
    page.keyboard.press("c")
    page.keyboard.type(text)
    press(page, "Escape")


def is_unsaved(page):
    """Return whether the page says that the comment in the field is not saved."""
    return (
        page.locator("#draft").is_visible() and "Not saved" in page.locator("#draft").inner_text()
    )


def test_a_typed_comment_stays_after_a_conflict_and_is_saved_next(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        give_from_elsewhere(root, mark(item_of(root, 0)))
        type_comment(page, "Say why.")
        page.get_by_text(REFUSED).wait_for()
        assert page.locator("#comment").input_value() == "Say why." and is_unsaved(page)
        assert "Your comment on this answer is not saved." in current(page)
        assert "Locality" in current(page)  # the other grader's change
        assert stored(root)["cy"] == (1, LOCAL, False)
        # It is there, too, after the grader has been at another answer.
        press(page, "k", "j")
        go_to(page, "fewer weights")
        assert page.locator("#comment").input_value() == "Say why."
        wait_until_keys_count(page)
        press(page, "Escape")
        assert stored(root)["cy"] == (1, f"{LOCAL}\n\nSay why.", False)
        assert not is_unsaved(page)


def test_escape_closes_the_message_first_and_saves_the_comment_next(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        give_from_elsewhere(root, mark(item_of(root, 0)))
        type_comment(page, "Say why.")
        page.get_by_text("Esc closes this message, and Esc again saves the comment.").wait_for()
        wait_until_keys_count(page)
        press(page, "Escape")
        assert page.locator("#problem").inner_text() == "" and is_unsaved(page)
        assert stored(root)["cy"] == (1, LOCAL, False)
        press(page, "Escape")
        assert stored(root)["cy"] == (1, f"{LOCAL}\n\nSay why.", False)


def test_an_unsaved_comment_is_saved_with_the_next_item(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        give_from_elsewhere(root, mark(item_of(root, 0), comment="By Hopper."))
        type_comment(page, "Say why.")
        page.get_by_text(REFUSED).wait_for()
        # Nothing of the other grader's comment is lost.
        assert page.locator("#comment").input_value() == "By Hopper.\n\nSay why."
        assert is_unsaved(page)
        wait_until_keys_count(page)
        press(page, "2")
        assert stored(root)["cy"] == (1.5, f"{LOCAL}\n{SHARING}\n\nBy Hopper.\n\nSay why.", False)
        assert not is_unsaved(page)


def test_an_unsaved_addition_follows_the_other_graders_and_can_be_discarded(root, open_page):
    give_from_elsewhere(root, mark(adjustment=1, comment="Good."))
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        give_from_elsewhere(root, mark(adjustment=1, comment="Good. By Hopper."))
        press(page, "c", "End")
        page.keyboard.type(" Say why.")
        press(page, "Escape")
        sentence = "Not saved: somebody else has changed the comment on answer"
        page.get_by_text(sentence).wait_for()
        assert page.locator("#comment").input_value() == "Good. By Hopper.\n\nSay why."
        assert is_unsaved(page)
        page.get_by_role("button", name="Discard").click()
        assert page.locator("#comment").input_value() == "Good. By Hopper."
        assert not is_unsaved(page)
        assert stored(root)["cy"] == (1, "Good. By Hopper.", False)


def test_a_typed_comment_stays_while_the_server_does_not_answer(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        page.route("**/api/*", lambda route: route.abort())
        type_comment(page, "Say why.")
        page.get_by_text("Not saved: The server does not answer.").wait_for()
        assert page.locator("#comment").input_value() == "Say why." and is_unsaved(page)
        page.unroute("**/api/*")
        wait_until_keys_count(page)
        press(page, "c", "Escape")
        assert stored(root)["cy"] == (None, "Say why.", True)


def test_a_comment_stays_until_the_grader_has_a_name(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#grader").fill("")
        press(page, "Enter")
        go_to(page, "fewer weights")
        type_comment(page, "Say why.")
        page.get_by_text("Enter your name in the field Grader first.").wait_for()
        assert is_unsaved(page)
        page.keyboard.type("Grace")
        press(page, "Enter", "k", "j")
        go_to(page, "fewer weights")
        press(page, "Escape")
        assert stored(root)["cy"] == (None, "Say why.", True)


def test_a_comment_that_was_typed_after_a_refused_change_stays(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        held = []
        page.route("**/api/mark", lambda route: route.continue_() if held else held.append(route))
        go_to(page, "fewer weights")
        give_from_elsewhere(root, mark(adjustment=2))
        page.keyboard.press("1")
        page.keyboard.press("c")
        page.keyboard.type("Say why.")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("k")
        page.keyboard.press("f")
        held_elsewhere = current(page)
        while not held:
            page.wait_for_timeout(20)
        held[0].continue_()
        problem = page.locator("#problem")
        page.get_by_text(REFUSED).wait_for()
        press(page)
        assert stored(root)["cy"] == (2, None, False)
        assert "fewer weights" not in held_elsewhere
        assert "Not saved either: answer" in problem.inner_text()
        go_to(page, "fewer weights")
        assert page.locator("#comment").input_value() == "Say why." and is_unsaved(page)


def test_keys_that_follow_a_refusal_do_not_change_the_new_state(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        give_from_elsewhere(root, mark(item_of(root, 0)))
        press(page, "2")
        page.get_by_text(REFUSED).wait_for()
        for key in ("1", "f", "0", "x", "u"):
            press(page, key)
            status = page.locator("#status").inner_text()
            assert status.startswith("Key ignored: answer") and "has just changed." in status
        assert stored(root)["cy"] == (1, LOCAL, False)
        wait_until_keys_count(page)
        press(page, "2")
        assert stored(root)["cy"] == (1.5, f"{LOCAL}\n{SHARING}", False)
        # The message stays at this answer.
        assert REFUSED in page.locator("#problem").inner_text()
        press(page, "k")
        assert REFUSED not in page.locator("#problem").inner_text()
    with opened(root) as marks:
        assert not states_of(marks)["cy"].flagged
