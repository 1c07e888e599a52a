"""The images in the site's tour, of a class on an example assignment.

The script runs the commands that the page shows, and ends if one prints something else.
"""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.attacks.observation import formgrader
from tests.conftest import BIN, run_command
from tests.instructor.marking.marking_server import marking_server
from tests.screenshots import TOUR
from tests.screenshots.grade_order import fix_order
from tests.screenshots.temperature_class import FILE, NAME, create_course, write_archive
from tests.screenshots.windows import MADE, Images, course, fix_report, window

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BLOCK = re.compile(r"(?:^    .+\n)+", re.MULTILINE)
OMITTED = "..."
# What the script does in another way: it needs the server's address.
SERVERS = ("jupyter lab", "course mark")
EXERCISE = 4  # the position of the cell with the first exercise
# Memory differs between machines, and the bands are measured on the day of the run.
FIX_BANDS = """
    (day) => {
        for (const each of document.querySelectorAll("tr"))
            if (each.textContent.includes("peak_memory")) each.remove();
        for (const each of document.querySelectorAll("details p"))
            each.innerHTML = each.innerHTML.replace(/measured on [\\d-]+/, `measured on ${day}`);
    }
"""


def shown_commands() -> list[tuple[str, list[str]]]:
    """Return the commands that the page shows, each with the lines of its output."""
    commands: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall(TOUR.read_text(encoding="utf-8")):
        for line in block.splitlines():
            text = line.removeprefix("    ")
            if text.startswith(("course ", "jupyter ")):
                commands.append((text, []))
            else:
                commands[-1][1].append(text)
    return commands


def write(root: Path, browser: "Browser", save: Images) -> None:
    """Run the commands of the page in a new course directory, and write the images."""
    create_course(root)
    for command, output in shown_commands():
        if command.startswith("course collect"):
            write_archive(root)
        if command.startswith("course run"):
            course(root, "run", NAME, "--seeds", "5", "--update-bands")
            shutil.rmtree(root / "build" / "runs")  # the bands remain
        if command.startswith("course mark"):
            fix_order(root)
            _mark(root, browser, save)
        elif not command.startswith(SERVERS):
            _run(root, command, output)
    _notebooks(root, browser, save)
    for name, path, width, height in (
        ("feedback.png", f"feedback/ben/{NAME}/temperature.html", 900, 700),
        ("statistics.png", f"build/statistics/{NAME}/index.html", 1000, 1070),
        ("report.png", "build/report/index.html", 1000, 850),
    ):
        with window(browser, (root / path).as_uri(), width, height) as page:
            if name == "report.png":
                fix_report(page)
                page.evaluate(FIX_BANDS, MADE.partition(" ")[0])
            save(page, name)


def _run(root: Path, command: str, output: list[str]) -> None:
    """Run a command, which must print the lines of the page in their order."""
    _, *arguments = shlex.split(command)
    done = run_command(BIN / "course", *arguments, cwd=root)
    printed = iter(done.stdout.splitlines())
    missing = [line for line in output if line != OMITTED and not _follows(line, printed)]
    if missing or (done.returncode and not output):
        lines = "\n".join(missing)
        raise SystemExit(f"{command} does not print\n{lines}\nbut\n{done.stdout}{done.stderr}")


def _follows(line: str, printed: Iterator[str]) -> bool:
    """Return whether one of the next printed lines is this one."""
    return any(each.rstrip() == line for each in printed)


def _mark(root: Path, browser: "Browser", save: Images) -> None:
    """Mark all answers with the keyboard, and show the page before the last two."""
    with marking_server(root, NAME) as server, window(browser, server.address, 1200, 800) as page:
        page.locator("article").first.wait_for()

        def give(text: str, *keys: str) -> None:
            page.locator("article", has_text=text).click()
            for key in keys:
                page.keyboard.press(key)
                page.wait_for_function("() => !state.waiting")

        give("water freezes", "1", "2")
        give("only 4% more", "2")
        give("twice 10", "0", "c")
        page.keyboard.type("Both numbers depend on where the scale has its zero.")
        page.keyboard.press("Escape")
        page.wait_for_function("() => !state.waiting")
        give("I don't think so", "3")
        give("chosen arbitrarily", "1", "2")
        save(page, "mark.png")
        give("start at zero heat", "1")
        give("doesn't feel", "3")


def _notebooks(root: Path, browser: "Browser", save: Images) -> None:
    """Show the source and the release of the notebook in JupyterLab, with its default settings."""
    settings = root.parent / "settings"
    news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}', encoding="utf-8")  # otherwise, a question about it
    folders = {f"JUPYTERLAB_{kind}_DIR": str(settings) for kind in ("SETTINGS", "WORKSPACES")}
    with formgrader(root, **folders) as address:
        lab = address.removesuffix("formgrader") + "doc/tree"
        with window(browser, f"{lab}/source/{NAME}/{FILE}", 1100, 740) as page:
            _select_exercise(page)
            page.locator('.lm-TabBar-tab[data-id="nbgrader-create_assignemnt"]').click()
            types = page.locator(".nbgrader-CellWidget")
            types.nth(EXERCISE).evaluate("each => each.scrollIntoView()")
            save(page, "edit.png")
        with window(browser, f"{lab}/release/{NAME}/{FILE}", 1100, 740) as page:
            _select_exercise(page)
            save(page, "release.png")


def _select_exercise(page: "Page") -> None:
    """Select the cell with the first exercise, and wait for colors and the kernel."""
    page.locator(".jp-Notebook .jp-Cell").nth(EXERCISE).click()
    page.keyboard.press("Escape")
    page.get_by_text("| Idle").wait_for()
    page.wait_for_load_state("networkidle")
