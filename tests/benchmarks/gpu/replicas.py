"""Training of several replicas of a network at once, one per seed, as one compiled JAX computation.

With small batches, a GPU spends most of its time starting operations. Here, the weights of all
replicas are stacked, and each operation computes for all of them, so that five seeds take little
more time than one. The networks consist of Keras layers and are called through `stateless_call`,
and the optimizer is that of the compiled network, so the computation is that of `fit` except for
the last batch of an epoch, which is dropped if it is not full.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

# The number of images whose gradients are summed in one matrix product; more of them run faster
# side by side.
IMAGES_PER_PRODUCT = 4
EVALUATION_BATCH = 500


class MatrixConv2D(keras.layers.Conv2D):
    """A convolution computed as a matrix product, which is fast with stacked kernels."""

    def convolution_op(self, inputs, kernel):
        kernel = keras.ops.convert_to_tensor(kernel)
        height, width, _, filters = kernel.shape
        patches = _patches(inputs, (height, width), self.strides, self.padding)
        count, rows, columns, values = patches.shape
        padded = -(-values // 8) * 8  # tensor cores need multiples of 8
        patches = jnp.pad(patches, ((0, 0), (0, 0), (0, 0), (0, padded - values)))
        matrix = kernel.reshape(values, filters)
        matrix = jnp.pad(matrix, ((0, padded - values), (0, 0)))
        products = count // IMAGES_PER_PRODUCT if count % IMAGES_PER_PRODUCT == 0 else 1
        patches = patches.reshape(products, -1, padded)
        matrices = jnp.broadcast_to(matrix, (products, padded, filters))
        return jnp.matmul(patches, matrices).reshape(count, rows, columns, filters)


def _patches(images: Any, kernel_size: tuple, strides: tuple, padding: str) -> Any:
    """Return the inputs (n, rows, columns, values) of each position of a kernel."""
    sizes = images.shape[1:3]
    pads = jax.lax.padtype_to_pads(sizes, kernel_size, strides, padding.upper())
    images = jnp.pad(images, ((0, 0), *pads, (0, 0)))
    rows, columns = (
        (size + sum(pad) - kernel) // stride + 1
        for size, pad, kernel, stride in zip(sizes, pads, kernel_size, strides, strict=True)
    )
    shifted = [
        images[
            :,
            row : row + strides[0] * (rows - 1) + 1 : strides[0],
            column : column + strides[1] * (columns - 1) + 1 : strides[1],
        ]
        for row in range(kernel_size[0])
        for column in range(kernel_size[1])
    ]
    return jnp.concatenate(shifted, axis=-1)


class ReshapeMaxPooling2D(keras.layers.MaxPooling2D):
    """Max pooling with stride = pool size and padding "valid"; its gradient is fast on GPUs."""

    def call(self, inputs):
        size = self.pool_size[0]
        count, height, width, channels = inputs.shape
        rows, columns = height // size, width // size
        inputs = inputs[:, : rows * size, : columns * size]
        return inputs.reshape(count, rows, size, columns, size, channels).max(axis=(2, 4))


# A replacement of `keras.layers` for functions that build networks.
MATRIX_LAYERS = SimpleNamespace(
    **{name: getattr(keras.layers, name) for name in dir(keras.layers) if name[0] != "_"}
    | {"Conv2D": MatrixConv2D, "MaxPooling2D": ReshapeMaxPooling2D}
)


def compute_policy() -> str:
    """Return the Keras dtype policy that is fast on this device."""
    return "mixed_bfloat16" if jax.default_backend() == "gpu" else "float32"


@dataclass(frozen=True)
class Job:
    """One network and how it is trained."""

    network: str
    configuration: str
    build: Callable[[], Any]  # returns a compiled network
    epochs: int
    batch_size: int
    training_images: int
    dtype: str = ""  # a Keras dtype policy; by default, `compute_policy()`


class Replicas:
    """The replicas of a job's network, one per seed; `compile` must be called before `train`."""

    def __init__(self, job: Job, seeds: list[int]) -> None:
        self.job, self.seeds = job, seeds
        states = []
        # The many small operations that initialize weights start faster on the CPU.
        with jax.default_device(jax.devices("cpu")[0]):
            keras.config.set_dtype_policy(job.dtype or compute_policy())
            for seed in seeds:
                keras.utils.set_random_seed(seed)
                network = job.build()
                network.optimizer.build(network.trainable_variables)
                variables = (
                    network.trainable_variables,
                    network.non_trainable_variables,
                    network.optimizer.variables,
                )
                states.append([[np.asarray(each) for each in part] for part in variables])
            keras.config.set_dtype_policy("float32")
        self.network = network
        self.parameters = network.count_params()
        self.state = jax.tree.map(lambda *values: np.stack(values), *states)
        self.seconds_to_compile = 0.0
        self._epoch: Any = None
        self._lowered: Any = None

    def lower(self, splits: dict[str, Any]) -> None:
        """Trace the computation of one epoch; `splits` maps names to shapes of images, labels."""
        keys = jax.ShapeDtypeStruct((len(self.seeds), 2), jnp.uint32)
        step = jax.jit(self._train_epoch, donate_argnums=0)
        shapes = jax.tree.map(
            lambda value: jax.ShapeDtypeStruct(value.shape, value.dtype), (self.state, splits)
        )
        self._lowered = step.lower(shapes[0], keys, shapes[1])

    def compile(self) -> None:
        """Compile the computation; several can be compiled at the same time by threads."""
        start = time.perf_counter()
        self._epoch = self._lowered.compile()
        self.seconds_to_compile = time.perf_counter() - start

    def train(self, splits: dict[str, Any], deadline: float) -> dict[str, Any]:
        """Train until the last epoch or the deadline; return the curves and the seconds.

        Each curve is an array (epochs, replicas).
        """
        keys = jnp.stack([jax.random.PRNGKey(1_000 + seed) for seed in self.seeds])
        state = jax.device_put(self.state)
        curves: list[dict[str, Any]] = []
        start = time.perf_counter()
        for epoch in range(self.job.epochs):
            epoch_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, epoch)
            state, measured = self._epoch(state, epoch_keys, splits)
            # Waiting for the previous epoch keeps one epoch queued and shows the deadline.
            if curves:
                jax.block_until_ready(curves[-1])
            curves.append(measured)
            if time.perf_counter() > deadline:
                break
        jax.block_until_ready(curves[-1])
        seconds = time.perf_counter() - start
        names = curves[0]
        return {
            "seconds": seconds,
            "epochs": len(curves),
            "curves": {
                name: np.stack([np.asarray(each[name]) for each in curves]) for name in names
            },
        }

    def _train_epoch(self, state: Any, keys: Any, splits: dict[str, Any]) -> tuple[Any, Any]:
        """Train all replicas for one epoch and evaluate them on the splits."""
        job = self.job
        steps = job.training_images // job.batch_size
        images, labels = splits["training"]
        order = jax.vmap(lambda key: jax.random.permutation(key, job.training_images))(keys)
        order = order[:, : steps * job.batch_size].reshape(-1, steps, job.batch_size)

        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            return jax.vmap(self._step)(state, _scaled(images[batch]), labels[batch])

        state, (losses, correct) = jax.lax.scan(step, state, order.swapaxes(0, 1))
        measured = {"loss": losses.mean(0), "accuracy": correct.mean(0)}
        for name, (images, labels) in splits.items():
            loss, accuracy = self._evaluate(state, images, labels)
            if name == "training":
                measured["training_accuracy"] = accuracy
            else:
                measured |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        return state, measured

    def _step(self, state: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        """Update one replica with one batch."""
        trainable, others, optimizer_variables = state

        def loss_function(trainable: Any) -> tuple[Any, Any]:
            outputs, new_others, penalties = self.network.stateless_call(
                trainable, others, images, training=True, return_losses=True
            )
            loss = _cross_entropy(labels, outputs).mean() + sum(penalties)
            return loss, (new_others, (outputs.argmax(-1) == labels).mean())

        (loss, (others, accuracy)), gradients = jax.value_and_grad(loss_function, has_aux=True)(
            trainable
        )
        trainable, optimizer_variables = self.network.optimizer.stateless_apply(
            optimizer_variables, gradients, trainable
        )
        return [trainable, others, optimizer_variables], (loss, accuracy)

    def _evaluate(self, state: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        """Return the loss and accuracy of all replicas on at most 10,000 images."""
        trainable, others, _ = state
        count = min(len(images), 10_000)
        size = min(EVALUATION_BATCH, count)
        steps = count // size

        def measure(batch: Any) -> tuple[Any, Any]:
            batch_images, batch_labels = batch

            def one(trainable: Any, others: Any) -> tuple[Any, Any]:
                outputs, _ = self.network.stateless_call(
                    trainable, others, _scaled(batch_images), training=False
                )
                return (
                    _cross_entropy(batch_labels, outputs).mean(),
                    (outputs.argmax(-1) == batch_labels).mean(),
                )

            return jax.vmap(one)(trainable, others)

        batches = (
            images[: steps * size].reshape(steps, size, *images.shape[1:]),
            labels[: steps * size].reshape(steps, size),
        )
        losses, accuracies = jax.lax.map(measure, batches)
        return losses.mean(0), accuracies.mean(0)


def _scaled(images: Any) -> Any:
    """Return pixels from 0 to 1."""
    return images.astype("float32") / 255


def _cross_entropy(labels: Any, outputs: Any) -> Any:
    """Return the cross-entropy of each image."""
    return keras.losses.sparse_categorical_crossentropy(labels, outputs)
