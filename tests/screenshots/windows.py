"""Windows of Chromium, and the images of what they show."""

import contextlib
from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from tests.conftest import BIN, run_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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


class Images:
    """The folder in which the images are written."""

    def __init__(self, folder: Path, names: Set[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._names = folder, names

    def __call__(self, page: "Page", name: str) -> None:
        """Write what the window of a page shows."""
        if name not in self._names:
            raise ValueError(f"{name} is not in the list of images in tests/screenshots")
        path = self._folder / name
        page.mouse.move(0, 0)
        page.screenshot(path=path, animations="disabled", caret="hide")
        with Image.open(path) as image:
            reduced = image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def course(root: Path, *arguments: str) -> None:
    """Run `course`; a command that fails ends the script."""
    done = run_command(BIN / "course", "-C", root, *arguments)
    if done.returncode:
        raise SystemExit(f"course {' '.join(arguments)}: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def window(browser: "Browser", address: str, width: int, height: int) -> Iterator["Page"]:
    """Open an address in a window of a fixed size."""
    with browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="light", locale="en-US"
    ) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        yield page


def fix_report(page: "Page") -> None:
    """Make the page of the report the same in every run."""
    page.evaluate(FIX_REPORT, [MADE, SECONDS])
