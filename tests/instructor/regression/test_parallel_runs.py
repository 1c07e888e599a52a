"""Parallel runs on this machine, on GPUs and on a cluster, and runs after a killed command."""

import contextlib
import json
import os
import signal
import subprocess
import termios

import pytest

from course.instructor.cli.main import main
from course.instructor.sandbox import bubblewrap
from tests.cluster import wait_for
from tests.conftest import BIN, cell
from tests.instructor.grading.classes import descendants, wait_until_gone
from tests.instructor.regression import PARAMETERS, record, start_run

pytestmark = pytest.mark.slow

DIARY_PARAMETERS = "profile = None\nseed = 0\nfolder = ''\npause = 0.0"
# Each run writes its environment and times to a folder, which is a parameter.
DIARY = """
import json, os, pathlib, time
start = time.time()
pathlib.Path(folder, f"begun-{seed}").touch()
while pathlib.Path(folder, f"hold-{seed}").exists():
    time.sleep(0.02)
time.sleep(pause)
entry = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "start": start, "end": time.time()}
entry["XLA_PYTHON_CLIENT_PREALLOCATE"] = os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE")
number = len(list(pathlib.Path(folder).glob(f"diary-{seed}-*")))
pathlib.Path(folder, f"diary-{seed}-{number}").write_text(json.dumps(entry))
"""


@pytest.fixture
def diary(small_course, tmp_path):
    """Return a course whose notebook writes a diary, its arguments, the folder and a reader."""
    parameters = cell("code", DIARY_PARAMETERS, tags=["parameters"])
    root = small_course(parameters, cell("code", DIARY), record("accuracy=0.5"))
    folder = tmp_path / "diary"
    folder.mkdir()

    def entries():
        return {
            path.name.removeprefix("diary-"): json.loads(path.read_text())
            for path in sorted(folder.glob("diary-*"))
        }

    return root, ["-p", f"folder={folder}"], folder, entries


def on_one_gpu(found):
    """Return the pairs of entries with the same GPU."""
    return [
        (one, other)
        for number, one in enumerate(found)
        for other in found[:number]
        if one["gpu"] == other["gpu"]
    ]


def overlap(one, other):
    """Return True if two runs were executed at the same time."""
    return one["start"] < other["end"] and other["start"] < one["end"]


def test_the_run_that_took_longest_before_starts_first(diary, course_command):
    root, arguments, _, entries = diary
    command = ["-C", root, "run", "--seeds", "3", "--workers", "1", *arguments]
    assert course_command(*command).returncode == 0
    for path in root.glob("build/runs/01-small/*/metrics.json"):
        run = json.loads(path.read_text())
        path.write_text(json.dumps(run | {"seconds": (5, 1, 9)[run["seed"]]}))
    assert course_command(*command).returncode == 0
    starts = {entries()[f"{seed}-1"]["start"]: seed for seed in range(3)}
    assert [starts[start] for start in sorted(starts)] == [2, 0, 1]


def test_runs_are_executed_in_parallel_in_forked_kernels(diary, course_command):
    root, arguments, _, entries = diary
    options = ["--seeds", "4", "--workers", "2", "-p", "pause=1.0"]
    finished = course_command("-C", root, "run", *options, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert "4 of 4 passed" in finished.stdout
    found = list(entries().values())
    pairs = [overlap(one, other) for i, one in enumerate(found) for other in found[:i]]
    assert len(found) == 4 and 1 <= sum(pairs) <= 5, "two at a time, not all four"
    runs = sorted((root / "build" / "runs" / "01-small").iterdir())
    saved = [json.loads((run / "metrics.json").read_text()) for run in runs]
    # Only forked kernels record memory. They contain Keras, although this notebook imports none.
    assert all(run["metrics"]["peak_memory_mb"] > 200 for run in saved)
    assert all(run["kinds"]["peak_memory_mb"] == "memory" for run in saved)
    assert min(run["seconds"] for run in saved) < 2.2, "an ordinary kernel takes a second to start"


def test_a_repeated_command_continues_after_a_kill(diary, course_command):
    root, arguments, folder, entries = diary
    (folder / "hold-1").touch()
    options = ["--seeds", "3", "--workers", "1"]
    killed = start_run(root, *options, *arguments)
    try:
        assert "seed" not in killed.stdout.readline()  # seed 0 is done
        wait_for((folder / "begun-1").exists)
        children = descendants(killed.pid)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    assert not wait_until_gone(children), "a kernel outlives the command"
    (folder / "hold-1").unlink()
    finished = course_command("-C", root, "run", *options, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert "3 of 3 passed" in finished.stdout
    assert sorted(entries()) == ["0-0", "1-0", "2-0"], "finished runs are not repeated"
    # After a complete command, the same command starts again.
    assert course_command("-C", root, "run", *options, *arguments).returncode == 0
    assert sorted(entries()) == ["0-0", "0-1", "1-0", "1-1", "2-0", "2-1"]


@pytest.mark.parametrize("seeds", [1, 2])
def test_an_interrupted_command_says_that_it_continues(diary, seeds):
    root, arguments, folder, _ = diary
    (folder / f"hold-{seeds - 1}").touch()
    stopped = start_run(root, "--seeds", str(seeds), "--workers", "1", *arguments)
    wait_for((folder / f"begun-{seeds - 1}").exists)
    children = descendants(stopped.pid)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=30)
    assert stopped.returncode == 130
    assert errors.splitlines()[-1].startswith("course: stopped: finished work is saved")
    assert "Traceback" not in errors
    assert not wait_until_gone(children)


def test_a_notebook_that_changes_after_the_kill_is_run_again(diary, course_command):
    root, arguments, folder, entries = diary
    (folder / "hold-1").touch()
    options = ["--seeds", "2", "--workers", "1"]
    killed = start_run(root, *options, *arguments)
    wait_for((folder / "begun-1").exists)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (folder / "hold-1").unlink()
    source = root / "source" / "01-small" / "small.ipynb"
    source.write_text(source.read_text().replace("accuracy=0.5", "accuracy=0.6"))
    assert course_command("-C", root, "run", *options, *arguments).returncode == 0
    assert sorted(entries()) == ["0-0", "0-1", "1-0"]


def test_a_second_command_at_the_same_time_is_refused(diary, course_command):
    root, arguments, folder, _ = diary
    (folder / "hold-0").touch()
    first = start_run(root, *arguments)
    wait_for((folder / "begun-0").exists)
    second = course_command("-C", root, "run", *arguments)
    (folder / "hold-0").unlink()
    output, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    assert "1 of 1 passed" in output
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1].startswith(
        "course: another course run is in progress in "
    )


