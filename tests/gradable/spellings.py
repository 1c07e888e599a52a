"""Ways in which students write networks, and why tests cannot use some of them."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.initializers import HeNormal

MANY = np.ones((4, 251), "float32")


def network(*parts):
    return keras.Sequential([keras.Input(shape=(4,)), *parts])


def dense(**settings):
    return network(layers.Dense(3, **settings))


def compiled(**settings):
    model = dense(activation="softmax")
    defaults = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**defaults | settings)
    return model


def functional(transform):
    inputs = keras.Input(shape=(4,), name="digits")
    return keras.Model(inputs, transform(inputs), name="functional")


class Net(keras.Sequential):
    """A class that only collects layers."""

    def __init__(self):
        super().__init__([keras.Input(shape=(4,)), layers.Dense(3, activation="relu", name="own")])


class OwnCall(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


class OwnLayer(layers.Layer):
    def call(self, inputs):
        return inputs


class OwnMetric(keras.metrics.Mean):
    pass


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1

    def get_config(self):
        return {}


def relu(inputs):
    """Return the inputs: a function that only has the name of Keras's own."""
    return inputs


def own_initializer(shape, dtype=None):
    return keras.ops.zeros(shape, dtype)


def own_loss(true, predicted):
    return keras.ops.mean(true - predicted)


