"""Looks at Python, the packages and programs, and what Keras computes on."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from course import __version__
from course.instructor.doctor.findings import LACK, NOTE, OK

DISTRIBUTION, EXTRA = "cnn-course", "instructor"
# The package of the course lies in its directory, unless it was installed without one.
CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"
SHOWN = ("keras", "tensorflow", "tensorflow-cpu", "nbgrader", "jupyterlab")
KERAS_SECONDS = 90
_ASK_KERAS = """
import json, sys
import keras
from course.session import _device
backend = keras.backend.backend()
print(json.dumps([backend, sys.modules[backend].__version__, _device(backend)]))
"""


def python(_):
    """Say which Python this is."""
    yield OK, f"{sys.version.split()[0]} in {sys.prefix}; the course is {__version__}"


def packages(_):
    """Compare what is installed with what the course asks for and is tested with."""
    try:
        from packaging.requirements import Requirement

        required = list(map(Requirement, metadata.requires(DISTRIBUTION) or ()))
    except (metadata.PackageNotFoundError, ModuleNotFoundError):
        yield LACK, "the course is not installed: run make demo in its directory."
        return
    pins = _pins()
    shown, different = [], []
    for requirement in required:
        if requirement.marker and not requirement.marker.evaluate({"extra": EXTRA}):
            continue
        name, version = _installed(requirement.name)
        if version is None:
            yield LACK, f"{name} is not installed: {_install(EXTRA)}"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wanted = f"{name}{requirement.specifier}"
            yield LACK, f"{name} {version} is too old for {wanted}: {_install(EXTRA)}"
        if name in SHOWN:
            shown.append(f"{name} {version}")
        if pins.get(name, version) != version:
            different.append(f"{name} {version} instead of {pins[name]}")
    if shown:
        agree = "; as in constraints.txt" if pins and not different else ""
        yield OK, f"{', '.join(sorted(shown))}{agree}"
    if different:
        yield (
            NOTE,
            f"{', '.join(different)}, with which the course is tested: {_pip(EXTRA)} brings those"
            " versions.",
        )


def _installed(name):
    """Return the name and version under which a package is installed; None for no version."""
    # For a GPU a person puts the one in the place of the other.
    for each in ("tensorflow", name) if name == "tensorflow-cpu" else (name,):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return each, metadata.version(each)
    return name, None


def _pins():
    if not CONSTRAINTS.is_file():
        return {}
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def _install(extra):
    return f"run {_pip(extra)} in the course's directory."


def _pip(extra):
    return f"pip install --constraint {CONSTRAINTS.name} -e '.[{extra}]'"


def cluster(_):
    """Look for what grades on many machines."""
    if importlib.util.find_spec("distributed"):
        yield OK, f"Dask {metadata.version('distributed')}, for course grade --scheduler"
    else:
        yield (
            NOTE,
            f"Dask is not installed; only course grade --scheduler needs it: {_install('cluster')}",
        )


def postgresql(_):
    """Look for what reaches a gradebook on a server."""
    for name in ("psycopg", "psycopg2"):
        if importlib.util.find_spec(name):
            yield OK, f"{name} {_installed(name)[1] or ''}, for a gradebook on a server"
            return
    how = _install("postgres")
    yield NOTE, f"no driver is installed; only a gradebook on a PostgreSQL server needs it: {how}"


def browser(_):
    """Look for what the browser tests drive."""
    if path := shutil.which("chromium") or shutil.which("chromium-browser"):
        yield OK, f"{path}, for the browser tests"
    else:
        yield (
            NOTE,
            "Chromium is missing; only the browser tests need it, and are skipped: install it"
            " (Debian: apt-get install chromium).",
        )


def gpu(asked):
    """Say what Keras computes on; the answer comes from another process."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    try:
        answer, errors = asked.communicate(timeout=KERAS_SECONDS)
        backend, version, device = json.loads(answer.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        yield NOTE, f"Keras did not start within {KERAS_SECONDS} s: try it again when less runs."
        return
    except (ValueError, IndexError):
        reason = (errors.strip().splitlines() or ["no reason given"])[-1][:200]
        # Grading computes with TensorFlow, whatever the environment says.
        yield (
            LACK if backend == "tensorflow" else NOTE,
            f"Keras does not start with {backend} ({reason}): {_install(EXTRA)}",
        )
        return
    if device == "GPU":
        yield OK, f"Keras computes on it with {backend} {version}"
        return
    text = f"Keras computes on the CPU with {backend} {version}; that is enough for grading"
    if Path("/dev/nvidia0").exists():
        cause = "this machine has an NVIDIA GPU that Keras does not see"
        text += f"; {cause}: pip install 'tensorflow[and-cuda]', and see that nvidia-smi works"
    yield NOTE, f"{text}."


@contextlib.contextmanager
def asking_keras():
    """Ask Keras in a process of its own, which ends with this block."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # JAX would take most of a GPU's memory
    process = subprocess.Popen(
        [sys.executable, "-c", _ASK_KERAS],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
