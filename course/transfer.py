"""Transfer learning: loading pretrained weights and splitting a network after its frozen layers."""

import hashlib
from pathlib import Path
from typing import Any

from course.datasets.download import fetch, find_or_download
from course.errors import CourseError

# The weights that keras.applications.VGG16 loads, without the three dense layers; 59 MB.
# Source: K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
# Recognition" (2014), CC BY 4.0, ported by F. Chollet.
VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG16_ADDRESS = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{VGG16_FILE}"
VGG16_MD5 = "6d6bbae143d832006294945121d1f1fc"


def vgg16_weights():
    """Return the path of VGG-16's ImageNet weights for `keras.applications.VGG16(weights=...)`.

    The weights do not include the three dense layers (`include_top=False`).

    Returns
    -------
    str
        The path of an HDF5 file in the data directory; the file (59 MB) is downloaded if it is
        missing.

    Raises
    ------
    CourseError
        If the file is missing and cannot be downloaded, or is damaged.
    """
    alternative = ', or choose data = "cifar10" at the top of the notebook'
    path = find_or_download(VGG16_FILE, VGG16_ADDRESS, _download, alternative)
    # From a wrong file, Keras would load whatever fits or raise an error about HDF5.
    if hashlib.md5(path.read_bytes()).hexdigest() != VGG16_MD5:
        raise CourseError(
            f"{path} is damaged (it differs from the file that Keras publishes): delete it and run"
            " this cell again to download it."
        )
    return str(path)


def _download(folder: Path) -> Path:
    """Download the weights into a folder and return the path of the file."""
    return fetch(folder, VGG16_FILE, VGG16_ADDRESS, file_hash=VGG16_MD5)


def split_frozen(network):
    """Split a network before its first trainable layer.

    The output of the frozen layers for an image never changes. It can be computed once, and the
    other layers can be trained on it.

    Parameters
    ----------
    network : keras.Model
        A chain of layers; a layer can itself be such a chain.

    Returns
    -------
    frozen, trainable : keras.Sequential
        Both share their layers with the network, so training `trainable` also trains `network`.
        `trainable` is compiled with the network's optimizer and loss. Layers that are random during
        training, such as dropout and augmentation, count as trainable.

    Raises
    ------
    CourseError
        If the network branches, or if either none or all of its layers are frozen.
    """
    import keras

    chain = _chain(network)
    first = next((index for index, layer in enumerate(chain) if _changes(layer)), len(chain))
    if first in (0, len(chain)):
        raise CourseError(
            f"{'every' if first else 'not even the first'} layer is frozen: set trainable to False"
            " for the first layers only."
        )
    frozen = keras.Sequential([keras.Input(network.input_shape[1:]), *chain[:first]])
    trainable = keras.Sequential([keras.Input(frozen.output_shape[1:]), *chain[first:]])
    if network.compiled:
        trainable.compile(network.optimizer, network.loss, metrics=["accuracy"])
    return frozen, trainable


def _changes(layer: Any) -> bool:
    """Return True if a layer's output for the same input can change during training."""
    # Dropout and augmentation have a random generator under one of these names.
    is_random = hasattr(layer, "seed_generator") or hasattr(layer, "generator")
    return bool(layer.trainable_variables) or is_random


def _chain(network: Any) -> list[Any]:
    """Return a network's layers in order, including those of nested networks."""
    import keras

    layers: list[Any] = []
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            layers += _chain(layer)
        elif type(layer).__name__ == "InputLayer":
            continue
        elif isinstance(getattr(layer, "input", None), list):
            raise CourseError(
                f"the network branches: {layer.name} has several inputs. Pass a chain of layers."
            )
        else:
            layers.append(layer)
    return layers
