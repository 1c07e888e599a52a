"""The preloaded process that forks a kernel for each request.

The process holds no secrets and executes no TensorFlow operations. It is started with
`python -m course.instructor.sandbox.forkserver FD MODE IDLE_SECONDS [keras]`. MODE is "isolated" or
"open" for submissions, or "notebook" for the course's own notebooks, which run as they would
without this process: with no sandbox, no limits, and an unpatched Keras. Without "keras", kernels
import Keras themselves if they need it.

FD is a socket that is connected to the only client, with which the process ends, or a listening
socket, to which any number of clients connect. A client's kernels end with its connection.

For each kernel, the client sends two or three sockets. The first is the kernel's own: its
first message is the request, which names the module whose `serve(socket, limits)` runs in the
kernel. The second, the control socket, stays in this process: sending a byte on it interrupts the
kernel, closing it kills the kernel, and the reason why the kernel ended is reported on it. The
third, if any, is another argument of `serve`: the socket on which the kernel receives answers. With
the message "kernel in cgroup", the last descriptor permits the kernel to join its memory cgroup.

A kernel sends the byte STARTED before `serve` runs, so that time limits begin only then.

One process serves all kernels. Therefore, it performs no operation whose duration a kernel's
process can influence. Of the files in /proc, it reads only counters: others, such as smaps_rollup
and maps, wait for a lock that a process can hold by changing its memory mappings again and again.
"""

import contextlib
import gc
import importlib
import math
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from course.instructor.sandbox import hardening, messages
from course.instructor.sandbox.limits import PRELOADED_MB, STARTED, Limits

# What notebooks import, and what these modules import on first use.
PRELOADED = ["numpy", "matplotlib.figure", "matplotlib.backends.backend_agg", "PIL.Image"]
PRELOADED += ["IPython.core.interactiveshell", "course", "course.datasets", "course.plotting"]
PRELOADED += ["course.checks", "course.questions"]
# These take seconds, so they are imported only for notebooks that use Keras.
PRELOADED_FOR_KERAS = ["keras", "keras.applications", "keras.datasets", "h5py", "course.training"]
# In addition, the parts of a Jupyter kernel, but not pyplot and its notebook backend, which look
# for the kernel when they are imported.
PRELOADED_FOR_NOTEBOOKS = ["ipykernel.kernelapp", "ipykernel.ipkernel"]
PRELOADED_FOR_NOTEBOOKS += ["course.experiments", "course.transfer"]
CHECK_SECONDS = 0.2
REQUEST_SECONDS = 10  # for a request that follows its sockets at once
BLOCKED_SECONDS = 3  # how long a kernel may block the process that measures its memory
ATTEMPTS_TO_READ = 20  # the memory of a process whose threads are ending
TOO_MUCH_MEMORY = "it used too much memory"


def main(descriptor: int, mode: str, idle_seconds: float, uses_keras: bool) -> None:
    """Import modules, report "ready", and serve until the client ends or is idle too long."""
    first = socket.socket(fileno=descriptor)
    if mode == "isolated":
        # Do this before the change of user: only root can read /etc, where libseccomp is looked up.
        importlib.import_module("course.instructor.sandbox.seccomp")
        hardening.drop_root()
    hardening.become_subreaper()
    names = list(PRELOADED)
    if uses_keras:
        names += [*PRELOADED_FOR_KERAS, os.environ.get("KERAS_BACKEND", "tensorflow")]
    if mode == "notebook":
        names += PRELOADED_FOR_NOTEBOOKS
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if mode != "notebook":
        from course.instructor.sandbox import cell_execution

        if uses_keras:
            from course.instructor.sandbox import keras_eager_steps

            keras_eager_steps.run_first_steps_eagerly()
        cell_execution.create_shell()
    gc.collect()
    gc.freeze()  # imported objects are never collected, so their pages stay shared
    KernelSupervisor(first, mode == "isolated", idle_seconds).serve()


