"""The caller's side of a zygote, the warm process that forks kernels."""

import atexit
import contextlib
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path

from course.errors import CourseError
from course.instructor.sandbox import bubblewrap
from course.instructor.sandbox.kernel_client import Kernel, KernelGone
from course.instructor.sandbox.limits import Limits

START_SECONDS = 180
# What of an environment decides what is imported for notebooks, and how: another value of one of
# these is another zygote.
DECIDES = re.compile(r"PATH|HOME|LANG|LD_LIBRARY_PATH|MPLCONFIGDIR|(JAX|KERAS)_\w+")
OF_NOTEBOOKS = {
    # OpenBLAS starts its threads when it is loaded, and what has threads does not fork well. The
    # backends start theirs when they are first used, which is in the kernel.
    "OPENBLAS_NUM_THREADS": "1",
    # matplotlib reads it while it is imported, and the kernel would come too late.
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": str(Path(__file__).parents[3]),
}


class Zygote:
    """A warm process that forks kernels; use it as a context, from any thread.

    Parameters
    ----------
    isolated : bool
        Whether kernels run in the sandbox. False is for a person who says so.
    devices : sequence of str
        Paths of devices to let in, such as "/dev/nvidia0".
    idle_seconds : float
        How long it lives while nobody asks for a kernel.
    environment : dict, optional
        For notebooks of our own: what its kernels find as their environment. They run without
        sandbox and limits, and Keras is left as it is.

    Raises
    ------
    CourseError
        If kernels cannot be isolated here.
    """

    def __init__(self, isolated=True, devices=(), idle_seconds=900, environment=None):
        if not bubblewrap.is_linux():
            raise CourseError(
                "grading needs Linux: use a virtual machine or a container that has it."
            )
        isolated = isolated and environment is None
        if isolated and (problem := bubblewrap.problem()):
            raise CourseError(f"{problem}; or grade with --no-isolation, on your own risk.")
        self.isolated = isolated
        self._lock = threading.Lock()
        self._requests, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mode = "isolated" if isolated else "open" if environment is None else "notebook"
        arguments = [
            "-m",
            "course.instructor.sandbox.forkserver",
            str(inside.fileno()),
            mode,
            str(idle_seconds),
        ]
        command = (
            bubblewrap.command(arguments, devices) if isolated else [sys.executable, *arguments]
        )
        if mode == "open":
            environment = bubblewrap.environment(
                Path(sys.executable).parent, Path.home(), Path(__file__).parents[3]
            )
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._process = _start(
            command,
            env=environment,
            pass_fds=[inside.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            # A Ctrl-C in the terminal is for the caller, who ends this with order.
            start_new_session=True,
        )
        inside.close()
        self._ready = False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    @property
    def alive(self):
        """Whether it can be asked for a kernel."""
        return self._process.poll() is None

    def wait_until_ready(self):
        """Return when the imports are done.

        Raises
        ------
        CourseError
            If it ends before.
        """
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
                    " course doctor says what this machine lacks."
                )

    def kernel(self, module, limits, files=(), folder=None, environment=None):
        """Start a kernel.

        Parameters
        ----------
        module : str
            Name of the module whose `serve` is to run in it.
        limits : Limits or None
            What it may use; None, for a notebook of our own, sets no limit.
        files : iterable of (str, bytes)
            What lies in its scratch directory: relative path, content.
        folder : str, optional
            Where a notebook of our own runs, and leaves its files.
        environment : dict, optional
            What is added to the environment.

        Returns
        -------
        Kernel
        """
        self.wait_until_ready()
        ours, theirs = socket.socketpair()
        leash, held = socket.socketpair()
        scratch = None if self.isolated or folder else tempfile.mkdtemp(prefix="kernel-")
        request = {
            "module": module,
            "limits": limits and limits.as_dict(),
            "folder": folder or scratch,
            "environment": environment or {},
        }
        kernel = Kernel(ours, leash, limits or Limits(), scratch)
        with self._lock, theirs, held:
            try:
                socket.send_fds(
                    self._requests, [json.dumps(request).encode()], [theirs.fileno(), held.fileno()]
                )
            except OSError as error:
                kernel.close()
                raise KernelGone(f"the process that starts kernels has ended ({error})") from None
        kernel.put(files)
        return kernel

    def close(self):
        """End the process and every kernel."""
        self._requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._process.kill()
        self._process.wait()
        self._log.close()


def _start(command, **options):
    """Start a process from a thread of its own, which stays as long as the process.

    The end of the thread that has started it is what --die-with-parent takes for the caller's.
    """
    started = Future()

    def start_and_stay():
        try:
            process = subprocess.Popen(command, **options)
        except BaseException as error:
            started.set_exception(error)
        else:
            started.set_result(process)
            process.wait()

    threading.Thread(target=start_and_stay, name="zygote", daemon=True).start()
    return started.result()


_shared = {}
_sharing = threading.Lock()
_stopped = threading.Event()


def shared_zygote(isolated=True, devices=(), environment=None):
    """Return this process's zygote, started at the first call and again after it has ended.

    The arguments are those of `Zygote`; other ones are another zygote.

    Raises
    ------
    KernelGone
        Between `stop_shared` and `allow_shared`.
    """
    key = isolated, tuple(devices), environment and tuple(sorted(environment.items()))
    with _sharing:
        if _stopped.is_set():
            raise KernelGone("this was stopped")
        if key not in _shared or not _shared[key].alive:
            if key in _shared:
                _shared[key].close()
            _shared[key] = Zygote(isolated, devices, environment=environment)
        return _shared[key]


def notebook_zygote(environment):
    """Return the zygote whose kernels run notebooks of our own in an environment."""
    chosen = {name: value for name, value in environment.items() if DECIDES.fullmatch(name)}
    return shared_zygote(isolated=False, environment=chosen | OF_NOTEBOOKS)


def stop_shared():
    """End this process's zygotes and every kernel: who waits for one gets KernelGone at once."""
    _stopped.set()
    _close_shared()


def is_stopped():
    """Return whether `stop_shared` was called."""
    return _stopped.is_set()


def allow_shared():
    """Let zygotes be started again."""
    _stopped.clear()


@atexit.register
def _close_shared():
    for zygote in _shared.values():
        zygote.close()
