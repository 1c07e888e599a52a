"""The true reason for the failure of a test that received a value that tests cannot use."""

from dataclasses import dataclass, replace

from course.checks import CheckFailed
from course.gradable import Reason
from course.instructor.sandbox.cell_error import STOPPED, CellError


@dataclass(frozen=True)
class UnusableValue:
    """A value that a test received: the value of a variable, or what a function returned.

    `is_placeholder` is false if only a part of the value is missing, such as a network's metrics.
    """

    name: str  # of the variable or the function
    is_returned: bool
    reason: Reason
    is_placeholder: bool

    @property
    def description(self) -> str:
        """The value in words, such as "the value that build_model returns"."""
        return f"the value that {self.name} returns" if self.is_returned else self.name

    def without_names(self) -> "UnusableValue":
        """Return the value without text that the student's process can choose."""
        name = "your function" if self.is_returned else self.name
        return replace(self, name=name, reason=self.reason.without_names())


def explain(error: CellError, values: list[UnusableValue], is_hidden: bool) -> CellError:
    """Return a test's error, with the reason why the test could not use a value that it received.

    The message of a check about a placeholder would be false: "Did you return it?" does not help a
    student who has returned a network with a layer of their own. If the failing line `is_hidden`,
    a student's function has received a hidden input: names, which the function can choose, are then
    left out of the parts, which students see, but not of the message, which instructors see.
    """
    if not values or error.from_student or error.class_name in (STOPPED, "NameError"):
        return error
    value = next((each for each in values if each.is_placeholder), values[0])
    parts = _parts(error, value)
    if parts is None:
        return error
    shown = _parts(error, value.without_names()) if is_hidden else parts
    return replace(error, message=str(CheckFailed(**parts)), parts=CheckFailed(**shown or {}).parts)


def _parts(error: CellError, value: UnusableValue) -> dict[str, str] | None:
    """Return the parts of the message of a failed test, or None to leave it unchanged."""
    clause, hint = value.reason.sentence(), f"{value.reason.capitalized()}."
    if value.is_placeholder and error.parts:
        found = f"tests cannot use {value.description}"
        return {"subject": error.parts["subject"], "got": found, "hint": hint}
    if value.is_placeholder:
        return {"subject": f"Tests cannot use {value.description}: {clause}."}
    if not error.parts or hint in error.parts["hint"]:
        return None
    note = f"Tests cannot use all of {value.description}: {clause}."
    return error.parts | {"hint": f"{error.parts['hint']} {note}".strip()}
