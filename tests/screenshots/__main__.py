"""Write the images: `python -m tests.screenshots` (with `--folder DIR`, into another folder).

The images stay the same from run to run: times and IDs that would differ are replaced.
"""

import argparse
import contextlib
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from tests.attacks.observation import formgrader
from tests.chromium import CHROMIUM
from tests.conftest import BIN, run_command
from tests.instructor.marking.marking_server import marking_server
from tests.screenshots import FOLDER, IMAGES
from tests.screenshots.example_class import NAME, create_class

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
COLORS = 128  # of a written image, which makes it smaller
MADE, SECONDS = "2026-03-02 18:00", "40.0"
# Opens the details, and replaces what differs from run to run.
FIX_REPORT = """
    ([made, seconds]) => {
        const all = (selector) => [...document.querySelectorAll(selector)];
        for (const each of all("details")) each.open = true;
        for (const each of all("[data-label=seconds]")) each.textContent = seconds;
        const line = all("p").find((each) => each.textContent.startsWith("Created "));
        line.textContent = line.textContent.replace(/Created [^.]*/, `Created ${made}`);
    }
"""
ORDER = """
    SELECT grade.id, submitted_assignment.student_id, base_cell.name
    FROM grade JOIN base_cell ON base_cell.id = grade.cell_id
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
"""


def main() -> None:
    """Grade the example class, and write all images."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR")
    folder = parser.parse_args().folder
    if CHROMIUM is None:
        raise SystemExit(
            "Chromium is missing: install it, for example with apt-get install chromium."
        )
    folder.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        root = Path(temporary, "course")
        create_class(root)
        _course(root, "grade", NAME)
        _fix_order(root)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        save = Images(folder)
        _mark(root, browser, save)
        _formgrader(root, browser, save)
        _course(root, "feedback", NAME, "--student", "ben")
        _course(root, "statistics", NAME)
        _course(root, "run", NAME, "--profile", "smoke")
        _course(root, "report")
        _pages(root, browser, save)
        browser.close()
    missing = IMAGES - {path.name for path in folder.glob("*.png")}
    if missing:
        raise SystemExit(f"not written: {', '.join(sorted(missing))}")


class Images:
    """The folder in which the images are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, page: "Page", name: str) -> None:
        """Write what the window of a page shows."""
        if name not in IMAGES:
            raise ValueError(f"{name} is not in tests.screenshots.IMAGES")
        path = self._folder / name
        page.mouse.move(0, 0)
        page.screenshot(path=path, animations="disabled", caret="hide")
        with Image.open(path) as image:
            reduced = image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def _course(root: Path, *arguments: str) -> None:
    """Run `course`; a command that fails ends the script."""
    done = run_command(BIN / "course", "-C", root, *arguments)
    if done.returncode:
        raise SystemExit(f"course {' '.join(arguments)}: {done.stdout}{done.stderr}")


def _fix_order(root: Path) -> None:
    """Replace the random IDs of grades, which determine the order of the answers on a page."""
    with contextlib.closing(sqlite3.connect(root / "gradebook.db")) as database, database:
        for old, student, cell in database.execute(ORDER).fetchall():
            new = uuid.uuid5(uuid.NAMESPACE_URL, f"{student} {cell}").hex
            database.execute("UPDATE grade SET id = ? WHERE id = ?", (new, old))


@contextlib.contextmanager
def _window(browser: "Browser", address: str, width: int, height: int) -> Iterator["Page"]:
    """Open an address in a window of a fixed size."""
    with browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="light", locale="en-US"
    ) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        yield page


def _mark(root: Path, browser: "Browser", save: Images) -> None:
    """Mark answers with the keyboard, and show the page as a list and with one answer."""
    with marking_server(root, NAME) as server, _window(browser, server.address, 1360, 860) as page:
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
        _window(browser, f"{address}/manage_submissions/{NAME}", 1200, 640) as page,
    ):
        page.get_by_role("row", name="ada").wait_for()
        page.wait_for_load_state("networkidle")
        save(page, "formgrader-list.png")


def _pages(root: Path, browser: "Browser", save: Images) -> None:
    """Show the pages that commands wrote."""
    with _window(browser, _address(root, f"feedback/ben/{NAME}/mnist.html"), 1000, 860) as page:
        save(page, "feedback.png")
    address = _address(root, f"build/statistics/{NAME}/index.html")
    with _window(browser, address, 1200, 1240) as page:
        save(page, "statistics.png")
    with _window(browser, _address(root, "build/report/index.html"), 1200, 860) as page:
        page.evaluate(FIX_REPORT, [MADE, SECONDS])
        save(page, "report.png")


def _address(root: Path, path: str) -> str:
    """Return the address of a page in a course directory."""
    return (root / path).as_uri()


if __name__ == "__main__":
    main()
