import sys
from subprocess import run

import numpy as np
import pytest

from course import datasets
from course.errors import CourseError


def test_images_have_the_shape_and_type_of_cifar10():
    images, labels = datasets.synthetic_scenes(50)
    assert (images.shape, images.dtype) == ((50, 32, 32, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((50,), np.uint8)
    assert sorted(labels[:10]) == list(range(10))
    assert images.std(axis=(1, 2, 3)).min() > 10, "none is empty"


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    first, again, other = (datasets.synthetic_scenes(30, seed) for seed in (5, 5, 6))
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[1], other[1])


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (2.5, 0), (True, 0), (5, -1), (5, None)])
def test_an_invalid_count_or_seed_is_an_error(count, seed):
    with pytest.raises(CourseError, match=r"must be an? (nonnegative )?integer"):
        datasets.synthetic_scenes(count, seed)


def test_the_background_hints_at_the_class():
    images, labels = datasets.synthetic_scenes(2000)
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(2000, -1).astype(float)
    means = np.array([corners[:1000][labels[:1000] == number].mean(0) for number in range(10)])
    nearest = ((corners[1000:, None] - means) ** 2).sum(-1).argmin(1)
    # Measured for seeds 0 to 2: 22 to 24 %.
    assert 0.15 < np.mean(nearest == labels[1000:]) < 0.35


def test_importing_and_drawing_imports_no_heavy_library():
    code = (
        "import sys, course.datasets as d; d.load_cifar10('smoke');"
        "print({'keras', 'matplotlib', 'scipy', 'tensorflow'} & set(sys.modules))"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.fixture(scope="module")
def learn():
    """Return a function that trains a network and returns its training and test accuracy."""
    import keras
    from keras import layers

    def train(hidden, seed, epochs, count=800, optimizer="adam"):
        keras.utils.set_random_seed(seed)
        training = datasets.synthetic_scenes(count, seed)
        test = datasets.synthetic_scenes(1000, [seed, 1])
        start, end = layers.Rescaling(1 / 255), layers.Dense(10, activation="softmax")
        model = keras.Sequential([layers.Input((32, 32, 3)), start, *hidden(layers), end])
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(*training, epochs=epochs, batch_size=32, verbose=0)
        return [model.evaluate(*split, verbose=0)[1] for split in (training, test)]

    return train


def linear(layers):
    return [layers.Flatten()]


def mlp(layers):
    dense = [layers.Dense(units, activation="relu") for units in (128, 64)]
    return [layers.Flatten(), *dense]


def strided(layers, dropout):
    return [
        layers.Conv2D(32, 5, strides=2, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(dropout),
        layers.Dense(128, activation="relu"),
        layers.Dropout(dropout),
    ]


def cnn(layers, normalized=False):
    hidden = []
    for filters in (16, 32):
        hidden.append(layers.Conv2D(filters, 3, activation="relu"))
        # The default averages over hundreds of steps, more than this training has.
        hidden += [layers.BatchNormalization(momentum=0.9)] if normalized else []
        hidden.append(layers.MaxPooling2D())
    return [*hidden, layers.Flatten(), layers.Dense(64, activation="relu")]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_an_mlp_learns_more_than_softmax_regression_and_a_cnn_the_most(learn, seed):
    (_, low), (_, middle), (_, high) = (
        learn(network, seed, epochs) for network, epochs in ((linear, 15), (mlp, 30), (cnn, 8))
    )
    print(f"seed {seed}: linear {low:.1%}, MLP {middle:.1%}, CNN {high:.1%}")
    # Measured for seeds 0 to 2: linear 33 to 38 %, MLP 36 to 41 %, CNN 59 to 61 %.
    assert 0.25 < low < middle - 0.01
    assert middle + 0.1 < high < 0.95


@pytest.mark.slow
def test_dropout_narrows_the_gap(learn):
    def gap(dropout):
        pairs = [learn(lambda layers: strided(layers, dropout), seed, 20, 400) for seed in (0, 1)]
        return np.mean([training - test for training, test in pairs])

    without, with_dropout = gap(0), gap(0.5)
    print(f"gap {without:.1%} without dropout, {with_dropout:.1%} with it")
    # Measured for seeds 0 to 3: 31 to 41 points without, 27 to 32 with it, 2 to 10 fewer in each.
    assert 0.02 < with_dropout < without - 0.015


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_batch_normalization_speeds_up_plain_sgd(learn, seed):
    def training_accuracy(normalized):
        return learn(lambda layers: cnn(layers, normalized), seed, 10, 400, "sgd")[0]

    without, with_it = training_accuracy(False), training_accuracy(True)
    print(f"seed {seed}: training {without:.1%} without, {with_it:.1%} with batch normalization")
    # Measured for seeds 0 to 3: 17 to 23 % without, 83 to 96 % with it.
    assert with_it > without + 0.3
