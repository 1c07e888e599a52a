"""Running a solution notebook headlessly with papermill, and what came of it."""

import json
import logging
import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from course.experiments.store import FOLDER as RESULTS
from course.instructor.regression import gpus
from course.instructor.regression.environment import data_files, machine
from course.instructor.regression.kernel_managers import manager_class
from course.instructor.sandbox.execute import printable
from course.instructor.sandbox.kernel_client import KernelGone
from course.instructor.sandbox.messages import WireError
from course.metrics import CURVES, MIME_TYPE

# Seconds a cell, for the notebook whose training hangs; the whole of a gpu profile takes less.
CELL_TIMEOUT = 3600
# What is raised where a kernel does not start, does not answer or dies, or the disk is full.
GIVES_UP = (
    CellTimeoutError, DeadKernelError, KernelGone, NoSuchKernel, OSError, RuntimeError, WireError,
)  # fmt: skip
# What papermill logs of a failed run stands in our sentence about it.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


@dataclass
class NotebookRun:
    """One headless run of a solution notebook.

    Attributes
    ----------
    assignment, profile, backend : str
        What ran, on which data, on which Keras backend.
    seed : int
        The seed that was injected.
    others : dict
        Further parameters that were injected.
    seconds : float
        Wall time of the whole run, kernel start included.
    error : str or None
        One sentence that names the failed cell, or None.
    metrics : dict
        What the notebook recorded, by name, and peak_memory_mb.
    curves : dict
        Learning curves: name of a training to its history.
    device : str
        "CPU", "GPU", or "" where the notebook did not get as far as to say so.
    versions : dict
        Of Python, Keras and its backend.
    machine, data : str
        Processor and cores; which data there was.
    digest : str
        Tells whether notebook, course, versions or parameters have changed since.
    finished : str
        When, as ISO 8601.
    notebook : str
        Path of the executed notebook.
    """

    assignment: str
    profile: str
    backend: str
    seed: int
    others: dict = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    metrics: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)
    device: str = ""
    versions: dict = field(default_factory=dict)
    machine: str = ""
    data: str = ""
    digest: str = ""
    finished: str = ""
    notebook: str = ""

    @property
    def setting(self):
        """What decides which bands count: the profile and parameters that are no seed."""
        return " ".join([self.profile, *(f"{name}={self.others[name]}" for name in self.others)])

    @property
    def folder_name(self):
        """Name of the folder that the run is kept in, below its assignment's."""
        others = [f"{name}={value}" for name, value in self.others.items()]
        words = [self.profile, f"seed{self.seed}", self.backend, *others]
        return re.sub(r"[^\w.=-]+", "_", "-".join(words))[:120]


@dataclass(frozen=True)
class Job:
    """A run that is to be done; plain data, so that it can be sent to another machine.

    Attributes
    ----------
    run : dict
        The `NotebookRun` as far as it is known.
    source : str
        Path of the source notebook.
    text : str
        Its content, for a machine that does not have the file.
    folder : str or None
        Where the run leaves its files; None: nowhere, the executed notebook is sent back.
    threads : int or None
        How many threads each of the backend's pools may have; None leaves it to the backend.
    share_gpu : int
        How many runs may have the same GPU.
    """

    run: dict
    source: str
    text: str
    folder: str | None
    threads: int | None = None
    share_gpu: int = 1

    @property
    def parameters(self):
        """What is injected into the notebook."""
        chosen = {"profile": self.run["profile"], "seed": self.run["seed"]}
        return chosen | self.run["others"]

    @property
    def code_cells(self):
        """How many cells there are to execute, the injected one included."""
        cells = json.loads(self.text)["cells"]
        return 1 + sum(cell["cell_type"] == "code" for cell in cells)


def execute(job, on_cell=None):
    """Execute a job's notebook.

    Parameters
    ----------
    job : dict
        A `Job` as a dict.
    on_cell : callable, optional
        Called after each cell that was executed.

    Returns
    -------
    run : dict
        The finished `NotebookRun`; a failed cell is in `error`, not raised.
    executed : str
        The executed notebook as text, as far as it got.
    """
    job = Job(**job)
    run = NotebookRun(**job.run)
    if job.folder:
        return _execute(job, run, Path(job.source), Path(job.folder), on_cell)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source.ipynb")
        source.write_text(job.text, encoding="utf-8")
        return _execute(job, run, source, Path(folder), on_cell)


