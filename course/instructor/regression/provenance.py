"""The circumstances of a measurement: package versions, machine, and data files."""

import contextlib
import hashlib
import importlib.metadata
import platform
import re
from functools import lru_cache
from pathlib import Path

from course import datasets
from course.instructor.sandbox.worker_pool import available_cores

DATA_FILES = ("*.npz", "*.h5", "*.zip")


@lru_cache
def package_versions(backend: str) -> dict[str, str]:
    """Return the versions of Python, Keras, and the backend."""
    found = {"Python": platform.python_version()}
    for name in ("keras", backend):
        for package in (f"{name}-cpu", name):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found[name] = importlib.metadata.version(package)
    return found


@lru_cache
def machine_description() -> str:
    """Return the processor and its number of cores, which affect timings and rounding."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.is_file() else ""
    found = re.search(r"^model name\s*: *(.*\S)", text, re.MULTILINE)
    model = found[1] if found else platform.processor() or platform.machine()
    return f"{available_cores()} cores of {model}"


@lru_cache
def data_file_digests() -> str:
    """Return the names and digests of the data files, because copies of a dataset can differ."""
    folder = Path(datasets.data_directory())
    found = []
    for path in sorted(path for pattern in DATA_FILES for path in folder.glob(pattern)):
        with path.open("rb") as file:
            found.append(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}")
    return ", ".join(found) or "none"
