"""Figures that take training or real images: drawn by `course figures --site`, and kept.

Most are those of code that needs no answer. Those of a cell with the tag `site-figure` are taken
from a run of the solution. The author who sets the tag makes sure that they give no answer away.
"""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from PIL import PngImagePlugin

from course.errors import CourseError
from course.experiments.store import fingerprint
from course.files import replacing_folder
from course.instructor.analysis.cell_names import find_names
from course.instructor.release.result_figures import cells_with_tag, code_digest, compress
from course.instructor.site.demonstrations import (
    PACKING_CALL,
    SETUP_CALL,
    demonstration_cells,
    has_warning,
    run_cells,
)
from course.instructor.thread_safe_parsing import parse_python

FOLDER = Path(__file__).parent / "figures"
PROFILE = "cpu"  # real images on any machine
TIMEOUT_SECONDS = 900  # of a cell; the slowest trains the small network of 06-dropout-batchnorm
MAX_KILOBYTES = 100
DIGEST_FILE = "code-digest.txt"
SOLUTION_DIGEST_FILE = "solution-digest.txt"  # not needed to build the site, which reads no source
SOLUTION_TAG = "site-figure"
SETUP_NAMES = frozenset({"run"})  # no cell of a notebook changes it
# Long training runs, files that they leave behind, and weights that have to be downloaded.
LEFT_OUT = re.compile(r"\bexperiments\.train|\bload_model\(|\bimagenet\.")
NOTE = '<p class="others">From our run in the cpu profile. “Your” in a figure means this run.{}</p>'
OTHERS = " The other results appear when you run the notebook."


def parts(notebook: NotebookNode) -> dict[str, str]:
    """Return the code that needs no answer and no long training, by the ID of its cell.

    Unlike a demonstration, which is a whole cell, this can be some statements of a cell. Its
    results can depend on the profile. The setup is included, and cells without such code are not.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    names = [find_names(cell.source) for cell in code]
    bound = {name for each in names for name in each.bound | each.imported}
    imported = {name for each in names for name in each.imported}
    found, unknown = {}, set[str]()
    after_setup = False
    for cell in code:
        if SETUP_CALL in cell.source or "parameters" in cell.metadata.get("tags", []):
            found[cell.id] = cell.source
            after_setup = after_setup or SETUP_CALL in cell.source
            continue
        is_graded = utils.is_grade(cell) or utils.is_solution(cell)
        known = []
        for statement in _statements(cell.source):
            each = find_names(statement)
            is_left_out = is_graded or each.opaque or LEFT_OUT.search(statement)
            is_left_out = is_left_out or PACKING_CALL in statement or not after_setup
            if is_left_out or each.needed & unknown or each.needed - bound:
                unknown |= (each.bound | each.modified) - imported - SETUP_NAMES
            else:
                unknown -= each.bound
                known.append(statement)
        if known:
            found[cell.id] = "\n".join(known)
    return found


def digest(notebook: NotebookNode) -> str:
    """Return a digest of the released code that draws a notebook's figures."""
    return fingerprint(*parts(notebook).values(), code_digest(notebook, SOLUTION_TAG))


def solution_digest(source: NotebookNode) -> str:
    """Return a digest of the solution's code that draws a notebook's figures."""
    return code_digest(source, SOLUTION_TAG)


def draw(
    name: str, notebook: NotebookNode, source: NotebookNode, solved: NotebookNode
) -> list[int]:
    """Draw and keep the figures of a released notebook; return the sizes of the files in bytes.

    `source` is its source notebook, and `solved` one that was run, with the outputs of the cells
    that have the tag. Raises CourseError if a cell fails, or if one with the tag shows no figure.
    """
    tagged = cells_with_tag(solved, SOLUTION_TAG)
    if empty := [cell.id for cell in tagged if not list(_images(cell))]:
        raise CourseError(
            f"source/{name}: no figure is shown by the cells {', '.join(empty)}: make a figure the"
            f" value of their last line, or remove the tag {SOLUTION_TAG}."
        )
    code = parts(notebook)
    shown = {cell.id for cell in demonstration_cells(notebook)}
    page = nbformat.v4.new_notebook(metadata=notebook.metadata)
    page.cells = [nbformat.v4.new_code_cell(source, id=cell) for cell, source in code.items()]
    if reason := run_cells(page, PROFILE, TIMEOUT_SECONDS):
        raise CourseError(
            f"release/{name}: code that needs no answer fails in the {PROFILE} profile ({reason}):"
            f" correct its source, run course release {name}, and draw the figures again."
        )
    answered = {cell.id for cell in tagged}
    kept = [
        cell
        for cell in page.cells
        if cell.id not in shown | answered and not has_warning(cell.outputs)
    ]
    sizes = []
    FOLDER.mkdir(exist_ok=True)
    with replacing_folder(FOLDER / name) as folder:
        for cell in [*kept, *tagged]:
            for number, png in enumerate(_images(cell), start=1):
                info = PngImagePlugin.PngInfo()
                content = compress(png, info, MAX_KILOBYTES, f"{cell.id} in {name}")
                (folder / f"{cell.id}-{number}.png").write_bytes(content)
                sizes.append(len(content))
        (folder / DIGEST_FILE).write_text(digest(notebook) + "\n", encoding="utf-8")
        solution = solution_digest(source) + "\n"
        (folder / SOLUTION_DIGEST_FILE).write_text(solution, encoding="utf-8")
    return sizes


def is_current(name: str, notebook: NotebookNode, source: NotebookNode) -> bool:
    """Return whether the kept figures are those of a released notebook and its solution."""
    digests = {DIGEST_FILE: digest(notebook), SOLUTION_DIGEST_FILE: solution_digest(source)}
    return all(_stored(name, file) == each for file, each in digests.items())


def _stored(name: str, file: str) -> str | None:
    """Return a digest that was stored with a notebook's figures, or None if there is none."""
    path = FOLDER / name / file
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def add_outputs(notebook: NotebookNode, name: str) -> bool:
    """Add the kept figures to the cells that draw them; return False if they are out of date.

    An assignment whose figures have never been drawn has none.
    """
    stored = _stored(name, DIGEST_FILE)
    if stored is None:
        return True
    if stored != digest(notebook):
        return False
    code = parts(notebook)
    for cell in notebook.cells:
        paths = sorted((FOLDER / name).glob(f"{cell.id}-[0-9].png"))
        if not paths or cell.cell_type != "code":
            continue
        for path in paths:
            encoded = base64.b64encode(path.read_bytes()).decode()
            figure = nbformat.v4.new_output("display_data", data={"image/png": encoded})
            cell.outputs.append(figure)
        is_solved = SOLUTION_TAG in cell.metadata.get("tags", [])
        is_whole = is_solved or len(_statements(cell.source)) == len(_statements(code[cell.id]))
        note = NOTE.format("" if is_whole else OTHERS)
        cell.outputs.append(nbformat.v4.new_output("display_data", data={"text/html": note}))
    return True


def _images(cell: NotebookNode) -> Iterator[bytes]:
    """Yield the PNG images in the outputs of a cell."""
    for output in cell.outputs:
        if png := output.get("data", {}).get("image/png"):
            yield base64.b64decode(png)


def _statements(source: str) -> list[str]:
    """Return the statements of a cell, or none if it is not plain Python."""
    try:
        tree = parse_python(source)
    except SyntaxError:
        return []
    lines, found = source.splitlines(), []
    for each in tree.body:
        decorators = getattr(each, "decorator_list", [])
        first = min([each.lineno, *(one.lineno for one in decorators)])
        found.append("\n".join(lines[first - 1 : each.end_lineno]))
    return found
