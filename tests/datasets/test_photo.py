import numpy as np
import pytest

from course import datasets
from course.datasets import photo


def test_the_photo_has_three_channels_of_brightness():
    pixels = datasets.load_photo()
    assert pixels.shape == (160, 144, 3)
    assert 0 <= pixels.min() < 0.1 < 0.9 < pixels.max() <= 1


def test_the_gray_photo_is_a_weighted_sum_of_the_channels():
    gray, pixels = datasets.load_photo(gray=True), datasets.load_photo()
    assert gray.shape == (160, 144)
    expected = 0.299 * pixels[..., 0] + 0.587 * pixels[..., 1] + 0.114 * pixels[..., 2]
    assert gray == pytest.approx(expected)
    assert np.ptp(gray) > 0.9


def test_the_license_of_the_photo_is_beside_it():
    text = (photo.PATH.parent / "LICENSE.txt").read_text(encoding="utf-8")
    assert photo.PATH.name in text
    assert "Creative Commons Attribution 2.0" in text
