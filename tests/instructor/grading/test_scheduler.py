import time

import pytest

from tests.cluster import wait_for
from tests.instructor.grading.classes import (
    ANSWER,
    TESTS,
    command_lines,
    descendants,
    scores,
    start_grading,
    submit_answers,
    wait_until_gone,
)

pytestmark = pytest.mark.slow
ANSWERS = {"ada": 1, "bob": 2, "cem": 3, "dan": 0, "eve": 2, "fay": 1, "gus": 3, "hal": 2}


def forkservers(process):
    lines = command_lines(descendants(process.pid))
    return [line for line in lines if "course.instructor.sandbox.forkserver" in line]


def test_a_class_is_graded_on_a_cluster_although_a_worker_is_killed(
    small_course, course_command, cluster
):
    address, (victim, other) = cluster
    root = small_course(ANSWER, *TESTS)
    submit_answers(root, ANSWERS, seconds=2.5)
    grading = start_grading(root, "--scheduler", address)
    lines = [grading.stdout.readline() for _ in range(3)]
    assert all(line.rstrip().endswith(": graded") for line in lines), lines
    wait_for(lambda: forkservers(victim) and forkservers(other))
    # Both workers run a submission now or will do so in a moment.
    time.sleep(1)
    # One process reads the submitted notebooks; a kernel would be a second one.
    processes = [line for line in forkservers(grading) if not line.startswith("bwrap ")]
    assert len(processes) <= 1, "with --scheduler, no kernel runs on this machine"
    children = descendants(victim.pid)
    victim.kill()
    assert not wait_until_gone(children), "a kernel outlives its worker"
    output, errors = grading.communicate(timeout=120)
    assert grading.returncode == 0, output + errors
    assert "8/8" in output and "8 graded in" in output
    on_cluster = scores(root)
    assert on_cluster.keys() == ANSWERS.keys()

    again = course_command("-C", root, "grade", "--force", "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "8 graded in" in again.stdout
    assert scores(root) == on_cluster
    points = {
        name: sum(cells[test][0] for test in ("test_1", "test_2"))
        for name, cells in on_cluster.items()
    }
    assert points == {name: [0, 1, 3, 3][answer] for name, answer in ANSWERS.items()}


@pytest.mark.parametrize("address", ["localhost", "tcp://127.0.0.1:1"])
def test_a_wrong_address_is_reported_in_one_sentence(small_course, course_command, address):
    root = small_course(ANSWER, *TESTS)
    submit_answers(root, {"ada": 3}, seconds=0)
    graded = course_command("-C", root, "grade", "--scheduler", address)
    assert graded.returncode == 1
    (line,) = graded.stderr.splitlines()
    assert line.startswith(f"course: no Dask scheduler answers at {address} (")
    assert line.endswith("or omit --scheduler.")
    assert graded.stdout == ""
