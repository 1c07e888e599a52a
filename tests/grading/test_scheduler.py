import json
import os
import subprocess
import time

import pytest

from tests.conftest import BIN
from tests.grading.classes import (
    ANSWER,
    TESTS,
    command_lines,
    descendants,
    hand_in_answers,
    scores,
    start_grading,
    wait_until_gone,
)

pytestmark = pytest.mark.slow
ANSWERS = {"ada": 1, "bob": 2, "cem": 3, "dan": 0, "eve": 2, "fay": 1, "gus": 3, "hal": 2}


@pytest.fixture
def cluster(tmp_path_factory):
    """Start a Dask scheduler and two workers on loopback; returns the address and the workers."""
    folder = tmp_path_factory.mktemp("cluster")
    known = folder / "scheduler.json"
    own_port = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    with (folder / "log").open("w") as log:

        def start(*arguments):
            return subprocess.Popen(
                [str(BIN / "dask"), *arguments, *own_port],
                cwd=folder,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
                stdout=log,
                stderr=log,
            )

        started = [start("scheduler", "--port", "0", "--scheduler-file", str(known))]
        try:
            wait_for(known.is_file)
            wait_for(lambda: known.read_text().endswith("}"))
            address = json.loads(known.read_text())["address"]
            for name in ("one", "two"):
                # Without a nanny: what is killed here is the worker itself, and none comes back.
                options = ["--no-nanny", "--nthreads", "1", "--name", name]
                where = ["--local-directory", str(folder)]
                started.append(start("worker", address, *options, *where))
            yield address, started[1:]
        finally:
            for process in reversed(started):
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


def wait_for(happened, seconds=60):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def zygotes(process):
    lines = command_lines(descendants(process.pid))
    return [line for line in lines if "course.kernels.zygote" in line]


def test_a_class_is_graded_on_a_cluster_though_a_worker_is_killed(
    small_course, course_command, cluster
):
    address, (victim, other) = cluster
    root = small_course(ANSWER, *TESTS)
    hand_in_answers(root, ANSWERS, seconds=2.5)
    grading = start_grading(root, "--scheduler", address)
    lines = [grading.stdout.readline() for _ in range(3)]
    assert all(line.rstrip().endswith(": graded") for line in lines), lines
    wait_for(lambda: zygotes(victim) and zygotes(other))
    # Both workers run a submission now, or will in a moment.
    time.sleep(1)
    assert not zygotes(grading), "with --scheduler, nothing runs where the command was typed"
    children = descendants(victim.pid)
    victim.kill()
    assert not wait_until_gone(children), "a submission outlives the worker that it ran on"
    output, errors = grading.communicate(timeout=120)
    assert grading.returncode == 0, output + errors
    assert "8/8" in output and "8 graded now" in output
    on_cluster = scores(root)
    assert on_cluster.keys() == ANSWERS.keys()

    again = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "8 graded now" in again.stdout
    assert scores(root) == on_cluster
    points = {
        name: sum(cells[test][0] for test in ("test_1", "test_2"))
        for name, cells in on_cluster.items()
    }
    assert points == {name: [0, 1, 3, 3][answer] for name, answer in ANSWERS.items()}


@pytest.mark.parametrize("address", ["localhost", "tcp://127.0.0.1:1"])
def test_a_wrong_address_is_one_sentence(small_course, course_command, address):
    root = small_course(ANSWER, *TESTS)
    hand_in_answers(root, {"ada": 3}, seconds=0)
    graded = course_command("-C", root, "grade", "--scheduler", address)
    assert graded.returncode == 1
    (line,) = graded.stderr.splitlines()
    assert line.startswith(f"course: no Dask scheduler answers at {address} (")
    assert line.endswith("or leave --scheduler out.")
    assert graded.stdout == ""
