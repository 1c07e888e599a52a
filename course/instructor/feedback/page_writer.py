"""Writing the feedback pages of a class, several at once."""

import multiprocessing
import os
import shutil
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nbgrader.utils import temp_attrs

from course.instructor.course_dir import first_error, open_api
from course.instructor.file_lock import exclusive_lock
from course.instructor.sandbox import hardening
from course.instructor.sandbox.execute import printable


@dataclass
class WrittenPage:
    """What became of a student's page.

    Attributes
    ----------
    path : Path or None
        Where it lies.
    problem : str or None
        Why there is none, in a sentence.
    """

    path: Path | None = None
    problem: str | None = None


def write_pages(root, wanted, workers=None):
    """Write the feedback pages of graded submissions.

    A page is written beside its place and put there whole, so that a killed command leaves the old
    page or the new one.

    Parameters
    ----------
    root : Path
        The course directory.
    wanted : list of tuple of str
        Assignment and student of each page.
    workers : int, optional
        Pages side by side; one a core if none is given.

    Yields
    ------
    Page
        As it is done.

    Raises
    ------
    CourseError
        If another process writes pages of this course.
    """
    root = Path(root)
    folder = root / "build" / "feedback"
    busy = f"another course feedback is writing pages of {root.resolve()}: wait until it has ended."
    with exclusive_lock(folder, busy):
        stage = folder.resolve() / "stage"
        shutil.rmtree(stage, ignore_errors=True)  # a killed one left it
        try:
            yield from _side_by_side(root, stage, wanted, workers or os.cpu_count() or 1)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _side_by_side(root, stage, wanted, workers):
    if min(workers, len(wanted)) == 1:
        for name, student in wanted:
            yield _write_page(root, stage, name, student)
        return
    lost = []
    for name, student, page in _in_processes(root, stage, wanted, workers):
        if page:
            yield page
        else:
            lost.append((name, student))
    # A process that was ended takes those with it that wait. Each is tried again by itself.
    for each in lost:
        for name, student, page in _in_processes(root, stage, [each], 1):
            yield page or _failed(
                name, student, "its process was ended: see what is left of memory"
            )


def _in_processes(root, stage, wanted, workers):
    """Yield assignment, student and page as each is done; no page where its process was ended."""
    # Processes, since nbgrader keeps a working directory; forked, since its import takes seconds.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(workers, len(wanted)), context, _follow_command) as pool:
        jobs = {pool.submit(_write_page, root, stage, *each): each for each in wanted}
        try:
            for job in as_completed(jobs):
                broken = isinstance(job.exception(), BrokenProcessPool)
                yield *jobs[job], None if broken else job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _follow_command():
    """Leave Ctrl-C to the command, which lets end what is under way, and end where it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hardening.die_with_parent()


def _write_page(root, stage, name, student):
    """Write a page, in any process; return it."""
    # Each process has a place of its own for pages that are not whole yet.
    stage = stage / str(os.getpid())
    graded = root / "autograded" / student / name
    try:
        api = _api(root)
        # No other file goes along: what lies beside a notebook can be large, and is the student's.
        with temp_attrs(api.coursedir, feedback_directory=str(stage), ignore=["*"]):
            outcome = api.generate_feedback(name, student, force=True)
        pages = list((stage / student / name).glob("*.html"))
        if not outcome["success"] or not pages:
            return _failed(name, student, printable(first_error(outcome["log"])))
        place = root / "feedback" / student / name
        place.mkdir(parents=True, exist_ok=True)
        for page in pages:
            page.replace(place / page.name)
        return WrittenPage(place / pages[0].name)
    except OSError as error:
        where = error.filename or graded
        return _failed(name, student, f"{where} cannot be read or written ({error.strerror})")
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@cache
def _api(root):
    return open_api(root)


def _failed(name, student, reason):
    return WrittenPage(problem=f"no feedback for {student} in {name}: {reason}")
