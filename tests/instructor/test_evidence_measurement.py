"""`course evidence`: submitted weights, measured, and what it flags for manual review."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import course
from course import evidence, experiments
from course.evidence import format as evidence_format
from course.instructor import evidence_measurement
from tests.conftest import cell

IMPORTS = """
import keras
import numpy as np
from keras import layers
import json as unused, not_installed
"""
# Replaces the real images: reproducible random ones.
IMAGES = """
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
CELLS = {"images": IMAGES, "few": f"mine = {SPECIFICATIONS}", "build_network": BUILDER}


def source_cells(**changed):
    """Return the cells of a source notebook, with some of the tagged ones changed."""
    cells = CELLS | changed
    tagged = [cell("code", source, tags=["evidence"]) for source in cells.values() if source]
    return [cell("code", IMPORTS), *tagged]


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Return the evidence of a student who trained the source's own network in profile cpu."""
    import keras

    run = course.Run("cpu", 0, "tensorflow", "CPU")
    names = {"keras": keras, "layers": keras.layers, "np": np, "run": run}
    for source in CELLS.values():
        exec(source, names)
    images, here = (names["x_val"], names["y_val"]), Path.cwd()
    folder = tmp_path_factory.mktemp("student")
    os.chdir(folder)
    try:
        trained = experiments.train_each(
            run, names["mine"], names["build_network"], images, images, epochs=4, batch_size=20
        )
        evidence.save(run, trained, "two")
    finally:
        os.chdir(here)
    return folder / "evidence"


@pytest.fixture
def class_of(small_course, honest):
    """Return a function that creates a class with one student per change of the honest evidence."""

    def create(changes, cells=None):
        root = small_course(*(cells or source_cells()))
        for student, change in changes.items():
            folder = root / "submitted" / student / "01-small"
            shutil.copytree(honest, folder / "evidence")
            change(folder / "evidence")
        return root

    return create


def unchanged(folder):
    pass


def exaggerated(folder):
    """Report more than the weights achieve, with a key computed to match the changed metrics."""
    record = json.loads((folder / "two.json").read_text())
    weights = np.load(folder / "two.npz")
    claimed = round(min(1.0, record["validation_accuracy"] + 0.2) * 200) / 200
    claimed = float(np.float32(claimed))
    record["validation_accuracy"] = record["history"]["val_accuracy"][-1] = claimed
    record["key"] = evidence_format.record_key(record, [weights[name] for name in weights.files])
    (folder / "two.json").write_text(json.dumps(record))


def other_weights(folder):
    """Submit the weights of a different network."""
    packed = io.BytesIO()
    np.savez(packed, weight_0=np.zeros((4, 9), "<f2"))
    (folder / "two.npz").write_bytes(packed.getvalue())


def not_finite(folder):
    weights = np.load(folder / "two.npz")
    arrays = {name: weights[name].copy() for name in weights.files}
    arrays["weight_0"][0, 0] = np.nan
    np.savez(folder / "two.npz", **arrays)


def truncated(folder):
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
    "exaggerated": (exaggerated, "The weights have an accuracy of 0."),
    "other": (other_weights, "has the shape (4, 9), not (4, 8)."),
    "nan": (not_finite, "/kernel, has values that are not finite."),
    "truncated": (truncated, "evidence/two.npz cannot be used (it is damaged)"),
    "pickle": (pickled, "evidence/two.npz cannot be used ("),
    "huge": (
        enormous,
        "evidence/two.npz cannot be used (its size is 10,240.0 MB, more than 8.0 MB)",
    ),
    "gone": (shutil.rmtree, "evidence cannot be used (it is not beside the notebook)"),
    "unknown": (unknown, "the weights do not belong to any experiment in this assignment."),
}


