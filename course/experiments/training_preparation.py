"""Preparing a specification's training run: the built network, the recipe, and the key."""

import json
import re
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np

from course.counting import layer_rows
from course.errors import CourseError
from course.experiments.recipe import Recipe
from course.experiments.store import fingerprint
from course.session import Run

# The cost of an image in addition to its MACs, expressed in MACs; used to estimate the time.
OVERHEAD = 1_000_000
# The attributes of a recipe that a specification can set for its own network.
OWN_SETTINGS = ("epochs", "batch_size", "max_shift", "flip")


@dataclass(frozen=True)
class TrainingJob:
    """A training run that is ready to start."""

    specification: dict
    network: Any  # compiled
    recipe: Recipe
    key: str  # the fingerprint of everything that determines the result
    work: float  # the estimated cost in MACs


def check_specifications(specifications: list[dict]) -> None:
    """Raise CourseError if the list is empty or one is not a JSON dict with a unique name."""
    names: list[str] = []
    for number, specification in enumerate(specifications, start=1):
        name = specification.get("name") if isinstance(specification, dict) else None
        if not isinstance(name, str) or not name.strip():
            raise CourseError(
                f"specification {number} has no name: write it as a dict such as"
                ' {"name": "two layers", ...}.'
            )
        if name in names:
            raise CourseError(
                f"two specifications are called {name!r}: use a unique name for each."
            )
        names.append(name)
        for key, value in specification.items():
            if not _is_json(value):
                raise CourseError(
                    f"{key!r} of {name!r} is a value of type {type(value).__name__}, which cannot"
                    " be saved with the results: use numbers, strings, or lists of them."
                )
    if not names:
        raise CourseError("the list of specifications is empty: write at least one.")


def _is_json(value: Any) -> bool:
    """Return True if JSON can represent a value."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def prepare(
    run: Run,
    specification: dict,
    build: Callable[[dict], Any],
    data: str,
    image_count: int,
    recipe: Recipe,
) -> TrainingJob:
    """Build a specification's network and return its training job; `data` is a fingerprint.

    Values that the specification has for `OWN_SETTINGS` override those of the recipe.
    """
    import keras  # takes seconds to import

    own = {key: specification[key] for key in OWN_SETTINGS if key in specification}
    recipe = replace(recipe, **own)
    recipe.check(specification["name"])
    keras.utils.set_random_seed(run.seed)
    default_policy = keras.config.dtype_policy()
    if recipe.mixed_precision:
        keras.config.set_dtype_policy("mixed_float16")
    try:
        network = _build_network(build, specification)
    finally:
        keras.config.set_dtype_policy(default_policy)
    if (learning_rate := recipe.schedule(image_count)) is not None:
        network.optimizer.learning_rate = learning_rate
    if recipe.momentum is not None:
        _set_momentum(network, recipe.momentum, specification["name"])
    # Include the initial weights: those of a pretrained network are not determined by the seed.
    initial_weights = fingerprint(*map(np.asarray, network.weights))
    key = fingerprint(
        _configuration(network), initial_weights, data, astuple(recipe),
        run.seed, run.profile, run.backend,
    )  # fmt: skip
    macs = sum(row["macs"] for row in layer_rows(network))
    work = recipe.epochs * image_count * (OVERHEAD + macs)
    return TrainingJob(specification, network, recipe, key, work)


def _build_network(build: Callable[[dict], Any], specification: dict) -> Any:
    """Build a network and check that it can be trained."""
    import keras

    network = build(specification)
    if not isinstance(network, keras.Model):
        raise CourseError(
            f"the network of {specification['name']!r} is a value of type"
            f" {type(network).__name__}, not a Keras model: return the network at the end of the"
            " function that builds it."
        )
    config = network.get_compile_config() if network.compiled else None
    if not config or "accuracy" not in (config.get("metrics") or []):
        raise CourseError(
            f"the network of {specification['name']!r} is not compiled with"
            ' metrics=["accuracy"]: compile it before you return it.'
        )
    # A probability below 6e-8 is 0 in float16, and its logarithm is not finite.
    if any(output.dtype == "float16" for output in network.outputs):
        raise CourseError(
            f"the last layer of {specification['name']!r} computes in float16, which is too"
            ' imprecise for probabilities: give it dtype="float32".'
        )
    return network


def _set_momentum(network: Any, momentum: float, name: str) -> None:
    """Set the momentum of a compiled network's optimizer, which has not taken a step yet."""
    # With mixed precision, Keras wraps the optimizer in one that scales the loss.
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    if not hasattr(optimizer, "momentum"):
        raise CourseError(
            f"the optimizer of {name!r}, {type(optimizer).__name__}, has no momentum: compile the"
            " network with SGD, or leave out momentum."
        )
    optimizer.momentum = momentum


def _configuration(network: Any) -> str:
    """Return a network's configuration as text, without Keras's counters in the layer names."""
    text = json.dumps([network.get_config(), network.get_compile_config()], default=repr)
    # Layers, networks, and optimizers have names with counters, which depend on the session. The
    # name of a DTypePolicy, such as "float32", stays.
    names = re.findall(r'(?<!"DTypePolicy", "config": {)"name": "([^"]+)"', text)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return re.sub(r'"([^"]+)"', lambda match: str(numbers.get(match[1], match[0])), text)
