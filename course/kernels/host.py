"""The caller's side: a `Zygote` that forks kernels, and a `Kernel` that is talked to."""

import atexit
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from course.errors import CourseError
from course.kernels import sandbox, wire

START_SECONDS = 180
GRACE_SECONDS = 2


class KernelGone(Exception):
    """The kernel has ended or had to be ended; its text says why."""


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

    Raises
    ------
    CourseError
        If kernels cannot be isolated here.
    """

    def __init__(self, isolated=True, devices=(), idle_seconds=900):
        if not sandbox.is_linux():
            raise CourseError(
                "grading needs Linux: use a virtual machine or a container that has it."
            )
        if isolated and (problem := sandbox.problem()):
            raise CourseError(f"{problem}; or grade with --no-isolation, on your own risk.")
        self.isolated = isolated
        self._lock = threading.Lock()
        self._requests, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mode = "isolated" if isolated else "open"
        arguments = ["-m", "course.kernels.zygote", str(inside.fileno()), mode, str(idle_seconds)]
        if isolated:
            command, environment = sandbox.command(arguments, devices), None
        else:
            command = [sys.executable, *arguments]
            environment = sandbox.environment(
                Path(sys.executable).parent, Path.home(), Path(__file__).parents[2]
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

    def kernel(self, module, limits, files=()):
        """Start a kernel.

        Parameters
        ----------
        module : str
            Name of the module whose `serve` is to run in it.
        limits : Limits
            What it may use.
        files : iterable of (str, bytes)
            What lies in its scratch directory: relative path, content.

        Returns
        -------
        Kernel
        """
        self.wait_until_ready()
        ours, theirs = socket.socketpair()
        leash, held = socket.socketpair()
        folder = None if self.isolated else tempfile.mkdtemp(prefix="kernel-")
        request = {"module": module, "limits": limits.as_dict(), "folder": folder}
        kernel = Kernel(ours, leash, limits, folder)
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


class Kernel:
    """A kernel as its caller sees it; made by `Zygote.kernel`."""

    def __init__(self, sock, leash, limits, folder):
        self._sock = sock
        self._leash = leash
        self._folder = folder
        self.limits = limits
        self.gone = None  # why it ended, once it has

    def put(self, files):
        """Lay files into its scratch directory."""
        paths, contents = [], []
        for path, content in files:
            paths.append(path)
            contents.append(content)
        if paths:
            self.ask({"op": "put", "paths": paths}, contents, seconds=30)

    def tell(self, header, blocks=(), seconds=60):
        """Send a message; see `ask`."""
        if self.gone:
            raise KernelGone(self.gone)
        try:
            wire.send(self._sock, header, blocks, time.monotonic() + seconds)
        except wire.WireError as error:
            raise self._end(self._last_words() or error) from None

    def hear(self, seconds):
        """Return the next message, or raise `wire.Silence` or `KernelGone`."""
        if self.gone:
            raise KernelGone(self.gone)
        try:
            return wire.receive(
                self._sock, self.limits.message_mb * 2**20, time.monotonic() + seconds
            )
        except wire.Silence:
            raise
        except wire.WireError as error:
            raise self._end(self._last_words() or error) from None

    def ask(self, header, blocks=(), seconds=60):
        """Send a message and return the answer.

        Parameters
        ----------
        header : dict
            The message; its "op" says what is wanted.
        blocks : sequence of bytes-like
            Its raw data.
        seconds : float
            How long the answer may take. Then the kernel is interrupted, and ended if it does not
            answer soon after.

        Returns
        -------
        header : dict
            The answer, with "late": True where it had to be interrupted.
        blocks : list of bytearray
            Its raw data.

        Raises
        ------
        KernelGone
            If it has ended, had to be ended, or sends what no honest kernel sends.
        """
        if self.gone:
            raise KernelGone(self.gone)
        self.tell(header, blocks)
        late = False
        try:
            answer, data = self.hear(seconds)
        except wire.Silence:
            late = True
            self.interrupt()
            try:
                answer, data = self.hear(GRACE_SECONDS)
            except wire.Silence:
                raise self._end(f"it ran for more than {seconds:g} s and did not stop") from None
        if not isinstance(answer, dict):
            raise self._end("it sent no message that can be read")
        return answer | {"late": late}, data

    def interrupt(self):
        """Interrupt what it runs, as the stop button of a notebook does."""
        with contextlib.suppress(OSError):
            self._leash.send(b"i")

    def close(self):
        """End it and everything that it has started."""
        if not self.gone:
            self._end("it was closed")

    def _last_words(self):
        """Return what the zygote says of the end of the process, or None."""
        self._leash.settimeout(1)
        try:
            return self._leash.recv(1000).decode(errors="replace")
        except OSError:
            return None

    def _end(self, reason):
        self.gone = str(reason)
        if self._folder:
            with contextlib.suppress(OSError):
                # Until the zygote has ended it, it may still write there.
                self._leash.shutdown(socket.SHUT_WR)
                self._last_words()
        for sock in (self._sock, self._leash):
            sock.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        return KernelGone(self.gone)


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


def files_below(folder, ignore=lambda name: False, max_bytes=64 * 2**20):
    """Yield the plain files below a folder as (relative path, content).

    Symbolic links are left out, wherever they point, and so is what goes beyond `max_bytes` in all.
    """
    taken = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not Path(parent, name).is_symlink()]
        for name in sorted(names):
            path = Path(parent, name)
            if ignore(name) or path.is_symlink() or not path.is_file():
                continue
            taken += path.stat().st_size
            if taken <= max_bytes:
                yield str(path.relative_to(folder)), path.read_bytes()


_shared = {}
_sharing = threading.Lock()
_stopped = threading.Event()


def shared_zygote(isolated=True, devices=()):
    """Return this process's zygote, started at the first call and again after it has ended.

    Raises
    ------
    KernelGone
        Between `stop_shared` and `allow_shared`.
    """
    key = isolated, tuple(devices)
    with _sharing:
        if _stopped.is_set():
            raise KernelGone("grading was stopped")
        if key not in _shared or not _shared[key].alive:
            if key in _shared:
                _shared[key].close()
            _shared[key] = Zygote(isolated, devices)
        return _shared[key]


def stop_shared():
    """End this process's zygotes and every kernel: who waits for one gets KernelGone at once."""
    _stopped.set()
    _close_shared()


def allow_shared():
    """Let zygotes be started again."""
    _stopped.clear()


@atexit.register
def _close_shared():
    for zygote in _shared.values():
        zygote.close()