@pytest.mark.slow
def test_honest_weights_agree_and_all_others_are_flagged(class_of, course_command):
    changes = {"ada": unchanged} | {name: change for name, (change, _) in WRONG.items()}
    root = class_of(changes)
    finished = course_command("-C", root, "evidence")
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr and "made 200" not in finished.stdout
    blocks = {block.split()[0]: block for block in finished.stdout.split("01-small  ")[1:]}
    (first,) = blocks["ada"].splitlines()
    assert first.startswith("ada  two  cpu  reported ") and first.endswith("agrees")
    reported, measured = (first.split(word)[1].split("%")[0] for word in ("reported ", "measured "))
    assert float(reported) == pytest.approx(float(measured), abs=0.5) and float(reported) > 50
    for student, (_, sentence) in WRONG.items():
        assert sentence in blocks[student], student
        assert "needs review" in blocks[student].splitlines()[0], student
    assert "01-small  the same weights: ada, exaggerated, unknown\n" in finished.stdout
    assert (
        f"{len(changes)} measured, {len(WRONG)} of them flagged for manual review"
        in finished.stdout
    )


@pytest.mark.slow
def test_one_student_can_be_selected(class_of, course_command):
    root = class_of({"ada": unchanged, "bob": unchanged})
    options = ["--student", "bob"]
    finished = course_command("-C", root, "evidence", *options, TF_CPP_MIN_LOG_LEVEL="0")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stderr == "", "TensorFlow logs nothing"
    assert "1 measured, 0 of them" in finished.stdout and "ada" not in finished.stdout


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (
            [cell("code", "x = 1")],
            "01-small does not ask for evidence: no cell in its source is tagged",
        ),
        (
            source_cells(images="x_val = 1 / 0"),
            "failed (ZeroDivisionError: division by zero): fix the cell.",
        ),
        (
            source_cells(images=""),
            "cells tagged 'evidence' do not define x_val: tag the cell that defines it.",
        ),
    ],
)
def test_a_source_without_working_cells_is_an_error(class_of, course_command, cells, sentence):
    root = class_of({"ada": unchanged}, cells)
    finished = course_command("-C", root, "evidence", "01-small")
    assert finished.returncode == 1 and sentence in finished.stderr
    # On some processors TensorFlow prints a line at start-up that cannot be turned off.
    ours = [line for line in finished.stderr.splitlines() if line.startswith("course: ")]
    assert len(ours) == 1 and "Traceback" not in finished.stderr


def test_a_class_without_submissions_is_an_error(small_course, course_command):
    finished = course_command("-C", small_course(*source_cells()), "evidence", "01-small")
    assert finished.returncode == 1 and "there is nothing in" in finished.stderr


# As the name of an experiment, in the place of a short word.
HOSTILE = {
    "half": "III\ud800",
    "terminal": "\x1b[2J\x1b]0;title\x07\r01-small  ada  two  cpu  agrees\x1b[8m",
    "lines": "III\n01-small  eve  two  cpu  reported 99.0%, measured 99.0%  agrees",
    "left": "\u202eIII",
}


def test_a_hostile_name_costs_no_other_student_a_line(small_course, course_command):
    root = small_course(*source_cells())
    for student, name in {**HOSTILE, "zoe": "V"}.items():
        folder = root / "submitted" / student / "01-small" / "evidence"
        folder.mkdir(parents=True)
        (folder / "iii.json").write_text(json.dumps({"name": name, "profile": "smoke"}))
        zipfile.ZipFile(folder / "iii.npz", "w").close()
    finished = course_command("-C", root, "evidence", "01-small")
    lines = finished.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("01-small  ")] == sorted(
        [*HOSTILE, "zoe"]
    )
    assert all(char.isprintable() for line in lines for char in line)
    assert finished.returncode == 1 and "Traceback" not in finished.stderr


def test_an_error_for_one_student_ends_at_this_student(small_course, monkeypatch):
    root = small_course(*source_cells())
    for student in ("ada", "bob"):
        (root / "submitted" / student / "01-small").mkdir(parents=True)

    def read(folder):
        if "ada" in folder.parts:
            raise RecursionError("\x1b[2J")
        return {"metrics": {}, "weights": {}, "problems": []}

    monkeypatch.setattr(evidence, "read", read)
    ada, bob = evidence_measurement.measure_evidence(root, "01-small")
    assert ada.problems == ["the evidence cannot be measured (RecursionError: ?[2J)."]
    assert bob.problems == []