def test_the_cause_of_a_kernels_death_is_reported(diary, course_command):
    root, arguments, _, _ = diary
    source = root / "source" / "01-small" / "small.ipynb"
    text = source.read_text().replace("course.record", "import os; os.kill(os.getpid(), 9) #")
    source.write_text(text)
    finished = course_command("-C", root, "run", "--seeds", "2", *arguments)
    assert finished.returncode == 1 and "Traceback" not in finished.stderr
    lines = finished.stderr.splitlines()[-2:]
    cause = "the kernel stopped: it was killed by SIGKILL (out of memory?)"
    assert lines == [f"course: 01-small, seed {seed}: {cause}" for seed in (0, 1)]


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """Simulate a machine with two GPUs, whose locks are separate from real ones."""
    programs, temporary = tmp_path / "programs", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()
    program = programs / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: One'\necho 'GPU 1: Other'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_each_run_has_a_gpu_to_itself(diary, course_command, two_gpus):
    root, arguments, _, entries = diary
    # There are more workers than GPUs, so two of them wait.
    options = ["--seeds", "4", "--workers", "4", "-p", "pause=0.5"]
    finished = course_command("-C", root, "run", *options, *arguments)
    assert finished.returncode == 0, finished.stderr
    found = list(entries().values())
    assert {entry["gpu"] for entry in found} == {"0", "1"}
    pairs = on_one_gpu(found)
    assert pairs and not any(overlap(*pair) for pair in pairs)


def test_a_gpu_is_shared_on_request(diary, course_command, two_gpus):
    root, arguments, _, entries = diary
    options = ["--seeds", "4", "--share-gpu", "2", "-p", "pause=2.0"]
    finished = course_command("-C", root, "run", *options, *arguments)
    assert finished.returncode == 0, finished.stderr
    found = list(entries().values())
    assert sorted(entry["gpu"] for entry in found) == ["0", "0", "1", "1"]
    assert {entry["XLA_PYTHON_CLIENT_PREALLOCATE"] for entry in found} == {"false"}
    assert all(overlap(*pair) for pair in on_one_gpu(found))


def test_runs_are_executed_on_a_cluster(diary, course_command, cluster):
    address, _ = cluster
    root, arguments, _, entries = diary
    finished = course_command("-C", root, "run", "--seeds", "3", "--scheduler", address, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert "3 of 3 passed" in finished.stdout and len(entries()) == 3
    saved = root / "build" / "runs" / "01-small"
    for folder in saved.iterdir():
        assert json.loads((folder / "metrics.json").read_text())["metrics"]["accuracy"] == 0.5
        assert '"execution_count": 2' in (folder / "small.ipynb").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler answers at tcp://127.0.0.1:1"),
        (
            ["-p", "profile=cpu"],
            "course: -p cannot set profile: use --profile.",
        ),
    ],
)
def test_a_mistaken_command_deletes_no_saved_run(small_course, course_command, arguments, message):
    root = small_course(PARAMETERS, record("accuracy=0.5"))
    assert course_command("-C", root, "run").returncode == 0
    finished = course_command("-C", root, "run", *arguments)
    assert finished.returncode == 1 and message in finished.stderr.splitlines()[-1]
    assert list((root / "build" / "runs" / "01-small").glob("*/metrics.json"))


def test_progress_is_shown_in_a_terminal_and_not_in_a_log(small_course, course_command):
    root = small_course(PARAMETERS, record("accuracy=0.5"))
    in_log = course_command("-C", root, "run")
    assert in_log.stderr == "" and "1 of 1 passed" in in_log.stdout
    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (24, 100))
    command = [BIN / "course", "-C", root, "run"]
    assert subprocess.run(command, stdout=subprocess.PIPE, stderr=end).returncode == 0
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # at the end
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert b"100%" in shown


def test_an_ordinary_kernel_does_not_write_to_the_terminal(small_course, monkeypatch, capfd):
    """It is used where forking is impossible; errors of cells are in the notebook."""
    monkeypatch.setattr(bubblewrap, "is_linux", lambda: False)
    root = small_course(PARAMETERS, cell("code", "import os\nos.write(2, b'started')"))
    assert main(["-C", str(root), "run"]) == 0
    printed = capfd.readouterr()
    assert printed.err == "" and "1 of 1 passed" in printed.out


def test_an_unknown_parameter_is_refused(small_course, course_command):
    root = small_course(PARAMETERS)
    finished = course_command("-C", root, "run", "-p", "lenght=4")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line == (
        "course: none of the notebooks to run has a parameter 'lenght': choose one of profile,"
        " seed, length."
    )
