"""Running the cells of a released notebook whose results do not depend on a student's answers."""

import os
import re
import tempfile
from collections.abc import Iterator

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbgrader import utils

from course.errors import CourseError
from course.instructor.analysis.cell_names import find_names
from course.instructor.regression.kernel_managers import kernel_manager_class
from course.instructor.regression.notebook_execution import KERNEL_FAILURES

TIMEOUT_SECONDS = 60  # of a cell; all cells of a notebook take a few seconds
# What depends on these names differs in each profile; without the real images, it is misleading.
PROFILE_NAMES = frozenset({"run", "profile", "epochs"})
SETUP_CALL = "course.setup("
PACKING_CALL = "packing.pack("  # its message about the notebook is only true where students work
WARNING = re.compile(r"^warning:", re.M)
FIGURE_TYPES = ("image/png", "image/svg+xml")
SCRIPT = "<script"
ANIMATION_NOTE = (
    '<p class="others">In the notebook, this is an animation. Here are some of its steps.</p>'
)
TEXT_TYPES = ("text/html", "text/markdown", "text/plain")


def demonstration_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells that show the same without any answer and in every profile.

    A cell is left out if it is an answer or a test, if it packs the submission, if it needs a name
    that such a cell or the profile provides, or if it runs code that the analysis cannot follow.
    """
    found, unknown, imported = [], set(PROFILE_NAMES), set[str]()
    code = [find_names(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    # A name that no cell of a release binds is one that an answer has to bind.
    bound = {name for names in code for name in names.bound | names.imported}
    for cell in notebook.cells:
        if cell.cell_type != "code" or SETUP_CALL in cell.source:
            imported |= find_names(cell.source).imported if cell.cell_type == "code" else set()
            continue
        names = find_names(cell.source)
        imported |= names.imported
        is_graded = utils.is_grade(cell) or utils.is_solution(cell)
        is_left_out = is_graded or names.opaque or PACKING_CALL in cell.source
        if is_left_out or names.needed & unknown or names.needed - bound:
            unknown |= (names.bound | names.modified) - imported
        else:
            unknown -= names.bound
            found.append(cell)
    return found


def add_outputs(notebook: NotebookNode, name: str) -> None:
    """Run the demonstration cells of a released notebook, and store what they show in it.

    Raises CourseError if one of them fails.
    """
    shown = demonstration_cells(notebook)
    setup = [cell for cell in notebook.cells if SETUP_CALL in cell.source]
    demonstration = nbformat.v4.new_notebook(metadata=notebook.metadata)
    selected = [cell for cell in notebook.cells if cell in [*setup, *shown]]
    demonstration.cells = [nbformat.from_dict(cell) for cell in selected]
    if reason := run_cells(demonstration, "smoke", TIMEOUT_SECONDS):
        raise CourseError(
            f"release/{name}: a cell that needs no answer fails ({reason}): correct its source,"
            f" run course release {name}, and build the site again."
        )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    for cell, executed in zip(selected, demonstration.cells, strict=True):
        if cell in shown and not has_warning(executed.outputs):
            cell.outputs = list(_page_outputs(executed.outputs))


def run_cells(notebook: NotebookNode, profile: str, timeout: int) -> str | None:
    """Run a notebook, so that it contains its outputs; return why a cell fails, or None.

    `timeout` is in seconds, for each cell.
    """
    environment = dict(os.environ) | {"COURSE_PROFILE": profile}
    environment.setdefault("KERAS_BACKEND", "tensorflow")
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            kernel_manager_class=kernel_manager_class(environment),
            timeout=timeout,
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute()
        except (CellExecutionError, *KERNEL_FAILURES) as error:
            return (str(getattr(error, "evalue", "") or error).splitlines() or ["no reason"])[0]
    return None


def has_warning(outputs: list[NotebookNode]) -> bool:
    """Return whether a cell printed a warning, which is not true for a reader of the page."""
    texts = ["".join(each.text) for each in outputs if each.output_type == "stream"]
    return any(WARNING.search(text) for text in texts)


def _page_outputs(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield the outputs of a cell as a page can show them, with a note below each animation."""
    for output in outputs:
        if shown := _without_scripts(output):
            yield shown
            is_image = any(kind in shown.get("data", {}) for kind in FIGURE_TYPES)
            if is_image and SCRIPT in output.data.get("text/html", ""):
                yield nbformat.v4.new_output("display_data", data={"text/html": ANIMATION_NOTE})


def _without_scripts(output: NotebookNode) -> NotebookNode | None:
    """Return an output as a page can show it without scripts, or None if that is not possible.

    Of an interactive figure, this is its image. Practice questions are only interactive.
    """
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    data = output.data
    if "application/javascript" in data:
        return None
    kinds = [kind for kind in (*FIGURE_TYPES, *TEXT_TYPES) if kind in data]
    if not kinds or (kinds[0] not in FIGURE_TYPES and SCRIPT in data.get("text/html", "")):
        return None
    if kinds[0] == "text/plain" and "object>" in data["text/plain"]:
        return None
    return nbformat.v4.new_output(
        "display_data", data={kinds[0]: data[kinds[0]]}, metadata=output.metadata
    )
