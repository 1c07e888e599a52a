"""Tests of the tables that notebooks show."""

import numpy as np
from IPython.core.formatters import DisplayFormatter

import course
from course.instructor.feedback.cell_renderer import render_output
from course.tables import Table


def test_a_table_aligns_names_left_and_numbers_right():
    found = course.table(
        [
            {"network": "linear", "parameters": 7_850, "seconds": 3.21, "test accuracy": 0.9012},
            {"network": "CNN", "parameters": np.int64(1_199_882), "seconds": np.float64(1234.5)},
        ]
    )
    assert found.splitlines() == [
        "network  parameters  seconds  test accuracy",
        "-------------------------------------------",
        "linear        7,850      3.2          90.1%",
        "CNN       1,199,882  1,234.5              -",
    ]


def test_a_table_ignores_columns_missing_from_the_first_row():
    assert "seconds" not in course.table([{"network": "a"}, {"network": "b", "seconds": 1.0}])


def test_a_table_wraps_long_texts_between_words():
    words = " ".join(f"layer({number})" for number in range(12))
    found = course.table([{"network": "a", "seconds": 1.0, "words": words}, {"network": "b"}])
    lines = found.splitlines()
    assert lines[2] == "a            1.0  " + " ".join(words.split()[:5])
    assert lines[3] == " " * 18 + " ".join(words.split()[5:10])
    assert lines[4] == " " * 18 + " ".join(words.split()[10:])
    assert lines[5] == "b              -  -"


def test_a_table_wraps_its_headings_if_it_is_too_wide():
    row = {"network": "a", "validation accuracy": 0.5, "seconds": 1.0}
    assert course.table([row]).splitlines()[0] == "network  validation accuracy  seconds"
    lines = course.table([row | {f"loss number {n}": 0.25 for n in range(6)}]).splitlines()
    assert lines[0].split() == ["loss"] * 6
    assert lines[1].split() == ["validation"] + ["number"] * 6
    assert lines[2].split() == ["network", "accuracy", "seconds", *"012345"]
    assert lines[4].split()[:4] == ["a", "50.0%", "1.0", "0.2"]
    assert max(map(len, lines)) < 100


ROWS = [
    {"network": "a <b> & c", "parameters": 1_000, "test accuracy": 0.5},
    {"network": "d", "parameters": 5},
]


def test_a_notebook_shows_a_table_as_html_and_a_terminal_as_text():
    data, _ = DisplayFormatter().format(course.table(ROWS))
    assert data["text/plain"] == str(course.table(ROWS))
    assert data["text/plain"].splitlines()[2] == "a <b> & c       1,000          50.0%"
    assert data["text/html"].count("<tr>") == 3
    assert '<td style="text-align: left">a &lt;b&gt; &amp; c</td>' in data["text/html"]
    assert '<td style="text-align: right">50.0%</td>' in data["text/html"]
    assert '<td style="text-align: right">-</td></tr>' in data["text/html"]


def test_a_feedback_page_shows_the_text_of_a_table():
    data, _ = DisplayFormatter().format(course.table(ROWS))
    page = render_output({"output_type": "execute_result", "data": data})
    assert "1,000          50.0%" in page
    assert "<table" not in page


def test_a_table_is_text_that_can_be_joined_and_printed():
    table = course.table(ROWS)
    assert type(table) is Table
    assert type("\n".join([table, "below"])) is str
    assert f"{table}".startswith("network")
