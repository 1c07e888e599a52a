"""The mutations in `catalogue.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutation:
    """One replacement of text.

    Attributes
    ----------
    assignment : str
        The notebook that runs.
    what : str
        What is wrong with `new`.
    place : str
        The id of a cell of this notebook, or a path such as "course/training.py".
    old, new : str
        `old` occurs once in the place.
    """

    assignment: str
    what: str
    place: str
    old: str
    new: str

    @property
    def name(self) -> str:
        """The number of the notebook and the description."""
        return f"{self.assignment.partition('-')[0]} {self.what}"

    @property
    def is_of_package(self) -> bool:
        """Whether the place is a file of the student package."""
        return self.place.endswith(".py")


_TEXT = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
MUTATIONS = [Mutation(**each) for each in tomllib.loads(_TEXT)["mutation"]]
