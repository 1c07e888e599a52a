"""Three small networks with one fault each, for practicing how to find faults.

The networks are written in NumPy, so that an experiment takes milliseconds and has the same result
on every machine: 784 inputs, 32 hidden units with ReLU, and softmax over ten classes.
"""

import numpy as np

from course.errors import CourseError

# What can be wrong, by the name that an answer uses.
FAULTS = {
    "inputs": "the pixel values aren't divided by 255",
    "labels": "the labels aren't in the same order as the images",
    "learning rate": "the learning rate is 30 times too large",
    "softmax": "softmax is applied twice",
    "weights": "all weights start at zero",
}
NAMES = ("A", "B", "C")
HIDDEN_UNITS = 32
LEARNING_RATE = 0.2
STEPS = 100
# Which network has which fault is drawn, so that the answers are not written anywhere.
_DRAWN = np.random.default_rng(3).permutation(["inputs", "learning rate", "softmax"])
_FAULT_OF = dict(zip(NAMES, _DRAWN.tolist(), strict=True))


def train(network, images, labels, repair=None):
    """Train one of the networks on a few images by gradient descent; all images are one batch.

    Parameters
    ----------
    network : {"A", "B", "C"} or None
        None trains a network without a fault, for comparison.
    images : ndarray of uint8, shape (n, 28, 28)
        Pixel values from 0 to 255.
    labels : ndarray of int, shape (n,)
        The true digits, from 0 to 9.
    repair : str, optional
        A key of `FAULTS`: this fault is removed before training. If the network has another fault,
        the repair changes nothing.

    Returns
    -------
    dict
        "loss" is the list of the losses before training and after each of the 100 steps. "correct"
        is the list of the numbers of images that the network classifies correctly at these times.

    Raises
    ------
    CourseError
        If there is no such network or no such fault.
    """
    if network is not None and network not in NAMES:
        raise CourseError(f"There is no network {network!r}: use one of {', '.join(NAMES)}.")
    if repair is not None and repair not in FAULTS:
        raise CourseError(f"There is no fault {repair!r}: use one of {', '.join(FAULTS)}.")
    fault = _FAULT_OF.get(network)
    return _train(None if fault == repair else fault, np.asarray(images), np.asarray(labels))


def _train(fault: str | None, images: np.ndarray, labels: np.ndarray) -> dict[str, list]:
    """Train a network with the given fault."""
    inputs = images.reshape(len(images), -1) / (1 if fault == "inputs" else 255)
    rate = LEARNING_RATE * (30 if fault == "learning rate" else 1)
    targets = np.eye(10)[np.roll(labels, 1) if fault == "labels" else labels]
    random = np.random.default_rng(0)
    scale = 0 if fault == "weights" else 1
    hidden_weights = scale * random.normal(0, np.sqrt(2 / 784), (784, HIDDEN_UNITS))
    output_weights = scale * random.normal(0, np.sqrt(1 / HIDDEN_UNITS), (HIDDEN_UNITS, 10))
    hidden_biases, output_biases = np.zeros(HIDDEN_UNITS), np.zeros(10)

    result: dict[str, list] = {"loss": [], "correct": []}
    for step in range(STEPS + 1):
        hidden = np.maximum(inputs @ hidden_weights + hidden_biases, 0)
        scores = hidden @ output_weights + output_biases
        if fault == "softmax":
            scores, first = _softmax(scores), scores
        probabilities = _softmax(scores)
        result["loss"].append(_cross_entropy(scores, targets))
        result["correct"].append(int(np.sum(scores.argmax(axis=1) == targets.argmax(axis=1))))
        if step == STEPS:
            break
        gradient = (probabilities - targets) / len(images)
        if fault == "softmax":  # the chain rule for the first of the two
            once = _softmax(first)
            gradient = once * (gradient - np.sum(gradient * once, axis=1, keepdims=True))
        hidden_gradient = gradient @ output_weights.T * (hidden > 0)
        output_weights -= rate * hidden.T @ gradient
        output_biases -= rate * gradient.sum(axis=0)
        hidden_weights -= rate * inputs.T @ hidden_gradient
        hidden_biases -= rate * hidden_gradient.sum(axis=0)
    return result


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Return the softmax of each row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _cross_entropy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean cross-entropy of the softmax of the scores, computed so that it is finite."""
    largest = scores.max(axis=1, keepdims=True)
    log_sums = largest + np.log(np.exp(scores - largest).sum(axis=1, keepdims=True))
    return float(np.mean(np.sum(targets * (log_sums - scores), axis=1)))
