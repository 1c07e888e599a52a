"""The note about a problem with a submission shows a student's text as it is."""

from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course.instructor.feedback.cell_renderer import render_markdown
from course.instructor.grading.submission import apply_outcome, grading_note

NAMES = {
    "link": "[**Confirm full credit**](https:&#47;&#47;evil.example).ipynb",
    "address": "https://evil.example <https://evil.example> www.evil.example",
    "mail": "[a](mailto:a@evil.example) a@evil.example [a](mailto&colon;a@evil.example)",
    "image": "![a](data:image/png;base64,AAAA) ![a][b]",
    "HTML": "<b>a</b> &lt;b&gt; &sol; &amp; &amp;amp;",
    "formatting": "*a* _a_ **a** ~~a~~ `a` ==a== ^a^",
    "formula": r"$x^2$ \(x\) \[x\] \begin{matrix}x\end{matrix}",
    "ordinary": "submitted/bob_b/01-small/small.ipynb: [Errno 28] it's 3 * 4 \\ 5",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_in_the_note_are_not_markdown(name):
    nb = new_notebook()
    job = SimpleNamespace(reference=SimpleNamespace(fingerprint="a"), submission="", helpers=[])
    apply_outcome(nb, job, SimpleNamespace(is_graded=False, outputs={}, note=f"(found: {name})"))
    html = render_markdown(nb.cells[0].source)
    text = f"(found: {name})".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert html.strip() == f"<p><strong>While this was graded:</strong> {text}</p>"
    assert grading_note(nb.cells[0]) == f"While this was graded: (found: {name})"


@pytest.mark.parametrize("is_test", [True, False], ids=["test", "code graded by a person"])
def test_an_error_in_a_code_answer_that_a_person_grades_removes_no_output(is_test):
    submitted = new_output("stream", text="a table")
    metadata = {"nbgrader": {"grade_id": "plot", "grade": True}}
    nb = new_notebook(cells=[new_code_cell("", outputs=[submitted], metadata=metadata)])
    reference = SimpleNamespace(fingerprint="a", is_test=lambda name: is_test and name == "plot")
    failed = new_output("error", ename="ModuleNotFoundError", evalue="", traceback=[])
    outcome = SimpleNamespace(is_graded=True, outputs={"0": [failed]}, note=None)
    apply_outcome(nb, SimpleNamespace(reference=reference, submission="", helpers=[]), outcome)
    assert nb.cells[0].outputs == ([failed] if is_test else [submitted, failed])


def test_a_students_cell_is_not_a_note():
    assert grading_note(new_markdown_cell("**While this was graded:** full marks")) == ""
