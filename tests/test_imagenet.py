"""Classifying a photo with a trained network, whose weights come from a local server here."""

import hashlib
import json

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from course import imagenet, transfer
from course.errors import CourseError
from tests.datasets import CLOSED_PORT, serve_bytes

PHOTO = np.random.default_rng(0).random((160, 144, 3))
NAMES = json.dumps({str(n): [f"n{n}", f"class_{n}"] for n in range(imagenet.CLASSES)}).encode()


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """An empty data directory; nothing can be downloaded."""
    folder = tmp_path / "data"
    monkeypatch.setenv("COURSE_DATA_DIR", str(folder))
    monkeypatch.setattr(imagenet, "SOURCE", CLOSED_PORT)
    monkeypatch.setattr(imagenet, "NAMES_ADDRESS", CLOSED_PORT)
    monkeypatch.setattr(imagenet, "NAMES_MD5", hashlib.md5(NAMES).hexdigest())
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    return folder


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return keras.applications.MobileNetV2(weights=None)


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    """The bytes of a file of weights in the format of keras.applications."""
    path = tmp_path_factory.mktemp("weights") / "weights.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    return path.read_bytes()


def test_the_five_best_classes_come_from_the_downloaded_network(
    directory, monkeypatch, network, weights, capsys
):
    with serve_bytes() as start:
        monkeypatch.setattr(imagenet, "SOURCE", start(weights)[0])
        monkeypatch.setattr(imagenet, "NAMES_ADDRESS", start(NAMES)[0])
        scores = imagenet.classify(PHOTO)
    assert "not classified" not in capsys.readouterr().out
    square = np.asarray(keras.ops.image.resize(255 * PHOTO[8:152].astype("float32"), (224, 224)))
    expected = network.predict(square[None] / 127.5 - 1, verbose=0)[0]
    best = np.argsort(-expected)[:5]
    assert list(scores) == [*(f"class {n}" for n in best), "the other 995 classes"]
    assert list(scores.values())[:5] == pytest.approx(expected[best], abs=1e-6)
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)

    # Nothing is downloaded again, and a damaged file is reported, not loaded.
    monkeypatch.setattr(imagenet, "SOURCE", CLOSED_PORT)
    monkeypatch.setattr(imagenet, "NAMES_ADDRESS", CLOSED_PORT)
    assert imagenet.classify(PHOTO) == scores
    (directory / imagenet.NETWORKS["MobileNetV2"].file).write_bytes(weights[:1000])
    assert imagenet.classify(PHOTO) is None
    assert "is damaged: delete it and run this cell again" in capsys.readouterr().out


@pytest.mark.parametrize("name", imagenet.NETWORKS)
def test_without_an_internet_connection_the_message_says_first_that_one_can_continue(
    directory, capsys, name
):
    assert imagenet.classify(PHOTO, name) is None
    printed = capsys.readouterr().out
    assert printed.startswith("The photo was not classified. You can continue: ")
    assert printed.count("\n") == 2
    assert f"{imagenet.NETWORKS[name].file} is not in" in printed


def test_vgg16_with_another_hash_is_damaged(directory, capsys):
    directory.mkdir()
    (directory / imagenet.NETWORKS["VGG16"].file).write_bytes(b"other weights")
    assert imagenet.classify(PHOTO, "VGG16") is None
    assert "is damaged" in capsys.readouterr().out


def test_no_network_is_a_choice(directory, capsys):
    assert imagenet.classify(PHOTO, None) is None
    assert capsys.readouterr().out.count("\n") == 1
    assert not directory.exists()


def test_vgg16_gets_the_pixels_that_it_was_trained_with():
    gray = np.full((300, 224, 3), 0.5)
    pixels = imagenet._preprocess("vgg16", gray)
    assert pixels.shape == (224, 224, 3)
    assert pixels[0, 0] == pytest.approx([127.5 - 103.939, 127.5 - 116.779, 127.5 - 123.68])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((np.zeros((8, 8)),), "must have the shape"), ((PHOTO, "VGG99"), "must be one of Mobile")],
)
def test_wrong_arguments_are_rejected_with_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        imagenet.classify(*arguments)


def test_the_files_are_those_that_keras_loads():
    mobile, vgg = imagenet.NETWORKS["MobileNetV2"], imagenet.NETWORKS["VGG16"]
    applications = keras.src.applications
    assert vgg.address == applications.vgg16.WEIGHTS_PATH
    assert mobile.address == applications.mobilenet_v2.BASE_WEIGHT_PATH + mobile.file
    assert imagenet.NAMES_ADDRESS == applications.imagenet_utils.CLASS_INDEX_PATH


def test_a_base_is_the_downloaded_network_without_its_head(
    directory, monkeypatch, network, weights
):
    with serve_bytes() as start:
        monkeypatch.setattr(imagenet, "SOURCE", start(weights)[0])
        base = imagenet.load_base("MobileNetV2", 150)
    assert base.input_shape[1:] == (150, 150, 3) and base.output_shape[1:] == (1_280,)
    assert base.count_params() == 2_257_984
    for got, expected in zip(base.get_weights(), network.get_weights(), strict=False):
        assert np.array_equal(got, expected)
    assert any(isinstance(layer, keras.layers.BatchNormalization) for layer in base.layers)
    assert base.get_layer("block_16_expand") in base.layers


def test_without_an_internet_connection_a_base_can_be_trained_instead(directory, monkeypatch):
    monkeypatch.setattr(transfer, "VGG16_ADDRESS", CLOSED_PORT)
    for name in imagenet.NETWORKS:
        with pytest.raises(CourseError, match='or choose data = "cifar10" at the top'):
            imagenet.load_base(name, 150)
