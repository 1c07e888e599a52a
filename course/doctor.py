"""What this machine can do for the course, and a mend for each lack; it changes nothing.

Keras takes seconds to import and is asked in another process, meanwhile; the rest answers at once.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from course import __version__, address
from course.errors import CourseError

OK, NOTE, LACK = "ok", "note", "lack"
DISTRIBUTION, EXTRA = "cnn-course", "instructor"
CONFIG_NAME = "nbgrader_config.py"
# The package of the course lies in its directory, unless it was installed without one.
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
SHOWN = ("keras", "tensorflow", "tensorflow-cpu", "nbgrader", "jupyterlab")
KERAS_SECONDS = 90
MEMORY_MB = 4096  # of c.TwoKernels, where a course directory does not say
ZYGOTE_MB = 600
_ASK_KERAS = """
import json, sys
import keras
from course.session import _device
backend = keras.backend.backend()
print(json.dumps([backend, sys.modules[backend].__version__, _device(backend)]))
"""


@dataclass(frozen=True)
class Finding:
    """What was found out about one subject.

    Attributes
    ----------
    state : str
        OK; NOTE, which grading can do without; or LACK, which it cannot.
    subject : str
        One of `SUBJECTS`.
    text : str
        What there is, or what there is not and what to do about it.
    """

    state: str
    subject: str
    text: str

    def __str__(self):
        return f"{self.state:<5}{self.subject:<12}{self.text}"


def examine(root, subjects=()):
    """Look at this machine and yield a `Finding` or more a subject.

    Parameters
    ----------
    root : Path
        The course directory; without one, what belongs to it is noted as missing.
    subjects : sequence of str
        Of `SUBJECTS`; none means all.

    Raises
    ------
    CourseError
        If there is no such subject.
    """
    for subject in subjects:
        if subject not in SUBJECTS:
            raise CourseError(
                f"{subject!r} is nothing that course doctor looks at: choose of"
                f" {', '.join(SUBJECTS)}."
            )
    wanted = [subject for subject in SUBJECTS if not subjects or subject in subjects]
    with _asking_keras() if "gpu" in wanted else contextlib.nullcontext() as asked:
        settings = _Settings.read(Path(root)) if set(wanted) & NEEDS_SETTINGS else None
        for subject in wanted:
            for state, text in SUBJECTS[subject](asked if subject == "gpu" else settings):
                yield Finding(state, subject, text)


@dataclass(frozen=True)
class _Settings:
    """What the configuration of a course directory says, or why it does not."""

    root: Path
    problem: tuple | None = None
    database: str = ""
    memory_mb: int = MEMORY_MB
    devices: tuple = ()

    @classmethod
    def read(cls, root):
        path = root / CONFIG_NAME
        if not path.is_file():
            where = f"{root.resolve()} is not a course directory (it has no {CONFIG_NAME})"
            return cls(root, (NOTE, f"{where}: go to the one that has it, or name it with -C."))
        try:
            from traitlets.config.loader import PyFileConfigLoader

            config = PyFileConfigLoader(CONFIG_NAME, path=str(root)).load_config()
            return cls(
                root,
                None,
                str(config.CourseDirectory.get("db_url", "")),
                int(config.TwoKernels.get("memory_mb", MEMORY_MB)),
                tuple(map(str, config.TwoKernels.get("devices", ()))),
            )
        except ModuleNotFoundError as error:
            return cls(root, (NOTE, f"{path} cannot be read: {error.name} is not installed."))
        except Exception as error:  # it is a program, and can fail in any way
            reason = f"{type(error).__name__}: {error}"
            return cls(root, (LACK, f"{path} cannot be read ({reason}): correct that line."))


def _python(_):
    yield OK, f"{sys.version.split()[0]} in {sys.prefix}; the course is {__version__}"


def _packages(_):
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


def _isolation(_):
    try:
        from course.kernels import sandbox
    except (ImportError, TypeError):  # Windows has not what these import
        yield LACK, "isolation needs Linux: grade in WSL 2, a virtual machine or a container."
        return
    try:
        problem = sandbox.problem()
    except subprocess.TimeoutExpired:
        problem = "bubblewrap does not answer within a minute: try it again on an idle machine"
    if problem:
        yield LACK, f"{problem}."
        return
    version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False)
    yield OK, f"{version.stdout.strip()}, kernels are isolated"


def _machine(settings):
    """Compare the memory with what submissions graded side by side may take at most."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    memory = _memory_mb()
    if memory is None:
        yield OK, f"{cores} cores, so course grade takes {cores} submissions at a time"
        return
    each = 2 * settings.memory_mb
    fitting = max(1, int((memory - ZYGOTE_MB) // each))
    has = f"{cores} cores and {memory / 1024:.0f} GB of memory"
    if cores <= fitting:
        yield OK, f"{has} for {cores} submissions at a time, at most {each / 1024:.0f} GB each"
        return
    yield (
        NOTE,
        f"{has}: {cores} submissions at a time may want {each / 1024:.0f} GB each, though an honest"
        f" one wants far less; course grade --workers {fitting} or a smaller"
        f" c.TwoKernels.memory_mb in {CONFIG_NAME} keeps them within it.",
    )


def _memory_mb():
    """Return the memory of this machine, or of the container it is, or None."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        return None
    for path in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path("/sys/fs/cgroup", path).read_text()))
    return min(found) / 2**20


def _gradebook(settings):
    if settings.problem:
        yield settings.problem
        return
    from course.grading import gradebook

    state, text = gradebook.look(settings.root, settings.database)
    yield {gradebook.THERE: OK, gradebook.UNUSABLE: LACK}.get(state, NOTE), text


def _address(_):
    if "YOUR_ORGANISATION" in address.ADDRESS:
        yield (
            NOTE,
            f"{address.ADDRESS} is a placeholder, so badges and install cells lead nowhere: set"
            " ADDRESS in course/address.py, then run course release.",
        )
    else:
        yield OK, f"{address.ADDRESS}, branch {address.BRANCH}"


def _data(_):
    """Look for the data sets; only students and `course run` need them."""
    from course.datasets import data_directory, files

    # File to the function that fetches it, and the shape of its images.
    known = {"mnist.npz": ("load_mnist", (28, 28))}
    folder = data_directory()
    for name, (loader, shape) in known.items():
        path = folder / name
        if not path.is_file():
            fetch = f'python -c "from course import datasets; datasets.{loader}()"'
            yield NOTE, f"{name} is not in {folder}, and grading needs none: {fetch} fetches it."
            continue
        try:
            files.read_arrays(path, shape)
            yield OK, f"{path}, {path.stat().st_size / 1e6:.0f} MB"
        except CourseError as error:
            yield NOTE, str(error)


def _cluster(_):
    if importlib.util.find_spec("distributed"):
        yield OK, f"Dask {metadata.version('distributed')}, for course grade --scheduler"
    else:
        yield (
            NOTE,
            f"Dask is not installed; only course grade --scheduler needs it: {_install('cluster')}",
        )


def _postgresql(_):
    for name in ("psycopg", "psycopg2"):
        if importlib.util.find_spec(name):
            yield OK, f"{name} {_installed(name)[1] or ''}, for a gradebook on a server"
            return
    how = _install("postgres")
    yield NOTE, f"no driver is installed; only a gradebook on a PostgreSQL server needs it: {how}"


def _browser(_):
    if path := shutil.which("chromium") or shutil.which("chromium-browser"):
        yield OK, f"{path}, for the browser tests"
    else:
        yield (
            NOTE,
            "Chromium is missing; only the browser tests need it, and are skipped: install it"
            " (Debian: apt-get install chromium).",
        )


def _gpu(asked):
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
def _asking_keras():
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


SUBJECTS = {
    "python": _python,
    "packages": _packages,
    "isolation": _isolation,
    "machine": _machine,
    "gradebook": _gradebook,
    "address": _address,
    "data": _data,
    "cluster": _cluster,
    "postgresql": _postgresql,
    "browser": _browser,
    "gpu": _gpu,
}
NEEDS_SETTINGS = {"machine", "gradebook"}
