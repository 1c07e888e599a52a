"""MNIST: 70,000 handwritten digits of 28 x 28 pixels.

Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86 (1998); the file is the one that Keras distributes.
"""

from pathlib import Path

from course.datasets.download import find_or_download, read_arrays
from course.datasets.synthetic.digits import synthetic_digits
from course.profiles import check_profile

# Enough for a CNN to learn from within half a second: few digits, near the middle as MNIST's are.
SMOKE_TRAIN = 100
SMOKE_TEST = 100
SMOKE_SHIFT = 0.7  # pixels
# As in keras.datasets.mnist, which knows no other folder than its own: we call what it calls.
ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_mnist(profile="cpu", seed=0):
    """Load handwritten digits.

    Parameters
    ----------
    profile : {"smoke", "cpu", "gpu"}
        "smoke" draws 100 + 100 synthetic digits in memory. The others load all of MNIST, 60,000 +
        10,000 digits, from mnist.npz in the data directory; it is downloaded if it is not there.
    seed : int
        What the synthetic digits are drawn from; MNIST itself is always the same.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuples of ndarray of uint8
        Images (n, 28, 28) from 0, black, to 255, white; labels (n,) from 0 to 9. The same as
        `keras.datasets.mnist.load_data` returns.

    Raises
    ------
    CourseError
        If there is no such profile, if mnist.npz is neither there nor to be had, or is damaged.
    """
    check_profile(profile)
    if profile == "smoke":
        # The test pictures need a seed of their own, and one that no training pictures have.
        return (
            synthetic_digits(SMOKE_TRAIN, seed, SMOKE_SHIFT),
            synthetic_digits(SMOKE_TEST, [seed, 1], SMOKE_SHIFT),
        )
    return read_arrays(find_or_download("mnist.npz", ADDRESS, _download), image_shape=(28, 28))


def _download(folder):
    """Download mnist.npz into a folder, check its hash, and return its path."""
    import keras  # takes seconds, which only a download should cost

    return Path(
        keras.utils.get_file(
            "mnist.npz", origin=ADDRESS, file_hash=SHA256, cache_dir=str(folder), cache_subdir=""
        )
    )
