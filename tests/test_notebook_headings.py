import json

import pytest

from course.notebook_headings import section_headings
from tests.conftest import cell
from tests.submissions import ROOT


def test_a_cell_is_under_the_last_heading_in_or_above_it():
    exercise = "Exercise 7: training (2 points)"
    cells = [
        cell("code", "import course"),
        cell("markdown", "# Title\n\nText."),
        cell("markdown", "") | {"source": ["## 1 Train\n", "\n", f"### {exercise}\n", "Text."]},
        cell("code", "# a comment"),
        cell("raw", "# raw"),
        cell("markdown", "No heading: #tag, and\n    # code"),
        cell("markdown", "## 2 Test ##"),
    ]
    assert section_headings(cells) == ["", "Title", *[exercise] * 4, "2 Test"]


@pytest.mark.parametrize(
    "text",
    [
        "### BEGIN MARK SCHEME\n### END MARK SCHEME",
        "Look:\n```python\n# the input\nx = 1\n```",
        "Look:\n~~~\n# the input\n~~~",
    ],
)
def test_markers_and_code_blocks_have_no_headings(text):
    assert section_headings([cell("markdown", "# One"), cell("markdown", text)])[1] == "One"


def test_a_heading_after_a_code_block_counts():
    assert section_headings([cell("markdown", "```\n# no\n```\n## Yes")]) == ["Yes"]


def test_a_heading_in_an_answer_is_the_students():
    cells = [
        cell("markdown", "### Exercise 1"),
        cell("markdown", "# I think", "why"),
        cell("code", "1 + 1"),
    ]
    assert section_headings(cells) == ["Exercise 1"] * 3


@pytest.mark.parametrize("metadata", [None, [], {"nbgrader": "lost"}])
def test_damaged_metadata_do_not_matter(metadata):
    cells = [cell("markdown", "# One") | {"metadata": metadata}]
    assert section_headings(cells) == ["One"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("source/*/*.ipynb")), ids=lambda path: path.stem)
def test_a_graded_cell_of_the_course_is_under_its_exercise(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for each, heading in zip(cells, section_headings(cells), strict=True):
        if each["metadata"].get("nbgrader", {}).get("points"):
            assert heading.startswith("Exercise "), f"{each['id']} is under {heading!r}"


def test_a_long_heading_is_cut():
    assert section_headings([cell("markdown", "# " + "points " * 10_000)]) == [
        ("points " * 10_000)[:200].rstrip()
    ]
