"""Numbers in 05-deeper-cnn, checked with Keras and with the solutions."""

from itertools import groupby

import keras
import numpy as np
import pytest
from keras import layers

from course import counting, receptive_field
from tests.benchmarks import recipes
from tests.submissions import source_cells

DEFINED = ["doubled", "compiled", "build_model_1", "model-1-list", "build_network", "model_2"]
DEFINED += ["what_changed", "my_networks", "build_deep", "strongest"]


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("05-deeper-cnn")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions and the helper cells define."""
    names = {"keras": keras, "layers": layers, "np": np}
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def networks(solved):
    build = solved["build_network"]
    return {
        "model_1": solved["build_model_1"](),
        "model_1 from its list": build(solved["model_1"]),
        "model_2": build(solved["model_2"]),
    }


def rows_of(network):
    """Return the rows of convolutions, pooling, flatten and dense layers."""
    kinds = ("convolution", "pooling", "dense")
    return [
        row
        for row in counting.layer_rows(network)
        if row["kind"] in kinds or row["name"] == "flatten"
    ]


MODEL_1 = [(16, 16, 32), (6, 6, 32), (3, 3, 32), (288,), (512,), (10,)]
MODEL_2 = [(32, 32, 32), (28, 28, 32), (14, 14, 32), (12, 12, 32), (10, 10, 16), (5, 5, 16)]
MODEL_2 += [(400,), (512,), (10,)]
COUNTS = {
    "model_1": (181_162, [2_432, 25_632, 147_968, 5_130], MODEL_1),
    "model_1 from its list": (181_162, [2_432, 25_632, 147_968, 5_130], MODEL_1),
    "model_2": (252_378, [2_432, 25_632, 9_248, 4_624, 205_312, 5_130], MODEL_2),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_shapes_are_the_known_ones(networks, name):
    network, (parameters, by_layer, shapes) = networks[name], COUNTS[name]
    rows = rows_of(network)
    assert network.count_params() == parameters
    assert [row["parameters"] for row in rows if row["parameters"]] == by_layer
    # build_network flattens before each dense layer, which does not change a vector.
    assert [shape for shape, _ in groupby(row["shape"] for row in rows)] == shapes
    assert type(network.optimizer).__name__ == "RMSprop"
    assert network.loss == "sparse_categorical_crossentropy"


def test_both_definitions_of_model_1_and_the_benchmark_are_one_network(networks):
    listed = [keras.Input((32, 32, 3)), *recipes.model_1(keras, layers)]
    ways = [keras.Sequential(listed), networks["model_1"], networks["model_1 from its list"]]
    assert len({counting.architecture(network) for network in ways}) == 1
    assert len({tuple(counting.activations(network)) for network in ways}) == 1


def test_model_2_is_that_of_the_benchmark(networks):
    listed = keras.Sequential([keras.Input((32, 32, 3)), *recipes.model_2(keras, layers)])
    assert counting.architecture(networks["model_2"]) == counting.architecture(listed)


def test_the_table_of_model_1_is_right(cells):
    text = cells["model-1"]
    assert "| 16 × 16 × 32 | 2,432 |" in text
    assert "| 6 × 6 × 32 | 25,632 |" in text
    assert "| 3 × 3 × 32 | 0 |" in text
    assert "| 288 | 0 |" in text
    assert "| 512 | 147,968 |" in text
    assert "| 10 | 5,130 |" in text
    assert "181,162 parameters" in text
    assert "252,378 parameters, 1.4 times" in cells["costs-text"]


def test_the_macs_in_the_text_are_right(networks, cells):
    macs = {
        name: sum(row["macs"] for row in counting.layer_rows(network))
        for name, network in networks.items()
    }
    assert round(macs["model_2"] / macs["model_1"], 1) == 14.5
    assert "14.5 times" in cells["recap"]
    assert round(252_378 / 181_162, 1) == 1.4


def test_doubling_has_the_effects_of_the_solution(solved):
    start = {"filters": 32, "kernel_size": 3, "strides": 1}

    def cost(**changed):
        layer = layers.Conv2D(**{**start, **changed}, padding="same")
        network = keras.Sequential([keras.Input((32, 32, 16)), layer])
        (row,) = counting.layer_rows(network)
        field = receptive_field.field_of(network, layer)
        return row["parameters"], row["macs"], field.size[0]

    parameters, macs, field = cost()
    found = {name: cost(**{name: 2 * value}) for name, value in start.items()}
    expected = solved["doubled"]
    assert [name for name in found if found[name][0] == 2 * parameters] == [expected["a"]]
    assert [name for name in found if 3.9 < found[name][0] / parameters < 4] == [expected["b"]]
    quarter = [name for name in found if found[name][:2] == (parameters, macs / 4)]
    assert quarter == [expected["c"]]
    assert [name for name in found if found[name][2] > field] == [expected["d"]]
    assert expected["e"] == "pool_size"


def test_a_block_of_zeros_passes_on_its_input_only_with_a_shortcut(solved):
    images = np.random.default_rng(0).uniform(size=(4, 32, 32, 3)).astype("float32")
    for shortcuts in (True, False):
        network = solved["build_deep"](3, 4, shortcuts)
        weights = network.get_weights()
        network.set_weights([*weights[:2], *(0 * each for each in weights[2:-2]), *weights[-2:]])
        scores = np.asarray(network.predict(images, verbose=0))
        assert bool(np.ptp(scores, axis=0).max() > 1e-4) is shortcuts


def test_the_strongest_positions_have_the_largest_values(solved):
    maps = np.random.default_rng(1).normal(size=(20, 5, 7))
    positions = solved["strongest"](maps, 20)
    assert sorted(position[0] for position in positions) == list(range(20))
    assert [maps[position] for position in positions] == sorted(maps.max(axis=(1, 2)), reverse=True)


def test_receptive_fields_of_model_2_follow_the_formula_of_assignment_01(networks):
    convolutions = [each for each in networks["model_2"].layers if "conv" in each.name]
    fields = [receptive_field.field_of(networks["model_2"], layer) for layer in convolutions]
    # 5; 5 + 4; 9 + 1 with the pooling, then twice 2 · 2 more.
    assert [field.size[0] for field in fields] == [5, 9, 14, 18]
    assert [field.stride[0] for field in fields] == [1, 1, 2, 2]


def test_what_changed_agrees_with_the_cells(cells, solved):
    assert solved["model_1"]["learning_rate"] == 5e-4
    assert solved["model_2"]["learning_rate"] == 1e-4
    assert "epochs=run.choose(smoke=2, cpu=15, gpu=15)" in cells["train-model-1"]
    assert "epochs=run.choose(smoke=1, cpu=5, gpu=5)" in cells["train-model-2"]
    assert ["dropout", 0.25] in solved["model_1"]["layers"]
    assert solved["model_2"]["layers"][3] == ["dropout", 0.5]
    assert all("batch_size=batch" in cells[name] for name in ("train-model-1", "train-model-2"))
    assert solved["what_changed"] == ["b", "c", "e"]
