import errno
import io
import json
import os
import random
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import course
from course import evidence, experiments, training
from course.errors import CourseError
from course.evidence import format
from course.instructor.grading.serialize import Deserializer, Serializer
from course.instructor.grading.value_placeholders import UnserializableValue

SPECIFICATIONS = [
    {"name": "III", "filters": [4], "normalized": True},
    {"name": "Two blocks!", "filters": [4, 6], "normalized": False, "epochs": 2},
]
IMAGE_COUNT = 60


def build(specification):
    import keras
    from keras import layers

    blocks = []
    for filters in specification["filters"]:
        blocks.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        if specification["normalized"]:
            blocks.append(layers.BatchNormalization(momentum=0.5))
        blocks += [layers.MaxPooling2D(), layers.Dropout(0.1)]
    output = layers.Dense(3, activation="softmax")
    network = keras.Sequential([keras.Input((8, 8, 1)), *blocks, layers.Flatten(), output])
    loss = "sparse_categorical_crossentropy"
    # Tracing takes longer than the steps of these networks.
    network.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"], run_eagerly=True)
    return network


@pytest.fixture(scope="module")
def data():
    noise = np.random.default_rng(0)
    labels = np.arange(IMAGE_COUNT) % 3
    images = noise.normal(size=(IMAGE_COUNT, 8, 8, 1)) + 0.4 * labels[:, None, None, None]
    return images.astype("float32"), labels


@pytest.fixture(scope="module")
def trained(data):
    """The results of `train_each`; tests must not change them."""
    smoke = course.Run("smoke", 3, "tensorflow", "CPU")
    return experiments.train_each(smoke, SPECIFICATIONS, build, data, data, epochs=5, batch_size=20)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run in the cpu profile, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return course.Run("cpu", 3, "tensorflow", "CPU")


@pytest.fixture
def folder(run, trained):
    """The evidence that an honest student submits."""
    evidence.save(run, trained, "III")
    return Path("evidence")


@pytest.fixture
def record(folder):
    return evidence.read()["metrics"]["III"]


def round_trip(value):
    """Serialize a value for the grader kernel and return it deserialized."""
    serializer = Serializer()
    node = json.loads(json.dumps(serializer.serialize(value)))
    return Deserializer(serializer.blocks).deserialize(node)


def read_in_time(folder="evidence", seconds=20):
    """Read within limits of time, which a pipe would exceed, and memory, which a zip bomb would."""
    found = []
    tracemalloc.start()
    thread = threading.Thread(target=lambda: found.append(evidence.read(folder)), daemon=True)
    thread.start()
    thread.join(seconds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found, "read blocks or raised an error"
    assert peak < 100 * 2**20
    assert list(round_trip(found[0])) == ["metrics", "weights", "problems"]
    return found[0]


def renamed(result, name, **changes):
    return replace(
        result, name=name, specification={**result.specification, "name": name}, **changes
    )


def test_saved_evidence_is_read_and_has_no_problems(run, trained, data, capsys):
    evidence.save(run, trained, "III")
    lines = capsys.readouterr().out.splitlines()
    path = Path("evidence").resolve()
    assert lines[0].startswith("2 experiments (") and lines[0].endswith(f" are in {path}.")
    assert "the weights of 'III' (" in lines[0] and "KB" in lines[0]
    assert lines[1] == "Submit this folder together with the notebook." and len(lines) == 2
    names = sorted(path.name for path in Path("evidence").iterdir())
    assert names == ["iii.json", "iii.npz", "two-blocks.json"]
    found = round_trip(evidence.read())
    assert found["problems"] == []
    assert list(found["metrics"]) == ["III", "Two blocks!"] and list(found["weights"]) == ["III"]
    for result, specification in zip(trained, SPECIFICATIONS, strict=True):
        record = found["metrics"][result.name]
        origin = {name: record[name] for name in ("profile", "seed", "backend", "device")}
        assert origin == vars(run)
        for name in ("parameters", "epochs", "seconds", "history", "validation_accuracy"):
            assert record[name] == getattr(result, name), name
        found_problems = evidence.find_metric_problems(
            record, specification, result.parameters, {"cpu": IMAGE_COUNT}
        )
        assert found_problems == []
    network, arrays = build(SPECIFICATIONS[0]), found["weights"]["III"]
    assert all(array.dtype == np.float16 for array in arrays)
    for array, weight in zip(arrays, trained[0].network.get_weights(), strict=True):
        np.testing.assert_allclose(array, weight, rtol=1e-3, atol=1e-7)
    record = found["metrics"]["III"]
    assert evidence.find_weight_problems(network, arrays, record) == []
    measured, problem = evidence.compare_accuracy(
        network, arrays, *data, record["validation_accuracy"], 1.5 / IMAGE_COUNT
    )
    assert problem is None and abs(measured - record["validation_accuracy"]) < 1.5 / IMAGE_COUNT


def test_the_smoke_profile_checks_everything_and_writes_no_file(folder, run, trained, capsys):
    smoke = course.Run("smoke", 3, "tensorflow", "CPU")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    capsys.readouterr()
    evidence.save(smoke, trained[1:], "Two blocks!")
    assert "The smoke profile saves no evidence" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with pytest.raises(CourseError, match="no experiment called 'IV'"):
        evidence.save(smoke, trained, "IV")
    too_large = replace(trained[0], network=Large(np.ones(2**23)))
    with pytest.raises(CourseError, match=r"'III' take 16\.1 MB as float16"):
        evidence.save(smoke, [too_large], "III")


def test_a_later_call_removes_the_files_of_an_earlier_one(folder, run, trained):
    (folder / "notes.txt").write_text("mine")
    (folder / ".iii.npz.part").write_text("from a killed session")
    evidence.save(run, trained[1:], "Two blocks!")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["notes.txt", "two-blocks.json", "two-blocks.npz"]
    found = evidence.read()
    assert found["problems"] == [] and list(found["weights"]) == ["Two blocks!"]


def test_each_name_has_its_own_file_in_the_folder(run, trained):
    names = ["III", "iii", "i.i.i", "I I I", "实验", "эксперимент", "../../III", "/", "a" * 60]
    names += ["a" * 61, "a\nb", "iii-2", "\ud800", "Ⅲ"]
    evidence.save(run, [renamed(trained[0], name) for name in names], "эксперимент")
    found = evidence.read()
    assert found["problems"] == []
    assert sorted(found["metrics"]) == sorted(names) and list(found["weights"]) == ["эксперимент"]
    files = [path.name for path in Path().rglob("*.json")]
    assert len({name.lower() for name in files}) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in files)
    assert [path.name for path in Path().iterdir()] == ["evidence"]


