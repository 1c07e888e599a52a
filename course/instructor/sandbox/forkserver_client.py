"""Client for the forkserver, the preloaded process that forks kernels."""

import atexit
import contextlib
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from course.errors import CourseError
from course.instructor.sandbox import bubblewrap, memory_cgroup, messages, warm_forkserver
from course.instructor.sandbox.kernel_client import (
    FORKSERVER_ENDED,
    EngineError,
    Kernel,
    KernelEnded,
)
from course.instructor.sandbox.limits import Limits

START_SECONDS = 180
REQUEST_SECONDS = 60
IDLE_SECONDS = 900
PROJECT_ROOT = Path(__file__).parents[3]
# Environment variables that determine what is imported for notebooks, and how: each combination of
# their values has its own forkserver.
IMPORT_VARIABLES = re.compile(r"PATH|HOME|LANG|LD_LIBRARY_PATH|MPLCONFIGDIR|(JAX|KERAS)_\w+")
NOTEBOOK_ENVIRONMENT = {
    # OpenBLAS starts its threads when it is loaded, and a process with threads does not fork well.
    # The backends start theirs on first use, which is in the kernel.
    "OPENBLAS_NUM_THREADS": "1",
    # Matplotlib reads this when it is imported, which is before there is a kernel.
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": str(PROJECT_ROOT),
}


