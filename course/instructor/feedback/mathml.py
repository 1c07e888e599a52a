"""Formulas of a text as drawings that stand in a page: no script and no network shows them.

matplotlib's mathtext draws them. It knows no matrices, which become tables, and sizes of brackets
only as those of their content. What it cannot draw stands in the page as it was written.
"""

import re
from functools import lru_cache
from html import escape

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

EM = 100  # units of a drawing: curves need no more than a hundredth of a letter's size
MAX_LENGTH = 500
FONT = FontProperties(size=EM, math_fontfamily="cm")
MATRIX = re.compile(r"\\begin\{([pb]?)matrix\}(.*?)\\end\{\1matrix\}", re.S)
# What mathtext does not know, and what it knows in its place.
OTHERWISE = (
    (re.compile(r"\\[tdc]frac\b"), r"\\frac"),
    (re.compile(r"\\[bB]igg?[lrm]?\b"), ""),
)
COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


def drawn(tex, is_block=False):
    """Return a formula as HTML.

    Parameters
    ----------
    tex : str
        What stands between the dollars.
    is_block : bool
        Whether it stands in a line of its own.

    Returns
    -------
    str
    """
    html, end = "", 0
    for matrix in MATRIX.finditer(tex):
        html += _piece(tex[end : matrix.start()], is_block) + _table(matrix[2])
        end = matrix.end()
    html += _piece(tex[end:], is_block)
    return f'<span class="formula">{html}</span>' if is_block else html


def _table(text):
    # Of spans, since a formula stands in a paragraph, and a table may not.
    rows = [row.split("&") for row in text.strip().removesuffix("\\\\").split("\\\\")]
    rows = ["".join(f"<span>{_piece(cell)}</span>" for cell in row) for row in rows]
    return f'<span class="matrix">{"".join(f"<span>{row}</span>" for row in rows)}</span>'


@lru_cache(maxsize=2_000)  # the same letters stand in every page of a class
def _piece(tex, is_block=False):
    tex = " ".join(tex.split())
    if not tex:
        return ""
    try:
        return _drawing(tex, is_block)
    except (ValueError, RuntimeError, RecursionError):  # what mathtext cannot read
        return f"<code>{escape(tex)}</code>"


def _drawing(tex, is_block):
    known = tex
    for pattern, instead in OTHERWISE:
        known = pattern.sub(instead, known)
    if is_block:
        known = known.replace("\\frac", "\\dfrac")
    if len(known) > MAX_LENGTH:
        raise ValueError("too long to be drawn")
    width, height, depth = text_to_path.get_text_width_height_descent(f"${known}$", FONT, True)
    path = Path(*text_to_path.get_text_path(FONT, f"${known}$", ismath=True))
    data = "".join(
        COMMANDS[code] + " ".join(f"{number:.0f}" for number in _downwards(points))
        if code in COMMANDS
        else "Z"
        for points, code in path.iter_segments(simplify=False)
    )
    # A little more on each side, since letters reach over their boxes.
    left, top, right, bottom = -4, -(height - depth) - 6, width + 4, depth + 6
    box = f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}"
    style = f"height:{(bottom - top) / EM:.2f}em;vertical-align:{-bottom / EM:.2f}em"
    return (
        f'<svg class="math" role="img" aria-label="{escape(tex)}" viewBox="{box}" style="{style}">'
        f'<path d="{data}"/></svg>'
    )


def _downwards(points):
    """Yield a segment's coordinates; those of a page go down."""
    for x, y in points.reshape(-1, 2):
        yield from (x, 0 - y)
