"""Tables of results: HTML tables in notebooks, and text in terminals."""

import html
import textwrap
from itertools import zip_longest
from typing import Any

import numpy as np

MAX_WIDTH, TEXT_WIDTH, NARROW_TEXT_WIDTH = 100, 44, 28  # in characters: tables, text columns


class Table(str):
    """A table as text, for terminals and pages without HTML, with an HTML form for notebooks."""

    html: str

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html


def table(rows):
    """Return results as a table with one row per network, layer, or experiment.

    A notebook shows the table as an HTML table if it is the value of a cell's last line or is
    passed to `display`. `print` and feedback pages show it as text.

    Parameters
    ----------
    rows : list of dict
        Each maps column names to values; the first row determines the columns. Values in columns
        whose names end in "accuracy" are fractions and are shown as percentages.

    Returns
    -------
    Table
        A string with an HTML form. Numbers are right-aligned, and long strings are wrapped.

    Examples
    --------
    >>> table([{"network": "CNN", "parameters": 1199882, "test accuracy": 0.9903}])
    network  parameters  test accuracy
    ----------------------------------
    CNN       1,199,882          99.0%
    """
    names = list(rows[0])
    is_text = [isinstance(rows[0][name], str) for name in names]
    values = [[_format(name, row.get(name)) for name in names] for row in rows]
    result = Table(_as_text(names, is_text, values))
    result.html = _as_html(names, is_text, values)
    return result


def _as_text(names: list[str], is_text: list[bool], values: list[list[str]]) -> str:
    """Return a table as aligned text."""
    # Use the first layout that fits: plain, with wrapped headings, or also with narrow texts.
    layouts = [(False, TEXT_WIDTH), (True, TEXT_WIDTH), (True, NARROW_TEXT_WIDTH)]
    for wrap_headings, text_width in layouts:
        head = _to_lines([[name.split() if wrap_headings else [name] for name in names]], True)
        body = _to_lines([[_wrap(value, text_width) for value in row] for row in values])
        widths = [max(map(len, column)) for column in zip(*head, *body, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= MAX_WIDTH:
            break
    lines = [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, is_text, strict=True)
        ).rstrip()
        for line in head + body
    ]
    return "\n".join([*lines[: len(head)], "-" * max(map(len, lines)), *lines[len(head) :]])


def _as_html(names: list[str], is_text: list[bool], values: list[list[str]]) -> str:
    """Return a table as HTML; its colors come from the page's style sheet."""
    aligned = [f' style="text-align: {"left" if left else "right"}"' for left in is_text]

    def line(tag: str, row: list[str]) -> str:
        cells = (
            f"<{tag}{style}>{html.escape(value)}</{tag}>"
            for value, style in zip(row, aligned, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    body = "\n".join(line("td", row) for row in values)
    # Colab gives tables of this class the look of a pandas DataFrame.
    return (
        f'<table class="dataframe">\n<thead>\n{line("th", names)}\n</thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _wrap(text: str, width: int) -> list[str]:
    """Break text into lines."""
    return textwrap.wrap(text, width, break_long_words=False) or [""]


def _to_lines(rows: list[list[list[str]]], align_bottom: bool = False) -> list[tuple[str, ...]]:
    """Split rows of multi-line cells into lines; cells with fewer lines are padded."""
    lines: list[tuple[str, ...]] = []
    # To pad at the top, pad the reversed lines at the end.
    step = -1 if align_bottom else 1
    for cells in rows:
        lines += list(zip_longest(*(cell[::step] for cell in cells), fillvalue=""))[::step]
    return lines


def _format(name: str, value: Any) -> str:
    """Format a value for its column."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if name.endswith("accuracy"):
        return f"{100 * value:.1f}%"
    if name.endswith("loss"):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else f"{value:,.1f}"
