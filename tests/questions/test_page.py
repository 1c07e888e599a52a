"""Questions in the page and in code."""

import random

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from course.questions import BANK, ask, check, draw
from course.questions.page import as_quiz

KINDS = {"number": "numeric", "shape": "multiple_choice", "single": "multiple_choice",
         "several": "many_choice"}  # fmt: skip


@pytest.mark.parametrize("name", BANK)
def test_the_page_has_the_answer_every_slip_and_every_reason(name):
    for seed in (None, 1, 2):
        question = draw(name, seed)
        quiz = as_quiz(question)
        assert quiz["type"] == KINDS[question.kind]
        assert quiz["question"] == question.text
        told = [answer["feedback"] for answer in quiz["answers"]]
        wanted = [choice.reason for choice in question.choices]
        wanted += [*question.slips.values(), question.because] if not question.choices else []
        assert set(wanted) <= set(told)
        right = [answer for answer in quiz["answers"] if answer.get("correct")]
        assert len(right) == 1 or quiz["type"] == "many_choice"
        if question.kind == "number":
            assert quiz["answers"][-1]["type"] == "default"


def test_asking_shows_a_quiz_and_draws_no_random_number():
    InteractiveShell.instance()
    random.seed(5)
    before = random.getstate()
    with capture_output() as shown:
        ask("conv-parameters", "keep-size", seed=2)
    assert random.getstate() == before
    pages = "".join(str(output.data) for output in shown.outputs)
    assert "text/html" in pages and "application/javascript" in pages
    assert draw("keep-size", 2).choices[0].text in pages


def test_checking_says_right_or_why_not(capsys):
    check("conv-parameters", 36_928)
    assert capsys.readouterr().out.startswith("Right. 64 · 3 · 3 · 64 = 36,864 weights")
    check("conv-parameters", 36_864)
    assert capsys.readouterr().out.startswith("Not yet. Don't forget the biases")
    check("conv-parameters", 36_928, seed=1)
    assert capsys.readouterr().out.startswith("Not yet.")
