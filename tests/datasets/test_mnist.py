import io
import os
import time
from pathlib import Path

import numpy as np
import pytest

from course import datasets
from course.datasets import mnist
from course.errors import CourseError
from tests.datasets import CLOSED_PORT, serve_bytes


def small_mnist(**changes):
    """Return the arrays of a small mnist.npz; a change to None omits the array."""
    arrays = {
        "x_train": np.arange(5 * 784, dtype="uint8").reshape(5, 28, 28),
        "y_train": np.array([5, 0, 4, 1, 9], dtype="uint8"),
        "x_test": np.ones((2, 28, 28), dtype="uint8"),
        "y_test": np.array([7, 2], dtype="uint8"),
    }
    return {name: array for name, array in (arrays | changes).items() if array is not None}


def as_bytes(arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """An empty data directory, without access to the real MNIST."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(mnist, "ADDRESS", CLOSED_PORT)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    return tmp_path


@pytest.fixture
def serve(monkeypatch):
    """Download MNIST from a local server."""
    with serve_bytes() as start:

        def set_address(body, content_length=None):
            address, digest = start(body, content_length)
            monkeypatch.setattr(mnist, "ADDRESS", address)
            monkeypatch.setattr(mnist, "SHA256", digest)

        yield set_address


def message_of(profile="cpu"):
    """Return the message of the error that load_mnist raises."""
    with pytest.raises(CourseError) as caught:
        datasets.load_mnist(profile)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_smoke_generates_digits_without_files_or_a_network(directory):
    (x_train, y_train), (x_test, y_test) = datasets.load_mnist("smoke")
    assert (x_train.shape, y_train.shape) == ((100, 28, 28), (100,))
    assert (x_test.shape, y_test.shape) == ((100, 28, 28), (100,))
    assert {array.dtype.name for array in (x_train, y_train, x_test, y_test)} == {"uint8"}
    assert not list(directory.iterdir())


def test_smoke_depends_on_the_seed_and_its_test_set_has_other_images():
    first, again, other = (datasets.load_mnist("smoke", seed) for seed in (3, 3, 4))
    assert np.array_equal(first[0][0], again[0][0])
    assert np.array_equal(first[1][0], again[1][0])
    assert not np.array_equal(first[1][0], other[1][0])
    train, test = ({image.tobytes() for image in images} for images, _ in first)
    assert not train & test


def test_the_error_for_an_unknown_profile_lists_the_known_ones(directory):
    sentence = message_of("tpu")
    assert "'tpu'" in sentence
    assert "smoke, cpu, gpu" in sentence


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_a_file_in_the_data_directory_is_read(directory, profile):
    np.savez(directory / "mnist.npz", **small_mnist())
    (x_train, y_train), (x_test, y_test) = datasets.load_mnist(profile)
    assert np.array_equal(x_train, small_mnist()["x_train"])
    assert y_train.tolist() == [5, 0, 4, 1, 9]
    assert (x_test.shape, x_test.dtype, y_test.tolist()) == ((2, 28, 28), np.uint8, [7, 2])


def test_a_missing_file_without_a_network_is_an_error_at_once(directory):
    start = time.perf_counter()
    sentence = message_of()
    assert time.perf_counter() - start < 15
    assert sentence == (
        f"mnist.npz is not in {directory} and could not be downloaded from {CLOSED_PORT}: check"
        " your internet connection and run this cell again; copy mnist.npz from another machine"
        " into that folder; or set COURSE_DATA_DIR to a folder that contains mnist.npz."
    )
    assert not list(directory.iterdir())


def test_a_download_is_saved_and_not_repeated(directory, serve, monkeypatch):
    serve(as_bytes(small_mnist()))
    datasets.load_mnist()
    assert [path.name for path in directory.iterdir()] == ["mnist.npz"]
    monkeypatch.setattr(mnist, "ADDRESS", CLOSED_PORT)
    assert datasets.load_mnist()[0][1].tolist() == [5, 0, 4, 1, 9]


def test_a_missing_data_directory_is_created(directory, serve, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(directory / "new" / "data"))
    serve(as_bytes(small_mnist()))
    datasets.load_mnist()
    assert (directory / "new" / "data" / "mnist.npz").is_file()


def test_an_interrupted_download_leaves_nothing(directory, serve):
    body = as_bytes(small_mnist())
    serve(body[:2000], content_length=len(body))
    assert "could not be downloaded" in message_of()
    assert not list(directory.iterdir())


def test_a_download_with_another_hash_leaves_nothing(directory, serve, monkeypatch):
    serve(b"<html>Please log in to this network</html>")
    monkeypatch.setattr(mnist, "SHA256", "0" * 64)
    assert "could not be downloaded" in message_of()
    assert not list(directory.iterdir())


def test_an_interrupt_during_a_download_leaves_nothing(directory, serve, monkeypatch):
    serve(as_bytes(small_mnist()))

    def interrupt(folder):
        (folder / "mnist.npz").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist, "_download", interrupt)
    with pytest.raises(KeyboardInterrupt):
        datasets.load_mnist()
    assert not list(directory.iterdir())


def test_a_data_directory_that_cannot_be_created_is_an_error(directory, monkeypatch):
    # A file instead of a folder: not even root can write there.
    (directory / "file").write_text("")
    monkeypatch.setenv("COURSE_DATA_DIR", str(directory / "file" / "data"))
    sentence = message_of()
    assert sentence.startswith(f"mnist.npz cannot be saved in {directory / 'file' / 'data'} (")
    assert sentence.endswith("set COURSE_DATA_DIR to a folder that you can write to.")


COMPLETE = as_bytes(small_mnist())
LABEL_TEN = np.array([1, 2, 3, 4, 10], dtype="uint8")
PICKLED = np.array([{}, None, 3, 4, 5], dtype=object)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (COMPLETE[:3000], "it is not a complete .npz file"),
        (COMPLETE[:1500] + bytes(1500) + COMPLETE[3000:], "it is not a complete .npz file"),
        (b"", "it is not a complete .npz file"),
        (b"these are not digits", "it is not a complete .npz file"),
        (as_bytes(small_mnist(y_test=None)), "an array is missing"),
        (as_bytes(small_mnist(y_train=PICKLED)), "it is not a complete .npz file"),
        (as_bytes(small_mnist(x_train=np.zeros((5, 784), "uint8"))), "x_train is uint8 of shape"),
        (as_bytes(small_mnist(x_test=np.uint8(3))), "x_test is uint8 of shape"),
        (as_bytes(small_mnist(x_test=np.zeros((2, 28, 28)))), "x_test is float64 of shape"),
        (as_bytes(small_mnist(y_test=np.zeros(3, "uint8"))), "y_test is uint8 of shape"),
        (
            as_bytes(small_mnist(y_train=LABEL_TEN)),
            "y_train has the label 10, but the largest is 9",
        ),
    ],
    ids=[
        *("cut", "overwritten", "empty", "text", "missing", "pickled", "flat", "scalar"),
        *("floats", "too many labels", "label 10"),
    ],
)
def test_a_damaged_file_is_an_error_and_not_deleted(directory, content, reason):
    path = directory / "mnist.npz"
    path.write_bytes(content)
    sentence = message_of()
    assert sentence.startswith(f"{path} is damaged ({reason}")
    assert sentence.endswith("delete it and run this cell again to download it.")
    assert path.read_bytes() == content


def test_an_array_instead_of_an_archive_is_damaged(directory):
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    (directory / "mnist.npz").write_bytes(file.getvalue())
    assert "is damaged" in message_of()


def test_the_data_directory_is_that_of_the_variable_or_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA_DIR", "~/images")
    assert datasets.data_directory() == Path.home() / "images"
    monkeypatch.delenv("COURSE_DATA_DIR")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert datasets.data_directory() == tmp_path / "cache" / "cnn-course"
    assert not (tmp_path / "cache").exists()
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert datasets.data_directory() == Path.home() / ".cache" / "cnn-course"
    monkeypatch.setattr("sys.platform", "darwin")
    assert datasets.data_directory() == Path.home() / "Library" / "Caches" / "cnn-course"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert datasets.data_directory() == tmp_path / "local" / "cnn-course"


@pytest.mark.skipif("COURSE_DATA_DIR" not in os.environ, reason="COURSE_DATA_DIR is not set")
def test_the_real_mnist():
    (x_train, y_train), (x_test, y_test) = datasets.load_mnist()
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert y_test[:5].tolist() == [7, 2, 1, 0, 4]
