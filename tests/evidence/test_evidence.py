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
from course.instructor.grading.placeholders import UnserializableValue
from course.instructor.grading.serialize import Serializer, Deserializer

MINE = [
    {"name": "III", "filters": [4], "normalised": True},
    {"name": "Two blocks!", "filters": [4, 6], "normalised": False, "epochs": 2},
]
PICTURES = 60


def build(specification):
    import keras
    from keras import layers

    blocks = []
    for filters in specification["filters"]:
        blocks.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        if specification["normalised"]:
            blocks.append(layers.BatchNormalization(momentum=0.5))
        blocks += [layers.MaxPooling2D(), layers.Dropout(0.1)]
    output = layers.Dense(3, activation="softmax")
    network = keras.Sequential([keras.Input((8, 8, 1)), *blocks, layers.Flatten(), output])
    loss = "sparse_categorical_crossentropy"
    # Tracing takes longer than these networks' steps.
    network.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"], run_eagerly=True)
    return network


@pytest.fixture(scope="module")
def pictures():
    noise = np.random.default_rng(0)
    labels = np.arange(PICTURES) % 3
    images = noise.normal(size=(PICTURES, 8, 8, 1)) + 0.4 * labels[:, None, None, None]
    return images.astype("float32"), labels


@pytest.fixture(scope="module")
def trained(pictures):
    """What `train_each` returns; nothing may change it."""
    smoke = course.Run("smoke", 3, "tensorflow", "CPU")
    return experiments.train_each(smoke, MINE, build, pictures, pictures, epochs=5, batch_size=20)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run on real data, as far as it knows, beside whose notebook nothing lies."""
    monkeypatch.chdir(tmp_path)
    return course.Run("cpu", 3, "tensorflow", "CPU")


@pytest.fixture
def folder(run, trained):
    """What an honest student hands in."""
    evidence.hand_in(run, trained, "III")
    return Path("evidence")


@pytest.fixture
def record(folder):
    return evidence.read()["metrics"]["III"]


def across(value):
    """Return what comes out of the grader's end."""
    serializer = Serializer()
    node = json.loads(json.dumps(serializer.serialize(value)))
    return Deserializer(serializer.blocks).deserialize(node)


