"""Running a notebook from top to bottom in a kernel of a platform."""

import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from tests.platforms.environment import Environment

PACKING = "packing.pack("
CELL_SECONDS = 300
# pip writes red lines to stdout too, if IPython runs it in a terminal.
RED_LINE = re.compile(r"^(?:ERROR|WARNING|DEPRECATION): .*", re.MULTILINE)
# Folders of this machine's pip configuration that do not have a package.
OWN_INDEX = re.compile(r"WARNING: Location 'file:.* is ignored")
COLORS = re.compile(r"\x1b\[[\d;]*m")


@dataclass
class NotebookRun:
    """What a student saw and received."""

    red: list[str] = field(default_factory=list)  # each with the name of its cell
    error: str = ""  # of the cell that stopped the run
    seconds: dict[str, float] = field(default_factory=dict)  # of each cell
    last_cell: str = ""  # the cell that stopped the run, or the last one
    packing_output: str = ""


def run_notebook(
    notebook: NotebookNode, file_name: str, environment: Environment, folder: Path, **variables: str
) -> NotebookRun:
    """Run a notebook in a folder until a cell fails, as Run All does, and write the outputs.

    The executed notebook is `file_name` in the folder, or beside it where the platform keeps the
    notebook elsewhere.
    """
    place = environment.platform.notebook
    path = folder / file_name if place == "file" else folder.parent / f"{folder.name}.ipynb"
    announced = {"JPY_SESSION_NAME": str(path)} if place == "file" else {}
    page = {"COLAB_PAGE": str(path)} if place == "page" else {}
    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[str(environment.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="Python 3",
        language="python",
    )
    run, started = NotebookRun(), {}

    def save(**_) -> None:
        nbformat.write(notebook, path)

    def begin(cell, **_) -> None:
        started[cell.id] = time.monotonic()
        run.last_cell = cell.id
        if PACKING in cell.source:
            save()

    def end(cell, **_) -> None:
        run.seconds[cell.id] = time.monotonic() - started[cell.id]

    client = NotebookClient(
        notebook,
        km=manager,
        timeout=CELL_SECONDS,
        on_cell_start=begin,
        on_cell_executed=end,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        # What a kernel writes to its own stderr is in a server's log, not in a notebook.
        kernel_variables = environment.variables | announced | page | variables
        client.execute(env=kernel_variables, stderr=subprocess.DEVNULL, cleanup_kc=True)
    except CellExecutionError as error:
        run.error = f"{error.ename}: {error.evalue}"
    except Exception as error:  # the kernel died, or a cell did not end
        run.error = f"{type(error).__name__}: {error}"
    save()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            run.red += [f"{cell.id}: {line}" for line in _red_lines(cell)]
    run.packing_output = "".join(
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code" and PACKING in cell.source
        for output in cell.outputs
        if output.get("name") == "stdout"
    )
    return run


def _red_lines(cell: NotebookNode) -> list[str]:
    """Return the lines of a cell's output that a notebook shows in red, without errors."""
    lines = []
    for output in cell.outputs:
        text = COLORS.sub("", output.get("text", "")).replace("\r", "\n")
        if output.get("name") == "stderr":
            lines += text.splitlines()
        elif output.get("name") == "stdout":
            lines += RED_LINE.findall(text)
    return [line.strip() for line in lines if line.strip() and not OWN_INDEX.match(line.strip())]
