"""Cats and dogs in folders: photos, the two classes of CIFAR-10, or drawings from a seed.

Every source is laid out alike, so that a notebook reads all of them with the same lines:

    train/cats, train/dogs, validation/cats, validation/dogs

Sources: "photos" are the 3,000 pictures that many Keras tutorials use, taken from the Asirra data
set (J. Elson and others, 2007) as Kaggle's "Dogs vs. Cats" has it. CIFAR-10: see `cifar10`.
"""

import tempfile
from pathlib import Path

import numpy as np

from course.datasets.cifar10 import CIFAR10_NAMES, load_cifar10
from course.datasets.download import find_or_download
from course.datasets.synthetic.scenes import synthetic_scenes
from course.errors import CourseError

SOURCES = ("photos", "cifar10", "synthetic")
PHOTOS = "cats_and_dogs_filtered"
PHOTOS_ADDRESS = f"https://storage.googleapis.com/mledu-datasets/{PHOTOS}.zip"
# Pictures of a class in each part, which is also what there must be of a downloaded one.
PHOTO_COUNTS = {"train": 1_000, "validation": 500}
CIFAR10_COUNTS = {"train": 1_000, "validation": 2_000}
SYNTHETIC_COUNTS = {"train": 30, "validation": 20}
CLASSES = {"cats": CIFAR10_NAMES.index("cat"), "dogs": CIFAR10_NAMES.index("dog")}
# Folders of drawings, which go with the process.
_drawn = {}


def cats_and_dogs(source, seed=0):
    """Return a folder of pictures of cats and dogs.

    Parameters
    ----------
    source : {"photos", "cifar10", "synthetic"}
        "photos": 1,000 photos a class to train with and 500 to validate with, of all sizes; in the
        data directory, downloaded (69 MB) if they are not there. "cifar10": pictures of CIFAR-10,
        32 x 32 pixels, 1,000 a class to train with; of the 2,000 a class to validate with the first
        1,000 are training pictures of CIFAR-10, the others its test pictures. They are written into
        the data directory the first time. "synthetic": 30 and 20 drawings a class, 32 x 32 pixels,
        in a temporary folder.
    seed : int
        What the drawings are drawn from.

    Returns
    -------
    pathlib.Path
        With train/cats, train/dogs, validation/cats and validation/dogs in it.

    Raises
    ------
    CourseError
        If there is no such source, or its pictures are neither there nor to be had.
    """
    if source == "photos":
        instead = ', or choose data = "cifar10" at the top of the notebook'
        return find_or_download(PHOTOS, PHOTOS_ADDRESS, _download, instead)
    if source == "cifar10":
        return find_or_download("cifar10_cats_and_dogs", None, _write_cifar10)
    if source == "synthetic":
        if seed not in _drawn:
            _drawn[seed] = tempfile.TemporaryDirectory(prefix="cats-and-dogs-")
            _write_drawings(Path(_drawn[seed].name), seed)
        return Path(_drawn[seed].name)
    raise CourseError(
        f"data={source!r} is not a source of cats and dogs: choose one of {', '.join(SOURCES)}."
    )


def _download(folder):
    """Download the photos into a folder and return the path of what was in the archive."""
    import keras  # takes seconds, which only a download should cost

    unpacked = keras.utils.get_file(
        f"{PHOTOS}.zip",
        origin=PHOTOS_ADDRESS,
        extract=True,
        cache_dir=str(folder),
        cache_subdir="",
    )
    # Which folder get_file returns depends on the version of Keras.
    (found,) = Path(unpacked).parent.rglob(f"{PHOTOS}/train")
    for part, count in PHOTO_COUNTS.items():
        for name in CLASSES:
            there = len(list((found.parent / part / name).glob("*.jpg")))
            if there != count:
                raise ValueError(f"{part}/{name} holds {there} pictures, not {count}")
    return found.parent


def _write_cifar10(folder):
    """Write CIFAR-10's cats and dogs below a folder and return the path of theirs."""
    (x_train, y_train), (x_test, y_test) = load_cifar10("cpu")
    root, known, new = folder / "pictures", *CIFAR10_COUNTS.values()
    for name, label in CLASSES.items():
        train, test = x_train[y_train == label], x_test[y_test == label]
        _write(root / "train" / name, train[:known])
        rest = train[known : known + new // 2]
        _write(root / "validation" / name, np.concatenate([rest, test[: new // 2]]))
    return root


def _write_drawings(root, seed):
    train, new = SYNTHETIC_COUNTS.values()
    # Of ten drawings one is a cat and one a dog.
    images, labels = synthetic_scenes(10 * (train + new), [seed, 7])
    for name, label in CLASSES.items():
        drawings = images[labels == label]
        _write(root / "train" / name, drawings[:train])
        _write(root / "validation" / name, drawings[train:])


def _write(folder, images):
    """Write pictures as PNG files whose names sort as the pictures do."""
    from PIL import Image  # not needed by those who only load arrays

    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{folder.name[:-1]}.{number:04d}.png")
