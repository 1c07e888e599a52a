"""Networks whose configuration does not say what they were built as."""

import keras
import numpy as np
from keras import layers

from tests.gradable.spellings import functional, network


def changed(change, **settings):
    """Return a network after a change of its first layer."""
    model = network(layers.Dense(3, **settings), layers.Dense(1))
    change(model.layers[0])
    return model


def set_in(name, value):
    return lambda layer: setattr(layer, name, value)


def with_strides():
    images = [keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()]
    model = keras.Sequential(images)
    model.layers[0].strides = (2, 2)
    return model


L2 = keras.regularizers.L2(0.05)
POSITIVE = keras.constraints.NonNeg()
# Name -> a function that makes the network, and the key of the reason.
CHANGED = {
    "regularizer": (lambda: changed(set_in("kernel_regularizer", L2)), "late-setting"),
    "no regularizer": (
        lambda: changed(set_in("kernel_regularizer", None), kernel_regularizer="l2"),
        "late-setting",
    ),
    "weights": (
        lambda: changed(lambda layer: set_in("regularizer", L2)(layer.kernel)),
        "late-setting",
    ),
    "constraint": (lambda: changed(set_in("kernel_constraint", POSITIVE)), "late-setting"),
    "units": (lambda: changed(set_in("units", 7)), "cannot-build"),
    "use_bias": (lambda: changed(set_in("use_bias", False)), "changed-network"),
    "strides": (with_strides, "changed-layer"),
}


def frozen(change):
    model = network(layers.Dense(3), layers.BatchNormalization(), layers.Dense(1))
    change(model)
    return model


def freeze_all_but_last(model):
    model.trainable = False
    model.layers[-1].trainable = True


def with_frozen_base():
    base = network(layers.Dense(3), layers.Dense(3))
    freeze_all_but_last(base)
    return functional(lambda inputs: layers.Dense(1)(base(inputs)))


# Name -> a function that makes a network of which a part does not learn.
FROZEN = {
    "first": lambda: frozen(lambda model: set_in("trainable", False)(model.layers[0])),
    "all": lambda: frozen(set_in("trainable", False)),
    "all, then last": lambda: frozen(freeze_all_but_last),
    "weight": lambda: frozen(lambda model: set_in("trainable", False)(model.layers[0].kernel)),
    "base": with_frozen_base,
    "dropout": lambda: network(layers.Dropout(0.5), layers.Dense(1)),
}


def adapted(layer):
    layer.adapt(np.random.default_rng(1).normal(3, 5, (100, 4)).astype("float32"))
    return layer


# Name -> a function that makes a network with a layer that was adapted to data.
ADAPTED = {
    "Normalization": lambda: network(adapted(layers.Normalization()), layers.Dense(2)),
    "Normalization, one axis": lambda: functional(adapted(layers.Normalization(axis=None))),
    "Normalization, inverse": lambda: network(adapted(layers.Normalization(invert=True))),
    "Normalization, nested": lambda: network(network(adapted(layers.Normalization()))),
    "Discretization": lambda: network(adapted(layers.Discretization(num_bins=4))),
}
