"""Trainings of 07-transfer-learning on CIFAR-10, by the code of the notebook's own cells.

Each seed has its own base, which the first training of the seed keeps in a temporary folder.
"""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

import course
from course import checks, datasets, experiments, plotting
from tests.submissions import source_cells

DEFINITIONS = ("images", "augmentation", "amounts", "plan", "build_small_cnn", "cifar_base")
DEFINITIONS += (
    "pretrain_base",
    "build_head",
    "fine_tuning_network",
    "tune",
    "careless",
    "more-careless",
)
TRAINING = re.compile(r"\n(trained_head|results|train_them) = ")
KEPT = Path(tempfile.gettempdir()) / "course-07-measurements"


def notebook(seed: int, per_class: int | None = None) -> dict[str, Any]:
    """Return the notebook's names, with a trained base and head, and images as they expect them.

    `per_class` is the number of training images per class, if it differs from the notebook's.
    """
    KEPT.mkdir(exist_ok=True)
    os.chdir(KEPT)  # results are kept in the working directory
    names: dict[str, Any] = {"keras": keras, "layers": layers, "np": np, "course": course}
    names |= {"checks": checks, "datasets": datasets, "experiments": experiments}
    names |= {"plotting": plotting, "display": id, "run": course.setup(profile="cpu", seed=seed)}
    names |= {"data": "cifar10", "backbone": "", "last_block": "block3_conv1"}
    cells = source_cells("07-transfer-learning")
    for cell in DEFINITIONS:
        if cell == "careless":  # the first cell that needs the base
            names["base"], names["base_accuracy"] = names["pretrain_base"](names["run"])
        # The definitions, without the training at the end of the cell.
        exec(TRAINING.split(cells[cell])[0], names)
    if per_class is not None:
        chosen = names["select"](names["known_images"], 0, per_class)
        names["x_train"], names["y_train"] = chosen
    names["train"] = names["preprocess"](names["x_train"])
    names["val"] = names["preprocess"](names["x_val"])
    keras.utils.set_random_seed(seed)
    features = names["base"].predict(names["train"], verbose=0)
    names["features_train"] = features
    names["trained_head"] = names["build_head"](features.shape[1:])
    names["heads"] = {"bottleneck": names["trained_head"]}
    fit(names, names["trained_head"], features, "head")
    return names


def fit(names: dict[str, Any], network: Any, images: np.ndarray, what: str) -> None:
    """Train a network on the training images for the number of epochs in the notebook's plan."""
    settings = {"epochs": names["plan"][what], "batch_size": 32, "verbose": 0}
    network.fit(images, names["y_train"], **settings)


def accuracy(names: dict[str, Any], network: Any, images: np.ndarray) -> float:
    """Return the fraction of correctly classified validation images."""
    predictions = network.predict(images, batch_size=500, verbose=0)[:, 0] > 0.5
    return float(np.mean(predictions == names["y_val"]))


def base(seed: int) -> dict[str, float]:
    """Return the accuracy of the base on the eight classes that it was trained on."""
    return {"accuracy": notebook(seed)["base_accuracy"]}


def scratch(seed: int) -> dict[str, float]:
    """Return the accuracies of networks that are trained on the cats and dogs only."""
    names = notebook(seed)
    found = {}
    keras.utils.set_random_seed(seed)
    for key, is_augmented in {"plain": False, "augmented": True}.items():
        build = names["augmented" if is_augmented else "compiled"]
        network = build(names["build_small_cnn"](32), keras.optimizers.RMSprop(1e-3))
        fit(names, network, names["x_train"], "scratch")
        found[key] = accuracy(names, network, names["x_val"])
    # The control of fine-tuning: the same layers and epochs, without the weights of the base.
    new = [*names["cifar_base"](32).layers, *names["build_head"]((4, 4, 128)).layers]
    network = keras.Sequential([keras.Input((32, 32, 3)), *new])
    network = names["augmented"](network, keras.optimizers.SGD(1e-2, momentum=0.9))
    fit(names, network, names["train"], "tune")
    found["layers of the base"] = accuracy(names, network, names["val"])
    return found


def features(seed: int) -> dict[str, float]:
    """Return the accuracies of heads on features of several bases."""
    names = notebook(seed)
    trained, new = names["base"], names["cifar_base"](32)
    found = {}
    for key, extractor, scale in [
        ("bottleneck", trained, lambda images: images),
        ("pixels / 255", trained, lambda images: (images + 1) / 2),
        ("base with random weights", new, lambda images: images),
    ]:
        train, val = (
            extractor.predict(scale(names[split]), verbose=0) for split in ("train", "val")
        )
        head = names["build_head"](train.shape[1:])
        fit(names, head, train, "head")
        found[key] = accuracy(names, head, val)
    return found


def fine_tuning(seed: int) -> dict[str, float]:
    """Return the accuracies of careful and careless fine-tuning."""
    names = notebook(seed)
    found = {}
    for specification in [{"name": "fine-tuned"}, *names["careless"], *names["more_careless"]]:
        network = names["build_tuned"](specification)
        fit(names, network, names["train"], "tune")
        found[specification["name"]] = accuracy(names, network, names["val"])
    return found


def frozen_base(seed: int) -> dict[str, float]:
    """Return accuracies before and after as much training as fine-tuning, with the base frozen."""
    names = notebook(seed)
    before = accuracy(names, names["trained_head"], names["base"].predict(names["val"], verbose=0))
    network = names["build_tuned"]({"name": "frozen base"})
    for layer in network.layers:
        if isinstance(layer, keras.Sequential) and len(layer.layers) > 5:  # the base, not the head
            layer.trainable = False
    optimizer = keras.optimizers.SGD(names["plan"]["rate"], momentum=0.9)
    names["compiled"](network, optimizer)
    fit(names, network, names["train"], "tune")
    return {"head": before, "20 more epochs": accuracy(names, network, names["val"])}


