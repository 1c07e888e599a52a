"""The secrets of feedback pages: the lines of hidden tests and the values that they expect."""

import ast
import html
import json
import re
import textwrap

from course.instructor.grading.redaction import STUDENT_VIEW

HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS(.*?)### END HIDDEN TESTS", re.DOTALL)
NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d+)?(?:e[+-]?\d+)?")
CHECKS = ("equal", "answer", "close", "one_of", "at_least", "array")
EXPECTED_KEYWORDS = ("expected", "options", "bound", "shape")
SHORT = 8  # characters: a line such as "    )," is not a secret


class Secrets:
    """The secrets of one assignment, without those that one student has seen anyway.

    `graded` is the text of the graded notebook, which contains them.
    """

    def __init__(self, root, assignment, student):
        release, submitted, graded, source = (
            cells_of(root / folder)
            for folder in (
                f"release/{assignment}",
                f"submitted/{student}/{assignment}",
                f"autograded/{student}/{assignment}",
                f"source/{assignment}",
            )
        )
        regions = [region for cell in source for region in HIDDEN.findall(cell["source"])]
        trees = [ast.parse(textwrap.dedent(region)) for region in regions]
        constants = [
            node.value
            for tree in trees
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
        ]
        # Students may read the strings of a check: what it tests, its hint.
        strings = [each for each in constants if isinstance(each, str)]
        known = flat("\n".join([cell["source"] for cell in [*release, *submitted]] + strings))
        # The student's own values are no secret, right or wrong.
        known_numbers = numbers_in(known).union(*map(numbers_in, _student_values(graded)))
        self.lines = {flat(line) for region in regions for line in region.splitlines()}
        self.lines = {each for each in self.lines if len(each) > SHORT and each not in known}
        numbers = {float(each) for each in constants if type(each) in (int, float)}
        numbers = {each for each in numbers if digits(each) > 3}
        # An expected value is a secret even if it has fewer digits.
        numbers |= {each for tree in trees for each in expected_in(tree) if digits(each) > 2}
        self.numbers = numbers | {float(f"{each:.6g}") for each in numbers}
        self.numbers -= known_numbers
        self.values = {each for each in _printed_values(graded) if each not in known}
        self.graded = flat("\n".join(cell["source"] + _outputs_of(cell) for cell in graded))

    def in_text(self, text):
        """Return the secret lines, values and numbers that a text contains."""
        found = {each for each in self.lines | self.values if each in text}
        return found | (self.numbers & numbers_in(text))


def cells_of(folder):
    """Return the cells of a folder's only notebook, each with its source as one string."""
    (path,) = folder.glob("*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def text_of(page):
    """Return a page's visible text and the attributes that could contain text."""
    content = html.unescape(page.read_text(encoding="utf-8"))
    content = re.sub(r"<style>.*?</style>|<path [^>]*>", "", content, flags=re.DOTALL)
    content = re.sub(r'data:image/[^"]*|(?:viewBox|style|id|href)="[^"]*"', "", content)
    # Highlighted code is split into many tags.
    return flat(re.sub(r"</?span\b[^>]*>", "", content))


def numbers_in(text):
    """Return the numbers in a text, in any notation."""
    plain = text.replace("{,}", ",")  # as in a formula
    return {float(re.sub("[,_]", "", each)) for each in NUMBER.findall(plain)}


def digits(number):
    """Return the number of significant digits of a number."""
    return len(re.sub(r"\D", "", f"{number:.12g}").strip("0"))


def flat(text):
    """Return a text with every run of whitespace replaced by a space."""
    return re.sub(r"\s+", " ", text).strip()


def _outputs_of(cell):
    return "".join(
        "".join(output.get("text", "")) + output.get("evalue", "")
        for output in cell.get("outputs", [])
    )


def expected_in(tree):
    """Yield the numbers that the checks in a syntax tree expect, by position or keyword."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if getattr(call.func, "attr", None) in CHECKS:
            expected = [*call.args[2:3]]
            expected += [each.value for each in call.keywords if each.arg in EXPECTED_KEYWORDS]
            for node in (node for each in expected for node in ast.walk(each)):
                if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                    yield float(node.value)


def _student_views(graded):
    """Yield the cells with hidden tests, each with its student view."""
    for cell in graded:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(STUDENT_VIEW)
            if view and "BEGIN HIDDEN" in cell["source"]:
                yield cell, view


def _student_values(graded):
    """Yield the student's values that a visible part prints or a failed check got."""
    for _, view in _student_views(graded):
        yield from set(view["printed"].splitlines()) - set(view["items"])
        yield (view["reason"] or {}).get("got", "")


def _printed_values(graded):
    """Yield the correct values that hidden checks printed, and the values that they expected."""
    for cell, view in _student_views(graded):
        if view["hidden"] and view["reason"].get("expected"):
            yield flat(f"{view['reason']['got']}, {view['reason']['expected']}")
        shown = view["printed"].splitlines()
        for line in _outputs_of(cell).splitlines():
            if line not in shown and any(line.startswith(f"{each}: ") for each in shown):
                yield flat(line)
