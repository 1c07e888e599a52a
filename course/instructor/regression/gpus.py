"""Reservation of GPUs: each run has a GPU to itself, unless sharing is requested."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from course.instructor.sandbox import forkserver_client
from course.instructor.sandbox.kernel_client import KernelEnded

WAIT_SECONDS = 0.5


def visible_gpus() -> list[str]:
    """Return the numbers of the usable GPUs from CUDA_VISIBLE_DEVICES or, if unset, nvidia-smi."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


@contextlib.contextmanager
def reserve_gpu(runs_per_gpu: int = 1) -> Iterator[dict[str, str]]:
    """Wait for a free GPU on this machine, lock it, and yield the run's environment variables.

    Without a GPU, the dict is empty. A file is locked, so two commands or two Dask workers do not
    share a GPU either; the lock of a killed process is released. Raises KernelEnded if the command
    is stopped while it waits.
    """
    numbers = visible_gpus()
    if not numbers:
        yield {}
        return
    while not forkserver_client.is_stopped():
        for number in numbers:
            for slot in range(runs_per_gpu):
                with _lock(number, slot if runs_per_gpu > 1 else None) as locked:
                    if locked:
                        yield _environment(number, runs_per_gpu)
                        return
        time.sleep(WAIT_SECONDS)
    raise KernelEnded("the command was stopped")


@contextlib.contextmanager
def _lock(number: str, slot: int | None) -> Iterator[bool]:
    """Try to lock a whole GPU, or one slot of a shared GPU, and yield True on success.

    For a slot, the GPU gets a shared lock, which keeps out runs that need the whole GPU.
    """
    with contextlib.ExitStack() as stack:
        locked = False
        with contextlib.suppress(BlockingIOError):
            kind = fcntl.LOCK_EX if slot is None else fcntl.LOCK_SH
            fcntl.flock(stack.enter_context(_open(number)), kind | fcntl.LOCK_NB)
            if slot is not None:
                slot_file = stack.enter_context(_open(f"{number}-{slot}"))
                fcntl.flock(slot_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        yield locked


def _open(name: str) -> BinaryIO:
    """Open a lock file for reading, which is enough to lock even another user's file."""
    path = Path(tempfile.gettempdir(), f"cnn-course-gpu-{name}.lock")
    with contextlib.suppress(OSError):
        path.touch(0o666)
    return path.open("rb")


def _environment(number: str, runs_per_gpu: int) -> dict[str, str]:
    """Return the environment variables for a run on a GPU."""
    variables = {"CUDA_VISIBLE_DEVICES": number}
    if runs_per_gpu > 1:
        # By default, each library reserves all GPU memory when it starts.
        variables |= {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return variables
