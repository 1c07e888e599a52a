import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from course import datasets
from course.datasets import cifar10
from course.errors import CourseError
from tests.datasets import CLOSED_PORT, serve_bytes


def image(number):
    """Return an image whose channels, rows and columns all differ."""
    row, column, channel = np.indices((32, 32, 3))
    return ((100 * channel + 3 * row + column + number) % 256).astype("uint8")


def batch(*labels):
    """Return a file of CIFAR-10's archive; each row has red, green, then blue values."""
    rows = [image(label).transpose(2, 0, 1).ravel() for label in labels]
    return pickle.dumps({b"data": np.array(rows), b"labels": list(labels), b"batch_label": b"one"})


def archive():
    """Return a small archive in the layout of the one that Keras downloads."""
    files = {f"data_batch_{number}": batch(number, 2 * number - 1) for number in range(1, 6)}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in {**files, "test_batch": batch(7, 3, 0)}.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def small_file(**changes):
    """Return the arrays of a small cifar10.npz; a change to None omits the array."""
    arrays = {
        "x_train": np.stack([image(5), image(0)]),
        "y_train": np.array([[5], [0]], "uint8"),
        "x_test": image(7)[None],
        "y_test": np.array([[7]], "uint8"),
    }
    return {name: array for name, array in (arrays | changes).items() if array is not None}


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """An empty data directory, without access to the real CIFAR-10."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(cifar10, "ADDRESS", CLOSED_PORT)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    return tmp_path


@pytest.fixture
def serve(monkeypatch):
    """Download CIFAR-10 from a local server."""
    with serve_bytes() as start:
        yield lambda body: [
            monkeypatch.setattr(cifar10, name, value)
            for name, value in zip(("ADDRESS", "SHA256"), start(body), strict=True)
        ]


def test_smoke_generates_images_without_files_or_a_network(directory):
    (x_train, y_train), (x_test, y_test) = datasets.load_cifar10("smoke")
    assert (x_train.shape, y_train.shape) == ((600, 32, 32, 3), (600,))
    assert (x_test.shape, y_test.shape) == ((300, 32, 32, 3), (300,))
    assert {array.dtype.name for array in (x_train, y_train, x_test, y_test)} == {"uint8"}
    assert not list(directory.iterdir())
    train, test = ({image.tobytes() for image in images} for images in (x_train, x_test))
    assert not train & test


def test_the_error_for_an_unknown_profile_lists_the_known_ones(directory):
    with pytest.raises(CourseError, match="'tpu' is not a profile: choose one of smoke, cpu, gpu"):
        datasets.load_cifar10("tpu")


def test_a_file_in_the_data_directory_is_read_and_its_labels_are_flattened(directory):
    np.savez(directory / "cifar10.npz", **small_file())
    (x_train, y_train), (x_test, y_test) = datasets.load_cifar10()
    assert np.array_equal(x_train, small_file()["x_train"])
    assert y_train.tolist() == [5, 0]
    assert (x_test.shape, y_test.tolist()) == ((1, 32, 32, 3), [7])


def test_a_download_is_converted_and_saved_and_not_repeated(directory, serve, monkeypatch):
    serve(archive())
    first = datasets.load_cifar10()
    assert [path.name for path in directory.iterdir()] == ["cifar10.npz"]
    monkeypatch.setattr(cifar10, "ADDRESS", CLOSED_PORT)
    for (x_train, y_train), (x_test, y_test) in (first, datasets.load_cifar10()):
        assert y_train.tolist() == [1, 1, 2, 3, 3, 5, 4, 7, 5, 9]
        assert y_test.tolist() == [7, 3, 0]
        assert np.array_equal(x_train, np.stack([image(label) for label in y_train]))
        assert np.array_equal(x_test, np.stack([image(label) for label in y_test]))


def test_an_archive_with_another_hash_is_not_opened(directory, serve, monkeypatch):
    serve(archive())
    monkeypatch.setattr(cifar10, "SHA256", "0" * 64)
    monkeypatch.setattr(cifar10, "_read_batch", lambda path: pytest.fail("a pickle was read"))
    with pytest.raises(CourseError, match="could not be downloaded"):
        datasets.load_cifar10()
    assert not list(directory.iterdir())


def test_a_missing_file_without_a_network_is_an_error(directory):
    with pytest.raises(CourseError) as caught:
        datasets.load_cifar10()
    assert str(caught.value) == (
        f"cifar10.npz is not in {directory} and could not be downloaded from {CLOSED_PORT}: check"
        " your internet connection and run this cell again; copy cifar10.npz from another machine"
        " into that folder; or set COURSE_DATA_DIR to a folder that contains cifar10.npz."
    )
    assert not list(directory.iterdir())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"y_test": None}, "an array is missing"),
        ({"y_train": np.array([5, 0], "uint8")}, r"y_train is uint8 of shape \(2,\), not uint8 of"),
        ({"x_test": np.zeros((1, 28, 28), "uint8")}, r"x_test is uint8 of shape \(1, 28, 28\)"),
        ({"y_test": np.array([[10]], "uint8")}, "y_test has the label 10, but the largest is 9"),
    ],
)
def test_a_damaged_file_is_an_error(directory, changes, reason):
    np.savez(directory / "cifar10.npz", **small_file(**changes))
    with pytest.raises(CourseError, match=rf"cifar10\.npz is damaged \({reason}.*: delete it and"):
        datasets.load_cifar10()


@pytest.mark.skipif("COURSE_DATA_DIR" not in os.environ, reason="COURSE_DATA_DIR is not set")
def test_the_real_cifar10():
    (x_train, y_train), (x_test, y_test) = datasets.load_cifar10()
    assert (x_train.shape, x_test.shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert np.bincount(y_train).tolist() == [5_000] * 10
    assert np.bincount(y_test).tolist() == [1_000] * 10
