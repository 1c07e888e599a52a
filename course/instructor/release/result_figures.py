"""The figures of finished results: whether they are fresh, and their place in the package."""

import io
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode
from PIL import Image, PngImagePlugin

from course.errors import CourseError
from course.experiments.store import fingerprint
from course.files import write_atomically
from course.instructor.analysis.cell_dependencies import find_required_cells
from course.plotting.result_figure import image_path

SHOWS_TAG = "result-figure"  # the cell at the top that shows the figure
DRAWS_TAG = "draws-result"  # the cell of the solution whose output the figure is
MAX_KILOBYTES = 80  # every student downloads the figures, and every submission contains one
COLORS = (256, 128, 64, 32)  # of a palette; fewer make a smaller file
DIGEST_KEY = "code-digest"  # of the text in a PNG file


def cells_with_tag(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    """Return the code cells of a notebook that have a tag."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and tag in cell.metadata.get("tags", [])
    ]


def code_digest(notebook: NotebookNode) -> str:
    """Return a digest of the cells on which a source notebook's figure depends.

    Comments, checks, and cells that only explore do not count. Neither do the course's modules,
    because nearly each change to them would require a new training run.
    """
    cells = [_as_mapping(cell) for cell in notebook.cells if cell.cell_type == "code"]
    (drawing,) = cells_with_tag(notebook, DRAWS_TAG)
    end = next(at for at, cell in enumerate(cells) if cell["grade_id"] == drawing.id)
    before = [cell for cell in cells[:end] if not cell["is_test"]]
    required = find_required_cells([*before, cells[end]], _Figure(cells[end]))
    return fingerprint(*(_code(cell["source"]) for cell in [*_at(before, required), cells[end]]))


def stored_digest(name: str) -> str | None:
    """Return the digest of the code that drew an assignment's figure, or None without a figure."""
    path = image_path(name)
    if not path.is_file():
        return None
    with Image.open(path) as image:
        return image.info.get(DIGEST_KEY, "")


def store(name: str, png: bytes, digest: str) -> int:
    """Store an assignment's figure with a palette and a digest, and return its size in bytes.

    Raises CourseError if the file would be too large.
    """
    info = PngImagePlugin.PngInfo()
    info.add_text(DIGEST_KEY, digest)
    with Image.open(io.BytesIO(png)) as opened:
        image = Image.new("RGB", opened.size, "white")
        image.paste(opened, mask=opened.getchannel("A") if opened.mode == "RGBA" else None)
    for colors in COLORS:
        file = io.BytesIO()
        image.quantize(colors).save(file, format="PNG", optimize=True, pnginfo=info)
        if file.tell() <= MAX_KILOBYTES * 1024:
            write_atomically(image_path(name), file.getvalue())
            return file.tell()
    raise CourseError(
        f"the figure of {name} has {file.tell() // 1024} KB, and {MAX_KILOBYTES} KB are allowed:"
        f" make the figure of the cell tagged {DRAWS_TAG} smaller, or show fewer photos in it."
    )


def _as_mapping(cell: NotebookNode) -> dict[str, Any]:
    """Return a code cell in the form that the analysis of dependencies expects."""
    grading = cell.metadata.get("nbgrader", {})
    is_test = bool(grading.get("grade")) and not grading.get("solution")
    return {"grade_id": cell.id, "source": cell.source, "is_test": is_test}


def _at(cells: list[dict[str, Any]], positions: set[int]) -> list[dict[str, Any]]:
    """Return the cells at the positions, in order."""
    return [cell for position, cell in enumerate(cells) if position in positions]


def _code(source: str) -> str:
    """Return a cell's source without blank lines, lines of comment, and trailing space."""
    lines = [line.rstrip() for line in source.splitlines()]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


class _Figure:
    """The cell that draws the figure, as the only test, so that all cells it needs are found."""

    def __init__(self, cell: Mapping[str, Any]) -> None:
        self.cells = {cell["grade_id"]: cell}

    def is_test(self, name: str | None) -> bool:
        """Return whether a cell is the one that draws the figure."""
        return name in self.cells

    def is_locked_code(self, name: str | None) -> bool:
        """Return False: any cell may modify what another one has bound."""
        return False

    def is_unchanged(self, cell: Mapping[str, Any]) -> bool:
        """Return True: a cell on which the figure does not depend can be skipped."""
        return True
