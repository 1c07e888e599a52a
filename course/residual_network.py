"""The residual network of notebook 05: three residual blocks, trained in minutes on a laptop."""

from typing import Any


def build(width=32):
    """Return the uncompiled network for color images of 32 × 32 pixels and ten classes.

    It flips and shifts images during training, and has a convolution, three residual blocks with He
    initialization and batch normalization, global average pooling, and a dense layer with softmax.

    Parameters
    ----------
    width : int
        The number of filters in the first convolution and in the first block. The second block has
        twice as many, and the third one four times as many.

    Returns
    -------
    keras.Model
        It takes pixel values from 0 to 255.
    """
    import keras
    from keras import layers

    inputs = keras.Input(shape=(32, 32, 3))
    x = layers.RandomFlip("horizontal")(inputs)
    x = layers.RandomTranslation(0.125, 0.125, fill_mode="reflect", interpolation="nearest")(x)
    x = layers.Rescaling(1 / 64, offset=-2)(x)
    x = layers.ReLU()(_convolve(x, width, kernel_size=5, strides=2))
    for filters, strides in [(width, 1), (2 * width, 2), (4 * width, 2)]:
        x = _residual_block(x, filters, strides)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def _convolve(x: Any, filters: int, kernel_size: int = 3, strides: int = 1) -> Any:
    """Apply a convolution and batch normalization, which makes a bias redundant."""
    from keras import layers

    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    x = layers.Conv2D(filters, kernel_size, strides=strides, **options)(x)
    return layers.BatchNormalization()(x)


def _residual_block(inputs: Any, filters: int, strides: int) -> Any:
    """Add two convolutions of the inputs to the inputs, which a stride above 1 projects."""
    from keras import layers

    path = layers.ReLU()(_convolve(inputs, filters, strides=strides))
    path = _convolve(path, filters)
    other = inputs if strides == 1 else _convolve(inputs, filters, 1, strides)
    return layers.ReLU()(layers.add([path, other]))
