"""Training one network per specification and saving the results.

    specifications = [
        {"name": "one layer", "units": [128], "learning_rate": 1e-3},
        {"name": "two layers", "units": [256, 128], "learning_rate": 1e-3},
    ]
    results = experiments.train_each(
        run, specifications, build_mlp, (x_train, y_train), (x_val, y_val)
    )
    experiments.table(results)

A list of specifications documents what was tried. It is easier to compare and change than several
copies of a cell. If the cell is interrupted, running it again continues with the network whose
training was interrupted.
"""

import itertools
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from course.errors import CourseError
from course.experiments.device_data import TrainingData
from course.experiments.device_training import train_on_device
from course.experiments.progress_bar import ProgressBar
from course.experiments.recipe import Recipe
from course.experiments.store import fingerprint, open_store
from course.experiments.training_preparation import TrainingJob, check_specifications, prepare
from course.session import Run
from course.tables import table as format_table

# The number of training images on which the final training accuracy is measured.
EVALUATED_IMAGES = 10_000


@dataclass(frozen=True)
class Result:
    """The result of one specification.

    Attributes
    ----------
    name : str
        The specification's name.
    specification : dict
    network : keras.Model
        The trained network, even if it was trained in an earlier run.
    parameters, epochs : int
    seconds : float
        The wall time of the training run.
    history : dict of lists
        loss, accuracy, val_loss, and val_accuracy, as `fit` measures them, one value per epoch.
    training_accuracy, validation_accuracy : float
        Fractions from 0 to 1, measured after training, without dropout; `training_accuracy` is
        measured on at most 10,000 images.
    """

    name: str
    specification: dict
    network: Any = field(repr=False)
    parameters: int
    epochs: int
    seconds: float
    history: dict = field(repr=False)
    training_accuracy: float
    validation_accuracy: float


class Interrupted(KeyboardInterrupt):
    """The interruption of `train_each`; the message says how many networks are saved."""

    def _render_traceback_(self) -> list[str]:
        # IPython shows this instead of a traceback into Keras.
        return [f"Interrupted: {self}"]


def train_each(
    run, specifications, build, training_data, validation_data, epochs=10, batch_size=128, **recipe
):
    """Train a network for each specification, and save each network as soon as it is trained.

    Parameters
    ----------
    run : course.Run
        As `course.setup` returns it. Its seed is used for every network. Results are saved in the
        folder `results` beside the notebook or on a mounted Google Drive; in the smoke profile,
        they stay in memory.
    specifications : list of dict
        Each has a unique "name" and the values that `build` reads: numbers, strings, or lists of
        them. The optional "epochs", "batch_size", "max_shift", and "flip" override the arguments
        for that network.
    build : callable
        Takes a specification and returns a network compiled with metrics=["accuracy"]. All networks
        are built before the first is trained, so that an error in any of them is raised early.
    training_data, validation_data : (ndarray, ndarray)
        Images and labels.
    epochs, batch_size : int
    **recipe
        The other attributes of `course.experiments.Recipe`: learning_rate, warmup_epochs,
        momentum, on_device, max_shift, flip, and mixed_precision.

    Returns
    -------
    list of Result
        In the order of the specifications.

    Raises
    ------
    CourseError
        If a name is missing or duplicate, `build` does not return a compiled network, the recipe
        has an invalid value, or a result cannot be saved.
    Interrupted
        If training is interrupted. The function continues if it is called again with the same
        arguments.

    Notes
    -----
    A saved result is reused if everything that determines it is the same: the network as built, its
    optimizer and loss, the images, labels, recipe, seed, profile, and backend.
    """
    check_specifications(specifications)
    shared_recipe = _create_recipe({"epochs": epochs, "batch_size": batch_size} | recipe)
    data = TrainingData(training_data, validation_data)
    data_key = fingerprint(*training_data, *validation_data)
    jobs = [
        prepare(run, specification, build, data_key, len(training_data[0]), shared_recipe)
        for specification in specifications
    ]
    store = open_store(run)
    saved = [
        store.load(job.specification["name"], job.key, [each.shape for each in job.network.weights])
        for job in jobs
    ]
    bar = ProgressBar(sum(job.work for job, found in zip(jobs, saved, strict=True) if not found))
    results: list[Result] = []
    try:
        for job, found in zip(jobs, saved, strict=True):
            if found:
                record, weights = found
                job.network.set_weights(weights)
            else:
                title = f"{len(results) + 1} of {len(jobs)}, {job.specification['name']}"
                record = _train(run, job, data, bar, title)
                store.save(record, job.network.get_weights())
            # A saved result can be one of the same network under another name.
            values = {**record, "name": job.specification["name"]}
            values |= {"specification": job.specification, "network": job.network}
            results.append(Result(**{each.name: values[each.name] for each in fields(Result)}))
    except KeyboardInterrupt:
        state = f"{len(results)} of {len(jobs)} networks are saved"
        bar.close(f"Interrupted: {state}.")
        raise Interrupted(f"{state}; run this cell again to continue.") from None
    bar.close(_summarize(results, sum(map(bool, saved))))
    return results


