"""`course evidence`: weights that were handed in, measured, and what a person should look at."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import course
from course import evidence, experiments
from tests.conftest import cell

# Stands for real pictures: these, of which anyone can make the same.
PICTURES = """
random = np.random.default_rng(run.choose(smoke=0, cpu=1, gpu=2))
y_val = np.arange(200) % 3
x_val = (random.normal(size=(200, 4)) + 1.5 * np.eye(3, 4)[y_val]).astype("float32")
print("made", len(x_val))
"""
SPECIFICATIONS = '[{"name": "one", "units": 5}, {"name": "two", "units": 8}]'
BUILDER = """
def build_network(specification):
    ### BEGIN SOLUTION Return a network.
    hidden = layers.Dense(specification["units"], activation="relu")
    output = layers.Dense(3, activation="softmax")
    network = keras.Sequential([keras.Input((4,)), hidden, output])
    loss = "sparse_categorical_crossentropy"
    network.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return network
    ### END SOLUTION
"""
CELLS = {"pictures": PICTURES, "few": f"mine = {SPECIFICATIONS}", "build_network": BUILDER}


def tagged(**changed):
    cells = CELLS | changed
    return [cell("code", source, tags=["evidence"]) for source in cells.values() if source]


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The folder of a student who trained in the cpu profile, by the source's own builder."""
    import keras

    run = course.Run("cpu", 0, "tensorflow", "CPU")
    names = {"keras": keras, "layers": keras.layers, "np": np, "run": run}
    for source in CELLS.values():
        exec(source, names)
    pictures, here = (names["x_val"], names["y_val"]), Path.cwd()
    folder = tmp_path_factory.mktemp("student")
    os.chdir(folder)
    try:
        trained = experiments.train_each(
            run, names["mine"], names["build_network"], pictures, pictures, epochs=4, batch_size=20
        )
        evidence.hand_in(run, trained, "two")
    finally:
        os.chdir(here)
    return folder / "evidence"


@pytest.fixture
def class_of(small_course, honest):
    """Return a function that lays out a class, one student for each way to change the folder."""

    def make(changes, cells=None):
        root = small_course(*(cells or tagged()))
        for student, change in changes.items():
            folder = root / "submitted" / student / "01-small"
            shutil.copytree(honest, folder / "evidence")
            change(folder / "evidence")
        return root

    return make


def nothing(folder):
    pass


def better(folder):
    """Claim more than the weights give; the key is made anew, as one who knows how would do it."""
    record = json.loads((folder / "two.json").read_text())
    weights = np.load(folder / "two.npz")
    claimed = round(min(1.0, record["validation_accuracy"] + 0.2) * 200) / 200
    claimed = float(np.float32(claimed))
    record["validation_accuracy"] = record["history"]["val_accuracy"][-1] = claimed
    record["key"] = evidence.forms.key_of(record, [weights[name] for name in weights.files])
    (folder / "two.json").write_text(json.dumps(record))


def other_weights(folder):
    """Hand in weights that are none of this network's."""
    packed = io.BytesIO()
    np.savez(packed, weight_0=np.zeros((4, 9), "<f2"))
    (folder / "two.npz").write_bytes(packed.getvalue())


def not_finite(folder):
    weights = np.load(folder / "two.npz")
    arrays = {name: weights[name].copy() for name in weights.files}
    arrays["weight_0"][0, 0] = np.nan
    np.savez(folder / "two.npz", **arrays)


def cut(folder):
    (folder / "two.npz").write_bytes((folder / "two.npz").read_bytes()[:100])


def pickled(folder):
    np.savez(folder / "two.npz", weight_0=np.array([{"a": 1}], dtype=object))


def enormous(folder):
    with (folder / "two.npz").open("wb") as file:
        file.truncate(10 * 2**30)


def unknown(folder):
    for ending in ("json", "npz"):
        (folder / f"two.{ending}").rename(folder / f"three.{ending}")
    record = json.loads((folder / "three.json").read_text())
    (folder / "three.json").write_text(json.dumps(record | {"name": "three"}))


WRONG = {
    "better": (better, "The weights give an accuracy of 0."),
    "other": (other_weights, "has the shape (4, 9), but that of the network (4, 8)."),
    "nan": (not_finite, "/kernel, holds numbers that are not finite."),
    "cut": (cut, "evidence/two.npz cannot be used (it is damaged)"),
    "pickle": (pickled, "evidence/two.npz cannot be used ("),
    "huge": (enormous, "evidence/two.npz cannot be used (it takes 10,240.0 MB, more than 8.0 MB)"),
    "gone": (shutil.rmtree, "evidence cannot be used (it is not beside the notebook)"),
    "unknown": (unknown, "its weights are of no experiment of this assignment."),
}


@pytest.mark.slow
def test_honest_weights_agree_and_whatever_else_is_named(class_of, course_command):
    changes = {"ada": nothing} | {name: change for name, (change, _) in WRONG.items()}
    root = class_of(changes)
    finished = course_command("-C", root, "evidence")
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr and "made 200" not in finished.stdout
    blocks = {block.split()[0]: block for block in finished.stdout.split("01-small  ")[1:]}
    (first,) = blocks["ada"].splitlines()
    assert first.startswith("ada  two  cpu  stated ") and first.endswith("agrees")
    stated, measured = (first.split(word)[1].split("%")[0] for word in ("stated ", "measured "))
    assert float(stated) == pytest.approx(float(measured), abs=0.5) and float(stated) > 50
    for student, (_, sentence) in WRONG.items():
        assert sentence in blocks[student], student
        assert "look at it" in blocks[student].splitlines()[0], student
    assert "01-small  the same weights: ada, better, unknown\n" in finished.stdout
    assert f"{len(changes)} looked at, {len(WRONG)} of them for a person" in finished.stdout


@pytest.mark.slow
def test_of_one_student_alone(class_of, course_command):
    root = class_of({"ada": nothing, "bob": nothing})
    finished = course_command("-C", root, "evidence", "--student", "bob")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 looked at, 0 of them" in finished.stdout and "ada" not in finished.stdout


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([cell("code", "x = 1")], "01-small asks for no evidence: no cell of its source is tagged"),
        (tagged(pictures="x_val = 1 / 0"), "fails (ZeroDivisionError: division by zero): mend it."),
        (tagged(pictures=""), "cells tagged 'evidence' make no x_val: tag the one that does."),
    ],
)
def test_a_source_that_cannot_measure_is_told(class_of, course_command, cells, sentence):
    root = class_of({"ada": nothing}, cells)
    finished = course_command("-C", root, "evidence", "01-small")
    assert finished.returncode == 1 and sentence in finished.stderr
    # On some processors TensorFlow says at its start, whatever it is told, what it makes use of.
    ours = [line for line in finished.stderr.splitlines() if line.startswith("course: ")]
    assert len(ours) == 1 and "Traceback" not in finished.stderr


def test_a_class_that_handed_in_nothing_is_told(small_course, course_command):
    finished = course_command("-C", small_course(*tagged()), "evidence", "01-small")
    assert finished.returncode == 1 and "there is nothing in" in finished.stderr
