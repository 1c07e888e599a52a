"""What the marking page shows, and what stays in its place."""

import json
import re

import pytest

from course.instructor.course_dir import open_api
from tests.chromium import needs_chromium
from tests.instructor.marking.conftest import (
    NAME,
    SCHEME,
    give,
    mark,
    opened,
    question_of,
    states_of,
    stored,
    submit_graded,
    write_source,
)
from tests.instructor.marking.marking_page import current, go_to, press
from tests.instructor.marking.marking_server import marking_server
from tests.submissions import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]
RICH = SCHEME.replace("**+0.5**", "**+1**")
LONG = RICH.replace(
    "Sharing:", "Sharing of the weights at all of the positions in the whole image:"
)
EXERCISE = re.compile(r"^### Exercise (.+) \(\d+ points?\)$", re.MULTILINE)


def longest_title():
    """Return the longest title of an exercise in the course, with its number."""
    notebooks = (json.loads(path.read_text()) for path in (ROOT / "source").glob("*/*.ipynb"))
    cells = (cell for notebook in notebooks for cell in notebook["cells"])
    return max((title for cell in cells for title in EXERCISE.findall(text_of(cell))), key=len)


def text_of(cell):
    return "".join(cell["source"])


def style_of(locator, name):
    """Return the value of a property of CSS."""
    return locator.evaluate("(each, name) => getComputedStyle(each)[name]", name)


def rename_question(root, title):
    """Give the question `explain` another title."""
    path = root / "source" / NAME / "small.ipynb"
    path.write_text(path.read_text().replace("Exercise: explain (", f"Exercise {title} ("))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("5", "The score is at most 2."),
        ("-1", "The score is at least 0."),
        ("abc", "The score is not a number."),
    ],
)
def test_a_score_that_is_not_possible_is_refused(root, open_page, typed, sentence):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1", "s")
        page.keyboard.type(typed)
        press(page, "Enter")
        status = page.locator("#status")
        assert status.inner_text().startswith(f"{sentence} Not saved: answer ")
        assert status.get_attribute("class") == "refused"
        assert page.locator("#score").input_value() == "1"
        assert stored(root)["cy"][0] == 1
        press(page, "k")
        assert "Not saved" not in status.inner_text()


def test_an_adjustment_never_leads_beyond_the_maximum(root, open_page):
    write_source(root, RICH)
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "1", "f", "2")
        assert stored(root)["cy"] == (2, "- Locality (+1)\n- Sharing (+1)", False)
        assert page.locator("#problem").is_hidden()


@pytest.mark.parametrize("width", [1366, 1000])
def test_the_buttons_and_the_rubric_stay_in_their_place(root, open_page, width):
    write_source(root, LONG)
    with opened(root) as marks:
        marks.share(question_of(marks), ["Grace", "Hopper"])
    with marking_server(root) as server:
        page = open_page(server)
        page.set_viewport_size({"width": width, "height": 820})
        controls = [
            "#next-open",
            "#full",
            "#flag",
            *(f"#items li:nth-child({at})" for at in (1, 2, 3)),
        ]

        def places():
            return [page.locator(each).bounding_box() for each in controls]

        go_to(page, "filters are local")
        before = places()
        for keys in (["1"], ["2"], ["3"], ["0"], ["2"], ["x", "Enter"], ["u"], ["f"]):
            press(page, *keys)
            assert places() == before, keys
        press(page, "s", "9", "Enter")
        assert places() == before
        page.locator("#filter").select_option("flagged")
        assert places()[:2] == before[:2]
        box = page.locator("#next-open").bounding_box()
        assert box["y"] + box["height"] < 820


def test_an_item_without_the_item_that_it_requires_does_not_look_selected(root, open_page):
    write_source(root, RICH.replace("at all positions.", "at all positions. Requires item 1."))
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "2")
        item = page.locator("#items button").nth(1)
        assert item.get_attribute("class") == "uncounted" and "+0\n" in item.inner_text()
        press(page, "1")
        assert not item.get_attribute("class") and "+1\n" in item.inner_text()


