"""Receptive fields, compared with the pixels that networks respond to."""

import keras
import numpy as np
import pytest
from keras import layers

from course.errors import CourseError
from course.receptive_field import ReceptiveField, field_of, mask_border, patches

CHAINS = {
    "one convolution": [layers.Conv2D(1, 3)],
    "same padding": [layers.Conv2D(1, 5, padding="same")],
    "odd padding": [layers.Conv2D(1, 4, strides=3, padding="same")],
    "a stride that needs no padding": [layers.Conv2D(1, 1, strides=2, padding="same")],
    "strides": [layers.Conv2D(1, 5, strides=2, padding="same"), layers.Conv2D(1, 5, strides=2)],
    "pooling in between": [
        layers.Conv2D(1, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.5),
        layers.Conv2D(1, 3, padding="same"),
        layers.ReLU(),
    ],
    "overlapping pooling": [layers.MaxPooling2D(3, strides=2), layers.Conv2D(1, 2)],
    "padded pooling": [layers.AveragePooling2D(3, padding="same"), layers.Conv2D(1, 2)],
    "dilation": [layers.Conv2D(1, 3, dilation_rate=2), layers.Conv2D(1, 3, padding="same")],
    "different heights and widths": [layers.Conv2D(1, (2, 5), strides=(1, 2), padding="same")],
}
HEIGHT, WIDTH = 21, 24


def with_ones(chain):
    """Return a network of new layers that adds up the pixels in its receptive field."""
    new_layers = [type(layer).from_config(layer.get_config()) for layer in chain]
    network = keras.Sequential([keras.Input((HEIGHT, WIDTH, 1)), *new_layers])
    network.set_weights([np.ones_like(w) if w.ndim > 1 else w for w in network.get_weights()])
    return network


def mask_of(field, row, column):
    """Return an image that is 1 in the field of a position and 0 elsewhere."""
    frame = np.zeros((3 * HEIGHT, 3 * WIDTH))
    top, left = (
        start + index * stride
        for start, index, stride in zip(field.start, (row, column), field.stride, strict=True)
    )
    top, left = top + HEIGHT, left + WIDTH
    frame[top : top + field.size[0], left : left + field.size[1]] = 1
    return frame[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH]


@pytest.mark.parametrize("name", CHAINS)
def test_an_activation_depends_on_the_pixels_of_its_field_and_on_no_others(name):
    network = with_ones(CHAINS[name])
    field = field_of(network, network.layers[-1])
    single_pixels = np.eye(HEIGHT * WIDTH, dtype="float32").reshape(-1, HEIGHT, WIDTH, 1)
    responses = np.asarray(network.predict(single_pixels, batch_size=300, verbose=0))[..., 0] > 0
    seen = responses.reshape(HEIGHT, WIDTH, *responses.shape[1:])
    compared = 0
    for row, column in np.ndindex(seen.shape[2:]):
        expected = mask_of(field, row, column)
        depends = seen[:, :, row, column]
        assert (expected >= depends).all()
        # At an edge, padding between layers replaces pixels; with dilation, the field is the
        # square around the pixels.
        if expected.sum() == np.prod(field.size) and name != "dilation":
            np.testing.assert_array_equal(depends, expected)
            compared += 1
    assert compared > 3 or name == "dilation"


def test_the_field_of_a_sum_covers_those_of_its_terms():
    inputs = keras.Input((12, 12, 1))
    first = layers.Conv2D(1, 5, padding="same", strides=2)(inputs)
    second = layers.Conv2D(1, 3, padding="same")(first)
    total = layers.Add()([layers.Conv2D(1, 1)(first), second])
    network = keras.Model(inputs, layers.ReLU()(total))
    field = field_of(network, network.layers[-1])
    assert field == field_of(network, network.get_layer(second._keras_history.operation.name))
    assert (field.size, field.stride, field.start) == ((9, 9), (2, 2), (-3, -3))


def test_other_branches_have_no_field():
    inputs = keras.Input((8, 8, 1))
    branch = layers.Conv2D(1, 3, padding="same")(inputs)
    for joined in (layers.Concatenate()([inputs, branch]), layers.Multiply()([inputs, branch])):
        network = keras.Model(inputs, joined)
        with pytest.raises(CourseError, match=r"branches at .*only if they are added"):
            field_of(network, network.layers[-1])


def test_a_layer_that_depends_on_the_whole_image_has_no_field():
    network = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(
        CourseError, match=r"a layer without a known receptive field: choose a layer"
    ):
        field_of(network, network.layers[-1])


def test_a_layer_of_another_network_is_rejected():
    network = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 3)])
    with pytest.raises(CourseError, match="is not a layer of"):
        field_of(network, layers.Conv2D(1, 3))


def test_patches_are_those_of_a_padded_image():
    random = np.random.default_rng(0)
    images = random.uniform(size=(3, 6, 7, 3)).astype("float32")
    field = ReceptiveField(size=(4, 3), stride=(2, 1), start=(-2, -1))
    padded = np.pad(images, ((0, 0), (9, 9), (9, 9), (0, 0)), constant_values=0.5)
    positions = [(0, 0, 0), (2, 1, 3), (1, 3, 6), (1, 9, 9)]  # the last one is outside
    cut = patches(images, positions, field)
    assert cut.shape == (4, 4, 3, 3) and cut.dtype == images.dtype
    for patch, (image, row, column) in zip(cut, positions, strict=True):
        top, left = 9 - 2 + 2 * row, 9 - 1 + column
        expected = padded[image, top : top + 4, left : left + 3]
        if expected.shape == patch.shape:
            np.testing.assert_array_equal(patch, expected)
        else:
            assert (patch == 0.5).all()


@pytest.mark.parametrize("name", ["same padding", "strides", "pooling in between"])
def test_activations_whose_field_extends_past_the_image_are_masked(name):
    network = with_ones(CHAINS[name])
    field = field_of(network, network.layers[-1])
    images = np.ones((2, HEIGHT, WIDTH, 1), "float32")
    maps = np.asarray(network.predict(images, verbose=0))
    masked = mask_border(maps, field, images)
    for row, column in np.ndindex(maps.shape[1:3]):
        is_inside = mask_of(field, row, column).sum() == np.prod(field.size)
        expected = maps[:, row, column] if is_inside else -np.inf
        assert (masked[:, row, column] == expected).all()
    assert np.isfinite(maps).all(), "the argument stays as it was"
    assert 0 < np.isfinite(masked).sum() < masked.size
