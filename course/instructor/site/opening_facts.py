"""What the first cells of a released notebook say about it: title, time, points, and its figure."""

import base64
import re
from dataclasses import dataclass

from nbformat import NotebookNode
from nbgrader import utils

from course.errors import CourseError
from course.instructor.release.public_files import BADGE
from course.instructor.release.result_figures import SHOWS_TAG, cells_with_tag

TITLE = re.compile(r"^# (.+)$", re.M)
TIME = re.compile(r"^\*\*Time:\*\* (.+)$", re.M)
SHORT_TIME = re.compile(r"about (?:\d+ to )?(\w+) (minutes?|hours?)")
NUMBER_WORDS = {"an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
GRADED = re.compile(r"^\*\*What is graded:\*\* (.+)$", re.M)
POINTS = re.compile(r"(\d+) points")
REQUIRED = re.compile(r"^\*\*You need to know\*\* (.+)$", re.M)


@dataclass(frozen=True)
class OpeningFacts:
    """The facts about an assignment that the site's landing page and grading page show."""

    name: str
    title: str
    time: str  # such as "about 90 minutes"
    points: int
    manual_points: int  # the points that a person gives
    required: str
    figure: bytes | None  # the PNG image of the finished result
    alt: str

    @property
    def short_title(self) -> str:
        """The number of the assignment and the first part of its title, such as "03 VGG-16"."""
        first = re.split(r":|(?<=\?)", self.title)[0]
        return f"{self.name.partition('-')[0]} {first}"

    @property
    def minutes(self) -> int:
        """The time as a number; of a range, the longest."""
        found = SHORT_TIME.fullmatch(self.time)
        assert found
        return int(NUMBER_WORDS.get(found[1], found[1])) * (60 if "hour" in found[2] else 1)


def read(name: str, notebook: NotebookNode) -> OpeningFacts:
    """Return the facts in a released notebook; raise CourseError if one of them is missing."""
    text = notebook.cells[0].source
    values = {}
    for label, pattern in {
        "a title": TITLE,
        "**Time:** about N minutes": TIME,
        "**What is graded:** N points": GRADED,
        "**You need to know**": REQUIRED,
    }.items():
        found = pattern.search(text)
        values[pattern] = found[1] if found else ""
        parts = {TIME: SHORT_TIME, GRADED: POINTS}
        if not found or (pattern in parts and not parts[pattern].search(found[1])):
            raise CourseError(
                f"the first cell of release/{name} has no line {label!r}, which the site shows: add"
                f" it to the source, and run course release {name}."
            )
    time, points = SHORT_TIME.search(values[TIME]), POINTS.search(values[GRADED])
    assert time and points
    image, alt = _figure(notebook)
    return OpeningFacts(
        name,
        values[TITLE],
        time[0],
        int(points[1]),
        _manual_points(notebook),
        values[REQUIRED],
        image,
        alt,
    )


def _manual_points(notebook: NotebookNode) -> int:
    """Return the points of the cells that a person grades."""
    manual = [cell for cell in notebook.cells if utils.is_grade(cell) and utils.is_solution(cell)]
    return round(sum(cell.metadata.nbgrader.points for cell in manual))


def without_title_and_badges(text: str) -> str:
    """Return the text of a notebook's first cell without its title and its badges.

    A page has both elsewhere, and the images of badges would be loaded from other servers.
    """
    lines = [line for line in text.splitlines() if not BADGE.fullmatch(line)]
    return TITLE.sub("", "\n".join(lines), count=1).strip()


def _figure(notebook: NotebookNode) -> tuple[bytes | None, str]:
    """Return the image that the opening cell of a release contains, and its alternative text."""
    for cell in cells_with_tag(notebook, SHOWS_TAG):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                return base64.b64decode(output.data["image/png"]), alt
    return None, ""
