"""GPUs, of which a run has one to itself."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from course.instructor.sandbox import forkserver_client
from course.instructor.sandbox.kernel_client import KernelEnded

WAIT_SECONDS = 0.5


def visible_gpus():
    """Return the numbers of the GPUs that may be used here, as texts.

    CUDA_VISIBLE_DEVICES decides where it is set, else nvidia-smi is asked.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


@contextlib.contextmanager
def reserve_gpu(share=1):
    """Take a GPU, as soon as one is free on this machine.

    It is a lock on a file, so that two commands, or two workers of a cluster, do not share one
    either; the lock of a process that was killed is free.

    Parameters
    ----------
    share : int
        How many runs may have the same GPU.

    Yields
    ------
    dict of str
        What the run's environment has to say of it; empty where there is no GPU.
    """
    numbers = visible_gpus()
    if not numbers:
        yield {}
        return
    while not forkserver_client.is_stopped():
        for number in numbers:
            for place in range(share):
                with _lock(number, place if share > 1 else None) as ours:
                    if ours:
                        yield _environment(number, share)
                        return
        time.sleep(WAIT_SECONDS)
    raise KernelEnded("this was stopped")


@contextlib.contextmanager
def _lock(number, place):
    """Lock a GPU for one run alone, or a place on it for one of several; yields whether it could.

    Whoever shares a GPU locks the whole of it against those who want it for themselves.
    """
    with contextlib.ExitStack() as stack:
        try:
            whole = stack.enter_context(_open(f"{number}"))
            fcntl.flock(whole, (fcntl.LOCK_EX if place is None else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            if place is not None:
                part = stack.enter_context(_open(f"{number}-{place}"))
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ours = False
        else:
            ours = True
        yield ours


def _open(name):
    path = Path(tempfile.gettempdir(), f"cnn-course-gpu-{name}.lock")
    with contextlib.suppress(OSError):
        path.touch(0o666)
    return path.open("rb")  # enough for a lock, also of a file that is another user's


def _environment(number, share):
    chosen = {"CUDA_VISIBLE_DEVICES": number}
    if share > 1:
        # Each library would take the whole memory at its start.
        chosen |= {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return chosen
