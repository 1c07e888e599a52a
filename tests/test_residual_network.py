"""The residual network of notebook 05."""

import numpy as np
from keras import layers

from course import residual_network


def test_a_shortcut_has_a_projection_only_where_the_shape_changes():
    network = residual_network.build(4)
    kernels = [each.kernel for each in network.layers if isinstance(each, layers.Conv2D)]
    projections = [tuple(each.shape) for each in kernels if each.shape[0] == 1]
    assert projections == [(1, 1, 4, 8), (1, 1, 8, 16)]
    assert len(kernels) == 7 + len(projections)
    added = [each for each in network.layers if isinstance(each, layers.Add)]
    assert [each.output.shape[1:] for each in added] == [(16, 16, 4), (8, 8, 8), (4, 4, 16)]


def test_it_returns_probabilities_for_pixel_values():
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    probabilities = residual_network.build(4).predict(images, verbose=0)
    assert probabilities.shape == (3, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
