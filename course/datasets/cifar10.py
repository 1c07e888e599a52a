"""CIFAR-10: 60,000 colour pictures of 32 x 32 pixels, 6,000 of each of ten classes.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", University of
Toronto (2009); the file is the one that Keras downloads.
"""

import pickle
from pathlib import Path

import numpy as np

from course.datasets.download import find_or_download, read_arrays
from course.datasets.synthetic.scenes import synthetic_scenes
from course.profiles import check_profile

CIFAR10_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
# Enough for a CNN to learn from within a second or two; a notebook takes the part that it needs.
SMOKE_TRAIN = 600
SMOKE_TEST = 300
# As in keras.datasets.cifar10, which knows no other folder than its own: we call what it calls.
ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


def load_cifar10(profile="cpu", seed=0):
    """Load colour pictures of ten classes, whose names are `CIFAR10_NAMES`.

    Parameters
    ----------
    profile : {"smoke", "cpu", "gpu"}
        "smoke" draws 600 + 300 synthetic pictures in memory. The others load all of CIFAR-10,
        50,000 + 10,000 pictures, from cifar10.npz in the data directory; it is downloaded (170 MB)
        if it is not there.
    seed : int
        What the synthetic pictures are drawn from; CIFAR-10 itself is always the same.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray of uint8
        Pictures (n, 32, 32, 3), red, green and blue from 0 to 255; labels (n,) from 0 to 9.
        `keras.datasets.cifar10.load_data` returns the same with labels (n, 1).

    Raises
    ------
    CourseError
        If there is no such profile, if cifar10.npz is neither there nor to be had, or is damaged.
    """
    check_profile(profile)
    if profile == "smoke":
        # The test pictures need a seed of their own, and one that no training pictures have.
        return synthetic_scenes(SMOKE_TRAIN, seed), synthetic_scenes(SMOKE_TEST, [seed, 1])
    path = find_or_download("cifar10.npz", ADDRESS, _download)
    (x_train, y_train), (x_test, y_test) = read_arrays(path, (32, 32, 3), label_shape=(1,))
    return (x_train, y_train[:, 0]), (x_test, y_test[:, 0])


def _download(folder):
    """Download CIFAR-10 into a folder, check its hash, and return the path of cifar10.npz."""
    import keras  # takes seconds, which only a download should cost

    unpacked = keras.utils.get_file(
        "cifar-10-batches-py",
        origin=ADDRESS,
        file_hash=SHA256,
        extract=True,
        cache_dir=str(folder),
        cache_subdir="",
    )
    # Which folder get_file returns depends on the version of Keras.
    (test_file,) = Path(unpacked).rglob("test_batch")
    train = [_read_batch(test_file.with_name(name)) for name in BATCHES]
    images, labels = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    test_images, test_labels = _read_batch(test_file)
    path = folder / "cifar10.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=test_images, y_test=test_labels)
    return path


def _read_batch(path):
    """Return the pictures (n, 32, 32, 3) and labels (n, 1) of one of the archive's files."""
    # A pickle may run code: this one's hash was checked.
    with path.open("rb") as file:
        batch = pickle.load(file, encoding="bytes")
    # A row is a picture: 1,024 red values, then as many green and blue ones.
    images = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.array(batch[b"labels"], dtype="uint8")[:, None]
