"""The questions' numbers against Keras, and every slip with its reason."""

import keras
import pytest
from keras import layers

from course.questions import BANK, NUMBER, SEVERAL, SHAPE, SINGLE, draw, judge, parameters, sizes

SEEDS = [None, *range(150)]


def built(*stack):
    """Return a model of layers without its weights' values."""
    with keras.StatelessScope(initialize_variables=False):
        return keras.Sequential(stack)


def numbers(name):
    """Yield the numbers that a question is drawn with."""
    import random

    for seed in range(40):
        yield BANK[name].draw(random.Random(seed))


@pytest.mark.parametrize("name", BANK)
def test_the_solution_earns_all_and_every_slip_nothing_with_a_reason(name):
    for seed in SEEDS:
        question = draw(name, seed)
        verdict = judge(question, question.solution)
        assert verdict.credit == 1, (name, seed)
        assert len(verdict.reason) > 10
        for wrong, reason in question.slips.items():
            assert wrong != question.answer
            assert judge(question, wrong) == type(verdict)(0, reason)
            assert reason.endswith(".") and len(reason) > 10


@pytest.mark.parametrize("name", BANK)
def test_a_question_is_complete_and_drawn_alike_from_the_same_seed(name):
    texts = set()
    for seed in SEEDS:
        question = draw(name, seed)
        assert question == draw(name, seed)
        texts.add((question.text, question.choices))
        assert question.text.endswith("?")
        if question.kind in (NUMBER, SHAPE):
            assert question.hint.endswith(".") and not question.hint[0].isupper()
            assert len(question.slips) >= 2, (name, seed)
        right = [choice for choice in question.choices if choice.is_right]
        if question.kind == SINGLE:
            assert len(right) == 1, (name, seed)
        if question.kind == SEVERAL:
            assert 0 < len(right) < len(question.choices), (name, seed)
    assert len(texts) > 5, "the seed draws other numbers"


@pytest.mark.parametrize("name", ["output-size", "output-shape"])
def test_sizes_are_those_of_keras(name):
    for drawn in numbers(name):
        volume = {"channels": 2, "filters": 3} | drawn
        model = built(
            keras.Input((volume["size"], volume["size"], volume["channels"])),
            layers.ZeroPadding2D(volume["padding"]),
            layers.Conv2D(volume["filters"], volume["window"], strides=volume["stride"]),
        )
        answer = BANK[name](**drawn).answer
        shape = model.output_shape[1:]
        assert answer == (shape if name == "output-shape" else shape[0])


def test_parameters_are_those_of_keras():
    for drawn in numbers("conv-parameters"):
        shape = (None, None, drawn["channels"])
        model = built(keras.Input(shape), layers.Conv2D(drawn["filters"], drawn["window"]))
        assert parameters.conv_parameters(**drawn).answer == model.count_params()
    for drawn in numbers("dense-parameters"):
        shape = (drawn["side"], drawn["side"], drawn["channels"])
        model = built(keras.Input(shape), layers.Flatten(), layers.Dense(drawn["units"]))
        assert parameters.dense_parameters(**drawn).answer == model.count_params()
    for drawn in numbers("shared-weights"):
        shape = (drawn["side"], drawn["side"], drawn["channels"])
        model = built(keras.Input(shape), layers.Conv2D(drawn["filters"], drawn["window"]))
        assert parameters.shared_weights(**drawn).answer == model.count_params()


def test_dense_and_local_weights_are_those_of_keras():
    for drawn in numbers("dense-weights"):
        side, channels, units = drawn["side"], drawn["channels"], drawn["units"]
        inputs = keras.Input((side * side * channels,))
        model = built(inputs, layers.Dense(units, use_bias=False))
        assert parameters.dense_weights(**drawn).answer == model.count_params()
        # A unit with a patch of its own is a dense layer of one unit on the patch.
        patch = keras.Input((drawn["window"] ** 2 * channels,))
        one = built(patch, layers.Dense(1, use_bias=False)).count_params()
        assert parameters.local_weights(**drawn).answer == units * one


def test_the_words_for_padding_are_those_of_keras():
    for drawn in numbers("keras-size"):
        kind = layers.Conv2D(1, drawn["window"], drawn["stride"], drawn["padding"])
        model = built(keras.Input((drawn["size"], drawn["size"], 1)), kind)
        assert sizes.keras_size(**drawn).answer == model.output_shape[1]
    for drawn in numbers("pool-size"):
        pool = layers.MaxPooling2D(drawn["window"], strides=2)
        model = built(keras.Input((drawn["size"], drawn["size"], 1)), pool)
        assert sizes.pool_size(**drawn).answer == model.output_shape[1]


def test_the_courses_own_numbers_are_those_of_the_sources():
    answers = {name: draw(name).answer for name in BANK}
    assert answers["output-shape"] == (100, 100, 10)
    assert answers["output-shape-small"] == (3, 3, 2)
    assert answers["output-shape-stride"] == (2, 2, 2)
    assert answers["padded-shape"] == (106, 106)
    assert answers["activation-maps"] == 2
    assert answers["dense-weights-grey"] == 10**7
    assert answers["dense-weights"] == 3 * 10**7
    assert answers["local-weights-grey"] == 25_000
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
        ("conv-parameters-512", 10_272, "A bias for each slice"),
        ("dense-parameters", 102_760_448, "biases"),
        ("pool-size", 22, "stride 3"),
        ("output-shape", (96, 96, 10), "forgotten"),
    ],
)
def test_the_sources_own_slips_are_caught_with_their_reason(name, wrong, words):
    verdict = judge(draw(name), wrong)
    assert verdict.credit == 0
    assert words in verdict.reason


def test_what_is_no_usual_slip_says_what_to_check():
    verdict = judge(draw("conv-parameters"), 12_345)
    assert verdict.reason == (
        "Not one of the usual slips: check filters · (window · window · channels + 1)."
    )
