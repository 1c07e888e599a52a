"""Every assignment's fixture submissions through the doors that instructors take."""

import ast
import contextlib
import html
import json
import re
import shutil
import textwrap

import pytest

from course import checks
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
# What a check expects, by its place among the arguments and by its names.
EXPECTED = {"equal": 2, "answer": 2, "close": 2, "one_of": 2, "at_least": 2, "array": None}
NAMED = {"expected", "options", "bound", "shape"}


def secrets_of(assignment, tests=None):
    """Return what stands in the hidden parts of tests: their lines, and the values they expect."""
    (path,) = (ROOT / "source" / assignment).glob("*.ipynb")
    lines, values = set(), set()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for region in HIDDEN.findall("".join(cell["source"])):
            lines |= {flat(line) for line in region.splitlines() if len(flat(line)) > 8}
            if tests is None or cell["id"] in tests:
                values |= expected_in(ast.parse(textwrap.dedent(region)))
    return lines, values


def expected_in(tree):
    """Return what the checks of a parsed text expect, as they would show it."""
    found = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", None)
        if name in EXPECTED:
            place = EXPECTED[name]
            nodes = [call.args[place]] if place and len(call.args) > place else []
            nodes += [each.value for each in call.keywords if each.arg in NAMED]
            for node in nodes:
                try:
                    found.add(checks._short(ast.literal_eval(node)))
                except ValueError:  # it is computed
                    continue
    return found


def values_in(source):
    """Return every value that a student has written in a cell, as checks would show it."""
    try:
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr)]
    except SyntaxError:  # a text cell, a magic
        return set()
    found = set()
    for node in nodes:
        with contextlib.suppress(ValueError, TypeError, MemoryError, RecursionError):
            found.add(checks._short(ast.literal_eval(node)))
    return found


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


def text_of(page):
    """Return what a reader sees of a page, and what stands in its tags."""
    content = html.unescape(page.read_text(encoding="utf-8"))
    content = re.sub(r"data:image/[^\"]*", "", content)
    content = re.sub(r"<style>.*?</style>", "", content, flags=re.DOTALL)
    return flat(re.sub(r"</?(span|a)\b[^>]*>", "", content))


def leaks(root, assignment, name, tests):
    """Return the hidden lines that a page shows, and what the tests expected that it tells."""
    (page,) = (root / "feedback" / name / assignment).glob("*.html")
    text, seen = text_of(page), seen_by(root, assignment, name)
    lines, values = secrets_of(assignment, tests)
    own = set().union(*map(values_in, seen))
    known = flat("\n".join(seen))
    found = {line for line in lines if line not in known and line in text}
    told = {value for value in values - own if f"expected {value}" in text}
    # A value of several digits is looked for everywhere; a 7 stands in every page.
    long = {value for value in values - own if len(re.sub(r"\D", "", value)) >= 4}
    number = r"(?<![\w.,]){}(?![\w,]|\.\d)"
    return found | told | {v for v in long if re.search(number.format(re.escape(v)), text)}


def seen_by(root, assignment, name):
    """Return the cells that a student has seen: those of the release and of the own notebook."""
    texts = []
    for folder in (root / "release" / assignment, root / "submitted" / name / assignment):
        (path,) = folder.glob("*.ipynb")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells]
    return texts


@pytest.mark.slow
@each_fixture
def test_no_page_holds_a_hidden_line_or_what_a_lost_test_expected(feedback_of, assignment, name):
    root, lost = feedback_of(assignment), FIXTURES[assignment, name]["lost"]
    assert leaks(root, assignment, name, None if lost == "all" else set(lost)) == set()


@pytest.mark.slow
def test_the_search_finds_what_pages_tell_that_may(graded_class_of, course_command, tmp_path):
    # The same class, by an instructor who allows what was expected to be told.
    name, told = "01-convolution", set()
    root, _ = graded_class_of(name)
    shutil.copytree(root, tmp_path / "open", symlinks=True)
    with (tmp_path / "open" / "nbgrader_config.py").open("a") as file:
        file.write("\nc.HideFromStudents.show_expected = True\n")
    assert course_command("-C", tmp_path / "open", "feedback", name).returncode == 0
    for student in ("stride-of-three", "typical-slips"):
        told |= leaks(tmp_path / "open", name, student, set(FIXTURES[name, student]["lost"]))
    assert told
    # And a line of a hidden test, put into a page.
    lines, _ = secrets_of(name)
    (page,) = (tmp_path / "open" / "feedback" / "untouched" / name).glob("*.html")
    line = max(lines, key=len)
    page.write_text(page.read_text(encoding="utf-8") + html.escape(line), encoding="utf-8")
    assert line in leaks(tmp_path / "open", name, "untouched", set())
