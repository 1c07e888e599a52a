"""Writing the feedback pages of a class in parallel."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nbgrader.converters import GenerateFeedback, NbGraderException
from nbgrader.utils import capture_log, temp_attrs

from course.instructor import unfinished_change
from course.instructor.course_dir import first_error, open_api
from course.instructor.feedback import limited_renderer
from course.instructor.file_lock import exclusive_lock
from course.instructor.gradebook.group_submissions import GroupSubmissions
from course.instructor.sandbox import hardening
from course.instructor.sandbox.cell_execution import printable
from course.instructor.sandbox.worker_pool import available_cores
from course.instructor.student_text import limited_call

FOLDER = Path("build", "feedback")  # in the course directory, for the lock and unfinished pages
_open_api = cache(open_api)  # once per process


@dataclass(frozen=True)
class PageRequest:
    """A page to write for a graded submission, and the students who get it, such as a group."""

    assignment: str
    student: str  # who submitted
    readers: tuple[str, ...]
    is_group: bool = False


@dataclass
class WrittenPage:
    """The paths of a written page, one for each reader, or the problem that prevented it."""

    paths: list[Path] = field(default_factory=list)
    problem: str | None = None


def exclusive(root: Path) -> AbstractContextManager[None]:
    """Prevent other commands from writing pages for the course while the `with` block runs.

    Raises LockHeldError if another command is writing pages or changing students.
    """
    busy = f"another command is writing feedback pages or changing students in {root.resolve()}"
    return exclusive_lock(root / FOLDER, f"{busy}: wait until it ends.")


def request_pages(
    name: str, students: Iterable[str], shared: GroupSubmissions, reader: str | None = None
) -> list[PageRequest]:
    """Return requests for the pages of an assignment's submissions, or only those for one reader.

    There is no page for a submission that does not count because another group member's does.
    """
    requested = []
    for student in students:
        everyone = shared.readers_of(student)
        readers = tuple(each for each in everyone if reader in (None, each))
        if readers:
            requested.append(PageRequest(name, student, readers, len(everyone) > 1))
    return requested


def write_pages(
    root: Path, requested: Sequence[PageRequest], workers: int | None = None
) -> Iterator[WrittenPage]:
    """Write the feedback pages of graded submissions and yield each page when it is finished.

    A page is written to a temporary folder and then moved, so that a killed command leaves the old
    page or the new one. Raises CourseError if another process is writing pages for this course, or
    if a change of students was interrupted.
    """
    with exclusive(root):
        unfinished_change.require_none(root)
        staging = Path(root, FOLDER).resolve() / "stage"
        shutil.rmtree(staging, ignore_errors=True)  # a killed command can leave it behind
        try:
            yield from _write_in_parallel(root, staging, requested, workers or available_cores())
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _write_in_parallel(
    root: Path, staging: Path, requested: Sequence[PageRequest], workers: int
) -> Iterator[WrittenPage]:
    """Write and yield the pages; if a process was killed, write its pages again, one at a time."""
    if min(workers, len(requested)) == 1:
        for request in requested:
            yield _write_page(root, staging, request)
        return
    unfinished = []
    for request, page in _write_in_processes(root, staging, requested, workers):
        if page:
            yield page
        else:
            unfinished.append(request)
    # A broken pool also loses the pages that were waiting, so each page now gets its own pool.
    killed = "the process was killed: check how much memory is free"
    for each in unfinished:
        for _, page in _write_in_processes(root, staging, [each], 1):
            yield page or _failed(each, killed)


def _write_in_processes(
    root: Path, staging: Path, requested: Sequence[PageRequest], workers: int
) -> Iterator[tuple[PageRequest, WrittenPage | None]]:
    """Yield each request with its page when it is finished, or with None if its process died."""
    limited_call.preload(limited_renderer.__name__)
    # Threads would share the working directory, which nbgrader changes; forking saves imports.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(workers, len(requested)), context, _initialize_worker) as pool:
        jobs = {pool.submit(_write_page, root, staging, each): each for each in requested}
        try:
            for job in as_completed(jobs):
                is_killed = isinstance(job.exception(), BrokenProcessPool)
                yield jobs[job], None if is_killed else job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _initialize_worker() -> None:
    """Ignore Ctrl-C, so that pages in progress are finished, and exit if the command ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hardening.die_with_parent()


def _write_page(root: Path, staging: Path, request: PageRequest) -> WrittenPage:
    """Write one page, and copy it to the folder of each reader; this can run in any process."""
    name, student = request.assignment, request.student
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
            converter.force, converter.is_group = True, request.is_group
            outcome = capture_log(converter)
        pages = list((staging / student / name).glob("*.html"))
        if not outcome["success"] or not pages:
            return _failed(request, printable(first_error(outcome)))
        folders = [root / "feedback" / each / name for each in request.readers]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            for page in pages:
                Path(shutil.copy(page, staging)).replace(folder / page.name)
        return WrittenPage([folder / pages[0].name for folder in folders])
    except OSError as error:
        path = error.filename or graded
        return _failed(request, f"cannot read or write {path} ({error.strerror})")
    except Exception as error:  # a submission can be damaged in any way
        reason = printable(f"{type(error).__name__}: {error}").splitlines()[0]
        return _failed(request, reason[:300])
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _ConvertGraded(GenerateFeedback):
    """nbgrader's converter for one graded submission, whatever characters its path contains.

    nbgrader itself uses names as glob patterns, in which some characters have a special meaning.
    """

    is_group = False  # the page is for all members of a group

    def init_notebooks(self) -> None:
        """Select the notebooks in the student's folder; raise NbGraderException if it has none."""
        folder = Path(self._format_source(self.coursedir.assignment_id, self.coursedir.student_id))
        found = [str(path) for path in folder.glob("*.ipynb")]
        if not found:
            self.log.error("There is no graded notebook in %s", folder)
            raise NbGraderException(f"no notebook in {folder}")
        self.assignments = {str(folder): found}

    def init_single_notebook_resources(self, notebook_filename: str) -> dict[str, Any]:
        """Return what nbgrader's preprocessors need to know about the notebook."""
        resources = super().init_single_notebook_resources(notebook_filename)
        resources["nbgrader"]["is_group"] = self.is_group
        return resources


def _failed(request: PageRequest, reason: str) -> WrittenPage:
    """Return the outcome for a page that was not written."""
    readers = ", ".join(request.readers)
    return WrittenPage(problem=f"no feedback for {readers} in {request.assignment}: {reason}")