class Forkserver:
    """A preloaded process that forks kernels; a context manager for use from any thread.

    Without `isolated`, kernels run outside the sandbox, which the user must have requested.
    `devices` are the paths of devices to expose, such as "/dev/nvidia0". The process ends after
    `idle_seconds` without a kernel. Without `uses_keras`, it starts in less than a second, and
    kernels that need Keras import it themselves. With an `environment`, its kernels are for the
    course's own notebooks: no sandbox, no limits, and unpatched Keras. With `stays_warm`, an
    isolated process outlives this object, and later commands with the same code use it. Raises
    CourseError if kernels cannot be isolated on this machine.
    """

    def __init__(
        self,
        isolated: bool = True,
        devices: Sequence[str] = (),
        idle_seconds: float = IDLE_SECONDS,
        environment: Mapping[str, str] | None = None,
        uses_keras: bool = True,
        stays_warm: bool = False,
    ) -> None:
        if not bubblewrap.is_linux():
            raise CourseError(
                "grading needs Linux: use a virtual machine or a container that runs it."
            )
        isolated = isolated and environment is None
        self.isolated = isolated
        self._lock = threading.Lock()
        self._owner = os.getpid()  # processes that it forks can use the forkserver, too
        self._ready = False
        mode = "isolated" if isolated else "open" if environment is None else "notebook"
        arguments = [mode, str(idle_seconds), *(["keras"] if uses_keras else [])]
        if stays_warm and isolated and self._connect_to_warm(arguments, devices):
            return
        if isolated and (problem := bubblewrap.isolation_problem()):
            raise CourseError(f"{problem}; or grade with --no-isolation, at your own risk.")
        self._requests, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = _arguments(inside, arguments)
        command = [sys.executable, *arguments]
        if isolated:
            command = bubblewrap.command(arguments, devices)
        elif environment is None:
            programs = Path(sys.executable).parent
            environment = bubblewrap.environment(programs, Path.home(), PROJECT_ROOT)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._process: subprocess.Popen[bytes] | None = _start_process(
            command,
            env=environment,
            pass_fds=[inside.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            # A Ctrl-C in the terminal is for the caller, which ends this process properly.
            start_new_session=True,
        )
        inside.close()

    def _connect_to_warm(self, arguments: Sequence[str], devices: Sequence[str]) -> bool:
        """Connect to a warm forkserver, starting one if necessary; return whether it succeeded."""

        def start(listener: socket.socket, log: Path) -> None:
            command = bubblewrap.command(_arguments(listener, arguments), devices, True)
            with log.open("wb") as file:
                subprocess.Popen(
                    command,
                    pass_fds=[listener.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=file,
                    start_new_session=True,
                )

        key = bubblewrap.command(arguments, devices, True)
        connected = warm_forkserver.connect(key)
        if not connected and not bubblewrap.isolation_problem():
            connected = warm_forkserver.connect(key, start)
        if not connected:
            return False
        self._requests, log = connected
        self._log, self._process = log.open("rb"), None
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """True while the process can start kernels."""
        if os.getpid() != self._owner:
            return True  # only the owner can find out; if it has ended, no kernel starts
        if self._process:
            return self._process.poll() is None
        poll = select.poll()
        poll.register(self._requests, 0)
        return not poll.poll(0)  # the other end is open

    def wait_until_ready(self) -> None:
        """Return once the imports are done; raise CourseError if the process ends before that."""
        with self._lock:
            if self._ready:
                return
            self._requests.settimeout(START_SECONDS)
            try:
                self._ready = self._requests.recv(16) == b"ready"
            except OSError:
                self._ready = False
            if not self._ready:
                self._log.seek(0)
                lines = self._log.read().decode(errors="replace").strip().splitlines()
                raise CourseError(
                    f"the process that starts kernels ended ({(lines or ['no reason given'])[-1]}):"
                    " run course doctor to find out what this machine is missing."
                )

    def start_kernel(
        self,
        module: str,
        limits: Limits | None,
        files: Iterable[tuple[str, bytes]] = (),
        folder: str | None = None,
        environment: Mapping[str, str] | None = None,
        with_answers: bool = False,
        read_only: Collection[str] = (),
    ) -> Kernel:
        """Start a kernel that runs a module's `serve` function; return once it is ready.

        `files`, given as (relative path, content), are written into its scratch folder; those whose
        paths are in `read_only` cannot be opened for writing there. One of the course's own
        notebooks runs without limits, in `folder`, and with this `environment` added.
        `with_answers` opens a second channel to the kernel, for `Kernel.answer`. Raises EngineError
        if the kernel does not start: no code of a student has run in it.
        """
        self.wait_until_ready()
        ours, theirs = socket.socketpair()
        control, their_control = socket.socketpair()
        scratch = None if self.isolated or folder else tempfile.mkdtemp(prefix="kernel-")
        request: dict[str, Any] = {
            "module": module,
            "limits": asdict(limits) if limits else None,
            "folder": folder or scratch,
            "environment": dict(environment or {}),
        }
        answers, their_answers = socket.socketpair() if with_answers else (None, None)
        cgroup = memory_cgroup.create(limits) if self.isolated and limits else None
        kernel = Kernel(ours, control, limits or Limits(), scratch, answers, cgroup)
        try:
            with contextlib.ExitStack() as stack:
                sockets = filter(None, [theirs, their_control, their_answers])
                descriptors = [stack.enter_context(sock).fileno() for sock in sockets]
                if cgroup:
                    stack.callback(os.close, cgroup.descriptor)
                    descriptors.append(cgroup.descriptor)
                message = b"kernel in cgroup" if cgroup else b"kernel"
                # A packet has a size limit, which an environment may exceed: the request follows
                # as a message.
                with self._lock:
                    socket.send_fds(self._requests, [message], descriptors)
            first = messages.Connection(ours)  # the kernel expects messages of its own connection
            first.send(request, deadline=time.monotonic() + REQUEST_SECONDS)
            kernel.wait_until_started()
            kernel.write_files(files, read_only)
        except EngineError:
            raise
        except KernelEnded as error:
            raise EngineError.not_started(error) from None
        except (OSError, messages.MessageError) as error:
            kernel.close()
            raise EngineError.not_started(f"{FORKSERVER_ENDED} ({error})") from None
        return kernel

    def close(self) -> None:
        """End every kernel and, unless it stays warm, the process."""
        self._requests.close()
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
            self._process.kill()
            self._process.wait()
        self._log.close()


def _arguments(sock: socket.socket, others: Sequence[str]) -> list[str]:
    """Return the arguments with which Python runs a forkserver with its socket."""
    return ["-m", "course.instructor.sandbox.forkserver", str(sock.fileno()), *others]


def _start_process(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a process from a new thread, which lives as long as the process.

    --die-with-parent kills the process when the thread that started it ends.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def start_and_wait() -> None:
        try:
            process = subprocess.Popen(command, **options)
        except BaseException as error:
            started.set_exception(error)
        else:
            started.set_result(process)
            process.wait()

    threading.Thread(target=start_and_wait, name="forkserver", daemon=True).start()
    return started.result()


_shared: dict[tuple, Forkserver] = {}
_warm_minutes = 0.0
_idle_seconds = float(IDLE_SECONDS)
_shared_lock = threading.Lock()
_stopped = threading.Event()


def shared_forkserver(
    isolated: bool = True,
    devices: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    uses_keras: bool = True,
) -> Forkserver:
    """Return this process's forkserver for these arguments; start one if none is alive.

    Raises KernelEnded between `stop_shared` and `allow_shared`.
    """
    variables = environment and tuple(sorted(environment.items()))
    key = isolated, tuple(devices), variables, uses_keras
    with _shared_lock:
        if _stopped.is_set():
            raise KernelEnded("the command was stopped")
        if key not in _shared or not _shared[key].alive:
            if key in _shared:
                _shared[key].close()
            seconds = 60 * _warm_minutes
            _shared[key] = Forkserver(
                isolated,
                devices,
                seconds or _idle_seconds,
                environment,
                uses_keras,
                stays_warm=seconds > 0,
            )
        return _shared[key]


def stay_warm(minutes: float) -> None:
    """Let isolated forkservers outlive this process until they are idle for this many minutes.

    With 0, they end with this process.
    """
    global _warm_minutes
    _warm_minutes = minutes


def keep_shared(seconds: float) -> None:
    """Set how long forkservers that are started from now on wait for the next kernel."""
    global _idle_seconds
    _idle_seconds = seconds


def notebook_forkserver(environment: Mapping[str, str]) -> Forkserver:
    """Return the forkserver that runs the course's own notebooks in an environment."""
    names = filter(IMPORT_VARIABLES.fullmatch, environment)
    chosen = {name: environment[name] for name in names} | NOTEBOOK_ENVIRONMENT
    return shared_forkserver(isolated=False, environment=chosen)


def stop_shared() -> None:
    """End this process's forkservers and all kernels; waiting callers get KernelEnded at once."""
    _stopped.set()
    _close_shared()


def is_stopped() -> bool:
    """Return True after `stop_shared`, until `allow_shared`."""
    return _stopped.is_set()


def allow_shared() -> None:
    """Allow forkservers to be started again."""
    _stopped.clear()


@atexit.register
def _close_shared() -> None:
    for forkserver in _shared.values():
        forkserver.close()
