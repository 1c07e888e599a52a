"""Hearing what a test says while it runs, and keeping apart what its student may read of that.

In the grader kernel, which knows the line that is at work.
"""

import sys

from course.instructor.grading.redaction import hidden_lines
from course.instructor.sandbox import execute

MAX_ITEMS, MAX_LETTERS = 200, 1_000


class Heard(execute.Printed):
    """Keeps what a test prints, and apart from it what of that a student may read.

    Parameters
    ----------
    name, source : str
        The test cell's.
    limit : int
        As in `Printed`.

    Attributes
    ----------
    told : Printed
        What visible lines print; of hidden ones what the checks tell.
    items : list of str
        What the checks tell.
    """

    def __init__(self, name, source, limit):
        super().__init__(limit)
        self.told = execute.Printed(limit)
        self.items = []
        self._file = f"<{name}>"
        self._hidden = hidden_lines(source)

    def write(self, text):
        """Keep a text."""
        if not self._is_hidden():
            self.told.write(text)
        return super().write(text)

    def hear(self, text):
        """Keep what a check tells, unless the test has sent what it prints elsewhere."""
        if sys.stdout is self and len(self.items) < MAX_ITEMS:
            hidden = self._is_hidden()
            self.items.append(execute.printable(text)[:MAX_LETTERS])
            if hidden:
                self.told.write(f"{text}\n")

    def _is_hidden(self):
        """Return whether a hidden line is at work; so it is where no line of the test is."""
        if not self._hidden:
            return False
        lines, frame = set(), sys._getframe(1)
        while frame:
            if frame.f_code.co_filename == self._file:
                lines.add(frame.f_lineno)
            frame = frame.f_back
        return not lines or not lines.isdisjoint(self._hidden)
