"""Which words of a student's process may stand in the graded notebook, which becomes feedback.

A function is handed the hidden tests' inputs, and may keep them and say them later, in the message
of an error for one. So from the first hidden test on a message stands only where it can hold none.
"""

import ast
import re

from course.instructor.analysis.cell_names import parse
from course.instructor.sandbox.execute import is_builtin_exception

HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.S | re.M)
WITHHELD = "(its message is not shown: it could hold what a hidden test handed in)"
UNDEFINED = re.compile(r"name '(\w+)' is not defined")


class Reasons:
    """Decides on the messages of one submission.

    Parameters
    ----------
    job : Job
        The submission.
    """

    def __init__(self, job):
        self.sources = "\n".join(cell["source"] for cell in job.cells)
        self.words = set().union(*(_own_words(cell["source"]) for cell in job.cells))
        self.told = False  # whether a hidden test has run

    def note(self, test_source):
        """Note that a test was run."""
        self.told = self.told or bool(HIDDEN.search(test_source))

    def of_cell(self, error):
        """Return the error of a student's cell as it may be shown."""
        if not self.told or not error.get("from_student"):
            return error
        return self._withheld(error)

    def of_test(self, error, test_source):
        """Return the error of a test as it may be shown."""
        if error.get("from_student") and (self.told or self._reached_hidden(error, test_source)):
            return self._withheld(error)
        return error

    def _reached_hidden(self, error, test_source):
        """Return whether a hidden line may have run before; a visible one may call it, too."""
        hidden = hidden_lines(test_source)
        return bool(hidden) and max(error["lines"], default=min(hidden)) >= min(hidden)

    def _withheld(self, error):
        """Return an error without what could hold a secret; the name of a class could, too."""
        known = is_builtin_exception(error["class"]) or error["class"] in self.words
        message = error["message"] if self._is_harmless(error["message"]) else WITHHELD
        text = error["text"] if error["text"] in self.sources else ""
        return error | {
            "class": error["class"] if known else "Error",
            "message": message,
            "parts": None,
            "text": text,
        }

    def _is_harmless(self, message):
        """Return whether a message stands in the submission, word for word, or names a name."""
        undefined = UNDEFINED.fullmatch(message)
        return message == "" or (undefined[1] if undefined else message) in self.words


def hidden_lines(source):
    """Return the numbers of a test's lines that students do not get."""
    lines = set()
    for region in HIDDEN.finditer(source):
        first = source.count("\n", 0, region.start()) + 1
        lines |= set(range(first, first + len(region[0].splitlines())))
    return lines


def _own_words(source):
    """Return a cell's names and the texts with which it raises errors.

    Not any part of its text: a list of all numbers would hold every hidden one.
    """
    words = set()
    for node in ast.walk(parse(source) or ast.Pass()):
        match node:
            case ast.Name(id=name) | ast.ClassDef(name=name):
                words.add(name)
            case ast.Raise(exc=ast.Call(args=[ast.Constant(value=str(text))])):
                words.add(text)
    return words
