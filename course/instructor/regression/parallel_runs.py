"""Parallel execution of many notebooks, on this machine or on a Dask cluster."""

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import replace

from tqdm import tqdm

from course.instructor.regression import gpus
from course.instructor.regression.kernel_managers import kill_ordinary_kernels
from course.instructor.regression.notebook_execution import execute
from course.instructor.regression.run_records import NotebookRun, RunJob
from course.instructor.regression.run_store import save
from course.instructor.sandbox.worker_pool import available_cores

BAR_FORMAT = "{percentage:3.0f}% |{bar:24}| {n_fmt} of {total_fmt} cells, {elapsed}: {desc}"


def worker_count(workers: int | None, runs_per_gpu: int) -> int:
    """Return the number of parallel runs; the default is one per GPU or, without GPUs, per core."""
    return workers or len(gpus.visible_gpus()) * runs_per_gpu or available_cores()


def run_in_parallel(
    jobs: list[RunJob],
    executor: Executor,
    workers: int,
    is_remote: bool,
    runs_per_gpu: int,
) -> Iterator[NotebookRun]:
    """Run jobs in parallel, in their order; yield each run once it is finished and saved."""
    waiting = list(jobs)
    parallel = min(workers, len(jobs))
    threads = max(1, available_cores() // parallel) if parallel > 1 and not is_remote else None
    cells = sum(job.code_cells for job in jobs)
    # In a log, each state of the bar would be text of its own.
    in_log = not sys.stderr.isatty()
    bar = tqdm(total=cells, bar_format=BAR_FORMAT, file=sys.stderr, disable=in_log)
    with bar, _killing_kernels_on_error():
        running: dict[Future, RunJob] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                job = replace(waiting.pop(0), runs_per_gpu=runs_per_gpu, threads=threads)
                if is_remote:
                    # Another machine has neither our files nor our terminal.
                    future = executor.submit(execute, replace(job, folder=""))
                else:
                    future = executor.submit(execute, job, bar.update)
                running[future] = job
            names = sorted({job.run.assignment.partition("-")[0] for job in running.values()})
            bar.set_description_str(f"{', '.join(names)} running")
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                run, executed = future.result()
                save(run, executed)
                if is_remote:
                    bar.update(job.code_cells)
                bar.clear()  # the caller prints a line about the run
                yield run
        bar.set_description_str("done", refresh=False)
        bar.update(bar.total - bar.n)  # failed runs have cells that never ran


@contextlib.contextmanager
def _killing_kernels_on_error() -> Iterator[None]:
    """Kill ordinary kernels if the command is stopped; forked kernels end with it."""
    try:
        yield
    except BaseException:
        kill_ordinary_kernels()
        raise