def test_points_can_be_changed_only_after_the_preview_which_warns(root, open_page):
    write_source(root, RICH)
    with marking_server(root) as server:
        page = open_page(server)
        button = page.get_by_role("button", name="Change points of Locality")
        assert button.inner_text() == "Change points"
        button.click()
        dialog = page.get_by_role("dialog", name="Change the points of an item")
        change = dialog.get_by_role("button", name="Change the points", exact=True)
        assert change.is_disabled()
        assert float(style_of(change, "opacity")) < 1
        assert f"are written into source/{NAME}/small.ipynb" in dialog.inner_text()
        assert "everybody" in dialog.inner_text()
        dialog.get_by_label("Points").fill("1.5")
        assert change.is_disabled()
        dialog.get_by_role("button", name="Preview").click()
        warning = "The items add up to 2.5 of 2 points; a score is at most 2."
        dialog.get_by_text(warning).wait_for()
        assert change.is_enabled()
        dialog.get_by_label("Points").fill("1.25")
        assert change.is_disabled() and warning not in dialog.inner_text()


def test_the_outputs_of_identical_answers_are_those_of_each_student(root, open_page):
    with open_api(root).gradebook as gradebook:
        for student in ("fay", "gus"):
            submit_graded(root, gradebook, student, {"explain": "Its filters are *local*."})
        gradebook.db.commit()
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "filters are local")
        page.get_by_role("button", name="Student's outputs").click()
        outputs = page.locator("article[aria-current] .outputs")
        more = outputs.get_by_role("button", name="Show the outputs of 1 more")
        more.wait_for()
        assert outputs.inner_text().count("shown by the student's own run, under “Small”") == 3
        more.click()
        outputs.get_by_text("figure of").nth(3).wait_for()
        page.emulate_media(color_scheme="dark")
        broken = outputs.locator("img").first
        assert style_of(broken, "color") == "rgb(31, 35, 40)"  # on white, also in dark mode
        assert style_of(broken, "backgroundColor") == "rgb(255, 255, 255)"
        text = outputs.inner_text()
        assert all(name in text for name in ("ada", "bob", "fay", "gus"))
        numbers = page.evaluate("() => current().answers.map((each) => each.number)")
        assert all(f"Answer {number}: shown" in text for number in numbers)
        page.locator("#questions").select_option(index=1)
        page.get_by_text("Why does it conclude?").wait_for()


def test_the_next_question_is_offered_when_all_answers_are_marked(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "filters are local")
        press(page, "1", "n", "1", "n")
        offer = page.get_by_role("button", name="Exercise: conclude: 3 not marked (n)")
        offer.wait_for()
        assert "All answers here are marked." in page.locator("#status").inner_text()
        press(page, "n")
        page.get_by_text("Why does it conclude?").wait_for()
        for _ in range(3):
            press(page, "n", "f")
        press(page, "n")
        page.get_by_text("All answers in all questions are marked").wait_for()
        page.locator("#questions").select_option(index=0)
        page.get_by_text("Why does it explain?").wait_for()
        go_to(page, "filters are local")
        press(page, "u")
        page.get_by_text("Why does it conclude?").wait_for()


def test_progress_says_what_is_not_marked_and_has_totals(root, open_page):
    with opened(root) as marks:
        marks.share(question_of(marks), ["Grace"])
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#filter").select_option("mine-open")
        page.evaluate("() => select(0)")
        press(page, "1", "n", "1")
        page.locator("#filter").select_option("all")
        page.locator("#filter").select_option("mine-open")
        page.get_by_text("All of yours are marked. Press n for the next question").wait_for()
        press(page, "n")
        page.get_by_text("All of yours in all questions are marked").wait_for()
        page.get_by_role("button", name="Progress").click()
        page.get_by_role("row", name="conclude").get_by_text("3 not marked").wait_for()
        total = page.get_by_role("row", name="All questions").inner_text()
        assert "7 of 10" in total and "3 not marked" in total and "Grace 5 of 5" in total


