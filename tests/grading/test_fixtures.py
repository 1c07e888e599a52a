"""Every assignment's fixture submissions through the doors that instructors take."""

import ast
import html
import json
import re
import shutil
import textwrap

import pytest

from tests.grading.test_grades import cell_scores
from tests.submissions import ROOT, behaviours

ASSIGNMENTS = sorted(path.parent.name for path in ROOT.glob("source/*/*.ipynb"))
FIXTURES = {
    (assignment, name): behaviour
    for assignment in ASSIGNMENTS
    for name, behaviour in behaviours(assignment).items()
    if not behaviour.get("truncate")
}
each_fixture = pytest.mark.parametrize(("assignment", "name"), FIXTURES)
# A page's code is broken into many tags: look for names of the hidden code, not for lines.
COMPOUND_NAME = re.compile(r"[a-z]+(?:_[a-z]+)+")


@pytest.fixture(scope="module")
def feedback_of(graded_class_of, course_command):
    """Return a function that gives an assignment's class and its feedback, written once."""
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
def test_every_assignment_has_the_fixtures_that_matter(assignment):
    fixtures = behaviours(assignment)
    tests = {key: n for key, n in points_of(assignment).items() if key.startswith("test_")}
    assert fixtures["solved"]["score"] == sum(tests.values())
    assert fixtures["untouched"]["score"] == 0
    assert fixtures["untouched"]["from"] == "release"
    slips = [each for each in fixtures.values() if each.get("reasons")]
    assert slips, "a typical slip has its reason in the feedback"


@pytest.mark.slow
@each_fixture
def test_a_fixture_earns_exactly_what_it_should(graded_class_of, assignment, name):
    root, _ = graded_class_of(assignment)
    behaviour, scores = FIXTURES[assignment, name], cell_scores(root, name)
    automatic = {key: pair for key, pair in scores.items() if key.startswith("test_")}
    lost = automatic.keys() if behaviour["lost"] == "all" else behaviour["lost"]
    partial = behaviour.get("partial", {})
    for key, (score, points) in automatic.items():
        assert score == (0 if key in lost else partial.get(key, points)), key
    assert sum(score for score, _ in automatic.values()) == pytest.approx(behaviour["score"])
    assert {key: points for key, (_, points) in scores.items()} == points_of(assignment)
    # An answer waits for a person; an untouched one is a zero at once.
    by_hand = {key: score for key, (score, _) in scores.items() if key not in automatic}
    assert by_hand == dict.fromkeys(by_hand, 0 if behaviour.get("from") == "release" else None)


@pytest.mark.slow
@each_fixture
def test_the_feedback_has_each_reason_and_no_hidden_test(feedback_of, assignment, name):
    root = feedback_of(assignment)
    (path,) = (root / "feedback" / name / assignment).glob("*.html")
    page = html.unescape(path.read_text(encoding="utf-8"))
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
    assert hidden, "the test must look for what is really in the hidden tests"
    for word in [*hidden, "HIDDEN TESTS", "MARK SCHEME"]:
        assert not re.search(rf"\b{word}\b", page), word
    schemes = "".join(re.findall(r"BEGIN MARK SCHEME(.*?)END MARK SCHEME", source, re.DOTALL))
    sentences = [each for each in re.findall(r"[\w ,;()]{40,}", schemes) if each not in visible]
    assert sentences, "the test must look for what is really in the mark schemes"
    for sentence in sentences:
        assert sentence not in text, sentence


HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS(.*?)### END HIDDEN TESTS", re.DOTALL)


def secrets_of(assignment, visible):
    """Return what no page may hold: the lines of the hidden tests, and the values in them.

    Left out is what stands in the release or in the submission anyway, and numbers too short to be
    told from others.
    """
    (path,) = (ROOT / "source" / assignment).glob("*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    known = flat(visible)
    lines, values = set(), set()
    for region in (region for source in sources for region in HIDDEN.findall(source)):
        lines |= {flat(line) for line in region.splitlines() if len(flat(line)) > 8}
        for node in ast.walk(ast.parse(textwrap.dedent(region))):
            if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                shown = {f"{node.value:,}", f"{node.value:.6g}", repr(node.value)}
                values |= {each for each in shown if len(re.sub(r"\D", "", each)) >= 4}
            elif isinstance(node, ast.Tuple | ast.List) and len(node.elts) > 1:
                values.add(flat(ast.unparse(node)))
    return (
        {line for line in lines if line not in known},
        {value for value in values if value not in known},
    )


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


def text_of(page):
    """Return what a reader sees of a page, and what stands in its tags."""
    content = html.unescape(page.read_text(encoding="utf-8"))
    content = re.sub(r"data:image/[^\"]*", "", content)
    content = re.sub(r"<style>.*?</style>", "", content, flags=re.DOTALL)
    return flat(re.sub(r"</?(span|a)\b[^>]*>", "", content))


def leaks(assignment, page, visible):
    lines, values = secrets_of(assignment, visible)
    text = text_of(page)
    found = {line for line in lines if line in text}
    return found | {
        v for v in values if re.search(rf"(?<![\w.,]){re.escape(v)}(?![\w,]|\.\d)", text)
    }


def visible_text(root, assignment, name):
    """Return what a student has seen: the release and the own notebook."""
    texts = []
    for folder in (root / "release" / assignment, root / "submitted" / name / assignment):
        (path,) = folder.glob("*.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells]
    return "\n".join(texts)


@pytest.mark.slow
@each_fixture
def test_no_page_holds_a_hidden_line_or_what_it_expects(feedback_of, assignment, name):
    root = feedback_of(assignment)
    (page,) = (root / "feedback" / name / assignment).glob("*.html")
    visible = visible_text(root, assignment, name)
    assert sum(map(len, secrets_of(assignment, visible))) > 10
    assert leaks(assignment, page, visible) == set()


@pytest.mark.slow
def test_the_search_finds_what_a_page_tells_that_may(graded_class_of, course_command, tmp_path):
    # The same class, by an instructor who allows what was expected to be told.
    root, _ = graded_class_of("01-convolution")
    copy = tmp_path / "open"
    shutil.copytree(root, copy, symlinks=True)
    with (copy / "nbgrader_config.py").open("a") as file:
        file.write("\nc.HideFromStudents.show_expected = True\n")
    assert course_command("-C", copy, "feedback", "01-convolution").returncode == 0
    found = set()
    for page in copy.glob("feedback/*/01-convolution/*.html"):
        name = page.parents[1].name
        found |= leaks("01-convolution", page, visible_text(copy, "01-convolution", name))
    assert found