def table(results, **columns):
    """Return results as a table with one row per network; see `course.table`.

    Parameters
    ----------
    results : list of Result
    **columns : list
        Additional columns, one value per result; underscores in the names become spaces. Values of
        columns whose names end in "accuracy" are fractions and are shown as percentages.

    Returns
    -------
    Table
    """
    rows = [
        {
            "network": result.name,
            "parameters": result.parameters,
            "seconds": result.seconds,
            "training accuracy": result.training_accuracy,
            "validation accuracy": result.validation_accuracy,
        }
        for result in results
    ]
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[name.replace("_", " ")] = value
    return format_table(rows)


def best(results):
    """Return the result with the highest validation accuracy.

    Parameters
    ----------
    results : list of Result

    Returns
    -------
    Result
        The first one if several are equal.

    Raises
    ------
    CourseError
        If the list is empty.
    """
    if not results:
        raise CourseError("there are no results to choose from: train at least one network.")
    return max(results, key=lambda result: result.validation_accuracy)


def speed(run, specification, build, training_data, **recipe):
    """Measure the number of training images processed per second, without saving anything.

    Parameters
    ----------
    run : course.Run
    specification : dict
    build : callable
    training_data : (ndarray, ndarray)
        Images and labels.
    **recipe
        As in `train_each`.

    Returns
    -------
    float
        Images per second in the fastest epoch, which other processes have slowed down the least.
        The first of several epochs, in which the backend compiles, is excluded.
    """
    import keras

    check_specifications([specification])
    shared_recipe = _create_recipe({"epochs": 3} | recipe)
    job = prepare(run, specification, build, "", len(training_data[0]), shared_recipe)
    times: list[float] = []
    timer = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter()),
        on_train_end=lambda logs: times.append(time.perf_counter()),
    )
    _fit(run, job, TrainingData(training_data), timer)
    seconds = [end - start for start, end in itertools.pairwise(times)]
    return len(training_data[0]) / min(seconds[1:] or seconds)


def _create_recipe(values: dict[str, Any]) -> Recipe:
    """Create a recipe from keyword arguments."""
    known = [each.name for each in fields(Recipe)]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise CourseError(
            f"a recipe has no attribute {unknown[0]!r}: choose one of {', '.join(known)}."
        )
    return Recipe(**values)


def _fit(
    run: Run,
    job: TrainingJob,
    data: TrainingData,
    callback: Any,
) -> tuple[dict[str, list], float]:
    """Train a network; return its training history and the wall time in seconds."""
    import keras

    network, recipe = job.network, job.recipe
    splits = data.on_device(recipe) if recipe.on_device else None
    keras.utils.set_random_seed(run.seed)
    start = time.perf_counter()
    if splits:
        history = train_on_device(run, network, recipe, *splits, callback)
        return history, time.perf_counter() - start
    # For the few steps of a smoke run, tracing takes more time than it saves, except on JAX,
    # whose eager execution is slower than its compilation.
    eagerly = network.run_eagerly
    network.run_eagerly = eagerly or (run.profile == "smoke" and run.backend != "jax")
    history = network.fit(
        *data.training,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        validation_data=data.validation,
        callbacks=[callback],
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    network.run_eagerly = eagerly
    return history, seconds


def _train(
    run: Run,
    job: TrainingJob,
    data: TrainingData,
    bar: ProgressBar,
    title: str,
) -> dict[str, Any]:
    """Train a network and return its record, which can be saved as JSON."""
    import keras

    network, recipe = job.network, job.recipe
    steps = recipe.steps_per_epoch(len(data.training[0])) * recipe.epochs
    steps_shown = 0
    bar.describe(title)

    def advance(batch: int, logs: dict) -> None:
        # `batch` is the index of the last step of an execution, which can comprise several steps.
        nonlocal steps_shown
        bar.advance(job.work / steps * (batch + 1 - steps_shown))
        steps_shown = batch + 1

    def end_epoch(epoch: int, logs: dict) -> None:
        nonlocal steps_shown
        steps_shown = 0
        progress = f"epoch {epoch + 1} of {recipe.epochs}, validation {logs['val_accuracy']:.1%}"
        bar.describe(f"{title}, {progress}")

    show = keras.callbacks.LambdaCallback(on_train_batch_end=advance, on_epoch_end=end_epoch)
    history, seconds = _fit(run, job, data, show)
    evaluated = tuple(array[:EVALUATED_IMAGES] for array in data.training)
    training_accuracy, validation_accuracy = (
        float(network.evaluate(*split, batch_size=500, verbose=0, return_dict=True)["accuracy"])
        for split in (evaluated, data.validation)
    )
    return {
        "name": job.specification["name"],
        "specification": job.specification,
        "key": job.key,
        **{name: getattr(run, name) for name in ("profile", "seed", "backend", "device")},
        "parameters": network.count_params(),
        "epochs": recipe.epochs,
        "recipe": asdict(recipe),
        "seconds": seconds,
        "history": {name: list(map(float, values)) for name, values in history.items()},
        "training_accuracy": training_accuracy,
        "validation_accuracy": validation_accuracy,
    }


def _summarize(results: list[Result], loaded: int) -> str:
    """Return the final sentence of `train_each`."""
    seconds = sum(result.seconds for result in results)
    text = f"{len(results)} network{'s' * (len(results) > 1)} trained in {seconds:,.0f} s"
    return f"{text}; {loaded} of them loaded from saved results." if loaded else f"{text}."
