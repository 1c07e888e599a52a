"""Checks of submitted metrics and weights."""

import itertools
import json
import math
import operator
import re
from typing import Any

import numpy as np

from course.errors import CourseError
from course.evidence.format import BACKENDS, CURVES, FIELDS, MAX_FLOAT32, printable_text, record_key
from course.experiments.store import fingerprint

# The largest difference between two measured accuracies of one network. For small networks with and
# without batch normalization, trained for three epochs on 8,000 images of CIFAR-10, rounding the
# weights to float16 changes the predicted class of 2 to 17 of 10,000 images, and the accuracy by
# 0.0003 at most. Computing in TF32 adds similar errors. So the tolerance is three times 17 images.
TOLERANCE = 0.005


def find_metric_problems(record, specification, parameters, image_counts=None):
    """List an experiment's metrics that are missing or impossible, or belong to another experiment.

    Metrics are expected to be classification accuracies and cross-entropies. The list includes
    values that no real training run produces and that invented metrics often have; an empty
    list proves nothing.

    Parameters
    ----------
    record : object
        The experiment's entry in the result of `read`; untrusted.
    specification : dict
        The specification that was to be trained.
    parameters : int
        The parameter count of the specified network.
    image_counts : dict, optional
        The number of validation images in each profile, such as {"cpu": 1_000, "gpu": 10_000}.

    Returns
    -------
    list of str
        One sentence per problem.
    """
    if record is None:
        return [f"{specification['name']}: no metrics were submitted."]
    record, requested = _to_json_dict(record), _to_json_dict(specification)
    sentences = (
        _find_missing(record)
        or _find_wrong(record, requested, parameters)
        or _find_implausible(record, image_counts)
    )
    return [f"{specification['name']}: {sentence}." for sentence in sentences]


def _to_json_dict(value: Any) -> dict:
    """Return a dict as JSON decodes it; empty if the value is not a dict."""
    try:
        value = json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return {}
    return value if type(value) is dict else {}


def _find_missing(record: dict) -> list[str]:
    """Return a sentence about fields that are missing or have the wrong type."""
    curves = record.get("history")
    curves = curves if type(curves) is dict else {}
    missing = [name for name, kind in FIELDS.items() if type(record.get(name)) is not kind]
    missing += [f"history of {name}" for name in CURVES if type(curves.get(name)) is not list]
    if not missing:
        return []
    return [f"{', '.join(missing)} cannot be read; submit the file that evidence.save writes"]


def _find_wrong(record: dict, requested: dict, parameters: int) -> list[str]:
    """Return sentences about fields that are impossible or differ from the specification."""
    epochs, seconds = record["epochs"], record["seconds"]
    names = ("name", "profile", "backend", "device", "parameters", "epochs")
    shown = {name: printable_text(record[name]) for name in names}
    expectations = {
        f"the record is that of {shown['name']}": record["name"] == requested["name"],
        "its specification is not the one to be trained": record["specification"] == requested,
        f"it was trained in the profile {shown['profile']}, not cpu or gpu": (
            record["profile"] in ("cpu", "gpu")
        ),
        f"no backend is called {shown['backend']}": record["backend"] in BACKENDS,
        f"no device is called {shown['device']}": record["device"] in ("CPU", "GPU"),
        "its seed is not one that setup accepts": 0 <= record["seed"] < 2**32,
        f"it has {shown['parameters']} parameters, but the network has {parameters:,}": (
            record["parameters"] == parameters
        ),
        f"it was trained for {shown['epochs']} epochs, not the specified number": (
            0 < epochs == requested.get("epochs", epochs)
        ),
        "its seconds are not a positive number": _within(seconds) and seconds > 0,
        "its key is not one that evidence.save writes": re.fullmatch("[0-9a-f]{16}", record["key"]),
    }
    for key in ("training_accuracy", "validation_accuracy"):
        expectations[f"its {key} is not from 0 to 1"] = _within(record[key], 1.0)
    for curve in CURVES:
        values, maximum, kind = record["history"][curve], 1.0, "from 0 to 1"
        if "accuracy" not in curve:
            maximum, kind = MAX_FLOAT32, "a finite number of at least 0 (did the training diverge?)"
        expectations[f"its {curve} has {len(values)} values, not one per epoch"] = (
            len(values) == epochs
        )
        bad = next((n for n, value in enumerate(values, 1) if not _within(value, maximum)), None)
        expectations[f"its {curve} of epoch {bad} is not {kind}"] = bad is None
    return [sentence for sentence, is_met in expectations.items() if not is_met]


