"""Short training runs are eager in a kernel; their results are those of unpatched Keras."""

import json
import subprocess
import sys

import pytest

# Run in its own process: once with unpatched Keras, once patched as in a kernel.
PROGRAM = """
import json, sys
import keras, numpy as np, tensorflow as tf
from keras import layers
if sys.argv[1] == "patched":
    from course.instructor.sandbox import keras_eager_steps
    for _ in range(2):  # a second call does nothing
        keras_eager_steps.run_first_steps_eagerly()
    assert keras.models.Model.fit is not None and tf.executing_eagerly()
random = np.random.default_rng(0)
x, y = random.normal(size=(50, 8, 8, 1)), random.integers(0, 3, 50)
weights = np.arange(50.0)

def network(optimizer):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.5)
optimizers = {
    "adam": lambda: "adam", "sgd": lambda: "sgd",
    "clipped": lambda: keras.optimizers.Adam(schedule, clipnorm=1.0),
}
fits = {
    "short": dict(epochs=3, validation_data=(x[:9], y[:9])),
    "long": dict(epochs=20),
    "split": dict(epochs=2, validation_split=0.2),
    "classes": dict(epochs=2, class_weight={0: 1.0, 1: 2.0, 2: 3.0}),
    "samples": dict(epochs=2, sample_weight=weights),
    "steps": dict(epochs=2, steps_per_epoch=2),
    "stopping": dict(epochs=9, validation_data=(x, y),
                     callbacks=[keras.callbacks.EarlyStopping(patience=0)]),
}
found = {}
for name, make in optimizers.items():
    for kind, settings in fits.items():
        if name == "adam" or kind == "short":
            model = network(make())
            history = model.fit(x, y, batch_size=16, shuffle=False, verbose=0, **settings).history
            found[f"{name} {kind}"] = [
                history, model.predict(x, verbose=0).tolist(), model.evaluate(x, y, verbose=0),
            ]
dataset = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y)).batch(10)
found["dataset"] = network("adam").fit(dataset, epochs=2, verbose=0).history
print(json.dumps(found))
"""


@pytest.mark.slow
def test_short_training_runs_give_the_results_of_keras():
    unpatched, patched = map(training_results, ("unpatched", "patched"))
    assert unpatched.keys() == patched.keys()
    for name in unpatched:
        assert flat(patched[name]) == pytest.approx(flat(unpatched[name]), abs=2e-5), name


def training_results(variant):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, variant], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def flat(value):
    """Return the values of nested lists and dicts in order."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in flat(each)]
    return [value]
