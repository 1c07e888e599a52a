"""The marking page in a browser: by keyboard and by mouse, with every write in the gradebook."""

import pytest

from course.instructor.course_dir import open_api
from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import (
    ANSWERS,
    NAME,
    SCHEME,
    give,
    mark,
    opened,
    states_of,
    stored,
    submit_graded,
    write_source,
)
from tests.instructor.marking.marking_page import current, go_to, press, wait_until_keys_count
from tests.instructor.marking.marking_server import marking_server
from tests.instructor.marking.test_server import HOSTILE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]
RICH = SCHEME.replace("**+0.5**", "**+1**")
LOCAL = "- Locality (+1)"


def test_a_question_is_marked_by_keyboard_alone(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        assert "token" not in page.url
        assert page.locator("#count").inner_text() == "2 of 5 marked"
        go_to(page, "filters are local")
        assert "These 2 answers are identical and are marked together." in current(page)
        press(page, "1", "2")
        expected = (1.5, f"{LOCAL}\n- Sharing (+0.5)", False)
        assert stored(root)["ada"] == stored(root)["bob"] == expected
        press(page, "2")
        assert stored(root)["ada"] == stored(root)["bob"] == (1, LOCAL, False)
        press(page, "c")
        page.keyboard.type("Name j and k. ")
        press(page, "Escape")
        assert stored(root)["bob"] == (1, f"{LOCAL}\n\nName j and k.", False)
        press(page, "n")
        assert "fewer weights" in current(page)
        press(page, "f")
        assert stored(root)["cy"] == (2, None, False)
        press(page, "0")
        assert stored(root)["cy"] == (0, None, False)
        press(page, "3", "1")
        assert stored(root)["cy"][0] == 0.5
        press(page, "u", "u", "u")
        assert stored(root)["cy"] == (2, None, False)
        press(page, "u")
        assert stored(root)["cy"] == (None, None, True)
        press(page, "s")
        page.keyboard.type("1.25")
        press(page, "Enter", "Shift+Digit1", "x", "Enter")
        assert stored(root)["cy"] == (1.25, "Name j and k.", False)
        assert "flagged" in current(page)
        assert page.locator("#count").inner_text() == "5 of 5 marked"
        assert "Saved: flag on answer" in page.locator("#status").inner_text()
        press(page, "?")
        assert page.get_by_role("dialog", name="Keys").is_visible()
        press(page, "Escape")
        page.close()
    with opened(root) as marks:
        states = states_of(marks)
        assert states["cy"].flagged and states["cy"].grader == "Grace"
        assert stored(root)["dora"] == stored(root)["eve"] == (None, None, False)


def test_everything_works_with_the_mouse(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.get_by_text("It has fewer weights.").click()
        page.get_by_role("button", name="+1 Locality").click()
        page.get_by_role("textbox", name="Comment for the student").fill("A result, please.")
        page.get_by_text("filters are local").click()
        press(page)
        assert stored(root)["cy"] == (1, f"{LOCAL}\n\nA result, please.", False)
        identical = page.locator("article", has_text="filters are local")
        identical.get_by_role("button", name="Mark separately").click()
        page.get_by_role("button", name="Full marks").click()
        page.get_by_role("button", name="A result, please.").click()
        press(page)
        assert sorted(map(str, {stored(root)["ada"], stored(root)["bob"]})) == [
            "(2.0, 'A result, please.', False)",
            "(None, None, True)",
        ]
        page.get_by_role("button", name="Undo").click()
        page.get_by_role("button", name="Flag").click()
        page.get_by_role("button", name="One", exact=True).click()
        assert page.locator("article:visible").count() == 1
        page.get_by_role("button", name="Next j").click()
        page.get_by_role("button", name="Progress").click()
        row = page.get_by_role("row", name="explain")
        row.wait_for()
        assert "4 of 5" in row.inner_text() and "Grace 2" in row.inner_text()
        row.get_by_role("button", name="explain").click()
        press(page)
        page.locator("#questions").select_option(index=1)
        page.get_by_text("Why does it conclude?").wait_for()
        # The keys work again, and do not choose from the list.
        press(page)
        title = page.title()
        press(page, "f")
        assert page.title() == title and "Saved: answer" in page.locator("#status").inner_text()
        page.locator("#questions").select_option(index=0)
        page.get_by_text("Why does it explain?").wait_for()
        page.get_by_role("button", name="Student's outputs").click()
        page.get_by_text("figure of").wait_for()


def test_two_graders_see_each_others_marks(root, open_page):
    with marking_server(root) as server:
        first, second = open_page(server), open_page(server)
        second.locator("#grader").fill("Hopper")
        press(second, "Enter")
        go_to(first, "fewer weights")
        press(first, "f")
        go_to(second, "fewer weights")
        press(second, "0")
        second.get_by_text("Not saved: Grace has changed answer").wait_for()
        assert stored(root)["cy"] == (2, None, False)
        assert "fewer weights" in current(second) and "2 of 2" in current(second)
        wait_until_keys_count(second)
        press(second, "1")
        assert stored(root)["cy"][:2] == (1, LOCAL)
        assert second.locator("#problem").is_visible()
        # The order of the answers is that of their random ids.
        press(second, "k" if second.evaluate("() => state.index > 0") else "j")
        assert second.locator("#problem").is_hidden()
    with opened(root) as marks:
        assert states_of(marks)["cy"].grader == "Hopper"


def test_a_refused_change_does_not_disturb_what_the_grader_writes_about_another(root, open_page):
    with marking_server(root) as server:
        first, second = open_page(server), open_page(server)
        go_to(first, "fewer weights")
        press(first, "f")
        held = []
        second.route("**/api/mark", lambda route: route.continue_() if held else held.append(route))
        go_to(second, "fewer weights")
        second.keyboard.press("0")
        second.get_by_text("filters are local").click()
        second.keyboard.press("c")
        second.keyboard.type("A draft")
        while not held:
            second.wait_for_timeout(20)
        held[0].continue_()
        second.get_by_text("Not saved: Grace has changed answer").wait_for()
        second.keyboard.type(" of two lines")
        press(second, "Escape")
        assert stored(root)["cy"] == (2, None, False)
        texts = {stored(root)[student][1] for student in ("ada", "bob")}
        assert texts == {"A draft of two lines"}


def test_a_page_without_its_server_says_that_nothing_is_saved(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        server.process.kill()
        server.process.wait()
        press(page, "f")
        page.get_by_text("Not saved: The server does not answer.").wait_for()
        assert "not marked" in current(page)
    assert stored(root)["cy"] == (None, None, True)


def test_other_points_are_applied_after_a_confirmation(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "filters are local")
        press(page, "1")
        write_source(root, SCHEME.replace("**+1**", "**+0.75**"))
        page.reload()
        notice = page.get_by_text("these scores change: 2 from 1 to 0.75")
        notice.wait_for()
        assert stored(root)["ada"][0] == 1
        page.get_by_role("button", name="Change 2 scores").click()
        notice.wait_for(state="hidden")
        assert stored(root)["ada"] == stored(root)["bob"] == (0.75, "- Locality (+0.75)", False)
        assert stored(root)["cy"] == (None, None, True)


def test_points_are_changed_on_the_page_after_a_preview(root, open_page):
    write_source(root, RICH)
    with marking_server(root) as server:
        page, other = open_page(server), open_page(server)
        go_to(page, "filters are local")
        press(page, "1")
        go_to(page, "fewer weights")
        press(page, "1", "2")
        page.get_by_role("button", name="Change points of Locality").click()
        dialog = page.get_by_role("dialog", name="Change the points of an item")
        change = dialog.get_by_role("button", name="Change the points", exact=True)
        page.keyboard.type("0.5")
        press(page, "Enter")
        dialog.get_by_text("the items could then earn only 1.5 of the 2 points").wait_for()
        assert change.is_disabled()
        dialog.get_by_label("Points").fill("1,25")
        dialog.get_by_role("button", name="Preview").click()
        dialog.get_by_text("3 answers have this item. With +1.25, 2 answers get another").wait_for()
        assert "1 \u2192 1.25" in dialog.inner_text()
        assert "In 1 answer, only the points in the comment change" in dialog.inner_text()
        assert f"source/{NAME}/small.ipynb" in dialog.inner_text()
        assert stored(root)["ada"][0] == 1
        change.click()
        dialog.wait_for(state="hidden")
        page.get_by_text("Saved: +1.25 for Locality, in 3 answers").wait_for()
        assert stored(root)["ada"] == stored(root)["bob"] == (1.25, "- Locality (+1.25)", False)
        assert stored(root)["cy"] == (2, "- Locality (+1.25)\n- Sharing (+1)", False)
        assert page.locator("#outdated").is_hidden() and "fewer weights" in current(page)
        # A page that was open before shows the new points after its next mark.
        assert "+1\n" in other.locator("#items").inner_text()
        other.locator("article", has_text="are empty").click()
        press(other, "1")
        other.get_by_text("The mark scheme has changed since this page was loaded.").wait_for()
        assert stored(root)["dora"] == (1.25, "- Locality (+1.25)", False)
        assert "+1.25" in other.locator("#items").inner_text()


def test_a_question_is_shared_on_the_page_and_each_grader_sees_their_own(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        page.get_by_role("button", name="Progress").click()
        dialog = page.get_by_role("dialog", name="Progress")
        dialog.get_by_label("Graders").fill("Grace, Hopper")
        dialog.get_by_role("button", name="Share this question").click()
        row = page.get_by_role("row", name="explain")
        row.get_by_text("Hopper").wait_for()
        with opened(root) as marks:
            states = states_of(marks)
        assert {each.assignee for each in states.values()} == {"Grace", "Hopper"}
        press(page, "Escape")
        own = sum(each.assignee == "Grace" for each in states.values())
        page.locator("#filter").select_option("mine")
        assert page.locator("#answers").inner_text().count("for Hopper") == 0
        shown = page.evaluate("() => state.groups.flatMap((group) => group.answers).length")
        assert shown == own
        press(page, "1")
        page.locator("#assignee").select_option("Hopper")
        page.get_by_text("is to be marked by Hopper").wait_for()
        page.locator("#filter").select_option("all")
        page.locator("#grader").fill("Hopper")
        press(page, "Enter")
        page.locator("#filter").select_option("mine")
        shown = page.evaluate("() => state.groups.flatMap((group) => group.answers).length")
        with opened(root) as marks:
            states = states_of(marks)
        assert shown == sum(each.assignee == "Hopper" for each in states.values()) > 5 - own
        page.get_by_role("button", name="Progress").click()
        row.wait_for()
        assert f" of {shown}" in row.inner_text()
        assert "mean" in row.inner_text()
        assert row.get_by_role("img").get_attribute("aria-label").startswith("0 points: ")


def test_full_marks_and_zero_keep_the_selected_items_until_the_next_item(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1", "f")
        adjusted = "- Adjusted by the grader"
        assert stored(root)["cy"] == (2, f"{LOCAL}\n{adjusted} (+1)", False)
        press(page, "0")
        assert stored(root)["cy"] == (0, f"{LOCAL}\n{adjusted} (\u22121)", False)
        press(page, "u", "u")
        assert stored(root)["cy"] == (1, LOCAL, False)
        press(page, "f", "2")
        assert stored(root)["cy"] == (1.5, f"{LOCAL}\n- Sharing (+0.5)", False)


def test_a_flag_has_a_reason_for_a_colleague(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "x")
        page.keyboard.type("Is this <b>enough</b>?")
        press(page, "Enter")
        assert "flagged by Grace: Is this <b>enough</b>?" in current(page)
        other = open_page(server)
        other.locator("#filter").select_option("flagged")
        assert "Is this <b>enough</b>?" in current(other)
        press(page, "x")
        assert "flagged" not in current(page)
        press(page, "u")
        assert "flagged by Grace: Is this <b>enough</b>?" in current(page)
    with opened(root) as marks:
        assert states_of(marks)["cy"].flag_reason == "Is this <b>enough</b>?"
    assert stored(root)["cy"] == (None, None, True)


def test_regraded_answers_are_found_and_confirmed(root, open_page):
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=1, pending=True))
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#filter").select_option("pending")
        assert page.locator("article").count() == 1 and "fewer weights" in current(page)
        press(page, "y")
        assert stored(root)["cy"] == (1, None, False)
        page.locator("#filter").select_option("all")
        page.locator("#filter").select_option("pending")
        page.get_by_text("No answer is in this selection.").wait_for()


def test_a_change_in_the_formgrader_is_shown(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1")
        with open_api(root).gradebook as gradebook:
            gradebook.find_grade("explain", "small", NAME, "cy").manual_score = 1.75
            gradebook.db.commit()
        page.reload()
        go_to(page, "fewer weights")
        assert "was changed elsewhere" in current(page) and "1.75 of 2" in current(page)
        page.get_by_role("button", name="Use the mark from here").click()
        press(page)
        assert stored(root)["cy"] == (1, LOCAL, False)


def test_hostile_answers_change_nothing_and_request_nothing(root, open_page):
    with open_api(root).gradebook as gradebook:
        for student, text in HOSTILE.items():
            submit_graded(root, gradebook, student, {"explain": text})
        gradebook.db.commit()
    before = stored(root)
    with marking_server(root) as server:
        page = open_page(server)
        assert page.locator("article").count() >= len(HOSTILE)
        for large in page.get_by_role("button", name="Show this large answer").all():
            large.click()
        for _ in range(len(HOSTILE) + len(ANSWERS)):
            press(page, "j")
        assert page.title() == "Exercise: explain \u2013 Mark answers"
        assert page.locator(".text :is(script, style, form, button, iframe, svg)").count() == 0
        box = page.locator("#panel").bounding_box()
        assert box["width"] > 200 and page.locator("#panel").count() == 1
    assert stored(root) == before
