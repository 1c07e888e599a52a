"""Networks described as data and trained one after the other; what is done is kept.

    mine = [
        {"name": "one layer", "units": [128], "learning_rate": 1e-3},
        {"name": "two layers", "units": [256, 128], "learning_rate": 1e-3},
    ]
    results = experiments.train_each(run, mine, build_mlp, (x_train, y_train), (x_val, y_val))
    print(experiments.table(results))

A list of specifications says what was tried, can be compared and changed, and is read by the next
person; seven copies of a cell are not. Whoever interrupts the cell runs it again and goes on with
the network that was interrupted.
"""

import itertools
import time
from dataclasses import asdict, dataclass, field, fields

from course.errors import CourseError
from course.experiments.progress_bar import ProgressBar
from course.experiments.recipe import Recipe, Table, fit
from course.experiments.specs import check_names, prepare
from course.experiments.store import fingerprint, open_results
from course.training import results_table

# Pictures on which the training accuracy is measured once more, dropout off.
MEASURED = 10_000


@dataclass(frozen=True)
class Result:
    """What came of one specification.

    Attributes
    ----------
    name : str
        The specification's name.
    specification : dict
        What was asked for.
    network : keras.Model
        Trained; also where the training was kept from before.
    parameters, epochs : int
    seconds : float
        Wall time of its training.
    history : dict of lists
        loss, accuracy, val_loss, val_accuracy, one number an epoch, as `fit` measured them.
    training_accuracy, validation_accuracy : float
        After the training, both with dropout off, the first on 10,000 pictures at most.
    """

    name: str
    specification: dict
    network: object = field(repr=False)
    parameters: int
    epochs: int
    seconds: float
    history: dict = field(repr=False)
    training_accuracy: float
    validation_accuracy: float


class Interrupted(KeyboardInterrupt):
    """An interrupted `train_each`; its text says what is kept."""

    def _render_traceback_(self):
        # IPython shows this in place of a traceback into Keras.
        return [f"Interrupted: {self}"]


def train_each(
    run, specifications, build, training_data, validation_data, epochs=10, batch_size=128, **recipe
):
    """Train a network for each specification, and keep each as soon as it is done.

    Parameters
    ----------
    run : course.Run
        What `course.setup` returned: its seed starts every network. Results lie in the folder
        `results` beside the notebook, or on a mounted Google Drive; in the smoke profile they stay
        in memory.
    specifications : list of dict
        Each with a "name" of its own and whatever `build` reads. "epochs" and "batch_size" count
        for that network alone.
    build : callable
        Makes of a specification a network that is compiled with metrics=["accuracy"]. All are
        built before the first is trained, so that a slip in the last one shows at once.
    training_data, validation_data : (ndarray, ndarray)
        Pictures and labels.
    epochs, batch_size : int
    **recipe
        What else `course.experiments.recipe.Recipe` has: learning_rate, warm_up, and the switches on_device,
        mixed_precision and steps_per_call.

    Returns
    -------
    list of Result
        In the order of the specifications.

    Raises
    ------
    CourseError
        If a specification has no name or another's, or `build` does not return what it should.
    Interrupted
        On an interrupt. Called again with the same arguments, it goes on with what is not done.

    Notes
    -----
    Kept results are used again where everything is the same: the network as built, its optimizer
    and loss, pictures, labels, recipe, seed, profile, backend.
    """
    check_names(specifications)
    recipe = _recipe({"epochs": epochs, "batch_size": batch_size} | recipe)
    data = fingerprint(*training_data, *validation_data)
    jobs = [
        prepare(run, specification, build, data, len(training_data[0]), recipe)
        for specification in specifications
    ]
    shelf = open_results(run)
    kept = [
        shelf.load(job.specification["name"], job.key, [each.shape for each in job.network.weights])
        for job in jobs
    ]
    bar = ProgressBar(sum(job.work for job, found in zip(jobs, kept, strict=True) if not found))
    results, table = [], None
    try:
        for job, found in zip(jobs, kept, strict=True):
            if found:
                record, weights = found
                job.network.set_weights(weights)
            else:
                if recipe.on_device and table is None:
                    table = Table(training_data, validation_data)
                place = f"{len(results) + 1} of {len(jobs)}, {job.specification['name']}"
                record = _train(run, job, training_data, validation_data, table, bar, place)
                shelf.keep(record, job.network.get_weights())
            results.append(_result(job, record))
    except KeyboardInterrupt:
        done = f"{len(results)} of {len(jobs)} networks are kept"
        bar.end(f"Interrupted: {done}.")
        raise Interrupted(f"{done}; run this cell again to go on from there.") from None
    bar.end(_summary(results, sum(map(bool, kept))))
    return results


