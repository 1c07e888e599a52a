"""Text that browsers lay out slowly is shown in a form that they lay out in bounded time."""

import re
import time
import unicodedata

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course.instructor.feedback import cell_renderer
from course.instructor.feedback.formgrader import RenderCells
from course.instructor.feedback.limited_renderer import CellText, PageBudget, render_texts
from course.instructor.student_text.layout_limits import MAX_MARKS, limit_layout

SLOW = {
    "accents": "a" + "\u0301" * 80_000,
    "Arabic marks": "\u0628" + "\u0651" * 80_000,
    "Thai vowels": "\u0e01" + "\u0e33" * 80_000,
    "marks and joiners": "a" + "\u0301\u200d" * 40_000,
}
MIXED = {
    "Hebrew and Latin letters": "\u05d0a" * 40_000,
    "isolates": "\u2067a\u2069" * 25_000,
    "overrides": "\u202ea\u202c" * 25_000,
    "blanks": "\u05d0 a " * 20_000,
    "paragraphs": "\u2029\u05d0a" * 25_000,
    "symbols": "\u05d0\u2336" * 40_000,
    "next lines": "\x85" + "\u05d0a" * 40_000,
}
HONEST = [
    "caf\u00e9 cafe\u0301 n\u0303",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd CNN \u05e2\u05dd 3 \u05e9\u05db\u05d1\u05d5\u05ea\n"
    * 300,
    "\u0628\u0651\u064e\u0646 " * 5_000,
    "\u0e19\u0e49\u0e33" * 1_000,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 1_000,
]


def outputs(text):
    """Return an output's text on the feedback page and in the formgrader."""
    page = cell_renderer.render_output({"output_type": "stream", "text": text})
    error = {"ename": "E", "evalue": "e", "traceback": [text[:1_000]] * (len(text) // 1_000)}
    made = [
        new_output("stream", text=text),
        new_output("display_data", data={"text/plain": text}),
        new_output("error", **error),
    ]
    nb, _ = RenderCells().preprocess(new_notebook(cells=[new_code_cell("1", outputs=made)]), {})
    stream, shown, failed = nb.cells[0].outputs
    yield from (str(page), stream.text, shown.data["text/plain"], "".join(failed.traceback))


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_outputs_have_few_marks_in_succession(text):
    start = time.process_time()
    for shown in outputs(text):
        assert not re.search(f"[{re.escape(text[1:3])}]{{{MAX_MARKS + 1}}}", shown)
    assert time.process_time() - start < 1


def test_many_outputs_with_different_marks_take_no_longer():
    marks = [
        chr(code) for code in range(0x0300, 0x1E950) if unicodedata.category(chr(code)) == "Mn"
    ]
    start = time.process_time()
    for number in range(2_000):
        text = "a" + "".join(marks[:number] + marks[number + 1 :])
        assert limit_layout(text) == "a" + "".join(marks[:number] + marks[number + 1 :])[:MAX_MARKS]
    assert time.process_time() - start < 5


@pytest.mark.parametrize("text", MIXED.values(), ids=MIXED)
def test_outputs_have_one_direction_if_it_changes_too_often(text):
    for shown in outputs(text):
        lines = re.sub("^<pre[^>]*>|</pre>$", "", shown).split("\n")
        assert all(line.startswith("\u202d") for line in lines)
        assert not re.search("[\u202a-\u202c\u202e\u2066-\u2069\u2029\x85]", shown)


@pytest.mark.parametrize("kind", ["markdown", "code", "raw"])
@pytest.mark.parametrize("text", [*SLOW.values(), *MIXED.values()], ids=[*SLOW, *MIXED])
def test_the_text_of_cells_is_shown_as_written_within_the_same_limits(kind, text):
    source = f"# {text}" if kind == "code" else text
    (html,) = render_texts([CellText(kind, source)], PageBudget())
    assert limit_layout(html) == html or "\n\u202d" in html or ">\u202d" in html


@pytest.mark.parametrize(
    "source", ["a" + "&#769;" * 10_000, "a" + "\u0301<b></b>" * 5_000, "a" + "&#x301;" * 9]
)
def test_marks_cannot_hide_in_entities_or_between_tags(source):
    (html,) = render_texts([CellText("markdown", source)], PageBudget())
    assert "a browser would take too long to format it" in html


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_is_shown_unchanged(text):
    assert limit_layout(text) == text
    (html,) = render_texts([CellText("markdown", text)], PageBudget())
    assert "as it was written" not in html
