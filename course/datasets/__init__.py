"""Pictures to learn from: real ones from a file or the network, synthetic ones from a seed.

Every loader takes a profile. Synthetic pictures come only where the profile is "smoke", never
silently in place of real ones. Nothing here imports Keras before something has to be downloaded.
"""

from course.datasets.digits import draw_digit, synthetic_digits
from course.datasets.files import data_directory
from course.datasets.mnist import load_mnist

__all__ = ["data_directory", "draw_digit", "load_mnist", "synthetic_digits"]
