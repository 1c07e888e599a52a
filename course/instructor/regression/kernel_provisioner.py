"""Jupyter kernels that a forkserver forks, for the course's own notebooks.

pyproject.toml registers the provisioner as `course-forkserver`. A kernel whose specification names
it starts almost at once, with Keras imported; papermill and nbclient see an ordinary kernel.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from course.instructor.sandbox import messages
from course.instructor.sandbox.forkserver_client import notebook_forkserver
from course.instructor.sandbox.kernel_client import Kernel
from course.instructor.sandbox.limits import Limits

NAME = "course-forkserver"
END_SECONDS = 10


class ForkserverProvisioner(LocalProvisioner):
    """Provides a forked kernel instead of a new process."""

    kernel: Kernel | None = None
    end_reason: str | None = None

    @property
    def has_process(self) -> bool:
        """True if there is a kernel."""
        return self.kernel is not None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start a kernel with the `cwd` and `env` of an ordinary one; the command is not used."""
        self.cwd = kwargs.get("cwd") or str(Path.cwd())
        environment = kwargs.get("env") or dict(os.environ)
        self.kernel = notebook_forkserver(environment).start_kernel(
            __name__, None, folder=str(self.cwd), environment=environment
        )
        answer, _ = self.kernel.receive(seconds=30)
        self.pid = self.pgid = answer["process"]
        manager: Any = self.parent
        self.kernel.send({"connection_file": manager.connection_file})
        return self.connection_info

    async def poll(self) -> int | None:
        """Return None while the kernel is running, and 1 once it has ended."""
        if self.end_reason is None and self.kernel and self.kernel.has_ended():
            self._end()
        return None if self.end_reason is None else 1

    async def wait(self) -> int:
        """Return once the kernel has ended."""
        while await self.poll() is None:
            await asyncio.sleep(0.05)
        self.kernel = None
        return 1

    async def send_signal(self, signum: int) -> None:
        """Interrupt the kernel, or send its process group another signal."""
        if signum == signal.SIGINT and self.kernel:
            self.kernel.interrupt()
        elif self.end_reason is None and self.pgid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pgid, signum)

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and everything that it has started; return once it has ended.

        The kernel's GPU must be free for its next user.
        """
        self._end()
        deadline = time.monotonic() + END_SECONDS
        while Path(f"/proc/{self.pid}").exists() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    async def terminate(self, restart: bool = False) -> None:
        """End the kernel as `kill` does."""
        await self.kill(restart)

    def _end(self) -> None:
        if self.end_reason is None and self.kernel:
            self.kernel.close()
            self.end_reason = self.kernel.end_reason


class ForkserverKernelManager(AsyncKernelManager):
    """Manages one forked kernel."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """A Python kernel with this provisioner; nothing has to be installed."""
        return KernelSpec(
            argv=["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3 (forked)",
            language="python",
            metadata={"kernel_provisioner": {"provisioner_name": NAME}},
        )


def serve(data: socket.socket, limits: Limits | None) -> None:
    """Run a Jupyter kernel: report the process id, receive the connection file, and start.

    This function runs in the forked process.
    """
    import random

    import numpy
    from ipykernel.kernelapp import IPKernelApp

    # All kernels are forked from the same state.
    random.seed()
    numpy.random.seed()
    connection = messages.WorkerConnection(data)
    connection.send({"process": os.getpid()})
    request, _ = connection.receive()
    IPKernelApp.launch_instance(
        # Disable the history: its database would be shared with the other kernels.
        argv=["-f", request["connection_file"], "--HistoryManager.enabled=False"]
    )
