"""Checks that a machine can run the course; each finding says how to fix the problem.

The checks change nothing. Keras takes seconds to import, so it starts early in another process.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from course.errors import CourseError
from course.instructor.doctor import machine, software
from course.instructor.doctor.findings import MISSING, NOTE, OK, Finding

__all__ = ["MISSING", "NOTE", "OK", "SUBJECTS", "Finding", "diagnose"]

# Each subject, with the function that yields the states and texts of its findings.
SUBJECTS: dict[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "python": software.check_python,
    "packages": software.check_packages,
    "isolation": machine.check_isolation,
    "machine": machine.check_memory,
    "gradebook": machine.check_gradebook,
    "address": machine.check_address,
    "data": machine.check_data,
    "cluster": software.check_cluster,
    "postgresql": software.check_postgresql,
    "browser": software.check_browser,
    "gpu": software.check_gpu,
}
NEEDS_SETTINGS = {"isolation", "machine", "gradebook", "address"}


def diagnose(root: Path, subjects: Sequence[str] = ()) -> Iterator[Finding]:
    """Check this machine and yield one or more findings per subject, by default for all subjects.

    Outside a course directory, missing settings of a course are only a note. Raises CourseError for
    an unknown subject.
    """
    for subject in subjects:
        if subject not in SUBJECTS:
            raise CourseError(
                f"course doctor cannot check {subject!r}: choose from {', '.join(SUBJECTS)}."
            )
    selected = [subject for subject in SUBJECTS if not subjects or subject in subjects]
    with software.keras_query() if "gpu" in selected else contextlib.nullcontext() as query:
        settings = machine.Settings.load(Path(root)) if NEEDS_SETTINGS & {*selected} else None
        for subject in selected:
            for state, text in SUBJECTS[subject](query if subject == "gpu" else settings):
                yield Finding(state, subject, text)