def test_a_full_disk_is_an_error_and_leaves_the_earlier_files(folder, run, trained, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(descriptor):
        os.truncate(descriptor, os.fstat(descriptor).st_size // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CourseError, match=r"cannot be written \(No space left on device\): free"):
        evidence.save(run, trained, "III")
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert evidence.read()["problems"] == []


def test_a_file_instead_of_the_folder_is_an_error(run, trained):
    Path("evidence").write_text("")
    with pytest.raises(
        CourseError, match=r"evidence cannot be written \(File exists\): free some space"
    ):
        evidence.save(run, trained, "III")


class Large:
    """A network that has only weights."""

    def __init__(self, *weights):
        self.weights = weights

    def get_weights(self):
        return list(self.weights)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([np.float32([1, 65520])], "'III' is larger than 65,504, the largest value of float16"),
        ([np.float32([1, -1e30])], "'III' is larger than 65,504, the largest value of float16"),
        (
            [np.float32([1, np.nan])],
            "of 'III' are not finite, because its training diverged: choose",
        ),
        (
            [np.float32([1, np.inf])],
            "of 'III' are not finite, because its training diverged: choose",
        ),
        (
            [np.ones(2**22 + 1, "float32")],
            "'III' take 8.1 MB as float16, more than the limit of 8.0 MB",
        ),
        ([np.ones(2**22, "float32"), np.ones(2**23, "float32")], "'III' take 24.1 MB as float16"),
    ],
    ids=["overflow", "far overflow", "NaN", "infinity", "too large", "three times too large"],
)
def test_weights_that_cannot_be_saved_are_an_error(run, trained, weights, sentence):
    results = [replace(trained[0], network=Large(*weights)), trained[1]]
    with pytest.raises(CourseError, match=sentence):
        evidence.save(run, results, "III")
    assert not Path("evidence").exists()
    # Another experiment can still be chosen.
    evidence.save(run, results, "Two blocks!")
    assert evidence.read()["problems"] == []


def test_scalars_and_weights_just_below_the_limit_are_saved(run, trained):
    weights = [np.float32(65504), np.asfortranarray(np.random.default_rng(0).random((2000, 2000)))]
    evidence.save(run, [replace(trained[0], network=Large(*weights))], "III")
    found = read_in_time()
    assert found["problems"] == []
    scalar, matrix = found["weights"]["III"]
    assert scalar.shape == () and scalar == 65504
    np.testing.assert_array_equal(matrix, weights[1].astype("float16"))


