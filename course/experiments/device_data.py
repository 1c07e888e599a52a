"""Images in device memory, and the random order and augmentation of the images in each batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from course.experiments.recipe import Recipe


@dataclass(frozen=True)
class EpochPlan:
    """The images of each batch of an epoch, and how each image is shifted and flipped.

    Attributes
    ----------
    indices : ndarray of int32, shape (steps, batch_size)
        The index of each image.
    corners : ndarray of int32, shape (steps, batch_size, 2)
        The row and column of the padded image at which the shifted image begins.
    flips : ndarray of bool, shape (steps, batch_size)
        Whether an image is flipped horizontally.
    """

    indices: np.ndarray
    corners: np.ndarray
    flips: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All three arrays; the first axis is the step."""
        return self.indices, self.corners, self.flips


def plan_epochs(recipe: Recipe, image_count: int, seed: int) -> Iterator[EpochPlan]:
    """Yield the plan of each epoch.

    With `recipe.flip`, a random half of the images is flipped in the first epoch. Later, each image
    is flipped in every second epoch, so that the network sees both versions equally often (Keller
    Jordan, arXiv:2404.00498).
    """
    random = np.random.default_rng(seed)
    batch_size = min(recipe.batch_size, image_count)
    shape = image_count // batch_size, batch_size
    is_flipped = random.random(image_count) < 0.5
    for _ in range(recipe.epochs):
        indices = random.permutation(image_count)[: shape[0] * batch_size].astype("int32")
        corners = random.integers(0, 2 * recipe.max_shift + 1, (*shape, 2), "int32")
        flips = is_flipped[indices] & recipe.flip
        yield EpochPlan(indices.reshape(shape), corners, flips.reshape(shape))
        is_flipped = ~is_flipped


def augment(images: np.ndarray, corners: np.ndarray, flips: np.ndarray, max_shift: int) -> Any:
    """Return shifted and flipped images, computed by the same code as in training.

    Parameters
    ----------
    images : ndarray, shape (n, height, width, channels)
    corners : ndarray of int, shape (n, 2)
        The row and column of the padded image at which the shifted image begins, from 0 to
        2 * max_shift; an image whose row and column equal `max_shift` is not shifted.
    flips : ndarray of bool, shape (n,)
    max_shift : int
        The number of pixels by which the images are padded on each side, by reflection.

    Returns
    -------
    ndarray, shape (n, height, width, channels)
    """
    import keras

    split = DeviceSplit(images, np.zeros(len(images)), max_shift, is_augmented=True)
    chosen = np.arange(len(images), dtype="int32"), np.asarray(corners, "int32"), np.asarray(flips)
    batch, _ = split.select(*split.tensors, *map(keras.ops.convert_to_tensor, chosen))
    return keras.ops.convert_to_numpy(batch)


class DeviceSplit:
    """Images and labels in device memory.

    Attributes
    ----------
    tensors : (tensor, tensor)
        Images and labels. If the images are augmented, their tensor has one row per pixel.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, max_shift: int = 0, is_augmented: bool = False
    ) -> None:
        import keras

        self.count = len(images)
        self._is_augmented = is_augmented
        if is_augmented:
            self._height, self._width, channels = images.shape[1:]
            border = [(0, 0), *[(max_shift, max_shift)] * 2, (0, 0)]
            images = np.pad(images, border, mode="reflect")
            self._padded_height, self._padded_width = images.shape[1:3]
            images = images.reshape(-1, channels)
        self.tensors = tuple(map(keras.ops.convert_to_tensor, (images, labels)))

    def select(self, images: Any, labels: Any, indices: Any, corners: Any, flips: Any) -> Any:
        """Return the images and labels of a batch; `images` and `labels` are the split's tensors.

        Compiled functions take the tensors as arguments, so that they do not become constants.
        """
        from keras import ops

        if not self._is_augmented:
            return ops.take(images, indices, axis=0), ops.take(labels, indices, axis=0)
        # A single look-up selects, shifts, and flips: the position of each pixel of the batch.
        rows = corners[:, :1] + np.arange(self._height, dtype="int32")
        left_to_right = np.arange(self._width, dtype="int32")
        columns = corners[:, 1:] + ops.where(
            flips[:, None], left_to_right[::-1].copy(), left_to_right
        )
        starts = (indices[:, None] * self._padded_height + rows) * self._padded_width
        positions = starts[:, :, None] + columns[:, None, :]
        return ops.take(images, positions, axis=0), ops.take(labels, indices, axis=0)


class TrainingData:
    """The images and labels of training runs, copied to the device when a run needs them."""

    def __init__(self, training: tuple, validation: Any = None) -> None:
        self.training = _with_short_labels(training)
        self.validation = _with_short_labels(validation) if validation else validation
        self._splits: tuple[DeviceSplit, DeviceSplit | None] | None = None
        self._augmentation: tuple[int, bool] | None = None

    def on_device(self, recipe: Recipe) -> tuple[DeviceSplit, DeviceSplit | None]:
        """Return both splits; they are copied again only if the augmentation is different."""
        augmentation = recipe.max_shift, recipe.augments
        if self._splits is None or augmentation != self._augmentation:
            self._splits = None  # frees the memory of the previous copies
            images, labels = self.training
            training = DeviceSplit(images, labels, *augmentation)
            validation = DeviceSplit(*self.validation) if self.validation else None
            self._splits, self._augmentation = (training, validation), augmentation
        return self._splits


def _with_short_labels(split: tuple) -> tuple:
    """Return images and labels with 32 bits for an integer, because JAX warns about 64."""
    images, labels = split
    has_long = getattr(labels, "dtype", None) == "int64"
    return images, labels.astype("int32") if has_long else labels