def read_in_time(folder="evidence", seconds=20):
    """Read within limits of time, which a pipe would outlast, and of memory, as a bomb would."""
    found = []
    tracemalloc.start()
    thread = threading.Thread(target=lambda: found.append(evidence.read(folder)), daemon=True)
    thread.start()
    thread.join(seconds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found, "read waits or raised"
    assert peak < 100 * 2**20
    assert list(across(found[0])) == ["metrics", "weights", "problems"]
    return found[0]


def named(result, name, **changes):
    return replace(
        result, name=name, specification={**result.specification, "name": name}, **changes
    )


def test_what_is_handed_in_is_read_again_and_has_no_problems(run, trained, pictures, capsys):
    evidence.hand_in(run, trained, "III")
    said = capsys.readouterr().out.splitlines()
    place = Path("evidence").resolve()
    assert said[0].startswith("2 experiments (") and said[0].endswith(f" are in {place}.")
    assert "the weights of 'III' (" in said[0] and "KB" in said[0]
    assert said[1] == "Hand in this folder together with the notebook." and len(said) == 2
    names = sorted(path.name for path in Path("evidence").iterdir())
    assert names == ["iii.json", "iii.npz", "two-blocks.json"]
    found = across(evidence.read())
    assert found["problems"] == []
    assert list(found["metrics"]) == ["III", "Two blocks!"] and list(found["weights"]) == ["III"]
    for result, specification in zip(trained, MINE, strict=True):
        record = found["metrics"][result.name]
        sent = {name: record[name] for name in ("profile", "seed", "backend", "device")}
        assert sent == vars(run)
        for name in ("parameters", "epochs", "seconds", "history", "validation_accuracy"):
            assert record[name] == getattr(result, name), name
        judged = evidence.problems_of_metrics(
            record, specification, result.parameters, {"cpu": PICTURES}
        )
        assert judged == []
    network, arrays = build(MINE[0]), found["weights"]["III"]
    assert all(array.dtype == np.float16 for array in arrays)
    for array, weight in zip(arrays, trained[0].network.get_weights(), strict=True):
        np.testing.assert_allclose(array, weight, rtol=1e-3, atol=1e-7)
    record = found["metrics"]["III"]
    assert evidence.problems_of_weights(network, arrays, record) == []
    measured, problem = evidence.claimed_and_measured(
        network, arrays, *pictures, record["validation_accuracy"], 1.5 / PICTURES
    )
    assert problem is None and abs(measured - record["validation_accuracy"]) < 1.5 / PICTURES


def test_the_smoke_profile_checks_everything_and_touches_no_file(folder, run, trained, capsys):
    smoke = course.Run("smoke", 3, "tensorflow", "CPU")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    capsys.readouterr()
    evidence.hand_in(smoke, trained[1:], "Two blocks!")
    assert "The smoke profile hands in nothing" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with pytest.raises(CourseError, match="no experiment called 'IV'"):
        evidence.hand_in(smoke, trained, "IV")
    too_large = replace(trained[0], network=Large(np.ones(2**23)))
    with pytest.raises(CourseError, match=r"'III' take 16\.1 MB as float16"):
        evidence.hand_in(smoke, [too_large], "III")


def test_a_later_call_leaves_nothing_of_the_earlier_one(folder, run, trained):
    (folder / "notes.txt").write_text("mine")
    (folder / "iii.npz.part").write_text("from a session that was killed")
    evidence.hand_in(run, trained[1:], "Two blocks!")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["notes.txt", "two-blocks.json", "two-blocks.npz"]
    found = evidence.read()
    assert found["problems"] == [] and list(found["weights"]) == ["Two blocks!"]


def test_no_name_takes_the_file_of_another_or_leaves_the_folder(run, trained):
    names = ["III", "iii", "i.i.i", "I I I", "实验", "эксперимент", "../../III", "/", "a" * 60]
    names += ["a" * 61, "a\nb", "iii-2", "\ud800", "Ⅲ"]
    evidence.hand_in(run, [named(trained[0], name) for name in names], "эксперимент")
    found = evidence.read()
    assert found["problems"] == []
    assert sorted(found["metrics"]) == sorted(names) and list(found["weights"]) == ["эксперимент"]
    files = [path.name for path in Path().rglob("*.json")]
    assert len({name.lower() for name in files}) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in files)
    assert [path.name for path in Path().iterdir()] == ["evidence"]


def test_a_full_disk_is_told_and_leaves_the_files_that_were_there(
    folder, run, trained, monkeypatch
):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write = Path.write_bytes

    def half(path, content):
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(CourseError, match=r"cannot be written \(No space left on device\): make"):
        evidence.hand_in(run, trained, "III")
    assert before.items() <= {path.name: path.read_bytes() for path in folder.iterdir()}.items()
    assert evidence.read()["problems"] == []


def test_a_file_in_place_of_the_folder_is_told(run, trained):
    Path("evidence").write_text("")
    with pytest.raises(
        CourseError, match=r"handed in cannot be written \(File exists\): make room"
    ):
        evidence.hand_in(run, trained, "III")


