"""Measurements of 02-mnist: an MLP trained on wrong labels, and ink that shifts cut off."""

from collections.abc import Callable
from typing import Any

import numpy as np

from course import datasets

TRAINING, VALIDATION = 40_000, 5_000


def mlp(keras: Any, layers: Any) -> Any:
    """Return the MLP of section 4."""
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Flatten(),
            layers.Dense(920, activation="relu"),
            layers.Dense(450, activation="relu"),
            layers.Dropout(0.25),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def wrong_labels(seed: int) -> dict[str, float]:
    """Train the MLP as the notebook does, but with each label one image too late."""
    import keras
    from keras import layers

    (images, labels), _ = datasets.load_mnist("cpu", seed=seed)
    x = images.astype("float32")[..., np.newaxis] / 255
    y_train = np.roll(labels[:TRAINING], 1)
    keras.utils.set_random_seed(seed)
    network = mlp(keras, layers)
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = network.fit(
        x[:TRAINING],
        y_train,
        batch_size=128,
        epochs=6,
        validation_data=(x[-VALIDATION:], labels[-VALIDATION:]),
        verbose=0,
    ).history
    return {
        "fit_training_accuracy": history["accuracy"][-1],
        "validation_accuracy": history["val_accuracy"][-1],
        # Without dropout.
        "training_accuracy": network.evaluate(x[:TRAINING], y_train, batch_size=500, verbose=0)[1],
    }


def lost_ink(seed: int) -> dict[str, float]:
    """Return the fraction of the shifted test digits that lose ink, by the shift in pixels."""
    images = datasets.load_mnist("cpu", seed=seed)[1][0][:2_000]
    return {
        f"shift_{pixels}_fraction": float(images[:, :, 28 - pixels :].any(axis=(1, 2)).mean())
        for pixels in range(1, 7)
    }


JOBS: dict[str, Callable[[int], dict[str, float]]] = {
    "MLP, wrong labels": wrong_labels,
    "shifted digits that lose ink": lost_ink,
}
