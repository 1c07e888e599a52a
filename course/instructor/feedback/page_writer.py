"""Writing the feedback pages of a class in parallel."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nbgrader.converters import GenerateFeedback, NbGraderException
from nbgrader.utils import capture_log, temp_attrs

from course.instructor.course_dir import first_error, open_api
from course.instructor.feedback import limited_renderer
from course.instructor.file_lock import exclusive_lock
from course.instructor.sandbox import hardening
from course.instructor.sandbox.cell_execution import printable
from course.instructor.sandbox.worker_pool import available_cores
from course.instructor.student_text import limited_call

PageId = tuple[str, str]  # assignment, student
_open_api = cache(open_api)  # once per process


@dataclass
class WrittenPage:
    """The path of a student's page, or the problem that prevented it."""

    path: Path | None = None
    problem: str | None = None


def write_pages(
    root: Path, requested: Sequence[PageId], workers: int | None = None
) -> Iterator[WrittenPage]:
    """Write the feedback pages of graded submissions and yield each page when it is finished.

    A page is written to a temporary folder and then moved, so that a killed command leaves the old
    page or the new one. Raises CourseError if another process is writing pages for this course.
    """
    folder, course_dir = root / "build" / "feedback", root.resolve()
    busy = f"another course feedback command is writing pages in {course_dir}: wait until it ends."
    with exclusive_lock(folder, busy):
        staging = folder.resolve() / "stage"
        shutil.rmtree(staging, ignore_errors=True)  # a killed command can leave it behind
        try:
            yield from _write_in_parallel(root, staging, requested, workers or available_cores())
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _write_in_parallel(
    root: Path, staging: Path, requested: Sequence[PageId], workers: int
) -> Iterator[WrittenPage]:
    """Yield the pages; pages whose process was killed are written again, one at a time."""
    if min(workers, len(requested)) == 1:
        for name, student in requested:
            yield _write_page(root, staging, name, student)
        return
    unfinished = []
    for page_id, page in _write_in_processes(root, staging, requested, workers):
        if page:
            yield page
        else:
            unfinished.append(page_id)
    # A broken pool also drops the pages that were waiting, so each page gets its own pool.
    killed = "the process was killed: check how much memory is free"
    for each in unfinished:
        for _, page in _write_in_processes(root, staging, [each], 1):
            yield page or _failed(*each, killed)


def _write_in_processes(
    root: Path, staging: Path, requested: Sequence[PageId], workers: int
) -> Iterator[tuple[PageId, WrittenPage | None]]:
    """Yield each page when it is finished, or None if its process was killed."""
    limited_call.preload(limited_renderer.__name__)
    # Threads would share the working directory, which nbgrader changes; forking saves imports.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(workers, len(requested)), context, _initialize_worker) as pool:
        jobs = {pool.submit(_write_page, root, staging, *each): each for each in requested}
        try:
            for job in as_completed(jobs):
                is_killed = isinstance(job.exception(), BrokenProcessPool)
                yield jobs[job], None if is_killed else job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _initialize_worker() -> None:
    """Ignore Ctrl-C, because the command lets running pages finish, and end with the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hardening.die_with_parent()


def _write_page(root: Path, staging: Path, name: str, student: str) -> WrittenPage:
    """Write one page; this can run in any process."""
    staging = staging / str(os.getpid())
    graded = root / "autograded" / student / name
    try:
        api = _open_api(root)
        # Accompanying files are the student's own and can be large, so they are not copied.
        with temp_attrs(
            api.coursedir,
            assignment_id=name,
            student_id=student,
            feedback_directory=str(staging),
            ignore=["*"],
        ):
            converter = _ConvertGraded(coursedir=api.coursedir, parent=api)
            converter.force = True
            outcome = capture_log(converter)
        pages = list((staging / student / name).glob("*.html"))
        if not outcome["success"] or not pages:
            return _failed(name, student, printable(first_error(outcome)))
        folder = root / "feedback" / student / name
        folder.mkdir(parents=True, exist_ok=True)
        for page in pages:
            page.replace(folder / page.name)
        return WrittenPage(folder / pages[0].name)
    except OSError as error:
        path = error.filename or graded
        return _failed(name, student, f"cannot read or write {path} ({error.strerror})")
    except Exception as error:  # a submission can be damaged in any way
        reason = printable(f"{type(error).__name__}: {error}").splitlines()[0]
        return _failed(name, student, reason[:300])
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _ConvertGraded(GenerateFeedback):
    """nbgrader's converter for one graded submission, whatever characters its name contains.

    nbgrader itself searches for submissions by patterns.
    """

    def init_notebooks(self) -> None:
        """Select the notebooks in the student's folder."""
        folder = Path(self._format_source(self.coursedir.assignment_id, self.coursedir.student_id))
        found = [str(path) for path in folder.glob("*.ipynb")]
        if not found:
            self.log.error("There is no graded notebook in %s", folder)
            raise NbGraderException(f"no notebook in {folder}")
        self.assignments = {str(folder): found}


def _failed(name: str, student: str, reason: str) -> WrittenPage:
    """Return the outcome for a page that was not written."""
    return WrittenPage(problem=f"no feedback for {student} in {name}: {reason}")
