"""Jupyter's way to a warm kernel: a provisioner that has the zygote fork it.

Registered in pyproject.toml as `course-warm`. A kernel specification that names it starts in a
moment whatever it imports; everything else, papermill and nbclient too, sees an ordinary kernel.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from course.instructor.sandbox.forkserver_client import notebook_zygote

NAME = "course-warm"
GONE_SECONDS = 10


class WarmProvisioner(LocalProvisioner):
    """A kernel that was forked, in place of a process of its own."""

    kernel = None  # course.instructor.sandbox.kernel_client.Kernel
    ended = None  # in words, once it has ended

    @property
    def has_process(self):
        """Whether there is a kernel."""
        return self.kernel is not None

    async def launch_kernel(self, cmd, **kwargs):
        """Have a kernel forked and tell it where to listen.

        Parameters
        ----------
        cmd : list of str
            The command of an ordinary kernel; only its connection file counts.
        **kwargs
            `cwd` and `env` as for an ordinary kernel.
        """
        self.cwd = kwargs.get("cwd") or str(Path.cwd())
        environment = kwargs.get("env") or dict(os.environ)
        zygote = notebook_zygote(environment)
        module = "course.instructor.sandbox.notebook_kernel"
        self.kernel = zygote.kernel(module, None, folder=str(self.cwd), environment=environment)
        answer, _ = self.kernel.hear(seconds=30)
        self.pid = self.pgid = answer["process"]
        self.kernel.tell({"connection_file": self.parent.connection_file})
        return self.connection_info

    async def poll(self):
        """Return None while the kernel lives, else 1."""
        if self.ended is None and self.kernel and self.kernel.has_ended():
            self._end()
        return None if self.ended is None else 1

    async def wait(self):
        """Return when the kernel has ended."""
        while await self.poll() is None:
            await asyncio.sleep(0.05)
        self.kernel = None
        return 1

    async def send_signal(self, signum):
        """Interrupt the kernel, or send its group another signal."""
        if signum == signal.SIGINT:
            self.kernel.interrupt()
        elif self.ended is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pgid, signum)

    async def kill(self, restart=False):
        """End the kernel and everything that it has started, and return when it is gone.

        Who has its GPU next must not find it occupied.
        """
        self._end()
        end = time.monotonic() + GONE_SECONDS
        while Path(f"/proc/{self.pid}").exists() and time.monotonic() < end:
            await asyncio.sleep(0.01)

    async def terminate(self, restart=False):
        """End the kernel as `kill` does."""
        await self.kill(restart)

    def _end(self):
        if self.ended is None:
            self.kernel.close()
            self.ended = self.kernel.gone


class WarmKernelManager(AsyncKernelManager):
    """A manager of one warm kernel."""

    @property
    def kernel_spec(self):
        """A Python kernel by our provisioner; none has to be installed."""
        return KernelSpec(
            argv=["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3 (warm)",
            language="python",
            metadata={"kernel_provisioner": {"provisioner_name": NAME}},
        )
