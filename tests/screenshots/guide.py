"""The images in the guide for instructors, of a class on 02-mnist."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.attacks.observation import formgrader
from tests.instructor.marking.marking_server import marking_server
from tests.screenshots.example_class import NAME, create_class
from tests.screenshots.grade_order import fix_order
from tests.screenshots.windows import Images, course, fix_report, window

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def write(root: Path, browser: "Browser", save: Images) -> None:
    """Grade the example class in a new course directory, and write the images."""
    create_class(root)
    course(root, "grade", NAME)
    fix_order(root)
    _mark(root, browser, save)
    _formgrader(root, browser, save)
    course(root, "feedback", NAME, "--student", "ben")
    course(root, "statistics", NAME)
    course(root, "run", NAME, "--profile", "smoke")
    course(root, "report")
    _pages(root, browser, save)


def _mark(root: Path, browser: "Browser", save: Images) -> None:
    """Mark answers with the keyboard, and show the page as a list and with one answer."""
    with marking_server(root, NAME) as server, window(browser, server.address, 1360, 860) as page:
        page.locator("article").first.wait_for()

        def open_question(title: str, text: str) -> None:
            labels = page.locator("#questions option").all_inner_texts()
            page.select_option("#questions", label=next(each for each in labels if title in each))
            page.locator("article", has_text=text).wait_for()

        def give(text: str, *keys: str) -> None:
            page.locator("article", has_text=text).click()
            for key in keys:
                page.keyboard.press(key)
                page.wait_for_function("() => !state.waiting")

        open_question("a confusion", "15 times")
        give("15 times", "1", "2")
        give("crossbar at the bottom", "1", "2")
        give("4 and 9.", "0")
        give("hidden by the slant", "f")
        open_question("why the CNN wins", "misread 236 digits")
        give("has more parameters")
        page.keyboard.press("0")
        page.keyboard.press("c")
        page.keyboard.type("Both networks have about the same number of parameters.")
        page.keyboard.press("Escape")
        page.wait_for_function("() => !state.waiting")
        give("misread 236 digits", "1", "2", "3", "4")
        give("recognizes a digit wherever", "1", "2", "5", "x")
        give("Pooling makes small shifts", "1", "2", "3")
        save(page, "mark-list.png")
        give("tried no CNN without it", "1", "4", "v")
        save(page, "mark-one.png")


def _formgrader(root: Path, browser: "Browser", save: Images) -> None:
    """Show the formgrader's list of submissions."""
    with (
        formgrader(root) as address,
        window(browser, f"{address}/manage_submissions/{NAME}", 1200, 640) as page,
    ):
        page.get_by_role("row", name="ada").wait_for()
        page.wait_for_load_state("networkidle")
        save(page, "formgrader-list.png")


def _pages(root: Path, browser: "Browser", save: Images) -> None:
    """Show the pages that commands wrote."""
    with window(browser, _address(root, f"feedback/ben/{NAME}/mnist.html"), 1000, 860) as page:
        save(page, "feedback.png")
    address = _address(root, f"build/statistics/{NAME}/index.html")
    with window(browser, address, 1200, 1240) as page:
        save(page, "statistics.png")
    with window(browser, _address(root, "build/report/index.html"), 1200, 860) as page:
        fix_report(page)
        save(page, "report.png")


def _address(root: Path, path: str) -> str:
    """Return the address of a page in a course directory."""
    return (root / path).as_uri()
