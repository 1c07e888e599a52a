"""A photo that the course contains, so that convolution kernels can be tried without a download."""

from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "photos" / "pagoda.png"
# How bright red, green, and blue appear to the eye: ITU-R BT.601.
LUMA = np.array([0.299, 0.587, 0.114])


def load_photo(gray=False):
    """Return a photo of a pagoda as an array.

    Parameters
    ----------
    gray : bool
        Whether to return one brightness per pixel instead of red, green, and blue.

    Returns
    -------
    ndarray, (160, 144, 3), or (160, 144) if `gray`
        Floats from 0 (black) to 1 (white).

    Notes
    -----
    The photo is a detail of one by Daniel Büchele, https://www.flickr.com/photos/danielbuechele/,
    under the license CC BY 2.0. The brightness is that of ITU-R BT.601.
    """
    from PIL import Image  # slow to import

    with Image.open(PATH) as photo:
        pixels = np.asarray(photo.convert("RGB")) / 255
    return pixels @ LUMA if gray else pixels