def _find_implausible(record: dict, image_counts: dict[str, int] | None) -> list[str]:
    """Return sentences about metrics that are possible but that no training run produces."""
    history, sentences = record["history"], []
    last, final = history["val_accuracy"][-1], record["validation_accuracy"]
    if abs(last - final) > TOLERANCE:
        sentences.append(
            f"its validation accuracy was {last:.4f} in the last epoch, but {final:.4f} afterwards"
        )
    measured = [*itertools.chain(*map(history.get, CURVES)), record["training_accuracy"], final]
    not_float32 = [value for value in measured if float(np.float32(value)) != value]
    if not_float32:
        sentences.append(
            f"{not_float32[0]!r} is not a float32 value, but all metrics of Keras are float32"
        )
    count = (image_counts or {}).get(record["profile"])
    # A float32 has a relative error of 6e-8.
    impossible = [
        value
        for value in (*history["val_accuracy"], final)
        if count and abs(value * count - round(value * count)) > 1e-6 * count
    ]
    if impossible:
        sentences.append(f"the accuracy {impossible[0]!r} is impossible for {count:,} images")
    for prefix in ("", "val_"):
        losses, accuracies = (history[f"{prefix}{name}"] for name in ("loss", "accuracy"))
        # A wrong prediction gives the true class a probability of at most a half.
        minima = [(1 - accuracy) * math.log(2) - 1e-4 for accuracy in accuracies]
        if any(map(operator.lt, losses, minima)):
            sentences.append(f"its {prefix}loss is too small for so many wrong predictions")
        # A network that learns nothing also has a constant accuracy, but a low one.
        if len(losses) > 1 and len({*losses}) == 1:
            sentences.append(f"its {prefix}loss never changes")
        elif len(losses) > 3 and np.ptp(np.diff(losses)) < 1e-9:
            sentences.append(f"its {prefix}loss changes by the same amount in every epoch")
        if len(accuracies) > 3 and len({*accuracies}) == 1 and accuracies[0] > 0.5:
            sentences.append(f"its {prefix}accuracy never changes")
    return sentences


def _within(value: Any, maximum: float = MAX_FLOAT32) -> bool:
    """Return True if a value is a float from 0 to a maximum."""
    return type(value) is float and 0 <= value <= maximum


def find_weight_problems(network, arrays, record=None):
    """List the problems found in submitted weights.

    Parameters
    ----------
    network : keras.Model
        Built from the experiment's specification.
    arrays : object
        The experiment's entry in the result of `read`; untrusted.
    record : dict, optional
        The submitted metrics; their key shows whether the metrics or weights were changed.

    Returns
    -------
    list of str
        At most one sentence, about the first problem.
    """
    if type(arrays) is not list or any(type(array) is not np.ndarray for array in arrays):
        return ["The weights are not a list of arrays: submit the file that evidence.save writes."]
    for number, (weight, array) in enumerate(zip(network.weights, arrays, strict=False)):
        title, shape = f"Weight {number}, {weight.path},", tuple(weight.shape)
        if array.shape != shape:
            return [f"{title} has the shape {array.shape}, not {shape}."]
        if array.dtype != np.float16:
            return [f"{title} has the type {array.dtype}, not float16."]
        if not np.isfinite(array).all():
            return [f"{title} has values that are not finite."]
    if len(arrays) != len(network.weights):
        return [f"There are {len(arrays)} weights, but the network has {len(network.weights)}."]
    return [] if record is None else find_changes(record, arrays)


def find_changes(record, arrays):
    """Return one sentence if the metrics or weights were changed after `save` had written them.

    The key of a record is a fingerprint of its other fields and of the weights. If someone changed
    the values and computed the key again, only measuring the accuracy reveals the change.

    Parameters
    ----------
    record, arrays : object
        The experiment's entries in the result of `read`; untrusted.

    Returns
    -------
    list of str
        One sentence, or an empty list.
    """
    metrics = _to_json_dict(record)
    are_arrays = type(arrays) is list and all(type(array) is np.ndarray for array in arrays)
    if are_arrays and metrics.get("key") == record_key(metrics, arrays):
        return []
    return [
        "The weights and the metrics are not from one training run, or were changed afterwards."
    ]