def table(results, **columns):
    """Return a text table of results, one row each, for `print`.

    Parameters
    ----------
    results : list of Result
    **columns : list
        Further columns at the right, one value for each result; an underscore in the name becomes
        a space. Names that end in "accuracy" hold shares from 0 to 1 and are shown in percent.

    Returns
    -------
    str
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
    return results_table(rows)


def best(results):
    """Return the result with the highest validation accuracy, the first of equals."""
    if not results:
        raise CourseError("there is no result to choose from: train at least one network.")
    return max(results, key=lambda result: result.validation_accuracy)


def speed(run, specification, build, training_data, **recipe):
    """Measure how many pictures a second a network learns from; nothing of it is kept.

    Parameters
    ----------
    run : course.Run
    specification : dict
    build : callable
    training_data : (ndarray, ndarray)
    **recipe
        As in `train_each`. The first epoch, in which the backend compiles, is not counted; of the
        others (one at least) the fastest is, since whatever else runs only makes them slower.

    Returns
    -------
    float
        Pictures a second.
    """
    import keras

    check_names([specification])
    recipe = _recipe({"epochs": 3} | recipe)
    job = prepare(run, specification, build, "", len(training_data[0]), recipe)
    moments = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: moments.append(time.perf_counter()),
        on_train_end=lambda logs: moments.append(time.perf_counter()),
    )
    table = Table(training_data) if recipe.on_device else None
    fit(run, job.network, job.recipe, training_data, None, table, [watch])
    seconds = [end - start for start, end in itertools.pairwise(moments)]
    return len(training_data[0]) / min(seconds[1:] or seconds)


def _recipe(given):
    """Return a recipe of keywords."""
    known = [each.name for each in fields(Recipe)]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise CourseError(f"a recipe has no {unknown[0]!r}: choose of {', '.join(known)}.")
    return Recipe(**given)


def _train(run, job, training_data, validation_data, table, bar, place):
    """Train a network and return what was measured, as plain data."""
    import keras

    network, recipe = job.network, job.recipe
    steps = recipe.steps_of_epoch(len(training_data[0])) * recipe.epochs
    done = [0]  # steps that the bar has counted
    bar.say(place)

    def advance(batch, logs):
        # `batch` is the last of a call, which may have done several steps.
        bar.advance(job.work / steps * (batch + 1 - done[0]))
        done[0] = batch + 1

    def end_epoch(epoch, logs):
        done[0] = 0
        said = f"epoch {epoch + 1} of {recipe.epochs}, validation {logs['val_accuracy']:.1%}"
        bar.say(f"{place}, {said}")

    show = keras.callbacks.LambdaCallback(on_train_batch_end=advance, on_epoch_end=end_epoch)
    history, seconds = fit(run, network, recipe, training_data, validation_data, table, [show])
    seen = tuple(part[:MEASURED] for part in training_data)
    training_accuracy, validation_accuracy = (
        float(network.evaluate(*part, batch_size=500, verbose=0, return_dict=True)["accuracy"])
        for part in (seen, validation_data)
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


def _result(job, record):
    names = ("parameters", "epochs", "seconds", "history")
    names += ("training_accuracy", "validation_accuracy")
    measured = {name: record[name] for name in names}
    return Result(record["name"], job.specification, job.network, **measured)


def _summary(results, before):
    seconds = sum(result.seconds for result in results)
    text = f"{len(results)} network{'s' * (len(results) > 1)} trained in {seconds:,.0f} s"
    return f"{text}; {before} of them kept from before." if before else f"{text}."
