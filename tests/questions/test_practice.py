"""Questions on the page and in code."""

import random
import re

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from course.questions import BANK, ask, check, draw
from course.questions.practice import jupyterquiz_question
from tests.chromium import launched, needs_chromium

KINDS = {"number": "numeric", "shape": "multiple_choice", "single": "multiple_choice",
         "several": "many_choice"}  # fmt: skip


@pytest.mark.parametrize("name", BANK)
def test_the_page_contains_the_answer_every_mistake_and_every_reason(name):
    for seed in (None, 1, 2):
        question = draw(name, seed)
        quiz = jupyterquiz_question(question)
        assert quiz["type"] == KINDS[question.kind]
        assert quiz["question"].startswith(question.text)
        feedback = [answer["feedback"] for answer in quiz["answers"]]
        expected = [choice.reason for choice in question.choices]
        expected += (
            [*question.mistakes.values(), question.explanation] if not question.choices else []
        )
        assert set(expected) <= set(feedback)
        right = [answer for answer in quiz["answers"] if answer.get("correct")]
        assert len(right) == 1 or quiz["type"] == "many_choice"
        if question.kind == "number":
            assert quiz["answers"][-1]["type"] == "default"


def test_asking_shows_a_quiz_and_leaves_the_random_state_as_it_was():
    InteractiveShell.instance()
    random.seed(5)
    state, ids = random.getstate(), set()
    for _ in range(2):
        with capture_output() as shown:
            ask("conv-parameters", "keep-size", seed=2)
        assert random.getstate() == state
        pages = "".join(str(output.data) for output in shown.outputs)
        assert "text/html" in pages and "application/javascript" in pages
        assert draw("keep-size", 2).choices[0].text in pages
        assert pages.count("<div") == pages.count("</div>"), (
            "the quiz does not enclose the rest of the page"
        )
        ids.add(re.search(r'<div id="(\w+)"', pages)[1])
    assert len(ids) == 2, "two quizzes on a page need two ids"


def test_checking_prints_if_an_answer_is_right_and_why(capsys):
    check("conv-parameters", 36_928)
    assert capsys.readouterr().out.startswith("Right. 64 · 3 · 3 · 64 = 36,864 weights")
    check("conv-parameters", 36_864)
    assert capsys.readouterr().out.startswith("Not yet. Don't forget the biases")
    check("conv-parameters", 36_928, seed=1)
    assert capsys.readouterr().out.startswith("Not yet.")


@pytest.mark.browser
@needs_chromium
def test_on_the_page_a_mistake_gets_its_reason(tmp_path):
    InteractiveShell.instance()
    parts = ["<!doctype html><body>"]
    for names in (["conv-parameters", "conv-facts"], ["dense-parameters"]):
        with capture_output() as shown:
            ask(*names)
        for output in shown.outputs:
            parts.append(output.data.get("text/html", ""))
            parts.append(f"<script>{output.data.get('application/javascript', '')}</script>")
    path = tmp_path / "quiz.html"
    path.write_text("\n".join(parts), encoding="utf-8")
    with launched() as browser:
        page = browser.new_page()
        page.goto(path.as_uri())
        typed = page.locator("input.Input-text")
        assert typed.count() == 2, "both quizzes are on the page"
        for answer, reason in [
            ("36864", "Don't forget the biases"),
            ("12345", "Check filters"),
            ("36928", "64 · 3 · 3 · 64 = 36,864 weights"),
        ]:
            typed.first.fill(answer)
            typed.first.press("Enter")
            page.get_by_text(reason).wait_for(timeout=10_000)
        page.get_by_text("Each of its filters has 27 weights.").click()
        page.get_by_text("3 · 3 positions in each of 3 channels.").wait_for(timeout=10_000)
