"""Networks that begin with what another has learned: splitting them, and VGG-16's weights."""

import hashlib

import keras
import numpy as np
import pytest
from keras import layers

from course import transfer
from course.errors import CourseError
from tests.datasets import CLOSED_PORT, serve_bytes


def network(trainable=(False, False, True)):
    """Return a compiled network of a base with two convolutions and a head in one dense layer."""
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


def pictures(count=6):
    return np.random.default_rng(0).normal(size=(count, 8, 8, 1)).astype("float32")


def test_a_network_is_split_where_learning_begins():
    frozen, learning = transfer.split_frozen(network((False, True, True)))
    assert names(frozen) == ["one", "pool"]
    assert names(learning)[0] == "two" and names(learning)[-1] == "dense"


def test_both_parts_in_a_row_say_what_the_network_says():
    whole = network((False, True, True))
    frozen, learning = transfer.split_frozen(whole)
    said = learning.predict(frozen.predict(pictures(), verbose=0), verbose=0)
    assert np.allclose(said, whole.predict(pictures(), verbose=0), atol=1e-6)


def test_what_one_part_learns_the_network_has_learned():
    whole = network((False, True, True))
    frozen, learning = transfer.split_frozen(whole)
    before = [np.array(weight) for weight in whole.get_weights()]
    halfway, labels = frozen.predict(pictures(), verbose=0), np.tile([0, 1], 3)
    learning.fit(halfway, labels, epochs=2, verbose=0)
    after = whole.get_weights()
    moved = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert moved == [False, False, True, True, True, True]
    assert np.allclose(
        learning.predict(halfway, verbose=0), whole.predict(pictures(), verbose=0), atol=1e-6
    )


def test_dropout_begins_the_second_part_even_where_all_before_is_frozen():
    frozen, learning = transfer.split_frozen(network((False, False, True)))
    assert names(frozen)[:3] == ["one", "pool", "two"]
    assert type(learning.layers[0]).__name__ == "Dropout"


def test_augmentation_begins_the_second_part():
    whole = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.RandomFlip("horizontal"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    frozen, learning = transfer.split_frozen(whole)
    assert [type(layer).__name__ for layer in frozen.layers] == ["Rescaling"]
    assert not learning.compiled


@pytest.mark.parametrize(
    ("trainable", "sentence"),
    [((True, True, True), "not even the first layer"), ((False, False, False), "every layer")],
)
def test_a_network_without_two_parts_is_refused(trainable, sentence):
    base = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2), layers.Dense(1)])
    for layer, flag in zip(base.layers, trainable, strict=True):
        layer.trainable = flag
    with pytest.raises(CourseError, match=f"{sentence} is frozen: set trainable of the first"):
        transfer.split_frozen(base)


def test_a_network_that_branches_is_refused():
    inputs = keras.Input((4,))
    joined = layers.Add(name="joined")([layers.Dense(3)(inputs), layers.Dense(3)(inputs)])
    whole = keras.Model(inputs, layers.Dense(1)(joined))
    whole.layers[1].trainable = False
    with pytest.raises(CourseError, match=r"branches: joined has several inputs\. Only a chain"):
        transfer.split_frozen(whole)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """An empty data directory, and no way to the weights."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(transfer, "VGG16_ADDRESS", CLOSED_PORT)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    return tmp_path


def test_the_weights_are_downloaded_once_and_checked(directory, monkeypatch):
    body = b"weights of a kind"
    with serve_bytes() as start:
        monkeypatch.setattr(transfer, "VGG16_ADDRESS", start(body)[0])
        monkeypatch.setattr(transfer, "VGG16_MD5", hashlib.md5(body).hexdigest())
        path = transfer.vgg16_weights()
    monkeypatch.setattr(transfer, "VGG16_ADDRESS", CLOSED_PORT)
    assert path == transfer.vgg16_weights() == str(directory / transfer.VGG16_FILE)
    assert [each.name for each in directory.iterdir()] == [transfer.VGG16_FILE]

    (directory / transfer.VGG16_FILE).write_bytes(body[:5])
    with pytest.raises(CourseError, match=r"is damaged .*: delete it and run this again"):
        transfer.vgg16_weights()


def test_other_weights_than_the_known_ones_are_not_kept(directory, monkeypatch):
    with serve_bytes() as start:
        monkeypatch.setattr(transfer, "VGG16_ADDRESS", start(b"others")[0])
        with pytest.raises(CourseError, match="could not be downloaded"):
            transfer.vgg16_weights()
    assert not list(directory.iterdir())


def test_without_network_the_other_source_is_offered(directory):
    with pytest.raises(CourseError, match='or choose data = "cifar10" at the top of the notebook'):
        transfer.vgg16_weights()


def test_the_file_is_the_one_that_keras_itself_would_load():
    source = keras.src.applications.vgg16
    assert source.WEIGHTS_PATH_NO_TOP == transfer.VGG16_ADDRESS
    import inspect

    assert transfer.VGG16_MD5 in inspect.getsource(source)
