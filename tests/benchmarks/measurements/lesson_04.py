"""Trainings of 04-mlp-vs-cnn: MLPs and CNNs on shuffled and shifted images."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from course import datasets
from tests.benchmarks import recipes

TRAINING, VALIDATION, TEST = 10_000, 2_000, 5_000
# Configuration A is the default of `train`: 10 epochs with batches of 128.
CONFIGURATION_B = {"epochs": 5, "batch_size": 32}
Build = Callable[[Any, Any], list]


def mlp(keras: Any, layers: Any, units: tuple[int, ...], dropout: float = 0.0) -> list:
    """Return the layers of an MLP."""
    hidden: list = [layers.Flatten()]
    for width in units:
        hidden.append(layers.Dense(width, activation="relu"))
        if dropout:
            hidden.append(layers.Dropout(dropout))
    return [*hidden, layers.Dense(10, activation="softmax")]


def simple_cnn(keras: Any, layers: Any, kernel_size: int = 3, dropout: float = 0.0) -> list:
    """Return the layers of the simple CNN, with another kernel size or with dropout."""
    convolution = layers.Conv2D(32, kernel_size, padding="same", activation="relu")
    head = [layers.Dropout(dropout)] if dropout else []
    output = layers.Dense(10, activation="softmax")
    return [convolution, layers.MaxPooling2D(), layers.Flatten(), *head, output]


def three_convolutions(keras: Any, layers: Any, last: str) -> list:
    """Return the layers of a CNN of three convolutions with "flatten" or "average" at its end."""
    body: list = []
    for filters in (32, 64, 64):
        body += [
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
        ]
    end = layers.Flatten() if last == "flatten" else layers.GlobalAveragePooling2D()
    return [*body[:-1], end, layers.Dense(10, activation="softmax")]


def shuffle(images: np.ndarray, seed: int) -> np.ndarray:
    """Move the pixels of all images to the same new positions."""
    positions = np.random.default_rng(seed).permutation(32 * 32)
    return images.reshape(-1, 32 * 32, 3)[:, positions].reshape(images.shape)


def shift(images: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Shift images to the right and down; their edges are repeated."""
    rows, columns = np.arange(32) - dy, np.arange(32) - dx
    return images[:, np.clip(rows, 0, 31)][:, :, np.clip(columns, 0, 31)]


