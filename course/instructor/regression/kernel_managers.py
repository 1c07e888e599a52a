"""Kernel managers for papermill: for forked kernels, or ordinary ones if forking is impossible."""

import contextlib
import subprocess
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from course.instructor.regression.kernel_provisioner import ForkserverKernelManager
from course.instructor.sandbox import bubblewrap

_ordinary_managers: set[Any] = set()  # those with a running kernel


def kernel_manager_class(environment: dict[str, str]) -> Any:
    """Return a new kernel manager class, whose kernels have the environment variables.

    After its only kernel has ended, the class attribute `peak_megabytes` is the peak memory, and
    `end_reason` is the reason if the kernel ended by itself; each is None if unknown. The memory of
    an ordinary kernel, which imports other modules, is not comparable and remains unknown.
    """
    # torch looks for GPUs when it is imported; a process forked afterwards cannot use them.
    forked = bubblewrap.is_linux() and environment.get("KERAS_BACKEND") != "torch"
    base: Any = ForkserverKernelManager if forked else AsyncKernelManager

    class Manager(base):
        peak_megabytes: float | None = None
        end_reason: str | None = None

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            # Without this, ipykernel warns once per run that its messages are not encrypted.
            self.transport_encryption = "auto"

        def start_kernel(self, **options: Any) -> Any:
            options |= {"env": dict(environment)}
            if not forked:
                _ordinary_managers.add(self)
                # TensorFlow logs its start there; errors of cells are in the notebook.
                options["stderr"] = subprocess.DEVNULL
            return super().start_kernel(**options)

        async def shutdown_kernel(self, *arguments: Any, **options: Any) -> None:
            if forked:
                Manager.peak_megabytes = _peak_megabytes(self.provisioner.pid)
            await super().shutdown_kernel(*arguments, **options)

        async def cleanup_resources(self, *arguments: Any, **options: Any) -> None:
            # Unlike `shutdown_kernel`, this is also called for a kernel that has died.
            if forked and self.provisioner:
                Manager.end_reason = Manager.end_reason or self.provisioner.end_reason
            _ordinary_managers.discard(self)
            await super().cleanup_resources(*arguments, **options)

    return Manager


def kill_ordinary_kernels() -> None:
    """Kill every ordinary kernel; forked kernels end with their forkserver."""
    for manager in list(_ordinary_managers):
        process = getattr(manager.provisioner, "process", None)
        if process:
            process.kill()


def _peak_megabytes(process: int) -> float | None:
    """Return the peak memory of a process, including imports, or None if it cannot be read."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return None
