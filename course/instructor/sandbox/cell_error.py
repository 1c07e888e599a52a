"""The error of a cell, as data that can be sent between processes."""

import re
from dataclasses import dataclass
from typing import Any

STOPPED = "Stopped"
UNDEFINED = re.compile(r"name '(\w+)' is not defined")  # Python's message


@dataclass(frozen=True)
class CellError:
    """An error that a cell raised, or the reason why the cell was stopped.

    `lines` are line numbers of the cell, from the outermost stack frame inward, because one line
    may have called another; `source_line` is the text of the last line. `in_cell` is true if the
    cell itself raised the error, not something that it called. `parts` are the parts of a failed
    check's message, some of which may be hidden from students. `from_student` marks a message
    written by a student's code: the message can contain values that a test passed to this code.
    """

    class_name: str
    message: str
    lines: tuple[int, ...] = ()
    source_line: str = ""
    in_cell: bool = False
    parts: dict[str, str] | None = None
    from_student: bool = False

    @property
    def line(self) -> int | None:
        """The innermost of the cell's line numbers, if any is known."""
        return self.lines[-1] if self.lines else None

    @classmethod
    def stopped(cls, message: str) -> "CellError":
        """Return the error of a cell that was stopped or not run."""
        return cls(STOPPED, message)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "CellError":
        """Return the error that `asdict` described; never for data from a student's process."""
        return cls(**fields | {"lines": tuple(fields["lines"])})
