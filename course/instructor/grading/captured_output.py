"""Captured output of a test cell, and the part of it that the student may see.

This module runs in the grader kernel, where the stack shows which line of the test is running.
"""

import sys
import traceback

from course.instructor.grading.redaction import hidden_lines
from course.instructor.sandbox import cell_execution

MAX_ITEMS, MAX_ITEM_LENGTH = 200, 1_000


class CapturedOutput(cell_execution.OutputBuffer):
    """The complete output of a test cell.

    `student_output` contains what visible lines print and what checks on hidden lines show. `items`
    contains the texts that all the checks show.
    """

    def __init__(self, name: str, source: str, limit: int) -> None:
        super().__init__(limit)
        self.student_output = cell_execution.OutputBuffer(limit)
        self.items: list[str] = []
        self._file = f"<{name}>"
        self._hidden_lines = hidden_lines(source)

    def write(self, text: object) -> int:
        """Append text; unless a hidden line prints it, append it to the student's output, too."""
        if not self._runs_hidden_line():
            self.student_output.write(text)
        return super().write(text)

    def on_show(self, text: str) -> None:
        """Record the text that a check shows, unless the test has redirected its output."""
        if sys.stdout is self and len(self.items) < MAX_ITEMS:
            is_hidden = self._runs_hidden_line()
            self.items.append(cell_execution.printable(text)[:MAX_ITEM_LENGTH])
            if is_hidden:
                self.student_output.write(f"{text}\n")

    def _runs_hidden_line(self) -> bool:
        """Return whether the stack has a hidden line, or no line of a test with hidden lines."""
        if not self._hidden_lines:
            return False
        stack = traceback.walk_stack(sys._getframe())
        lines = {line for frame, line in stack if frame.f_code.co_filename == self._file}
        return not lines or not lines.isdisjoint(self._hidden_lines)
