"""Networks that were trained on ImageNet: classifying a photo, and bases for transfer learning."""

import hashlib
import importlib
import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from course.datasets.data_files import fetch, find_or_download
from course.errors import CourseError
from course.transfer import INSTEAD, vgg16_weights

SIDE, CLASSES, SHOWN = 224, 1000, 5
SOURCE = "https://storage.googleapis.com/tensorflow/keras-applications"
NAMES_FILE = "imagenet_class_index.json"
NAMES_ADDRESS = f"https://storage.googleapis.com/download.tensorflow.org/data/{NAMES_FILE}"
NAMES_MD5 = "c2c37ea517e94d9795004a39431a14cb"


class Weights(NamedTuple):
    """A file of weights that Keras publishes."""

    module: str  # in keras.applications
    file: str
    md5: str | None  # None if Keras does not check the file either
    megabytes: int

    @property
    def address(self) -> str:
        """The URL of the file."""
        return f"{SOURCE}/{self.module}/{self.file}"


# Sources: M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018);
# K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks" (2014), CC BY 4.0.
NETWORKS = {
    "MobileNetV2": Weights(
        "mobilenet_v2",
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5",
        None,
        14,
    ),
    "VGG16": Weights(
        "vgg16",
        "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        "64373286793e3c8b2b4e3219cbf3544b",
        553,
    ),
}


def classify(image, network="MobileNetV2"):
    """Return the probabilities that a trained network predicts for a photo.

    Parameters
    ----------
    image : array, (h, w, 3)
        Floats from 0 to 1; the largest square in the middle is scaled to 224 × 224 pixels.
    network : str or None
        "MobileNetV2" (its weights are 14 MB) or "VGG16" (553 MB). The weights are downloaded once,
        into the data directory. With None, nothing is downloaded.

    Returns
    -------
    dict of str to float, or None
        The five most probable of ImageNet's 1,000 classes, and the sum of all others. None if there
        are no weights; then the reason is printed, and the notebook can continue.

    Raises
    ------
    ValueError
        If the image is not a color image, or there is no such network.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must have the shape (h, w, 3); got {image.shape}.")
    if network is None:
        print("The profile does not select a network, so the photo was not classified.")
        return None
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, or None; got {network!r}.")
    try:
        trained, names = _load(NETWORKS[network], network), _class_names()
    except CourseError as error:
        print("The photo was not classified. You can continue: this cell only shows an example.")
        print(f"Reason: {error}")
        return None
    pixels = _preprocess(NETWORKS[network].module, image)
    probabilities = trained.predict(pixels[None], verbose=0)[0]
    best = np.argsort(-probabilities)[:SHOWN]
    result = {names[index]: float(probabilities[index]) for index in best}
    others = f"the other {CLASSES - SHOWN} classes"
    return result | {others: float(max(0, 1 - sum(result.values())))}


def load_base(network, side):
    """Return a network of `keras.applications` with its ImageNet weights, but without its head.

    Parameters
    ----------
    network : str
        "MobileNetV2" or "VGG16". The weights (14 or 59 MB) are downloaded if they are missing.
    side : int
        Width and height of the images, in pixels, at least 32.

    Returns
    -------
    keras.Model
        Takes preprocessed images (n, side, side, 3). MobileNetV2 returns the mean of each of its
        1,280 feature maps; VGG-16 returns its 512 feature maps.

    Raises
    ------
    CourseError
        If the weights are missing and cannot be downloaded, or are damaged.
    """
    import keras

    if network == "VGG16":
        return keras.applications.VGG16(
            include_top=False, weights=vgg16_weights(), input_shape=(side, side, 3)
        )
    trained = _load(NETWORKS[network], network, INSTEAD)
    base = getattr(keras.applications, network)(
        include_top=False, weights=None, input_shape=(side, side, 3), pooling="avg"
    )
    base.set_weights(trained.get_weights()[:-2])  # the head has a kernel and biases
    return base


def _preprocess(module: str, image: np.ndarray) -> np.ndarray:
    """Return the central square of an image, preprocessed for the network of a Keras module."""
    import keras

    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = 255 * image[top : top + side, left : left + side].astype("float32")
    scaled = keras.ops.convert_to_numpy(
        keras.ops.image.resize(square, (SIDE, SIDE), antialias=side > SIDE)
    )
    preprocess = importlib.import_module(f"keras.applications.{module}").preprocess_input
    return np.asarray(preprocess(np.clip(scaled, 0, 255).copy()))


def _load(weights: Weights, name: str, alternative: str = "") -> Any:
    """Return a network of keras.applications with the weights that Keras publishes for it."""
    import keras

    path = _find(weights.file, weights.address, weights.md5, alternative)
    try:
        return getattr(keras.applications, name)(weights=str(path))
    except Exception:
        # The damage determines which error h5py or Keras raises.
        raise _damaged(path) from None


def _class_names() -> list[str]:
    """Return the names of ImageNet's classes, in the order of a network's outputs."""
    path = _find(NAMES_FILE, NAMES_ADDRESS, NAMES_MD5)
    index = json.loads(path.read_text(encoding="utf-8"))
    return [index[str(number)][1].replace("_", " ") for number in range(CLASSES)]


def _find(file: str, address: str, md5: str | None, alternative: str = "") -> Path:
    """Return the path of a file in the data directory, downloaded if it is missing."""
    path = find_or_download(file, address, partial(_download, file, address, md5), alternative)
    if md5 and hashlib.md5(path.read_bytes()).hexdigest() != md5:
        raise _damaged(path)
    return path


def _download(file: str, address: str, md5: str | None, folder: Path) -> Path:
    return fetch(folder, file, address, **({"file_hash": md5} if md5 else {}))


def _damaged(path: Path) -> CourseError:
    return CourseError(f"{path} is damaged: delete it and run this cell again to download it.")
