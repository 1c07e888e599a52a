"""The plan of the measurements on a GPU: its order, its end in time, and its continuation."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from course.errors import CourseError
from tests.benchmarks.gpu import bands, table
from tests.benchmarks.gpu.notebook_runs import ROOT
from tests.benchmarks.gpu.notebook_slices import last_call, required, statements
from tests.benchmarks.gpu.plan import Measurement, OutOfTimeError, Part, measure_plan
from tests.benchmarks.gpu.results import Results
from tests.submissions import source_cells

HEAD = {"machine": "a GPU", "versions": {"jax": "1"}, "date": "2026-11-27", "tiny": False}


class FakePart(Part):
    """Notes what it is asked to do; measurements called "broken" fail."""

    def __init__(self, *measurements, preparation_seconds=0.0):
        super().__init__([Measurement(*each) for each in measurements])
        self.preparation_seconds = preparation_seconds
        self.calls = []

    def prepare(self, chosen):
        self.calls.append([each.name for each in chosen])

    def measure(self, measurement, deadline):
        self.calls.append(measurement.name)
        if measurement.name == "broken":
            raise ValueError("no value")
        return [{"kind": "fake", "value": len(self.calls)}]


def gpu_command(*arguments, module="tests.benchmarks.gpu"):
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def measure(parts, path, seconds=100):
    results = Results(path, HEAD, "a command")
    return measure_plan(parts, results, time.perf_counter() + seconds)


def test_what_is_complete_is_not_measured_again(tmp_path):
    path = tmp_path / "results.json"
    assert measure([FakePart(("a", 1), ("broken", 1))], path) == (["broken"], [])
    content = json.loads(path.read_text())
    assert content["measurements"][1]["error"] == "ValueError: no value"
    assert [run["measurement"] for run in content["runs"]] == ["a"]
    part = FakePart(("a", 1), ("broken", 1), ("b", 1))
    assert measure([part], path) == (["broken"], [])
    assert part.calls == [["broken", "b"], "broken", "b"]
    content = json.loads(path.read_text())
    assert [each["name"] for each in content["measurements"]] == ["a", "broken", "b"]
    assert content["commands"] == ["a command"]


def test_nothing_starts_that_cannot_end_in_time(tmp_path):
    long = FakePart(("long", 200), ("short", 20), ("second", 70))
    slow_to_prepare = FakePart(("other", 1), preparation_seconds=101)
    left_out = measure([long, slow_to_prepare], tmp_path / "results.json")[1]
    assert left_out == ["long", "other"]
    assert long.calls == [["short", "second"], "short", "second"]  # not "long", which is the first
    assert slow_to_prepare.calls == []


def test_time_that_is_left_over_is_used(tmp_path):
    part = FakePart(("first", 70), ("second", 60), ("third", 80))
    assert measure([part], tmp_path / "results.json") == ([], [])
    assert part.calls == [["first"], "first", ["second"], "second", ["third"], "third"]


def test_a_measurement_does_not_start_late(tmp_path):
    class Late(FakePart):
        def prepare(self, chosen):
            chosen[0].seconds = 101  # what it has found out

    part = Late(("first", 1), ("second", 1))
    assert measure([part], tmp_path / "results.json") == ([], ["first"])
    assert part.calls == ["second"]


def test_a_measurement_that_is_ended_in_time_is_left_for_the_next_call(tmp_path):
    class Ended(FakePart):
        def measure(self, measurement, deadline):
            raise OutOfTimeError("the time was up")

    path = tmp_path / "results.json"
    assert measure([Ended(("a", 1)), FakePart(("b", 1))], path) == ([], ["a"])
    assert measure([part := FakePart(("a", 1), ("b", 1))], path) == ([], [])
    assert part.calls == [["a"], "a"]


def test_a_preparation_that_fails_does_not_stop_the_other_parts(tmp_path):
    class Broken(FakePart):
        def prepare(self, chosen):
            raise RuntimeError("out of memory")

    path = tmp_path / "results.json"
    assert measure([Broken(("a", 1)), FakePart(("b", 1))], path)[0] == ["a"]
    entries = json.loads(path.read_text())["measurements"]
    assert [entry.get("error") for entry in entries] == ["RuntimeError: out of memory", None]


KILLED = """
import os, signal, sys
from tests.benchmarks.test_gpu_plan import FakePart, measure

