"""Placeholders in one kernel for values in the other kernel that are not plain data."""

from collections.abc import Callable
from typing import Any, TypeVar

from course.gradable import NotGradable

# Raised if a value cannot be serialized or deserialized.
SerializationError = NotGradable
Class = TypeVar("Class", bound=type)


def shown_as(name: str) -> Callable[[Class], Class]:
    """Return a decorator that sets the name of a class that Python's messages show.

    Students read these messages on feedback pages, where the names and modules of this package
    mean nothing.
    """

    def rename(kind: Class) -> Class:
        kind.__name__ = kind.__qualname__ = name
        kind.__module__ = "builtins"  # the only module that Python leaves out
        return kind

    return rename


@shown_as("unusable value")
class UnserializableValue:
    """A placeholder that holds only a description of a value that cannot be serialized."""

    def __init__(self, description: str) -> None:
        self._description = description

    def __repr__(self) -> str:
        return self._description

    # These messages contain no text of the student; `unusable_values` adds the reason.
    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"tests cannot use this value, so it has no attribute {name!r}")

    def __bool__(self) -> bool:
        raise TypeError("tests cannot use this value, so it is neither true nor false")


@shown_as("History")
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