def train(
    seed: int,
    build: Build,
    epochs: int = 10,
    batch_size: int = 128,
    shuffled: bool = False,
    shifts: bool = False,
    colors: bool = False,
    centered: bool = False,
    units: bool = False,
) -> dict[str, float]:
    """Train a network and return its accuracies, measured without dropout."""
    import keras
    from keras import layers

    (images, labels), (x_test, y_test) = datasets.load_cifar10("cpu")
    images, labels = images[: TRAINING + VALIDATION], labels[: TRAINING + VALIDATION]
    images, x_test = images.astype("float32") / 255, x_test[:TEST].astype("float32") / 255
    if centered:  # one mean, of all values of the training images
        mean = images[:TRAINING].mean(dtype="float64").astype("float32")
        images, x_test = images - mean, x_test - mean
    if shuffled:
        images, x_test = shuffle(images, seed), shuffle(x_test, seed)
    training, validation = (
        (images[:TRAINING], labels[:TRAINING]),
        (images[TRAINING:], labels[TRAINING:]),
    )
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([keras.Input((32, 32, 3)), *build(keras, layers)])
    network.compile(
        "adam",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = network.fit(
        *training, batch_size=batch_size, epochs=epochs, validation_data=validation, verbose=0
    ).history

    def accuracy(images: np.ndarray, labels: np.ndarray) -> float:
        return float(network.evaluate(images, labels, batch_size=500, verbose=0)[1])

    found = {
        "training_accuracy": accuracy(*training),
        "fit_training_accuracy": history["accuracy"][-1],
        "validation_accuracy": accuracy(*validation),
        "test_accuracy": accuracy(x_test, y_test[:TEST]),
    }
    for pixels in (2, 4) if shifts else ():
        directions = [(pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)]
        found[f"shift_{pixels}_accuracy"] = float(
            np.mean([accuracy(shift(validation[0], *way), validation[1]) for way in directions])
        )
    if colors:  # the mean weight for blue minus that for red, of each class
        means = network.get_weights()[0].reshape(32 * 32, 3, 10).mean(axis=0)
        for name, value in zip(datasets.CIFAR10_NAMES, means[2] - means[0], strict=True):
            found[f"blue_minus_red_{name}"] = 10_000 * float(value)
    if units:
        found["dead_units"] = dead_units(network, training[0])
    return found


def dead_units(network: Any, images: np.ndarray) -> float:
    """Return the fraction of units (or filters) of the first layer that are 0 for all images."""
    import keras

    first = next(layer for layer in network.layers if layer.get_weights())
    responses = keras.Model(network.inputs, first.output)
    axes = tuple(range(len(first.output.shape) - 1))
    maxima = [
        responses.predict(images[start : start + 500], verbose=0).max(axis=axes)
        for start in range(0, len(images), 500)
    ]
    return float(np.mean(np.max(maxima, axis=0) == 0))


three_layers = partial(mlp, units=(128, 256, 512))
JOBS: dict[str, Callable[[int], dict[str, float]]] = {
    "MLP-128": partial(train, build=recipes.one_hidden_layer, shifts=True, units=True),
    "simple CNN": partial(train, build=recipes.simple_cnn, shifts=True),
    "MLP-27": partial(train, build=partial(mlp, units=(27,))),
    "softmax regression": partial(
        train, build=recipes.one_layer, epochs=5, shifts=True, colors=True
    ),
    "softmax regression, no L2, 10 epochs": partial(train, build=partial(mlp, units=())),
    "MLP-128, 30 epochs": partial(train, build=recipes.one_hidden_layer, epochs=30),
    "MLP-256": partial(train, build=partial(mlp, units=(256,))),
    "MLP-128, centered": partial(
        train, build=recipes.one_hidden_layer, shifts=True, centered=True, units=True
    ),
    "simple CNN, centered": partial(
        train, build=recipes.simple_cnn, shifts=True, centered=True, units=True
    ),
    "softmax regression, centered": partial(train, build=partial(mlp, units=()), centered=True),
    "MLP-256, dropout": partial(train, build=partial(mlp, units=(256,), dropout=0.2)),
    "MLP-128-256-512": partial(train, build=three_layers),
    "MLP-128-256-512, dropout, configuration A": partial(train, build=recipes.mlp),
    "MLP-128-256-512, configuration B": partial(train, build=three_layers, **CONFIGURATION_B),
    "MLP-128-256-512, dropout": partial(train, build=recipes.mlp, **CONFIGURATION_B),
    "simple CNN, dropout": partial(train, build=partial(simple_cnn, dropout=0.5)),
    "MLP-128, pixels shuffled": partial(train, build=recipes.one_hidden_layer, shuffled=True),
    "simple CNN, pixels shuffled": partial(train, build=recipes.simple_cnn, shuffled=True),
    "simple CNN, pixels shuffled, centered": partial(
        train, build=recipes.simple_cnn, shuffled=True, centered=True
    ),
    "simple CNN, 1 × 1 kernels": partial(train, build=partial(simple_cnn, kernel_size=1)),
    "simple CNN, 1 × 1 kernels, pixels shuffled": partial(
        train, build=partial(simple_cnn, kernel_size=1), shuffled=True
    ),
    "six-convolution CNN": partial(train, build=recipes.six_convolutions, epochs=8, batch_size=32),
    "three convolutions": partial(
        train, build=partial(three_convolutions, last="flatten"), shifts=True
    ),
    "three convolutions, global average pooling": partial(
        train, build=partial(three_convolutions, last="average"), shifts=True
    ),
}
