"""The process that imports once and forks a kernel at each request; holds no secret, runs no op.

Started as `python -m course.instructor.sandbox.forkserver FD MODE IDLE_SECONDS`. MODE is "isolated" or "open", for
submissions, or "notebook", for notebooks of our own, which run as they would without this process:
no sandbox, no limits, Keras as it is. Over the sequenced-packet socket FD it gets a request a
kernel: a JSON object, the name of the module whose `serve(socket, limits)` is to run in it, and two
sockets. One is the kernel's own; the other, the leash, stays here: a byte on it interrupts the
kernel, its end kills it, and what ended comes back on it.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

from course.instructor.sandbox import hardening
from course.instructor.sandbox.limits import Limits

# What notebooks use, and what these import where they are first used.
WARM = [
    "numpy",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "PIL.Image",
    "IPython.core.interactiveshell",
    "keras",
    "keras.applications",
    "keras.datasets",
    "h5py",
    "course",
    "course.datasets",
    "course.plotting",
    "course.checks",
    "course.questions",
    "course.training",
]
# Beside these, what a Jupyter kernel is made of. Not pyplot and its way into notebooks: they look
# for the kernel when they are imported.
WARM_NOTEBOOK = [
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "course.experiments",
    "course.transfer",
]
CHECK_SECONDS = 0.2
WARM_MB = 600  # what the imports take


def main(descriptor, mode, idle_seconds):
    """Import, say so, and serve until the other side is gone or nobody has asked for long."""
    requests = socket.socket(fileno=descriptor)
    if mode == "isolated":
        hardening.leave_root()
    hardening.adopt_orphans()
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    for name in [*WARM, backend, *(WARM_NOTEBOOK if mode == "notebook" else [])]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if mode != "notebook":
        from course.instructor.sandbox import execute, fused_adam, short_runs

        short_runs.run_short_ones_eagerly()
        fused_adam.fuse_adam()
        execute.prepare()
    gc.collect()
    gc.freeze()  # what was imported is never collected, so its pages stay shared
    requests.send(b"ready")
    Nursery(requests, mode == "isolated", idle_seconds).serve()


class Nursery:
    """The kernels that live, each known by its leash and a descriptor of its process."""

    def __init__(self, requests, isolated, idle_seconds):
        self.requests = requests
        self.isolated = isolated
        self.idle_seconds = idle_seconds
        self.kernels = {}  # leash -> (process id, process descriptor, limits)
        self.too_much = {}  # leash -> what a kernel was killed for
        self.selector = selectors.DefaultSelector()
        self.selector.register(requests, selectors.EVENT_READ, self._spawn)

    def serve(self):
        """Answer requests, leashes and deaths."""
        idle_since = time.monotonic()
        while True:
            wait = CHECK_SECONDS if self.kernels else self.idle_seconds
            for key, _ in self.selector.select(wait):
                key.data(key.fileobj)
            if self.kernels:
                idle_since = time.monotonic()
                self._check_use()
            elif time.monotonic() - idle_since >= self.idle_seconds:
                return

    def _spawn(self, requests):
        message, descriptors, _, _ = socket.recv_fds(requests, 65536, 2)
        if not message:
            self._end_all()
            sys.exit(0)  # the other side is gone
        request = json.loads(message)
        data, leash = (socket.socket(fileno=each) for each in descriptors)
        limits = Limits(**request["limits"]) if request["limits"] else None
        importlib.import_module(request["module"])  # here, once, and not in each kernel
        # The kernel tells its number, since it is no child of this process but a grandchild.
        reader, writer = os.pipe()
        try:
            between = os.fork()
        except OSError as error:
            leash.send(f"not started: {error}".encode())
            for each in (data, leash):
                each.close()
            for each in (reader, writer):
                os.close(each)
            return
        if between == 0:
            try:
                os.close(reader)
                self._become_kernel(data, request, limits, writer)
            finally:
                os._exit(1)
        os.close(writer)
        data.close()
        told = os.read(reader, 64)
        os.close(reader)
        if self.isolated or not told:
            # The process between has ended; what it forked is a child of this one now.
            os.waitpid(between, 0)
        if not told.isdigit():
            leash.send(b"not started: " + told)
            leash.close()
            return
        process = int(told)
        watched = os.pidfd_open(process)
        self.kernels[leash] = process, watched, limits
        self.selector.register(leash, selectors.EVENT_READ, self._pull)
        self.selector.register(watched, selectors.EVENT_READ, lambda _: self._bury(leash))

    def _become_kernel(self, data, request, limits, writer):
        if self.isolated:
            try:
                hardening.enter_namespaces()
            except OSError as error:
                os.write(writer, str(error).encode())
                os._exit(1)
            process = os.fork()
            if process:
                os.write(writer, str(process).encode())
                os._exit(0)
            os.setsid()  # the system divides the processor among sessions, not among processes
            hardening.limit(limits)  # while /proc still tells how much is mapped
            hardening.mount_own(limits)
            _close_all_but(data.fileno())
            hardening.drop_rights()
        else:
            os.setsid()
            hardening.end_with_parent()
            os.write(writer, str(os.getpid()).encode())
            os.chdir(request["folder"])
            if limits:
                hardening.limit(limits, of_user=False)
            _close_all_but(data.fileno())
        if limits:
            # Not where a submission's files lie: a .cache or .keras among them is no data of the
            # grader's.
            os.environ["HOME"] = "/tmp" if self.isolated else request["folder"]
        os.environ.update(request["environment"])
        importlib.import_module(request["module"]).serve(data, limits)

    def _pull(self, leash):
        try:
            order = leash.recv(1)
        except OSError:
            order = b""
        if leash in self.kernels:
            _, watched, _ = self.kernels[leash]
            stop = signal.SIGINT if order else signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(watched, stop)
            if not order:
                self._end_group(leash)
                self.selector.unregister(leash)

    def _bury(self, leash):
        process, watched, _ = self.kernels.pop(leash)
        self._end_group(leash, process)
        result = os.waitid(os.P_PIDFD, watched, os.WEXITED)
        if not self.isolated:
            self._end_orphans()
        self.selector.unregister(watched)
        os.close(watched)
        with contextlib.suppress(KeyError):
            self.selector.unregister(leash)
        with contextlib.suppress(OSError):
            leash.send((self.too_much.pop(leash, None) or _cause(result)).encode())
        leash.close()

    def _end_group(self, leash, process=None):
        # Without a process namespace nothing else ends what a kernel has started.
        if not self.isolated:
            process = process or self.kernels[leash][0]
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)

    def _end_orphans(self):
        # What has left its group became a child of this process when its parent ended.
        while orphans := _children(os.getpid()) - {each[0] for each in self.kernels.values()}:
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(orphan, signal.SIGKILL)
                    os.waitpid(orphan, 0)

    def _end_all(self):
        # With a process namespace, everything in it ends with this process.
        for leash in () if self.isolated else list(self.kernels):
            _, watched, _ = self.kernels[leash]
            signal.pidfd_send_signal(watched, signal.SIGKILL)
            self._bury(leash)

    def _check_use(self):
        # The system limits the memory of a process; many processes together are counted here. So
        # are the processes, of which the system counts no more than their threads.
        for leash, (process, watched, limits) in list(self.kernels.items()):
            if not limits:
                continue
            most = max(2, limits.processes // 4)
            family = _family(process, most)
            if len(family) > most:
                self.too_much[leash] = "it started too many processes"
            elif len(family) > 1 and sum(map(_megabytes, family)) > limits.memory_mb + WARM_MB:
                self.too_much[leash] = "it used too much memory"
            if leash in self.too_much:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(watched, signal.SIGKILL)


def _family(process, most):
    """Return a process and those that descend from it; not all where they are more than `most`."""
    found, at = [process], 0
    while at < len(found) <= most:
        found += _children(found[at])
        at += 1
    return found


def _children(process):
    """Return the children of a process, those that have ended among them."""
    found = set()
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            found |= set(map(int, children.read_text().split()))
    return found


def _megabytes(process):
    """Return the memory of a process, shared pages divided among those who share them."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except PermissionError:
        # It hides (PR_SET_DUMPABLE): shared pages count in full then.
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        pass
    return 0


def _cause(result):
    """Return what ended a kernel, in words."""
    if result.si_code == os.CLD_EXITED:
        return f"it ended itself with exit code {result.si_status}"
    names = {each.value: each.name for each in signal.Signals}
    name = names.get(result.si_status, f"signal {result.si_status}")
    return f"it was ended by {name}" + (" (memory?)" if name == "SIGKILL" else "")


def _close_all_but(kept):
    """Close every descriptor but the kernel's own; input, output and errors lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    os.closerange(3, kept)
    os.closerange(kept + 1, 65536)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
