"""`course watch`: collecting and grading uploads as they arrive."""

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Self

import click

from course.errors import CourseError
from course.instructor.cli import forkserver_warmup, options
from course.instructor.course_dir import assignment_names

STEP_SECONDS = 0.2  # between checks for a signal


@click.command("watch")
@click.argument("folder", type=options.PATH, metavar="DIR")
@options.names
@options.roster
@options.replace_submissions
@click.option("--once", is_flag=True, help="Process what is in the folder, then exit.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=5,
    metavar="SECONDS",
    help="Seconds between two scans of the folder.",
)
@options.workers("submissions to grade")
@options.no_isolation
@click.pass_obj
def command(
    root: Path,
    folder: Path,
    names: tuple[str, ...],
    roster: Path | None,
    force: bool,
    once: bool,
    interval: float,
    workers: int | None,
    no_isolation: bool,
) -> int:
    """Collect and grade uploads as they arrive in a folder.

    DIR is a folder of uploads, such as a shared drive. NAME is an assignment that may be uploaded,
    such as 02-mnist; without names, it may be any assignment. A file is collected once its size and
    modification time are the same in two consecutive scans. Ctrl-C ends the command after the
    current submission. The exit code is 1 if --once flags a file or cannot process everything.
    """
    selected = assignment_names(root, names)
    if not folder.is_dir():
        raise CourseError(f"{folder} is not a folder: specify the one in which uploads arrive.")
    forkserver_warmup.start_for_uploads(root, selected, isolated=not no_isolation)
    from course.instructor.collect import collection
    from course.instructor.collect.released_assignment import read_releases
    from course.instructor.gradebook.roster_matching import read_collection_roster
    from course.instructor.grading.class_grader import GradingOptions
    from course.instructor.roster.roster import Roster
    from course.instructor.watch.record import RecordFile, folder_of
    from course.instructor.watch.watcher import Watcher, WatchOptions

    def read_roster() -> Roster | None:
        return read_collection_roster(root, roster)

    # Report the mistakes that no round could correct.
    collection.check_path(root, folder)
    read_releases(root, selected)
    read_roster()
    has_problem = False
    with _StopRequest() as stop:
        grading = GradingOptions(workers, isolated=not no_isolation, is_stopping=stop)
        watch_options = WatchOptions(read_roster, force, bool(names), grading)
        message = f"another course watch command is watching {folder}: stop it first."
        with RecordFile(folder_of(root, folder)).exclusive(message):
            watcher = Watcher(root, folder, selected, watch_options)
            _print("watching", str(folder))
            while not stop():
                for event in watcher.round():
                    _print(event.kind, event.text)
                    has_problem |= event.is_problem
                if once and not watcher.has_work:
                    return int(has_problem)
                stop.sleep(interval)
        _print("stopped", "the same command continues with what is left")
    return 0


def _print(kind: str, text: str) -> None:
    """Print one event with the time."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {kind}  {text}", flush=True)


class _StopRequest:
    """Whether SIGINT or SIGTERM has asked the command to end.

    A second signal raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self._is_requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        return self._is_requested

    def sleep(self, seconds: float) -> None:
        """Sleep for a time, or until a signal arrives."""
        end = time.monotonic() + seconds
        while not self._is_requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, STEP_SECONDS))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_requested:
            raise KeyboardInterrupt
        self._is_requested = True
