import io
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from course import datasets
from course.datasets import cats_dogs, cifar10
from course.errors import CourseError
from tests.datasets import CLOSED_PORT, serve_bytes

SPLITS = [(split, name) for split in ("train", "validation") for name in ("cats", "dogs")]


def files(folder):
    """Map (split, class) to the sorted names of its files."""
    return {
        (split, name): sorted(path.name for path in (folder / split / name).iterdir())
        for split, name in SPLITS
    }


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """An empty data directory, without access to any dataset."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(cats_dogs, "PHOTOS_ADDRESS", CLOSED_PORT)
    monkeypatch.setattr(cifar10, "ADDRESS", CLOSED_PORT)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    return tmp_path


def archive(train=1_000, validation=500):
    """Return an archive in the layout of the photos; all of them are the same small image."""
    jpeg, content = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (4, 3), "teal").save(jpeg, format="JPEG")
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("cats_and_dogs_filtered/vectorize.py", "")
        for split, name in SPLITS:
            for number in range({"train": train, "validation": validation}[split]):
                path = f"cats_and_dogs_filtered/{split}/{name}/{name[:-1]}.{number}.jpg"
                archive.writestr(path, jpeg.getvalue())
    return content.getvalue()


def test_drawings_need_neither_files_nor_a_network(directory):
    folder = datasets.cats_and_dogs("synthetic", seed=3)
    assert not list(directory.iterdir())
    found = files(folder)
    assert [len(found[key]) for key in SPLITS] == [30, 30, 20, 20]
    contents = {path.read_bytes() for path in folder.rglob("*.png")}
    assert len(contents) == 100, "no two drawings are equal"
    assert datasets.check_folder(folder / "train") == {"cats": 30, "dogs": 30}


def test_drawings_depend_on_the_seed(directory):
    first, again = (datasets.cats_and_dogs("synthetic", seed=4) for _ in range(2))
    other = datasets.cats_and_dogs("synthetic", seed=5)
    assert first == again != other
    name = "train/dogs/dog.0000.png"
    assert (first / name).read_bytes() != (other / name).read_bytes()


def test_the_cats_and_dogs_of_cifar10_are_written_once(directory):
    labels = np.repeat(np.arange(10, dtype="uint8"), 2_100)[:, None]
    images = np.zeros((21_000, 32, 32, 3), "uint8")
    images[:, 0, 0, 0] = labels[:, 0]
    images[:, 0, 0, 1:] = np.stack(np.divmod(np.arange(21_000) % 2_100, 256), axis=1)
    test = images[: 21_000 // 2 * 2].copy()
    test[:, 1, 1] = 255
    np.savez(directory / "cifar10.npz", x_train=images, y_train=labels, x_test=test, y_test=labels)
    folder = datasets.cats_and_dogs("cifar10")
    assert folder == directory / "cifar10_cats_and_dogs"
    found = files(folder)
    assert [len(found[key]) for key in SPLITS] == [1_000, 1_000, 2_000, 2_000]

    def numbers(split, name):
        images = [
            np.asarray(Image.open(folder / split / name / each)) for each in found[split, name]
        ]
        corners = np.stack([image[0, 0] for image in images]).astype(int)
        assert set(corners[:, 0]) == {{"cats": 3, "dogs": 5}[name]}
        from_test = [bool(image[1, 1, 0]) for image in images]
        return (256 * corners[:, 1] + corners[:, 2]).tolist(), from_test

    for name in ("cats", "dogs"):
        train, from_test = numbers("train", name)
        assert train == list(range(1_000)) and not any(from_test)
        validation, from_test = numbers("validation", name)
        assert validation == [*range(1_000, 2_000), *range(1_000)]
        assert from_test == [False] * 1_000 + [True] * 1_000

    (directory / "cifar10.npz").unlink()
    assert datasets.cats_and_dogs("cifar10") == folder, "the written files suffice"


def test_a_missing_cifar10_is_named_and_nothing_is_left(directory):
    with pytest.raises(CourseError, match=r"cifar10\.npz is not in .* could not be downloaded"):
        datasets.cats_and_dogs("cifar10")
    assert not list(directory.iterdir())


def test_photos_are_downloaded_once(directory, monkeypatch):
    with serve_bytes() as start:
        address, _ = start(archive())
        monkeypatch.setattr(cats_dogs, "PHOTOS_ADDRESS", address)
        folder = datasets.cats_and_dogs("photos")
    monkeypatch.setattr(cats_dogs, "PHOTOS_ADDRESS", CLOSED_PORT)
    assert datasets.cats_and_dogs("photos") == folder == directory / "cats_and_dogs_filtered"
    assert [path.name for path in directory.iterdir()] == ["cats_and_dogs_filtered"]
    assert [len(names) for names in files(folder).values()] == [1_000, 1_000, 500, 500]


@pytest.mark.parametrize("body", [archive(train=3), archive()[:-300], b"<html>Sign in</html>"])
def test_an_archive_with_other_content_is_not_saved(directory, monkeypatch, body):
    with serve_bytes() as start:
        address, _ = start(body)
        monkeypatch.setattr(cats_dogs, "PHOTOS_ADDRESS", address)
        with pytest.raises(CourseError, match="could not be downloaded"):
            datasets.cats_and_dogs("photos")
    assert not list(directory.iterdir())


def test_without_a_network_the_other_source_is_suggested_but_not_used(directory):
    with pytest.raises(CourseError) as caught:
        datasets.cats_and_dogs("photos")
    assert str(caught.value) == (
        f"cats_and_dogs_filtered is not in {directory} and could not be downloaded from"
        f" {CLOSED_PORT}: check your internet connection and run this cell again; copy"
        " cats_and_dogs_filtered from another machine into that folder; set COURSE_DATA_DIR to a"
        ' folder that contains cats_and_dogs_filtered; or choose data = "cifar10" at the top of'
        " the notebook."
    )


def test_a_failed_conversion_is_an_error_with_its_reason(directory, monkeypatch):
    def run_out_of_memory(profile):
        raise MemoryError("Unable to allocate 147 MiB")

    monkeypatch.setattr(cats_dogs, "load_cifar10", run_out_of_memory)
    with pytest.raises(CourseError) as caught:
        datasets.cats_and_dogs("cifar10")
    assert str(caught.value) == (
        f"cifar10_cats_and_dogs is not in {directory} and could not be created"
        " (MemoryError('Unable to allocate 147 MiB')): run this cell again; copy"
        " cifar10_cats_and_dogs from another machine into that folder; or set COURSE_DATA_DIR to"
        " a folder that contains cifar10_cats_and_dogs."
    )
    assert not list(directory.iterdir())


def test_the_error_for_an_unknown_source_lists_the_known_ones(directory):
    with pytest.raises(CourseError) as caught:
        datasets.cats_and_dogs("imagenet")
    assert str(caught.value) == (
        "data='imagenet' is not a source of cat and dog images: choose one of 'photos', 'cifar10',"
        " 'synthetic'."
    )


@pytest.mark.skipif("COURSE_DATA_DIR" not in os.environ, reason="COURSE_DATA_DIR is not set")
def test_the_real_cifar10_has_intact_cats_and_dogs():
    folder = datasets.cats_and_dogs("cifar10")
    assert datasets.check_folder(folder / "train") == {"cats": 1_000, "dogs": 1_000}
    assert datasets.check_folder(folder / "validation") == {"cats": 2_000, "dogs": 2_000}
