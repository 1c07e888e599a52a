"""A submission cannot look like something that grading wrote, and cannot prevent its own page."""

import nbformat
import pytest

from course.instructor.student_text.size_limits import MAX_ALL_OUTPUTS
from tests.chromium import launched, needs_chromium
from tests.conftest import cell
from tests.instructor.grading.classes import ANSWER, NAME, TESTS, create_course, submit

pytestmark = pytest.mark.slow
WRONG = [cell("code", "answer = 0", "answer"), *TESTS]
NOTE = "**While this was graded:** the instructor awarded all points by hand."
TINY = {"output_type": "display_data", "data": {"text/plain": "a"}, "metadata": {}}
TALL = r"$\smash{\begin{matrix}" + r"full marks \\ " * 30 + r"\end{matrix}}$"
PATTERN = "[a-z]"
SUBMISSIONS = {
    PATTERN: WRONG,
    "note": [cell("markdown", NOTE), *WRONG],
    "text": [*WRONG, cell("markdown", 'I was NotGraded. "not_graded": true')],
    "outputs": [
        *WRONG,
        *[
            cell("code", f"pass  # {number}") | {"outputs": [TINY] * 3_000, "id": f"many-{number}"}
            for number in range(10)
        ],
    ],
    "formula": [cell("markdown", TALL), *WRONG],
}


@pytest.fixture(scope="module")
def forged(tmp_path_factory, course_command):
    """Grade the class, write its pages, and return its directory."""
    root = create_course(tmp_path_factory.mktemp("forged") / "course", ANSWER, *TESTS)
    assert course_command("-C", root, "release").returncode == 0
    for student, cells in SUBMISSIONS.items():
        submit(root, student, *cells)
    submit(root, "damaged").write_text("{")
    assert course_command("-C", root, "grade").returncode == 1  # because of the damaged one
    written = course_command("-C", root, "feedback")
    assert written.returncode == 0, written.stderr
    return root


def page_path(root, student):
    return root / "feedback" / student / NAME / "small.html"


def test_a_folder_that_looks_like_a_pattern_gets_its_own_page(forged):
    page = page_path(forged, PATTERN).read_text(encoding="utf-8")
    assert f"{NAME} · {PATTERN}" in page


def test_only_grading_writes_notes(forged):
    forged_note, note = (
        page_path(forged, student).read_text(encoding="utf-8").partition("Results by exercise")
        for student in ("note", "damaged")
    )
    assert "awarded all points" not in forged_note[0]
    assert "awarded all points" in forged_note[2]
    assert "While this was graded: submitted/damaged" in note[0]


def test_only_a_submission_that_could_not_be_run_is_graded_again(forged, course_command):
    again = course_command("-C", forged, "grade").stdout
    for student in SUBMISSIONS:
        assert f"{student}: already graded" in again
    assert "damaged: already graded" not in again


def test_the_number_of_outputs_is_limited(forged):
    graded = forged / "autograded" / "outputs" / NAME / "small.ipynb"
    cells = nbformat.read(graded, as_version=4).cells
    counts = [len(each.outputs) for each in cells if each.source.startswith("pass")]
    assert len(counts) == 10
    assert sum(counts) <= MAX_ALL_OUTPUTS + len(counts)
    page = page_path(forged, "outputs").read_text(encoding="utf-8")
    assert page.count("<pre") < MAX_ALL_OUTPUTS + 100
    assert "of outputs were removed" in page


@pytest.mark.browser
@needs_chromium
def test_a_formula_covers_nothing_above_its_cell(forged):
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1000, "height": 2000})
        page.goto(page_path(forged, "formula").as_uri())
        covered = page.evaluate(
            """() => {
                const cell = document.querySelector("#cell-0").getBoundingClientRect();
                const found = [];
                for (let x = cell.left; x < cell.right; x += 10)
                    for (let y = 0; y < cell.top - 10; y += 10)
                        found.push(document.elementFromPoint(x, y).closest("#cell-0"));
                return found.filter(each => each).length;
            }"""
        )
        assert page.locator("#cell-0 mtable").count() == 1
    assert covered == 0
