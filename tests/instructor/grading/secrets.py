"""What a feedback page must not hold: the lines of hidden tests, and what they expect."""

import ast
import html
import json
import re
import textwrap

from course.instructor.grading.redaction import STUDENT_VIEW

HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS(.*?)### END HIDDEN TESTS", re.DOTALL)
NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?:\.\d+)?(?:e[+-]?\d+)?")
CHECKS = ("equal", "answer", "close", "one_of", "at_least", "array")
NAMED = ("expected", "options", "bound", "shape")
SHORT = 8  # letters: a line such as "    )," is no secret


class Secrets:
    """The secrets of one assignment that one student has not seen anyway.

    Attributes
    ----------
    graded : str
        The graded notebook's text, which holds them.
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
        # The words of a check are there to be read: what it tests, its hint.
        words = [each for each in constants if isinstance(each, str)]
        known = flat("\n".join([cell["source"] for cell in [*release, *submitted]] + words))
        # What came is the student's own, right or not.
        known_numbers = numbers_in(known).union(*map(numbers_in, _came(graded)))
        self.lines = {flat(line) for region in regions for line in region.splitlines()}
        self.lines = {each for each in self.lines if len(each) > SHORT and each not in known}
        numbers = {float(each) for each in constants if type(each) in (int, float)}
        numbers = {each for each in numbers if digits(each) > 3}
        # What a check expects is a secret also where it is shorter.
        numbers |= {each for tree in trees for each in _expected_in(tree) if digits(each) > 2}
        self.numbers = numbers | {float(f"{each:.6g}") for each in numbers}
        self.numbers -= known_numbers
        self.values = {each for each in _printed_values(graded) if each not in known}
        self.graded = flat("\n".join(cell["source"] + _outputs_of(cell) for cell in graded))

    def in_text(self, text):
        """Return the lines, values and numbers that a text holds."""
        found = {each for each in self.lines | self.values if each in text}
        return found | (self.numbers & numbers_in(text))


def cells_of(folder):
    """Return the cells of a folder's one notebook, each with its text in one piece."""
    (path,) = folder.glob("*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def text_of(page):
    """Return a page's text as a reader sees it, and the attributes that could hold words."""
    content = html.unescape(page.read_text(encoding="utf-8"))
    content = re.sub(r"<style>.*?</style>|<path [^>]*>", "", content, flags=re.DOTALL)
    content = re.sub(r'data:image/[^"]*|(?:viewBox|style|id|href)="[^"]*"', "", content)
    # Code is coloured: a line of it is broken into many tags.
    return flat(re.sub(r"</?span\b[^>]*>", "", content))


def numbers_in(text):
    """Return the numbers of a text, whichever way they are written."""
    plain = text.replace("{,}", ",")  # as in a formula
    return {float(re.sub("[,_]", "", each)) for each in NUMBER.findall(plain)}


def digits(number):
    """Return how many digits tell a number from others."""
    return len(re.sub(r"\D", "", f"{number:.12g}").strip("0"))


def flat(text):
    """Return a text with each white space as one blank."""
    return re.sub(r"\s+", " ", text).strip()


def _outputs_of(cell):
    return "".join(
        "".join(output.get("text", "")) + output.get("evalue", "")
        for output in cell.get("outputs", [])
    )


def _expected_in(tree):
    """Yield the numbers that the checks of a parsed text expect, by their place or by name."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if getattr(call.func, "attr", None) in CHECKS:
            expected = [*call.args[2:3]]
            expected += [each.value for each in call.keywords if each.arg in NAMED]
            for node in (node for each in expected for node in ast.walk(each)):
                if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                    yield float(node.value)


def _told(graded):
    """Yield the cells with hidden tests, each with what grading has kept of its outcome."""
    for cell in graded:
        for output in cell.get("outputs", []):
            told = output.get("data", {}).get(STUDENT_VIEW)
            if told and "BEGIN HIDDEN" in cell["source"]:
                yield cell, told


def _came(graded):
    """Yield what the visible part of a test prints of the student's values, and what came."""
    for _, told in _told(graded):
        yield from set(told["printed"].splitlines()) - set(told["items"])
        yield (told["reason"] or {}).get("got", "")


def _printed_values(graded):
    """Yield what hidden checks have printed of values that are right, and what they expected."""
    for cell, told in _told(graded):
        if told["hidden"] and told["reason"].get("expected"):
            yield flat(f"{told['reason']['got']}, {told['reason']['expected']}")
        shown = told["printed"].splitlines()
        for line in _outputs_of(cell).splitlines():
            if line not in shown and any(line.startswith(f"{each}: ") for each in shown):
                yield flat(line)
