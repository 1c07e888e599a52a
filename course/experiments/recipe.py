"""One training: by which recipe, and what of the hardware it uses.

Each switch of a `Recipe` can be thrown alone: only so can be measured what it buys.
"""

import time
from dataclasses import dataclass
from itertools import pairwise

from course.errors import CourseError


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float, optional
        In place of the one that the network was compiled with.
    warm_up : int
        So many epochs, of a learning rate that is given here, it takes to rise to it from 0.
    on_device : bool
        Whether the pictures are brought into the device's memory once, for all networks, and the
        batches put together there. Else each batch is put together by the processor and sent.
    mixed_precision : bool
        Whether layers compute in float16, of which GPUs do several times as many. Weights stay in
        float32, and so must the last layer: give it dtype="float32".
    steps_per_call : int
        How many steps Keras does before it looks at its callbacks. On torch always 1.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float | None = None
    warm_up: int = 0
    on_device: bool = False
    mixed_precision: bool = False
    steps_per_call: int = 1

    def check(self, name):
        """Raise a CourseError unless every number is one that a training can have.

        Parameters
        ----------
        name : str
            Whose recipe it is, for the sentence.
        """
        for key, least in {"epochs": 1, "batch_size": 1, "warm_up": 0, "steps_per_call": 1}.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise CourseError(
                    f"{key}={value!r} of {name!r} is not a whole number of at least {least}:"
                    " choose one."
                )
        rate = self.learning_rate
        if rate is not None and not (isinstance(rate, float) and 0 < rate < 100):
            raise CourseError(
                f"learning_rate={rate!r} of {name!r} is not a number above 0 with a decimal point:"
                " choose one, such as 0.01."
            )

    def steps_of_epoch(self, pictures):
        """Return how many batches an epoch has."""
        return -(-pictures // self.batch_size)

    def rate(self, pictures):
        """Return what Keras takes for a learning rate: a number or a schedule, or None."""
        import keras  # takes seconds

        if self.learning_rate is None or not self.warm_up:
            return self.learning_rate
        # With alpha=1 it stays, after the warm-up, where it is.
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=self.learning_rate,
            warmup_steps=self.warm_up * self.steps_of_epoch(pictures),
            decay_steps=1,
            alpha=1.0,
        )


class Table:
    """Pictures in the device's memory, for networks that are called with the pictures' numbers.

    Parameters
    ----------
    *parts : (ndarray, ndarray)
        Pictures and labels; kept as float32.
    """

    def __init__(self, *parts):
        import keras
        import numpy as np

        shape = parts[0][0].shape[1:]
        rows = [images.reshape(len(images), -1).astype("float32") for images, _ in parts]
        ends = np.cumsum([0, *map(len, rows)])
        self.parts = [
            (np.arange(start, end, dtype="int32"), labels)
            for (start, end), (_, labels) in zip(pairwise(ends), parts, strict=True)
        ]
        # A frozen embedding is a table whose rows are looked up on the device.
        table = keras.layers.Embedding(int(ends[-1]), rows[0].shape[1], trainable=False)
        table.build(())
        table.set_weights([np.concatenate(rows)])
        self._layers = [keras.Input((), dtype="int32"), table, keras.layers.Reshape(shape)]

    def before(self, network):
        """Return a compiled network that takes numbers, looks the pictures up and goes on so."""
        import keras

        whole = keras.Sequential([*self._layers, network])
        whole.compile(network.optimizer, network.loss, metrics=["accuracy"])
        return whole


def fit(run, network, recipe, training_data, validation_data, table=None, callbacks=()):
    """Train a network by a recipe; return its history and the seconds it took.

    Parameters
    ----------
    run : course.Run
    network : keras.Model
        Compiled with metrics=["accuracy"]; its weights change.
    recipe : Recipe
    training_data, validation_data : (ndarray, ndarray)
        The second may be None.
    table : Table, optional
        Of both, where the recipe wants them on the device.
    callbacks : list of keras.callbacks.Callback

    Returns
    -------
    dict of lists, float
    """
    import keras

    trained = network
    if table is not None:
        trained = table.before(network)
        training_data, validation_data = [*table.parts, None][:2]
    if run.backend != "torch":
        trained.steps_per_execution = recipe.steps_per_call
    # The few steps of a smoke run do not pay for being traced first. (JAX compiles in any case: one
    # operation after the other takes it longer.)
    eagerly = network.run_eagerly
    trained.run_eagerly = eagerly or (run.profile == "smoke" and run.backend != "jax")
    keras.utils.set_random_seed(run.seed)
    start = time.perf_counter()
    history = trained.fit(
        *training_data,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        validation_data=validation_data,
        callbacks=list(callbacks),
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    network.run_eagerly = eagerly
    return history, seconds
