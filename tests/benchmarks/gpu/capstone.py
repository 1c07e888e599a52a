"""A network for CIFAR-10 that trains in seconds, with the whole epoch as one JAX computation.

The design and its hyperparameters follow David Page's "How to train your ResNet" and Keller
Jordan's airbench (arXiv:2404.00498): a first layer that whitens patches of 2 x 2 pixels, three
groups of convolutions with batch normalization, flips that alternate from epoch to epoch, label
smoothing, Nesterov momentum with a decay that does not depend on the learning rate, and averaged
weights. The code is our own.
"""

import math
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from tests.benchmarks.gpu.replicas import ReshapeMaxPooling2D, compute_policy

layers = keras.layers
MAX_SHIFT = 4
# Per channel, of the training images.
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True)
class Configuration:
    """A network's widths and the hyperparameters of its training."""

    name: str
    widths: tuple[int, int, int] = (64, 256, 256)
    convolutions: int = 2  # per group; the third has a shortcut around the last two
    norm_momentum: float = 0.6
    epochs: int = 10
    batch_size: int = 1024
    learning_rate: float = 11.5  # per 1,024 images, divided by the effect of the momentum
    final_rate: float = 0.07  # as a fraction of the learning rate
    warm_up: float = 0.23  # as a fraction of the steps
    weight_decay: float = 0.0153
    bias_factor: float = 64.0
    momentum: float = 0.85
    label_smoothing: float = 0.2
    shift: int = 2
    cutout: int = 0
    alternating_flip: bool = True
    averaging: bool = True
    whitening: bool = True

    @property
    def network(self) -> tuple:
        """The values that determine the network; the others are arguments of the computation."""
        return self.widths, self.convolutions, self.norm_momentum, self.batch_size


WIDE: dict[str, Any] = {
    "widths": (128, 384, 512),
    "convolutions": 3,
    "norm_momentum": 0.9,
    "learning_rate": 9.0,
    "weight_decay": 0.012,
    "final_rate": 0.0,
    "warm_up": 0.1,
    "shift": 4,
    "cutout": 12,
}
MIDDLE: dict[str, Any] = {"widths": (128, 384, 384), "learning_rate": 10.0}
CONFIGURATIONS = [
    Configuration("small, 10 epochs"),
    Configuration("small, 20 epochs", epochs=20),
    Configuration("small, 40 epochs", epochs=40, shift=4, cutout=12),
    Configuration("middle, 16 epochs", epochs=16, **MIDDLE),
    Configuration("wide, 20 epochs", epochs=20, **WIDE),
    Configuration("wide, 40 epochs", epochs=40, **WIDE),
    Configuration("small, 10 epochs, random flips", alternating_flip=False),
    Configuration("small, 10 epochs, no averaging", averaging=False),
    Configuration("small, 10 epochs, no label smoothing", label_smoothing=0.0),
    Configuration("small, 10 epochs, no shifts", shift=0),
    Configuration("small, 10 epochs, no whitening", whitening=False),
]


def build(configuration: Configuration) -> Any:
    """Return the network, whose outputs are logits."""
    convolution = partial(layers.Conv2D, padding="same", use_bias=False)
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(24, 2, name="whitening")(inputs)
    x = layers.Activation("gelu")(x)
    for width in configuration.widths:
        x = convolution(width, 3, kernel_initializer=_identity)(x)
        x = ReshapeMaxPooling2D(2)(x)
        x = layers.Activation("gelu")(_norm(configuration)(x))
        before = x
        for number in range(1, configuration.convolutions):
            x = convolution(width, 3, kernel_initializer=_identity)(x)
            x = _norm(configuration)(x)
            if number == 2:
                x = layers.Add()([x, before])
            x = layers.Activation("gelu")(x)
    x = layers.Flatten()(ReshapeMaxPooling2D(3)(x))
    x = layers.Dense(10, use_bias=False, dtype="float32", kernel_initializer=_uniform)(x)
    return keras.Model(inputs, layers.Rescaling(1 / 9, dtype="float32")(x))


