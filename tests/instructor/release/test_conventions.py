"""Tests of the notes on a source notebook's deviations from the conventions."""

import nbformat
import pytest

from course.instructor.release.conventions import find_deviations
from course.plotting import result_figure
from tests.conftest import cell

INSTALL = "# @title Install the course's package\n%pip install -q '{{INSTALL}}'"
RESULT = '# @title The finished result\nfrom course import plotting\n\nplotting.result("01-small")'
SOLUTION = "### BEGIN SOLUTION Set one to 1.\none = 1\n### END SOLUTION"
HINT = "<details><summary>Hint {}</summary>\n\nLook.\n\n</details>"
EXERCISE = "\n\n".join(["### Exercise 1: one (1 point)", HINT.format(1), HINT.format(2)])
OPENING = [cell("code", INSTALL), cell("code", RESULT, tags=["result-figure"])]
EXERCISE_CELLS = [
    cell("markdown", EXERCISE),
    cell("code", SOLUTION, "one"),
    cell("code", "# @title Check exercise 1\nassert one == 1", "test_one", points=1),
]
DRAWING = [cell("code", "figure = one", tags=["draws-result"])]


@pytest.fixture(autouse=True)
def figures(tmp_path, monkeypatch):
    """Have no figures but those of the test."""
    monkeypatch.setattr(result_figure, "FOLDER", tmp_path)
    monkeypatch.setattr(result_figure, "ALT_TEXTS", tmp_path / "alt_texts.toml")


def deviations(*cells):
    notebook = nbformat.from_dict(
        {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )
    return find_deviations(notebook, "01-small")


def without_figure(*cells):
    return [each for each in deviations(*cells) if "figure of 01-small" not in each]


def test_a_notebook_that_follows_the_conventions_has_none_but_a_missing_figure():
    assert deviations(*OPENING, *EXERCISE_CELLS, *DRAWING) == [
        "the figure of 01-small has no alternative text: describe it in"
        " course/plotting/result_figures/alt_texts.toml.",
        "the figure of 01-small was not drawn by the current code: run course figures 01-small,"
        " then course release 01-small.",
    ]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("%pip install -q '{{INSTALL}}'", "Install the course's package"),
        ("course.record(a=1)", "Record the results"),
        ("packing.pack('01-small', notebook='small.ipynb')", "Pack the submission"),
    ],
)
def test_a_cell_that_need_not_be_read_has_a_title(source, title):
    extra = cell("code", source)
    found = without_figure(*OPENING, *EXERCISE_CELLS, *DRAWING, extra)
    assert found == [
        f"{extra['id']} is not collapsed for students: begin it with # @title {title}."
    ]


def test_a_check_without_a_title_is_named():
    check = cell("code", "assert one == 1", "test_one", points=1)
    found = without_figure(*OPENING, *EXERCISE_CELLS[:2], check, *DRAWING)
    assert found == [
        "test_one is not collapsed for students: begin it with # @title Check exercise N."
    ]


def test_the_figure_follows_the_install_cell_and_has_no_other_code():
    other = cell("code", "# @title The finished result\nprint(1)", tags=["result-figure"])
    found = without_figure(cell("markdown", "# One"), other, *EXERCISE_CELLS, *DRAWING)
    assert found[0].startswith(f"{other['id']} does not follow the install cell")
    assert found[1].startswith(f'{other["id"]} contains code besides plotting.result("01-small")')


@pytest.mark.parametrize("missing", ["result-figure", "draws-result"])
def test_a_missing_tag_is_named(missing):
    cells = [each for each in [*OPENING, *DRAWING] if missing not in str(each["metadata"])]
    (found,) = without_figure(*cells)
    assert f"0 have the tag {missing}" in found or f"0 cells have the tag {missing}" in found


def test_each_missing_hint_is_named():
    first, *others = EXERCISE_CELLS
    text = first["source"].replace("Hint 2", "Another hint")
    found = without_figure(*OPENING, {**first, "source": text}, *others, *DRAWING)
    assert len(found) == 1 and found[0].startswith("Exercise 1 has no Hint 2: add <details>")
    found = without_figure(
        *OPENING, {**first, "source": "### Exercise 1: one (1 point)"}, *others, *DRAWING
    )
    assert [each[:24] for each in found] == ["Exercise 1 has no Hint 1", "Exercise 1 has no Hint 2"]


def test_a_written_answer_needs_no_hints():
    answer = cell("markdown", "### BEGIN SOLUTION\nYes.\n### END SOLUTION", "explain", points=1)
    question = cell("markdown", "### Exercise 2: why? (1 point)")
    assert without_figure(*OPENING, *EXERCISE_CELLS, question, answer, *DRAWING) == []


PREDICT = cell("markdown", "**Predict:** how many?")
HAPPENED = cell("markdown", "**What happened:** one.")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([PREDICT, HAPPENED, PREDICT, HAPPENED], []),
        ([PREDICT], ["no paragraph says what happened"]),
        ([PREDICT, PREDICT, HAPPENED], ["no paragraph says what happened"]),
        ([HAPPENED], ["nothing was predicted"]),
        ([PREDICT, HAPPENED, HAPPENED], ["nothing was predicted"]),
    ],
)
def test_each_prediction_is_followed_by_its_result(cells, words):
    found = without_figure(*OPENING, *EXERCISE_CELLS, *DRAWING, *cells)
    assert len(found) == len(words)
    assert all(word in each for word, each in zip(words, found, strict=True))