class Large:
    """A network that has nothing but weights."""

    def __init__(self, *weights):
        self.weights = weights

    def get_weights(self):
        return list(self.weights)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([np.float32([1, 65520])], "'III' is larger than 65,504, the largest number of float16"),
        ([np.float32([1, -1e30])], "'III' is larger than 65,504, the largest number of float16"),
        ([np.float32([1, np.nan])], "of 'III' are not finite, since its training diverged: choose"),
        ([np.float32([1, np.inf])], "of 'III' are not finite, since its training diverged: choose"),
        ([np.ones(2**22 + 1, "float32")], "'III' take 8.1 MB as float16, more than the 8.0 MB"),
        ([np.ones(2**22, "float32"), np.ones(2**23, "float32")], "'III' take 24.1 MB as float16"),
    ],
    ids=["overflow", "far overflow", "NaN", "infinity", "too large", "three times too large"],
)
def test_weights_that_cannot_be_handed_in_are_told(run, trained, weights, sentence):
    results = [replace(trained[0], network=Large(*weights)), trained[1]]
    with pytest.raises(CourseError, match=sentence):
        evidence.hand_in(run, results, "III")
    assert not Path("evidence").exists()
    # Whoever chooses another experiment can hand in.
    evidence.hand_in(run, results, "Two blocks!")
    assert evidence.read()["problems"] == []


def test_weights_that_just_fit_and_scalars_come_back(run, trained):
    weights = [np.float32(65504), np.asfortranarray(np.random.default_rng(0).random((2000, 2000)))]
    evidence.hand_in(run, [replace(trained[0], network=Large(*weights))], "III")
    found = read_in_time()
    assert found["problems"] == []
    scalar, matrix = found["weights"]["III"]
    assert scalar.shape == () and scalar == 65504
    np.testing.assert_array_equal(matrix, weights[1].astype("float16"))


def test_what_is_no_list_of_experiments_is_told(run, trained):
    with pytest.raises(CourseError, match=r"no experiment called 'IV' .* one of 'III', 'Two bl"):
        evidence.hand_in(run, trained, "IV")
    with pytest.raises(CourseError, match="called 'III': give each its own name"):
        evidence.hand_in(run, [trained[0], *trained], "III")
    with pytest.raises(CourseError, match="the list of specifications is empty"):
        evidence.hand_in(run, [], "III")
    for value in (len, np.float32(1), float("nan"), [[[[[[[[[[1]]]]]]]]]]):
        odd = replace(trained[0], specification={"name": "III", "odd": value})
        with pytest.raises(CourseError, match="specification of 'III' cannot be written down"):
            evidence.hand_in(run, [odd], "III")
    assert not Path("evidence").exists()


def test_more_numbers_than_can_be_read_are_not_handed_in(run, trained):
    many = [named(trained[0], f"{number}") for number in range(101)]
    with pytest.raises(CourseError, match=r"^101 experiments .* than can be handed in, 100 and 1"):
        evidence.hand_in(run, many, "0")
    evidence.hand_in(run, many[:100], "0")
    assert len(evidence.read()["metrics"]) == 100 and evidence.read()["problems"] == []
    curve = np.random.default_rng(0).random(12_000).tolist()
    long = replace(trained[0], history=dict.fromkeys(trained[0].history, curve), epochs=12_000)
    with pytest.raises(CourseError, match=r"^1 experiments with 1\.\d MB of numbers are more"):
        evidence.hand_in(run, [long], "III")


def test_an_experiment_that_diverged_is_handed_in_and_named(run, trained):
    losses = [2.0, float("nan"), float("inf"), float("nan"), float("nan")]
    diverged = replace(trained[0], history=trained[0].history | {"loss": losses})
    evidence.hand_in(run, [diverged, trained[1]], "Two blocks!")
    found = evidence.read()
    assert found["problems"] == []
    (sentence,) = judge(found["metrics"]["III"], trained)
    assert sentence.startswith("III: its loss of epoch 2 is not a finite number")
    assert "diverge" in sentence


# What may lie where a file of numbers should.


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


def nowhere(path):
    path.unlink()
    path.symlink_to("/nowhere/at/all")


def in_place(make):
    def change(path):
        path.unlink()
        make(path)

    return change


