"""Receptive fields, held against what networks really respond to."""

import keras
import numpy as np
import pytest
from keras import layers

from course.errors import CourseError
from course.receptive_field import Field, field_of, only_inside, patches

CHAINS = {
    "one convolution": [layers.Conv2D(1, 3)],
    "same padding": [layers.Conv2D(1, 5, padding="same")],
    "uneven padding": [layers.Conv2D(1, 4, strides=3, padding="same")],
    "a stride that needs no padding": [layers.Conv2D(1, 1, strides=2, padding="same")],
    "strides": [layers.Conv2D(1, 5, strides=2, padding="same"), layers.Conv2D(1, 5, strides=2)],
    "pooling between": [
        layers.Conv2D(1, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.5),
        layers.Conv2D(1, 3, padding="same"),
        layers.ReLU(),
    ],
    "overlapping pooling": [layers.MaxPooling2D(3, strides=2), layers.Conv2D(1, 2)],
    "padded pooling": [layers.AveragePooling2D(3, padding="same"), layers.Conv2D(1, 2)],
    "holes": [layers.Conv2D(1, 3, dilation_rate=2), layers.Conv2D(1, 3, padding="same")],
    "other heights than widths": [layers.Conv2D(1, (2, 5), strides=(1, 2), padding="same")],
}
HEIGHT, WIDTH = 21, 24


def with_ones(chain):
    """Return a network of fresh layers that adds up what it looks at."""
    fresh = [type(layer).from_config(layer.get_config()) for layer in chain]
    network = keras.Sequential([keras.Input((HEIGHT, WIDTH, 1)), *fresh])
    network.set_weights([np.ones_like(w) if w.ndim > 1 else w for w in network.get_weights()])
    return network


def touched(field, row, column):
    """Return where a field lies in the picture, as a picture of 0 and 1."""
    frame = np.zeros((3 * HEIGHT, 3 * WIDTH))
    top, left = (
        s + at * n for s, at, n in zip(field.start, (row, column), field.step, strict=True)
    )
    top, left = top + HEIGHT, left + WIDTH
    frame[top : top + field.size[0], left : left + field.size[1]] = 1
    return frame[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH]


@pytest.mark.parametrize("name", CHAINS)
def test_a_number_depends_on_the_pixels_of_its_field_and_on_no_other(name):
    network = with_ones(CHAINS[name])
    field = field_of(network, network.layers[-1])
    single_pixels = np.eye(HEIGHT * WIDTH, dtype="float32").reshape(-1, HEIGHT, WIDTH, 1)
    responses = np.asarray(network.predict(single_pixels, batch_size=300, verbose=0))[..., 0] > 0
    seen = responses.reshape(HEIGHT, WIDTH, *responses.shape[1:])
    compared = 0
    for row, column in np.ndindex(seen.shape[2:]):
        expected = touched(field, row, column)
        depends = seen[:, :, row, column]
        assert (expected >= depends).all()
        # At an edge zeros of a padding between layers stand for pixels, and a field with holes is
        # a square all the same.
        if expected.sum() == np.prod(field.size) and name != "holes":
            np.testing.assert_array_equal(depends, expected)
            compared += 1
    assert compared > 3 or name == "holes"


def test_a_network_with_an_add_is_no_chain_behind_it():
    inputs = keras.Input((8, 8, 1))
    first = layers.Conv2D(1, 3, padding="same")(inputs)
    second = layers.Conv2D(1, 3, padding="same")(first)
    joined = layers.Conv2D(1, 3)(layers.Add()([first, second]))
    network = keras.Model(inputs, joined)
    assert field_of(network, network.layers[2]).size == (5, 5)
    with pytest.raises(CourseError, match=r"forks at add.*each layer works on the one before"):
        field_of(network, network.layers[-1])


def test_what_looks_at_the_whole_picture_has_no_field():
    network = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(CourseError, match=r"looks at the whole picture: choose a layer before it"):
        field_of(network, network.layers[-1])


def test_a_layer_of_another_network_is_refused():
    network = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 3)])
    with pytest.raises(CourseError, match="is no layer of"):
        field_of(network, layers.Conv2D(1, 3))


def test_patches_are_what_a_padded_picture_shows():
    random = np.random.default_rng(0)
    pictures = random.uniform(size=(3, 6, 7, 3)).astype("float32")
    field = Field(size=(4, 3), step=(2, 1), start=(-2, -1))
    padded = np.pad(pictures, ((0, 0), (9, 9), (9, 9), (0, 0)), constant_values=0.5)
    places = [(0, 0, 0), (2, 1, 3), (1, 3, 6), (1, 9, 9)]  # the last one wholly outside
    cut = patches(pictures, places, field)
    assert cut.shape == (4, 4, 3, 3) and cut.dtype == pictures.dtype
    for patch, (picture, row, column) in zip(cut, places, strict=True):
        top, left = 9 - 2 + 2 * row, 9 - 1 + column
        expected = padded[picture, top : top + 4, left : left + 3]
        if expected.shape == patch.shape:
            np.testing.assert_array_equal(patch, expected)
        else:
            assert (patch == 0.5).all()


@pytest.mark.parametrize("name", ["same padding", "strides", "pooling between"])
def test_responses_at_the_edge_are_left_out_where_the_field_reaches_out(name):
    network = with_ones(CHAINS[name])
    field = field_of(network, network.layers[-1])
    pictures = np.ones((2, HEIGHT, WIDTH, 1), "float32")
    maps = np.asarray(network.predict(pictures, verbose=0))
    kept = only_inside(maps, field, pictures)
    for row, column in np.ndindex(maps.shape[1:3]):
        is_inside = touched(field, row, column).sum() == np.prod(field.size)
        expected = maps[:, row, column] if is_inside else -np.inf
        assert (kept[:, row, column] == expected).all()
    assert np.isfinite(maps).all(), "the maps that were handed in stay as they were"
    assert 0 < np.isfinite(kept).sum() < kept.size