def test_answers_that_are_marked_separately_can_be_marked_together_again(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "filters are local")
        page.locator("article[aria-current]").get_by_role("button", name="Mark separately").click()
        note = "2 identical answers are marked separately."
        assert note in current(page)
        press(page, "f")
        page.get_by_role("button", name="Mark together again").first.click()
        page.get_by_text("Identical answers with different marks stay apart").wait_for()
        press(page, "u")
        page.reload()
        go_to(page, "filters are local")
        page.locator("article[aria-current]").get_by_role("button", name="Mark separately").click()
        page.get_by_role("button", name="Mark together again").first.click()
        go_to(page, "filters are local")
        press(page, "1")
        assert stored(root)["ada"] == stored(root)["bob"] == (1, "- Locality (+1)", False)


def test_the_menu_of_questions_has_the_number_first(root, open_page):
    rename_question(root, "8a: explain")
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=1))
    with marking_server(root) as server:
        page = open_page(server)
        options = page.locator("#questions option").all_inner_texts()
        assert options == ["8a (3/5): explain", "conclude (2/5)"]
        assert page.locator("#questions optgroup").get_attribute("label") == NAME


def test_the_header_has_one_line_in_a_wide_window_and_two_in_a_narrow_one(root, open_page):
    title = longest_title()
    rename_question(root, title)
    with marking_server(root) as server:
        page = open_page(server)
        menu = page.locator("#questions")
        assert title.partition(": ")[2] in menu.inner_text()
        for width, lines in [(1200, 1), (1300, 1), (1360, 1), (1650, 1), (1000, 2), (800, 2)]:
            page.set_viewport_size({"width": width, "height": 820})
            height = page.locator("header").bounding_box()["height"]
            assert height < 22 + lines * 1.5 * page.locator("#open-help").bounding_box()["height"]
            last = page.locator("#open-help").bounding_box()
            assert last["x"] + last["width"] <= width
            assert menu.bounding_box()["width"] > 150, width


def test_progress_fits_into_a_narrow_window(root, open_page):
    rename_question(root, longest_title())
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=1))
    with marking_server(root) as server:
        page = open_page(server)
        page.set_viewport_size({"width": 820, "height": 900})
        page.get_by_role("button", name="Progress").click()
        dialog = page.get_by_role("dialog", name="Progress")
        group = dialog.get_by_role("rowheader", name=NAME)
        title = dialog.get_by_role("button", name=longest_title())
        shares = dialog.get_by_role("columnheader", name="Shares")

        def check_size():
            line = float(style_of(group, "lineHeight").removesuffix("px"))
            assert title.bounding_box()["height"] < 2.5 * line
            to_do = dialog.get_by_role("row", name="conclude").get_by_text("3 not marked")
            assert to_do.bounding_box()["height"] < 1.5 * line
            wide = page.locator(".wide")
            assert wide.evaluate("(each) => each.scrollWidth <= each.clientWidth")

        group.wait_for()
        assert group.inner_text() == NAME and shares.is_hidden()
        check_size()
        dialog.get_by_label("Graders").fill("Grace, Ada Lovelace, Hopper")
        dialog.get_by_role("button", name="Share all questions").click()
        shares.wait_for()
        check_size()
        dialog.get_by_label("Graders").fill("x" * 101)
        dialog.get_by_role("button", name="Share this question").click()
        dialog.get_by_text("Nothing was shared: enter your name").wait_for()


SENTENCE = "that supports one of the properties"
FOUR = f"""\

=== BEGIN MARK SCHEME ===

- **+0.5** A result {SENTENCE}: as it is.
- **+0.5** A reason {SENTENCE}: as it is.
- **+0.5** A limit {SENTENCE}: as it is.
- **+0.5** A claim {SENTENCE}: as it is.

=== END MARK SCHEME ===
"""


@pytest.mark.parametrize(("width", "last"), [(1366, "#bank li"), (800, "#comment")])
def test_the_items_and_the_comment_are_visible_without_scrolling(root, open_page, width, last):
    write_source(root, FOUR)
    with opened(root) as marks:
        give(marks, "cy", mark(adjustment=1, comment="A result of your run, please, as in 7b."))
    with marking_server(root) as server:
        page = open_page(server)
        page.set_viewport_size({"width": width, "height": 768})
        go_to(page, "filters are local")
        panel = page.locator("#panel").bounding_box()
        end = panel["y"] + panel["height"]

        def ends(selector):
            box = page.locator(selector).first.bounding_box()
            return box["y"] + box["height"]

        assert page.locator("#items li").count() == 4
        assert max(ends("#items"), ends(last)) <= min(end, 768)
        press(page, "c")
        page.keyboard.type("One line.\n" * 9)
        for each in ("#score", "#status", "#undo"):
            box = page.locator(each).bounding_box()
            assert panel["y"] <= box["y"] and box["y"] + box["height"] <= end
        comment = page.locator("#comment").bounding_box()
        assert comment["y"] >= page.locator("#undo").bounding_box()["y"] + 20
        press(page, "Escape")
        assert page.locator("#items li").first.bounding_box()["y"] > ends("#undo")


