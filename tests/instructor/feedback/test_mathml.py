"""Formulas as MathML, including hostile ones."""

import re
import time
from itertools import pairwise

import pytest

from course.instructor.feedback.cell_renderer import render_markdown
from course.instructor.feedback.mathml import MAX_LENGTH, to_mathml
from tests.attacks.observation import scripts


def doublings(count):
    """Return a formula whose macros double the number of letters `count` times."""
    names = [chr(ord("a") + number) for number in range(count + 1)]
    steps = [rf"\def\{new}{{{{\{old}}}{{\{old}}}}}" for old, new in pairwise(names)]
    return rf"\def\a{{x}}{''.join(steps)}\{names[-1]}"


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"\frac{a + b}{2}", "<mfrac>"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "<mtable"),
        (r"7{,}850", '<mo lspace="0" rspace="0">,</mo>'),
        (r"\log p", '<mo lspace="0.17em" rspace="0.17em">log</mo>'),
        (r"\max(z, 0)", '<mo lspace="0.17em" rspace="0">max</mo>'),
        ("a < b", "<mo>&lt;</mo>"),
    ],
)
def test_a_formula_is_mathml(tex, expected):
    assert expected in to_mathml(tex)
    assert to_mathml(tex, is_block=True).startswith('<span class="formula"><math display="block">')


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>document.title='taken-over'</script>}",
        r"\text{<img src=x onerror=document.title='taken-over'>}",
        r"\text{&lt;script&gt;document.title='taken-over'&lt;/script&gt;}",
        r"\href{javascript:document.title='taken-over'}{x}",
        r"\style{background:url(//example.org)}{x}",
        r"""\color{red" onload="document.title='taken-over'}{x}""",
        r"<script>document.title='taken-over'</script>",
        r"\frac{<script>document.title='taken-over'</script>",
    ],
)
def test_nothing_in_a_formula_runs(tex):
    html = render_markdown(f"$${tex}$$")
    assert not scripts(html)
    assert "href=" not in html and "style=" not in html and "onload=" not in html


@pytest.mark.parametrize(
    "tex",
    [
        r"\frac{1}{", r"\left(", "x_a_b", r"\begin{array}", doublings(20), "x" * 100_000,
        "x" * (MAX_LENGTH + 1),
    ],
)  # fmt: skip
def test_a_formula_that_cannot_be_converted_is_shown_as_code(tex):
    start = time.process_time()
    assert to_mathml(tex).startswith("<code>")
    assert time.process_time() - start < 1


@pytest.mark.parametrize("piece", ["(", "{", "x_", r"\frac{", r"\sqrt", r"\hat{", "&", "1em", "'"])
def test_a_long_formula_is_converted_quickly(piece):
    tex = (piece * MAX_LENGTH)[:MAX_LENGTH]
    start = time.process_time()
    assert len(to_mathml(tex, is_block=True)) < 100 * MAX_LENGTH
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "tex",
    [
        r"\raise {}{{x}}", r"\lower {}{{x}}", r"\raise -{}{{x}}", r"\moveleft {}{{x}}",
        r"\moveright -{}{{x}}", r"\hspace{{-{}}}x", r"\kern -{} x", r"\hspace{{{}}}x",
        r"a \above {} b", r"\rule{{{}}}{{{}}}", r"\genfrac(){{{}}}{{0}}{{a}}{{b}}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("length", ["24em", "400in", "900px", "9999pt", "99ex", "999mu", "100cm"])
def test_no_length_moves_text_over_the_page(tex, length):
    shown = to_mathml(tex.format(length, length))
    assert not re.search(r'="[+-]?\d{2,}', shown)
    assert 'linethickness="9' not in shown


@pytest.mark.parametrize(
    ("piece", "count"), [(r"\raise 1em{", 20), (r"\hspace{-1em}", 30), (r"\above 1em ", 10)]
)
def test_small_shifts_do_not_add_up(piece, count):
    tex = piece * count + "x" + "}" * (piece.count("{") - piece.count("}")) * count
    assert to_mathml(tex).startswith("<code>")


@pytest.mark.parametrize(
    "tex", [r"a\!b\,c\quad d", r"\hspace{2em}x", r"\raise .5ex{x}", r"\kern -0.1em x"]
)
def test_ordinary_spacing_is_kept(tex):
    shown = to_mathml(tex)
    assert shown.startswith("<math") and ("mspace" in shown or "voffset" in shown)