PLAIN = [
    (truncated, "is damaged"),
    (of_text(""), "is damaged"),
    (sparse, "it takes 10,240.0 MB, more than"),
    (linked, "is no plain file"),
    (nowhere, "is no plain file"),
    (in_place(Path.mkdir), "is no plain file"),
    (in_place(os.mkfifo), "is no plain file"),
    (lambda path: path.write_bytes(random.Random(0).randbytes(5000)), "is damaged"),
]
NUMBERS = [
    *PLAIN,
    (changed('"seed": 3', '"seed": NaN'), "a number that is not finite"),
    (changed('"seed": 3', '"seed": -Infinity'), "a number that is not finite"),
    (changed('"seed": 3', '"seed": 1e999'), "a number that is not finite"),
    (changed('"seed": 3', f'"seed": {"3" * 5000}'), "is damaged"),
    (changed('"seed": 3', '"seed": 3, "seed": 4'), "stands in it twice"),
    (changed('"seed": 3', f'"seed": {"[" * 30}{"]" * 30}'), "too deeply nested"),
    (of_text("[" * 100_000 + "]" * 100_000), "is damaged"),
    (of_text('{"a":' * 50_000 + "1" + "}" * 50_000), "is damaged"),
    (changed('"Two blocks!",\n "spec', '3,\n "spec'), "is no record"),
    (of_text('["III"]'), "is no record"),
    (of_text('"III"'), "is no record"),
    (of_text("null"), "is no record"),
    (of_text("{}"), "is no record"),
    (of_text(b'{"name": "\xff\xfe"}'), "is damaged"),
    (of_text('{"name": "III"}'.encode("utf-16")), "is damaged"),
]


