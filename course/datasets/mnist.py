"""MNIST: 70,000 handwritten digits of 28 x 28 pixels.

Source: Y. LeCun, L. Bottou, Y. Bengio, and P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86 (1998); the file is the one that Keras distributes.
"""

from pathlib import Path

from course.datasets.data_files import fetch, find_or_download, read_arrays
from course.datasets.synthetic.digits import synthetic_digits
from course.profiles import check_profile

# Enough images for a CNN to learn from within half a second: few digits, centered as in MNIST.
SMOKE_TRAIN = 100
SMOKE_TEST = 100
SMOKE_SHIFT = 0.7  # pixels
# As in keras.datasets.mnist, which can download only into its own folder.
ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_mnist(profile="cpu", seed=0):
    """Load MNIST: handwritten digits.

    Parameters
    ----------
    profile : {"smoke", "cpu", "gpu"}
        "smoke" generates 100 + 100 synthetic digits in memory. The others load all of MNIST,
        60,000 + 10,000 digits, from mnist.npz in the data directory; the file is downloaded
        (11 MB) if it is missing.
    seed : int
        The seed for the synthetic digits; MNIST itself is always the same.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray of uint8
        Images of shape (n, 28, 28) from 0 (black) to 255 (white), and labels of shape (n,) from 0
        to 9, as `keras.datasets.mnist.load_data` returns them.

    Raises
    ------
    CourseError
        If there is no such profile, or if mnist.npz is damaged, or if the file is missing and
        cannot be downloaded.
    """
    check_profile(profile)
    if profile == "smoke":
        # The test images need a different seed, one that no training images use.
        return (
            synthetic_digits(SMOKE_TRAIN, seed, SMOKE_SHIFT),
            synthetic_digits(SMOKE_TEST, [seed, 1], SMOKE_SHIFT),
        )
    return read_arrays(find_or_download("mnist.npz", ADDRESS, _download), image_shape=(28, 28))


def _download(folder: Path) -> Path:
    """Download mnist.npz into a folder, check its hash, and return its path."""
    return fetch(folder, "mnist.npz", ADDRESS, file_hash=SHA256)