def _execute(job, run, source, folder, on_cell):
    executed = folder / Path(job.source).name
    if source.read_text(encoding="utf-8") != job.text:
        run.error = f"{source.name} was changed while the command ran: run it again"
        return asdict(run), job.text
    # What an earlier run has trained takes no memory now.
    trains_all = not (folder / RESULTS).exists()
    with gpus.one(job.share_gpu) as chosen:
        environment = os.environ | chosen | _threads(job.threads) | {"KERAS_BACKEND": run.backend}
        manager = manager_class(environment)
        start = time.perf_counter()
        try:
            papermill.execute_notebook(
                source,
                executed,
                job.parameters,
                kernel_name="python3",
                progress_bar=False,
                execution_timeout=CELL_TIMEOUT,
                # Not papermill's cwd: that moves this whole process, with other runs under way.
                resources={"metadata": {"path": str(folder)}},
                kernel_manager_class=manager,
                shutdown_kernel="immediate",
                on_cell_executed=on_cell and (lambda **_: on_cell()),
            )
        except PapermillExecutionError as error:
            cell = _cell_name(executed, error.cell_index)
            run.error = f"{cell} failed: {error.ename}: {_one_line(error.evalue)}"
        except GIVES_UP as error:
            run.error = f"the kernel gave up: {manager.ended or _one_line(error)}"
        run.seconds = round(time.perf_counter() - start, 2)
    text = executed.read_text(encoding="utf-8") if executed.is_file() else job.text
    recorded, where = recorded_metrics(json.loads(text))
    run.curves = recorded.pop(CURVES, {})
    run.metrics = recorded
    if manager.peak_megabytes and trains_all:
        run.metrics["peak_memory_mb"] = float(round(manager.peak_megabytes))
    run.device = where.get("device", "")
    run.machine = machine()
    run.data = "synthetic, made from the seed" if run.profile == "smoke" else data_files()
    run.finished = datetime.now().isoformat(timespec="seconds")
    return asdict(run), text


def _threads(count):
    """Return what tells the backends how many threads to start, where several runs share cores."""
    if not count:
        return {}
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return {name: str(count) for name in names if name not in os.environ}


def parameter_names(source):
    """Return the names that a notebook's `parameters` cell sets."""
    return list(papermill.inspect_notebook(source))


def recorded_metrics(notebook):
    """Return the metrics in an executed notebook's outputs, a later record of a name winning.

    Parameters
    ----------
    notebook : dict
        The notebook as JSON has it.

    Returns
    -------
    metrics : dict
        Metric name to number or list of numbers.
    where : dict
        What `course.setup` had settled when they were recorded.
    """
    metrics, where = {}, {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            metrics.update(output.get("data", {}).get(MIME_TYPE, {}))
            where.update(output.get("metadata", {}).get(MIME_TYPE, {}))
    return metrics, where


def _cell_name(executed, index):
    """Return how a person finds a cell: its grade id or cell id, and the heading above it."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    # papermill puts cells of its own about the error on top; they are not of the notebook.
    cells = [
        cell for cell in cells if "papermill-error-cell-tag" not in cell["metadata"].get("tags", [])
    ]
    cell = cells[index]
    name = (
        cell["metadata"].get("nbgrader", {}).get("grade_id") or cell.get("id") or f"number {index}"
    )
    headings = [line for above in cells[:index] for line in headings_of(above)]
    return f"cell {name}" + (f" (under {headings[-1]!r})" if headings else "")


def headings_of(cell):
    """Return the headings in a cell as text; nbgrader's markers look like some and are none."""
    if cell["cell_type"] != "markdown":
        return []
    lines = "".join(cell["source"]).splitlines()
    return [
        line.lstrip("# ")
        for line in lines
        if line.startswith("#") and not line.startswith(("### BEGIN ", "### END "))
    ]


def _one_line(text):
    """Return the first line of a text, which says what an error is; colours are left out."""
    return (printable(text).strip().splitlines() or ["no reason given"])[0]
