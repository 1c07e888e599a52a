"""Running many notebooks side by side: here, or on a Dask cluster."""

import contextlib
import functools
import sys
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from course.instructor.regression import gpus
from course.instructor.regression.kernel_managers import kill_ordinary_kernels
from course.instructor.regression.notebook_run import NotebookRun, execute
from course.instructor.regression.run_store import save
from course.instructor.sandbox.executor import available_cores

LOOKS = "{percentage:3.0f}% |{bar:24}| {n_fmt} of {total_fmt} cells, {elapsed}: {desc}"


def worker_count(workers=None, share_gpu=1):
    """Return how many runs there are at once: one a GPU where there are any, else one a core."""
    return workers or len(gpus.visible_gpus()) * share_gpu or available_cores()


def run_in_parallel(jobs, executor, count, is_far=False, share_gpu=1, seconds=None):
    """Run jobs side by side and yield each run as it is done and kept.

    Parameters
    ----------
    jobs : list of Job
    executor : concurrent.futures.Executor
    count : int
        How many it runs at once.
    is_far : bool
        Whether it runs them on other machines.
    share_gpu : int
        How many runs may have the same GPU.
    seconds : dict, optional
        How long each assignment took some other time: the longest begin first, so that none is
        left over at the end.

    Yields
    ------
    NotebookRun
    """
    seconds = seconds or {}
    waiting = sorted(jobs, key=lambda job: -seconds.get(job.run["assignment"], 0))
    at_once = min(count, len(jobs))
    threads = max(1, available_cores() // at_once) if at_once > 1 and not is_far else None
    bar = tqdm(total=sum(job.code_cells for job in jobs), bar_format=LOOKS, file=sys.stderr)
    with bar, _no_kernel_left():
        running = {}
        while waiting or running:
            while waiting and len(running) < count:
                job = replace(waiting.pop(0), share_gpu=share_gpu, threads=threads)
                running[_submit(executor, job, bar, is_far)] = job
            names = sorted({job.run["assignment"].partition("-")[0] for job in running.values()})
            bar.set_description_str(f"{', '.join(names)} running")
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                run = _outcome(future, job)
                if is_far:
                    bar.update(job.code_cells)
                bar.clear()  # so that what is printed of the run has a line of its own
                yield run
        bar.set_description_str("done", refresh=False)
        bar.update(bar.total - bar.n)  # what failed has cells that never ran


@contextlib.contextmanager
def _no_kernel_left():
    """End ordinary kernels where the command is stopped; those that are forked end with it."""
    try:
        yield
    except BaseException:
        kill_ordinary_kernels()
        raise


def _submit(executor, job, bar, is_far):
    if is_far:
        # Another machine has neither our files nor our terminal.
        return executor.submit(execute, asdict(replace(job, folder=None)))
    return executor.submit(functools.partial(execute, on_cell=bar.update), asdict(job))


def _outcome(future, job):
    """Return a finished job's run, kept in its folder."""
    content, executed = future.result()
    run = NotebookRun(**content)
    run.notebook = job.run["notebook"]
    save(Path(job.folder), run, executed)
    return run
