"""Resource limits of a kernel."""

from dataclasses import dataclass

SCRATCH = "/scratch"  # an empty folder in the sandbox; each kernel mounts its own over it
PRELOADED_MB = 600  # memory that a forkserver's imports use
WARM_MINUTES = 10.0  # that an idle forkserver outlives the command that has started it
STARTED = b"s"  # the first byte that a kernel sends, before its first message


@dataclass(frozen=True)
class Limits:
    """Limits of one kernel; the only place where their defaults are set."""

    cell_seconds: float = 60  # wall time of one cell
    call_seconds: float = 20  # wall time of one call of a student's function by a test
    notebook_seconds: float = 300  # wall time of the whole notebook
    memory_mb: int = 4096  # memory of all processes of a kernel, beyond what the imports use
    processes: int = 128  # processes and threads; at most a quarter may be processes
    disk_mb: int = 256  # size of each of the scratch folder, /tmp, and /dev/shm
    output_kb: int = 256  # text that one cell may print; the rest is dropped
    message_mb: int = 256  # size of one message between kernels
