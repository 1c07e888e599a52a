"""What the marking page takes over from other graders, and what it keeps over a reload."""

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
POLLS = "window.polls = 0; const asked = fetch; window.fetch = (url, ...more) => {" + (
    " if (String(url).endsWith('/versions')) window.polls += 1; return asked(url, ...more); };"
)


def give_from_elsewhere(root, student, request):
    with opened(root) as marks:
        give(marks, student, request, grader="Hopper")


def look_again(page):
    """Let the window get the focus, and wait for what the page asks the server."""
    page.evaluate("() => window.dispatchEvent(new Event('focus'))")
    page.wait_for_function("() => !state.isPolling")


def article(page, text):
    return page.locator("article", has_text=text)


def test_marks_of_another_grader_arrive_when_the_window_gets_the_focus(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "filters are local")
        give_from_elsewhere(root, "cy", mark(adjustment=2, comment="Good."))
        assert "not marked" in article(page, "fewer weights").inner_text()
        look_again(page)
        shown = article(page, "fewer weights").inner_text()
        assert "Hopper" in shown and "2 of 2" in shown and "Good." in shown
        assert page.locator("#count").inner_text() == "3 of 5 marked"
        # The next change is not refused.
        go_to(page, "fewer weights")
        press(page, "1")
        assert page.locator("#problem").inner_text() == "" and stored(root)["cy"][0] == 1


def test_one_of_two_identical_answers_that_was_marked_elsewhere_stands_alone(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        give_from_elsewhere(root, "bob", mark(adjustment=2))
        look_again(page)
        assert article(page, "filters are local").count() == 2
        assert "fewer weights" in current(page)
        assert page.locator("#count").inner_text() == "3 of 5 marked"


def test_an_answer_that_is_being_edited_is_not_taken_over(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        page.keyboard.press("c")
        page.keyboard.type("A dra")
        give_from_elsewhere(root, "cy", mark(adjustment=2))
        look_again(page)
        page.keyboard.type("ft")
        assert page.locator("#comment").input_value() == "A draft"
        assert "not marked" in current(page)


def test_keys_do_not_change_an_answer_that_somebody_else_has_just_changed(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        give_from_elsewhere(root, "cy", mark(adjustment=2))
        look_again(page)
        status = page.locator("#status")
        assert status.inner_text().startswith("Hopper has changed answer")
        press(page, "0")
        assert "Key ignored" in status.inner_text() and stored(root)["cy"][0] == 2


def test_a_comment_of_another_grader_is_named_and_the_score_keeps_its_grader(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "f")
        give_from_elsewhere(root, "cy", mark(adjustment=2, comment="Good."))
        look_again(page)
        number = page.evaluate("() => current().answers[0].number")
        sentence = f"Somebody else has changed the comment on answer {number}"
        assert page.locator("#status").inner_text() == sentence
        shown = article(page, "fewer weights").inner_text()
        assert "Grace" in shown and "Hopper" not in shown and "Good." in shown


def test_the_page_asks_every_ten_seconds_only_while_it_is_visible(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.clock.install()
        page.reload()
        page.locator("article").first.wait_for()
        page.evaluate(POLLS)
        page.clock.run_for(9_000)
        assert page.evaluate("() => window.polls") == 0
        page.clock.run_for(2_000)
        assert page.evaluate("() => window.polls") == 1
        page.wait_for_function("() => !state.isPolling")
        page.evaluate("() => Object.defineProperty(document, 'hidden', { value: true })")
        page.clock.run_for(30_000)
        assert page.evaluate("() => window.polls") == 1


def test_no_message_if_the_server_does_not_answer_such_a_question(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        server.process.kill()
        server.process.wait()
        look_again(page)
        assert page.locator("#problem").inner_text() == ""


def test_a_reload_keeps_the_view_the_filter_and_the_answer(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#filter").select_option("open")
        press(page, "v")
        go_to(page, "fewer weights")
        page.reload()
        page.locator("article[aria-current]").wait_for()
        assert "fewer weights" in current(page)
        assert page.locator("#filter").input_value() == "open"
        assert page.locator("article:visible").count() == 1
        kept = page.evaluate("() => JSON.stringify(sessionStorage)")
        assert "weights" not in kept


def test_n_names_the_answers_that_are_flagged_for_a_colleague(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        number = page.evaluate("() => current().answers[0].number")
        press(page, "x", "Enter")
        press(page, "n")
        assert "filters are local" in current(page)
        press(page, "f", "n")
        status = page.locator("#status")
        status.get_by_role("button", name="Exercise: conclude: 3 not marked").wait_for()
        sentence = f"Only answer {number} is not marked here, and it is flagged. n again: "
        assert status.inner_text() == f"{sentence}Exercise: conclude: 3 not marked"
        status.get_by_role("button", name=f"answer {number}").click()
        assert "fewer weights" in current(page)
        press(page, "n")
        status.get_by_role("button", name="Exercise: conclude").wait_for()
        press(page, "n")
        page.get_by_text("Why does it conclude?").wait_for()


def test_progress_opens_a_question_with_the_answers_that_are_counted(root, open_page):
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=1, pending=True))
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#questions").select_option(index=1)
        page.get_by_text("Why does it conclude?").wait_for()
        go_to(page, "It is faster")
        press(page, "x", "Enter")
        go_to(page, "It is better")
        press(page, "1")
        go_to(page, "It is worse")
        press(page, "1")
        page.get_by_role("button", name="Progress").click()
        row = page.get_by_role("row", name="conclude")
        row.get_by_role("button", name="1 not marked (flagged)").click()
        article(page, "It is worse").wait_for(state="detached")
        assert page.locator("#filter").input_value() == "open"
        assert "It is faster" in current(page) and page.locator("article").count() == 1
        for count, shown in (("1 to confirm", "fewer weights"), ("2 not marked", "filters are")):
            page.get_by_role("button", name="Progress").click()
            page.get_by_role("row", name="explain").get_by_role("button", name=count).click()
            article(page, shown).wait_for()
        assert page.locator("#filter").input_value() == "open"
        page.locator("#filter").select_option("all")
        go_to(page, "filters are")
        press(page, "1", "x", "Enter")
        page.get_by_role("button", name="Progress").click()
        page.get_by_role("row", name="explain").get_by_role("button", name="2 flagged").click()
        article(page, "fewer weights").wait_for(state="detached")
        assert page.locator("#filter").input_value() == "flagged"
        assert "filters are" in current(page) and page.locator("article").count() == 1
