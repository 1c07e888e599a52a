"""Tests of the formgrader and of a release in a real JupyterLab in Chromium."""

import os
import re
import socket
import subprocess
import time
import urllib.request
import zipfile

import pytest

from tests.chromium import launched, needs_chromium
from tests.conftest import BIN

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    needs_chromium,
]
SECONDS = 1000  # in milliseconds, the unit of Playwright


@pytest.fixture(scope="module")
def lab(graded_class):
    """Serve the graded class with JupyterLab on loopback; return the address."""
    root, _ = graded_class
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            BIN / "jupyter",
            "lab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={port}",
            "--IdentityProvider.token=",
        ],
        cwd=root,
        env={
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "COURSE_PROFILE": "smoke",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, "JupyterLab exited at once"
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def page():
    """Return an empty page in a fresh Chromium."""
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(60 * SECONDS)
        yield page


def test_the_formgrader_lists_the_class_and_shows_the_mark_scheme(lab, page):
    page.goto(f"{lab}/formgrader")
    page.get_by_role("link", name="02-mnist").first.wait_for()
    page.goto(f"{lab}/formgrader/gradebook/02-mnist/mnist")
    page.get_by_role("link", name="Submission #1", exact=True).click()
    page.get_by_text("How a property of the CNN helps it read digits").wait_for()
    page.get_by_role("button", name="Full credit").first.wait_for()


def scroll_to(page, element):
    """Scroll the notebook until an element is visible: JupyterLab renders only visible cells."""
    panel = page.locator(".jp-WindowedPanel-outer")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        height = panel.evaluate("each => each.scrollHeight")
        for top in range(0, height, 600):
            panel.evaluate("(each, top) => each.scrollTo(0, top)", top)
            page.wait_for_timeout(100)
            if element.first.is_visible():
                return
    raise AssertionError(f"not in the notebook: {element}")


STUB = "Return the images with the new type, scale, and shape."


def test_a_student_runs_the_release_until_the_first_exercise_and_packs_it(lab, graded_class, page):
    page.goto(f"{lab}/lab/tree/release/02-mnist/mnist.ipynb")
    page.get_by_role("heading", name="Reading handwritten digits").wait_for()
    idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    idle.wait_for()  # the kernel has started
    # The finished result is shown before anything runs, with its code and the checks collapsed.
    scroll_to(page, page.locator(".jp-OutputArea-output img"))
    assert page.locator(".jp-InputPlaceholder", has_text="The finished result").is_visible()
    check = page.locator(".jp-CodeCell", has_text="# @title Check exercise 1")
    scroll_to(page, check)
    assert check.locator(".jp-InputPlaceholder").is_visible()
    assert "prepared = prepare_images(example)" not in check.first.inner_text()

    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    # The setup ran on synthetic digits, and the first stub says what to do.
    scroll_to(page, page.locator(".jp-OutputArea-output", has_text="profile  smoke"))
    error = page.locator(".jp-OutputArea-output", has_text="NotImplementedError")
    scroll_to(page, error)
    assert STUB in error.first.text_content()

    # The last cell packs the saved notebook and lists what is missing. JupyterLab shows an error
    # before the execution count, which tells the last cell that the run has been saved; a click
    # opens the collapsed check and shows the count.
    check.locator(".jp-InputPlaceholder").first.click()
    number = page.locator(".jp-CodeCell", has=error).locator(".jp-InputPrompt")
    number.get_by_text(re.compile(r"^\[\d+\]:$")).wait_for()
    idle.wait_for()
    page.keyboard.press("Control+s")
    page.locator(".lm-TabBar-tab.jp-mod-dirty").wait_for(state="detached")
    text = page.get_by_role("heading", name="Submit")
    scroll_to(page, text)
    text.click()
    # Shift+Enter goes on to the collapsed cell and runs it.
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    said = page.locator(".jp-OutputArea-output", has_text="Upload")
    said.wait_for()
    assert "does not contain the cells that you ran last" not in said.text_content()
    assert "not answered yet:\n  - Exercise 1: images (2 points)" in said.text_content()
    root, _ = graded_class
    with zipfile.ZipFile(root / "release" / "02-mnist" / "mnist-submission.zip") as archive:
        assert archive.namelist() == ["mnist.ipynb", "submission.json"]
        assert STUB.encode() in archive.read("mnist.ipynb")
