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

import time
from dataclasses import dataclass, field

from course.errors import CourseError
from course.progress import ProgressBar
from course.results import fingerprint, open_results
from course.specifications import check_names, prepare
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
    run, specifications, build, training_data, validation_data, epochs=10, batch_size=128
):
    """Train a network for each specification, and keep each as soon as it is done.

    Parameters
    ----------
    run : course.Run
        What `course.setup` returned: its seed starts every network. Results lie in the folder
        `results` beside the notebook; in the smoke profile they stay in memory.
    specifications : list of dict
        Each with a "name" of its own and whatever `build` reads. "epochs" and "batch_size" count
        for that network alone.
    build : callable
        Makes of a specification a network that is compiled with metrics=["accuracy"]. All are
        built before the first is trained, so that a slip in the last one shows at once.
    training_data, validation_data : (ndarray, ndarray)
        Pictures and labels.
    epochs, batch_size : int

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
    and loss, pictures, labels, epochs, batch size, seed, profile, backend.
    """
    check_names(specifications)
    data = fingerprint(*training_data, *validation_data)
    jobs = [
        prepare(run, specification, build, data, len(training_data[0]), epochs, batch_size)
        for specification in specifications
    ]
    shelf = open_results(run)
    kept = [
        shelf.load(job.specification["name"], job.key, [each.shape for each in job.network.weights])
        for job in jobs
    ]
    bar = ProgressBar(sum(job.work for job, found in zip(jobs, kept, strict=True) if not found))
    results = []
    try:
        for job, found in zip(jobs, kept, strict=True):
            if found:
                record, weights = found
                job.network.set_weights(weights)
            else:
                place = f"{len(results) + 1} of {len(jobs)}, {job.specification['name']}"
                record = _train(run, job, training_data, validation_data, bar, place)
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


def _train(run, job, training_data, validation_data, bar, place):
    """Train a network and return what was measured, as plain data."""
    import keras

    network, steps = job.network, -(-len(training_data[0]) // job.batch_size) * job.epochs
    bar.say(place)
    show = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: bar.advance(job.work / steps),
        on_epoch_end=lambda epoch, logs: bar.say(
            f"{place}, epoch {epoch + 1} of {job.epochs}, validation {logs['val_accuracy']:.1%}"
        ),
    )
    # The few steps of a smoke run do not pay for being traced first.
    eagerly = network.run_eagerly
    network.run_eagerly = eagerly or run.profile == "smoke"
    keras.utils.set_random_seed(run.seed)
    start = time.perf_counter()
    history = network.fit(
        *training_data,
        batch_size=job.batch_size,
        epochs=job.epochs,
        validation_data=validation_data,
        callbacks=[show],
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    seen = tuple(part[:MEASURED] for part in training_data)
    training_accuracy, validation_accuracy = (
        float(network.evaluate(*part, batch_size=500, verbose=0, return_dict=True)["accuracy"])
        for part in (seen, validation_data)
    )
    network.run_eagerly = eagerly
    return {
        "name": job.specification["name"],
        "specification": job.specification,
        "key": job.key,
        **{name: getattr(run, name) for name in ("profile", "seed", "backend", "device")},
        "parameters": network.count_params(),
        "epochs": job.epochs,
        "batch_size": job.batch_size,
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
