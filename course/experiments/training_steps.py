"""Training and validation steps of a compiled network, many per call, on each backend."""

from collections.abc import Callable
from typing import Any

import numpy as np

from course.experiments.device_data import DeviceSplit, EpochPlan
from course.session import Run

# The number of images per validation step, which needs less memory than a training step.
VALIDATION_BATCH = 500


def create_steps(
    run: Run, network: Any, training: DeviceSplit, validation: DeviceSplit | None
) -> "Steps":
    """Return the steps for the run's backend."""
    classes = {"tensorflow": TensorFlowSteps, "jax": JaxSteps, "torch": TorchSteps}
    return classes[run.backend](run, network, training, validation)


class Steps:
    """The steps of one training run; each backend has a subclass."""

    def __init__(
        self, run: Run, network: Any, training: DeviceSplit, validation: DeviceSplit | None
    ) -> None:
        import keras

        self.run, self.network, self.training = run, network, training
        self.validation: Any = validation  # `validate` needs it; the other methods do not
        loss = keras.losses.get(network.loss)
        # Either of them returns one loss per image.
        self._losses = loss.call if isinstance(loss, keras.losses.Loss) else loss
        network.optimizer.build(network.trainable_variables)

    def train(self, plan: EpochPlan, start: int, stop: int, sums: np.ndarray) -> np.ndarray:
        """Run the steps from `start` to `stop` - 1, and add their loss and accuracy to `sums`.

        The device adds them one by one to the sums of the earlier calls, in float32, so that the
        result does not depend on how an epoch is divided into calls.
        """
        raise NotImplementedError

    def validate(self) -> np.ndarray:
        """Return the sums over the validation images of loss and accuracy."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write the final weights to the network."""
        # The optimizer can replace the weights by their averages.
        self.network.optimizer.finalize_variable_values(self.network.trainable_variables)

    def _measure(self, labels: Any, outputs: Any) -> tuple[Any, Any]:
        """Return the loss of each image, and whether its most probable class is the true one."""
        from keras import ops

        true = labels if len(labels.shape) == 1 else ops.argmax(labels, -1)
        is_right = ops.equal(ops.cast(ops.argmax(outputs, -1), true.dtype), true)
        return self._losses(labels, outputs), ops.cast(is_right, "float32")

    def _training_loss(self, labels: Any, outputs: Any, penalties: list) -> tuple[Any, Any]:
        """Return a batch's mean loss with penalties, and a vector of this loss and the accuracy."""
        from keras import ops

        losses, is_right = self._measure(labels, outputs)
        loss = sum(penalties, ops.mean(losses))
        return loss, ops.stack([loss, ops.mean(is_right)])

    def _validation_batch(self, tensors: Any, number: Any) -> tuple[Any, Any, Any]:
        """Return the images, labels, and weights of a validation step."""
        from keras import ops

        images, labels = tensors

        positions = number * VALIDATION_BATCH + np.arange(VALIDATION_BATCH, dtype="int32")
        # The last batch is filled with copies of the last image, which have the weight 0.
        weights = ops.cast(positions < self.validation.count, "float32")
        positions = ops.minimum(positions, self.validation.count - 1)
        return ops.take(images, positions, axis=0), ops.take(labels, positions, axis=0), weights

    def _validation_sums(self, labels: Any, outputs: Any, weights: Any, penalties: list) -> Any:
        """Return the weighted sums of loss and accuracy."""
        from keras import ops

        losses, is_right = self._measure(labels, outputs)
        return ops.stack([ops.sum(weights * sum(penalties, losses)), ops.sum(weights * is_right)])

    @property
    def _validation_steps(self) -> int:
        """The number of validation steps."""
        return -(-self.validation.count // VALIDATION_BATCH)


class JaxSteps(Steps):
    """Steps that take the state, the values of all variables, as an argument and return it."""

    def __init__(self, *arguments: Any) -> None:

        super().__init__(*arguments)
        network = self.network
        self._variables = (
            network.trainable_variables,
            network.non_trainable_variables,
            network.optimizer.variables,
        )
        self._state = self._read_state()
        self._train = _repeat_on_jax(self._train_step)
        self._validate = _repeat_on_jax(self._validation_step)

    def _read_state(self) -> Any:
        """Return the values of all variables."""
        return [[variable.value for variable in part] for part in self._variables]

    def train(self, plan: EpochPlan, start: int, stop: int, sums: np.ndarray) -> np.ndarray:
        """Run some steps of a plan; return the new sums of loss and accuracy."""
        arguments = self.training.tensors, plan.arrays
        self._state, new_sums = self._train(start, stop, (self._state, sums), *arguments)
        return np.asarray(new_sums)

    def validate(self) -> np.ndarray:
        """Return the sums of loss and accuracy over the validation images."""
        sums = np.zeros(2, "float32")
        arguments = self._state, self.validation.tensors
        return np.asarray(self._validate(0, self._validation_steps, sums, *arguments), "float64")

    def finish(self) -> None:
        """Write the state to the network's variables."""
        for variables, values in zip(self._variables, self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        super().finish()
        self._state = self._read_state()

    def _train_step(self, number: Any, carry: Any, tensors: Any, plan: Any) -> Any:
        """Run a step; return the new state, and the sums of loss and accuracy up to this step."""
        state, sums = carry
        images, labels = self.training.select(*tensors, *(part[number] for part in plan))
        state, measured = self._train_once(state, images, labels)
        return state, sums + measured

    def _train_once(self, state: Any, images: Any, labels: Any) -> Any:
        """Run one step; return the new state, and the loss and accuracy."""
        import jax
        import keras

        trainable, others, optimizer_values = state
        optimizer = self.network.optimizer

        def scaled_loss(trainable: Any) -> Any:
            outputs, new_others, penalties = self.network.stateless_call(
                trainable, others, images, training=True, return_losses=True
            )
            loss, measured = self._training_loss(labels, outputs, penalties)
            # With 16-bit numbers, the optimizer scales the loss by one of its variables.
            values = list(zip(optimizer.variables, optimizer_values, strict=True))
            with keras.StatelessScope(state_mapping=values):
                return optimizer.scale_loss(loss), (new_others, measured)

        gradients, (others, measured) = jax.grad(scaled_loss, has_aux=True)(trainable)
        trainable, optimizer_values = optimizer.stateless_apply(
            optimizer_values, gradients, trainable
        )
        return [trainable, others, optimizer_values], measured

    def _validation_step(self, number: Any, sums: Any, state: Any, tensors: Any) -> Any:
        """Return the sums of loss and accuracy up to this validation step."""
        images, labels, weights = self._validation_batch(tensors, number)
        outputs, _, penalties = self.network.stateless_call(
            *state[:2], images, training=False, return_losses=True
        )
        return sums + self._validation_sums(labels, outputs, weights, penalties)


def _repeat_on_jax(step: Callable) -> Callable:
    """Return a function that repeats a step, as one computation if the device is not a CPU.

    The function takes the first number, the last one plus 1, the carried value, and the other
    arguments of `step`; it returns the carried value.
    """
    import jax

    compiled = jax.jit(step)

    def repeat_on_cpu(start: int, stop: int, carry: Any, *arguments: Any) -> Any:
        for number in range(start, stop):
            carry = compiled(number, carry, *arguments)
        return carry

    def repeat(start: Any, stop: Any, carry: Any, *arguments: Any) -> Any:
        return jax.lax.fori_loop(
            start, stop, lambda number, carry: step(number, carry, *arguments), carry
        )

    # In a loop that is compiled for a CPU, each convolution uses only one core.
    return repeat_on_cpu if jax.default_backend() == "cpu" else jax.jit(repeat)


class TensorFlowSteps(Steps):
    """Steps that update the network's variables in a TensorFlow graph."""

    def __init__(self, *arguments: Any) -> None:
        import tensorflow as tf

        super().__init__(*arguments)
        self._train: Any = self._train_many
        self._validate: Any = self._validate_all
        # Tracing takes longer than the few steps of a smoke run.
        if self.run.profile != "smoke":
            # Keras chooses XLA for a GPU, but not for a CPU, where it is slower.
            use_xla = bool(self.network.jit_compile)
            self._train = tf.function(self._train, jit_compile=use_xla)
            self._validate = tf.function(self._validate, jit_compile=use_xla)

    def train(self, plan: EpochPlan, start: int, stop: int, sums: np.ndarray) -> np.ndarray:
        """Run some steps of a plan; return the new sums of loss and accuracy."""
        import tensorflow as tf

        return self._train(*map(tf.constant, (*plan.arrays, start, stop, sums))).numpy()

    def validate(self) -> np.ndarray:
        """Return the sums of loss and accuracy over the validation images."""
        return self._validate().numpy().astype("float64")

    def _train_many(
        self, indices: Any, corners: Any, flips: Any, start: Any, stop: Any, sums: Any
    ) -> Any:
        """Run many steps in one computation; return the new sums of loss and accuracy."""
        import tensorflow as tf

        def step(number: Any, sums: Any) -> Any:
            chosen = (part[number] for part in (indices, corners, flips))
            images, labels = self.training.select(*self.training.tensors, *chosen)
            return number + 1, sums + self._train_once(images, labels)

        return tf.while_loop(lambda number, sums: number < stop, step, (start, sums))[1]

    def _train_once(self, images: Any, labels: Any) -> Any:
        """Run one step; return the loss and accuracy."""
        import tensorflow as tf

        network, variables = self.network, self.network.trainable_variables
        with tf.GradientTape() as tape:
            outputs = network(images, training=True)
            loss, measured = self._training_loss(labels, outputs, network.losses)
            scaled_loss = network.optimizer.scale_loss(loss)
        values = [variable.value for variable in variables]
        network.optimizer.apply(tape.gradient(scaled_loss, values), variables)
        return measured

    def _validate_all(self) -> Any:
        """Return the sums of loss and accuracy over all validation images."""
        import tensorflow as tf

        def step(number: Any, sums: Any) -> Any:
            images, labels, weights = self._validation_batch(self.validation.tensors, number)
            outputs = self.network(images, training=False)
            found = self._validation_sums(labels, outputs, weights, self.network.losses)
            return number + 1, sums + found

        steps = self._validation_steps
        return tf.while_loop(lambda number, sums: number < steps, step, (0, tf.zeros(2)))[1]


class TorchSteps(Steps):
    """Steps that PyTorch runs one by one."""

    def train(self, plan: EpochPlan, start: int, stop: int, sums: np.ndarray) -> np.ndarray:
        """Run some steps of a plan; return the new sums of loss and accuracy."""
        from keras import ops

        arrays = [ops.convert_to_tensor(part[start:stop]) for part in plan.arrays]
        new_sums = ops.convert_to_tensor(sums)
        for number in range(stop - start):
            chosen = (part[number] for part in arrays)
            images, labels = self.training.select(*self.training.tensors, *chosen)
            new_sums = new_sums + self._train_once(images, labels)
        return ops.convert_to_numpy(new_sums)

    def _train_once(self, images: Any, labels: Any) -> Any:
        """Run one step; return the loss and accuracy."""
        import torch

        network = self.network
        network.zero_grad()
        outputs = network(images, training=True)
        loss, measured = self._training_loss(labels, outputs, network.losses)
        network.optimizer.scale_loss(loss).backward()
        variables = network.trainable_variables
        gradients = [variable.value.grad for variable in variables]
        with torch.no_grad():
            network.optimizer.apply(gradients, variables)
        return measured.detach()

    def validate(self) -> np.ndarray:
        """Return the sums of loss and accuracy over the validation images."""
        import torch
        from keras import ops

        sums: Any = 0
        with torch.no_grad():
            for number in range(self._validation_steps):
                images, labels, weights = self._validation_batch(self.validation.tensors, number)
                outputs = self.network(images, training=False)
                penalties = self.network.losses
                sums = sums + self._validation_sums(labels, outputs, weights, penalties)
        return ops.convert_to_numpy(sums).astype("float64")
