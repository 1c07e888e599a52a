"""Which words of a student's process may stand in the graded notebook, which becomes feedback.

A function is handed the hidden tests' inputs, and may keep them and say them later, in the message
of an error for one. So from the first hidden test on a message stands only where it can hold none.
"""

import re

HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.S | re.M)
WITHHELD = "(its message is not shown: it could hold what a hidden test handed in)"
UNDEFINED = re.compile(r"name '(\w+)' is not defined")
OWN_WORDS = {"Stopped"}  # the grading's, not the student's


class Reasons:
    """Decides on the messages of one submission.

    Parameters
    ----------
    job : Job
        The submission.
    """

    def __init__(self, job):
        self.sources = "\n".join(cell["source"] for cell in job.cells)
        self.told = False  # whether a hidden test has run

    def note(self, test_source):
        """Note that a test was run."""
        self.told = self.told or bool(HIDDEN.search(test_source))

    def of_cell(self, error):
        """Return the error of a student's cell as it may be shown."""
        if not self.told or error["class"] in OWN_WORDS or self._is_harmless(error["message"]):
            return error
        return error | {"class": _class(error["class"]), "message": WITHHELD, "text": ""}

    def of_test(self, error, test_source):
        """Return the error of a test as it may be shown."""
        hidden = HIDDEN.search(test_source)
        line = error["line"] or 0
        in_hidden = hidden and line > test_source.count("\n", 0, hidden.start())
        if not error.get("from_student") or self._is_harmless(error["message"]):
            return error
        if not self.told and not in_hidden:
            return error
        return error | {"class": _class(error["class"]), "message": WITHHELD}

    def _is_harmless(self, message):
        """Return whether a message stands in the submission, word for word, or names a name."""
        undefined = UNDEFINED.fullmatch(message)
        text = undefined[1] if undefined else message
        return text in self.sources


def _class(name):
    return name if re.fullmatch(r"\w{1,40}(Error|Exception|Interrupt|Exit)", name) else "an error"