def _norm(configuration: Configuration) -> Any:
    """Return a batch normalization without a scale."""
    return layers.BatchNormalization(
        momentum=configuration.norm_momentum, epsilon=1e-5, scale=False
    )


def _uniform(shape: tuple, dtype: Any = None) -> Any:
    """Return random weights with a range of 1 over the square root of the inputs."""
    limit = 1 / math.sqrt(math.prod(shape[:-1]))
    return keras.random.uniform(shape, -limit, limit, dtype)


def _identity(shape: tuple, dtype: Any = None) -> Any:
    """Return a kernel whose first filters copy the channels, as many as there are."""
    kernel = np.array(_uniform(shape, dtype))
    channels = min(shape[2:])
    kernel[:, :, :, :channels] = 0
    kernel[shape[0] // 2, shape[1] // 2, range(channels), range(channels)] = 1
    return kernel


def whitening_kernel(images: Any) -> Any:
    """Return the kernel (2, 2, 3, 24) that whitens patches of normalized images, and its negative.

    Its filters are the eigenvectors of the patches' covariance, each divided by the square root
    of its eigenvalue.
    """
    shifted = [
        images[:, row : row + 31, column : column + 31] for row in (0, 1) for column in (0, 1)
    ]
    patches = np.concatenate(shifted, axis=-1).reshape(-1, 12)
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    kernel = (vectors / np.sqrt(values + 5e-4)).reshape(2, 2, 3, 12)
    return np.concatenate([kernel, -kernel], axis=-1).astype("float32")


class Trainer:
    """Trains the network of a configuration; configurations with the same network share it."""

    def __init__(self, configuration: Configuration, splits: dict[str, Any]) -> None:
        self.splits = splits
        self.batch_size = configuration.batch_size
        self.count = len(splits["training"][0])
        self.steps = self.count // self.batch_size
        self.network = self._initialize(configuration, 0)[0]
        self.parameters = self.network.count_params()
        self._kernel = np.zeros((2, 2, 3, 24), "float32")
        state, scalars = self.start(configuration, 0), _scalars(configuration, self.steps)
        key = jax.random.PRNGKey(0)
        data = jax.tree.map(lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype), splits)
        train = jax.jit(self._train_epoch, donate_argnums=0)
        evaluate = jax.jit(self._evaluate)
        self._lowered = (
            train.lower(state, 0, key, scalars, data["training"]),
            evaluate.lower(state[0], state[1], data),
        )

    def compile(self) -> None:
        """Compile both computations."""
        self._epoch, self._test = (each.compile() for each in self._lowered)
        sample = np.asarray(self.splits["training"][0][:5000], "float32")
        self._kernel = whitening_kernel((sample / 255 - MEAN) / STD)

    def train(self, configuration: Configuration, seed: int) -> dict[str, Any]:
        """Train once; return the accuracies and the seconds of training and of testing."""
        state = jax.block_until_ready(self.start(configuration, seed))
        scalars = jax.device_put(_scalars(configuration, self.steps))
        key = jax.random.PRNGKey(seed)
        start = time.perf_counter()
        losses = []
        for epoch in range(configuration.epochs):
            state, loss = self._epoch(state, epoch, key, scalars, self.splits["training"])
            losses.append(loss)
        jax.block_until_ready(state)
        seconds = time.perf_counter() - start
        tested = {name: float(value) for name, value in self._test(*state[:2], self.splits).items()}
        return {
            "network": configuration.name,
            "seed": seed,
            "seconds": round(seconds, 3),
            "seconds_to_test": round(time.perf_counter() - start - seconds, 3),
            "parameters": self.parameters,
            "configuration": asdict(configuration),
            **{name: round(value, 5) for name, value in tested.items()},
            "curves": {"loss": [round(float(each), 4) for each in losses]},
        }

    @staticmethod
    def _initialize(configuration: Configuration, seed: int) -> tuple[Any, Any, Any]:
        """Return a network and the values of its trainable and other variables."""
        with jax.default_device(jax.devices("cpu")[0]):
            keras.config.set_dtype_policy(compute_policy())
            keras.utils.set_random_seed(seed)
            network = build(configuration)
            keras.config.set_dtype_policy("float32")
            values = [
                [np.asarray(each) for each in part]
                for part in (network.trainable_variables, network.non_trainable_variables)
            ]
        return network, *values

    def start(self, configuration: Configuration, seed: int) -> Any:
        """Return the state before the first step: weights, statistics, momentum, and averages."""
        _, trainable, others = self._initialize(configuration, seed)
        if configuration.whitening:
            trainable[0] = self._kernel
        zeros = [np.zeros_like(each) for each in trainable]
        averages = [np.array(each) for each in [*trainable, *others]]
        return jax.device_put([trainable, others, zeros, averages])

    def _train_epoch(self, state: Any, epoch: Any, key: Any, scalars: Any, data: Any) -> Any:
        """Train for one epoch."""
        images, labels = data
        images = jnp.pad(images, ((0, 0), *((MAX_SHIFT, MAX_SHIFT),) * 2, (0, 0)), "reflect")
        flips = jax.random.bernoulli(key, 0.5, (self.count,))
        key = jax.random.fold_in(key, epoch)
        order = jax.random.permutation(key, self.count)[: self.steps * self.batch_size]
        order = order.reshape(self.steps, self.batch_size)
        alternate = flips ^ (epoch % 2 == 1)
        random = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.5, (self.count,))
        flips = jnp.where(scalars["alternating_flip"], alternate, random)

        def step(state: Any, batch: Any) -> tuple[Any, Any]:
            indices, number = batch
            batch_key = jax.random.fold_in(key, 2 + number)
            chosen = _augment(images[indices], flips[indices], batch_key, scalars)
            return self._step(state, chosen, labels[indices], epoch * self.steps + number, scalars)

        state, losses = jax.lax.scan(step, state, (order, jnp.arange(self.steps)))
        return state, losses.mean()

    def _step(self, state: Any, images: Any, labels: Any, number: Any, scalars: Any) -> Any:
        """Update the weights with one batch."""
        trainable, others, velocities, averages = state

        def loss_function(trainable: Any) -> tuple[Any, Any]:
            logits, new_others = self.network.stateless_call(
                trainable, others, images, training=True
            )
            smoothing = scalars["label_smoothing"]
            targets = jax.nn.one_hot(labels, 10) * (1 - smoothing) + smoothing / 10
            return -(targets * jax.nn.log_softmax(logits)).sum(), new_others

        (loss, others), gradients = jax.value_and_grad(loss_function, has_aux=True)(trainable)
        fraction = number / scalars["steps"]
        warm_up = scalars["warm_up"]
        schedule = jnp.where(
            fraction < warm_up,
            0.2 + 0.8 * fraction / warm_up,
            1 + (scalars["final_rate"] - 1) * (fraction - warm_up) / (1 - warm_up),
        )
        momentum = scalars["momentum"]
        new_trainable, new_velocities = [], []
        for index, (variable, value, gradient, velocity) in enumerate(
            zip(self.network.trainable_variables, trainable, gradients, velocities, strict=True)
        ):
            rate = scalars["rate"]
            if "normalization" in variable.path:
                rate = rate * scalars["bias_factor"]
            gradient = gradient + scalars["decay"] / rate * value
            velocity = momentum * velocity + gradient
            change = rate * schedule * (gradient + momentum * velocity)
            if index < 2:  # the whitening layer: its kernel is fixed, its bias after a while
                is_fixed = (index == 0) | (number >= scalars["whitening_steps"])
                change = jnp.where(scalars["whitening"] & is_fixed, 0.0, change)
            new_trainable.append(value - change)
            new_velocities.append(velocity)
        state = [new_trainable, others, new_velocities, averages]
        return _average(state, number + 1, scalars), loss / len(labels)

    def _evaluate(self, trainable: Any, others: Any, splits: Any) -> dict[str, Any]:
        """Return the accuracies on the test images and on 10,000 training images."""

        def logits_of(images: Any) -> Any:
            return self.network.stateless_call(trainable, others, images, training=False)[0]

        def measure(batch: Any) -> dict[str, Any]:
            images, labels = batch
            images = _normalized(images)
            padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
            views = [images, padded[:, :32, :32], padded[:, 2:, 2:]]
            flipped = [(logits_of(view) + logits_of(view[:, :, ::-1])) / 2 for view in views]
            outputs = {
                "accuracy": logits_of(images),
                "accuracy_with_flips": flipped[0],
                "accuracy_with_flips_and_shifts": flipped[0] / 2 + (flipped[1] + flipped[2]) / 4,
            }
            return {name: (each.argmax(-1) == labels).mean() for name, each in outputs.items()}

        found: dict[str, Any] = {}
        for name, (images, labels) in splits.items():
            count = min(len(images), 10_000)
            size = min(2_000, count)
            shape = (count // size, size)
            batches = (images[:count].reshape(*shape, 32, 32, 3), labels[:count].reshape(shape))
            accuracies = jax.lax.map(measure, batches)
            found |= {f"{name}_{kind}": each.mean() for kind, each in accuracies.items()}
        return found


def _scalars(configuration: Configuration, steps: int) -> dict[str, Any]:
    """Return the hyperparameters that the computation takes as arguments."""
    # With constant gradients, Nesterov momentum makes steps this many times as large.
    scale = 1 + 1 / (1 - configuration.momentum)
    values = {
        "rate": configuration.learning_rate / 1024 / scale,
        "decay": configuration.weight_decay * configuration.batch_size / 1024 / scale,
        "steps": configuration.epochs * steps,
        "whitening_steps": 3 * steps,
    }
    names = (
        "final_rate", "warm_up", "bias_factor", "momentum", "label_smoothing", "shift", "cutout",
        "alternating_flip", "averaging", "whitening",
    )  # fmt: skip
    values |= {name: getattr(configuration, name) for name in names}
    integers = {"shift", "cutout", "steps", "whitening_steps"}
    booleans = {"alternating_flip", "averaging", "whitening"}
    types = dict.fromkeys(integers, "int32") | dict.fromkeys(booleans, "bool")
    return {name: np.array(each, types.get(name, "float32")) for name, each in values.items()}


def _normalized(images: Any) -> Any:
    """Return images with mean 0 and variance 1 per channel."""
    return (images.astype("float32") / 255 - jnp.array(MEAN)) / jnp.array(STD)


def _augment(images: Any, flips: Any, key: Any, scalars: Any) -> Any:
    """Return shifted, flipped, and normalized images with a square cut out."""
    count = len(images)
    shift, cutout = scalars["shift"], scalars["cutout"]
    row_key, corner_key = jax.random.split(key)
    corners = MAX_SHIFT + jax.random.randint(row_key, (count, 2), -shift, shift + 1)
    images = jax.vmap(
        lambda image, corner: jax.lax.dynamic_slice(image, (*corner, 0), (32, 32, 3))
    )(images, corners)
    images = jnp.where(flips[:, None, None, None], images[:, :, ::-1], images)
    images = _normalized(images)
    corners = jax.random.randint(corner_key, (count, 2, 1), 0, 33 - cutout)
    inside = (jnp.arange(32) >= corners) & (jnp.arange(32) < corners + cutout)
    mask = inside[:, 0, :, None] & inside[:, 1, None, :]
    return jnp.where(mask[..., None], 0, images)


def _average(state: Any, number: Any, scalars: Any) -> Any:
    """Every five steps, move the averages towards the weights, and set the weights to them.

    The later the step, the less the averages move. After the last step, the averages are final.
    """
    trainable, others, velocities, averages = state
    current = [*trainable, *others]
    decay = 0.95**5 * (number / scalars["steps"]) ** 3
    decay = jnp.where(number == scalars["steps"], 1.0, decay)
    is_due = scalars["averaging"] & ((number % 5 == 0) | (number == scalars["steps"]))
    moved = [
        (decay * average + (1 - decay) * value).astype(value.dtype)
        for average, value in zip(averages, current, strict=True)
    ]
    averages = [jnp.where(is_due, new, old) for new, old in zip(moved, averages, strict=True)]
    current = [jnp.where(is_due, new, old) for new, old in zip(moved, current, strict=True)]
    count = len(trainable)
    return [current[:count], current[count:], velocities, averages]
