"""Graded sheets: what a student sees of them, and what marking gives."""

import pytest

from course.checks import CheckFailed
from course.errors import CourseError
from course.instructor.grading.quiz_marks import mark
from course.questions import BANK, Sheet, draw

NAMES = ["conv-parameters", "output-shape", "keep-size", "conv-facts"]


def right(sheet):
    return {key: question.solution for key, question in sheet.questions.items()}


def test_a_sheet_shows_every_question_and_no_answer():
    sheet = Sheet(*NAMES, seed=3)
    shown = sheet._repr_markdown_()
    for key, question in sheet.questions.items():
        assert f"**{key}**" in shown
        assert question.text in shown
        for choice in question.choices:
            assert choice.text in shown
            assert choice.reason not in shown
        assert not question.because or question.because not in shown
        for reason in question.slips.values():
            assert reason not in shown
    assert "q4" in repr(sheet) and "&nbsp;" not in repr(sheet)


def test_the_same_question_twice_has_other_numbers():
    sheet = Sheet("conv-parameters", "conv-parameters", seed=0)
    assert sheet.questions["q1"].text != sheet.questions["q2"].text


def test_students_may_have_numbers_of_their_own():
    texts = {Sheet(*NAMES, seed=3, student=name)._repr_markdown_() for name in ("ada", "bob", None)}
    assert len(texts) == 3
    again = Sheet(*NAMES, seed=3, student="ada")
    assert again._repr_markdown_() in texts


def test_all_right_earns_all_and_nothing_earns_nothing(capsys):
    sheet = Sheet(*NAMES, seed=3)
    assert mark(sheet, right(sheet), 8) == 8
    assert capsys.readouterr().out.count(": right.") == 4
    assert mark(sheet, {}, 8) == 0
    assert capsys.readouterr().out.count(": open.") == 4


def test_each_item_counts_by_itself_and_every_loss_has_its_reason(capsys):
    sheet = Sheet(*NAMES, seed=3)
    conv, facts = sheet.questions["q1"], sheet.questions["q4"]
    slip, reason = next(iter(conv.slips.items()))
    one_of_them = {sorted(facts.solution)[0]}
    answers = right(sheet) | {"q1": slip, "q4": one_of_them}
    assert mark(sheet, answers, 8) == round(2 * (2 + 1 / len(facts.solution)), 2)
    told = capsys.readouterr().out
    assert f"q1: not right. {reason}" in told
    assert "q4: partly right." in told
    assert told.splitlines()[-1].endswith("of 8 points.")


def test_the_numbers_of_a_sheet_without_a_name_are_told_from_ones_own(capsys):
    sheet = Sheet("conv-parameters", "dense-parameters", seed=3, student="ada")
    answers = right(Sheet("conv-parameters", "dense-parameters", seed=3))
    assert mark(sheet, answers, 2) == 0
    assert capsys.readouterr().out.count("Type your name into the parameters cell") == 2


@pytest.mark.parametrize("answers", [None, [1, 2], "q1"])
def test_answers_that_are_no_dict_are_a_sentence(answers):
    with pytest.raises(CheckFailed, match="answers is not a dict"):
        mark(Sheet(*NAMES, seed=3), answers, 8)


def test_looking_through_says_what_is_open_and_never_what_is_right(capsys):
    sheet = Sheet(*NAMES, seed=3)
    sheet.look_through({"q1": 1, "q2": ..., "q9": 3})
    assert capsys.readouterr().out == (
        "1 of 4 answered.\nStill open: q2, q3, q4.\nNo such question: q9.\n"
    )
    sheet.look_through([1])
    assert "answers is not a dict" in capsys.readouterr().out


def test_an_unknown_question_is_answered_with_the_nearest():
    with pytest.raises(CourseError, match="did you mean 'conv-parameters'"):
        draw("conv-parameter")
    with pytest.raises(CourseError, match="choose of activation-maps"):
        draw("xyz")
    assert len(BANK) > 20
