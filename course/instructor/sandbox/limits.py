"""What one kernel may use."""

from dataclasses import asdict, dataclass

# An empty directory of the sandbox; each kernel mounts its own over it.
SCRATCH = "/scratch"


@dataclass(frozen=True)
class Limits:
    """Limits of a submission, per kernel.

    Attributes
    ----------
    cell_seconds : float
        Wall time of a cell.
    call_seconds : float
        Wall time of one call of a student's function by a test.
    notebook_seconds : float
        Wall time of a whole notebook.
    memory_mb : int
        Memory beyond that of the imports, of all processes of a kernel together.
    processes : int
        Processes and threads; a quarter of them may be processes.
    disk_mb : int
        Files in the scratch directory; as much again in /tmp and in /dev/shm.
    output_kb : int
        Text that a cell may print; more is dropped.
    message_mb : int
        What may cross from one kernel to the other at once.
    """

    cell_seconds: float = 60
    call_seconds: float = 20
    notebook_seconds: float = 300
    memory_mb: int = 4096
    processes: int = 128
    disk_mb: int = 256
    output_kb: int = 256
    message_mb: int = 256

    def as_dict(self):
        """Return the limits as a JSON object."""
        return asdict(self)
