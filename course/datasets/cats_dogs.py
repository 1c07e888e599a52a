"""Images of cats and dogs in folders: photos, two classes of CIFAR-10, or synthetic drawings.

All sources have the same layout, so that the same code reads each of them:

    train/cats, train/dogs, validation/cats, validation/dogs

The source "photos" has the 3,000 images that many Keras tutorials use. They come from the Asirra
dataset (J. Elson et al., 2007) through Kaggle's "Dogs vs. Cats". For CIFAR-10, see `cifar10`.
"""

import tempfile
from pathlib import Path

import numpy as np

from course.datasets.cifar10 import CIFAR10_NAMES, load_cifar10
from course.datasets.data_files import fetch, find_or_download
from course.datasets.synthetic.cifar10_scenes import synthetic_scenes
from course.errors import CourseError

SOURCES = ("photos", "cifar10", "synthetic")
PHOTOS = "cats_and_dogs_filtered"
PHOTOS_ADDRESS = f"https://storage.googleapis.com/mledu-datasets/{PHOTOS}.zip"
# Images per class in each split; a download must have exactly these numbers.
PHOTO_COUNTS = {"train": 1_000, "validation": 500}
CIFAR10_COUNTS = {"train": 1_000, "validation": 2_000}
SYNTHETIC_COUNTS = {"train": 30, "validation": 20}
CLASSES = {"cats": CIFAR10_NAMES.index("cat"), "dogs": CIFAR10_NAMES.index("dog")}
# Maps seeds to the temporary folders of their drawings, which are removed when the process ends.
_drawing_folders: dict[int, tempfile.TemporaryDirectory[str]] = {}


def cats_and_dogs(source, seed=0):
    """Return a folder of images of cats and dogs.

    Parameters
    ----------
    source : {"photos", "cifar10", "synthetic"}
        "photos": photos of various sizes in the data directory, 1,000 per class for training and
        500 for validation; they are downloaded (69 MB) if they are missing. "cifar10": CIFAR-10
        images of 32 x 32 pixels, 1,000 per class for training and 2,000 for validation. The first
        1,000 validation images are CIFAR-10 training images; the others are test images. The first
        call writes them to the data directory. "synthetic": drawings of 32 x 32 pixels in a
        temporary folder, 30 per class for training and 20 for validation.
    seed : int
        The seed of the drawings.

    Returns
    -------
    pathlib.Path
        The folder that contains train/cats, train/dogs, validation/cats, and validation/dogs.

    Raises
    ------
    CourseError
        If there is no such source, or its images are missing and cannot be downloaded.
    """
    if source == "photos":
        alternative = 'choose data = "cifar10" at the top of the notebook'
        return find_or_download(PHOTOS, PHOTOS_ADDRESS, _download, alternative)
    if source == "cifar10":
        return find_or_download("cifar10_cats_and_dogs", None, _write_cifar10)
    if source == "synthetic":
        if seed not in _drawing_folders:
            _drawing_folders[seed] = tempfile.TemporaryDirectory(prefix="cats-and-dogs-")
            _write_drawings(Path(_drawing_folders[seed].name), seed)
        return Path(_drawing_folders[seed].name)
    raise CourseError(
        f"data={source!r} is not a source of cat and dog images: choose one of"
        f" {', '.join(map(repr, SOURCES))}."
    )


def _download(folder: Path) -> Path:
    """Download the photos into a folder and return the path of the extracted folder."""
    extracted = fetch(folder, f"{PHOTOS}.zip", PHOTOS_ADDRESS, extract=True)
    # The folder that get_file returns depends on the version of Keras.
    (found,) = extracted.parent.rglob(f"{PHOTOS}/train")
    for split, count in PHOTO_COUNTS.items():
        for name in CLASSES:
            found_count = len(list((found.parent / split / name).glob("*.jpg")))
            if found_count != count:
                raise ValueError(f"{split}/{name} contains {found_count} images, not {count}")
    return found.parent


def _write_cifar10(folder: Path) -> Path:
    """Write CIFAR-10's cats and dogs into a subfolder and return its path."""
    (x_train, y_train), (x_test, y_test) = load_cifar10("cpu")
    root = folder / "images"
    train_count, validation_count = CIFAR10_COUNTS.values()
    for name, label in CLASSES.items():
        train, test = x_train[y_train == label], x_test[y_test == label]
        _write(root / "train" / name, train[:train_count])
        rest = train[train_count : train_count + validation_count // 2]
        _write(root / "validation" / name, np.concatenate([rest, test[: validation_count // 2]]))
    return root


def _write_drawings(root: Path, seed: int) -> None:
    """Write drawings of cats and dogs into a folder."""
    train, validation = SYNTHETIC_COUNTS.values()
    # One in ten scenes shows a cat, and one in ten shows a dog.
    images, labels = synthetic_scenes(10 * (train + validation), [seed, 7])
    for name, label in CLASSES.items():
        drawings = images[labels == label]
        _write(root / "train" / name, drawings[:train])
        _write(root / "validation" / name, drawings[train:])


def _write(folder: Path, images: np.ndarray) -> None:
    """Write images as PNG files whose names sort in the order of the images."""
    from PIL import Image  # not needed to load arrays

    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{folder.name[:-1]}.{number:04d}.png")