class Killed(FakePart):
    def measure(self, measurement, deadline):
        if measurement.name == "second":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().measure(measurement, deadline)

measure([Killed(("first", 1), ("second", 1))], __import__("pathlib").Path(sys.argv[1]))
"""


def test_a_killed_run_leaves_a_file_that_the_next_one_continues(tmp_path):
    path = tmp_path / "results.json"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    part = FakePart(("first", 1), ("second", 1))
    assert measure([part], path) == ([], [])
    assert part.calls == [["second"], "second"]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("{", "cannot be continued"),
        ("[]", "cannot be continued"),
        (json.dumps(HEAD | {"machine": "another", "commands": [], "measurements": [], "runs": []}),
         "machine 'another'"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_not_continued(tmp_path, text, reason):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(CourseError, match=reason):
        Results(path, HEAD, "a command")
    assert path.read_text() == text


@pytest.mark.jax
@pytest.mark.slow
def test_the_command_lists_its_plan_in_order_and_starts_nothing_without_time(tmp_path):
    pytest.importorskip("jax")
    listed = gpu_command("--list").stdout.splitlines()
    names = [line.split(" s  ", 1)[1] for line in listed]
    capstone = names[0].split()[0]
    assert capstone in ("solution", "capstone")
    kinds = [capstone, "speed", "momentum", "plain", "notebook"]
    firsts = [next(at for at, name in enumerate(names) if name.startswith(kind)) for kind in kinds]
    assert firsts == sorted(firsts)
    assert sum(name.startswith(capstone) for name in names) >= 3  # seeds
    for kind in ("momentum 10", "plain"):
        experiments = {name.split(", ")[1] for name in names if name.startswith(kind)}
        assert experiments == {"I", "II", "III", "IV", "V", "VI", "VII"}
    # Seed 0 of all notebooks comes before seed 1 of any.
    notebooks = [name for name in names if name.startswith("notebook")]
    seeds = [name.split("seed ")[1][0] for name in notebooks]
    assert seeds == sorted(seeds) and len(notebooks) % 5 == 0
    path = tmp_path / "results.json"
    found = gpu_command("--tiny", "--seconds", 0, "--output", path)
    assert found.returncode == 0, found.stderr
    assert json.loads(path.read_text())["measurements"] == []
    assert f"no time left for {capstone}" in found.stdout
    wrong = gpu_command("capstone=huge", "--output", path)
    assert wrong.returncode == 1 and "there is no 'huge'" in wrong.stderr


@pytest.mark.jax
@pytest.mark.slow
def test_a_notebook_is_measured_once(tmp_path):
    pytest.importorskip("jax")
    path = tmp_path / "results.json"
    command = ("notebooks=03-vgg16", "--tiny", "--output", path)
    found = gpu_command(*command)
    assert found.returncode == 0, found.stdout + found.stderr
    content = json.loads(path.read_text())
    (run,) = content["runs"]
    assert run["metrics"]["peak_memory_mb"] > 100 and run["problems"] == []
    assert gpu_command(*command).returncode == 0
    assert json.loads(path.read_text())["runs"] == [run]
    found = gpu_command(path, module="tests.benchmarks.gpu.bands")
    assert "03-vgg16  smoke: bands need 5 seeds, and there are 1" in found.stdout
    assert "inside the present bands" in found.stdout


@pytest.mark.parametrize(
    "assignment",
    [name for name in ("06-dropout-batchnorm", "08-capstone") if (ROOT / "source" / name).is_dir()],
)
def test_only_what_defines_a_training_is_executed(assignment):
    found = statements(source_cells(assignment))
    chosen = required(found, last_call(found, "train_each"), {"x_test"})
    # No other training, and no check.
    training = [each for at, each in enumerate(chosen) if _is_training(chosen, at)]
    assert training == chosen[-1:]
    assert not any(each.cell.startswith("test_") for each in chosen)


def _is_training(chosen, position):
    try:
        return last_call(chosen[: position + 1], "train_each") == position
    except ValueError:
        return False


def test_a_slice_contains_what_changes_its_names():
    cells = {
        "one": "import keras\noptions = {'a': 1}\nother = 2\nkeras.mixed()",
        "two": "def build(x):\n    return helper(x)\n\nprint(other)",
        "three": "options['b'] = 2\noptions.update(c=3)\nresult = train(options)\nresult.show()",
        "four": "def helper(x):\n    return keras.Model(x)\n",
        "five": "trained = train_each(options, build)\noptions = {}",
    }
    found = statements(cells)
    chosen = required(found, last_call(found, "train_each"), set())
    lines = [(each.cell, each.node.lineno) for each in chosen]
    assert lines == [
        ("one", 1), ("one", 2), ("two", 1), ("three", 1), ("three", 2), ("four", 1), ("five", 1),
    ]  # fmt: skip


def notebook_row(seed, digest):
    return {
        "measurement": f"notebook, seed {seed}", "kind": "notebook", "problems": [],
        "assignment": "01-convolution", "profile": "gpu", "backend": "jax", "seed": seed,
        "seconds": 11.0, "metrics": {"final_loss": 0.1 + seed / 100, "parameters": [1, 2]},
        "kinds": {"final_loss": "measurement", "parameters": "count"}, "device": "GPU",
        "versions": {"jax": "1"}, "machine": "a GPU", "data": "none", "digest": digest,
        "finished": "2026-11-27T12:00:00",
    }  # fmt: skip


def test_five_runs_of_a_notebook_become_its_gpu_bands(tmp_path, capsys):
    runs = [notebook_row(seed, "") for seed in range(5)]
    content = HEAD | {"commands": ["measure"], "measurements": [], "runs": runs}
    for run, parsed in zip(runs, bands.read_runs(content), strict=True):
        source = bands.source_notebook(ROOT, parsed.assignment).read_text(encoding="utf-8")
        run["digest"] = bands.input_digest(parsed, source)
    path, file = tmp_path / "results.json", tmp_path / "bands.toml"
    path.write_text(json.dumps(content))
    file.write_text('[01-convolution.gpu]\nclaims = ["final_loss < 1"]\n')
    assert bands.main([str(path), "--bands", str(file)]) == 0
    assert "bands measured with 5 seeds" in capsys.readouterr().out
    text = file.read_text()
    assert 'claims = ["final_loss < 1"]' in text and "mean = 0.12" in text
    assert 'command = "measure; python -m tests.benchmarks.gpu.bands"' in text
    # A run of an older version of the notebook is not used, so that four remain.
    runs[0]["digest"] = "old"
    path.write_text(json.dumps(content))
    assert bands.main([str(path), "--bands", str(file)]) == 1
    output = capsys.readouterr().out
    assert "1 of 5 runs are of an older version" in output and "there are 4" in output
    assert file.read_text() == text


def test_the_table_shows_all_kinds_of_rows_and_what_failed(tmp_path, capsys):
    solution = {"kind": "solution", "assignment": "08-capstone", "network": "mine"}
    solution |= {
        "parameters": 10,
        "epochs": 2,
        "training_accuracy": 0.5,
        "validation_accuracy": 0.4,
    }
    speed = {"kind": "speed", "assignment": "08-capstone", "network": "mine"}
    runs = [
        solution | {"seconds": 3.0, "test_accuracy": 0.25, "test_accuracy_with_flips": 0.5},
        solution | {"seconds": 5.0, "test_accuracy": 0.75, "test_accuracy_with_flips": 0.5},
        speed | {"configuration": "fit", "images_per_second": 100},
        speed | {"configuration": "on device", "images_per_second": 250},
        notebook_row(0, "") | {"problems": ["one"]},
    ]
    path = tmp_path / "results.json"
    results = Results(path, HEAD, "a command")
    results.add("all", 1, runs)
    results.fail("rest", 1, ValueError("no value"))
    table.main([str(path)])
    output = capsys.readouterr().out
    for text in ("4.0", "50.00 ± ", "on device", "2.5", "failed: rest: ValueError: no value"):
        assert text in output, text
