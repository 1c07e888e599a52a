"""One-dimensional convolutions and pooling by hand, compared with NumPy and Keras."""

import random

import keras
import numpy as np
import pytest

from course.questions import BANK, convolution_1d, draw, judge

SEEDS = [None, *range(150)]


def test_the_result_is_that_of_numpy():
    for seed in range(40):
        template = BANK["convolve-row"]
        drawn = template.draw_values(random.Random(seed))
        padded = np.pad(drawn["signal"], drawn["padding"])
        right = np.correlate(padded, drawn["kernel"], "valid")[:: drawn["stride"]].tolist()
        (chosen,) = (choice for choice in template.build(**drawn).choices if choice.is_right)
        assert chosen.text == ", ".join(map(str, right)).replace("-", "−")
        del drawn["order"]
        question = convolution_1d.by_hand(**drawn)
        assert judge(question, tuple(right)).credit == 1
        assert judge(question, right).credit == 1
        assert len(question.mistakes) >= 3
        for wrong in filter(None, question.mistakes):
            assert judge(question, wrong) == type(judge(question, right))(
                0, question.mistakes[wrong]
            )


def test_the_choices_of_a_question_differ():
    for seed in SEEDS:
        choices = draw("convolve-row", seed).choices
        assert len({choice.text for choice in choices}) == len(choices) == 4


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (3, 1), (2, 2), (4, 3)])
def test_pooling_by_hand_is_that_of_keras(size, stride):
    row = np.random.default_rng(0).integers(0, 30, 11)
    question = convolution_1d.pool_by_hand(row.tolist(), size, stride)
    pooled = keras.ops.max_pool(row.reshape(1, -1, 1).astype("float32"), size, stride)
    assert question.answer == tuple(np.ravel(pooled).astype(int).tolist())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((4, 9), "The windows overlap: the stride is 2, not 3."),
        ((4, 4, 5, 9, 9, 9), "the window moves 2 values"),
        ((4, 5, 9, 6), "one window too many"),
        ((8, 10, 16), "doesn't add"),
        ((1, 1, 2), "not the smallest"),
        ((4, 5), "One window is missing"),
        ((5, 4, 9), "heck each window"),
    ],
)
def test_common_mistakes_in_pooling_get_their_reasons(wrong, words):
    question = convolution_1d.pool_by_hand([3, 1, 4, 1, 5, 9, 2, 6], size=3, stride=2)
    assert judge(question, (4, 5, 9)).credit == 1
    verdict = judge(question, wrong)
    assert verdict.credit == 0
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((4, 4), "With stride 2"),
        ((0, 0), "aren't invariant"),
        ((4, 0), "Max pooling isn't invariant"),
        ((2, 4), "A layer with stride 1"),
        ((3, 1), "how far apart"),
    ],
)
def test_common_mistakes_about_shifts_get_their_reasons(wrong, words):
    question = convolution_1d.shifted_by(4, strides=(1, 2))
    assert judge(question, (4, 2)).credit == 1
    verdict = judge(question, wrong)
    assert verdict.credit == 0
    assert words in verdict.reason


def test_a_shift_by_a_fraction_of_a_position_is_rejected():
    with pytest.raises(ValueError, match="multiple of 4"):
        convolution_1d.shifted_by(6, strides=(2, 2))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((1, 0), "Without padding, a kernel of size 3 fits at 6 positions on 8 values."),
        ((4, 1), "With stride 4, the output is much shorter."),
        ((2, 0), "With stride 2, the output is much shorter."),
        ((2, 2), "how long each output is."),
    ],
)
def test_a_pair_that_changes_the_length_gets_its_reason(wrong, words):
    pairs = [(1, 0), (2, 0), (4, 0), (1, 1), (4, 1)]
    question = convolution_1d.same_length([1, 3, 0, 2, 4, 1, 0, 2], [1, 2, -1], pairs)
    assert judge(question, (1, 1)).credit == 1
    assert judge(question, wrong).credit == 0
    assert words in judge(question, wrong).reason


def test_without_a_right_pair_there_is_no_question():
    with pytest.raises(ValueError, match="0 of the pairs give an output as long as the signal"):
        convolution_1d.same_length([1, 2, 3], [1, 2, 1], [(1, 0)])
