"""Captured output of a cell in the grader kernel, and the part that the student may see.

In that kernel, the call stack shows which line of a test cell is running.
"""

import sys
import traceback
from types import FrameType
from typing import Any

from course.instructor.grading.redaction import hidden_lines
from course.instructor.sandbox import cell_execution

MAX_ITEMS, MAX_ITEM_LENGTH = 200, 1_000
QUIZ_MODULE = "course.instructor.grading.quiz_marks"


class CapturedOutput(cell_execution.OutputBuffer):
    """The complete output of a cell, up to `limit` characters.

    `visible_output` contains what visible lines print, and `hidden_output` what checks on hidden
    lines show. `visible_items` and `hidden_items` contain the texts that checks on such lines show,
    at most MAX_ITEMS each; `quiz_items` contains the texts in both that `quiz_marks` composed.
    """

    def __init__(self, name: str, source: str, limit: int) -> None:
        super().__init__(limit)
        self.visible_output = cell_execution.OutputBuffer(limit)
        self.hidden_output = cell_execution.OutputBuffer(limit)
        self.visible_items: list[str] = []
        self.hidden_items: list[str] = []
        self.quiz_items: list[str] = []
        self._file = f"<{name}>"
        self._hidden_lines = hidden_lines(source)

    def write(self, text: object) -> int:
        """Append text; unless a hidden line prints it, append it to the visible output, too."""
        if not self._runs_hidden_line():
            self.visible_output.write(text)
        return super().write(text)

    def on_show(self, text: str) -> None:
        """Record the text that a check shows, unless the test has redirected its output."""
        is_hidden = self._runs_hidden_line()
        items = self.hidden_items if is_hidden else self.visible_items
        if sys.stdout is not self or len(items) >= MAX_ITEMS:
            return
        item = cell_execution.printable(text)[:MAX_ITEM_LENGTH]
        items.append(item)
        if is_hidden:
            self.hidden_output.write(f"{item}\n")
        if any(frame.f_globals.get("__name__") == QUIZ_MODULE for frame in _stack()):
            self.quiz_items.append(item)

    def as_dict(self) -> dict[str, Any]:
        """Return the captured output and messages as a dict of strings and lists."""
        return {
            "printed": self.text(),
            "visible_printed": self.visible_output.text(),
            "hidden_printed": self.hidden_output.text(),
            "visible_items": self.visible_items,
            "hidden_items": self.hidden_items,
            "quiz_items": self.quiz_items,
        }

    def _runs_hidden_line(self) -> bool:
        """Return whether a hidden line runs; if no line of the test is on the stack, assume so."""
        if not self._hidden_lines:
            return False
        stack = traceback.walk_stack(sys._getframe())
        lines = {line for frame, line in stack if frame.f_code.co_filename == self._file}
        return not lines or not lines.isdisjoint(self._hidden_lines)


def _stack() -> list[FrameType]:
    """Return the frames on the call stack, the innermost first."""
    return [frame for frame, _ in traceback.walk_stack(sys._getframe())]