# Name -> a function that makes the network, and the activation that its first Dense layer has.
ACCEPTED = {
    "text": (lambda: dense(activation="relu"), "relu"),
    "keras function": (lambda: dense(activation=keras.activations.relu), "relu"),
    "keras.ops": (lambda: dense(activation=keras.ops.relu), "relu"),
    "tf.nn": (lambda: dense(activation=tf.nn.relu), "relu"),
    "tf.nn.softmax": (lambda: dense(activation=tf.nn.softmax), "softmax"),
    "tf.keras": (lambda: dense(activation=tf.keras.activations.softmax), "softmax"),
    "layer as activation": (lambda: dense(activation=layers.ReLU()), "relu"),
    "Softmax as activation": (lambda: dense(activation=layers.Softmax()), "softmax"),
    "Activation as activation": (lambda: dense(activation=layers.Activation(tf.nn.relu)), "relu"),
    "LeakyReLU as activation": (lambda: dense(activation=layers.LeakyReLU()), "leakyrelu"),
    "separate layer": (lambda: network(layers.Dense(3), layers.Activation(tf.nn.relu)), "relu"),
    "initializer": (lambda: dense(kernel_initializer=keras.initializers.HeNormal()), "linear"),
    "array as initializer": (
        lambda: dense(kernel_initializer=keras.initializers.Constant(np.eye(4, 3))), "linear",
    ),
    "regularizer and constraint": (
        lambda: dense(kernel_regularizer=keras.regularizers.l2(0.1), bias_constraint="non_neg"),
        "linear",
    ),
    "class": (Net, "relu"),
    "functional": (lambda: functional(layers.Dense(3, name="named")), "linear"),
    "division": (lambda: functional(lambda x: layers.Dense(3)(x / 255 - 0.5)), "linear"),
    "activation as a call": (
        lambda: functional(lambda x: keras.activations.relu(layers.Dense(3)(x))), "relu",
    ),
    "loss function": (lambda: compiled(loss=keras.losses.categorical_crossentropy), "softmax"),
    "loss object": (lambda: compiled(loss=keras.losses.CategoricalCrossentropy()), "softmax"),
    "metric function": (lambda: compiled(metrics=[keras.metrics.categorical_accuracy]), "softmax"),
    "metric object": (
        lambda: compiled(metrics=[keras.metrics.TopKCategoricalAccuracy(2)]), "softmax",
    ),
    "dict of metrics": (lambda: compiled(metrics={"dense": ["accuracy"]}), "softmax"),
    "schedule": (
        lambda: compiled(
            optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9))
        ),
        "softmax",
    ),
    "mixed precision": (lambda: dense(dtype="mixed_float16"), "linear"),
}  # fmt: skip
# Name -> calculations of Keras with the output of a layer, which are accepted.
CALCULATIONS = {
    "mean": lambda x: keras.ops.mean(x, axis=1, keepdims=True),
    "reshape": lambda x: keras.ops.reshape(x, (-1, 3, 1)),
    "power": lambda x: x**2,
    "slice": lambda x: x[:, 1:3],
    "entry": lambda x: x[..., 0],
    "cast": lambda x: keras.ops.cast(x, "float16"),
    "where": lambda x: keras.ops.where(x > 0, x, 0.1 * x),
    "two parts": lambda x: keras.ops.concatenate([x, -x], axis=-1),
    "array": lambda x: x - np.array([1.0, 2.0, 3.0]),
    "tensor": lambda x: x / tf.constant([1.0, 2.0, 3.0]),
}
# Name -> a function that makes a network with masks, which Keras computes with operations.
MASKED = {
    "sequential": lambda: network(layers.Reshape((2, 2)), layers.Masking(), layers.LSTM(3)),
    "functional": lambda: functional(
        lambda x: layers.LSTM(3)(layers.Masking()(layers.Reshape((2, 2))(x)))
    ),
    "embedding": lambda: network(layers.Embedding(9, 2, mask_zero=True), layers.LSTM(3)),
}
# Name -> a function that makes the network, the reason's key, and the last name in the reason.
REJECTED = {
    "own call": (OwnCall, "model-class", "call"),
    "own layer": (lambda: network(OwnLayer(name="mine")), "layer-class", "OwnLayer"),
    "own layer in a layer": (
        lambda: network(layers.Reshape((2, 2)), layers.TimeDistributed(OwnLayer())),
        "layer-class", "OwnLayer",
    ),
    "own layer in a network": (lambda: network(network(OwnLayer())), "layer-class", "OwnLayer"),
    "lambda layer": (
        lambda: network(layers.Lambda(lambda x: x, name="mine")), "lambda-layer", "mine",
    ),
    "own activation": (
        lambda: network(layers.Dense(2, activation=lambda x: x, name="a")), "activation", "a",
    ),
    "own function called relu": (
        lambda: network(layers.Dense(2, activation=relu, name="a")), "activation", "a",
    ),
    "own initializer": (
        lambda: network(layers.Dense(2, name="a", kernel_initializer=own_initializer)),
        "function", "a",
    ),
    "own regularizer": (
        lambda: network(layers.Dense(2, name="a", kernel_regularizer=keras.ops.sum)),
        "function", "a",
    ),
    "another operation": (
        lambda: functional(lambda x: layers.Dense(3)(keras.ops.matmul(x, np.eye(4)))),
        "unsupported", "keras.src.ops.numpy.Matmul",
    ),
    "seed generator": (
        lambda: dense(kernel_initializer=HeNormal(seed=keras.random.SeedGenerator(1))),
        "unsupported", "keras.random.SeedGenerator",
    ),
    "weights as constants": (
        lambda: functional(lambda x: keras.ops.sum(keras.ops.reshape(x, (-1, 4, 1)) * MANY, 1)),
        "unsupported", "an array with more than 1,000 constants",
    ),
}  # fmt: skip
# Name -> a function that makes the network, the reason's key and name, and whether the network
# arrives compiled.
REDUCED = {
    "own metric": (lambda: compiled(metrics=["accuracy", own_loss]), "metric", "own_loss", True),
    "own metric class": (lambda: compiled(metrics=[OwnMetric()]), "metric", "OwnMetric", True),
    "lambda metric": (lambda: compiled(metrics=[lambda a, b: 0.0]), "metric", "<lambda>", True),
    "own loss": (lambda: compiled(loss=own_loss), "loss", "own_loss", False),
    "own schedule": (
        lambda: compiled(optimizer=keras.optimizers.Adam(OwnSchedule())), "optimizer", "Adam",
        False,
    ),
}  # fmt: skip
