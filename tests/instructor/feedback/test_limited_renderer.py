"""A notebook's text becomes HTML within limits, whatever it contains."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.instructor.analysis.cell_names import find_names_in_submission
from course.instructor.feedback.limited_renderer import CellText, PageBudget, render_texts
from course.instructor.student_text.code_analysis import analyzed
from course.instructor.student_text.notebook_parser import REMOVED_IMAGE
from course.instructor.student_text.size_limits import (
    MAX_CELL_CHARACTERS,
    MAX_HTML_CHARACTERS,
    MAX_PAGE_CHARACTERS,
)
from course.notebook_headings import section_headings
from tests.instructor.feedback.test_html_sanitizer import elements

AS_WRITTEN = "This text is shown as it was written, because"
SLOW = {
    "blanks in a heading": "# " + " " * 70_000 + "x",
    "unclosed environments": r"\begin{a}" * 9_000,
    "brackets": "[" * 50_000,
    "quotes": "> " * 20_000,
    "stars": "*a " * 30_000,
    "backticks": "".join("`" * number + " " for number in range(400)),
    "tables": "|" * 20_000 + "\n" + "|-" * 10_000 + "\n",
    "nested lists": "".join(" " * number + "- a\n" for number in range(300)),
    "entities": "&" * 90_000,
    "links": "[a](" * 20_000,
    "definitions": "[a]: " * 10_000,
}


def render(*texts):
    return render_texts([CellText(*text) for text in texts], PageBudget())


@pytest.mark.parametrize("source", SLOW.values(), ids=SLOW)
def test_slow_markdown_does_not_delay_the_page(source):
    start = time.process_time()
    slow, other = render(("markdown", source), ("markdown", "**other** text"))
    assert time.process_time() - start < 0.5  # the work is done in the process with limits
    assert len(slow) <= MAX_HTML_CHARACTERS + 6 * MAX_CELL_CHARACTERS
    assert other == "<p><strong>other</strong> text</p>\n"


def test_text_that_would_make_the_page_too_large_is_shown_as_written():
    (html,) = render(("markdown", "".join(f"<b title={number}><p>" for number in range(700))))
    assert html.startswith(f"<p><em>{AS_WRITTEN} it ")
    assert "&lt;b title=699&gt;&lt;p&gt;" in html


def test_formulas_beyond_the_budget_are_shown_as_code():
    (html,) = render(("markdown", "".join(f"$x_{number}$ " for number in range(1_500))))
    assert html.count("<math") == 300
    assert html.count("<code>") == 1_200


def test_an_image_cannot_multiply():
    image = {"a": {"image/png": "A" * 1_000_000}}
    (once,) = render(("markdown", "![a](attachment:a)", image))
    assert len(once) > 1_000_000
    (many,) = render(("markdown", "![a](attachment:a) " * 500, image))
    assert "its images would make the page too large" in many
    assert len(many) < MAX_PAGE_CHARACTERS


def test_many_large_cells_do_not_make_a_large_page():
    image = {"a": {"image/png": "A" * 4_000_000}}
    texts = render(*[("markdown", f"![a](attachment:a) {number}", image) for number in range(20)])
    assert sum(map(len, texts)) < MAX_PAGE_CHARACTERS + 100_000
    assert "too large" not in texts[0] and "too large" in texts[-1]


def test_many_cells_of_code_do_not_make_a_slow_page():
    texts = render(*[("code", f"x{number}+" * 2_000) for number in range(100)])
    assert sum(map(len, texts)) < 6_000_000
    assert AS_WRITTEN not in texts[0] and AS_WRITTEN in texts[-1]


def test_a_text_that_many_pages_share_is_rendered_on_each(monkeypatch):
    monkeypatch.setattr("course.instructor.feedback.limited_renderer.CACHE_SIZE", 10)
    for page in range(5):
        own = [("markdown", f"own text {page} {number}") for number in range(4)]
        shared, *_ = render(("markdown", "**shared**"), *own)
        assert shared == "<p><strong>shared</strong></p>\n"


PIECES = [
    *("#", "*", "_", "`", "~", ">", "-", "+", "1.", "|", "\\", "$", "$$", "!", "[", "]", "(", ")"),
    *("<", ">", "&", ";", '"', "'", "=", ":", "\n", "\n\n", " ", "\t", "\x0c", "\ue000", "\ue001"),
    *("<b title=x>", "</b>", "<p>", "<a href=", "<img src=", "<!--", "-->", "<style>", "<table>"),
    *("data:image/png;base64,AA", "attachment:a", "http://x.org", "&#xE000;0&#xE001;", "a", "é"),
    *(r"\begin{a}", r"\end{a}", r"\frac{", r"\left(", r"\text{", r"\href{", r"\\[", r"\\(", "x^2"),
    *("def f():\n", "if a:\n  ", "lambda a: ", "a =\x0c%pwd\n", "%%time\n", "a?\n", "'''", "f'{"),
    *("```", "~~~", "=== BEGIN MARK SCHEME ===\n", "### BEGIN HIDDEN TESTS\n", "class=", "style="),
]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.integers(1, 4_000)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["markdown", "markdown", "code"]),
)
def test_generated_text_is_rendered_in_bounded_time_and_size(parts, kind):
    """Pieces of Markdown, HTML, and formulas, each repeated up to some thousand times."""
    source = "".join("".join(pieces) * count for pieces, count in parts)[:20_000]
    start, cpu = time.monotonic(), time.process_time()
    html, other = render((kind, source), ("markdown", "other"))
    section_headings([{"cell_type": "markdown", "metadata": {}, "source": source}])
    if kind == "code":
        with analyzed([source]):
            find_names_in_submission(source)
    assert time.process_time() - cpu < 1
    assert time.monotonic() - start < 60
    assert len(html) <= MAX_HTML_CHARACTERS + 6 * MAX_CELL_CHARACTERS
    assert other == "<p>other</p>\n"
    for tag, attributes in elements(html):
        assert not {"id", "style", "srcset"} & set(attributes), tag
        assert attributes.get("src", "data:").startswith("data:")
        assert tag not in ("script", "style", "iframe", "form", "object", "svg", "link", "meta")


@pytest.mark.parametrize(
    "address",
    ["attachment:a.x", "data:image/bmp;base64,AAAA", "data:image/svg+xml;base64,AA", REMOVED_IMAGE],
)
def test_an_image_that_cannot_be_shown_leaves_a_mark(address):
    (html,) = render(("markdown", f"![derivation]({address})"))
    text = "derivation (an image that cannot be shown here: see the submitted file)"
    assert html == f"<p>{text}</p>\n"
