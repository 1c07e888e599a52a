"""The features of an ImageNet network that the package contains."""

import numpy as np
import pytest
from PIL import Image

from course import datasets
from course.datasets import imagenet_features
from course.errors import CourseError
from tests.benchmarks.measurements.imagenet_features import to_levels


def test_there_are_two_splits_of_features_with_their_labels():
    for features, labels in datasets.load_imagenet_features():
        assert (features.shape, features.dtype) == ((2_000, 1_280), np.float32)
        assert features.min() >= 0 and features.max() <= imagenet_features.LARGEST
        assert labels.tolist() == [0] * 1_000 + [1] * 1_000


def test_the_splits_share_no_image():
    splits = [features for features, _ in datasets.load_imagenet_features()]
    assert len(np.unique(np.concatenate(splits), axis=0)) == 4_000


def test_a_feature_is_rounded_to_the_nearest_level():
    values = np.random.default_rng(0).uniform(0, 6, 1_000)
    rounded = to_levels(values) * (imagenet_features.LARGEST / 255)
    assert np.abs(rounded - values).max() <= 3.001 / 255


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed"])
def test_a_damaged_file_is_an_error(tmp_path, monkeypatch, damage):
    path = tmp_path / "imagenet.png"
    monkeypatch.setattr(imagenet_features, "PATH", path)
    if damage == "truncated":
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    if damage == "changed":
        Image.fromarray(np.zeros((4_000, 1_280), "uint8")).save(path)
    with pytest.raises(CourseError, match="install the course's package again"):
        datasets.load_imagenet_features()
