"""Items, adjustments, and used comments on the marking page."""

import pytest

from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import give, mark, opened, question_of, states_of, stored
from tests.instructor.marking.marking_page import current, go_to, press
from tests.instructor.marking.marking_server import marking_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]
LOCAL = "- Locality (+1)"
SHARING = "- Sharing (+0.5)"
EFFECT = "- Only the effect, without a property (\u22120.5)"
MINUS = "\u2212"


def status_of(page):
    return page.locator("#status").inner_text()


def test_an_adjustment_ends_with_the_next_item(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        line = page.locator("#adjustment")
        press(page, "1", "2")
        assert line.is_hidden()
        press(page, "0")
        assert line.is_visible() and f"{MINUS}1.5" in line.inner_text()
        press(page, "2")
        assert stored(root)["cy"] == (1, LOCAL, False)
        assert f"adjustment of {MINUS}1.5 removed" in status_of(page) and line.is_hidden()
        press(page, "f", "2")
        assert stored(root)["cy"] == (1.5, f"{LOCAL}\n{SHARING}", False)
        press(page, "s")
        page.keyboard.type("2")
        press(page, "Enter")
        assert stored(root)["cy"][0] == 2
        line.get_by_role("button", name="Remove").click()
        press(page)
        assert stored(root)["cy"] == (1.5, f"{LOCAL}\n{SHARING}", False)
        assert "adjustment of +0.5 removed" in status_of(page) and line.is_hidden()


def test_the_same_key_again_restores_the_mark_before(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "0", "1")
        assert stored(root)["cy"] == (1, LOCAL, False)
        assert "entered score of 0 removed" in status_of(page)
        press(page, "1")
        assert stored(root)["cy"] == (0, None, False)
        press(page, "f", "2", "2")
        assert stored(root)["cy"] == (2, None, False)
        press(page, "1", "0", "2", "2")
        adjusted = f"{LOCAL}\n- Adjusted by the grader ({MINUS}1)"
        assert stored(root)["cy"] == (0, adjusted, False)
        # Also if the first press has not been saved yet.
        page.keyboard.press("3")
        page.keyboard.press("3")
        press(page)
        assert stored(root)["cy"] == (0, adjusted, False)
        # Not if there was another change between the two.
        press(page, "2", "3", "2")
        assert stored(root)["cy"] == (0.5, f"{LOCAL}\n{EFFECT}", False)


def test_used_comments_keep_their_keys(root, open_page):
    with opened(root) as marks:
        give(marks, "ada", mark(adjustment=1, comment="Rare."))
        give(marks, "bob", mark(adjustment=1, comment="Late."))
    with marking_server(root) as server:
        page = open_page(server)
        bank = page.locator("#bank li")

        def slots():
            return [text.split("\n") for text in bank.all_inner_texts()]

        before = slots()
        assert sorted(text for _, text in before) == ["Late.", "Rare."]
        second = before[1][1]
        go_to(page, "fewer weights")
        press(page, "Shift+Digit2")
        assert slots() == before
        go_to(page, "are empty")
        press(page, "Shift+Digit2")
        assert stored(root)["dora"][1] == stored(root)["cy"][1] == second
        assert slots() == before
        go_to(page, "fewer weights")
        press(page, "c")
        page.keyboard.press("Control+a")
        page.keyboard.type("New.")
        press(page, "Escape")
        assert slots() == [*before, ["\u21e73", "New."]]
        # The comment of the first place is deleted, and the others stay in theirs.
        for student in ("ada", "bob"):
            if stored(root)[student][1] == before[0][1]:
                with opened(root) as marks:
                    give(marks, student, mark(adjustment=1))
        page.evaluate("() => poll()")
        page.wait_for_function("() => document.querySelectorAll('#bank li').length === 2")
        assert slots() == [before[1], ["\u21e73", "New."]]


def test_the_status_names_what_was_saved_or_undone(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        number = page.evaluate("() => current().answers[0].number")
        press(page, "1")
        assert status_of(page) == f"Saved: answer {number}, 1 of 2, added: Locality"
        press(page, "c")
        page.keyboard.type("Why?")
        press(page, "Escape")
        assert status_of(page) == f"Saved: comment on answer {number}"
        press(page, "x", "Enter")
        assert status_of(page) == f"Saved: flag on answer {number}"
        press(page, "u")
        assert status_of(page) == f"Undone: flag on answer {number}"
        press(page, "u")
        assert status_of(page) == f"Undone: comment on answer {number}"
        press(page, "u")
        assert status_of(page) == f"Undone: answer {number}: item Locality, no score"
        press(page, "f", "u")
        assert status_of(page) == f"Undone: answer {number}: score of 2, no score"


def test_a_flag_says_who_set_it_and_an_answer_without_a_mark_has_no_grader(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#grader").fill("Tess")
        press(page, "Enter")
        go_to(page, "fewer weights")
        press(page, "1")
        assert "Tess" in current(page)
        press(page, "1")
        assert "not marked" in current(page) and "Tess" not in current(page)
        press(page, "x")
        page.keyboard.type("Enough?")
        press(page, "Enter")
        assert "flagged by Tess: Enough?" in current(page)
        page.locator("#grader").fill("Grace")
        press(page, "Enter", "x", "u")
        assert "flagged by Tess: Enough?" in current(page)
        page.reload()
        go_to(page, "fewer weights")
        assert "flagged by Tess: Enough?" in current(page)


def test_a_long_comment_that_was_used_before_ends_with_a_whole_line_and_has_a_title(
    root, open_page
):
    long = "Say which patch of the image each value is computed from. " * 6
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=1, comment=long))
        give(marks, "dora", mark(adjustment=0, comment="Short."))
    with marking_server(root) as server:
        page = open_page(server)
        buttons = page.locator("#bank button")
        titles = {each.inner_text()[-6:]: each.get_attribute("title") for each in buttons.all()}
        assert titles.pop("Short.") is None and list(titles.values()) == [long.strip()]
        for text in page.locator("#bank span").all():
            lines = text.evaluate(
                "(e) => e.clientHeight / parseFloat(getComputedStyle(e).lineHeight)"
            )
            assert abs(lines - round(lines)) < 0.1 and lines < 2.1


def test_an_empty_selection_names_the_flagged_answers_of_other_questions(root, open_page):
    with opened(root) as marks:
        for student, state in states_of(marks).items():
            if state.status == "open":
                give(marks, student, mark(adjustment=1))
        conclude = question_of(marks, "conclude")
        for state in states_of(marks, "conclude").values():
            if state.status == "open":
                marks.flag(conclude, {state.id: state.version}, True)
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#questions").select_option(index=0)
        page.get_by_text("Why does it explain?").wait_for()
        page.locator("#filter").select_option("open")
        main = page.locator("#answers")
        main.get_by_text(
            "In other questions, only 3 answers are not marked, with a flag"
        ).wait_for()
        assert "Press n" not in main.inner_text()
        press(page)
        main.get_by_role("button", name="conclude").click()
        page.get_by_text("Why does it conclude?").wait_for()
        assert "It is" in current(page)


def test_the_status_shows_a_comment_that_a_key_inserted(root, open_page):
    with opened(root) as marks:
        give(marks, "ada", mark(adjustment=1, comment="Say which inputs a neuron is connected to."))
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        number = page.evaluate("() => current().answers[0].number")
        press(page, "Shift+Digit1")
        short = "“Say which inputs a neuron is connected…”"
        assert status_of(page) == f"Saved: comment on answer {number}: {short}"
        press(page, "Shift+Digit1")
        assert status_of(page) == f"Answer {number} already has this comment: {short}"
        press(page, "c")
        page.keyboard.press("Control+a")
        page.keyboard.type("Why?")
        press(page, "Escape", "Shift+Digit1")
        assert status_of(page) == f"Saved: added to the comment on answer {number}: {short}"
        assert stored(root)["cy"][1].startswith("Why?\n\nSay which")


def test_an_entered_score_is_shown_with_the_items(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1", "0")
        assert "+1 Locality · adjusted to 0 by the grader" in current(page)


def test_the_header_counts_the_flagged_answers_and_shows_them(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        flagged = page.locator("#flagged")
        assert flagged.is_hidden()
        go_to(page, "fewer weights")
        press(page, "x", "Enter")
        page.get_by_role("button", name="1 flagged: show it").click()
        assert page.locator("article:visible").count() == 1
        assert "fewer weights" in current(page)
        press(page, "x")
        flagged.wait_for(state="hidden")


def test_a_click_into_the_score_selects_it(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "s")
        page.keyboard.type("0.5")
        press(page, "Enter")
        box = page.locator("#score").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.keyboard.type("1")
        press(page, "Enter")
        assert stored(root)["cy"][0] == 1


def test_a_refused_score_is_forgotten_when_the_stored_one_is_entered(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "f", "s")
        page.keyboard.type("7")
        press(page, "Enter")
        assert "The score is at most 2." in status_of(page)
        press(page, "s")
        page.keyboard.type("2")
        press(page, "Enter")
        assert status_of(page) == ""


def test_comments_that_were_used_before_keep_their_keys_after_a_reload(root, open_page):
    with opened(root) as marks:
        give(marks, "ada", mark(adjustment=1, comment="Rare."))
        give(marks, "cy", mark(adjustment=1, comment="Late."))
    with marking_server(root) as server:
        page = open_page(server)
        first, second = page.locator("#bank li").all_inner_texts()
        # Now the second one is the most frequent, too.
        go_to(page, "are empty")
        press(page, "Shift+Digit2")
        page.reload()
        page.locator("#bank li").first.wait_for()
        assert page.locator("#bank li").all_inner_texts() == [first, second]
