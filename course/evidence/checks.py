"""What can be told from numbers and weights that were handed in."""

import itertools
import json
import math
import operator
import re

import numpy as np

from course.evidence.format import BACKENDS, CURVES, KINDS, MAX_FLOAT32, key_of, shown
from course.experiments.store import fingerprint

# How far two measurements of one network may lie apart. Small networks with and without batch
# normalisation, trained for three epochs on 8,000 pictures of CIFAR-10: weights rounded to float16
# put 2 to 17 of 10,000 pictures into another class, which moved the accuracy by 0.0003 at most. A
# GPU that multiplies in TF32 rounds to as few digits again. So this is three times the 17.
TOLERANCE = 0.005


def problems_of_metrics(record, specification, parameters, pictures=None):
    """Tell what of an experiment's numbers is missing, impossible, or of something else.

    They are taken for accuracies of classes and cross-entropies. What no honest training gives, and
    who makes numbers up gets wrong, is told too: that there is nothing to tell proves nothing.

    Parameters
    ----------
    record : object
        What `read` has under the experiment's name, or whatever stands in its place.
    specification : dict
        What was to be trained.
    parameters : int
        Of the network that it describes.
    pictures : dict, optional
        How many were validated on in each profile, such as {"cpu": 1_000, "gpu": 10_000}.

    Returns
    -------
    list of str
        A sentence each.
    """
    if record is None:
        return [f"{specification['name']}: no numbers of it were handed in."]
    record, asked = _plain(record), _plain(specification)
    sentences = _missing(record) or _wrong(record, asked, parameters) or _odd(record, pictures)
    return [f"{specification['name']}: {sentence}." for sentence in sentences]


def _plain(value):
    """Return a dict as JSON gives it back, empty where it is none."""
    try:
        value = json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return {}
    return value if type(value) is dict else {}


def _missing(record):
    """Return a sentence about what a record has not, or has of another type."""
    curves = record.get("history")
    curves = curves if type(curves) is dict else {}
    missing = [name for name, kind in KINDS.items() if type(record.get(name)) is not kind]
    missing += [f"history of {name}" for name in CURVES if type(curves.get(name)) is not list]
    if not missing:
        return []
    return [f"{', '.join(missing)} cannot be read; hand in the file that hand_in writes"]


def _wrong(record, asked, parameters):
    """Return sentences about what is impossible, or not what was to be trained."""
    epochs = record["epochs"]
    claims = [
        (record["name"] == asked["name"], f"the record is of {shown(record['name'])}"),
        (record["specification"] == asked, "its specification is not the one to be trained"),
        (
            record["profile"] in ("cpu", "gpu"),
            f"it was trained in the profile {shown(record['profile'])}, not cpu or gpu",
        ),
        (record["backend"] in BACKENDS, f"no backend is called {shown(record['backend'])}"),
        (record["device"] in ("CPU", "GPU"), f"no device is called {shown(record['device'])}"),
        (0 <= record["seed"] < 2**32, "its seed is none that setup takes"),
        (
            record["parameters"] == parameters,
            f"it has {shown(record['parameters'])} parameters, the network {parameters:,}",
        ),
        (
            0 < epochs == asked.get("epochs", epochs),
            f"it was trained for {shown(epochs)} epochs, not as many as specified",
        ),
        (_within(record["seconds"]) and record["seconds"] > 0, "its seconds are no time"),
        (re.fullmatch("[0-9a-f]{16}", record["key"]), "its key is none of hand_in"),
    ]
    for key in ("training_accuracy", "validation_accuracy"):
        claims.append((_within(record[key], 1.0), f"its {key} is not from 0 to 1"))
    for curve in CURVES:
        values, most = record["history"][curve], 1.0 if "accuracy" in curve else MAX_FLOAT32
        claims.append((len(values) == epochs, f"its {curve} is that of {len(values)} epochs"))
        bad = [number for number, value in enumerate(values, 1) if not _within(value, most)]
        if bad and "accuracy" in curve:
            claims.append((False, f"its {curve} of epoch {bad[0]} is not from 0 to 1"))
        elif bad:
            what = "is not a finite number from 0 on (did the training diverge?)"
            claims.append((False, f"its {curve} of epoch {bad[0]} {what}"))
    return [sentence for holds, sentence in claims if not holds]


