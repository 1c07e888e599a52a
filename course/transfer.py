"""Networks that begin with what another network has learned."""

import hashlib

from course.datasets.download import find_or_fetch
from course.errors import CourseError

# The weights that keras.applications.VGG16 loads by itself, without the three dense layers; 59 MB.
# Source: K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
# Recognition" (2014), CC BY 4.0, ported by F. Chollet.
VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG16_ADDRESS = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{VGG16_FILE}"
VGG16_MD5 = "6d6bbae143d832006294945121d1f1fc"


def vgg16_weights():
    """Return the path of VGG-16's ImageNet weights for `keras.applications.VGG16(weights=...)`.

    Returns
    -------
    str
        A file in the data directory, downloaded (59 MB) if it is not there.

    Raises
    ------
    CourseError
        If it is neither there nor to be had, or damaged.
    """
    instead = ', or choose data = "cifar10" at the top of the notebook'
    path = find_or_fetch(VGG16_FILE, VGG16_ADDRESS, _download, instead)
    # Keras would load what fits of a wrong file, or say something about HDF5.
    if hashlib.md5(path.read_bytes()).hexdigest() != VGG16_MD5:
        raise CourseError(
            f"{path} is damaged (it is not the file that Keras's makers published): delete it and"
            " run this again, so that it is fetched anew."
        )
    return str(path)


def _download(folder):
    import keras  # takes seconds, which only a download should cost

    path = keras.utils.get_file(
        VGG16_FILE, VGG16_ADDRESS, file_hash=VGG16_MD5, cache_dir=str(folder), cache_subdir=""
    )
    return folder / path


def split_frozen(network):
    """Split a network in front of the first layer that learns.

    What the layers before it give for a picture never changes; so it need be computed only once,
    and the rest be trained on that.

    Parameters
    ----------
    network : keras.Model
        A chain of layers; a layer may itself be such a chain.

    Returns
    -------
    frozen, learning : keras.Sequential
        Both made of the network's own layers: what `learning` learns, `network` has learned too.
        `learning` is compiled as the network is. Dropout and augmentation, which change from one
        time to the next, count as the beginning of `learning`.

    Raises
    ------
    CourseError
        If the network branches, or nothing of it is frozen, or everything.
    """
    import keras

    chain = _chain(network)
    first = next((place for place, layer in enumerate(chain) if _changes(layer)), len(chain))
    if first in (0, len(chain)):
        raise CourseError(
            f"{'every' if first else 'not even the first'} layer is frozen: set trainable of the"
            " first layers to False, and leave that of the last ones True."
        )
    frozen = keras.Sequential([keras.Input(network.input_shape[1:]), *chain[:first]])
    learning = keras.Sequential([keras.Input(frozen.output_shape[1:]), *chain[first:]])
    if network.compiled:
        learning.compile(network.optimizer, network.loss, metrics=["accuracy"])
    return frozen, learning


def _changes(layer):
    """Return whether what a layer gives for the same input may change in a training."""
    # Dropout and augmentation draw random numbers, under one of these names.
    draws = hasattr(layer, "seed_generator") or hasattr(layer, "generator")
    return bool(layer.trainable_variables) or draws


def _chain(network):
    """Return the layers of a network one after the other, those of networks in it included."""
    import keras

    layers = []
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            layers += _chain(layer)
        elif type(layer).__name__ == "InputLayer":
            continue
        elif isinstance(getattr(layer, "input", None), list):
            raise CourseError(
                f"the network branches: {layer.name} has several inputs. Only a chain can be split."
            )
        else:
            layers.append(layer)
    return layers
