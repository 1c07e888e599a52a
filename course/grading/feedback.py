"""Writing the feedback pages of a class, several at once."""

import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from nbgrader.utils import temp_attrs

from course.errors import CourseError
from course.grading.coursework import first_error, open_api
from course.grading.scores import students_of
from course.kernels.shell import printable

FEW = 4  # pages that are written sooner than another process has started
_apis = {}


def write(root, name, student=None, workers=None):
    """Write the feedback pages of an assignment's graded submissions.

    Parameters
    ----------
    root : Path
        The course directory.
    name : str
        The assignment.
    student : str, optional
        Only this student's page.
    workers : int, optional
        Pages side by side; one a core if none is given.

    Yields
    ------
    Path
        The page of each student, as it is written.

    Raises
    ------
    CourseError
        At the end, if there are students whose page could not be written.
    """
    students = students_of(root, "autograded", name, student)
    problems = []
    for page, problem in _side_by_side(root, name, students, workers or os.cpu_count() or 1):
        if problem:
            problems.append(problem)
        else:
            yield page
    if problems:
        raise CourseError("\n".join(problems))


def _side_by_side(root, name, students, workers):
    workers = min(workers, -(-len(students) // FEW))
    if workers <= 1:
        yield from (_write_page(root, name, each) for each in students)
        return
    # Threads are not enough: nbgrader keeps the working directory and a log for the process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            count = len(students)
            yield from pool.map(_write_page, [root] * count, [name] * count, students)
        finally:
            pool.shutdown(cancel_futures=True)


def _write_page(root, name, student):
    """Write a page beside its place and put it there; return it, and a sentence if that failed."""
    root = Path(root).resolve()
    # The gradebook's processes each keep an API of their own.
    api = _apis.get(root)
    if api is None:
        api = _apis[root] = open_api(root)
    stage = root / "build" / "feedback" / str(os.getpid())
    try:
        with temp_attrs(api.coursedir, feedback_directory=str(stage)):
            outcome = api.generate_feedback(name, student, force=True)
        pages = list((stage / student / name).glob("*.html"))
        if not outcome["success"] or not pages:
            reason = printable(first_error(outcome["log"]))
            return None, f"no feedback for {student} in {name}: {reason}"
        place = root / "feedback" / student / name
        place.mkdir(parents=True, exist_ok=True)
        for page in pages:
            page.replace(place / page.name)
        return place / pages[0].name, None
    except OSError as error:
        return None, f"no feedback for {student} in {name}: {error.strerror or error}"
    finally:
        shutil.rmtree(stage, ignore_errors=True)
