"""Judging answers of every type."""

import numpy as np
import pytest

from course.questions import Choice, Question, judge

NUMBER = Question("How many?", "number", 12, "3 · 4.", [(7, "Multiply, do not add.")], "3 · 4.")
FRACTION = Question(
    "Which fraction?", "number", 0.25, "1/4.", [(4, "The other way round.")], "1/4."
)
SHAPE = Question(
    "Which shape?", "shape", (2, 3), "As it is.", [((3, 2), "Rows come first.")], "it."
)
LETTERS = [Choice("one", True, "It is."), Choice("two", False, "It is not."),
           Choice("three", True, "It too."), Choice("four", False, "Nor this.")]  # fmt: skip
SINGLE = Question("Which?", "single", choices=tuple(LETTERS[:2]))
SEVERAL = Question("Which ones?", "several", choices=tuple(LETTERS))


@pytest.mark.parametrize(
    ("question", "answer", "credit"),
    [
        (NUMBER, 12, 1),
        (NUMBER, 12.0, 1),
        (NUMBER, np.int64(12), 1),
        (NUMBER, np.array([12]), 1),
        (NUMBER, 7, 0),
        (NUMBER, True, 0),
        (FRACTION, 0.25, 1),
        (FRACTION, np.float32(0.25), 1),
        (FRACTION, 0.26, 0),
        (SHAPE, (2, 3), 1),
        (SHAPE, [2, 3], 1),
        (SHAPE, np.array([2, 3]), 1),
        (SHAPE, (3, 2), 0),
        (SHAPE, (2, 3, 1), 0),
        (SINGLE, "a", 1),
        (SINGLE, " A ", 1),
        (SINGLE, "(a)", 1),
        (SINGLE, "b", 0),
        (SEVERAL, {"a", "c"}, 1),
        (SEVERAL, ["c", "a"], 1),
        (SEVERAL, "a, c", 1),
        (SEVERAL, "ac", 1),
        (SEVERAL, {"a"}, 0.5),
        (SEVERAL, {"a", "b"}, 0),
        (SEVERAL, {"a", "b", "c"}, 0.5),
        (SEVERAL, {"a", "b", "c", "d"}, 0),
    ],
)
def test_the_credit_of_an_answer(question, answer, credit):
    verdict = judge(question, answer)
    assert verdict.credit == credit
    assert verdict.reason


@pytest.mark.parametrize("answer", [None, ..., "", (), [], set()])
@pytest.mark.parametrize("question", [NUMBER, SHAPE, SINGLE, SEVERAL])
def test_an_empty_answer_counts_as_unanswered(question, answer):
    verdict = judge(question, answer)
    assert verdict.credit == 0
    assert verdict.reason == "there is no answer yet."


@pytest.mark.parametrize(
    ("question", "answer", "words"),
    [
        (NUMBER, "12", "'12' is not an integer, such as 128."),
        (NUMBER, (12,), "is not an integer"),
        (NUMBER, float("nan"), "Check 3 · 4."),
        (NUMBER, object, "is not an integer"),
        (FRACTION, "1/4", "is not a number, such as 0.25."),
        (NUMBER, (10**5000,), "is not an integer"),
        (NUMBER, [[10**5000], "a"], "this answer is not an integer"),
        (FRACTION, 10**400, "Check "),
        (SHAPE, (2, 3, 1), "The number of values (3) is not right: check"),
        (SHAPE, 2, "is not a tuple of integers, such as (1, 0)."),
        (SHAPE, ((2, 3), 1), "is not a tuple"),
        (SINGLE, 1, "1 is not one of the letters a and b."),
        (SINGLE, "one", "is not one of the letters"),
        (SEVERAL, {"a", "z"}, "is not a set of letters"),
        (SEVERAL, 3, "is not a set of letters"),
        (SEVERAL, {1, 2}, "is not a set of letters"),
    ],
)
def test_an_answer_of_the_wrong_type_is_told_the_expected_type(question, answer, words):
    verdict = judge(question, answer)
    assert verdict.credit == 0
    assert words in verdict.reason


def test_each_wrong_or_missing_letter_has_its_reason():
    reason = judge(SEVERAL, {"a", "b"}).reason
    assert reason == "b does not belong to the answer: It is not. c belongs to the answer: It too."
    assert judge(SEVERAL, {"b", "d"}).reason.endswith("And 1 more.")


def test_a_mistake_that_is_right_for_these_values_is_dropped():
    question = Question("?", "number", 5, "So.", [(5, "No."), (6, "First."), (6, "Second.")], "it.")
    assert question.mistakes == {6: "First."}
