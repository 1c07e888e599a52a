"""Placeholders in one kernel for values in the other kernel that are not plain data."""

from typing import Any


class SerializationError(Exception):
    """A value cannot be serialized or deserialized; the message says what to do instead."""


class UnserializableValue:
    """A placeholder that holds only a description of a value that cannot be serialized."""

    def __init__(self, description: str) -> None:
        self._description = description

    def __repr__(self) -> str:
        return self._description

    def __getattr__(self, name: str) -> Any:
        message = f"{self._description} has no attribute {name!r} that a test can use."
        raise _mark_as_students(AttributeError(message))

    def __bool__(self) -> bool:
        message = f"{self._description} is neither true nor false for a test."
        raise _mark_as_students(TypeError(message))


class TrainingHistory:
    """The part of a Keras `History` that tests use: each epoch's metrics and the epoch indices."""

    def __init__(self, history: dict[str, list[Any]], epoch: list[int]) -> None:
        self.history = history
        self.epoch = epoch


def describe_value(value: Any) -> str:
    """Return a short, human-readable description of a value without trusting its class."""
    kind = type(value)
    name = f"class {value.__name__}" if isinstance(value, type) else kind.__name__
    try:
        text = " ".join(repr(value).split())[:80]
    except Exception:  # the methods of a student's class may fail
        text = ""
    return f"{text} (a {name})" if text else f"a {name}"


def _mark_as_students(error: Exception) -> Exception:
    """Mark an error whose message contains student text, which may reveal a hidden input."""
    error.from_student = True  # type: ignore[attr-defined]  # read by describe_error
    return error