def find_entry(submitted, name, check_configuration, image_counts, budget):
    """Return the record and weights of an experiment that a student specified, and its problems.

    Parameters
    ----------
    submitted : dict
        The result of `read`.
    name : str
        The name of the experiment.
    check_configuration : callable
        Takes a specification, and raises CourseError if it is not allowed.
    image_counts : dict
        As in `find_metric_problems`.
    budget : dict
        Maps "CPU" and "GPU" to the maximum training time on that device, in seconds.

    Returns
    -------
    record : dict or None
        The metrics.
    weights : list of ndarray or None
    problems : list of str
        One sentence per problem. If it is empty, the metrics are complete and plausible, the
        weights belong to them, the configuration is allowed, and the seconds are in the budget.
    """
    record, weights = submitted["metrics"].get(name), submitted["weights"].get(name)
    problems = [*submitted["problems"]]
    if record is None or weights is None:
        return record, weights, [*problems, f"There are no metrics and weights of {name}."]
    specification = _to_json_dict(record.get("specification"))
    parameters = sum(array.size for array in weights)
    problems += find_metric_problems(
        record, specification | {"name": name}, parameters, image_counts
    )
    problems += find_changes(record, weights)
    try:
        check_configuration(specification)
    except CourseError as error:
        problems.append(f"{name}: its configuration cannot be used: {error}")
    except Exception as error:  # a specification can be any data
        reason = printable_text(f"{type(error).__name__}: {error}")
        problems.append(f"{name}: its configuration cannot be used ({reason}).")
    if not problems and record["seconds"] > budget[record["device"]]:
        problems.append(
            f"{name}: its training took {record['seconds']:.0f} s, more than the budget of"
            f" {budget[record['device']]} s."
        )
    return record, weights, problems


def compare_accuracy(network, arrays, images, labels, stated, tolerance=TOLERANCE):
    """Measure the accuracy of submitted weights and compare it with the stated one.

    Parameters
    ----------
    network : keras.Model
        A classifier; its weights are replaced.
    arrays : list of ndarray
        The weights as float16.
    images, labels : ndarray
        The data that the stated accuracy was measured on, as for `measure_accuracy`.
    stated : float
        A fraction from 0 to 1.
    tolerance : float
        The largest accepted difference, because rounding the weights to float16 changes the
        predicted classes of a few images.

    Returns
    -------
    measured : float or None
        None if the weights do not fit the network.
    problem : str or None
        A sentence if the accuracies differ or the weights do not fit the network.
    """
    problems = find_weight_problems(network, arrays)
    if problems:
        return None, problems[0]
    network.set_weights(arrays)
    measured = measure_accuracy(network, images, labels)
    if type(stated) is float and abs(stated - measured) <= tolerance:
        return measured, None
    text = f"{stated:.4f}" if type(stated) is float else "not a number"
    problem = f"The weights have an accuracy of {measured:.4f}; the stated accuracy is {text}."
    return measured, problem


def measure_accuracy(network, images, labels, flips=False):
    """Return the accuracy of a classifier on labeled images.

    Parameters
    ----------
    network : keras.Model
        Its last layer has one output per class: probabilities, or scores without a softmax. It need
        not be compiled.
    images : ndarray, shape (n, height, width, channels)
        Of the type that the network takes, such as uint8 if it rescales them itself.
    labels : ndarray, shape (n,), (n, 1), or (n, num_classes)
        Class indices, or one-hot vectors.
    flips : bool
        Whether to average the probabilities for each image and for its horizontal mirror image.

    Returns
    -------
    float
        A fraction from 0 to 1.
    """
    probabilities = _predict_probabilities(network, images)
    if flips:
        probabilities = (probabilities + _predict_probabilities(network, images[:, :, ::-1])) / 2
    labels = np.asarray(labels)
    is_one_hot = labels.ndim == 2 and labels.shape[1] > 1
    classes = labels.argmax(axis=1) if is_one_hot else labels.reshape(-1)
    return float(np.mean(probabilities.argmax(axis=1) == classes))


def _predict_probabilities(network: Any, images: np.ndarray) -> np.ndarray:
    """Return a network's class probabilities; scores without a softmax are converted."""
    outputs = np.asarray(network.predict(images, batch_size=500, verbose=0), "float64")
    # In float16, ten rounded probabilities add up to 1 within 0.005.
    is_softmax = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=0.02)
    if is_softmax or not np.isfinite(outputs).all():  # weights can be invented
        return outputs
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def group_by_fingerprint(fingerprints):
    """Return the groups of students who share a fingerprint, for manual review.

    Two honest students can share one: the same seed on the same machine gives the same weights.
    `fingerprints` maps students to fingerprints, such as the `weights_fingerprint` of their
    weights; students with None are left out. Each group is a list of at least two students.
    """
    groups: dict[str, list[str]] = {}
    for student, shared in fingerprints.items():
        if shared is not None:
            groups.setdefault(shared, []).append(student)
    return [group for group in groups.values() if len(group) > 1]


def weights_fingerprint(arrays):
    """Return a short hash that is equal for lists of arrays that are equal in float16."""
    with np.errstate(over="ignore"):
        # Adding 0 turns -0, which has different bytes, into 0.
        halves = [np.asarray(array).astype(np.float16) + np.float16(0) for array in arrays]
    return fingerprint(*halves)
