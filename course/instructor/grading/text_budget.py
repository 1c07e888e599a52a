"""How much text grading may add to a notebook, no matter what a submission makes it report."""

from typing import Any

from course.instructor.student_text.size_limits import LINE_CHARACTERS

MAX_BYTES = 2 * 2**20  # in UTF-8; the outcome of an honest submission has at most about 100 KB
SHORT_CHARACTERS = 200  # shorter texts, such as names of errors and points, are always kept
LEFT_OUT = f"(text left out: grading produced more than {MAX_BYTES // 2**20} MB of text)"


class TextBudget:
    """The remaining budget of one outcome, from which the text of each output is subtracted."""

    def __init__(self) -> None:
        self._left = MAX_BYTES

    def limit(self, value: Any) -> Any:
        """Return JSON data in which a sentence replaces each text that exceeds the budget.

        Each line counts as LINE_CHARACTERS more bytes than it has, as in a submission.
        """
        if isinstance(value, dict):
            return {key: self.limit(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.limit(each) for each in value]
        if not isinstance(value, str):
            return value
        size = len(value.encode("utf-8", "replace"))
        size += LINE_CHARACTERS * max(1, len(value.splitlines()))
        if size > self._left and len(value) > SHORT_CHARACTERS:
            return LEFT_OUT
        self._left -= size
        return value
