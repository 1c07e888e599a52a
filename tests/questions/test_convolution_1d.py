"""Rows convolved by hand, against NumPy."""

import random

import numpy as np

from course.questions import BANK, convolution_1d, draw, judge

SEEDS = [None, *range(150)]


def test_what_comes_out_is_what_numpy_computes():
    for seed in range(40):
        drawn = BANK["convolve-row"].draw(random.Random(seed))
        padded = np.pad(drawn["row"], drawn["padding"])
        right = np.correlate(padded, drawn["kernel"], "valid")[:: drawn["stride"]].tolist()
        (chosen,) = (choice for choice in BANK["convolve-row"](**drawn).choices if choice.is_right)
        assert chosen.text == ", ".join(map(str, right)).replace("-", "−")
        del drawn["order"]
        question = convolution_1d.by_hand(**drawn)
        assert judge(question, tuple(right)).credit == 1
        assert judge(question, right).credit == 1
        assert len(question.slips) >= 3
        for wrong in filter(None, question.slips):
            assert judge(question, wrong) == type(judge(question, right))(0, question.slips[wrong])


def test_the_choices_of_a_row_differ():
    for seed in SEEDS:
        choices = draw("convolve-row", seed).choices
        assert len({choice.text for choice in choices}) == len(choices) == 4
