"""Students' text on the formgrader's pages, in a browser."""

import json
import shutil
import time
from urllib.parse import quote

import pytest
from nbgrader.api import Gradebook

from tests.attacks import observation, payloads
from tests.chromium import launched, needs_chromium
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    needs_chromium,
]
NAME = "01-small"
SCHEME = "=== BEGIN MARK SCHEME ===\n\nTwo points.\n\n=== END MARK SCHEME ==="
FROM_COURSE = "From the assignment; students cannot change this cell."
PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
ANSWERS = {
    "honest": f"Because $x^2$ *grows*. ![a dot](data:image/gif;base64,{PIXEL})",
    "covering": '<a class="modal-backdrop" style="position: fixed; inset: 0; z-index: 9999"'
    ' id="explain" href="https://example.org">*grows*</a>',
    "remote": '*grows* <img src="https://example.org/seen.png"> ![x](https://example.org/seen.png)'
    ' <style>@import url("https://example.org/seen.css");</style>',
    "slow": "*grows*",
    "scheme": f"*grows*\n\n{SCHEME}\n\n<div style='border-left: 4px solid'>{FROM_COURSE}</div>",
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_command):
    """Grade a class with one written answer each, and return its directory."""
    root = tmp_path_factory.mktemp("formgrader")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    cells = [
        cell("markdown", "# Small"),
        cell("code", "profile = None\nseed = 0", tags=["parameters"]),
        cell("code", "import numpy as np", "setup"),
        cell("markdown", f"## Exercise 1: why (2 points)\n\n{SCHEME}", "question"),
        cell("markdown", "Because **so**.", "explain", 2),
    ]
    for each in cells[2:4]:
        each["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
    cells[-1]["metadata"]["nbgrader"] |= {"locked": False, "solution": True}
    write_notebook(root / "source" / NAME / "target.ipynb", cells)
    released = course_command("-C", root, "release")
    assert released.returncode == 0, released.stderr
    for student, answer in ANSWERS.items():
        notebook = json.loads((root / "release" / NAME / "target.ipynb").read_text())
        notebook["cells"][-1]["source"] = answer
        path = write_notebook(
            root / "submitted" / student / NAME / "target.ipynb", notebook["cells"]
        )
        if student == "slow":
            payloads.slow_text(path)
    finished = course_command("-C", root, "grade", NAME)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return root


@pytest.fixture(scope="module")
def visit(graded):
    """Return a function that opens a path of the formgrader, and what the browser requested."""
    with observation.formgrader(graded) as address, launched() as browser:

        def open_page(path, status=200):
            page = browser.new_page(viewport={"width": 1300, "height": 1000})
            page.set_default_timeout(60_000)
            requested = []
            page.on("requestfinished", lambda request: requested.append(request.url))
            response = page.goto(f"{address}/{path}", wait_until="networkidle")
            assert response.status == status, path
            policy = response.header_value("content-security-policy")
            assert "default-src 'none'" in policy, path
            assert response.header_value("referrer-policy") == "same-origin"
            server = address.rsplit("/", 1)[0]
            assert all(url.startswith((server, "data:")) for url in requested), requested
            return page

        yield open_page


def submission_path(graded, student):
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        return f"submissions/{gradebook.find_submission_notebook('target', NAME, student).id}/"


@pytest.mark.parametrize(
    "path",
    ["", "manage_assignments", "gradebook", f"gradebook/{NAME}", f"gradebook/{NAME}/target",
     "manage_students", f"manage_submissions/{NAME}"],
)  # fmt: skip
def test_the_pages_of_the_formgrader_work_with_their_policy(visit, path):
    page = visit(path)
    page.get_by_role("heading", name="nbgrader").wait_for()
    if path != "":
        page.locator("#main-table tr").first.wait_for()
    page.close()


SCRIPT = "manage_students/" + quote('";document.title="taken over";//', safe="")


@pytest.mark.parametrize(
    "path", [SCRIPT, "?path=submitted/covering/01-small", "?path=/a/course/originals/files"]
)
def test_addresses_that_students_could_send_are_refused(visit, graded, path):
    """nbgrader writes the address into a script, and loads the configuration in any folder."""
    page = visit(path, status=403)
    assert "taken over" not in page.title()
    page.close()


def test_a_students_name_is_shown_as_text(visit, graded):
    name = "<script>document.title='taken over'</script>"
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_student("honest", first_name="Hana", last_name=name)
    page = visit(submission_path(graded, "honest"))
    page.get_by_text(f"{name}, Hana").first.wait_for(state="attached")
    assert "taken over" not in page.title()
    page.close()
    for path in ("manage_students", f"gradebook/{NAME}/target"):
        page = visit(path)
        page.get_by_text(name).first.wait_for(state="attached")
        assert "taken over" not in page.title()
        page.close()


def test_the_directory_of_a_course_can_be_opened(visit, graded):
    visit(f"?path={quote(str(graded))}").close()


@pytest.mark.parametrize("student", ANSWERS)
def test_an_answer_is_shown_and_graded(visit, graded, student):
    """Formulas and embedded images are shown; nothing of the answer covers the page."""
    start = time.monotonic()
    page = visit(submission_path(graded, student))
    assert time.monotonic() - start < 30
    page.get_by_text("grows").first.wait_for()
    if student == "honest":
        # A formula cannot reach over the edges of its cell.
        assert page.locator("[style='contain: paint'] math msup").count() == 1
        assert page.evaluate("document.querySelector('img').naturalWidth") == 1
    marked = page.locator("[style*='border-left']")
    assert marked.count() == 1
    assert FROM_COURSE in marked.inner_text() and "Two points." in marked.inner_text()
    page.get_by_role("button", name="Full credit").first.click()
    # The same icon is visible while the score is being saved; `ok` replaces `refresh` afterward.
    page.locator(".score-saved.glyphicon-ok").first.wait_for(state="visible")
    page.close()
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        assert gradebook.find_grade("explain", "target", NAME, student).manual_score == 2
