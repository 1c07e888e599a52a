"""Running many notebooks side by side: here, or on a Dask cluster."""

import functools
import os
import sys
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from course.kernels.executors import open_executor
from course.regression import gpus
from course.regression.kept import save
from course.regression.runs import NotebookRun, execute

LOOKS = "{percentage:3.0f}% |{bar:24}| {n_fmt} of {total_fmt} cells, {elapsed}: {desc}"


def run_all(jobs, workers=None, scheduler=None, share_gpu=1, seconds=None):
    """Run jobs side by side and yield each run as it is done and kept.

    Parameters
    ----------
    jobs : list of Job
    workers : int, optional
        How many at once; None means one a GPU where there are any, else one a core.
    scheduler : str, optional
        Address of a Dask scheduler whose workers run them instead.
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
    if scheduler is None:
        places = len(gpus.present()) * share_gpu or len(os.sched_getaffinity(0))
        workers = min(workers or places, max(1, len(jobs)))
    bar = tqdm(total=sum(job.code_cells for job in jobs), bar_format=LOOKS, file=sys.stderr)
    with bar, open_executor(workers, scheduler) as (executor, count):
        running = {}
        threads = None
        if scheduler is None and count > 1:
            threads = max(1, len(os.sched_getaffinity(0)) // count)
        while waiting or running:
            while waiting and len(running) < count:
                job = waiting.pop(0)
                job = replace(job, share_gpu=share_gpu, threads=threads, warm=len(jobs) > 1)
                running[_submit(executor, job, bar, scheduler)] = job
            names = sorted({job.run["assignment"].partition("-")[0] for job in running.values()})
            bar.set_description_str(f"{', '.join(names)} running")
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                run = _outcome(future, job)
                if scheduler:
                    bar.update(job.code_cells)
                bar.clear()  # so that what is printed of the run has a line of its own
                yield run
        bar.set_description_str("done")
        bar.update(bar.total - bar.n)  # what failed has cells that never ran


def _submit(executor, job, bar, scheduler):
    if scheduler:
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
