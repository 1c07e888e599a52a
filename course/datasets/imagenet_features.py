"""The features that a network trained on ImageNet computes from 4,000 small images.

The course contains these features, so that a classifier can be trained on them without a download.
CONTRIBUTING.md describes how they are computed.
"""

import hashlib
from pathlib import Path

import numpy as np

from course.errors import CourseError

# One row per image and one column per feature; 255 stands for the largest value.
PATH = Path(__file__).parent / "features" / "imagenet.png"
SHA256 = "7d743de5996271f7ebd0c3ae671b2bde486614b6afad1b607d7536459bf098b6"
LARGEST = 6.0  # the network's last activation is ReLU6
PER_CLASS = 1_000  # in each split


def load_imagenet_features():
    """Return the features of 4,000 CIFAR-10 images of cats and dogs.

    The network is EfficientNet-Lite0, trained on ImageNet, without its output layer. The images
    were enlarged to 128 x 128 pixels. Each feature is the mean of one of the 1,280 feature maps of
    its last convolution, rounded to one of 256 levels.

    Returns
    -------
    (features_train, y_train), (features_val, y_val) : tuples of ndarray
        Features of shape (2000, 1280), float32, and labels of shape (2000,), uint8: 0 for a cat, 1
        for a dog. No image is in both splits.

    Raises
    ------
    CourseError
        If the file is damaged.

    Notes
    -----
    The images need not be those that `cats_and_dogs` returns: the order of CIFAR-10 differs between
    distributions. The network's weights are under the Apache License 2.0: M. Tan, Q. Le,
    "EfficientNet" (2019).
    """
    from PIL import Image  # slow to import

    try:
        with Image.open(PATH) as image:
            levels = np.asarray(image)
        if checksum(levels) != SHA256:
            raise ValueError("its values were changed")
    except (OSError, SyntaxError, ValueError) as error:
        raise CourseError(
            f"Cannot read {PATH} ({error}): install the course's package again."
        ) from None
    features = np.split(levels.astype("float32") * (LARGEST / 255), 2)
    labels = np.repeat(np.array([0, 1], "uint8"), PER_CLASS)
    return (features[0], labels), (features[1], labels.copy())


def checksum(levels: np.ndarray) -> str:
    """Return the SHA-256 of the levels as hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(levels).data).hexdigest()
