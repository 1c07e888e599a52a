"""CIFAR-10: 60,000 color images of 32 x 32 pixels, 6,000 for each of ten classes.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", University of
Toronto (2009); the file is the one that Keras downloads.
"""

import pickle
from pathlib import Path

import numpy as np

from course.datasets.data_files import fetch, find_or_download, read_arrays
from course.datasets.synthetic.cifar10_scenes import synthetic_scenes
from course.profiles import check_profile

CIFAR10_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
# Enough images for a CNN to learn from within two seconds; a notebook uses as many as it needs.
SMOKE_TRAIN = 600
SMOKE_TEST = 300
# As in keras.datasets.cifar10, which can download only into its own folder.
ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


def load_cifar10(profile="cpu", seed=0):
    """Load CIFAR-10: color images in ten classes, named in `CIFAR10_NAMES`.

    Parameters
    ----------
    profile : {"smoke", "cpu", "gpu"}
        "smoke" generates 600 + 300 synthetic images in memory. The others load all of CIFAR-10,
        50,000 + 10,000 images, from cifar10.npz in the data directory; the file is downloaded
        (170 MB) if it is missing.
    seed : int
        The seed for the synthetic images; CIFAR-10 itself is always the same.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray of uint8
        Images of shape (n, 32, 32, 3) with red, green, and blue values from 0 to 255, and labels of
        shape (n,) from 0 to 9. `keras.datasets.cifar10.load_data` returns labels of shape (n, 1).

    Raises
    ------
    CourseError
        If there is no such profile, or if cifar10.npz is damaged, or if the file is missing and
        cannot be downloaded.
    """
    check_profile(profile)
    if profile == "smoke":
        # The test images need a different seed, one that no training images use.
        return synthetic_scenes(SMOKE_TRAIN, seed), synthetic_scenes(SMOKE_TEST, [seed, 1])
    path = find_or_download("cifar10.npz", ADDRESS, _download)
    (x_train, y_train), (x_test, y_test) = read_arrays(path, (32, 32, 3), label_shape=(1,))
    return (x_train, y_train[:, 0]), (x_test, y_test[:, 0])


def _download(folder: Path) -> Path:
    """Download CIFAR-10 into a folder, check its hash, and return the path of cifar10.npz."""
    extracted = fetch(folder, "cifar-10-batches-py", ADDRESS, file_hash=SHA256, extract=True)
    # The folder that get_file returns depends on the version of Keras.
    (test_file,) = extracted.rglob("test_batch")
    train = [_read_batch(test_file.with_name(name)) for name in BATCHES]
    images, labels = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    test_images, test_labels = _read_batch(test_file)
    path = folder / "cifar10.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=test_images, y_test=test_labels)
    return path


def _read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return arrays of the images (n, 32, 32, 3) and labels (n, 1) in one file of the archive."""
    # A pickle can run code, but the hash of the archive has been checked.
    with path.open("rb") as file:
        batch = pickle.load(file, encoding="bytes")
    # Each row is an image: 1,024 red values, then the green and blue values.
    images = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.array(batch[b"labels"], dtype="uint8")[:, None]