def test_an_invalid_list_of_experiments_is_an_error(run, trained):
    with pytest.raises(CourseError, match=r"no experiment called 'IV' .* one of 'III', 'Two bl"):
        evidence.save(run, trained, "IV")
    with pytest.raises(CourseError, match="called 'III': use a unique name for each"):
        evidence.save(run, [trained[0], *trained], "III")
    with pytest.raises(CourseError, match="the list of specifications is empty"):
        evidence.save(run, [], "III")
    for value in (len, np.float32(1), float("nan"), [[[[[[[[[[1]]]]]]]]]]):
        odd = replace(trained[0], specification={"name": "III", "odd": value})
        with pytest.raises(CourseError, match=r"of 'III' .*cannot be saved"):
            evidence.save(run, [odd], "III")
    assert not Path("evidence").exists()


def test_more_metrics_than_can_be_read_are_not_saved(run, trained):
    many = [renamed(trained[0], f"{number}") for number in range(101)]
    with pytest.raises(
        CourseError, match=r"^101 experiments .* exceed the limits of 100 experiments and 1"
    ):
        evidence.save(run, many, "0")
    evidence.save(run, many[:100], "0")
    assert len(evidence.read()["metrics"]) == 100 and evidence.read()["problems"] == []
    curve = np.random.default_rng(0).random(12_000).tolist()
    long = replace(trained[0], history=dict.fromkeys(trained[0].history, curve), epochs=12_000)
    with pytest.raises(CourseError, match=r"^1 experiments with 1\.\d MB of metrics exceed"):
        evidence.save(run, [long], "III")


def test_an_experiment_that_diverged_is_saved_and_named(run, trained):
    losses = [2.0, float("nan"), float("inf"), float("nan"), float("nan")]
    diverged = replace(trained[0], history=trained[0].history | {"loss": losses})
    evidence.save(run, [diverged, trained[1]], "Two blocks!")
    found = evidence.read()
    assert found["problems"] == []
    (sentence,) = find_problems(found["metrics"]["III"], trained)
    assert sentence.startswith("III: its loss of epoch 2 is not a finite number")
    assert "diverge" in sentence


# Invalid files in place of a record.


def of_text(text):
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def changed(old, new):
    def change(path):
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    return change


def sparse(path):
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-40])


def linked(path):
    elsewhere = path.replace(Path("elsewhere").resolve())
    path.symlink_to(elsewhere)


def dangling(path):
    path.unlink()
    path.symlink_to("/nowhere/at/all")


def replaced_by(make):
    def change(path):
        path.unlink()
        make(path)

    return change


PLAIN = [
    (truncated, "is damaged"),
    (of_text(""), "is damaged"),
    (sparse, "its size is 10,240.0 MB, more than"),
    (linked, "is not a regular file"),
    (dangling, "is not a regular file"),
    (replaced_by(Path.mkdir), "is not a regular file"),
    (replaced_by(os.mkfifo), "is not a regular file"),
    (lambda path: path.write_bytes(random.Random(0).randbytes(5000)), "is damaged"),
]
RECORDS = [
    *PLAIN,
    (changed('"seed": 3', '"seed": NaN'), "a value that is not finite"),
    (changed('"seed": 3', '"seed": -Infinity'), "a value that is not finite"),
    (changed('"seed": 3', '"seed": 1e999'), "a value that is not finite"),
    (changed('"seed": 3', f'"seed": {"3" * 5000}'), "is damaged"),
    (changed('"seed": 3', '"seed": 3, "seed": 4'), "duplicate key"),
    (changed('"seed": 3', f'"seed": {"[" * 30}{"]" * 30}'), "too deeply nested"),
    (of_text("[" * 100_000 + "]" * 100_000), "is damaged"),
    (of_text('{"a":' * 50_000 + "1" + "}" * 50_000), "is damaged"),
    (changed('"Two blocks!",\n "spec', '3,\n "spec'), "is not the record"),
    (of_text('["III"]'), "is not the record"),
    (of_text('"III"'), "is not the record"),
    (of_text("null"), "is not the record"),
    (of_text("{}"), "is not the record"),
    (of_text(b'{"name": "\xff\xfe"}'), "is damaged"),
    (of_text('{"name": "III"}'.encode("utf-16")), "is damaged"),
]