@pytest.mark.parametrize(("change", "reason"), NUMBERS)
def test_numbers_that_were_not_handed_in_so_are_told_and_the_others_read(folder, change, reason):
    path = folder / "two-blocks.json"
    change(path)
    found = read_in_time()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence/two-blocks.json cannot be used (") and reason in sentence
    assert sentence.endswith("and hand in the whole folder.")
    assert list(found["metrics"]) == list(found["weights"]) == ["III"]


def test_numbers_of_a_known_name_and_hidden_files_change_nothing(folder):
    (folder / "second.json").write_bytes((folder / "iii.json").read_bytes())
    (folder / "._iii.json").write_bytes(b"\0\5\x16\7")  # as macOS leaves them
    (folder / ".ipynb_checkpoints").mkdir()
    found = evidence.read()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence/second.json cannot be used (another file has")
    assert list(found["metrics"]) == ["III", "Two blocks!"]


def test_as_many_numbers_as_are_read_can_be_handed_to_the_grader(folder):
    room = 2**20 - sum(path.stat().st_size for path in folder.glob("*.json"))
    ones = '{"name": "ones", "numbers": ['
    ones += "1," * ((room - len(ones) - 4) // 2) + "1]}"
    (folder / "ones.json").write_text(ones)
    found = across(evidence.read())
    assert found["problems"] == [] and len(found["metrics"]["ones"]["numbers"]) > 500_000
    (folder / "ones.json").write_text(ones + "   ")
    (sentence,) = evidence.read()["problems"]
    assert "two-blocks.json cannot be used (all numbers together take more than 1.0" in sentence
    (folder / "ones.json").write_text(ones + " " * 2**20)
    found = evidence.read()
    assert "ones.json cannot be used (it takes 2.0 MB, more than 1.0 MB)" in found["problems"][0]
    assert list(found["metrics"]) == ["III", "Two blocks!"]


# What may lie where the file of weights should.


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def of_arrays(save=np.savez, **arrays):
    return lambda path: save(path, **arrays)


def of_members(*members, compression=zipfile.ZIP_STORED):
    def change(path):
        with zipfile.ZipFile(path, "w", compression) as archive:
            for number, content in enumerate(members):
                archive.writestr(f"weight_{number}.npy", content)

    return change


def with_header(text, content=b"\0\0", version=(1, 0)):
    """Return an array as np.save writes it, with a header of one's own."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text.encode() + content


def of_shape(shape, kind="<f2", by_columns=False):
    text = f"{{'descr': {kind!r}, 'fortran_order': {by_columns}, 'shape': {shape}}}\n"
    return of_members(with_header(text))


def that_lies(path):
    """Write an archive whose directory says of its member that it has 4 GB."""
    of_members(with_header("{'descr': '<f2', 'fortran_order': False, 'shape': (1,)}\n"))(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\1\2") + 20
    content[place : place + 8] = struct.pack("<II", 2**32 - 2, 2**32 - 2)
    path.write_bytes(content)


def overlapping(path):
    """Write an archive of 1,000 members that all are the same megabyte."""
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
DENSE = np.frombuffer(random.Random(0).randbytes(2000), "<f2")  # nothing makes it smaller
WEIGHTS = [
    *PLAIN,
    (of_arrays(weight_0=np.array([Trap()], dtype=object)), "something else than float16"),
    (lambda path: path.write_bytes(b"cos\nmkdir\n(S'sprung'\ntR."), "is damaged"),
    (of_arrays(weight_0=HALF.astype("float32")), "something else than float16"),
    (of_arrays(weight_0=HALF.view([("a", "<f2")])), "something else than float16"),
    (of_arrays(arr_0=HALF), "something else than weights"),
    (of_arrays(weight_1=HALF), "something else than weights"),
    (of_arrays(weight_0=HALF, **{"../up": HALF}), "something else than weights"),
    (lambda path: path.write_bytes(with_header("{}")), "is damaged"),
    (of_arrays(np.savez_compressed, weight_0=DENSE), "is compressed"),
    (of_arrays(np.savez_compressed, weight_0=np.zeros(2**25, "<f2")), "would unpack to more"),
    (that_lies, "would unpack to more"),
    (overlapping, "would unpack to more"),
    (encrypted, "is damaged"),
    (of_shape("(2,)"), "not the size that it claims"),
    (of_shape("(1099511627776,)"), "not the size that it claims"),
    (of_shape("()", kind="<f8"), "something else than float16"),
    (of_shape("(1,)", kind=">f2"), "something else than float16"),
    (of_shape("(1,)", by_columns=True), "something else than float16"),
    (of_shape("(-1, -1)"), "is damaged"),
    (of_shape(f"({'1, ' * 70})"), "is damaged"),
    (of_shape("(1.0,)"), "is damaged"),
    (of_members(with_header("(" * 400)), "is damaged"),
    (of_members(with_header("-" * 60_000 + "1")), "is damaged"),
    (of_members(with_header("{}", version=(2, 0))), "something else than weights"),
    (of_members(b"", HALF.tobytes()), "is damaged"),
]


@pytest.mark.parametrize(("change", "reason"), WEIGHTS)
def test_weights_that_were_not_handed_in_so_are_told_and_the_numbers_read(folder, change, reason):
    change(folder / "iii.npz")
    found = read_in_time()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence/iii.npz cannot be used (") and reason in sentence
    assert found["weights"] == {} and list(found["metrics"]) == ["III", "Two blocks!"]
    assert not Path("sprung").exists()


def test_a_trap_is_one(run):
    file = io.BytesIO()
    np.savez(file, weight_0=np.array([Trap()], dtype=object))
    file.seek(0)
    with np.load(file, allow_pickle=True) as stored:
        _ = stored["weight_0"]
    assert Path("sprung").is_dir()


def test_thousands_of_weights_are_read_and_do_not_fit(folder):
    empty = with_header("{'descr': '<f2', 'fortran_order': False, 'shape': (0,)}\n", b"")
    of_members(*[empty] * 3000)(folder / "iii.npz")
    arrays = across(evidence.read())["weights"]["III"]
    assert len(arrays) == 3000
    (sentence,) = evidence.problems_of_weights(build(MINE[0]), arrays)
    assert sentence.startswith("Weight 0, ") and "has the shape (0,)" in sentence


def test_weights_of_none_or_of_several_experiments_are_told(folder):
    (folder / "two-blocks.npz").write_bytes((folder / "iii.npz").read_bytes())
    found = read_in_time()
    (sentence,) = found["problems"]
    assert "evidence cannot be used (it holds 2 files of weights instead of one)" in sentence
    assert found["weights"] == {}
    (folder / "iii.npz").unlink()
    (folder / "two-blocks.json").unlink()
    found = read_in_time()
    (sentence,) = found["problems"]
    assert "evidence/two-blocks.npz cannot be used (there are no numbers" in sentence
    (folder / "two-blocks.npz").unlink()
    (sentence,) = read_in_time()["problems"]
    assert "evidence cannot be used (it holds no files of weights instead of one)" in sentence


# What may lie where the folder should.


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "it is not beside the notebook"),
        (Path.touch, "it is no folder"),
        (os.mkfifo, "it is no folder"),
        (lambda path: path.symlink_to(Path.cwd()), "it is no folder"),
        (lambda path: path.symlink_to(path), "it is no folder"),
        (Path.mkdir, "it holds no files of weights"),
    ],
    ids=["nothing", "file", "pipe", "link", "link to itself", "empty"],
)
def test_a_folder_that_is_none_is_told(run, make, reason):
    make(Path("evidence"))
    found = read_in_time()
    (sentence,) = found["problems"]
    assert sentence.startswith("evidence cannot be used (") and reason in sentence
    assert found["metrics"] == found["weights"] == {}


def test_thousands_of_files_are_told_in_one_sentence(folder):
    for number in range(3000):
        (folder / f"{number}.json").write_text("{")
    found = read_in_time()
    (sentence,) = found["problems"]
    assert "evidence cannot be used (it holds more than 200 files)" in sentence
    assert found["metrics"] == found["weights"] == {}


def test_names_of_files_and_experiments_can_be_printed_and_are_short(folder, trained):
    for name in (b"\xff\xfe.json", b"\x1b[31m.json", b"e" * 200 + b".json"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text("{")
    sentences = read_in_time()["problems"]
    assert len(sentences) == 3
    record = evidence.read()["metrics"]["III"]
    for value in ("\x1b[31m" * 10**5, "\ud800", "\u202e", "\n"):
        for key in ("name", "profile", "backend", "device"):
            sentences += judge(record | {key: value}, trained)
    sentences += judge(record | {"parameters": 10**4000, "epochs": 10**4000}, trained)
    assert len(sentences) > 20
    for sentence in sentences:
        assert sentence.isprintable() and len(sentence) < 300
        sentence.encode()


# Numbers that somebody made up.


def judge(record, trained, pictures=PICTURES):
    return evidence.problems_of_metrics(
        across(record), MINE[0], trained[0].parameters, {"cpu": pictures}
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
    (with_value("name", "Two blocks!"), "the record is of Two blocks!"),
    (with_value("specification", MINE[1]), "specification is not the one to be trained"),
    (with_value("specification", MINE[0] | {"more": 1}), "specification is not the one"),
    (with_value("profile", "smoke"), "in the profile smoke, not cpu or gpu"),
    (with_value("backend", "mine"), "no backend is called mine"),
    (with_value("device", "TPU"), "no device is called TPU"),
    (with_value("seed", -1), "its seed is none"),
    (with_value("seed", 2**32), "its seed is none"),
    (with_value("parameters", 10**6), "it has 1,000,000 parameters, the network "),
    (with_value("seconds", 0.0), "its seconds are no time"),
    (with_value("seconds", float("nan")), "its seconds are no time"),
    (with_value("key", "0" * 15), "its key is none"),
    (with_value("key", "Z" * 16), "its key is none"),
    (with_value("training_accuracy", 1.5), "its training_accuracy is not from 0 to 1"),
    (with_value("validation_accuracy", float("nan")), "validation_accuracy is not from 0 to 1"),
    (with_epoch("accuracy", 1.25), "its accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("val_accuracy", -0.5), "its val_accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("val_accuracy", 1), "its val_accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("accuracy", "0.5"), "its accuracy of epoch 2 is not from 0 to 1"),
    (with_epoch("loss", -0.5), "its loss of epoch 2 is not a finite number from 0 on"),
    (with_epoch("val_loss", float("inf")), "its val_loss of epoch 2 is not a finite number"),
    (with_epoch("val_loss", float("nan")), "its val_loss of epoch 2 is not a finite number"),
    (with_epoch("loss", 1e300), "its loss of epoch 2 is not a finite number"),
    (with_epoch("loss", 10**4000), "its loss of epoch 2 is not a finite number"),
    (with_epoch("loss", None), "did the training diverge?"),
    (with_curve("loss", 2, 1.5, 1.25, 1.125), "its loss is that of 4 epochs"),
    (lambda record: record["history"]["val_accuracy"].append(0.5), "val_accuracy is that of 6 ep"),
    (with_value("validation_accuracy", 0.0), "in the last epoch, but 0.0000 afterwards"),
    (with_epoch("accuracy", 0.85), "0.85 is not as Keras measures, in float32"),
    (with_value("training_accuracy", 0.85), "0.85 is not as Keras measures, in float32"),
    (with_epoch("val_accuracy", float(np.float32(0.51))), "is no share of 60 pictures"),
    (with_curve("loss", 0, 0, 0, 0, 0.25), "its loss is too small for so many wrong answers"),
    (with_epoch("val_loss", 0.125), "its val_loss is too small for so many wrong answers"),
    (with_curve("loss", 2, 2, 2, 2, 2), "its loss never changes"),
    (with_curve("val_loss", 2, 1.875, 1.75, 1.625, 1.5), "val_loss changes by the same step"),
    (with_curve("accuracy", *[0.75] * 5), "its accuracy never changes"),
]


@pytest.mark.parametrize(("forge", "sentence"), FORGED)
def test_numbers_that_are_made_up_are_told(record, trained, forge, sentence):
    assert judge(record, trained) == []
    forge(record)
    (told,) = judge(record, trained)
    assert told.startswith("III: ") and sentence in told and told.endswith(".")


def test_another_number_of_epochs_than_specified_is_told(folder, trained):
    record = evidence.read()["metrics"]["Two blocks!"]
    specified = MINE[1], trained[1].parameters
    assert evidence.problems_of_metrics(record, *specified) == []
    record["epochs"] = 3
    for values in record["history"].values():
        values.append(values[-1])
    (sentence,) = evidence.problems_of_metrics(record, *specified)
    assert sentence == "Two blocks!: it was trained for 3 epochs, not as many as specified."


@pytest.mark.parametrize("name", [*format.KINDS, *format.CURVES])
def test_what_is_missing_or_of_another_type_is_named(record, trained, name):
    place = record if name in record else record["history"]
    found = place.pop(name)
    others = [None, True, 1, 1.5, "text", [], {}, np.ones(3), np.float32(1), 1j, b""]
    for value in [value for value in others if type(value) is not type(found)]:
        (sentence,) = judge(record, trained)
        assert name in sentence and "cannot be read; hand in the file that hand_in" in sentence
        place[name] = value
    (sentence,) = judge(record, trained)
    assert "cannot be read" in sentence


def nested(depth):
    return {"history": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    "value",
    [None, 1, "III", [], {}, [{}], UnserializableValue("a lambda"), np.ones(3), {1: 2}, {(1, 2): 3}, len],
    ids=repr,
)
def test_what_is_no_record_at_all_is_told(trained, value):
    for given in (value, {"history": value}, {"specification": value}, nested(90)):
        (sentence,) = evidence.problems_of_metrics(given, MINE[0], trained[0].parameters)
        if given is None:
            assert sentence == "III: no numbers of it were handed in."
        else:
            assert sentence.startswith("III: name, ") and len(sentence) < 400


# Weights that somebody made up.


@pytest.fixture
def arrays(folder):
    return evidence.read()["weights"]["III"]


def test_weights_that_do_not_fit_name_the_first_that_differs(arrays, record):
    network = build(MINE[0])
    assert evidence.problems_of_weights(network, arrays) == []

    def told(other):
        (sentence,) = evidence.problems_of_weights(network, across(other))
        return sentence

    assert "There are 7 weights, but the network has 8." in told(arrays[:-1])
    assert "There are 9 weights, but the network has 8." in told([*arrays, HALF])
    for number, weight in enumerate(network.weights):
        others = [array.copy() for array in arrays]
        others[number] = others[number][..., :-1]
        others[-1] = others[-1][:0]
        sentence = told(others)
        assert sentence.startswith(f"Weight {number}, {weight.path}, has the shape (")
        assert f"that of the network {tuple(weight.shape)}." in sentence
        others = [array.copy() for array in arrays]
        others[number] = others[number].astype("float64")
        assert told(others) == f"Weight {number}, {weight.path}, holds float64 and not float16."
        for value in (np.nan, np.inf):
            others = [array.copy() for array in arrays]
            others[number].flat[-1] = value
            assert told(others).endswith(f"{weight.path}, holds numbers that are not finite.")
    for value in (None, 1, "text", {}, (), [1], [None] * 8, [[1.0]] * 8, HALF, [*arrays[:-1], 1.0]):
        assert "are no list of arrays" in told(value)
    assert "There are 0 weights" in told([])


def test_the_key_tells_whether_numbers_or_weights_were_changed(arrays, folder):
    network, found = build(MINE[0]), evidence.read()
    record = found["metrics"]["III"]
    assert evidence.problems_of_weights(network, across(arrays), across(record)) == []
    better = json.loads(json.dumps(record))
    better["history"]["val_accuracy"][-1] += 1 / PICTURES
    others = [array.copy() for array in arrays]
    others[3].flat[0] += np.float16(0.5)
    pairs = [(arrays, better), (others, record), (arrays, found["metrics"]["Two blocks!"])]
    for weights, numbers in [*pairs, (arrays, {}), (arrays, "III"), (arrays, UnserializableValue("x"))]:
        (sentence,) = evidence.problems_of_weights(network, weights, numbers)
        assert "are not of one training, or were changed since" in sentence


def test_the_stated_accuracy_is_held_against_that_of_the_weights(arrays, pictures):
    network = build(MINE[0])
    images, labels = pictures

    def compare(claimed, *tolerance, weights=arrays):
        return evidence.claimed_and_measured(network, weights, images, labels, claimed, *tolerance)

    measured, problem = compare(0.0)
    rounded = build(MINE[0])
    rounded.set_weights([array.astype("float32") for array in arrays])
    assert measured == pytest.approx(training.accuracy(rounded.predict(images, verbose=0), labels))
    assert measured > 0.5, "it has learnt something"
    assert problem == f"The weights give an accuracy of {measured:.4f}; stated was 0.0000."
    for claimed in (measured, measured + 0.004, measured - 0.004):
        assert compare(claimed) == (measured, None)
    for claimed in (measured + 0.006, measured - 0.006, float("nan")):
        assert compare(claimed)[1].endswith(f"of {measured:.4f}; stated was {claimed:.4f}.")
    assert compare(measured + 0.006, 0.01) == (measured, None)
    for claimed in (None, "0.9", np.float32(measured)):
        assert compare(claimed)[1].endswith("stated was no number.")
    fresh = [array.astype("float16") for array in build(MINE[0]).get_weights()]
    assert compare(measured, weights=fresh)[0] < measured
    assert compare(measured, weights=arrays[:-1]) == (
        None,
        "There are 7 weights, but the network has 8.",
    )


def test_students_with_the_same_weights_are_put_together(arrays):
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
        student: evidence.fingerprint_of_weights(each) if each else None
        for student, each in evidences.items()
    }
    assert evidence.group_by_fingerprint(fingerprints) == [["ada", "bob", "cyd"], ["eve", "fay"]]
    assert evidence.group_by_fingerprint({}) == evidence.group_by_fingerprint({"ada": "0"}) == []


def test_the_module_imports_without_keras():
    code = "import sys, course.evidence; print([m for m in sys.modules if 'keras' in m])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "[]\n", ended.stderr
