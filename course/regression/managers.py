"""The kernels that papermill gets: warm ones, or ordinary ones."""

import contextlib
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager

from course.kernels import sandbox
from course.kernels.provisioner import WarmKernelManager


def manager_class(environment, warm=True):
    """Return the class of the kernel manager of one run.

    Parameters
    ----------
    environment : dict
        The kernel's environment variables.
    warm : bool
        Whether it is forked; where there is no zygote, it is an ordinary one all the same.

    Returns
    -------
    type
        An instance starts one kernel. Afterwards the class has `peak_megabytes` and `ended`, the
        most memory and why it ended by itself, each None where that is not known. Memory is told of
        warm kernels only: an ordinary one has other things imported, and cannot be compared.
    """
    base = WarmKernelManager if warm and sandbox.is_linux() else AsyncKernelManager

    class Manager(base):
        peak_megabytes = None
        ended = None

        def __init__(self, **options):
            super().__init__(**options)
            # ipykernel warns in the terminal, once a run, where its messages are not encrypted.
            self.transport_encryption = "auto"

        def start_kernel(self, **options):
            return super().start_kernel(**options | {"env": dict(environment)})

        async def shutdown_kernel(self, *arguments, **options):
            if warm:
                Manager.peak_megabytes = _peak_megabytes(self.provisioner.pid)
            Manager.ended = getattr(self.provisioner, "ended", None)
            await super().shutdown_kernel(*arguments, **options)

    return Manager


def _peak_megabytes(process):
    """Return the most memory that a process has had, imports included, or None."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None
