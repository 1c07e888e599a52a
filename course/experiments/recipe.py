"""Training recipes: the hyperparameters and hardware features of a training run.

The switches of a `Recipe` are independent, so that the effect of each can be measured.
"""

from dataclasses import dataclass
from typing import Any

from course.errors import CourseError


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters and switches of a training run.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float, optional
        Replaces the learning rate that the network was compiled with.
    warmup_epochs : int
        The number of epochs over which the learning rate rises from 0 to `learning_rate`. It has no
        effect if `learning_rate` is None.
    momentum : float, optional
        Replaces the momentum of the compiled network's optimizer, such as SGD. With a momentum of
        1 - 1/k, each gradient changes the weights by a total of k times the learning rate. A batch
        k times as large then needs no larger learning rate, which would be too large for a network
        without batch normalization.
    on_device : bool
        If True, the images are copied to the device's memory once, for all networks, and a call to
        the device runs many steps; see `course.experiments.device_training`. If False, `fit` forms
        each batch on the CPU and sends it to the device.
    max_shift : int
        If greater than 0, each image is shifted vertically and horizontally in each epoch, each
        time by a random number of pixels up to this one. Needs on_device=True.
    flip : bool
        If True, each image is flipped horizontally in every second epoch. Needs on_device=True.
    mixed_precision : bool
        If True, layers compute in float16, which is several times faster on GPUs. The weights stay
        in float32. The last layer must compute in float32 too: give it dtype="float32".
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float | None = None
    warmup_epochs: int = 0
    momentum: float | None = None
    on_device: bool = False
    max_shift: int = 0
    flip: bool = False
    mixed_precision: bool = False

    def check(self, name: str) -> None:
        """Raise a CourseError that names the network if a value is invalid."""
        minima = {"epochs": 1, "batch_size": 1, "warmup_epochs": 0, "max_shift": 0}
        for key, minimum in minima.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
                raise CourseError(
                    f"{key} of {name!r} must be an integer of {minimum} or greater, not {value!r}."
                )
        if not isinstance(self.flip, bool):
            raise CourseError(f"flip of {name!r} must be True or False, not {self.flip!r}.")
        if self.augments and not self.on_device:
            raise CourseError(
                f"max_shift and flip of {name!r} need on_device=True, because the device shifts"
                " and flips the images: pass it, or leave them out."
            )
        rate = self.learning_rate
        if rate is not None and not (isinstance(rate, float) and 0 < rate < 100):
            raise CourseError(
                f"learning_rate of {name!r} must be a float greater than 0 and less than 100, such"
                f" as 0.01, not {rate!r}."
            )
        if self.momentum is not None and not (
            isinstance(self.momentum, float) and 0 <= self.momentum < 1
        ):
            raise CourseError(
                f"momentum of {name!r} must be a float of at least 0.0 and less than 1.0, such as"
                f" 0.9, not {self.momentum!r}."
            )

    @property
    def augments(self) -> bool:
        """Whether images are shifted or flipped."""
        return self.max_shift > 0 or self.flip

    def steps_per_epoch(self, image_count: int) -> int:
        """Return the number of batches per epoch; `on_device` leaves out an incomplete batch."""
        if self.on_device:
            return max(1, image_count // self.batch_size)
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
