"""Trainings of 05-deeper-cnn: networks with and without shortcuts, and the good network."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from course import datasets

USED, USED_VALIDATION, USED_TEST = 10_000, 2_000, 5_000
VALIDATION, COVERED = 5_000, 2_000
GOOD_EPOCHS, BATCH = 10, 128


def train_good(seed: int) -> dict[str, float]:
    """Train the residual network of section 6 on 45,000 images."""
    import keras

    (images, labels), (test_images, test_labels) = datasets.load_cifar10("cpu")
    x_train, y_train = images[:-VALIDATION], labels[:-VALIDATION]
    x_val, y_val = images[-VALIDATION:], labels[-VALIDATION:]
    keras.utils.set_random_seed(seed)
    network = build_good()
    steps = GOOD_EPOCHS * -(-len(x_train) // BATCH)
    warmup = steps // 5
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warmup, warmup_target=0.1, warmup_steps=warmup
    )
    network.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    keras.utils.set_random_seed(seed)
    start, cpu = time.perf_counter(), time.process_time()
    history = network.fit(
        x_train,
        y_train,
        batch_size=BATCH,
        epochs=GOOD_EPOCHS,
        validation_data=(x_val, y_val),
        verbose=0,
    ).history
    found = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "parameters": network.count_params(),
        "training_accuracy": accuracy(network, x_train[:10_000], y_train[:10_000]),
        "validation_accuracy": accuracy(network, x_val, y_val),
        "test_accuracy": accuracy(network, test_images, test_labels),
    }
    found |= covered_accuracies(network, test_images[:COVERED], test_labels[:COVERED])
    for epoch, value in enumerate(history["val_accuracy"], start=1):
        found[f"validation_accuracy_{epoch}"] = value
    return found


def covered_accuracies(network: Any, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return accuracies for images on which a square is covered, as in section 9."""
    import keras

    maps = keras.Model(network.input, network.layers[-3].output).predict(images, verbose=0)
    classes = network.predict(images, verbose=0).argmax(axis=1)
    support = (maps @ network.layers[-1].get_weights()[0])[np.arange(len(images)), :, :, classes]
    flat = support.reshape(len(images), -1)
    found = {"accuracy_covering_nothing": accuracy(network, images, labels)}
    for name, indices in (("weakest", flat.argmin(axis=1)), ("strongest", flat.argmax(axis=1))):
        covered = images.copy()
        for image, index in zip(covered, indices, strict=True):
            row, column = (8 * each + 4 for each in divmod(int(index), 4))
            image[max(row - 6, 0) : row + 6, max(column - 6, 0) : column + 6] = 128
        found[f"accuracy_covering_{name}"] = accuracy(network, covered, labels)
    return found


def build_good() -> Any:
    """Return the residual network of section 6."""
    import keras
    from keras import layers

    inputs = keras.Input((32, 32, 3))
    x = layers.RandomFlip("horizontal")(inputs)
    x = layers.RandomTranslation(0.125, 0.125, fill_mode="reflect", interpolation="nearest")(x)
    x = layers.Rescaling(1 / 64, offset=-2)(x)
    x = layers.ReLU()(convolution(layers, x, 32, 5, 2))
    for filters, strides in [(32, 1), (64, 2), (128, 2)]:
        x = residual_block(layers, x, filters, strides)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def convolution(layers: Any, x: Any, filters: int, kernel_size: int = 3, strides: int = 1) -> Any:
    """Return a convolution without a bias, with He initialization and batch normalization."""
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return layers.BatchNormalization()(x)


