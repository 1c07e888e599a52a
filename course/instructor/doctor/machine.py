"""Looks at the machine and the course directory: isolation, memory, gradebook, address, data."""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError
from course.instructor import course_dir
from course.instructor.course_dir import CONFIG_NAME
from course.instructor.doctor.findings import LACK, NOTE, OK

MEMORY_MB = 4096  # of c.TwoKernels, where a course directory does not say
ZYGOTE_MB = 600


@dataclass(frozen=True)
class Settings:
    """What the configuration of a course directory says, or why it does not."""

    root: Path
    problem: tuple | None = None
    database: str = ""
    memory_mb: int = MEMORY_MB
    devices: tuple = ()

    @classmethod
    def read(cls, root):
        """Read it; what is wrong with it is in `problem`, as a state and a text."""
        try:
            course_dir.check_course_dir(root)
        except CourseError as error:
            return cls(root, (NOTE, str(error)))
        try:
            config = course_dir.load_config(root)
        except ModuleNotFoundError as error:
            path = root / CONFIG_NAME
            return cls(root, (NOTE, f"{path} cannot be read: {error.name} is not installed."))
        except CourseError as error:
            return cls(root, (LACK, str(error)))
        return cls(
            root,
            None,
            str(config.CourseDirectory.get("db_url", "")),
            int(config.TwoKernels.get("memory_mb", MEMORY_MB)),
            tuple(map(str, config.TwoKernels.get("devices", ()))),
        )


def isolation(settings):
    """Try what a kernel does to isolate itself, and look for the devices that it may use."""
    from course.instructor.sandbox import bubblewrap

    try:
        problem = bubblewrap.problem()
    except subprocess.TimeoutExpired:
        problem = "bubblewrap does not answer within a minute: try it again on an idle machine"
    if problem:
        yield LACK, f"{problem}."
        return
    version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False)
    yield OK, f"{version.stdout.strip()}, kernels are isolated"
    for device in settings.devices:
        if not Path(device).exists():
            yield (
                LACK,
                f"{device} of c.TwoKernels.devices is not there: take it out of {CONFIG_NAME}, or"
                " see that its driver is loaded.",
            )


def machine(settings):
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


def gradebook(settings):
    """Look for the gradebook that the configuration names."""
    if settings.problem:
        yield settings.problem
        return
    from course.instructor.gradebook import health

    state, text = health.look(settings.root, settings.database)
    yield {health.THERE: OK, health.UNUSABLE: LACK}.get(state, NOTE), text


def address(settings):
    """Report whether badges and install cells lead anywhere."""
    if settings.problem:
        yield settings.problem
        return
    from course.instructor.release.address import PublicAddress

    public = PublicAddress.of_course(settings.root)
    if public.is_set:
        yield OK, f"{public.url}, branch {public.branch}"
    else:
        yield (
            NOTE,
            f"{public.url} is a placeholder, so badges and install cells lead nowhere: set"
            f" c.PublicAddress.url in {CONFIG_NAME}, then run course release.",
        )


def data(_):
    """Look for the data sets; only students and `course run` need them."""
    from course.datasets import data_directory, download

    # File to the function that fetches it, the shape of its images and of its labels.
    known = {
        "mnist.npz": ("load_mnist", (28, 28), ()),
        "cifar10.npz": ("load_cifar10", (32, 32, 3), (1,)),
    }
    folder = data_directory()
    for name, (loader, *shapes) in known.items():
        path = folder / name
        if not path.is_file():
            fetch = f'python -c "from course import datasets; datasets.{loader}()"'
            yield NOTE, f"{name} is not in {folder}, and grading needs none: {fetch} fetches it."
            continue
        try:
            download.read_arrays(path, *shapes)
            yield OK, f"{path}, {path.stat().st_size / 1e6:.0f} MB"
        except CourseError as error:
            yield NOTE, str(error)
