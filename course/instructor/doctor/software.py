"""Checks of Python, packages, programs, and the device that Keras computes on."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from course import __version__
from course.instructor.doctor.findings import MISSING, NOTE, OK

DISTRIBUTION, EXTRA = "cnn-course", "instructor"
# The file is missing if the course is installed without its course directory.
CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"
PRINTED = ("keras", "tensorflow", "tensorflow-cpu", "nbgrader", "jupyterlab")
KERAS_SECONDS = 90
_QUERY_KERAS = """
import json, sys
import keras
from course.session import _detect_device
backend = keras.backend.backend()
print(json.dumps([backend, sys.modules[backend].__version__, _detect_device(backend)]))
"""


def check_python(_: object) -> Iterator[tuple[str, str]]:
    """Report the versions of Python and the course."""
    yield OK, f"{sys.version.split()[0]} in {sys.prefix}; the course is {__version__}"


def check_packages(_: object) -> Iterator[tuple[str, str]]:
    """Compare the installed packages with the ones that the course requires and is tested with."""
    try:
        from packaging.requirements import Requirement

        required = list(map(Requirement, metadata.requires(DISTRIBUTION) or ()))
    except (metadata.PackageNotFoundError, ModuleNotFoundError):
        yield MISSING, "the course is not installed: run make demo in its directory."
        return
    pins = _pinned_versions()
    printed, different = [], []
    for requirement in required:
        if requirement.marker and not requirement.marker.evaluate({"extra": EXTRA}):
            continue
        name, version = _installed(requirement.name)
        if version is None:
            yield MISSING, f"{name} is not installed: {_install_step(EXTRA)}"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            problem = (
                f"{name} {version} is installed, but the course needs {name}{requirement.specifier}"
            )
            yield MISSING, f"{problem}: {_install_step(EXTRA)}"
        if name in PRINTED:
            printed.append(f"{name} {version}")
        if pins.get(name, version) != version:
            different.append(f"{name} {version} instead of {pins[name]}")
    if printed:
        match = "; as in constraints.txt" if pins and not different else ""
        yield OK, f"{', '.join(sorted(printed))}{match}"
    if different:
        text = f"{', '.join(different)}, with which the course is tested: to get those versions,"
        yield NOTE, f"{text} {_install_step(EXTRA)}"


def _installed(name: str) -> tuple[str, str | None]:
    """Return a package's installed name and its version, which is None if it is not installed."""
    # On a machine with a GPU, tensorflow replaces tensorflow-cpu.
    for each in ("tensorflow", name) if name == "tensorflow-cpu" else (name,):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return each, metadata.version(each)
    return name, None


def _pinned_versions() -> dict[str, str]:
    """Return the versions in constraints.txt by normalized package name."""
    if not CONSTRAINTS.is_file():
        return {}
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def _install_step(extra: str) -> str:
    """Return the instruction that installs an extra."""
    return (
        f"run pip install --constraint {CONSTRAINTS.name} -e '.[{extra}]' in the course directory."
    )


def check_cluster(_: object) -> Iterator[tuple[str, str]]:
    """Check for Dask, which distributes grading over several machines."""
    if importlib.util.find_spec("distributed"):
        yield OK, f"Dask {metadata.version('distributed')}, for course grade --scheduler"
    else:
        text = "Dask is not installed; only course grade --scheduler needs it:"
        yield NOTE, f"{text} {_install_step('cluster')}"


def check_postgresql(_: object) -> Iterator[tuple[str, str]]:
    """Check for a PostgreSQL driver, which a gradebook on a server needs."""
    for name in ("psycopg", "psycopg2"):
        if importlib.util.find_spec(name):
            yield OK, f"{name} {_installed(name)[1] or ''}, for a gradebook on a server"
            return
    text = "no driver is installed; only a gradebook on a PostgreSQL server needs one:"
    yield NOTE, f"{text} {_install_step('postgres')}"


def check_browser(_: object) -> Iterator[tuple[str, str]]:
    """Check for Chromium, which the browser tests use."""
    if path := shutil.which("chromium") or shutil.which("chromium-browser"):
        yield OK, f"{path}, for the browser tests"
    else:
        text = (
            "Chromium is not installed; only the browser tests need it and are skipped without it:"
        )
        yield NOTE, f"{text} install it (Debian: apt-get install chromium)."


def check_gpu(query: "subprocess.Popen[str]") -> Iterator[tuple[str, str]]:
    """Report the device that Keras computes on, which `keras_query` determines."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    try:
        answer, errors = query.communicate(timeout=KERAS_SECONDS)
        backend, version, device = json.loads(answer.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        problem = f"importing Keras took more than {KERAS_SECONDS} s"
        yield NOTE, f"{problem}: try again when the machine is idle."
        return
    except (ValueError, IndexError):
        reason = (errors.strip().splitlines() or ["no reason reported"])[-1][:200]
        # Grading uses TensorFlow, regardless of the environment.
        state = MISSING if backend == "tensorflow" else NOTE
        yield state, f"Keras cannot be imported with {backend} ({reason}): {_install_step(EXTRA)}"
        return
    if device == "GPU":
        yield OK, f"Keras computes on the GPU with {backend} {version}"
        return
    text = f"Keras computes on the CPU with {backend} {version}; that is sufficient for grading"
    if Path("/dev/nvidia0").exists():
        text += (
            "; Keras does not find the NVIDIA GPU: run pip install 'tensorflow[and-cuda]'"
            " and check that nvidia-smi works"
        )
    yield NOTE, f"{text}."


@contextlib.contextmanager
def keras_query() -> "Iterator[subprocess.Popen[str]]":
    """Start a process that prints the device Keras computes on; kill the process at the end."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    # JAX would allocate most of a GPU's memory.
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    process = subprocess.Popen(
        [sys.executable, "-c", _QUERY_KERAS],
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
