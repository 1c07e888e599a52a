"""What this machine can do for the course, and a mend for each lack; it changes nothing.

Keras takes seconds to import and is asked in another process, meanwhile; the rest answers at once.
"""

import contextlib
from pathlib import Path

from course.errors import CourseError
from course.instructor.doctor import machine, software
from course.instructor.doctor.findings import LACK, NOTE, OK, Finding

__all__ = ["LACK", "NOTE", "OK", "SUBJECTS", "Finding", "examine"]

# Subject to what yields the states and texts of its findings.
SUBJECTS = {
    "python": software.python,
    "packages": software.packages,
    "isolation": machine.isolation,
    "machine": machine.machine,
    "gradebook": machine.gradebook,
    "address": machine.address,
    "data": machine.data,
    "cluster": software.cluster,
    "postgresql": software.postgresql,
    "browser": software.browser,
    "gpu": software.gpu,
}
NEEDS_SETTINGS = {"isolation", "machine", "gradebook"}


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
    with software.asking_keras() if "gpu" in wanted else contextlib.nullcontext() as asked:
        settings = machine.Settings.read(Path(root)) if set(wanted) & NEEDS_SETTINGS else None
        for subject in wanted:
            for state, text in SUBJECTS[subject](asked if subject == "gpu" else settings):
                yield Finding(state, subject, text)
