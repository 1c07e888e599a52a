"""Graded quizzes: how they are shown and marked."""

import numpy as np
import pytest

from course.checks import CheckFailed
from course.errors import CourseError
from course.instructor.grading.quiz_marks import mark
from course.questions import BANK, Question, Quiz, draw, report

NAMES = ["conv-parameters", "output-shape", "keep-size", "conv-facts"]


def right(quiz):
    return {key: question.solution for key, question in quiz.questions.items()}


def test_a_quiz_shows_every_question_and_no_answer():
    quiz = Quiz(*NAMES, seed=3)
    shown = quiz._repr_markdown_()
    for key, question in quiz.questions.items():
        assert f"**{key}**" in shown
        assert question.text in shown
        for choice in question.choices:
            assert choice.text in shown
            assert choice.reason not in shown
        assert not question.explanation or question.explanation not in shown
        for reason in question.mistakes.values():
            assert reason not in shown
    assert "q4" in repr(quiz) and "&nbsp;" not in repr(quiz)


def test_a_repeated_question_has_different_values():
    quiz = Quiz("conv-parameters", "conv-parameters", seed=0)
    assert quiz.questions["q1"].text != quiz.questions["q2"].text


def test_values_can_differ_from_student_to_student():
    texts = {Quiz(*NAMES, seed=3, student=name)._repr_markdown_() for name in ("ada", "bob", None)}
    assert len(texts) == 3
    again = Quiz(*NAMES, seed=3, student="ada")
    assert again._repr_markdown_() in texts


def test_right_answers_earn_all_points_and_no_answers_none(capsys):
    quiz = Quiz(*NAMES, seed=3)
    assert mark(quiz, right(quiz), 8) == 8
    assert capsys.readouterr().out.count(": right.") == 4
    assert mark(quiz, {}, 8) == 0
    assert capsys.readouterr().out.count(": open.") == 4


def test_each_question_counts_separately_and_every_lost_point_has_its_reason(capsys):
    quiz = Quiz(*NAMES, seed=3)
    conv, facts = quiz.questions["q1"], quiz.questions["q4"]
    mistake, reason = next(iter(conv.mistakes.items()))
    one_of_them = {sorted(facts.solution)[0]}
    answers = right(quiz) | {"q1": mistake, "q4": one_of_them}
    assert mark(quiz, answers, 8) == round(2 * (2 + 1 / len(facts.solution)), 2)
    printed = capsys.readouterr().out
    assert f"q1: not right. {reason}" in printed
    assert "q4: partly right." in printed
    assert printed.splitlines()[-1].endswith("of 8 points.")


def test_answers_to_the_quiz_without_a_student_name_are_recognized(capsys):
    quiz = Quiz("conv-parameters", "dense-parameters", seed=3, student="ada")
    answers = right(Quiz("conv-parameters", "dense-parameters", seed=3))
    assert mark(quiz, answers, 2) == 0
    assert capsys.readouterr().out.count("Type your name into the parameters cell") == 2


@pytest.mark.parametrize("answers", [None, [1, 2], "q1"])
def test_answers_that_are_not_a_dict_fail_with_a_sentence(answers):
    with pytest.raises(CheckFailed, match=r"answers is not a dict: write, for example, answers ="):
        mark(Quiz(*NAMES, seed=3), answers, 8)


def test_unanswered_questions_are_reported_but_not_what_is_right(capsys):
    quiz = Quiz(*NAMES, seed=3)
    quiz.report_unanswered({"q1": np.array([1, 2]), "q2": ..., "q9": 3})
    assert capsys.readouterr().out == (
        "0 of 4 questions answered.\nNot answered yet: q2, q3, q4.\n"
        "q1 cannot be graded: array([1, 2]) is not an integer, such as 128. Write a number without"
        " commas or parentheses.\nThere is no question q9.\n"
    )
    quiz.report_unanswered([1])
    assert "answers is not a dict: write, for example, answers =" in capsys.readouterr().out


PLACEHOLDERS = [..., None, "", "...", " … ", (), (..., ..., ...), (28, ..., 64), ["..."], {""}]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_is_not_an_answer(placeholder, capsys):
    quiz = Quiz(*NAMES, seed=3)
    answers = dict.fromkeys(quiz.questions, placeholder)
    quiz.report_unanswered(answers)
    printed = capsys.readouterr().out
    assert printed == "0 of 4 questions answered.\nNot answered yet: q1, q2, q3, q4.\n"
    assert mark(quiz, answers, 8) == 0
    assert capsys.readouterr().out.count(": open. there is no answer yet.") == 4


def test_an_answer_of_a_wrong_form_is_reported_with_the_form_that_is_wanted(capsys):
    quiz = Quiz(*NAMES, seed=3)
    answers = {"q1": (368, 760), "q2": "28 x 28", "q3": "Convolution", "q4": {"a", "z"}}
    quiz.report_unanswered(answers)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "0 of 4 questions answered."
    assert [line.split(":")[0] for line in lines] == [f"q{n} cannot be graded" for n in range(1, 5)]
    assert "Write a number without commas" in lines[0]
    assert "is not a tuple of integers, such as (28, 28, 1)." in lines[1]
    assert "is not one of the letters a, b, c and d." in lines[2]
    assert 'is not a set of letters, such as {"a", "c"}.' in lines[3]


def test_wrong_answers_of_the_right_form_are_not_reported(capsys):
    quiz = Quiz(*NAMES, seed=3)
    quiz.report_unanswered({"q1": -1, "q2": (1, 1), "q3": " B ", "q4": ["a"]})
    assert capsys.readouterr().out == "4 of 4 questions answered.\n"


def test_an_unknown_name_is_answered_with_the_most_similar_one():
    with pytest.raises(CourseError, match="choose the similar 'conv-parameters'"):
        draw("conv-parameter")
    with pytest.raises(CourseError, match="choose one of activation-maps"):
        draw("xyz")
    assert len(BANK) > 20


def test_a_report_says_for_each_question_whether_its_answer_is_right(capsys):
    asked = {
        "one": Question("", "number", 7, "It is seven.", [(6, "One is missing.")], "the sum."),
        "two": Question("", "shape", (1, 2), "Yes.", [], "the order."),
        "three": Question("", "number", 5),
    }
    report(asked, {"one": 6, "two": (1, 2)})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Not yet: one: One is missing."
    assert lines[1] == "ok: two: Yes."
    assert lines[2] == "Not yet: three: there is no answer yet."
    report(asked, [1, 2])
    assert capsys.readouterr().out.startswith("Not yet: answers is not a dict")
