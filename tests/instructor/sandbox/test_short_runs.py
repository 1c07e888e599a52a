"""Short trainings run untraced in a kernel; what comes of them is what Keras gives otherwise."""

import json
import subprocess
import sys

import pytest

# Run in a process of its own: once as Keras is, once as a zygote sets it up.
PROGRAM = """
import json, sys
import keras, numpy as np, tensorflow as tf
from keras import layers
if sys.argv[1] == "as in a kernel":
    from course.instructor.sandbox import fused_adam, short_runs
    for _ in range(2):  # calling them twice does no harm
        short_runs.run_short_ones_eagerly()
        fused_adam.fuse_adam()
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
    "adam": lambda: "adam", "sgd": lambda: "sgd", "adamw": lambda: keras.optimizers.AdamW(1e-2),
    "amsgrad": lambda: keras.optimizers.Adam(1e-2, amsgrad=True),
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
def test_short_runs_give_what_keras_gives():
    ordinary, ours = (numbers(how) for how in ("as Keras is", "as in a kernel"))
    assert ordinary.keys() == ours.keys()
    for name in ordinary:
        assert flat(ours[name]) == pytest.approx(flat(ordinary[name]), abs=2e-5), name


def numbers(how):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def flat(value):
    """Return the numbers of nested lists and dicts in order."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list):
        return [number for each in value for number in flat(each)]
    return [value]
