"""The weights of VGG-16, which come from a local server here."""

import hashlib
import inspect

import keras
import pytest

from course import transfer
from course.errors import CourseError
from tests.datasets import CLOSED_PORT, serve_bytes


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
    assert transfer.VGG16_MD5 in inspect.getsource(source)
