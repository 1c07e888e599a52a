"""The true reason why a test failed that received a value which tests cannot use."""

from dataclasses import dataclass, replace

from course.checks import CheckFailed
from course.gradable import Reason
from course.instructor.sandbox.cell_error import STOPPED, CellError


@dataclass(frozen=True)
class UnusableValue:
    """A value that a test received, such as "the value that build_model returns".

    `is_placeholder` is false if only a part of the value is missing, such as a network's metrics.
    """

    description: str
    reason: Reason
    is_placeholder: bool


def explain(error: CellError, values: list[UnusableValue]) -> CellError:
    """Return a test's error, with the reason why the test could not use a value that it received.

    The message of a check about a placeholder would be false: "Did you return it?" does not help a
    student who has returned a network with a layer of their own.
    """
    if not values or error.from_student or error.class_name in (STOPPED, "NameError"):
        return error
    value = next((each for each in values if each.is_placeholder), values[0])
    clause = value.reason.sentence()
    parts = error.parts or {"subject": ""}
    if not value.is_placeholder:
        if not error.parts or value.reason.capitalized() in parts["hint"]:
            return error
        note = f"Tests cannot use all of {value.description}: {clause}."
        parts = parts | {"hint": f"{parts['hint']} {note}".strip()}
    elif parts["subject"]:
        found = f"tests cannot use {value.description}"
        hint = f"{value.reason.capitalized()}."
        parts = {"subject": parts["subject"], "got": found, "hint": hint}
    else:
        parts = {"subject": f"Tests cannot use {value.description}: {clause}."}
    return replace(error, message=str(CheckFailed(**parts)), parts=CheckFailed(**parts).parts)
