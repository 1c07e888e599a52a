"""Answers of the questions, compared with Keras, and every common mistake with its reason."""

import random

import keras
import pytest
from keras import layers

from course.questions import BANK, NUMBER, SEVERAL, SHAPE, SINGLE, draw, judge, parameters, sizes

SEEDS = [None, *range(150)]


def built(*stack):
    """Return a model of layers without allocating its weights."""
    with keras.StatelessScope(initialize_variables=False):
        return keras.Sequential(stack)


def drawn_values(name):
    """Yield random values of a question."""
    for seed in range(40):
        yield BANK[name].draw_values(random.Random(seed))


@pytest.mark.parametrize("name", BANK)
def test_the_solution_earns_full_credit_and_a_mistake_none_with_its_reason(name):
    for seed in SEEDS:
        question = draw(name, seed)
        verdict = judge(question, question.solution)
        assert verdict.credit == 1, (name, seed)
        assert len(verdict.reason) > 10
        for wrong, reason in question.mistakes.items():
            assert wrong != question.answer
            assert judge(question, wrong) == type(verdict)(0, reason)
            assert reason.endswith(".") and len(reason) > 10


@pytest.mark.parametrize("name", BANK)
def test_a_question_is_complete_and_the_same_for_the_same_seed(name):
    texts = set()
    for seed in SEEDS:
        question = draw(name, seed)
        assert question == draw(name, seed)
        texts.add((question.text, question.choices))
        assert question.text.endswith("?")
        if question.kind in (NUMBER, SHAPE):
            assert question.hint.endswith(".") and not question.hint[0].isupper()
            assert len(question.mistakes) >= 2, (name, seed)
        right = [choice for choice in question.choices if choice.is_right]
        if question.kind == SINGLE:
            assert len(right) == 1, (name, seed)
        if question.kind == SEVERAL:
            assert 0 < len(right) < len(question.choices), (name, seed)
    assert len(texts) > 5, "values depend on the seed"


@pytest.mark.parametrize("name", ["output-size", "output-shape"])
def test_sizes_are_those_of_keras(name):
    for drawn in drawn_values(name):
        volume = {"channels": 2, "filters": 3} | drawn
        model = built(
            keras.Input((volume["size"], volume["size"], volume["channels"])),
            layers.ZeroPadding2D(volume["padding"]),
            layers.Conv2D(volume["filters"], volume["kernel_size"], strides=volume["stride"]),
        )
        answer = BANK[name].build(**drawn).answer
        shape = model.output_shape[1:]
        assert answer == (shape if name == "output-shape" else shape[0])


def test_parameters_are_those_of_keras():
    for drawn in drawn_values("conv-parameters"):
        shape = (None, None, drawn["channels"])
        model = built(keras.Input(shape), layers.Conv2D(drawn["filters"], drawn["kernel_size"]))
        assert parameters.conv_parameters(**drawn).answer == model.count_params()
    for drawn in drawn_values("dense-parameters"):
        shape = (drawn["side"], drawn["side"], drawn["channels"])
        model = built(keras.Input(shape), layers.Flatten(), layers.Dense(drawn["units"]))
        assert parameters.dense_parameters(**drawn).answer == model.count_params()
    for drawn in drawn_values("shared-weights"):
        shape = (drawn["side"], drawn["side"], drawn["channels"])
        model = built(keras.Input(shape), layers.Conv2D(drawn["filters"], drawn["kernel_size"]))
        assert parameters.shared_weights(**drawn).answer == model.count_params()


def test_dense_and_local_weights_are_those_of_keras():
    for drawn in drawn_values("dense-weights"):
        side, channels, units = drawn["side"], drawn["channels"], drawn["units"]
        inputs = keras.Input((side * side * channels,))
        model = built(inputs, layers.Dense(units, use_bias=False))
        assert parameters.dense_weights(**drawn).answer == model.count_params()
        # A unit with its own patch is a dense layer of one unit on the patch.
        patch = keras.Input((drawn["kernel_size"] ** 2 * channels,))
        one = built(patch, layers.Dense(1, use_bias=False)).count_params()
        assert parameters.local_weights(**drawn).answer == units * one


def test_keras_names_for_padding_are_understood_as_in_keras():
    for drawn in drawn_values("keras-size"):
        kind = layers.Conv2D(1, drawn["kernel_size"], drawn["stride"], drawn["padding"])
        model = built(keras.Input((drawn["size"], drawn["size"], 1)), kind)
        assert sizes.keras_size(**drawn).answer == model.output_shape[1]
    for drawn in drawn_values("pool-size"):
        pool = layers.MaxPooling2D(drawn["pool_size"], strides=2)
        model = built(keras.Input((drawn["size"], drawn["size"], 1)), pool)
        assert sizes.pooling_output_size(**drawn).answer == model.output_shape[1]


def test_default_values_give_the_answers_of_the_course_text():
    answers = {name: draw(name).answer for name in BANK}
    assert answers["output-shape"] == (100, 100, 10)
    assert answers["output-shape-small"] == (3, 3, 2)
    assert answers["output-shape-stride"] == (2, 2, 2)
    assert answers["padded-shape"] == (106, 106)
    assert answers["activation-maps"] == 2
    assert answers["dense-weights-gray"] == 10**7
    assert answers["dense-weights"] == 3 * 10**7
    assert answers["local-weights-gray"] == 25_000
    assert answers["local-weights"] == 75_000
    assert answers["shared-weights"] == 76
    assert answers["conv-parameters"] == 36_928
    assert answers["conv-parameters-first"] == 1_792
    assert answers["conv-parameters-512"] == 9_248
    assert answers["dense-parameters"] == 102_764_544
    assert answers["pool-size"] == 31


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("conv-parameters", 36_864, "biases"),
        ("conv-parameters", 1_792, "3 channels"),
        ("conv-parameters-512", 9_216, "biases"),
        ("conv-parameters-512", 320, "all 32 input channels"),
        ("conv-parameters-512", 10_272, "A bias for each input channel"),
        ("dense-parameters", 102_760_448, "biases"),
        ("pool-size", 22, "stride 3"),
        ("output-shape", (96, 96, 10), "missing"),
    ],
)
def test_mistakes_of_the_course_text_get_their_reasons(name, wrong, words):
    verdict = judge(draw(name), wrong)
    assert verdict.credit == 0
    assert words in verdict.reason


def test_any_other_wrong_answer_is_told_what_to_check():
    verdict = judge(draw("conv-parameters"), 12_345)
    assert verdict.reason == (
        "Check filters · (kernel height · kernel width · input channels + 1)."
    )
