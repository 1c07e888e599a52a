"""One-dimensional convolutions by hand, compared with NumPy."""

import random

import numpy as np

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
