"""The text that grading adds to a graded notebook has a limit, whatever a submission reports."""

import json

import pytest

from course.instructor.grading.text_budget import LEFT_OUT, MAX_BYTES, TextBudget


@pytest.mark.parametrize("text", ["x" * 300, "\U0001f600" * 300, "\n" * 300, "\u2028" * 300])
def test_texts_of_any_kind_have_one_budget_in_bytes(text):
    budget = TextBudget()
    kept = [budget.limit({"text": [text]}) for _ in range(MAX_BYTES // 300)]
    assert {"text": [text]} == kept[0]
    assert kept[-1] == {"text": [LEFT_OUT]}
    texts = [each for each in kept if each == kept[0]]
    lines = sum(len(text.splitlines()) for _ in texts)
    assert 100 * lines + sum(len(text.encode()) for _ in texts) <= MAX_BYTES
    assert len(json.dumps(kept)) < 5 * MAX_BYTES


def test_names_and_points_are_kept():
    budget = TextBudget()
    budget.limit("x" * (MAX_BYTES - 200))
    output = {"output_type": "error", "ename": "CheckFailed", "evalue": "x" * 1_000, "hidden": True}
    assert budget.limit(output) == output | {"evalue": LEFT_OUT}
    assert budget.limit({"text/plain": "0.25", "metadata": {}, "reason": None}) == {
        "text/plain": "0.25",
        "metadata": {},
        "reason": None,
    }


def test_an_honest_outcome_is_unchanged():
    outcome = [{"printed": "ok: the shape\n" * 500, "items": ["ok: the shape"] * 200}] * 20
    assert TextBudget().limit(outcome) == outcome
