"""What a specification asks for: a network that is built, how it is trained, and its key."""

import json
import re
from dataclasses import astuple, dataclass, replace

import numpy as np

from course.counting import layer_rows
from course.errors import CourseError
from course.experiments.recipe import Recipe
from course.experiments.store import fingerprint

# What a picture costs beside its multiplications, as so many of them; for the time estimate.
OVERHEAD = 1_000_000


@dataclass(frozen=True)
class Job:
    """One network to train: how, its key, and how much work it is."""

    specification: dict
    network: object
    recipe: Recipe
    key: str
    work: float


def check_names(specifications):
    """Raise a CourseError unless every specification is a dict with a name of its own."""
    names = []
    for number, specification in enumerate(specifications, start=1):
        name = specification.get("name") if isinstance(specification, dict) else None
        if not isinstance(name, str) or not name.strip():
            raise CourseError(
                f"specification {number} has no name: write it as a dict such as"
                ' {"name": "two layers", ...}.'
            )
        if name in names:
            raise CourseError(f"two specifications are called {name!r}: give each its own name.")
        names.append(name)
    if not names:
        raise CourseError("the list of specifications is empty: write at least one.")


def prepare(run, specification, build, data, pictures, recipe):
    """Build a specification's network and say what its training is.

    Parameters
    ----------
    run : course.Run
    specification : dict
    build : callable
        Makes a compiled network of it.
    data : str
        Fingerprint of the pictures and labels.
    pictures : int
        How many are trained on.
    recipe : Recipe
        Its epochs and batch size count where the specification says nothing.

    Returns
    -------
    Job

    Raises
    ------
    CourseError
        If `build` does not return a compiled network, or a number is none.
    """
    # Keras takes seconds to import.
    import keras

    own = {key: specification[key] for key in ("epochs", "batch_size") if key in specification}
    recipe = replace(recipe, **own)
    recipe.check(specification["name"])
    keras.utils.set_random_seed(run.seed)
    usual = keras.config.dtype_policy()
    if recipe.mixed_precision:
        keras.config.set_dtype_policy("mixed_float16")
    try:
        network = _built(build, specification, keras)
    finally:
        keras.config.set_dtype_policy(usual)
    if (rate := recipe.rate(pictures)) is not None:
        network.optimizer.learning_rate = rate
    # The weights too: those of a network that goes on from another's are not the seed's.
    begins = fingerprint(*map(np.asarray, network.weights))
    what = _described(network), begins, data, astuple(recipe)
    what += run.seed, run.profile, run.backend
    multiplications = sum(row["multiplications"] for row in layer_rows(network))
    work = recipe.epochs * pictures * (OVERHEAD + multiplications)
    return Job(specification, network, recipe, fingerprint(*what), work)


def _built(build, specification, keras):
    network = build(specification)
    if not isinstance(network, keras.Model):
        raise CourseError(
            f"the network of {specification['name']!r} is {type(network).__name__}, not a Keras"
            " model: does the function that builds it end with a return?"
        )
    config = network.get_compile_config() if network.compiled else None
    if not config or "accuracy" not in (config.get("metrics") or []):
        raise CourseError(
            f"the network of {specification['name']!r} is not compiled with"
            ' metrics=["accuracy"]: compile it before it is returned.'
        )
    # A probability below 6e-8 is 0 in float16, and its logarithm no number.
    if any(output.dtype == "float16" for output in network.outputs):
        raise CourseError(
            f"the last layer of {specification['name']!r} computes in float16, too coarse for"
            ' probabilities: give it dtype="float32".'
        )
    return network


def _described(network):
    """Return what a network is, without the numbers that Keras puts into the names of layers."""
    text = json.dumps([network.get_config(), network.get_compile_config()], default=repr)
    # Layers, the network and the optimizer have such names, which count on in a session; "float32"
    # is the name of a policy, and says something.
    names = re.findall(r'(?<!"DTypePolicy", "config": {)"name": "([^"]+)"', text)
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return re.sub(r'"([^"]+)"', lambda found: str(order.get(found[1], found[0])), text)
