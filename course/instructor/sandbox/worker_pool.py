"""Running notebooks in parallel, on this machine or on a Dask cluster, through one interface."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

from course.errors import CourseError
from course.instructor.sandbox import forkserver_client

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # missing on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def open_executor(
    workers: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[Executor, int]]:
    """Yield an executor with its number of workers; cancel pending tasks at the end.

    The default is one worker per core or, with the address of a Dask `scheduler`, the workers of
    its cluster. On this machine, a worker is a thread: it only waits for kernels, which are
    processes. Raises CourseError if there is no cluster at the address or Dask is not installed.
    """
    if scheduler is None:
        count = workers or available_cores()
        executor = ThreadPoolExecutor(count, thread_name_prefix="notebook")
        forkserver_client.allow_shared()
        try:
            yield executor, count
        except BaseException:
            # A running thread would keep the command from ending: stop it through its kernels.
            forkserver_client.stop_shared()
            raise
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
        return
    client = _connect(scheduler)
    try:
        count = workers or max(1, sum(client.nthreads().values()))
        yield client.get_executor(pure=False, retries=2), count
    finally:
        client.close()


def _connect(scheduler: str) -> "Client":
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ModuleNotFoundError:
        raise CourseError(
            "--scheduler needs Dask, which is not installed: run pip install '.[cluster]' in the"
            " course directory."
        ) from None
    try:
        # Dask itself takes long to reject an invalid address, and complains once more at the end.
        get_address_host_port(scheduler)
        return Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"no Dask scheduler answers at {scheduler} ({' '.join(str(error).split())}): start one"
            " with dask scheduler and use the address that it prints, or omit --scheduler."
        ) from None
