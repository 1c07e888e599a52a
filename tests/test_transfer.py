"""Splitting networks at their frozen layers, and the weights of VGG-16."""

import hashlib

import keras
import numpy as np
import pytest
from keras import layers

from course import transfer
from course.errors import CourseError
from tests.datasets import CLOSED_PORT, serve_bytes


def network(trainable=(False, False, True)):
    """Return a compiled network: a base of two convolutions and a head with one dense layer."""
    base = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="one"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(3, 2, name="two"),
        ]
    )
    top = layers.Dense(1, activation="sigmoid", name="dense")
    head = keras.Sequential([keras.Input((2, 2, 3)), layers.Flatten(), layers.Dropout(0.5), top])
    for layer, flag in zip([*base.layers[::2], top], trainable, strict=True):
        layer.trainable = flag
    whole = keras.Sequential([keras.Input((8, 8, 1)), base, head])
    whole.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    return whole


def names(part):
    return [layer.name for layer in part.layers]


def images(count=6):
    return np.random.default_rng(0).normal(size=(count, 8, 8, 1)).astype("float32")


def test_a_network_is_split_before_its_first_trainable_layer():
    frozen, trainable = transfer.split_frozen(network((False, True, True)))
    assert names(frozen) == ["one", "pool"]
    assert names(trainable)[0] == "two" and names(trainable)[-1] == "dense"


def test_both_parts_in_sequence_predict_what_the_network_predicts():
    whole = network((False, True, True))
    frozen, trainable = transfer.split_frozen(whole)
    predicted = trainable.predict(frozen.predict(images(), verbose=0), verbose=0)
    assert np.allclose(predicted, whole.predict(images(), verbose=0), atol=1e-6)


def test_training_the_second_part_trains_the_network():
    whole = network((False, True, True))
    frozen, trainable = transfer.split_frozen(whole)
    before = [np.array(weight) for weight in whole.get_weights()]
    features, labels = frozen.predict(images(), verbose=0), np.tile([0, 1], 3)
    trainable.fit(features, labels, epochs=2, verbose=0)
    after = whole.get_weights()
    changed = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert changed == [False, False, True, True, True, True]
    assert np.allclose(
        trainable.predict(features, verbose=0), whole.predict(images(), verbose=0), atol=1e-6
    )


def test_the_second_part_starts_with_dropout_if_all_layers_before_it_are_frozen():
    frozen, trainable = transfer.split_frozen(network((False, False, True)))
    assert names(frozen)[:3] == ["one", "pool", "two"]
    assert type(trainable.layers[0]).__name__ == "Dropout"


def test_the_second_part_starts_with_augmentation():
    whole = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.RandomFlip("horizontal"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    frozen, trainable = transfer.split_frozen(whole)
    assert [type(layer).__name__ for layer in frozen.layers] == ["Rescaling"]
    assert not trainable.compiled


@pytest.mark.parametrize(
    ("trainable", "sentence"),
    [((True, True, True), "not even the first layer"), ((False, False, False), "every layer")],
)
def test_a_network_without_two_parts_is_refused(trainable, sentence):
    base = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2), layers.Dense(1)])
    for layer, flag in zip(base.layers, trainable, strict=True):
        layer.trainable = flag
    with pytest.raises(CourseError, match=f"{sentence} is frozen: set trainable to False"):
        transfer.split_frozen(base)


def test_a_network_that_branches_is_refused():
    inputs = keras.Input((4,))
    joined = layers.Add(name="joined")([layers.Dense(3)(inputs), layers.Dense(3)(inputs)])
    whole = keras.Model(inputs, layers.Dense(1)(joined))
    whole.layers[1].trainable = False
    with pytest.raises(CourseError, match=r"branches: joined has several inputs\. Pass a chain"):
        transfer.split_frozen(whole)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """An empty data directory; the weights cannot be downloaded."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(transfer, "VGG16_ADDRESS", CLOSED_PORT)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    return tmp_path


def test_the_weights_are_downloaded_once_and_checked(directory, monkeypatch):
    body = b"some weights"
    with serve_bytes() as start:
        monkeypatch.setattr(transfer, "VGG16_ADDRESS", start(body)[0])
        monkeypatch.setattr(transfer, "VGG16_MD5", hashlib.md5(body).hexdigest())
        path = transfer.vgg16_weights()
    monkeypatch.setattr(transfer, "VGG16_ADDRESS", CLOSED_PORT)
    assert path == transfer.vgg16_weights() == str(directory / transfer.VGG16_FILE)
    assert [each.name for each in directory.iterdir()] == [transfer.VGG16_FILE]

    (directory / transfer.VGG16_FILE).write_bytes(body[:5])
    with pytest.raises(CourseError, match=r"is damaged .*: delete it and run this cell again"):
        transfer.vgg16_weights()


def test_weights_with_another_hash_are_not_saved(directory, monkeypatch):
    with serve_bytes() as start:
        monkeypatch.setattr(transfer, "VGG16_ADDRESS", start(b"other weights")[0])
        with pytest.raises(CourseError, match="could not be downloaded"):
            transfer.vgg16_weights()
    assert not list(directory.iterdir())


def test_without_a_network_connection_the_other_source_is_suggested(directory):
    with pytest.raises(CourseError, match='or choose data = "cifar10" at the top of the notebook'):
        transfer.vgg16_weights()


def test_the_file_is_the_one_that_keras_loads():
    source = keras.src.applications.vgg16
    assert source.WEIGHTS_PATH_NO_TOP == transfer.VGG16_ADDRESS
    import inspect

    assert transfer.VGG16_MD5 in inspect.getsource(source)
