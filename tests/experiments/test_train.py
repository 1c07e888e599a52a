import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import course
from course import experiments
from course.errors import CourseError
from course.experiments import store
from course.experiments.device_data import TrainingData

NAMES = ("parameters", "history", "training_accuracy", "validation_accuracy")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run in the cpu profile, with an empty results folder."""
    monkeypatch.chdir(tmp_path)
    return course.Run("cpu", 3, "tensorflow", "CPU")


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    return (random.normal(size=(60, 4)) + labels[:, None]).astype("float32"), labels


@pytest.fixture
def built():
    """The names of the networks in the order in which they are built."""
    return []


@pytest.fixture
def build(built):
    import keras
    from keras import layers

    def build_network(specification):
        built.append(specification["name"])
        hidden = [layers.Dense(units, activation="relu") for units in specification["units"]]
        output = layers.Dense(3, activation="softmax")
        network = keras.Sequential([keras.Input((4,)), *hidden, layers.Dropout(0.3), output])
        optimizer = keras.optimizers.SGD(specification.get("learning_rate", 1e-2))
        loss = "sparse_categorical_crossentropy"
        # Tracing takes longer than the steps of these networks.
        network.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=True)
        return network

    return build_network


SPECIFICATIONS = [
    {"name": "narrow", "units": [4]},
    {"name": "Two layers!", "units": [8, 4], "epochs": 1},
]


def train(run, build, data, specifications=SPECIFICATIONS, **options):
    options = {"epochs": 2, "batch_size": 60} | options
    return experiments.train_each(run, specifications, build, data, data, **options)


def measured(found):
    return [[getattr(result, name) for name in NAMES] for result in found]


def when_saved(count, action, seconds=60):
    """Call a function once `count` results are saved, while the next network trains."""

    def wait():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if len(list(Path("results").glob("*.json"))) >= count:
                return action()
            time.sleep(0.001)

    threading.Thread(target=wait, daemon=True).start()


def test_each_specification_is_trained_measured_and_shown_in_a_table(run, build, data, capsys):
    first, second = found = train(run, build, data)
    assert [result.name for result in found] == ["narrow", "Two layers!"]
    assert [result.parameters for result in found] == [35, 91]
    assert [result.epochs for result in found] == [2, 1]
    assert len(first.history["val_loss"]) == 2 and len(second.history["accuracy"]) == 1
    for result in found:
        probabilities = result.network.predict(data[0], verbose=0)
        fraction = float(np.mean(probabilities.argmax(1) == data[1]))
        # Without dropout both are equal, since training and validation set are the same here.
        assert result.training_accuracy == result.validation_accuracy == pytest.approx(fraction)
        assert 0 < result.seconds < 60
    capsys.readouterr()
    print(experiments.table(found, test_accuracy=[0.5, 0.25], depth=[1, 2]))
    table = capsys.readouterr().out.splitlines()
    assert table[0].split("  ")[0] == "network" and "test accuracy" in table[0]
    assert table[2].startswith("narrow") and table[2].endswith("50.0%      1")
    assert table[3].startswith("Two layers!") and "91" in table[3]
    assert experiments.best(found) in found


def test_the_same_call_again_trains_nothing_and_returns_equal_networks(run, build, data, capsys):
    found = train(run, build, data)
    output = capsys.readouterr().out
    again = train(run, build, data)
    assert measured(again) == measured(found)
    for one, other in zip(found, again, strict=True):
        assert one.seconds == other.seconds and one.network is not other.network
        for pair in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
            np.testing.assert_array_equal(*pair)
    assert "2 networks trained in " in output and "loaded" not in output
    assert "2 of them loaded from saved results" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "used"), [("int64", "int32"), ("uint8", "uint8"), ("float64", "float64")]
)
def test_integer_labels_have_at_most_32_bits(given, used):
    """Where JAX is the only backend, Keras prints a warning about 64: see make platforms."""
    split = np.zeros((3, 4)), np.arange(3).astype(given)
    found = TrainingData(split, split)
    assert found.training[1].dtype == found.validation[1].dtype == used
    assert found.training[1].tolist() == [0, 1, 2]


def test_a_network_does_not_depend_on_earlier_ones(run, build, data):
    alone = train(run, build, data, SPECIFICATIONS[1:])
    for path in Path("results").iterdir():
        path.unlink()
    assert measured(train(run, build, data)[1:]) == measured(alone)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 1},
        {"batch_size": 30},
        {"seed": 4},
        {"profile": "gpu"},
        {"backend": "jax"},
        {"labels": True},
        {"learning_rate": 1e-3},
        {"units": [5]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_anything_that_determines_the_result_trains_again(
    run, build, data, change, capsys
):
    narrow = SPECIFICATIONS[:1]
    train(run, build, data, narrow)
    capsys.readouterr()
    options = {key: change[key] for key in ("epochs", "batch_size") if key in change}
    if "labels" in change:
        data = data[0], (data[1] + 1) % 3
    if {"learning_rate", "units"} & change.keys():
        narrow = [narrow[0] | change]
    of_run = {key: change[key] for key in ("seed", "profile", "backend") if key in change}
    train(course.Run(**(vars(run) | of_run)), build, data, narrow, **options)
    assert "loaded" not in capsys.readouterr().out
    assert len(list(Path("results").iterdir())) == 4, "earlier results stay"


def test_a_network_with_other_initial_weights_is_trained_again(run, build, data, capsys):
    def start_elsewhere(specification):
        network = build(specification)
        network.set_weights([weight + 0.01 for weight in network.get_weights()])
        return network

    train(run, build, data, SPECIFICATIONS[:1])
    first = train(run, start_elsewhere, data, SPECIFICATIONS[:1])
    assert "loaded" not in capsys.readouterr().out
    again = train(run, start_elsewhere, data, SPECIFICATIONS[:1])
    assert "1 of them loaded" in capsys.readouterr().out
    assert measured(again) == measured(first)


def test_after_an_interrupt_the_same_call_continues(run, build, data, capsys):
    third = {"name": "long", "units": [4], "epochs": 100_000}
    when_saved(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught:
        train(run, build, data, [*SPECIFICATIONS, third])
    sentence = "2 of 3 networks are saved; run this cell again to continue."
    assert caught.value._render_traceback_() == [f"Interrupted: {sentence}"]
    assert "Interrupted: 2 of 3 networks are saved." in capsys.readouterr().out
    # Nothing of the third network is saved, neither on disk nor in memory.
    assert len(list(Path("results").iterdir())) == 4
    train(run, build, data, [*SPECIFICATIONS, third | {"epochs": 1}])
    assert "3 networks trained in" in (output := capsys.readouterr().out)
    assert "2 of them loaded from saved results" in output


KILLED = """
import os, signal, sys, threading, time
import numpy as np
sys.path.insert(0, sys.argv[1])
from tests.experiments.test_train import SPECIFICATIONS, when_saved
import course, keras
from course import experiments
from keras import layers