def _odd(record, pictures):
    """Return sentences about what is possible and yet no training gives."""
    history, sentences = record["history"], []
    last, after = history["val_accuracy"][-1], record["validation_accuracy"]
    if abs(last - after) > TOLERANCE:
        sentences.append(
            f"its validation accuracy was {last:.4f} in the last epoch, but {after:.4f} afterwards"
        )
    measured = [*itertools.chain(*map(history.get, CURVES)), record["training_accuracy"], after]
    typed = [number for number in measured if float(np.float32(number)) != number]
    if typed:
        sentences.append(f"{typed[0]!r} is not as Keras measures, in float32")
    count = (pictures or {}).get(record["profile"])
    shares = [*history["val_accuracy"], after] if count else []
    # A float32 has an error of 6e-8.
    broken = [each for each in shares if abs(each * count - round(each * count)) > 1e-6 * count]
    if broken:
        sentences.append(f"the accuracy {broken[0]!r} is no share of {count:,} pictures")
    for part in ("", "val_"):
        losses, accuracies = (history[f"{part}{name}"] for name in ("loss", "accuracy"))
        # A wrong answer gives the true class a probability of a half at most.
        least = [(1 - accuracy) * math.log(2) - 1e-4 for accuracy in accuracies]
        if any(map(operator.lt, losses, least)):
            sentences.append(f"its {part}loss is too small for so many wrong answers")
        # A network that learns nothing has a constant accuracy too, but a low one.
        if len(losses) > 1 and len({*losses}) == 1:
            sentences.append(f"its {part}loss never changes")
        elif len(losses) > 3 and np.ptp(np.diff(losses)) < 1e-9:
            sentences.append(f"its {part}loss changes by the same step in every epoch")
        if len(accuracies) > 3 and len({*accuracies}) == 1 and accuracies[0] > 0.5:
            sentences.append(f"its {part}accuracy never changes")
    return sentences


def _within(value, most=MAX_FLOAT32):
    """Return whether a value is a finite float from 0 on."""
    return type(value) is float and 0 <= value <= most


def problems_of_weights(network, arrays, record=None):
    """Tell whether weights fit a network.

    Parameters
    ----------
    network : keras.Model
        Built of the experiment's specification.
    arrays : object
        What `read` has under the experiment's name, or whatever stands in its place.
    record : dict, optional
        The numbers that came with them; their key tells if one of the two was changed since.

    Returns
    -------
    list of str
        One sentence at most, about the first thing that is wrong.
    """
    if type(arrays) is not list or any(type(array) is not np.ndarray for array in arrays):
        return ["The weights are no list of arrays: hand in the file that hand_in writes."]
    for number, (weight, array) in enumerate(zip(network.weights, arrays, strict=False)):
        place, shape = f"Weight {number}, {weight.path},", tuple(weight.shape)
        if array.shape != shape:
            return [f"{place} has the shape {array.shape}, but that of the network {shape}."]
        if array.dtype != np.float16:
            return [f"{place} holds {array.dtype} and not float16."]
        if not np.isfinite(array).all():
            return [f"{place} holds numbers that are not finite."]
    if len(arrays) != len(network.weights):
        return [f"There are {len(arrays)} weights, but the network has {len(network.weights)}."]
    if record is not None and _plain(record).get("key") != key_of(_plain(record), arrays):
        return ["The weights and the numbers are not of one training, or were changed since."]
    return []


def claimed_and_measured(network, arrays, images, labels, claimed, tolerance=TOLERANCE):
    """Measure the accuracy that weights give, and compare it with the stated one.

    Parameters
    ----------
    network : keras.Model
        Compiled with metrics=["accuracy"]; it gets the weights.
    arrays : list of ndarray
    images, labels : ndarray
        Those that the stated accuracy was measured on.
    claimed : float
        From 0 to 1.
    tolerance : float
        How far the two may lie apart. Rounding to float16 alone moves a few pictures.

    Returns
    -------
    measured : float or None
        None where the weights do not fit.
    problem : str or None
        A sentence, where there is something to tell.
    """
    problems = problems_of_weights(network, arrays)
    if problems:
        return None, problems[0]
    network.set_weights(arrays)
    values = network.evaluate(images, labels, batch_size=500, verbose=0, return_dict=True)
    measured = float(values["accuracy"])
    if type(claimed) is float and abs(claimed - measured) <= tolerance:
        return measured, None
    stated = f"{claimed:.4f}" if type(claimed) is float else "no number"
    return measured, f"The weights give an accuracy of {measured:.4f}; stated was {stated}."


def group_by_fingerprint(fingerprints):
    """Return the groups of students who share a fingerprint, for manual review.

    Two honest students can share one: the same seed on the same machine gives the same weights.

    Parameters
    ----------
    fingerprints : dict of str to (str or None)
        The student and, for example, the `fingerprint_of_weights` of the submitted weights; a
        student with None is left out.

    Returns
    -------
    list of list of str
        The students of each group; a group has at least two.
    """
    groups = {}
    for student, shared in fingerprints.items():
        if shared is not None:
            groups.setdefault(shared, []).append(student)
    return [group for group in groups.values() if len(group) > 1]


def fingerprint_of_weights(arrays):
    """Return a short text that is the same for weights that are the same in float16.

    Parameters
    ----------
    arrays : list of ndarray
    """
    with np.errstate(over="ignore"):
        # Plus 0, since -0 is the same number in other bytes.
        halves = [np.asarray(array).astype(np.float16) + np.float16(0) for array in arrays]
    return fingerprint(*halves)