def all_epochs(seed: int) -> dict[str, float]:
    """Return the accuracy of the base's layers from scratch, with the epochs of head and tuning."""
    names = notebook(seed)
    names["plan"]["both"] = names["plan"]["head"] + names["plan"]["tune"]
    keras.utils.set_random_seed(seed)
    new = [*names["cifar_base"](32).layers, *names["build_head"]((4, 4, 128)).layers]
    network = keras.Sequential([keras.Input((32, 32, 3)), *new])
    network = names["augmented"](network, keras.optimizers.SGD(1e-2, momentum=0.9))
    fit(names, network, names["train"], "both")
    return {"35 epochs": accuracy(names, network, names["val"])}


def divergence(seed: int) -> dict[str, float]:
    """Return what large steps do to the network, and to a head without its base.

    After one epoch of fine-tuning: the training loss, the mean absolute change of a weight of the
    last convolution, and the fraction of the head's hidden units that are active for at least one
    validation image. Then the same for the head alone, which trains on stored features for as many
    epochs as fine-tuning takes, so that nothing that the base has learned can be lost.
    """
    names, found = notebook(seed), {}
    kernel = np.asarray(names["base"].get_layer("block3_conv2").kernel)
    stored = names["base"].predict(names["val"], verbose=0)

    def active(head: Any, features: np.ndarray) -> float:
        dense, flat = head.layers[1], features.reshape(len(features), -1)
        values = flat @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        return float(np.mean((values > 0).any(axis=0)))

    settings = {"batch_size": 32, "verbose": 0}
    for specification in [{"name": "fine-tuned"}, *names["careless"][:2]]:
        key = specification["name"]
        keras.utils.set_random_seed(seed)
        network = names["build_tuned"](specification)
        base, head = network.layers[-2:]
        history = network.fit(names["train"], names["y_train"], epochs=1, **settings).history
        found[f"{key}: loss"] = history["loss"][0]
        change = np.asarray(base.get_layer("block3_conv2").kernel) - kernel
        found[f"{key}: change of a weight"] = float(np.mean(np.abs(change)))
        found[f"{key}: active units"] = active(head, base.predict(names["val"], verbose=0))
        head, optimizer = names["copied"](names["trained_head"]), network.optimizer
        optimizer = type(optimizer).from_config(optimizer.get_config())
        names["compiled"](head, optimizer)
        fit(names, head, names["features_train"], "tune")
        found[f"{key}, head alone: accuracy"] = accuracy(names, head, stored)
        found[f"{key}, head alone: active units"] = active(head, stored)
    return found


def weights(seed: int) -> dict[str, float]:
    """Return the mean absolute value of the weights of the base's last convolution."""
    kernel = notebook(seed)["base"].get_layer("block3_conv2").kernel
    return {"last convolution": float(np.mean(np.abs(np.asarray(kernel))))}


def few_images(seed: int) -> dict[str, float]:
    """Return the accuracies of the three ways with a quarter of the training images."""
    names = notebook(seed, per_class=250)
    small = names["augmented"](names["build_small_cnn"](32), keras.optimizers.RMSprop(1e-3))
    fit(names, small, names["x_train"], "scratch")
    tuned = names["build_tuned"]({"name": "fine-tuned"})
    fit(names, tuned, names["train"], "tune")
    head_only = keras.Sequential([names["base"], names["trained_head"]])
    return {
        "augmented": accuracy(names, small, names["x_val"]),
        "bottleneck": accuracy(names, head_only, names["val"]),
        "fine-tuned": accuracy(names, tuned, names["val"]),
    }


def statistics(seed: int) -> dict[str, float]:
    """Return accuracies with the statistics of batches, by their size, and with stored ones."""
    names = notebook(seed)
    source = source_cells("07-transfer-learning")["statistics"]
    exec(source.partition("\npanel = ")[0], names)
    found = {"stored": float(np.mean(names["stored"] == names["labels"]))}
    for key in ("during", "afterward"):
        for size, value in zip(names["sizes"], names[key], strict=True):
            found[f"{key}, {size}"] = float(value)
    return found


def imagenet(seed: int) -> dict[str, float]:
    """Return the accuracies of an output layer and of the notebook's head on ImageNet features."""
    names: dict[str, Any] = {"keras": keras, "layers": layers, "np": np, "datasets": datasets}
    names |= {"run": course.setup(profile="cpu", seed=seed), "data": "cifar10"}
    cells = source_cells("07-transfer-learning")
    for cell in ("plan", "build_head"):
        exec(cells[cell], names)
    keras.utils.set_random_seed(seed)
    exec(cells["first-head"].partition("\nmeasured = ")[0], names)
    found = {"output layer": float(names["first_accuracy"])}
    (names["x"], names["y_train"]), (features, names["y_val"]) = datasets.load_imagenet_features()
    keras.utils.set_random_seed(seed)
    head = names["build_head"](features.shape[1:])
    fit(names, head, names["x"], "head")
    return found | {"head": accuracy(names, head, features)}


JOBS = {"base": base, "scratch": scratch, "features": features, "statistics": statistics}
JOBS |= {"frozen base": frozen_base, "all epochs": all_epochs, "weights": weights}
JOBS |= {"divergence": divergence}
JOBS |= {"ImageNet": imagenet, "fine-tuning": fine_tuning, "250 images": few_images}
