"""Checks of the machine and the course directory: isolation, memory, gradebook, address, data."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError
from course.instructor import course_dir
from course.instructor.course_dir import CONFIG_NAME
from course.instructor.doctor.findings import MISSING, NOTE, OK
from course.instructor.sandbox.limits import PRELOADED_MB, Limits

AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")


@dataclass(frozen=True)
class Settings:
    """The settings of a course directory, or the `problem` with reading them, as (state, text)."""

    root: Path
    problem: tuple[str, str] | None = None
    database: str = ""
    memory_mb: int = Limits.memory_mb
    devices: tuple[str, ...] = ()

    @classmethod
    def load(cls, root: Path) -> "Settings":
        """Load the settings of a course directory."""
        try:
            course_dir.check_course_dir(root)
        except CourseError as error:
            # Without a course directory, this is only a machine that can grade.
            state = MISSING if (root / CONFIG_NAME).is_file() else NOTE
            return cls(root, (state, str(error)))
        try:
            config = course_dir.load_config(root)
        except ModuleNotFoundError as error:
            path = root / CONFIG_NAME
            return cls(root, (NOTE, f"cannot read {path}: {error.name} is not installed."))
        except CourseError as error:
            return cls(root, (MISSING, str(error)))
        return cls(
            root,
            None,
            str(config.CourseDirectory.get("db_url", "")),
            int(config.ExecuteIsolated.get("memory_mb", Limits.memory_mb)),
            tuple(map(str, config.ExecuteIsolated.get("devices", ()))),
        )


def check_isolation(settings: Settings) -> Iterator[tuple[str, str]]:
    """Try to isolate a process like a kernel, and check that the permitted devices exist."""
    from course.instructor.sandbox import bubblewrap, memory_cgroup

    try:
        problem = bubblewrap.isolation_problem()
    except subprocess.TimeoutExpired:
        problem = "bubblewrap did not respond within a minute: try again when the machine is idle"
    if problem:
        yield MISSING, f"{problem}."
        return
    version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False)
    yield OK, f"{version.stdout.strip()}, kernels are isolated"
    yield OK, "only listed system calls are allowed"
    folder, reason = memory_cgroup.find_parent()
    if folder:
        yield OK, f"a memory cgroup in {folder} limits the total memory of each kernel"
    else:
        text = (
            "so memory is limited for each process and checked five times per second for a kernel"
        )
        yield NOTE, f"{reason}, {text}."
    if AUTOGROUP.is_file() and AUTOGROUP.read_text().strip() == "0":
        yield (
            NOTE,
            "a submission with many busy processes slows down the others: run sysctl"
            " kernel.sched_autogroup_enabled=1 as root, which gives each submission the same share"
            " of the processor.",
        )
    for device in settings.devices:
        if not Path(device).exists():
            step = f"remove it from {CONFIG_NAME}, or load its driver"
            yield MISSING, f"{device} in c.ExecuteIsolated.devices does not exist: {step}."


def check_memory(settings: Settings) -> Iterator[tuple[str, str]]:
    """Compare the memory with the total limit of the submissions graded at the same time."""
    from course.instructor.sandbox.worker_pool import available_cores

    cores = available_cores()
    memory = _memory_mb()
    if memory is None:
        yield OK, f"{cores} cores: course grade grades {cores} submissions at a time"
        return
    each = 2 * settings.memory_mb
    fitting = max(1, int((memory - PRELOADED_MB) // each))
    available = f"{cores} cores and {memory / 1024:.0f} GB of memory"
    limit = f"at most {each / 1024:.0f} GB each"
    if cores <= fitting:
        yield OK, f"{available} for {cores} submissions at a time, {limit}"
        return
    yield (
        NOTE,
        f"{available}: {cores} submissions at a time can use {limit}, although most need far less;"
        f" to stay within the memory, use course grade --workers {fitting} or a smaller"
        f" c.ExecuteIsolated.memory_mb in {CONFIG_NAME}.",
    )


def _memory_mb() -> float | None:
    """Return the memory of this machine or container in MB, or None if it is unknown."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        return None
    for path in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path("/sys/fs/cgroup", path).read_text()))
    return min(found) / 2**20


def check_gradebook(settings: Settings) -> Iterator[tuple[str, str]]:
    """Check the gradebook that the configuration names."""
    if settings.problem:
        yield settings.problem
        return
    from course.instructor.gradebook import health

    state, text = health.check_gradebook(settings.root, settings.database)
    yield {health.AVAILABLE: OK, health.UNUSABLE: MISSING}.get(state, NOTE), text


def check_address(settings: Settings) -> Iterator[tuple[str, str]]:
    """Check whether the public address is set."""
    if settings.problem:
        yield settings.problem
        return
    from course.instructor.release.public_address import PublicAddress

    public = PublicAddress.of_course(settings.root)
    if public.is_set:
        yield OK, f"{public.url}, branch {public.branch}"
    else:
        problem = f"{public.url} is a placeholder, so badges and install cells do not work"
        step = f"set c.PublicAddress.url in {CONFIG_NAME}, then run course release"
        yield NOTE, f"{problem}: {step}."


def check_data(_: object) -> Iterator[tuple[str, str]]:
    """Check the datasets; only students and `course run` need them."""
    from course.datasets import data_directory, data_files

    # Each file, with the function that downloads it and the shapes of one image and one label.
    data_sets: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
        "mnist.npz": ("load_mnist", (28, 28), ()),
        "cifar10.npz": ("load_cifar10", (32, 32, 3), (1,)),
    }
    folder = data_directory()
    for name, (loader, image_shape, label_shape) in data_sets.items():
        path = folder / name
        if not path.is_file():
            load = f'python -c "from course import datasets; datasets.{loader}()"'
            text = f"{name} is not in {folder}; grading does not need it. To download it:"
            yield NOTE, f"{text} {load}"
            continue
        try:
            data_files.read_arrays(path, image_shape, label_shape)
            yield OK, f"{path}, {path.stat().st_size / 1e6:.0f} MB"
        except CourseError as error:
            yield NOTE, str(error)
