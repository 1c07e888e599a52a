"""The question bank: templates by name, and a function that builds a question from one."""

import difflib
from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

from course.errors import CourseError
from course.questions.question import Question


class Template(NamedTuple):
    """A question without fixed values; `build` returns the question for keyword values."""

    build: Callable[..., Question]  # by default with the values of the course text
    draw_values: Callable[[Random], dict]


BANK: dict[str, Template] = {}


def register(name, draw_values):
    """Return a decorator that adds a function to the bank as the `build` function of a template."""

    def add(build):
        BANK[name] = Template(build, draw_values)
        return build

    return add


def register_variant(name, original, **values):
    """Add a variant of a template to the bank, with different default values."""
    build, draw_values = BANK[original]
    BANK[name] = Template(partial(build, **values), draw_values)


def draw(name, seed=None):
    """Return a question from the bank.

    Parameters
    ----------
    name : str
        A key of `BANK`.
    seed : int or str, optional
        Seed of random values; without a seed, the question has the values of the course text.

    Returns
    -------
    Question

    Raises
    ------
    CourseError
        If the bank has no such question.
    """
    if name not in BANK:
        similar = difflib.get_close_matches(str(name), BANK, n=1)
        names = f"the similar {similar[0]!r}" if similar else f"one of {', '.join(sorted(BANK))}"
        raise CourseError(f"there is no question {name!r}: choose {names}.")
    template = BANK[name]
    if seed is None:
        return template.build()
    # A string gives the same seed in every process; the hash of a tuple does not.
    return template.build(**template.draw_values(Random(f"{name}|{seed}")))


def output_size(size: int, kernel_size: int, stride: int, padding: int) -> int:
    """Return ⌊(W − F + 2P)/S⌋ + 1, the size of a convolution's output."""
    return (size - kernel_size + 2 * padding) // stride + 1


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless the count is 1."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