class KernelSupervisor:
    """The running kernels, each identified by its control socket."""

    def __init__(self, first: socket.socket, isolated: bool, idle_seconds: float) -> None:
        """Prepare to serve the client, or the clients, of the process's own socket."""
        self.isolated = isolated
        self.idle_seconds = idle_seconds
        # Maps a control socket to a process id, process descriptor, and limits.
        self.kernels: dict[socket.socket, tuple[int, int, Limits | None]] = {}
        # Maps a control socket to the client's socket.
        self.clients: dict[socket.socket, socket.socket] = {}
        self.kill_reasons: dict[socket.socket, str] = {}
        # Maps a control socket to the process that measures the kernel's memory, its descriptor,
        # and the time at which it was started.
        self.measurements: dict[socket.socket, tuple[int, int, float]] = {}
        self.selector = selectors.DefaultSelector()
        self.listens = bool(first.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        if self.listens:
            first.setblocking(False)
            self.selector.register(first, selectors.EVENT_READ, self._accept)
        else:
            self._add_client(first)

    def serve(self) -> None:
        """Handle requests, control sockets, and ended kernels."""
        idle_since = time.monotonic()
        while True:
            timeout = CHECK_SECONDS if self.kernels else self.idle_seconds
            for key, _ in self.selector.select(timeout):
                key.data(key.fileobj)
            if self.kernels:
                idle_since = time.monotonic()
                self._check_usage()
            elif time.monotonic() - idle_since >= self.idle_seconds:
                return

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has ended already
            client, _ = listener.accept()
            client.setblocking(True)
            self._add_client(client)

    def _add_client(self, client: socket.socket) -> None:
        self.selector.register(client, selectors.EVENT_READ, self._start_kernel)
        with contextlib.suppress(OSError):  # the client has ended already
            client.send(b"ready")

    def _remove_client(self, client: socket.socket) -> None:
        """End a client's kernels, and the process if it has no other client."""
        if not self.listens:
            self._kill_kernels(list(self.kernels))
            sys.exit(0)
        self._kill_kernels([control for control, of in self.clients.items() if of is client])
        self.selector.unregister(client)
        client.close()

    def _start_kernel(self, client: socket.socket) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(client, 16, 4)
        except OSError:
            message, descriptors = b"", []
        if not message:
            self._remove_client(client)
            return
        cgroup = descriptors.pop() if message == b"kernel in cgroup" else None
        try:
            sockets = [socket.socket(fileno=each) for each in descriptors]
            self._start_kernel_with(client, sockets, cgroup)
        finally:
            if cgroup is not None:
                os.close(cgroup)

    def _start_kernel_with(
        self, client: socket.socket, sockets: list[socket.socket], cgroup: int | None
    ) -> None:
        data, control, *answers = sockets
        try:
            request, _ = messages.Connection(data, 0).receive(time.monotonic() + REQUEST_SECONDS)
        except messages.MessageError:  # the client has closed the kernel already
            for sock in (data, control, *answers):
                sock.close()
            return
        limits = Limits(**request["limits"]) if request["limits"] else None
        importlib.import_module(request["module"])  # once here, not in each kernel
        # The kernel reports its process id because it is a grandchild of this process.
        reader, writer = os.pipe()
        try:
            intermediate = os.fork()
        except OSError as error:
            control.send(f"it could not be started: {error}".encode())
            for sock in (data, control, *answers):
                sock.close()
            for end in (reader, writer):
                os.close(end)
            return
        if intermediate == 0:
            try:
                os.close(reader)
                if cgroup is not None:
                    # The other limits apply even if this fails.
                    with contextlib.suppress(OSError):
                        os.write(cgroup, b"0")
                self._become_kernel([data, *answers], request, limits, writer)
            finally:
                os._exit(1)
        os.close(writer)
        for sock in (data, *answers):
            sock.close()
        report = os.read(reader, 64)
        os.close(reader)
        if self.isolated or not report:
            # The intermediate process has ended; its child is now a child of this one.
            os.waitpid(intermediate, 0)
        if not report.isdigit():
            control.send(b"it could not be started: " + report)
            control.close()
            return
        process = int(report)
        process_descriptor = os.pidfd_open(process)
        self.kernels[control] = process, process_descriptor, limits
        self.clients[control] = client
        self.selector.register(control, selectors.EVENT_READ, self._on_control)
        self.selector.register(
            process_descriptor, selectors.EVENT_READ, lambda _: self._reap(control)
        )

    def _become_kernel(
        self,
        sockets: list[socket.socket],
        request: dict[str, Any],
        limits: Limits | None,
        writer: int,
    ) -> None:
        descriptors = {sock.fileno() for sock in sockets}
        if self.isolated:
            assert limits  # the client sets them for every submission
            try:
                hardening.enter_namespaces()
            except OSError as error:
                os.write(writer, str(error).encode())
                os._exit(1)
            process = os.fork()
            if process:
                os.write(writer, str(process).encode())
                os._exit(0)
            os.setsid()  # the scheduler divides the processor among sessions, not processes
            hardening.set_limits(limits)  # while /proc still reports the mapped memory
            hardening.mount_private_filesystems(limits)
            _close_all_but(descriptors)
            hardening.drop_privileges()
        else:
            os.setsid()
            hardening.die_with_parent()
            os.write(writer, str(os.getpid()).encode())
            os.chdir(request["folder"])
            if limits:
                hardening.set_limits(limits, limit_processes=False)
            _close_all_but(descriptors)
        if limits:
            # Not the folder of the submitted files, whose .cache or .keras would be read.
            os.environ["HOME"] = "/tmp" if self.isolated else request["folder"]
        os.environ.update(request["environment"])
        data, *answers = sockets
        data.send(STARTED)
        importlib.import_module(request["module"]).serve(data, limits, *answers)

    def _on_control(self, control: socket.socket) -> None:
        try:
            command = control.recv(1)
        except OSError:
            command = b""
        if control in self.kernels:
            process, process_descriptor, _ = self.kernels[control]
            with contextlib.suppress(ProcessLookupError):
                number = signal.SIGINT if command else signal.SIGKILL
                signal.pidfd_send_signal(process_descriptor, number)
            if not command:
                self._kill_group(process)
                self.selector.unregister(control)

    def _reap(self, control: socket.socket) -> None:
        process, process_descriptor, _ = self.kernels.pop(control)
        del self.clients[control]
        self._kill_group(process)
        result = os.waitid(os.P_PIDFD, process_descriptor, os.WEXITED)
        if not self.isolated:
            self._kill_orphans()
        self.selector.unregister(process_descriptor)
        os.close(process_descriptor)
        with contextlib.suppress(KeyError):
            self.selector.unregister(control)
        with contextlib.suppress(OSError):
            control.send((self.kill_reasons.pop(control, None) or _exit_reason(result)).encode())
        control.close()

    def _kill_group(self, process: int) -> None:
        # Without a process namespace, nothing else ends what a kernel has started.
        if not self.isolated:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)

    def _kill_orphans(self) -> None:
        # A process that left its group became a child of this one when its parent ended.
        known = {each[0] for each in (*self.kernels.values(), *self.measurements.values())}
        while orphans := _children(os.getpid()) - known:
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):
                    os.kill(orphan, signal.SIGKILL)
                    os.waitpid(orphan, 0)

    def _kill_kernels(self, controls: list[socket.socket]) -> None:
        for control in controls:
            _, process_descriptor, _ = self.kernels[control]
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process_descriptor, signal.SIGKILL)
            # Waiting could take long: the memory of a kernel is given back at up to 1 s per GB.
            if not self.isolated:
                self._reap(control)

    def _check_usage(self) -> None:
        # The system limits the memory of one process, and counts processes together with threads.
        # The total memory and the number of a kernel's processes are checked here.
        for control, (process, _, limits) in list(self.kernels.items()):
            if not limits or control in self.kill_reasons:
                continue
            max_processes = max(2, limits.processes // 4)
            max_mb = limits.memory_mb + PRELOADED_MB
            tree = _process_tree(process, max_processes)
            if len(tree) > max_processes:
                self._kill(control, "it started too many processes")
            elif control in self.measurements:
                measuring, _, start = self.measurements[control]
                if _blocked_seconds(measuring, start) > BLOCKED_SECONDS:
                    self._kill(control, TOO_MUCH_MEMORY)
            elif len(tree) > 1 and sum(map(_counted_mb, tree)) > max_mb:
                self._measure_memory(control, tree, max_mb)

    def _kill(self, control: socket.socket, reason: str) -> None:
        """Kill a kernel and the process that measures its memory, if any."""
        self.kill_reasons[control] = reason
        killed = [self.kernels[control][1]]
        if control in self.measurements:
            killed.append(self.measurements[control][1])
        for process_descriptor in killed:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process_descriptor, signal.SIGKILL)

    def _measure_memory(self, control: socket.socket, tree: list[int], max_mb: float) -> None:
        """Kill a kernel whose processes use more than `max_mb`, counting shared pages only once.

        Another process measures the memory, because the kernel can delay the measurement. A kernel
        that delays it for too long is killed, too; the time spent waiting for a processor does not
        count.
        """
        try:
            process = os.fork()
        except OSError:
            return  # the next check tries again
        if process == 0:
            try:
                _close_all_but(set())
                os._exit(sum(map(_proportional_mb, tree)) > max_mb)
            finally:
                os._exit(0)
        process_descriptor = os.pidfd_open(process)
        self.measurements[control] = process, process_descriptor, time.monotonic()
        self.selector.register(
            process_descriptor, selectors.EVENT_READ, lambda _: self._end_measurement(control)
        )

    def _end_measurement(self, control: socket.socket) -> None:
        _, process_descriptor, _ = self.measurements.pop(control)
        result = os.waitid(os.P_PIDFD, process_descriptor, os.WEXITED)
        self.selector.unregister(process_descriptor)
        os.close(process_descriptor)
        too_much = result and result.si_code == os.CLD_EXITED and result.si_status == 1
        if too_much and control in self.kernels and control not in self.kill_reasons:
            self._kill(control, TOO_MUCH_MEMORY)


