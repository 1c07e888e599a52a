"""Where notebooks run: on this machine or on a Dask cluster, through one interface."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

from course.errors import CourseError
from course.instructor.sandbox import forkserver_client

CONNECT_SECONDS = 10


def cores():
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def open_executor(workers=None, scheduler=None):
    """Open a `concurrent.futures.Executor`; what is waiting is dropped at the end.

    Parameters
    ----------
    workers : int, optional
        How many run side by side on this machine; None means one a core. A thread each is enough:
        it only waits for its kernels, which are processes.
    scheduler : str, optional
        The address of a Dask scheduler, such as "tcp://10.0.0.1:8786", whose workers run them
        instead.

    Yields
    ------
    executor : concurrent.futures.Executor
    workers : int
        How many it runs side by side.

    Raises
    ------
    CourseError
        If there is no cluster at the address, or Dask is not installed.
    """
    if scheduler is None:
        count = workers or cores()
        executor = ThreadPoolExecutor(count, thread_name_prefix="notebook")
        forkserver_client.allow_shared()
        try:
            yield executor, count
        except BaseException:
            # A thread cannot be stopped, and would keep the command from ending: its kernels can.
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


def _connect(scheduler):
    try:
        from distributed import Client
        from distributed.comm import get_address_host_port
    except ModuleNotFoundError:
        raise CourseError(
            "--scheduler needs Dask, which is not installed: pip install '.[cluster]' in the course"
            " directory."
        ) from None
    try:
        # Dask takes long to find out that an address is none, and complains once more at the end.
        get_address_host_port(scheduler)
        return Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"no Dask scheduler answers at {scheduler} ({' '.join(str(error).split())}): start one"
            " with dask scheduler and give the address that it prints, or leave --scheduler out."
        ) from None