def build(specification):
    network = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network

data = np.ones((60, 4), "float32"), np.zeros(60, int)
long = sys.argv[2] == "long"
if long:
    when_saved(1, lambda: os.kill(os.getpid(), signal.SIGKILL))
second = {"name": "second", "epochs": 100_000 if long else 1}
run = course.Run("cpu", 0, "tensorflow", "CPU")
experiments.train_each(run, [{"name": "first"}, second], build, data, data, epochs=2)
"""


@pytest.mark.slow
def test_a_killed_session_loses_one_network(tmp_path):
    from tests.submissions import ROOT

    def session(length):
        command = [sys.executable, "-c", KILLED, str(ROOT), length]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert session("long").returncode == -signal.SIGKILL
    (saved,) = (tmp_path / "results").glob("*.json")
    assert json.loads(saved.read_text())["name"] == "first"
    ended = session("short")
    assert ended.returncode == 0, ended.stderr
    assert "2 networks trained in" in ended.stdout and "1 of them loaded" in ended.stdout


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_damaged_result_is_reported_and_trained_again(run, build, data, suffix, capsys, tmp_path):
    found = train(run, build, data)
    (path,) = (tmp_path / "results").glob(f"narrow-*{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    capsys.readouterr()
    assert measured(train(run, build, data)) == measured(found)
    output = capsys.readouterr().out
    assert "narrow" in output and "Cannot read" in output and "trained again" in output
    assert "1 of them loaded" in output
    assert path.read_bytes()[:20] == content[:20] and len(path.read_bytes()) >= len(content) - 50


def test_weights_of_another_network_are_reported_and_trained_again(
    run, build, data, capsys, tmp_path
):
    train(run, build, data)
    (narrow,) = (tmp_path / "results").glob("narrow-*.npz")
    (other,) = (tmp_path / "results").glob("two-layers-*.npz")
    narrow.write_bytes(other.read_bytes())
    capsys.readouterr()
    train(run, build, data)
    assert "trained again" in capsys.readouterr().out


def test_a_pickle_in_a_result_is_not_executed(run, build, data, capsys, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    train(run, build, data)
    (narrow,) = (tmp_path / "results").glob("narrow-*.npz")
    np.savez(narrow, weight_0=np.array([Trap()], dtype=object))
    train(run, build, data)
    assert not (tmp_path / "executed").exists()
    assert "trained again" in capsys.readouterr().out


def test_a_folder_that_is_not_writable_is_an_error(run, build, data, tmp_path):
    (tmp_path / "results").write_text("a file instead of a folder")
    with pytest.raises(
        CourseError, match=r"narrow-\w+\.json cannot be written \(.*\): free some space"
    ):
        train(run, build, data)


def test_the_smoke_profile_saves_in_memory_and_never_reads_a_file(build, data, run, capsys):
    smoke = course.Run("smoke", 0, "tensorflow", "CPU")
    train(smoke, build, data)
    assert not Path("results").exists()
    assert "loaded" not in capsys.readouterr().out
    train(smoke, build, data)
    assert "2 of them loaded" in capsys.readouterr().out


def test_a_smoke_run_trains_eagerly_and_restores_the_network(run, build, data):
    import keras

    trainings = []

    def recorded(specification):
        network = build(specification)
        network.run_eagerly = False
        fit = network.fit
        network.fit = lambda *data, **options: (
            trainings.append(network.run_eagerly) or fit(*data, **options)
        )
        return network

    for profile in ("smoke", "cpu"):
        each = replace(run, profile=profile, backend=keras.backend.backend())
        (result,) = train(each, recorded, data, [SPECIFICATIONS[0]])
        assert result.network.run_eagerly is False
    assert trainings == [True, False]


@pytest.mark.parametrize(
    ("specifications", "sentence"),
    [
        (
            [{"name": "wide", "head": object()}],
            "'head' of 'wide' is a value of type object, which cannot be saved",
        ),
        ([{"name": "wide", "rate": np.float32(0.1)}], "is a value of type float32"),
        ([], "the list of specifications is empty: write at least one"),
        ([{"units": [3]}], "specification 1 has no name: write it as a dict such as"),
        ([SPECIFICATIONS[0], {"name": " "}], "specification 2 has no name"),
        ([SPECIFICATIONS[0], "two layers"], "specification 2 has no name"),
        (
            [SPECIFICATIONS[0], SPECIFICATIONS[0]],
            "two specifications are called 'narrow': use a unique name for each",
        ),
        (
            [SPECIFICATIONS[0] | {"epochs": 0}],
            "epochs of 'narrow' must be an integer of 1 or greater, not 0",
        ),
        (
            [SPECIFICATIONS[0] | {"batch_size": 2.5}],
            "batch_size of 'narrow' must be an integer of 1 or greater, not 2.5",
        ),
    ],
)
def test_an_invalid_specification_is_an_error(run, build, data, specifications, sentence):
    with pytest.raises(CourseError, match=sentence):
        train(run, build, data, specifications)


def test_an_error_in_the_last_network_shows_before_the_first_is_trained(run, build, data, built):
    def forgetful(specification):
        network = build(specification)
        return network if specification["name"] == "narrow" else None

    with pytest.raises(
        CourseError, match="'Two layers!' is a value of type NoneType, not a Keras model: return"
    ):
        train(run, forgetful, data)
    assert not Path("results").exists()


@pytest.mark.parametrize("metrics", [None, [], ["mae"]])
def test_a_network_without_accuracy_metric_is_an_error(run, build, data, metrics):
    def other(specification):
        network = build(specification)
        network.compile("adam", "sparse_categorical_crossentropy", metrics=metrics)
        return network

    with pytest.raises(CourseError, match='is not compiled with metrics=\\["accuracy"\\]: compile'):
        train(run, other, data)


def test_the_best_of_no_results_is_an_error():
    with pytest.raises(CourseError, match="there are no results to choose from"):
        experiments.best([])


def test_arrays_that_differ_in_anything_have_different_fingerprints():
    array = np.arange(6, dtype="float32")
    others = [array + 1, array.astype("float64"), array.reshape(2, 3), array[::-1]]
    fingerprints = [store.fingerprint(each) for each in (array, *others)]
    assert len(set(fingerprints)) == 5
    assert store.fingerprint(array.copy()) == fingerprints[0]
    assert store.fingerprint("a", "b") != store.fingerprint("ab")


@pytest.mark.parametrize(
    ("colab", "mounted"), [(True, True), (True, False), (False, True), ("kaggle", True)]
)
def test_on_colab_results_are_saved_on_drive_if_it_is_mounted(
    run, build, data, tmp_path, monkeypatch, colab, mounted
):
    drive = tmp_path / "drive" / "MyDrive"
    if mounted:
        drive.mkdir(parents=True)
    monkeypatch.setattr(store, "DRIVE", drive)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    if colab == "kaggle":
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    if colab:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab-20260101")
    first = measured(train(run, build, data))
    expected = (
        drive / "cnn-course" / "results" if colab is True and mounted else tmp_path / "results"
    )
    assert len(list(expected.glob("*.json"))) == len(list(expected.glob("*.npz"))) == 2
    assert store.folder().resolve() == expected
    # The next session has another working directory and the same Drive.
    elsewhere = tmp_path / "next session"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert measured(train(run, build, data)) == first
    assert (elsewhere / "results").exists() is not (colab is True and mounted)


def test_a_saved_result_has_the_name_that_the_network_has_now(run, build, data):
    train(run, build, data, [{"name": "first", "units": [4]}])
    (again,) = train(run, build, data, [{"name": "second", "units": [4]}])
    assert again.name == again.specification["name"] == "second"
