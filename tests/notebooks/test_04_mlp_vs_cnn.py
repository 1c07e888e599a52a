"""Numbers and rules in 04-mlp-vs-cnn, checked with Keras and with the solutions."""

import keras
import numpy as np
import pytest
from keras import layers

from course.counting import layer_rows
from tests.benchmarks import recipes
from tests.submissions import source_cells

DEFINED = ["split_and_scale", "build_one_layer", "weight_pictures", "describe", "build_mlp"]
DEFINED += ["my_mlps", "choose", "two-ways", "build_functional", "what_else_changed"]
DEFINED += ["build_simple_cnn", "build_cnn", "examine", "shuffle-pixels", "move"]


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("04-mlp-vs-cnn")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions and the helper cells define."""
    from course import counting, datasets, plotting, training
    from course.session import Run

    names = {"keras": keras, "layers": layers, "np": np, "plotting": plotting}
    names |= {"counting": counting, "training": training, "class_names": datasets.CIFAR10_NAMES}
    names |= {"run": Run("smoke", 0, "tensorflow", "CPU"), "y_val": np.arange(8)}
    names |= {"x_val": np.zeros((8, 32, 32, 3), "float32")}
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def networks(solved):
    hidden = {"name": "hidden", "units": [128], "dropout": 0.0, "learning_rate": 1e-3}
    return {
        "one_layer": solved["build_one_layer"](),
        "one_hidden_layer": solved["build_mlp"](hidden),
        "mlp": solved["build_functional"](),
        "simple_cnn": solved["build_simple_cnn"](),
        "six_convolutions": solved["build_cnn"]([32, 64, 128], 512),
    }


PARAMETERS = {
    "one_layer": 30_730,
    "one_hidden_layer": 394_634,
    "mlp": 563_082,
    "simple_cnn": 82_826,
    "six_convolutions": 1_341_226,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_network_has_the_known_parameters_and_is_that_of_the_benchmark(
    networks, solved, name
):
    network, describe = networks[name], solved["describe"]
    assert network.count_params() == PARAMETERS[name]
    assert network.loss == "sparse_categorical_crossentropy"
    assert type(network.optimizer).__name__ == "Adam"
    listed = getattr(recipes, name)(keras, layers)
    assert describe(network) == describe(keras.Sequential([keras.Input((32, 32, 3)), *listed]))


def test_the_text_states_these_parameters(cells):
    text = "\n".join(cells.values())
    for parameters in PARAMETERS.values():
        assert f"{parameters:,}" in text or f"{parameters:_}" in text


def test_the_table_of_the_simple_cnn_is_right(networks, cells):
    rows = layer_rows(networks["simple_cnn"])[1:]
    assert [row["shape"] for row in rows] == [(32, 32, 32), (16, 16, 32), (8192,), (10,)]
    assert [row["parameters"] for row in rows] == [896, 0, 0, 81_930]
    assert "| 32 × 32 × 32 | 896 |" in cells["cnn"]
    assert "| 16 × 16 × 32 | 0 |" in cells["cnn"]
    assert "| 8,192 | 0 |" in cells["cnn"]
    assert "| 10 | 81,930 |" in cells["cnn"]


def test_the_six_convolutions_halve_three_times(networks):
    rows = layer_rows(networks["six_convolutions"])
    assert [row["shape"] for row in rows if row["kind"] == "pooling"] == [
        (16, 16, 32),
        (8, 8, 64),
        (4, 4, 128),
    ]


def test_the_macs_in_the_text_are_right(networks, cells):
    macs = {
        name: sum(row["macs"] for row in layer_rows(network)) for name, network in networks.items()
    }
    millions = round(macs["six_convolutions"] / 1e6)
    assert f"do {millions} million multiplications" in cells["train-cnn-text"]
    assert round(macs["one_hidden_layer"] / 1e6, 1) == 0.4
    assert "the one hidden layer 0.4 million" in cells["train-cnn-text"]
    assert round(macs["simple_cnn"] / macs["one_hidden_layer"], 1) == 2.5
    assert round(macs["six_convolutions"] / macs["one_hidden_layer"], -1) == 100


def test_l2_penalizes_the_weights_and_not_the_biases(networks):
    (layer,) = (each for each in networks["one_layer"].layers if each.count_params())
    assert layer.kernel_regularizer.l2 == pytest.approx(0.05)
    assert layer.bias_regularizer is None


def test_training_and_validation_set_have_no_image_in_common(solved):
    images = np.arange(9, dtype="uint8")[:, None, None, None] * np.ones((1, 2, 2, 3), "uint8")
    (x_train, y_train), (x_val, y_val) = solved["split_and_scale"](images, np.arange(9), 2)
    assert np.round(x_train[:, 0, 0, 0] * 255).tolist() == y_train.tolist() == [*range(7)]
    assert np.round(x_val[:, 0, 0, 0] * 255).tolist() == y_val.tolist() == [7, 8]


def test_a_template_is_brightest_where_the_weight_is_largest(solved):
    network = keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(10)])
    kernel = np.random.default_rng(0).normal(0, 0.01, (3072, 10)).astype("float32")
    network.set_weights([kernel, np.zeros(10, "float32")])
    image = np.zeros((1, 32, 32, 3), "float32")
    image[0, 5, 9, 1] = 1  # after Flatten, this value selects one weight of each unit
    scores = np.asarray(network.predict(image, verbose=0))[0]
    templates = solved["weight_pictures"](kernel)
    spread = np.ptp(kernel.T.reshape(10, 32, 32, 3)[..., 1], axis=(1, 2))
    lowest = kernel.T.reshape(10, 32, 32, 3)[..., 1].min((1, 2))
    assert templates[:, 5, 9, 1] == pytest.approx((scores - lowest) / spread, abs=1e-4)


def test_the_shuffle_keeps_every_pixel_and_is_the_same_for_all_images(solved):
    images = np.random.default_rng(1).uniform(size=(4, 32, 32, 3))
    shuffled = solved["shuffle_pixels"](images)
    assert shuffled.shape == images.shape
    assert not np.allclose(shuffled, images)
    undone = shuffled.reshape(4, 1024, 3)[:, np.argsort(solved["new_places"])]
    assert (undone.reshape(images.shape) == images).all()


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 0), (-2, 1), (0, -4)])
def test_a_move_there_and_back_keeps_the_middle(solved, dx, dy):
    images = np.random.default_rng(2).uniform(size=(2, 16, 16, 3))
    moved = solved["move"](images, dx, dy)
    assert (moved[:, 8 + dy, 8 + dx] == images[:, 8, 8]).all()
    back = solved["move"](moved, -dx, -dy)
    assert (back[:, 4:-4, 4:-4] == images[:, 4:-4, 4:-4]).all()


def test_the_test_loss_does_not_include_the_l2_penalty(solved, networks):
    images, labels = np.zeros((10, 32, 32, 3), "float32"), np.arange(10)
    loss, accuracy = solved["examine"](networks["one_layer"], images, labels)
    assert loss == pytest.approx(np.log(10), abs=1e-4)
    assert accuracy == pytest.approx(0.1)


def test_what_else_changed_is_what_the_cells_do(cells, solved):
    calls = cells["train-hidden"], cells["train-functional"]
    assert "mlp_epochs, batch" in calls[0]
    assert "batch_size=small_batch" in calls[1]
    assert "epochs=run.choose(smoke=1, cpu=5, gpu=5)" in calls[1]
    assert "mlp_epochs = run.choose(smoke=2, cpu=12, gpu=30)" in calls[0]
    assert solved["what_else_changed"] == ["a", "c", "e"]