@pytest.mark.parametrize(("change", "reason"), RECORDS)
def test_an_invalid_record_is_reported_and_the_others_are_read(folder, change, reason):
    path = folder / "two-blocks.json"
    change(path)
    found = read_in_time()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence/two-blocks.json cannot be used (") and reason in sentence
    assert sentence.endswith("and submit the whole folder.")
    assert list(found["metrics"]) == list(found["weights"]) == ["III"]


def test_records_of_the_same_name_and_hidden_files_are_ignored(folder):
    (folder / "second.json").write_bytes((folder / "iii.json").read_bytes())
    (folder / "._iii.json").write_bytes(b"\0\5\x16\7")  # as macOS leaves them
    (folder / ".ipynb_checkpoints").mkdir()
    found = evidence.read()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence/second.json cannot be used (another file has")
    assert list(found["metrics"]) == ["III", "Two blocks!"]


def test_all_metrics_that_are_read_can_be_passed_to_the_grader(folder):
    bytes_left = 2**20 - sum(path.stat().st_size for path in folder.glob("*.json"))
    ones = '{"name": "ones", "numbers": ['
    ones += "1," * ((bytes_left - len(ones) - 4) // 2) + "1]}"
    (folder / "ones.json").write_text(ones)
    found = round_trip(evidence.read())
    assert found["problems"] == [] and len(found["metrics"]["ones"]["numbers"]) > 500_000
    (folder / "ones.json").write_text(ones + "   ")
    (sentence,) = evidence.read()["problems"]
    assert "two-blocks.json cannot be used (all records together are larger than 1.0" in sentence
    (folder / "ones.json").write_text(ones + " " * 2**20)
    found = evidence.read()
    assert "ones.json cannot be used (its size is 2.0 MB, more than 1.0 MB)" in found["problems"][0]
    assert list(found["metrics"]) == ["III", "Two blocks!"]


# Invalid files in place of the weights.


class Trap:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def of_arrays(save=np.savez, **arrays):
    return lambda path: save(path, **arrays)


def of_members(*members, compression=zipfile.ZIP_STORED):
    def change(path):
        with zipfile.ZipFile(path, "w", compression) as archive:
            for number, content in enumerate(members):
                archive.writestr(f"weight_{number}.npy", content)

    return change


def with_header(text, content=b"\0\0", version=(1, 0)):
    """Return an array as np.save writes it, with a given header."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode() + content


def of_shape(shape, kind="<f2", is_fortran_order=False):
    text = f"{{'descr': {kind!r}, 'fortran_order': {is_fortran_order}, 'shape': {shape}}}\n"
    return of_members(with_header(text))


def with_false_size(path):
    """Write an archive whose directory claims that its member has 4 GB."""
    of_members(with_header("{'descr': '<f2', 'fortran_order': False, 'shape': (1,)}\n"))(path)
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\1\2") + 20
    content[start : start + 8] = struct.pack("<II", 2**32 - 2, 2**32 - 2)
    path.write_bytes(content)


def overlapping(path):
    """Write an archive with 1,000 members that share one megabyte."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weight_0.npy", bytes(2**20))
        for number in range(1, 1000):
            member = zipfile.ZipInfo(f"weight_{number}.npy")
            member.file_size = member.compress_size = 2**20
            member.header_offset = member.CRC = 0
            archive.filelist.append(member)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 1000


def encrypted(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)


HALF = np.random.default_rng(0).random(1000).astype("float16")
INCOMPRESSIBLE = np.frombuffer(random.Random(0).randbytes(2000), "<f2")
WEIGHTS = [
    *PLAIN,
    (of_arrays(weight_0=np.array([Trap()], dtype=object)), "something other than float16"),
    (lambda path: path.write_bytes(b"cos\nmkdir\n(S'executed'\ntR."), "is damaged"),
    (of_arrays(weight_0=HALF.astype("float32")), "something other than float16"),
    (of_arrays(weight_0=HALF.view([("a", "<f2")])), "something other than float16"),
    (of_arrays(arr_0=HALF), "something other than weights"),
    (of_arrays(weight_1=HALF), "something other than weights"),
    (of_arrays(weight_0=HALF, **{"../up": HALF}), "something other than weights"),
    (lambda path: path.write_bytes(with_header("{}")), "is damaged"),
    (of_arrays(np.savez_compressed, weight_0=INCOMPRESSIBLE), "is compressed"),
    (
        of_arrays(np.savez_compressed, weight_0=np.zeros(2**25, "<f2")),
        "arrays would be larger than the file",
    ),
    (with_false_size, "arrays would be larger than the file"),
    (overlapping, "arrays would be larger than the file"),
    (encrypted, "is damaged"),
    (of_shape("(2,)"), "not have the size that it claims"),
    (of_shape("(1099511627776,)"), "not have the size that it claims"),
    (of_shape("()", kind="<f8"), "something other than float16"),
    (of_shape("(1,)", kind=">f2"), "something other than float16"),
    (of_shape("(1,)", is_fortran_order=True), "something other than float16"),
    (of_shape("(-1, -1)"), "is damaged"),
    (of_shape(f"({'1, ' * 70})"), "is damaged"),
    (of_shape("(1.0,)"), "is damaged"),
    (of_members(with_header("(" * 400)), "is damaged"),
    (of_members(with_header("-" * 60_000 + "1")), "is damaged"),
    (of_members(with_header("{}", version=(2, 0))), "something other than weights"),
    (of_members(b"", HALF.tobytes()), "is damaged"),
]


@pytest.mark.parametrize(("change", "reason"), WEIGHTS)
def test_invalid_weights_are_reported_and_the_records_are_read(folder, change, reason):
    change(folder / "iii.npz")
    found = read_in_time()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence/iii.npz cannot be used (") and reason in sentence
    assert found["weights"] == {} and list(found["metrics"]) == ["III", "Two blocks!"]
    assert not Path("executed").exists()


def test_the_pickle_of_these_tests_executes_code(run):
    file = io.BytesIO()
    np.savez(file, weight_0=np.array([Trap()], dtype=object))
    file.seek(0)
    with np.load(file, allow_pickle=True) as stored:
        _ = stored["weight_0"]
    assert Path("executed").is_dir()


def test_thousands_of_weights_are_read_but_do_not_fit(folder):
    empty = with_header("{'descr': '<f2', 'fortran_order': False, 'shape': (0,)}\n", b"")
    of_members(*[empty] * 3000)(folder / "iii.npz")
    arrays = round_trip(evidence.read())["weights"]["III"]
    assert len(arrays) == 3000
    (sentence,) = evidence.find_weight_problems(build(SPECIFICATIONS[0]), arrays)
    assert sentence.startswith("Weight 0, ") and "has the shape (0,)" in sentence


def test_weights_of_no_or_several_experiments_are_reported(folder):
    (folder / "two-blocks.npz").write_bytes((folder / "iii.npz").read_bytes())
    found = read_in_time()
    (sentence,) = found["problems"]
    assert "evidence cannot be used (it has 2 weights files instead of one)" in sentence
    assert found["weights"] == {}
    (folder / "iii.npz").unlink()
    (folder / "two-blocks.json").unlink()
    found = read_in_time()
    (sentence,) = found["problems"]
    assert "evidence/two-blocks.npz cannot be used (it has no readable record" in sentence
    (folder / "two-blocks.npz").unlink()
    (sentence,) = read_in_time()["problems"]
    assert "evidence cannot be used (it has no weights files instead of one)" in sentence


# Anything else in place of the folder.


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "it is not beside the notebook"),
        (Path.touch, "it is not a folder"),
        (os.mkfifo, "it is not a folder"),
        (lambda path: path.symlink_to(Path.cwd()), "it is not a folder"),
        (lambda path: path.symlink_to(path), "it is not a folder"),
        (Path.mkdir, "it has no weights files"),
    ],
    ids=["nothing", "file", "pipe", "link", "link to itself", "empty"],
)
def test_anything_but_a_folder_is_reported(run, make, reason):
    make(Path("evidence"))
    found = read_in_time()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence cannot be used (") and reason in sentence
    assert found["metrics"] == found["weights"] == {}


def test_thousands_of_files_are_reported_in_one_sentence(folder):
    for number in range(3000):
        (folder / f"{number}.json").write_text("{")
    found = read_in_time()
    (sentence,) = found["problems"]
    assert "evidence cannot be used (it has more than 200 files)" in sentence
    assert found["metrics"] == found["weights"] == {}


def test_names_of_files_and_experiments_are_printable_and_short(folder, trained):
    for name in (b"\xff\xfe.json", b"\x1b[31m.json", b"e" * 200 + b".json"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text("{")
    sentences = read_in_time()["problems"]
    assert len(sentences) == 3
    record = evidence.read()["metrics"]["III"]
    for value in ("\x1b[31m" * 10**5, "\ud800", "\u202e", "\n"):
        for key in ("name", "profile", "backend", "device"):
            sentences += find_problems(record | {key: value}, trained)
    sentences += find_problems(record | {"parameters": 10**1000, "epochs": 10**1000}, trained)
    assert len(sentences) > 20
    for sentence in sentences:
        assert sentence.isprintable() and len(sentence) < 300
        sentence.encode()


# Invented metrics.


def find_problems(record, trained, image_count=IMAGE_COUNT):
    return evidence.find_metric_problems(
        round_trip(record), SPECIFICATIONS[0], trained[0].parameters, {"cpu": image_count}
    )


def in_float32(*values):
    return [float(np.float32(value)) for value in values]


def with_curve(name, *values):
    return lambda record: record["history"].__setitem__(name, in_float32(*values))


def with_value(name, value):
    return lambda record: record.__setitem__(name, value)


def with_epoch(curve, value):
    return lambda record: record["history"][curve].__setitem__(1, value)


FORGED = [
    (with_value("name", "Two blocks!"), "the record is that of Two blocks!"),
    (with_value("specification", SPECIFICATIONS[1]), "specification is not the one to be trained"),
    (with_value("specification", SPECIFICATIONS[0] | {"more": 1}), "specification is not the one"),
    (with_value("profile", "smoke"), "in the profile smoke, not cpu or gpu"),
    (with_value("backend", "mine"), "no backend is called mine"),
    (with_value("device", "TPU"), "no device is called TPU"),
    (with_value("seed", -1), "its seed is not one"),
    (with_value("seed", 2**32), "its seed is not one"),
    (with_value("parameters", 10**6), "it has 1,000,000 parameters, but the network has "),
    (with_value("seconds", 0.0), "its seconds are not a positive"),
    (with_value("seconds", float("nan")), "its seconds are not a positive"),
    (with_value("key", "0" * 15), "its key is not one"),
    (with_value("key", "Z" * 16), "its key is not one"),
    (with_value("training_accuracy", 1.5), "its training_accuracy is not from 0 to 1"),
    (with_value("validation_accuracy", float("nan")), "validation_accuracy is not from 0 to 1"),
    (with_epoch("accuracy", 1.25), "its accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("val_accuracy", -0.5), "its val_accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("val_accuracy", 1), "its val_accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("accuracy", "0.5"), "its accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("loss", -0.5), "its loss of epoch 2 is not a finite number of at least 0"),
    (with_epoch("val_loss", float("inf")), "its val_loss of epoch 2 is not a finite number"),
    (with_epoch("val_loss", float("nan")), "its val_loss of epoch 2 is not a finite number"),
    (with_epoch("loss", 1e300), "its loss of epoch 2 is not a finite number"),
    (with_epoch("loss", 10**1000), "its loss of epoch 2 is not a finite number"),
    (with_epoch("loss", None), "did the training diverge?"),
    (with_curve("loss", 2, 1.5, 1.25, 1.125), "its loss has 4 values, not one per epoch"),
    (lambda record: record["history"]["val_accuracy"].append(0.5), "val_accuracy has 6 values"),
    (with_value("validation_accuracy", 0.0), "in the last epoch, but 0.0000 afterwards"),
    (with_epoch("accuracy", 0.85), "0.85 is not a float32 value, but all metrics of Keras"),
    (
        with_value("training_accuracy", 0.85),
        "0.85 is not a float32 value, but all metrics of Keras",
    ),
    (with_epoch("val_accuracy", float(np.float32(0.51))), "is impossible for 60 images"),
    (with_curve("loss", 0, 0, 0, 0, 0.25), "its loss is too small for so many wrong predictions"),
    (with_epoch("val_loss", 0.125), "its val_loss is too small for so many wrong predictions"),
    (with_curve("loss", 2, 2, 2, 2, 2), "its loss never changes"),
    (with_curve("val_loss", 2, 1.875, 1.75, 1.625, 1.5), "val_loss changes by the same amount"),
    (with_curve("accuracy", *[0.75] * 5), "its accuracy never changes"),
]


@pytest.mark.parametrize(("forge", "sentence"), FORGED)
def test_made_up_metrics_are_reported(record, trained, forge, sentence):
    assert find_problems(record, trained) == []
    forge(record)
    (problem,) = find_problems(record, trained)
    assert problem.startswith("III: ") and sentence in problem and problem.endswith(".")


def test_an_unspecified_number_of_epochs_is_reported(folder, trained):
    record = evidence.read()["metrics"]["Two blocks!"]
    specified = SPECIFICATIONS[1], trained[1].parameters
    assert evidence.find_metric_problems(record, *specified) == []
    record["epochs"] = 3
    for values in record["history"].values():
        values.append(values[-1])
    (sentence,) = evidence.find_metric_problems(record, *specified)
    assert sentence == "Two blocks!: it was trained for 3 epochs, not the specified number."


@pytest.mark.parametrize("name", [*format.FIELDS, *format.CURVES])
def test_a_field_that_is_missing_or_has_another_type_is_named(record, trained, name):
    parent = record if name in record else record["history"]
    found = parent.pop(name)
    others = [None, True, 1, 1.5, "text", [], {}, np.ones(3), np.float32(1), 1j, b""]
    for value in [value for value in others if type(value) is not type(found)]:
        (sentence,) = find_problems(record, trained)
        assert name in sentence and "cannot be read; submit the file that evidence.save" in sentence
        parent[name] = value
    (sentence,) = find_problems(record, trained)
    assert "cannot be read" in sentence


def nested(depth):
    return {"history": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        "III",
        [],
        {},
        [{}],
        UnserializableValue("a lambda"),
        np.ones(3),
        {1: 2},
        {(1, 2): 3},
        len,
    ],
    ids=repr,
)
def test_anything_but_a_record_is_reported(trained, value):
    for given in (value, {"history": value}, {"specification": value}, nested(90)):
        (sentence,) = evidence.find_metric_problems(given, SPECIFICATIONS[0], trained[0].parameters)
        if given is None:
            assert sentence == "III: no metrics were submitted."
        else:
            assert sentence.startswith("III: name, ") and len(sentence) < 400


# Invented weights.


@pytest.fixture
def arrays(folder):
    return evidence.read()["weights"]["III"]


def test_the_first_weight_that_does_not_fit_is_named(arrays, record):
    network = build(SPECIFICATIONS[0])
    assert evidence.find_weight_problems(network, arrays) == []

    def problem(other):
        (sentence,) = evidence.find_weight_problems(network, round_trip(other))
        return sentence

    assert "There are 7 weights, but the network has 8." in problem(arrays[:-1])
    assert "There are 9 weights, but the network has 8." in problem([*arrays, HALF])
    for number, weight in enumerate(network.weights):
        others = [array.copy() for array in arrays]
        others[number] = others[number][..., :-1]
        others[-1] = others[-1][:0]
        sentence = problem(others)
        assert sentence.startswith(f"Weight {number}, {weight.path}, has the shape (")
        assert f", not {tuple(weight.shape)}." in sentence
        others = [array.copy() for array in arrays]
        others[number] = others[number].astype("float64")
        assert (
            problem(others) == f"Weight {number}, {weight.path}, has the type float64, not float16."
        )
        for value in (np.nan, np.inf):
            others = [array.copy() for array in arrays]
            others[number].flat[-1] = value
            assert problem(others).endswith(f"{weight.path}, has values that are not finite.")
    for value in (None, 1, "text", {}, (), [1], [None] * 8, [[1.0]] * 8, HALF, [*arrays[:-1], 1.0]):
        assert "are not a list of arrays" in problem(value)
    assert "There are 0 weights" in problem([])


def test_the_key_shows_if_metrics_or_weights_were_changed(arrays, folder):
    network, found = build(SPECIFICATIONS[0]), evidence.read()
    record = found["metrics"]["III"]
    assert evidence.find_weight_problems(network, round_trip(arrays), round_trip(record)) == []
    better = json.loads(json.dumps(record))
    better["history"]["val_accuracy"][-1] += 1 / IMAGE_COUNT
    others = [array.copy() for array in arrays]
    others[3].flat[0] += np.float16(0.5)
    pairs = [(arrays, better), (others, record), (arrays, found["metrics"]["Two blocks!"])]
    for weights, metrics in [
        *pairs,
        (arrays, {}),
        (arrays, "III"),
        (arrays, UnserializableValue("x")),
    ]:
        (sentence,) = evidence.find_weight_problems(network, weights, metrics)
        assert "are not from one training run, or were changed afterwards" in sentence


def test_the_stated_accuracy_is_compared_with_that_of_the_weights(arrays, data):
    network = build(SPECIFICATIONS[0])
    images, labels = data

    def compare(stated, *tolerance, weights=arrays):
        return evidence.compare_accuracy(network, weights, images, labels, stated, *tolerance)

    measured, problem = compare(0.0)
    rounded = build(SPECIFICATIONS[0])
    rounded.set_weights([array.astype("float32") for array in arrays])
    assert measured == pytest.approx(training.accuracy(rounded.predict(images, verbose=0), labels))
    assert measured > 0.5, "it has learned something"
    assert (
        problem == f"The weights have an accuracy of {measured:.4f}; the stated accuracy is 0.0000."
    )
    for stated in (measured, measured + 0.004, measured - 0.004):
        assert compare(stated) == (measured, None)
    for stated in (measured + 0.006, measured - 0.006, float("nan")):
        assert compare(stated)[1].endswith(
            f"of {measured:.4f}; the stated accuracy is {stated:.4f}."
        )
    assert compare(measured + 0.006, 0.01) == (measured, None)
    for stated in (None, "0.9", np.float32(measured)):
        assert compare(stated)[1].endswith("the stated accuracy is not a number.")
    fresh = [array.astype("float16") for array in build(SPECIFICATIONS[0]).get_weights()]
    assert compare(measured, weights=fresh)[0] < measured
    assert compare(measured, weights=arrays[:-1]) == (
        None,
        "There are 7 weights, but the network has 8.",
    )


@pytest.mark.parametrize("last", ["softmax", None])
def test_the_accuracy_is_measured_for_all_forms_of_images_and_labels(last):
    import keras

    random = np.random.default_rng(3)
    images = random.integers(0, 256, (60, 6, 8, 3), "uint8")
    labels = random.integers(0, 4, 60)
    keras.utils.set_random_seed(3)
    rescale = keras.layers.Rescaling(1 / 16)
    output = keras.layers.Dense(4, activation=last)
    network = keras.Sequential(
        [keras.Input((6, 8, 3)), rescale, keras.layers.Flatten(), output]
    )  # not even compiled
    outputs, flipped = (
        network.predict(each.astype("float32"), verbose=0) for each in (images, images[:, :, ::-1])
    )
    expected = training.accuracy(outputs, labels)
    forms = (labels, labels[:, None], np.eye(4, dtype="float32")[labels])
    assert [evidence.measure_accuracy(network, images, form) for form in forms] == [expected] * 3
    if last is None:
        outputs, flipped = (keras.ops.softmax(each).numpy() for each in (outputs, flipped))
    means = (outputs + flipped) / 2
    assert (means.argmax(axis=1) != outputs.argmax(axis=1)).any()
    assert evidence.measure_accuracy(network, images, labels, flips=True) == training.accuracy(
        means, labels
    )
    halves = [weight.astype("float16") for weight in network.get_weights()]
    assert evidence.compare_accuracy(network, halves, images, forms[2], expected, 0.05)[1] is None


def test_students_with_the_same_weights_are_grouped(arrays):
    zeros = [np.zeros(3, "float16")]
    evidences = {
        "ada": arrays,
        "bob": [array.copy() for array in arrays],
        "cyd": [array.astype("float32") * np.float32(1 + 1e-6) for array in arrays],
        "dan": [array + np.float16(0.01) for array in arrays],
        "eve": zeros,
        "fay": [-zeros[0]],
        "gus": [zeros[0].reshape(3, 1)],
        "hal": [],
        "ivy": [],
        "jon": None,
        "kim": arrays[:-1],
        "lee": [np.full(3, 1e30)],
    }
    fingerprints = {
        student: evidence.weights_fingerprint(each) if each else None
        for student, each in evidences.items()
    }
    assert evidence.group_by_fingerprint(fingerprints) == [["ada", "bob", "cyd"], ["eve", "fay"]]
    assert evidence.group_by_fingerprint({}) == evidence.group_by_fingerprint({"ada": "0"}) == []


def test_the_module_imports_without_keras():
    code = "import sys, course.evidence; print([m for m in sys.modules if m.startswith('keras')])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "[]\n", ended.stderr


def accept(configuration):
    if configuration["filters"] != [4]:
        raise CourseError("filters must be [4].")


def entry_of(submitted, seconds=600):
    return evidence.find_entry(
        submitted, "III", accept, image_counts={"cpu": IMAGE_COUNT}, budget={"CPU": seconds}
    )


def test_an_experiment_of_the_students_own_has_no_problems(folder, trained):
    record, weights, problems = entry_of(evidence.read())
    assert problems == []
    assert record["specification"] == SPECIFICATIONS[0]
    assert sum(each.size for each in weights) == trained[0].parameters


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"validation_accuracy": 0.9125}, "were changed afterwards"),
        ({"seconds": 12.5}, "were changed afterwards"),
        ({"seconds": 3601.5}, "its training took 3602 s, more than the budget of 600 s"),
        ({"profile": "smoke"}, "it was trained in the profile smoke"),
        ({"parameters": 7}, "it has 7 parameters"),
        ({"specification": SPECIFICATIONS[0] | {"filters": [5]}}, "filters must be [4]."),
        ({"specification": {}}, "KeyError"),
    ],
    ids=str,
)
def test_a_change_of_the_students_own_experiment_is_named(folder, change, sentence):
    submitted = evidence.read()
    record = submitted["metrics"]["III"] | change
    if "were changed" not in sentence:  # a careful forger computes the key again
        record["key"] = format.record_key(record, submitted["weights"]["III"])
    submitted["metrics"]["III"] = record
    *_, problems = entry_of(submitted)
    assert any(sentence in each for each in problems), problems


@pytest.mark.parametrize("part", ["metrics", "weights"])
def test_a_missing_experiment_of_the_students_own_is_a_problem(folder, part):
    submitted = evidence.read()
    submitted[part] = {}
    *_, problems = entry_of(submitted)
    assert problems == ["There are no metrics and weights of III."]