def _process_tree(process: int, max_processes: int) -> list[int]:
    """Return a process and its descendants; stop once there are more than `max_processes`."""
    found, index = [process], 0
    while index < len(found) <= max_processes:
        found += _children(found[index])
        index += 1
    return found


def _children(process: int) -> set[int]:
    """Return the children of a process, including zombies."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            found |= set(map(int, children.read_text().split()))
    return found


def _blocked_seconds(process: int, start: float) -> float:
    """Return how long a process has waited for anything but a processor since its start."""
    try:
        times = Path(f"/proc/{process}/schedstat").read_text().split()[:2]
    except OSError:  # this system does not count these times
        times = []
    return time.monotonic() - start - sum(map(int, times)) / 1e9


def _counted_mb(process: int) -> float:
    """Return the memory of a process, with shared pages in full; this waits for no lock."""
    return _sum_mb(process, "status", (b"VmRSS:", b"VmSwap:"))


def _proportional_mb(process: int) -> float:
    """Return the memory of a process; shared pages are divided among the sharing processes.

    The process can delay this by changing its memory mappings.
    """
    fields = b"Pss:", b"SwapPss:"
    for _ in range(ATTEMPTS_TO_READ):
        try:
            memory_mb = _sum_mb(process, "smaps_rollup", fields)
        except PermissionError:  # the process hides (PR_SET_DUMPABLE)
            memory_mb = _counted_mb(process)
        if memory_mb < math.inf:
            break
        time.sleep(0.01)  # the process may be about to end
    return memory_mb


def _sum_mb(process: int, name: str, fields: tuple[bytes, ...]) -> float:
    """Return the sum of fields in a file of a process in /proc; 0 if the process has ended.

    If the process has threads, none of which shows its memory, the result is infinite.
    """
    if lines := _lines(f"/proc/{process}/{name}", fields):
        return sum(int(line.split()[1]) for line in lines) / 1024
    # The first thread of a process can end before the others, and has no memory afterward.
    threads = _threads(process) - {process}
    for thread in threads:
        if lines := _lines(f"/proc/{process}/task/{thread}/{name}", fields):
            return sum(int(line.split()[1]) for line in lines) / 1024
    return math.inf if threads else 0


def _lines(path: str, fields: tuple[bytes, ...]) -> list[bytes]:
    """Return the lines of a file that begin with one of the fields; none if it cannot be read.

    The file contains the process's name, which can have any bytes; Linux escapes only line feeds.
    """
    try:
        return [line for line in Path(path).read_bytes().split(b"\n") if line.startswith(fields)]
    except PermissionError:
        raise
    except OSError:
        return []


def _threads(process: int) -> set[int]:
    """Return the threads of a process."""
    try:
        return {int(each.name) for each in Path(f"/proc/{process}/task").iterdir()}
    except OSError:
        return set()


def _exit_reason(result: "os.waitid_result | None") -> str:
    """Return why a kernel ended, as a clause."""
    assert result  # None only if there is no child to wait for
    if result.si_code == os.CLD_EXITED:
        return f"the process exited with code {result.si_status}"
    names = {each.value: each.name for each in signal.Signals}
    name = names.get(result.si_status, f"signal {result.si_status}")
    return f"it was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _close_all_but(descriptors: set[int]) -> None:
    """Close all other descriptors; connect standard input, output, and error to /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    first = 3
    for descriptor in sorted(descriptors):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, 65536)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), "keras" in sys.argv[4:])
