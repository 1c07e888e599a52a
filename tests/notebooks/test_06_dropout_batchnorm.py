"""Numbers in 06-dropout-batchnorm, checked with Keras and with the solutions."""

import re
from itertools import combinations

import keras
import numpy as np
import pytest
from keras import layers

import course
from course import checks, counting
from tests.submissions import source_cells

DEFINED = ["batch_norm", "first-three", "layers_in_words", "other_four", "build_network"]
DEFINED += ["differences", "pairs", "follows", "measured", "compare", "eighth"]

# The older course: filters of the blocks, batch normalization, dropout, L2, parameters, trainable
# parameters, training and validation accuracy in percent.
OLDER_COURSE = {
    "I": ([32, 64], False, 0.25, 0.0, 1_250_858, 1_250_858, 84, 79),
    "II": ([32, 64], True, 0.0, 0.0, 1_251_626, 1_251_242, 98, 79),
    "III": ([32, 64], True, 0.25, 0.0, 1_251_626, 1_251_242, 89, 82),
    "IV": ([32, 64], True, 0.0, 0.01, 1_251_626, 1_251_242, 94, 76),
    "V": ([32, 64], True, 0.25, 0.01, 1_251_626, 1_251_242, 86, 83),
    "VI": ([32, 64, 128], True, 0.25, 0.01, 556_586, 555_690, 89, 84),
    "VII": ([64, 128], True, 0.25, 0.01, 2_626_634, 2_625_866, 92, 84),
}
POOLED = {
    name: [(15, 15, blocks[0]), (6, 6, blocks[1]), (2, 2, 128)][: len(blocks)]
    for name, (blocks, *_) in OLDER_COURSE.items()
}


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("06-dropout-batchnorm")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions and the helper cells define."""
    names = {"keras": keras, "layers": layers, "np": np, "course": course}
    names["counting"] = counting
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    names["seven"] = {each["name"]: each for each in names["first_three"] + names["other_four"]}
    return names


@pytest.fixture(scope="module")
def networks(solved):
    return {name: solved["build_network"](each) for name, each in solved["seven"].items()}


@pytest.mark.parametrize("name", OLDER_COURSE)
def test_an_experiment_is_that_of_the_older_course(solved, networks, name):
    blocks, batch_norm, dropout, l2, parameters, trainable, *_ = OLDER_COURSE[name]
    settings = {"blocks": blocks, "batch_norm": batch_norm, "conv_dropout": dropout, "l2": l2}
    assert solved["seven"][name] == {"name": name, **settings}
    network = networks[name]
    assert network.count_params() == parameters
    assert sum(np.prod(each.shape) for each in network.trainable_weights) == trainable
    pooled = [row["shape"] for row in counting.layer_rows(network) if row["kind"] == "pooling"]
    assert pooled == POOLED[name]
    words = solved["layers_in_words"](network)
    assert words.count("normalise") == 2 * len(blocks) * batch_norm
    assert words.count("dropout 0.25") == len(blocks) * (dropout > 0)
    assert words[-3:] == ["dense 512", "dropout 0.5", "dense 10"]
    optimizer = network.optimizer
    assert (type(optimizer).__name__, optimizer.momentum) == ("SGD", 0)
    assert float(np.asarray(optimizer.learning_rate)) == pytest.approx(0.01)
    first, *_ = (layer for layer in network.layers if layer.name.startswith("conv2d"))
    after = network.layers[1]
    assert first.activation is keras.activations.relu
    assert isinstance(after, layers.BatchNormalization) is batch_norm


def test_the_penalty_is_on_the_dense_layer_only_and_as_strong_as_specified(networks):
    for name, network in networks.items():
        found = [each for each in network.layers if getattr(each, "kernel_regularizer", None)]
        strengths = [float(each.kernel_regularizer.l2) for each in found]
        assert strengths == pytest.approx([OLDER_COURSE[name][3]] * (OLDER_COURSE[name][3] > 0)), (
            name
        )
        assert all(each.units == 512 for each in found)


def test_the_table_of_the_older_course_is_right(cells):
    rows = [line for line in cells["curves-read"].splitlines() if "accuracy (%)" in line]
    found = [list(map(int, re.findall(r"\d+", row))) for row in rows]
    assert found == [[each[index] for each in OLDER_COURSE.values()] for index in (-2, -1)]


def test_the_tables_in_the_text_agree_with_the_data(cells):
    table = cells["batch-norm"] + cells["moving-read"]
    for line in ("| I | 32, 64 | no | 0.25 | no |", "| II | 32, 64 | yes | no | no |"):
        assert line in table
    assert "| III | 32, 64 | yes | 0.25 | no |" in table
    assert 4 * (32 + 32 + 64 + 64) == 768 == OLDER_COURSE["II"][4] - OLDER_COURSE["I"][4]
    assert "= 768 parameters, half of them trainable" in cells["sizes-read"]
    assert OLDER_COURSE["II"][4] - OLDER_COURSE["II"][5] == 768 // 2


def test_vi_has_fewer_parameters_and_more_macs_than_v(networks, cells):
    macs = {
        name: sum(row["macs"] for row in counting.layer_rows(network))
        for name, network in networks.items()
    }
    assert 2 * OLDER_COURSE["VI"][4] < OLDER_COURSE["V"][4] and macs["VI"] > macs["V"]
    scheme = cells["slower_question"]
    assert dense_of(networks["V"]) == 1_180_160 and "(1,180,160 with the biases)" in scheme
    assert dense_of(networks["VI"]) == 262_656 and "(262,656)" in scheme
    convolutions = [
        row for row in counting.layer_rows(networks["VI"]) if row["kind"] == "convolution"
    ]
    assert sum(row["parameters"] for row in convolutions[4:]) == 221_440
    extra = sum(row["macs"] for row in convolutions[4:])
    assert round(extra / 1e6) == 5 and "5 million multiplications more" in scheme


def dense_of(network):
    return next(row["parameters"] for row in counting.layer_rows(network) if row["kind"] == "dense")


def test_batch_norm_by_hand_agrees_with_keras(solved):
    maps = np.random.default_rng(3).normal(2, 3, size=(7, 5, 4, 3)).astype("float32")
    layer = layers.BatchNormalization()
    layer.build(maps.shape)
    gamma, beta = np.array([1.0, 2.0, -1.0]), np.array([0.0, 1.0, 5.0])
    layer.set_weights([gamma, beta, np.zeros(3), np.ones(3)])
    by_hand = solved["batch_norm"](maps, gamma, beta)
    assert np.allclose(by_hand, np.asarray(layer(maps, training=True)), atol=1e-4)


def test_the_weight_of_a_moving_averages_start_is_that_of_the_text(cells):
    assert layers.BatchNormalization().momentum == 0.99
    left = {batches: round(100 * 0.99**batches) for batches in (10, 100, 300)}
    assert left == {10: 90, 100: 37, 300: 5}
    assert "90 % after 10, 37 % after 100, 5 % after 300" in cells["moving-read"]


def test_the_training_configurations_are_those_of_the_text(cells):
    for profile, epochs in {"cpu": 8, "gpu": 50}.items():
        names = {"checks": checks, "recipe": None, "run": course.Run(profile, 0, "jax", "GPU")}
        exec(cells["recipes"], names)
        assert names["plain"] == {"epochs": epochs, "batch_size": 32, "learning_rate": 0.01}
        fast = names["fast"]
        assert fast["learning_rate"] == pytest.approx(0.01 * fast["batch_size"] / 32)
        assert names["chosen_recipe"] is names[{"cpu": "plain", "gpu": "fast"}[profile]]
    assert 50 * -(-50_000 // 32) == 78_150 and "78,150 steps" in cells["sizes-read"]


def test_exactly_the_listed_pairs_differ_in_one_setting(solved):
    seven, differences = solved["seven"], solved["differences"]
    single_changes = {}
    for one, other in combinations(seven, 2):
        different = differences(seven[one], seven[other])
        if len(different) == 1:
            single_changes.setdefault(different[0], []).append((one, other))
    assert single_changes == {
        "batch_norm": [("I", "III")],
        "conv_dropout": [("II", "III"), ("IV", "V")],
        "l2": [("II", "IV"), ("III", "V")],
        "blocks": [("V", "VI"), ("V", "VII"), ("VI", "VII")],
    }
    for change, key in {"batch normalisation": "batch_norm", "L2": "l2"}.items():
        assert solved["pairs"][change] in single_changes[key]
    assert solved["pairs"]["dropout behind the blocks"] in single_changes["conv_dropout"]
    assert solved["pairs"]["a third block"] == ("V", "VI")
    assert solved["pairs"]["twice the filters"] == ("V", "VII")


def test_the_conclusions_follow_from_the_numbers_of_the_older_course(solved):
    training, validation = (
        {name: each[index] for name, each in OLDER_COURSE.items()} for index in (-2, -1)
    )
    gap = {name: training[name] - validation[name] for name in OLDER_COURSE}
    best = max(["I", "II", "III", "IV"], key=validation.get)
    true = {
        "a": best == "III",
        "b": validation["IV"] > validation["I"],
        "c": gap["II"] > gap["III"] and gap["IV"] > gap["V"],
        "d": best == "I",
        "e": training["III"] > training["I"] and validation["III"] > validation["I"],
        "f": validation["IV"] > validation["II"] and validation["V"] > validation["III"],
        "g": validation["VI"] == validation["VII"] and gap["VI"] < gap["VII"],
    }
    assert solved["follows"] == {letter for letter, is_true in true.items() if is_true}
    assert round(OLDER_COURSE["VII"][4] / OLDER_COURSE["VI"][4]) == 5


def test_the_standard_error_is_that_of_the_difference_of_means(solved):
    first, second = [0.40, 0.42, 0.44], [0.47, 0.50, 0.53]
    difference, error = solved["compare"](first, second)
    assert difference == pytest.approx(0.08)
    assert error == pytest.approx(np.sqrt((0.02**2 + 0.03**2) / 3))


def test_the_text_states_the_measured_values(solved, cells):
    means = []
    for name, each in solved["measured"].items():
        mean, deviation = np.mean(each["validation"]), np.std(each["validation"], ddof=1)
        means.append(f"{name} {mean:.1%} ± {deviation:.1%}".replace("%", ""))
    summary = cells["recap"].replace(" %", "")
    assert all(f"{each}" in summary for each in means), means
    text = cells["claims-read"].replace("−", "-").replace(" points", "")
    for change in ("batch normalisation", "twice the filters", "a third block", "L2"):
        first, second = (solved["measured"][name]["validation"] for name in solved["pairs"][change])
        difference, error = (100 * value for value in solved["compare"](first, second))
        stated = f"{difference:+.1f} ± {error:.1f}"
        assert stated in text, (change, stated)
        is_significant = change in ("batch normalisation", "twice the filters")
        assert (abs(difference) > 3 * error) is is_significant
    for name in ("II", "III", "IV", "V"):
        pairs = solved["measured"][name].values()
        gaps = [100 * (trained - new) for new, trained in zip(*pairs, strict=True)]
        stated = f"{np.mean(gaps):.1f} ± {np.std(gaps, ddof=1):.1f}"
        assert stated in text, (name, stated)
