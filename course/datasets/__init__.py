"""Image datasets: real ones from a file or the network, and synthetic ones generated from a seed.

Every loader of a dataset takes a profile. Synthetic images are used only in the "smoke" profile and
never replace real ones silently. Keras is imported only for a download.
"""

from course.datasets.cats_dogs import cats_and_dogs
from course.datasets.cifar10 import CIFAR10_NAMES, load_cifar10
from course.datasets.data_files import data_directory
from course.datasets.image_folders import check_folder, read_images
from course.datasets.imagenet_features import load_imagenet_features
from course.datasets.mnist import load_mnist
from course.datasets.photo import load_photo
from course.datasets.synthetic.cifar10_scenes import synthetic_scenes
from course.datasets.synthetic.digits import draw_digit, synthetic_digits

__all__ = [
    "CIFAR10_NAMES",
    "cats_and_dogs",
    "check_folder",
    "data_directory",
    "draw_digit",
    "load_cifar10",
    "load_imagenet_features",
    "load_mnist",
    "load_photo",
    "read_images",
    "synthetic_digits",
    "synthetic_scenes",
]
