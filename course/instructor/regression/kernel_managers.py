"""The kernels that papermill gets: warm ones, or ordinary ones."""

import contextlib
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager

from course.instructor.sandbox import bubblewrap
from course.instructor.sandbox.jupyter import ForkserverKernelManager

_ordinary = set()  # the managers of ordinary kernels that live


def kernel_manager_class(environment):
    """Return the class of the kernel manager of one run.

    Parameters
    ----------
    environment : dict
        The kernel's environment variables.

    Returns
    -------
    type
        An instance starts one kernel. Afterwards the class has `peak_megabytes` and `ended`, the
        most memory and why it ended by itself, each None where that is not known. Memory is told of
        warm kernels only: an ordinary one has other things imported, and cannot be compared.
    """
    # torch looks for GPUs when it is imported; what is forked afterwards cannot use them.
    warm = bubblewrap.is_linux() and environment.get("KERAS_BACKEND") != "torch"
    base = ForkserverKernelManager if warm else AsyncKernelManager

    class Manager(base):
        peak_megabytes = None
        ended = None

        def __init__(self, **options):
            super().__init__(**options)
            # ipykernel warns in the terminal, once a run, where its messages are not encrypted.
            self.transport_encryption = "auto"

        def start_kernel(self, **options):
            if not warm:
                _ordinary.add(self)
            return super().start_kernel(**options | {"env": dict(environment)})

        async def shutdown_kernel(self, *arguments, **options):
            if warm:
                Manager.peak_megabytes = _peak_megabytes(self.provisioner.pid)
            await super().shutdown_kernel(*arguments, **options)

        async def cleanup_resources(self, *arguments, **options):
            # Also of a kernel that has died, which is not shut down any more.
            Manager.ended = Manager.ended or getattr(self.provisioner, "ended", None)
            _ordinary.discard(self)
            await super().cleanup_resources(*arguments, **options)

    return Manager


def kill_ordinary_kernels():
    """End every ordinary kernel; those that are forked end with their forkserver."""
    for manager in list(_ordinary):
        process = getattr(manager.provisioner, "process", None)
        if process:
            process.kill()


def _peak_megabytes(process):
    """Return the most memory that a process has had, imports included, or None."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None
