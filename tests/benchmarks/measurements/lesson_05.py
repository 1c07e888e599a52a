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
    blocks: int,
    filters: int,
    shortcuts: bool,
    initializer: str,
    batch_norm: bool,
    repeat_border: bool = False,
) -> Any:
    """Return a network of section 5, compiled; it can pad with the border instead of zeros."""
    import keras
    from keras import layers

    def convolve(x: Any) -> Any:
        options: dict[str, Any] = {"use_bias": not batch_norm, "kernel_initializer": initializer}
        if repeat_border:
            x = layers.Lambda(lambda each: keras.ops.pad(each, BORDER, mode="symmetric"))(x)
        padding = "valid" if repeat_border else "same"
        x = layers.Conv2D(filters, 3, padding=padding, **options)(x)
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
    """Return by which factor the signal shrinks in untrained networks with eight blocks.

    Its magnitude is the standard deviation over the images, averaged over positions and channels.
    """
    import keras
    from keras import layers

    (images, _), _ = datasets.load_cifar10("cpu")
    images = images[:200].astype("float32") / 255
    found = {}
    for name, options in (SIGNAL | BORDER_REPEATED).items():
        keras.utils.set_random_seed(seed)
        network = build_deep(8, 16, *options)
        outputs = [layer.output for layer in network.layers if isinstance(layer, layers.ReLU)]
        activations = keras.Model(network.inputs, outputs)(images, training=True)
        first, last = (
            float(keras.ops.mean(keras.ops.std(activations[index], axis=0))) for index in (0, -1)
        )
        found[name] = first / last
    return found


def train_listed(seed: int, network: str, epochs: int) -> dict[str, float]:
    """Train a network of sections 1 to 4, with the learning rate of model_1."""
    import keras
    from keras import layers

    from tests.benchmarks import recipes

    (images, labels), (test_images, test_labels) = datasets.load_cifar10("cpu")
    scaled, labels = images[:USED].astype("float32") / 255, labels[:USED]
    x_train, y_train = scaled[:-USED_VALIDATION], labels[:-USED_VALIDATION]
    x_val, y_val = scaled[-USED_VALIDATION:], labels[-USED_VALIDATION:]
    keras.utils.set_random_seed(seed)
    listed = {
        "model_1": recipes.model_1,
        "model_2": recipes.model_2_as_model_1,
        "one convolution": one_convolution,
        "three convolutions": three_convolutions,
        "three, stride 2": three_with_stride_2,
    }[network](keras, layers)
    built = keras.Sequential([keras.Input((32, 32, 3)), *listed])
    built.compile(
        keras.optimizers.RMSprop(5e-4), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    keras.utils.set_random_seed(seed)
    built.fit(
        x_train, y_train, batch_size=32, epochs=epochs, validation_data=(x_val, y_val), verbose=0
    )
    x_test = test_images[:USED_TEST].astype("float32") / 255
    return {
        "training_accuracy": accuracy(built, x_train, y_train),
        "validation_accuracy": accuracy(built, x_val, y_val),
        "test_accuracy": accuracy(built, x_test, test_labels[:USED_TEST]),
    }


def one_convolution(keras: Any, layers: Any) -> list[Any]:
    """Return the layers of the solution's first network in section 4."""
    return [_convolution(layers, 16), layers.MaxPooling2D(), *_dense(layers)]


def three_convolutions(keras: Any, layers: Any) -> list[Any]:
    """Return the layers of its second network: pooling after each of three convolutions."""
    pairs = [(_convolution(layers, filters), layers.MaxPooling2D()) for filters in (16, 32, 64)]
    return [*(layer for pair in pairs for layer in pair), *_dense(layers)]


def three_with_stride_2(keras: Any, layers: Any) -> list[Any]:
    """Return the layers of its third network: a stride of 2 instead of pooling."""
    return [*(_convolution(layers, filters, 2) for filters in (16, 32, 64)), *_dense(layers)]


def _convolution(layers: Any, filters: int, strides: int = 1) -> Any:
    return layers.Conv2D(filters, 3, strides=strides, padding="same", activation="relu")


def _dense(layers: Any) -> list[Any]:
    hidden = layers.Dense(128, activation="relu")
    return [layers.Flatten(), hidden, layers.Dense(10, activation="softmax")]


HE: dict[str, Any] = {"initializer": "he_normal"}
NORMALIZED: dict[str, Any] = {**HE, "batch_norm": True}
# Shortcuts, initializer, batch normalization.
SIGNAL: dict[str, tuple[bool, str, bool]] = {
    "plain, Glorot": (False, "glorot_uniform", False),
    "plain, He": (False, "he_normal", False),
    "plain, He, batch norm": (False, "he_normal", True),
    "shortcuts, Glorot": (True, "glorot_uniform", False),
    "shortcuts, He": (True, "he_normal", False),
    "shortcuts, He, batch norm": (True, "he_normal", True),
}
# The same weights as "plain, He", but without zeros at the border.
BORDER_REPEATED = {"plain, He, border repeated": (False, "he_normal", False, True)}
BORDER = ((0, 0), (1, 1), (1, 1), (0, 0))
JOBS: dict[str, Callable[[int], dict[str, float]]] = {
    "signal": measure_signal,
    "1 block": partial(train_deep, blocks=1),
    "1 block, He": partial(train_deep, blocks=1, **HE),
    "1 block, He, batch norm": partial(train_deep, blocks=1, **NORMALIZED),
    "8 blocks": train_deep,
    "8 blocks, He": partial(train_deep, **HE),
    "8 blocks, He, batch norm": partial(train_deep, **NORMALIZED),
    "8 blocks, shortcuts": partial(train_deep, shortcuts=True),
    "8 blocks, shortcuts, He": partial(train_deep, shortcuts=True, **HE),
    "8 blocks, shortcuts, He, batch norm": partial(train_deep, shortcuts=True, **NORMALIZED),
    "model_1, 8 epochs": partial(train_listed, network="model_1", epochs=8),
    "model_2, 8 epochs": partial(train_listed, network="model_2", epochs=8),
    "one convolution": partial(train_listed, network="one convolution", epochs=10),
    "three convolutions": partial(train_listed, network="three convolutions", epochs=10),
    "three, stride 2": partial(train_listed, network="three, stride 2", epochs=10),
    "good": train_good,
}