def test_the_reason_of_a_flag_has_a_wide_field(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        press(page, "x")
        assert page.locator("#reason").bounding_box()["width"] >= 230
        press(page, "Enter")


def test_the_preview_names_the_scores_that_do_not_change_and_says_why(root, open_page):
    write_source(root, RICH.replace("at all positions.", "at all positions. Requires item 1."))
    with opened(root) as marks:
        local, shared, _ = question_of(marks).items
        give(marks, "ada", mark(local, shared))
        give(marks, "bob", mark(shared))
        give(marks, "cy", mark(adjustment=0))
        give(marks, "dora", mark(adjustment=1.5))
    with marking_server(root) as server:
        page = open_page(server)
        page.locator("#questions").select_option(index=0)
        page.get_by_text("Why does it explain?").wait_for()
        numbers = page.evaluate(
            "() => state.all.filter((each) => [0, 1.5].includes(each.mark.adjustment))"
            ".flatMap((each) => each.answers.map((one) => one.number)).sort((a, b) => a - b)"
        )
        assert len(numbers) == 2
        page.get_by_role("button", name="Change points of Sharing").click()
        dialog = page.get_by_role("dialog", name="Change the points of an item")
        dialog.get_by_label("Points").fill("1.5")
        dialog.get_by_role("button", name="Preview").click()
        listed = " ".join(f"#{each}" for each in numbers)
        dialog.get_by_text(
            f"2 answers have a score without items, which stays: {listed}."
        ).wait_for()
        text = dialog.inner_text()
        sentence = "In 1 answer, the score stays, because the item counts only with: Locality."
        assert sentence in text
        assert "In 1 answer, only the points in the comment change, because the score is" in text
        dialog.get_by_label("Points").fill("0.5")
        dialog.get_by_role("button", name="Preview").click()
        problem = dialog.get_by_text("the items could then earn only 1.5 of the 2 points")
        problem.wait_for()
        assert problem.inner_text()[0].isupper()


def test_identical_answers_with_different_marks_name_each_other(root, open_page):
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "filters are local")
        page.locator("article[aria-current]").get_by_role("button", name="Mark separately").click()
        press(page, "1")
        page.reload()
        page.locator("article[aria-current]").wait_for()
        notes = page.locator("article .note").all_inner_texts()
        found = sorted(note.split(" (")[1] for note in notes if note.startswith("Identical to"))
        assert found == ["1 of 2).", "not marked)."]


def test_a_question_without_open_answers_is_opened_where_it_was_left(root, open_page):
    with opened(root) as marks:
        for student in ("ada", "bob", "cy"):
            give(marks, student, mark(adjustment=1))
    with marking_server(root) as server:
        page = open_page(server)
        questions = page.locator("#questions")
        options = questions.locator("option")
        explain, conclude = (options.nth(at).get_attribute("value") for at in (0, 1))

        def open_question(key):
            questions.select_option(key)
            page.wait_for_function("(key) => state.question.key === key", arg=key)

        open_question(explain)
        go_to(page, "fewer weights")
        open_question(conclude)
        open_question(explain)
        assert "fewer weights" in current(page)


def test_at_the_end_the_flagged_answers_are_named(root, open_page):
    with opened(root) as marks:
        for name in ("explain", "conclude"):
            for student, state in states_of(marks, name).items():
                if state.status == "open":
                    give(marks, student, mark(adjustment=0), name=name)
    with marking_server(root) as server:
        page = open_page(server)
        go_to(page, "fewer weights")
        press(page, "x", "Enter")
        press(page, "n")
        sentence = "All answers in all questions are marked, and 1 answer is flagged"
        page.get_by_text(sentence).wait_for()
