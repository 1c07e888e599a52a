"""The ImageNet weights of VGG-16 without its dense layers, for transfer learning."""

import hashlib
from pathlib import Path

from course.datasets.data_files import fetch, find_or_download
from course.errors import CourseError

# The weights that keras.applications.VGG16 loads, without the three dense layers; 59 MB.
# Source: K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
# Recognition" (2014), CC BY 4.0, ported by F. Chollet.
VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG16_ADDRESS = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{VGG16_FILE}"
VGG16_MD5 = "6d6bbae143d832006294945121d1f1fc"
# What a student can do if weights cannot be downloaded, as the last remedy in an error message.
INSTEAD = 'choose data = "cifar10" at the top of the notebook'


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
    path = find_or_download(VGG16_FILE, VGG16_ADDRESS, _download, INSTEAD)
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
