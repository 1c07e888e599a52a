"""Headless execution of a solution notebook with papermill, and the metrics that it records."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError

from course.experiments.store import FOLDER as RESULTS
from course.instructor.regression import gpus
from course.instructor.regression.kernel_managers import kernel_manager_class
from course.instructor.regression.provenance import data_file_digests, machine_description
from course.instructor.regression.run_records import MEMORY, PEAK_MEMORY, NotebookRun, RunJob
from course.instructor.sandbox.cell_execution import printable
from course.instructor.sandbox.kernel_client import KernelEnded
from course.instructor.sandbox.messages import MessageError
from course.notebook_headings import section_headings
from course.recorded_metrics import MIME_TYPE

# Stops a notebook whose training hangs; a whole run with the gpu profile takes less time.
CELL_TIMEOUT_SECONDS = 3600
SAVE_SECONDS = 10
ENGINE = "saves-less"
# Raised if a kernel does not start, does not respond (a TimeoutError, which is an OSError), or dies
# (nbclient's DeadKernelError, which is a RuntimeError), or if the disk is full.
KERNEL_FAILURES = (KernelEnded, MessageError, NoSuchKernel, OSError, RuntimeError)
# Our own error message contains what papermill logs about a failed run.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


class EngineThatSavesLess(NBClientEngine):
    """Papermill's engine, which saves the notebook every few seconds instead of twice per cell.

    With all saves, a smoke run of a notebook takes about one second longer.
    """

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, *arguments: Any, **options: Any
    ) -> None:
        """Execute a notebook; papermill saves it once more at its end, and when a kernel dies."""
        last = time.monotonic()

        def save(**_: Any) -> None:
            nonlocal last
            if time.monotonic() - last >= SAVE_SECONDS:
                NotebookExecutionManager.save(nb_man)
                last = time.monotonic()

        nb_man.save = save
        try:
            super().execute_managed_notebook(nb_man, *arguments, **options)
        finally:
            del nb_man.save


papermill_engines.register(ENGINE, EngineThatSavesLess)


def execute(job: RunJob, on_cell: Callable[[], object] | None = None) -> tuple[NotebookRun, str]:
    """Execute a job and return the finished run and the text of the executed notebook.

    A failure is not raised but stored as the run's `error`; the cells after a failed one have no
    outputs. `on_cell` is called after each executed cell.
    """
    if job.folder:
        return _execute(job, Path(job.source), Path(job.folder), on_cell)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source.ipynb")
        source.write_text(job.text, encoding="utf-8")
        return _execute(job, source, Path(folder), on_cell)


def _execute(
    job: RunJob, source: Path, folder: Path, on_cell: Callable[[], object] | None
) -> tuple[NotebookRun, str]:
    """Execute a job's notebook in a folder."""
    run = replace(job.run)
    executed = folder / Path(job.source).name
    if source.read_text(encoding="utf-8") != job.text:
        run.error = f"{source.name} was changed while the command ran: run the command again"
        return run, job.text
    # If an earlier run has trained the networks, the peak memory is not comparable.
    trains_all = not (folder / RESULTS).exists()
    with gpus.reserve_gpu(job.runs_per_gpu) as gpu_variables:
        environment = dict(os.environ) | gpu_variables | _thread_variables(job.threads)
        environment |= dict(job.variables)
        manager = kernel_manager_class(environment | {"KERAS_BACKEND": run.backend})
        start = time.perf_counter()
        try:
            papermill.execute_notebook(
                source,
                executed,
                job.parameters,
                engine_name=ENGINE,
                kernel_name="python3",
                progress_bar=False,
                execution_timeout=CELL_TIMEOUT_SECONDS,
                # Papermill's cwd would change the directory of this whole process, which may be
                # executing other runs.
                resources={"metadata": {"path": str(folder)}},
                kernel_manager_class=manager,
                shutdown_kernel="immediate",
                on_cell_executed=on_cell and (lambda **_: on_cell()),
            )
        except PapermillExecutionError as error:
            cell = _cell_description(executed, error.cell_index)
            run.error = f"{cell} failed: {error.ename}: {_first_line(error.evalue)}"
        except KERNEL_FAILURES as error:
            run.error = f"the kernel stopped: {manager.end_reason or _first_line(error)}"
        run.seconds = round(time.perf_counter() - start, 2)
    text = executed.read_text(encoding="utf-8") if executed.is_file() else job.text
    recorded, session = recorded_metrics(json.loads(text))
    run.metrics, run.kinds, run.curves = recorded["values"], recorded["kinds"], recorded["curves"]
    if manager.peak_megabytes and trains_all:
        run.metrics[PEAK_MEMORY] = float(round(manager.peak_megabytes))
        run.kinds[PEAK_MEMORY] = MEMORY
    run.device = session.get("device", "")
    run.machine = machine_description()
    run.data = "synthetic, made from the seed" if run.profile == "smoke" else data_file_digests()
    run.finished = datetime.now().isoformat(timespec="seconds")
    return run, text


def _thread_variables(count: int | None) -> dict[str, str]:
    """Return the environment variables that limit the threads of the backends."""
    if not count:
        return {}
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return {name: str(count) for name in names if name not in os.environ}


def recorded_metrics(notebook: dict[str, Any]) -> tuple[dict[str, dict], dict[str, Any]]:
    """Return the "values", "kinds", and "curves" in an executed notebook, and its session.

    If a name was recorded twice, the later value is returned. The session contains the settings
    that `course.setup` returned; `course.record` stores them with the metrics.
    """
    recorded: dict[str, dict] = {"values": {}, "kinds": {}, "curves": {}}
    session: dict[str, Any] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            content = output.get("data", {}).get(MIME_TYPE, {})
            for part, entries in recorded.items():
                entries.update(content.get(part, {}))
            session.update(output.get("metadata", {}).get(MIME_TYPE, {}))
    return recorded, session


def _cell_description(executed: Path, index: int) -> str:
    """Return a description of a cell: its grade id or cell id, and the heading above it."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    # At the top, papermill inserts cells about the error, which are not part of the notebook.
    cells = [
        cell for cell in cells if "papermill-error-cell-tag" not in cell["metadata"].get("tags", [])
    ]
    cell = cells[index]
    name = (
        cell["metadata"].get("nbgrader", {}).get("grade_id") or cell.get("id") or f"number {index}"
    )
    heading = section_headings(cells)[index]
    return f"cell {name}" + (f" (under {heading!r})" if heading else "")


def _first_line(text: object) -> str:
    """Return the first line of an error message, without terminal colors."""
    return (printable(text).strip().splitlines() or ["no reason given"])[0]
