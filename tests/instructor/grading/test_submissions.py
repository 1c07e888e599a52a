"""Every assignment's fixture submissions, graded and given feedback by the commands."""

import html
import json
import re
import shutil

import pytest

from tests.instructor.feedback.internal_names import internal_names
from tests.instructor.grading.secrets import Secrets, text_of
from tests.instructor.grading.test_class_grader import cell_scores
from tests.submissions import ROOT, read_fixtures

ASSIGNMENTS = sorted(path.parent.name for path in ROOT.glob("source/*/*.ipynb"))
FIXTURES = {
    (assignment, name): fixture
    for assignment in ASSIGNMENTS
    for name, fixture in read_fixtures(assignment).items()
    if not fixture.get("truncate")
}
each_fixture = pytest.mark.parametrize(("assignment", "name"), FIXTURES)
# A page splits code into many tags: search for names of the hidden code, not for lines.
COMPOUND_NAME = re.compile(r"[a-z]+(?:_[a-z]+)+")


@pytest.fixture(scope="module")
def feedback_of(graded_class_of, course_command):
    """Return a function that returns an assignment's class with its feedback, written once."""
    written = {}

    def write(assignment):
        root, _ = graded_class_of(assignment)
        if assignment not in written:
            written[assignment] = course_command("-C", root, "feedback", assignment)
        assert written[assignment].returncode == 0, written[assignment].stderr
        return root

    return write


def points_of(assignment):
    """Return the points of an assignment's graded cells by grade id."""
    (path,) = (ROOT / "source" / assignment).glob("*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    described = [each["metadata"].get("nbgrader", {}) for each in cells]
    return {each["grade_id"]: each["points"] for each in described if each.get("grade")}


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_assignment_has_the_required_fixtures(assignment):
    fixtures = read_fixtures(assignment)
    tests = {key: n for key, n in points_of(assignment).items() if key.startswith("test_")}
    assert fixtures["solved"]["score"] == sum(tests.values())
    assert fixtures["untouched"]["score"] == 0
    assert fixtures["untouched"]["from"] == "release"
    mistakes = [each for each in fixtures.values() if each.get("reasons")]
    assert mistakes, "a common mistake has its reason in the feedback"


@pytest.mark.slow
@each_fixture
def test_a_fixture_earns_exactly_its_points(graded_class_of, assignment, name):
    root, _ = graded_class_of(assignment)
    fixture, scores = FIXTURES[assignment, name], cell_scores(root, name)
    automatic = {key: pair for key, pair in scores.items() if key.startswith("test_")}
    lost = automatic.keys() if fixture["lost"] == "all" else fixture["lost"]
    partial = fixture.get("partial", {})
    for key, (score, points) in automatic.items():
        assert score == (0 if key in lost else partial.get(key, points)), key
    assert sum(score for score, _ in automatic.values()) == pytest.approx(fixture["score"])
    assert {key: points for key, (_, points) in scores.items()} == points_of(assignment)
    # A written answer is pending manual grading; an unchanged one is a zero at once.
    manual = {key: score for key, (score, _) in scores.items() if key not in automatic}
    assert manual == dict.fromkeys(manual, 0 if fixture.get("from") == "release" else None)


@pytest.mark.slow
@each_fixture
def test_the_feedback_contains_each_reason_and_no_hidden_test(feedback_of, assignment, name):
    root = feedback_of(assignment)
    (path,) = (root / "feedback" / name / assignment).glob("*.html")
    written = path.read_text(encoding="utf-8")
    assert internal_names(written) == set()
    page = html.unescape(written)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))
    for test, reasons in FIXTURES[assignment, name].get("reasons", {}).items():
        for reason in [reasons] if isinstance(reasons, str) else reasons:
            assert reason in text, test
    (source,) = (root / "source" / assignment).glob("*.ipynb")
    (submitted,) = (root / "submitted" / name / assignment).glob("*.ipynb")
    source = source.read_text(encoding="utf-8")
    regions = "".join(re.findall(r"BEGIN HIDDEN TESTS(.*?)END HIDDEN TESTS", source, re.DOTALL))
    visible = submitted.read_text(encoding="utf-8")
    hidden = set(COMPOUND_NAME.findall(regions)) - set(COMPOUND_NAME.findall(visible))
    assert hidden, "the test must search for names that occur in the hidden tests"
    for word in [*hidden, "HIDDEN TESTS", "MARK SCHEME"]:
        assert not re.search(rf"\b{word}\b", page), word
    schemes = "".join(re.findall(r"BEGIN MARK SCHEME(.*?)END MARK SCHEME", source, re.DOTALL))
    sentences = [each for each in re.findall(r"[\w ,;()]{40,}", schemes) if each not in visible]
    assert sentences, "the test must search for sentences that occur in the mark schemes"
    for sentence in sentences:
        assert sentence not in text, sentence


@pytest.mark.slow
@each_fixture
def test_no_page_contains_a_hidden_line_or_an_expected_value(feedback_of, assignment, name):
    root = feedback_of(assignment)
    secrets = Secrets(root, assignment, name)
    (page,) = (root / "feedback" / name / assignment).glob("*.html")
    assert secrets.in_text(text_of(page)) == set()
    # The search finds them in the graded notebook, which only instructors read.
    assert len(secrets.in_text(secrets.graded)) > 10


@pytest.mark.slow
def test_the_search_finds_expected_values_in_a_page_that_shows_them(
    graded_class_of, course_command, tmp_path
):
    # The same class, with expected values shown.
    assignment = "03-vgg16"
    root, _ = graded_class_of(assignment)
    copy = tmp_path / "shown"
    shutil.copytree(root, copy)
    with (copy / "nbgrader_config.py").open("a") as file:
        file.write("\nc.HideFromStudents.show_expected = True\n")
    assert course_command("-C", copy, "feedback", assignment).returncode == 0
    for name in ("solved", "common-mistakes"):
        (page,) = (copy / "feedback" / name / assignment).glob("*.html")
        found = Secrets(copy, assignment, name).in_text(text_of(page))
        assert any(type(each) is float for each in found), "a literal number of a test"
        assert any(type(each) is str for each in found), "a value as a check prints it"
