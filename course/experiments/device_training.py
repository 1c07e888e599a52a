"""Training with the images in device memory and many steps per call.

`fit` forms each batch on the CPU, sends it to the device, and returns to Python after each step.
With a small network on a GPU, this takes longer than the computation. Here, the images stay on the
device, which also selects, shifts, and flips those of each batch, and one call runs many steps.
Only public interfaces of Keras are used:

- JAX: `stateless_call` and `stateless_apply` in a loop that is compiled as a whole;
- TensorFlow: the network and `optimizer.apply` in a loop that XLA compiles on a GPU;
- PyTorch: the same steps one by one, on images that are already on the device.

The weights equal those of `fit` with the same batches, except for rounding. The batches differ from
those of `fit`: the images are in a different order, and images that do not fill a batch at the end
of an epoch are left out. (The next epoch has another order, so it leaves out other images.) On
PyTorch, dropout also draws different random masks.
"""

import time
from typing import Any

import numpy as np

from course.experiments.device_data import DeviceSplit, plan_epochs
from course.experiments.recipe import Recipe
from course.experiments.training_steps import create_steps
from course.session import Run

# An epoch that takes longer is divided into several calls, so that progress shows.
UNDIVIDED_SECONDS = 2.0
CALLS_PER_EPOCH = 20
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


def train_on_device(
    run: Run,
    network: Any,
    recipe: Recipe,
    training: DeviceSplit,
    validation: DeviceSplit | None,
    callback: Any,
) -> dict[str, list[float]]:
    """Train a compiled network; return its training history, as `fit` does.

    `callback` is a Keras callback. It is called at the beginning and end of each epoch, after each
    call to the device (`on_train_batch_end`, with the index of the last step), and at the end.
    """
    steps = create_steps(run, network, training, validation)
    history: dict[str, list[float]] = {}
    seconds = UNDIVIDED_SECONDS
    for epoch, plan in enumerate(plan_epochs(recipe, training.count, run.seed)):
        start = time.perf_counter()
        callback.on_epoch_begin(epoch, {})
        count = len(plan.indices)
        # The duration of the first epoch is unknown.
        calls = CALLS_PER_EPOCH if seconds >= UNDIVIDED_SECONDS else 1
        ends = sorted({round(count * number / calls) for number in range(1, calls + 1)} - {0})
        sums = np.zeros(2, "float32")
        for begin, end in zip([0, *ends], ends, strict=False):
            sums = steps.train(plan, begin, end, sums)
            callback.on_train_batch_end(end - 1, {})
        if epoch == recipe.epochs - 1:
            # Before the last validation, so that it measures the weights that the network keeps.
            steps.finish()
        measured = list(sums.astype("float64") / count)
        if validation:
            measured.extend(steps.validate() / validation.count)
        # As `fit` does, return float32 values.
        logs = {
            name: float(np.float32(value)) for name, value in zip(METRICS, measured, strict=False)
        }
        for name, value in logs.items():
            history.setdefault(name, []).append(value)
        callback.on_epoch_end(epoch, logs)
        seconds = time.perf_counter() - start
    callback.on_train_end({})
    return history