def residual_block(layers: Any, x: Any, filters: int, strides: int) -> Any:
    """Return two convolutions with a shortcut, which is projected where the shape changes."""
    shortcut = x
    x = layers.ReLU()(convolution(layers, x, filters, strides=strides))
    x = convolution(layers, x, filters)
    if strides > 1 or shortcut.shape[-1] != filters:
        shortcut = convolution(layers, shortcut, filters, 1, strides)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def accuracy(network: Any, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy at inference."""
    values = network.evaluate(images, labels, batch_size=500, verbose=0, return_dict=True)
    return float(values["accuracy"])


def train_deep(
    seed: int,
    blocks: int = 8,
    shortcuts: bool = False,
    initializer: str = "glorot_uniform",
    batch_norm: bool = False,
) -> dict[str, float]:
    """Train a network of section 5 as the notebook does."""
    import keras

    (images, labels), _ = datasets.load_cifar10("cpu")
    scaled, labels = images[:USED].astype("float32") / 255, labels[:USED]
    x_train, y_train = scaled[:-USED_VALIDATION], labels[:-USED_VALIDATION]
    x_val, y_val = scaled[-USED_VALIDATION:], labels[-USED_VALIDATION:]
    keras.utils.set_random_seed(seed)
    network = build_deep(blocks, 16, shortcuts, initializer, batch_norm)
    keras.utils.set_random_seed(seed)
    network.fit(
        x_train, y_train, batch_size=64, epochs=6, validation_data=(x_val, y_val), verbose=0
    )
    return {
        "training_accuracy": accuracy(network, x_train, y_train),
        "validation_accuracy": accuracy(network, x_val, y_val),
    }


def build_deep(
    blocks: int, filters: int, shortcuts: bool, initializer: str, batch_norm: bool
) -> Any:
    """Return a network of section 5, compiled."""
    import keras
    from keras import layers

    def convolve(x: Any) -> Any:
        options: dict[str, Any] = {"use_bias": not batch_norm, "kernel_initializer": initializer}
        x = layers.Conv2D(filters, 3, padding="same", **options)(x)
        return layers.BatchNormalization()(x) if batch_norm else x

    inputs = keras.Input((32, 32, 3))
    x = layers.MaxPooling2D(4)(layers.ReLU()(convolve(inputs)))
    for _ in range(blocks):
        before = x
        x = convolve(layers.ReLU()(convolve(x)))
        if shortcuts:
            x = layers.Add()([x, before])
        x = layers.ReLU()(x)
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    network = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    network.compile(
        keras.optimizers.RMSprop(5e-4), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return network


def measure_signal(seed: int) -> dict[str, float]:
    """Return by which factor the signal shrinks in untrained networks with eight blocks."""
    import keras
    from keras import layers

    (images, _), _ = datasets.load_cifar10("cpu")
    images = images[:200].astype("float32") / 255
    found = {}
    for name, options in SIGNAL.items():
        keras.utils.set_random_seed(seed)
        network = build_deep(8, 16, *options)
        outputs = [layer.output for layer in network.layers if isinstance(layer, layers.ReLU)]
        activations = keras.Model(network.inputs, outputs)(images, training=True)
        first, last = (float(keras.ops.std(activations[index])) for index in (0, -1))
        found[name] = first / last
    return found


def train_model_1(seed: int) -> dict[str, float]:
    """Train model_1 of section 1 for eight epochs, as many as model_2 in section 3."""
    import keras
    from keras import layers

    from tests.benchmarks import recipes

    (images, labels), (test_images, test_labels) = datasets.load_cifar10("cpu")
    scaled, labels = images[:USED].astype("float32") / 255, labels[:USED]
    x_train, y_train = scaled[:-USED_VALIDATION], labels[:-USED_VALIDATION]
    x_val, y_val = scaled[-USED_VALIDATION:], labels[-USED_VALIDATION:]
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([keras.Input((32, 32, 3)), *recipes.model_1(keras, layers)])
    network.compile(
        keras.optimizers.RMSprop(5e-4), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    keras.utils.set_random_seed(seed)
    network.fit(
        x_train, y_train, batch_size=32, epochs=8, validation_data=(x_val, y_val), verbose=0
    )
    x_test = test_images[:USED_TEST].astype("float32") / 255
    return {"test_accuracy": accuracy(network, x_test, test_labels[:USED_TEST])}


HE = {"initializer": "he_normal"}
NORMALIZED = {**HE, "batch_norm": True}
# Shortcuts, initializer, batch normalization.
SIGNAL: dict[str, tuple[bool, str, bool]] = {
    "plain, Glorot": (False, "glorot_uniform", False),
    "plain, He": (False, "he_normal", False),
    "plain, He, batch norm": (False, "he_normal", True),
    "shortcuts, Glorot": (True, "glorot_uniform", False),
    "shortcuts, He, batch norm": (True, "he_normal", True),
}
JOBS: dict[str, Callable[[int], dict[str, float]]] = {
    "signal": measure_signal,
    "1 block": partial(train_deep, blocks=1),
    "8 blocks": train_deep,
    "8 blocks, He": partial(train_deep, **HE),
    "8 blocks, He, batch norm": partial(train_deep, **NORMALIZED),
    "8 blocks, shortcuts": partial(train_deep, shortcuts=True),
    "8 blocks, shortcuts, He, batch norm": partial(train_deep, shortcuts=True, **NORMALIZED),
    "model_1, 8 epochs": train_model_1,
    "good": train_good,
}
