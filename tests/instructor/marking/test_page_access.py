"""The marking page with a keyboard or a screen reader: messages, headings, names, and scrolling."""

import itertools

import pytest

from course.instructor.course_dir import open_api
from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import (
    SCHEME,
    give,
    mark,
    opened,
    submit_graded,
    write_source,
)
from tests.instructor.marking.marking_page import current, go_to, press, wait_until_keys_count
from tests.instructor.marking.marking_server import marking_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]
RICH = "\n\n".join(
    [
        "## Mine",
        "#### Detail",
        "# Top",
        *["A sentence in a long answer."] * 30,
        f"| a | b |\n|---|---|\n| {'x' * 400} | {'y' * 400} |",
        f"$$ {' + '.join(['x'] * 100)} $$",
    ]
)
# The level of each heading that a screen reader lists, in the order of the page.
OUTLINE = """
    () => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
        .filter((each) => each.checkVisibility() && !each.closest("dialog"))
        .map((each) => Number(each.ariaLevel ?? each.tagName[1]))
"""
# Boxes whose content does not fit, and that the keyboard does not reach.
UNREACHABLE = """
    () => [...document.querySelectorAll(".text, .text *")]
        .filter((each) => getComputedStyle(each).overflowX === "auto" && each.tabIndex < 0)
        .filter((each) => each.scrollWidth > each.clientWidth + 1
            || each.scrollHeight > each.clientHeight + 1)
        .map((each) => each.tagName)
"""


def add_class(root, count, text):
    """Add students with different answers that begin with a text."""
    with open_api(root).gradebook as gradebook:
        for number in range(count):
            answers = {"explain": f"{text}\n\nThe end of {number}."}
            submit_graded(root, gradebook, f"more{number}", answers)
        gradebook.db.commit()


def cause_conflict(page, root):
    """Mark cy's answer, which is selected and which somebody else has marked in the meantime."""
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=2), grader="Hopper")
    press(page, "1")
    page.get_by_text("Not saved: Hopper has changed answer").wait_for()


def places(page):
    """Return where the columns, the buttons, and the selected answer are."""
    controls = ["#info", "#answers", "#panel", "#full", "#items button", "#comment"]
    found = [page.locator(each).first.bounding_box() for each in controls]
    return found, page.locator("article[aria-current] h3").bounding_box()["y"]


def overlap(one, other):
    """Return whether two boxes overlap."""
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


@pytest.mark.parametrize("width", [1300, 800])
def test_a_message_moves_nothing_and_hides_neither_the_answer_nor_the_buttons(
    root, open_page, width
):
    add_class(root, 12, "Its filters look at a few pixels. " * 10)
    with marking_server(root) as server:
        page = open_page(server)
        page.set_viewport_size({"width": width, "height": 820})
        alert = page.locator("[role=alert]").first.element_handle()
        assert alert.inner_text() == "" and alert.bounding_box()["height"] == 0
        page.get_by_text("It has fewer weights.").click()
        before = places(page)
        cause_conflict(page, root)
        assert places(page) == before
        # Screen readers announce what is added to an alert that was there before.
        assert alert.is_visible() and "Hopper has changed" in alert.inner_text()
        box = alert.bounding_box()
        assert not overlap(box, page.locator("article[aria-current]").bounding_box())
        assert not overlap(box, page.locator("#panel").bounding_box())
        assert box["x"] >= 0 and box["y"] + box["height"] <= 820
        status = page.locator("#status")
        assert status.inner_text().startswith("Not saved: answer ")
        assert status.get_attribute("class") == "refused"


def test_a_message_is_closed_with_its_button_or_with_escape(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        cause_conflict(page, root)
        page.get_by_role("alert").get_by_role("button", name="Close").click()
        assert page.locator("#problem").is_hidden()
        wait_until_keys_count(page)
        press(page, "1")
        assert "1 of 2" in current(page)
        page.locator("#grader").fill("")
        press(page, "Enter", "2")
        page.get_by_text("Enter your name in the field Grader first.").wait_for()
        assert page.evaluate("() => document.activeElement.id") == "grader"
        press(page, "Escape", "Escape")
        assert page.locator("#problem").is_hidden()


def test_other_points_move_neither_the_answers_nor_the_buttons(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1")
        before = places(page)
        write_source(root, SCHEME.replace("**+1**", "**+0.75**"))
        page.reload()
        page.get_by_role("region", name="Question").get_by_text("these scores change").wait_for()
        go_to(page, "fewer weights")
        assert places(page) == before


def test_headings_have_no_gaps_and_the_keyboard_reaches_whatever_can_be_scrolled(root, open_page):
    add_class(root, 2, RICH)
    with marking_server(root) as server:
        page = open_page(server)
        levels = page.evaluate(OUTLINE)
        assert levels[0] == 1 and len(levels) > 10
        steps = [after - before for before, after in itertools.pairwise(levels)]
        assert max(steps) == 1
        assert page.get_by_role("heading", name="explain").get_attribute("aria-level") == "3"
        page.wait_for_function("() => document.querySelectorAll('article .text[tabindex]').length")
        assert page.locator("article .text table[tabindex]").count() == 2
        assert page.locator("article .formula[tabindex]").count() == 2
        assert page.evaluate(UNREACHABLE) == []
        press(page, "v")
        page.wait_for_function("() => !document.querySelector('article > .text[tabindex]')")


def test_fields_have_names_and_buttons_without_an_answer_are_disabled(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        for width in (1300, 1700):
            page.set_viewport_size({"width": width, "height": 820})
            for role, name in [
                ("combobox", "Question"),
                ("combobox", "Show"),
                ("textbox", "Grader"),
            ]:
                assert page.get_by_role(role, name=name, exact=True).is_visible(), (width, name)
        page.get_by_role("combobox", name="Show").select_option("pending")
        page.get_by_text("No answer is in this selection.").wait_for()
        for name in ("Previous k", "Next j", "Full marks f"):
            assert page.get_by_role("button", name=name).is_disabled()
        assert page.get_by_role("button", name="Next not marked").is_enabled()
