"""Networks without weights: right counts, and no memory, not even later."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from course import counting

VGG_16 = [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"]
BUILD = """
import json, resource, sys, time
import keras
from keras import layers
from course import counting

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def vgg(configuration):
    network = keras.Sequential([keras.Input((224, 224, 3))])
    for entry in configuration:
        network.add(
            layers.MaxPooling2D(2) if entry == "M"
            else layers.Conv2D(entry, 3, padding="same", activation="relu")
        )
    for layer in (layers.Flatten(), layers.Dense(4096), layers.Dense(4096), layers.Dense(1000)):
        network.add(layer)
    return network

before, start = peak(), time.process_time()
with counting.without_weights():
    network = vgg(json.loads(sys.argv[1]))
parameters = network.count_params()
seconds, built = time.process_time() - start, peak()
# Keras initializes variables at the end of such a scope; on JAX each fit has one.
with keras.StatelessScope():
    pass
print(json.dumps([parameters, seconds, built - before, peak() - before]))
"""


@pytest.fixture
def small():
    with counting.without_weights():
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(4, 3, padding="same"),
                layers.Conv2D(5, 1),
                layers.MaxPooling2D(2),
                layers.Conv2D(6, 3),
                layers.AveragePooling2D(2),
                layers.Flatten(),
                layers.Dense(7),
                layers.Dropout(0.5),
                layers.Dense(2),
            ]
        )


def test_vgg_16_is_counted_within_a_second_and_200_mb():
    command = [sys.executable, "-c", BUILD, json.dumps(VGG_16)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    parameters, seconds, megabytes, later = json.loads(finished.stdout.splitlines()[-1])
    assert parameters == 138_357_544
    assert seconds < 1
    assert megabytes < 200
    assert later < 200, "the weights were allocated after all"


def test_counts_and_shapes_are_those_of_the_same_network_with_weights(small):
    real = keras.Sequential.from_config(small.get_config())
    assert counting.layer_rows(real) == counting.layer_rows(small)
    assert real.count_params() == small.count_params()


def test_each_layer_has_a_row_with_its_name_shape_and_cost(small):
    rows = counting.layer_rows(small)
    assert [tuple(row.values()) for row in rows] == [
        ("conv1_1", "convolution", (8, 8, 4), 112, 256, 8 * 8 * 108),
        ("conv1_2", "convolution", (8, 8, 5), 25, 320, 8 * 8 * 20),
        ("pool1", "pooling", (4, 4, 5), 0, 80, 0),
        ("conv2_1", "convolution", (2, 2, 6), 276, 24, 2 * 2 * 270),
        ("pool2", "pooling", (1, 1, 6), 0, 6, 0),
        ("flatten", "other", (6,), 0, 6, 0),
        ("dense1", "dense", (7,), 49, 7, 42),
        ("dropout", "other", (7,), 0, 7, 0),
        ("dense2", "dense", (2,), 16, 2, 14),
    ]


def test_networks_built_before_and_after_the_block_keep_their_weights():
    before = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    weights = before.get_weights()
    with counting.without_weights(), counting.without_weights():
        keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    after = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    np.testing.assert_array_equal(before.get_weights()[0], weights[0])
    images = np.ones((1, 3), "float32")
    np.testing.assert_array_equal(
        after.predict(images, verbose=0), after.predict(images, verbose=0)
    )


def test_a_network_of_the_block_can_be_a_part_of_another_one(small):
    """On PyTorch, the state of a dropout layer must not become a parameter with a gradient."""
    network = keras.Sequential([keras.Input((8, 8, 3)), small])
    network.compile("sgd", "mse")
    assert network.count_params() == small.count_params()


def test_an_error_in_the_block_is_raised_and_keras_stays_usable():
    with pytest.raises(ValueError, match="wrong"), counting.without_weights():
        keras.Sequential([keras.Input((3,)), layers.Dense(2)])
        raise ValueError("wrong")
    weights = keras.Sequential([keras.Input((3,)), layers.Dense(2)]).get_weights()
    assert np.ptp(weights[0]) > 0


def test_an_architecture_omits_flatten_layers_and_activations():
    network = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(5, (2, 4), strides=(1, 2), activation="relu"),
            layers.MaxPooling2D(3, strides=2),
            layers.AveragePooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(7, activation="relu"),
            layers.Dense(2),
            layers.Softmax(),
        ]
    )
    assert counting.architecture(network).split() == [
        "conv(D=4,w=h=3,S=1,P=same)",
        "batchnormalization",
        "conv(D=5,w=4,h=2,S=1×2,P=valid)",
        "maxpool(w=h=3,S=2)",
        "averagepool(w=h=2,S=2)",
        "dropout(0.25)",
        "dense(7)",
        "dense(2)",
    ]
    assert counting.activations(network) == ["relu", "relu", "relu", "softmax"]


def test_a_second_activation_is_named():
    network = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Softmax(), layers.Dense(2)]
    )
    assert counting.activations(network) == ["relu then softmax", "linear"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([32, "M", 64, "M", 128, "M", 256, "M", 256], []),
        ([31, "M", 63, "M", 300], ["conv1_1: 31 filters instead of at least 32",
                                   "conv2_1: 63 filters instead of at least 64"]),
        ([32, "M", (1, 8), 64, "M", 64], ["conv3_1: 64 filters instead of at least 128"]),
    ],
)  # fmt: skip
def test_convolutions_with_too_few_filters_are_found(filters, found):
    with counting.without_weights():
        network = keras.Sequential([keras.Input((32, 32, 3))])
        for entry in filters:
            size, number = entry if isinstance(entry, tuple) else (3, entry)
            network.add(
                layers.MaxPooling2D(2)
                if entry == "M"
                else layers.Conv2D(number, size, padding="same")
            )
    assert counting.narrow_convolutions(network) == found


def test_frozen_layers_have_no_trainable_parameters():
    network = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()]
    )
    assert counting.trainable_parameters(network) == 15 + 6
    network.layers[0].trainable = False
    assert counting.trainable_parameters(network) == 6
