"""The networks of 04 to 06 that are measured on all images, with their training configurations."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from tests.benchmarks.gpu.replicas import MATRIX_LAYERS, Job
from tests.benchmarks.recipes import RECIPES

# The seven experiments of 06, and two that the course adds: blocks, batch normalization, dropout
# after each block, L2 in the dense layer, dropout after the dense layer.
EXPERIMENTS: dict[str, tuple] = {
    "I": ([32, 64], False, 0.25, 0.0, 0.5),
    "II": ([32, 64], True, 0.0, 0.0, 0.5),
    "III": ([32, 64], True, 0.25, 0.0, 0.5),
    "IV": ([32, 64], True, 0.0, 0.01, 0.5),
    "V": ([32, 64], True, 0.25, 0.01, 0.5),
    "VI": ([32, 64, 128], True, 0.25, 0.01, 0.5),
    "VII": ([64, 128], True, 0.25, 0.01, 0.5),
    "no regularization": ([32, 64], False, 0.0, 0.0, 0.0),
    "batch normalization only": ([32, 64], True, 0.0, 0.0, 0.0),
}
# Batch size, learning rate, momentum. Except in "plain", the batch is k times as large and each
# gradient counts k times: by a momentum of 1 - 1/k, or by a learning rate k times as large.
CONFIGURATIONS: dict[str, tuple] = {
    "plain": (32, 0.01, 0.0),
    "momentum 10": (320, 0.01, 0.9),
    "momentum 16": (512, 0.01, 0.9375),
    "linear 4": (128, 0.04, 0.0),
    "linear 10": (320, 0.1, 0.0),
}


def experiment(name: str, configuration: str, epochs: int, training_images: int) -> Job:
    """Return the job of an experiment of 06."""
    batch_size, learning_rate, momentum = CONFIGURATIONS[configuration]

    def build(layers: Any = MATRIX_LAYERS) -> Any:
        network = keras.Sequential([keras.Input((32, 32, 3)), *_experiment_layers(layers, name)])
        optimizer = keras.optimizers.SGD(learning_rate, momentum=momentum)
        network.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return network

    return Job(name, configuration, build, epochs, batch_size, training_images)


def _experiment_layers(layers: Any, name: str) -> list[Any]:
    """Return the layers of an experiment."""
    blocks, batch_norm, dropout, l2, dense_dropout = EXPERIMENTS[name]
    found = []
    for filters in blocks:
        for padding in ("same", "valid"):
            found.append(layers.Conv2D(filters, 3, padding=padding, activation="relu"))
            if batch_norm:
                found.append(layers.BatchNormalization())
        found.append(layers.MaxPooling2D(2))
        if dropout:
            found.append(layers.Dropout(dropout))
    penalty = keras.regularizers.L2(l2) if l2 else None
    found += [layers.Flatten(), layers.Dense(512, activation="relu", kernel_regularizer=penalty)]
    if dense_dropout:
        found.append(layers.Dropout(dense_dropout))
    return [*found, layers.Dense(10, activation="softmax", dtype="float32")]


def three_layers(keras: Any, layers: Any) -> list[Any]:
    """The three hidden layers of `mlp` without dropout."""
    hidden = [layers.Dense(units, activation="relu") for units in (128, 256, 512)]
    return [layers.Flatten(), *hidden, layers.Dense(10, activation="softmax")]


def _deep(blocks: int, shortcuts: bool) -> Any:
    """Return the network of 05 that has two convolutions in each block, with shortcuts or not."""
    layers = MATRIX_LAYERS
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D(4)(x)
    for _ in range(blocks):
        before = x
        x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(16, 3, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, before]) if shortcuts else x)
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _compiled(network: Any, optimizer: str, learning_rate: float) -> Any:
    """Compile a network."""
    step = {"class_name": optimizer, "config": {"learning_rate": learning_rate}}
    network.compile(
        keras.optimizers.get(step), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return network


def lesson_jobs(training_images: int, epochs: int | None = None) -> list[Job]:
    """Return the jobs of 04 and 05, as their notebooks train on a GPU; `epochs` caps the epochs."""
    by_name = {recipe[0].__name__: recipe[0] for recipe in RECIPES} | {"three_layers": three_layers}
    # Network, its name here, optimizer, learning rate, batch size, epochs.
    rows = [
        ("six_convolutions", "six_convolutions", "Adam", 1e-3, 32, 10),
        ("simple_cnn", "simple_cnn", "Adam", 1e-3, 128, 10),
        ("one_layer", "one_layer", "Adam", 1e-3, 128, 5),
        ("one_hidden_layer", "one_hidden_layer", "Adam", 1e-3, 128, 30),
        ("mlp", "mlp", "Adam", 1e-3, 32, 5),
        ("mlp", "mlp, as one_hidden_layer", "Adam", 1e-3, 128, 30),
        ("three_layers", "three_layers, as one_hidden_layer", "Adam", 1e-3, 128, 30),
        ("model_1", "model_1", "RMSprop", 5e-4, 32, 15),
        ("model_2", "model_2", "RMSprop", 1e-4, 32, 5),
        ("model_2_as_model_1", "model_2_as_model_1", "RMSprop", 5e-4, 32, 15),
    ]
    builders: list[tuple[str, Callable[[], Any], tuple]] = [
        (name, partial(_sequential, by_name[key]), tuple(row)) for key, name, *row in rows
    ]
    for name, blocks, shortcuts in (
        ("8 blocks", 8, False), ("8 blocks, shortcuts", 8, True), ("1 block", 1, False)
    ):  # fmt: skip
        builders.append((name, partial(_deep, blocks, shortcuts), ("RMSprop", 5e-4, 64, 15)))
    jobs = []
    for name, build, (optimizer, rate, batch_size, count) in builders:
        jobs.append(
            Job(
                name,
                f"{optimizer} {rate:g}",
                partial(lambda build, *step: _compiled(build(), *step), build, optimizer, rate),
                min(count, epochs or count),
                batch_size,
                training_images,
                "float32",
            )
        )
    return jobs


def _sequential(layers_of: Callable[[Any, Any], list], layers: Any = MATRIX_LAYERS) -> Any:
    """Return the sequential network of a function in `tests.benchmarks.recipes`."""
    return keras.Sequential([keras.Input((32, 32, 3)), *layers_of(keras, layers)])
