"""A Dask cluster for the tests: real, on this machine."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent


@contextlib.contextmanager
def dask_cluster(folder):
    """Start a Dask scheduler and two workers on loopback; yields the address and the workers."""
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
