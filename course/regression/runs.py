"""Running a solution notebook headlessly with papermill and keeping what it measured."""

import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from course.errors import CourseError
from course.metrics import MIME_TYPE
from course.profiles import check_profile

# Seconds a cell, for the notebook whose training hangs; the whole of a gpu profile takes less.
CELL_TIMEOUT = 3600
# ipykernel warns in the terminal, once a run, where its messages are not encrypted.
KERNEL_CONFIG = Config(KernelManager={"transport_encryption": "auto"})


@dataclass
class NotebookRun:
    """One headless run of a solution notebook.

    Attributes
    ----------
    assignment, profile, backend : str
        What ran, on which data, on which Keras backend.
    seed : int
        The seed that was injected.
    seconds : float
        Wall time of the whole run, kernel start included.
    error : str or None
        One sentence that names the failed cell, or None.
    metrics : dict
        What the notebook recorded, by name.
    notebook : str
        Path of the executed notebook.
    """

    assignment: str
    profile: str
    backend: str
    seed: int
    seconds: float = 0.0
    error: str | None = None
    metrics: dict = field(default_factory=dict)
    notebook: str = ""


def run_notebook(source, output_root, assignment, parameters):
    """Execute a solution notebook in a directory of its own.

    Parameters
    ----------
    source : Path
        The source notebook.
    output_root : Path
        Where runs are kept. The executed notebook and `metrics.json` go to
        `ASSIGNMENT/PROFILE-seedSEED-BACKEND/` below it, also when a cell fails; further parameters
        stand in the folder's name too.
    assignment : str
        The assignment's name.
    parameters : dict
        Parameter name to value; `profile` must be among them.

    Returns
    -------
    NotebookRun
        What came of it; a failed cell is in `error`, not raised.

    Raises
    ------
    CourseError
        If a parameter is not one of the notebook's or the profile is unknown.
    """
    check_parameters(source, parameters)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    seed = parameters.get("seed", 0)
    run = NotebookRun(assignment, parameters["profile"], backend, seed)
    others = {name: value for name, value in parameters.items() if name not in ("profile", "seed")}
    words = [run.profile, f"seed{seed}", backend, *(f"{name}={others[name]}" for name in others)]
    folder = Path(output_root, assignment, re.sub(r"[^\w.=-]+", "_", "-".join(words))[:120])
    folder.mkdir(parents=True, exist_ok=True)
    executed = folder / source.name
    run.notebook = str(executed)
    # A run that is killed must not leave the metrics of the one before beside its own notebook.
    (folder / "metrics.json").unlink(missing_ok=True)
    start = time.perf_counter()
    try:
        papermill.execute_notebook(
            source,
            executed,
            parameters,
            cwd=folder,
            kernel_name="python3",
            progress_bar={"desc": f"{assignment} ({run.profile})", "unit": "cell"},
            execution_timeout=CELL_TIMEOUT,
            config=KERNEL_CONFIG,
        )
    except PapermillExecutionError as error:
        run.error = (
            f"{_cell_name(executed, error.cell_index)} failed: {error.ename}: {error.evalue}"
        )
    except (CellTimeoutError, DeadKernelError) as error:
        run.error = f"the kernel gave up: {str(error).strip().splitlines()[0]}"
    run.seconds = round(time.perf_counter() - start, 2)
    run.metrics = recorded_metrics(json.loads(executed.read_text(encoding="utf-8")))
    _write_json(folder / "metrics.json", asdict(run))
    return run


def check_parameters(source, parameters):
    """Raise a CourseError that lists the known ones if a parameter or the profile is unknown."""
    known = papermill.inspect_notebook(source)
    for name in parameters:
        if name not in known:
            raise CourseError(
                f"{source.name} has no parameter {name!r}: choose of {', '.join(known)}."
            )
    check_profile(parameters["profile"])


def recorded_metrics(notebook):
    """Return the metrics in an executed notebook's outputs, a later record of a name winning.

    Parameters
    ----------
    notebook : dict
        The notebook as JSON has it.

    Returns
    -------
    dict
        Metric name to number or list of numbers.
    """
    metrics = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            metrics.update(output.get("data", {}).get(MIME_TYPE, {}))
    return metrics


def kept_runs(output_root):
    """Return the runs that are kept below a directory, the newest last."""
    files = sorted(
        Path(output_root).glob("*/*/metrics.json"), key=lambda path: path.stat().st_mtime
    )
    return [NotebookRun(**json.loads(path.read_text(encoding="utf-8"))) for path in files]


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
    headings = [
        line.lstrip("# ")
        for above in cells[:index]
        if above["cell_type"] == "markdown"
        for line in "".join(above["source"]).splitlines()
        if line.startswith("#")
    ]
    return f"cell {name}" + (f" (under {headings[-1]!r})" if headings else "")


def _write_json(path, content):
    """Write a file so that it is never seen half-written."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
