"""Training recipes: the hyperparameters and hardware features of a training run.

The switches of a `Recipe` are independent, so that the effect of each can be measured.
"""

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from course.errors import CourseError
from course.session import Run


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters and switches of a training run.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float, optional
        Replaces the learning rate that the network was compiled with.
    warmup_epochs : int
        The number of epochs over which the learning rate rises from 0 to `learning_rate`.
    momentum : float, optional
        Replaces the momentum of the compiled network's optimizer, such as SGD. With a momentum of
        1 - 1/k, each gradient counts k times. A batch k times as large then needs no larger
        learning rate, which would be too much for a network without batch normalization.
    on_device : bool
        If True, the images are copied to the device's memory once, for all networks, and batches
        are formed there. If False, the CPU forms each batch and sends it to the device.
    mixed_precision : bool
        If True, layers compute in float16, which is several times faster on GPUs. The weights stay
        in float32. The last layer must compute in float32 too: give it dtype="float32".
    steps_per_execution : int
        The number of steps between two calls of the callbacks. It is always 1 on torch.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float | None = None
    warmup_epochs: int = 0
    momentum: float | None = None
    on_device: bool = False
    mixed_precision: bool = False
    steps_per_execution: int = 1

    def check(self, name: str) -> None:
        """Raise a CourseError that names the network if a value is invalid."""
        minima = {"epochs": 1, "batch_size": 1, "warmup_epochs": 0, "steps_per_execution": 1}
        for key, minimum in minima.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
                raise CourseError(
                    f"{key} of {name!r} must be an integer of {minimum} or greater, not {value!r}."
                )
        rate = self.learning_rate
        if rate is not None and not (isinstance(rate, float) and 0 < rate < 100):
            raise CourseError(
                f"learning_rate of {name!r} must be a positive number with a decimal point, such as"
                f" 0.01, not {rate!r}."
            )
        if self.momentum is not None and not (
            isinstance(self.momentum, float) and 0 <= self.momentum < 1
        ):
            raise CourseError(
                f"momentum of {name!r} must be a number with a decimal point from 0.0 to less than"
                f" 1.0, such as 0.9, not {self.momentum!r}."
            )

    def steps_per_epoch(self, image_count: int) -> int:
        """Return the number of batches per epoch."""
        return -(-image_count // self.batch_size)

    def schedule(self, image_count: int) -> Any:
        """Return the learning rate or its schedule; None keeps the compiled network's rate."""
        import keras  # takes seconds to import

        if self.learning_rate is None or not self.warmup_epochs:
            return self.learning_rate
        # With alpha=1, the rate stays constant after the warm-up.
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=self.learning_rate,
            warmup_steps=self.warmup_epochs * self.steps_per_epoch(image_count),
            decay_steps=1,
            alpha=1.0,
        )


class DeviceImages:
    """The float32 images of several splits, kept in device memory; networks look them up by index.

    Each item of the attribute `splits` holds the labels of its images, and their int32 indices.
    """

    def __init__(self, *splits: tuple[Any, Any]) -> None:
        import keras
        import numpy as np

        shape = splits[0][0].shape[1:]
        rows = [images.reshape(len(images), -1).astype("float32") for images, _ in splits]
        ends = np.cumsum([0, *map(len, rows)])
        self.splits = [
            (np.arange(start, end, dtype="int32"), labels)
            for (start, end), (_, labels) in zip(pairwise(ends), splits, strict=True)
        ]
        # A frozen embedding is a table whose rows are looked up on the device.
        table = keras.layers.Embedding(int(ends[-1]), rows[0].shape[1], trainable=False)
        table.build(())
        table.set_weights([np.concatenate(rows)])
        self._layers = [keras.Input((), dtype="int32"), table, keras.layers.Reshape(shape)]

    def prepend_to(self, network: Any) -> Any:
        """Return a compiled network that takes indices and shares the layers of `network`."""
        import keras

        combined = keras.Sequential([*self._layers, network])
        combined.compile(network.optimizer, network.loss, metrics=["accuracy"])
        return combined


def fit(
    run: Run,
    network: Any,
    recipe: Recipe,
    training_data: Any,
    validation_data: Any,
    device_images: DeviceImages | None,
    callback: Any,
) -> tuple[dict[str, list], float]:
    """Train a compiled network; return its training history and the wall time in seconds.

    If `device_images` is given, its images replace the same images in the other arguments.
    """
    import keras

    trained = network
    if device_images is not None:
        trained = device_images.prepend_to(network)
        training_data, validation_data = [*device_images.splits, None][:2]
    if run.backend != "torch":
        trained.steps_per_execution = recipe.steps_per_execution
    # For the few steps of a smoke run, tracing takes more time than it saves, except on JAX,
    # whose eager execution is slower than its compilation.
    eagerly = network.run_eagerly
    trained.run_eagerly = eagerly or (run.profile == "smoke" and run.backend != "jax")
    keras.utils.set_random_seed(run.seed)
    start = time.perf_counter()
    history = trained.fit(
        *training_data,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        validation_data=validation_data,
        callbacks=[callback],
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    network.run_eagerly = eagerly
    return history, seconds
