import signal
import subprocess
import sys

import pytest

INTERRUPTED = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
"""


def test_programs_that_tests_start_can_be_interrupted_however_the_tests_were_started():
    finished = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, check=False)
    assert finished.returncode == -signal.SIGINT


@pytest.mark.parametrize("processes", [0, 2])
def test_the_suite_passes_where_it_was_started_with_interrupts_ignored(processes):
    # As a shell without job control does for `make test &`.
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"-n{processes}"]
    finished = subprocess.run(
        [
            *tests,
            f"{__file__}::{test_programs_that_tests_start_can_be_interrupted_however_the_tests_were_started.__name__}",
        ],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
