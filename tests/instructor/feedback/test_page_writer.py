"""Contents of feedback pages: a small class is graded once, with the commands."""

import html
import json
import re
import shutil
import subprocess
from itertools import pairwise

import pytest
from nbgrader.api import Gradebook

from course.instructor.file_lock import exclusive_lock
from course.instructor.grading.redaction import STUDENT_VIEW
from tests.attacks.observation import scripts
from tests.chromium import launched, needs_chromium
from tests.conftest import BIN, cell, write_notebook
from tests.submissions import ROOT

pytestmark = pytest.mark.slow
NAME = "01-small"
PIXEL = (  # PNG, 1 by 1
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
HIDDEN = "### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"


def test_cell(name, visible, hidden, points=1, **more):
    return cell("code", f"{visible}\n{HIDDEN.format(hidden)}", f"test_{name}", points, **more)


test_cell.__test__ = False
CELLS = [
    cell("markdown", "# Small sums\n\nA mean is $\\frac{a + b}{2}$."),
    cell("code", "profile = None\nseed = 0", tags=["parameters"]),
    cell("code", "import numpy as np\nfrom course import checks", "setup"),
    cell("markdown", "## Exercise 1: twice (8 points)"),
    cell("code", "def twice(n):\n    return 2 * n\n\nnumber = 7", "twice"),
    test_cell(
        "visible",
        "checks.equal('twice 3', twice(3), 6, 'Add it to itself.')",
        "checks.equal('twice 50', twice(50), 100)",
    ),
    test_cell("hidden", "", "checks.equal('twice 4321', twice(4321), 8642, 'Add it to itself.')"),
    test_cell("open", "", "checks.equal('twice 5', twice(5), 10)", tags=["show-expected"]),
    # A helper that students see; hidden tests call it.
    test_cell(
        "helper",
        "def test(n, right):\n    subject = f'twice {n}'\n"
        "    checks.equal(subject, twice(n), right)\ntest(1, 2)",
        "test(1234, 2468)",
    ),
    test_cell("library", "", "np.testing.assert_allclose(twice(np.ones(2)), [2.0, 2.0])"),
    test_cell("assert", "", "assert twice(9) == 18, 'Nine is no exception.'"),
    test_cell("lookup", "", "{8: 1, 8888: 2}[twice(4)]"),
    test_cell("printed", "print('you see', twice(2))", "print('the answer is 40404')\nnumber == 1"),
    cell("markdown", "## Exercise 2: parts (2 points)"),
    test_cell(
        "parts",
        "",
        "checks.show('a: right. Of 31313.', 'a: right.')\nchecks.show('b: not right. Look.')\n"
        "checks.show('c: correct. One.')\n1.0",
        points=2,
        tags=["partial-credit"],
    ),
    cell("markdown", "## Exercise 3: words (2 points)"),
    {**cell("markdown", "Because **so**.", "explain", 2)},
]
CELLS[2]["metadata"]["nbgrader"]["locked"] = True
CELLS[2]["metadata"]["nbgrader"]["solution"] = False
CELLS[-1]["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
WRONG = "def twice(n):\n    return n + 3\n\nnumber = 7"


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_command):
    """Grade the class and return its directory."""
    root = tmp_path_factory.mktemp("feedback")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    write_notebook(root / "source" / NAME / "small.ipynb", CELLS)
    released = course_command("-C", root, "release")
    assert released.returncode == 0, released.stderr
    release = json.loads((root / "release" / NAME / "small.ipynb").read_text())
    for student in ("right", "wrong", "stops"):
        notebook = json.loads(json.dumps(release))
        cells = {each["id"]: each for each in notebook["cells"]}
        cells["explain"]["source"] = "It is <script>alert(1)</script> *so*. ![far](https://x.org/y)"
        answer = cells["twice"]
        answer["source"] = CELLS[4]["source"] if student == "right" else WRONG
        answer["outputs"] = [
            {"output_type": "stream", "name": "stdout", "text": "submitted output\n"},
            {
                "output_type": "display_data",
                "data": {"image/png": PIXEL, "text/plain": "<Figure>"},
                "metadata": {},
            },
        ]
        if student == "stops":
            answer["source"] += "\nraise ValueError('only in grading')"
        write_notebook(root / "submitted" / student / NAME / "small.ipynb", notebook["cells"])
    finished = course_command("-C", root, "grade", NAME)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
        grade = gradebook.find_grade("explain", "small", NAME, "right")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        comment = gradebook.find_comment("explain", "small", NAME, "right")
        comment.manual_comment = "Say *why* $x^2$."
        # Without a comment; and a test of which a person has changed the score.
        grade = gradebook.find_grade("explain", "small", NAME, "stops")
        grade.manual_score, grade.needs_manual_grade = 1, False
        grade = gradebook.find_grade("test_assert", "small", NAME, "stops")
        grade.manual_score = 0.5
        gradebook.db.commit()
    return root


@pytest.fixture(scope="module")
def pages(graded, course_command):
    """Write the pages and return a function that reads one."""
    written = course_command("-C", graded, "feedback", NAME, "--workers", "2")
    assert written.returncode == 0, written.stderr
    assert sorted(written.stdout.split()) == [
        str(page_of(graded, student)) for student in ("right", "stops", "wrong")
    ]
    return lambda student: page_of(graded, student).read_text(encoding="utf-8")


def page_of(root, student):
    return root / "feedback" / student / NAME / "small.html"


def text_of(page):
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def copy_of(root, target):
    shutil.copytree(root, target)
    return target


def test_a_score_that_a_person_gave_has_no_reason_of_an_automatic_one(pages):
    results, separator, _ = text_of(pages("stops")).partition("Your notebook, as you submitted it")
    assert separator
    assert "There is no answer" not in results and "Nine is no exception." not in results
    results, *_ = text_of(pages("wrong")).partition("Your notebook, as you submitted it")
    assert "Nine is no exception." in results


def test_a_hidden_check_shows_its_subject_the_actual_value_and_the_hint(pages):
    text = text_of(pages("wrong"))
    assert "twice 4321 got 4,324 Add it to itself." in text
    assert "Not yet: twice 4321: got 4,324. Add it to itself." in text


def test_a_hidden_check_does_not_show_the_expected_value(pages):
    for student in ("right", "wrong", "stops"):
        text = text_of(pages(student))
        for secret in ("8,642", "8642", "2,468", "2468", "8888", "40404", "31313", "100"):
            assert secret not in text, secret
        assert "HIDDEN" not in text
        assert "assert_allclose" not in text


def test_a_visible_check_shows_the_expected_value(pages):
    assert "twice 3: 6" in text_of(pages("right"))
    assert "twice 1: got 4, expected 2." in text_of(pages("wrong"))


def test_a_tagged_hidden_check_shows_the_expected_value(pages):
    assert "twice 5: got 8, expected 10." in text_of(pages("wrong"))


def test_messages_of_libraries_are_withheld_and_those_of_assert_are_not(pages):
    text = text_of(pages("wrong"))
    assert "AssertionError (message withheld" in text
    assert "KeyError (message withheld" in text
    assert "Desired" not in text
    assert "AssertionError: Nine is no exception." in text


def test_partial_credit_lists_the_items_that_lost_points(pages):
    text = text_of(pages("right"))
    above = text.partition("Your notebook")[0]
    assert "partly correct parts b: not right. Look." in above
    assert "c: correct" not in above
    assert "a: right. b: not right. Look. c: correct. One." in text


def test_the_top_shows_points_comments_and_pending_answers(pages):
    right, wrong = (
        text_of(pages(student)).partition("Your notebook")[0] for student in ("right", "wrong")
    )
    assert re.search(r"Small sums 10\.5 of 12 points", right), right
    assert "Exercise 3: words 1.5 of 2 points ◐ partly correct explain Comment Say why" in right
    assert "1 answer is pending manual grading" in wrong
    assert "Exercise 3: words up to 2 points … pending manual grading explain" in wrong


def test_cells_show_submitted_outputs_and_nothing_of_the_grading(pages):
    page = pages("stops")
    above, below = page.split("Your notebook, as you submitted it")
    answer = below[below.index("Your answer") : below.index('aria-label="Check')]
    assert "submitted output" in answer and PIXEL in answer
    assert "only in grading" not in re.sub(r"<pre class=.*?</pre>", "", answer, flags=re.DOTALL)
    assert "During grading, this cell failed: ValueError: only in grading" in text_of(above)


def test_a_page_runs_nothing_and_needs_no_network(pages):
    page = pages("wrong")
    assert not scripts(page)
    assert not re.search(r"<(script|link|iframe)|src=\"(?!data:)|url\(", page)
    assert "default-src 'none'" in page
    assert page.count("<math ") == 1


def test_nbgrader_writes_the_same_page(graded, pages, tmp_path):
    copy = copy_of(graded, tmp_path / "copy")
    page_of(copy, "wrong").unlink()
    command = [BIN / "nbgrader", "generate_feedback", NAME, "--student", "wrong", "--force"]
    finished = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert page_of(copy, "wrong").read_text(encoding="utf-8") == pages("wrong")


def test_an_earlier_grading_without_a_student_view_shows_less(graded, course_command, tmp_path):
    copy = copy_of(graded, tmp_path / "copy")
    path = copy / "autograded" / "wrong" / NAME / "small.ipynb"
    path.chmod(0o644)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for each in notebook["cells"]:
        if "outputs" in each:
            each["outputs"] = [o for o in each["outputs"] if STUDENT_VIEW not in o.get("data", {})]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert course_command("-C", copy, "feedback", NAME, "--student", "wrong").returncode == 0
    text = text_of(page_of(copy, "wrong").read_text(encoding="utf-8"))
    assert "A hidden check failed." in text
    assert "4,324" not in text and "8,642" not in text


def test_a_page_that_cannot_be_written_is_one_sentence_and_stops_no_other(
    graded, course_command, tmp_path
):
    copy = copy_of(graded, tmp_path / "copy")
    shutil.rmtree(copy / "feedback", ignore_errors=True)
    path = copy / "autograded" / "right" / NAME / "small.ipynb"
    path.chmod(0o644)
    path.write_text("{")
    shutil.rmtree(copy / "build", ignore_errors=True)
    (copy / "build" / "feedback" / "stage" / "4711").mkdir(
        parents=True
    )  # as a killed command leaves it
    finished = course_command("-C", copy, "feedback", NAME)
    assert finished.returncode == 1
    assert re.fullmatch(rf"course: no feedback for right in {NAME}: .*\n", finished.stderr)
    assert sorted(finished.stdout.split()) == [
        str(page_of(copy, student)) for student in ("stops", "wrong")
    ]
    assert not (copy / "build" / "feedback" / "stage").exists()


def test_only_one_command_at_a_time_writes_pages(graded, course_command):
    with exclusive_lock(graded / "build" / "feedback", "busy"):
        second = course_command("-C", graded, "feedback", NAME)
    assert second.returncode == 1 and not second.stdout
    message = r"course: another command is writing feedback pages or changing students in .*\n"
    assert re.fullmatch(message, second.stderr)


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_the_width_of_a_phone(graded, pages, scheme):
    with launched() as browser:
        context = browser.new_context(
            viewport={"width": 360, "height": 740}, color_scheme=scheme, offline=True
        )
        page = context.new_page()
        console_messages = []
        page.on("console", lambda message: console_messages.append(message.text))
        page.goto(page_of(graded, "wrong").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")
        levels = page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])"
        )
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        page.get_by_role("link", name="hidden", exact=True).click()
        assert page.locator(":target").is_visible()
        assert not console_messages


@pytest.mark.browser
@needs_chromium
def test_a_printed_page_is_white_and_complete(graded, pages):
    with launched() as browser:
        # The width of A4 without its margins.
        page = browser.new_page(viewport={"width": 680, "height": 1000}, color_scheme="dark")
        page.goto(page_of(graded, "wrong").as_uri())
        folded = page.locator("details pre")
        assert folded.count() and not folded.first.is_visible()
        page.emulate_media(media="print")
        assert all(each.is_visible() for each in folded.all()), "folded sections are printed"
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(255, 255, 255)"
        cut_off = "e => e.scrollWidth > e.clientWidth + 1"
        assert page.evaluate(f"[...document.querySelectorAll('pre')].filter({cut_off}).length") == 0
        assert page.pdf(format="A4").startswith(b"%PDF")
