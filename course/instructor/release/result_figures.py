"""The figures of finished results: whether they are up to date, and their place in the package."""

import io
from collections.abc import Mapping, Sequence, Set
from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from PIL import Image, PngImagePlugin

from course.errors import CourseError
from course.experiments.store import fingerprint
from course.files import write_atomically
from course.instructor.analysis.cell_dependencies import find_required_cells
from course.instructor.release.public_address import REQUIREMENT
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


def required_cells(notebook: NotebookNode, tag: str = DRAWS_TAG) -> list[NotebookNode]:
    """Return the cells with a tag, which draw figures, and those on which they depend.

    Checks and cells that only explore are left out, and so are the cells that install the package
    and show the figure.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not _is_test(cell)]
    cells = [
        cell
        for cell in cells
        if SHOWS_TAG not in cell.metadata.get("tags", []) and not _installs(cell)
    ]
    drawing = cells_with_tag(notebook, tag)
    cells = cells[: cells.index(drawing[-1]) + 1] if drawing else []
    sources = [{"grade_id": cell.id, "source": cell.source} for cell in cells]
    locked = {cell.id for cell in cells if utils.is_locked(cell)}
    drawn = {cell.id for cell in drawing}
    figures = _Figures([each for each in sources if each["grade_id"] in drawn], locked)
    required = find_required_cells(sources, figures)
    return [cell for at, cell in enumerate(cells) if at in required or cell.id in drawn]


def code_digest(notebook: NotebookNode, tag: str = DRAWS_TAG) -> str:
    """Return a digest of the cells with a tag, and of those on which their figures depend.

    Comments do not count. Neither do the course's modules; if they did, nearly every change to them
    would require a new training run.
    """
    return fingerprint(*(_code(cell.source) for cell in required_cells(notebook, tag)))


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
    content = compress(png, info, MAX_KILOBYTES, f"{DRAWS_TAG} in {name}")
    write_atomically(image_path(name), content)
    return len(content)


def compress(png: bytes, info: PngImagePlugin.PngInfo, kilobytes: int, cell: str) -> bytes:
    """Return a figure as a PNG file with a palette and a text.

    `cell` names the cell that draws it. Raises CourseError if the file would be too large.
    """
    with Image.open(io.BytesIO(png)) as opened:
        image = Image.new("RGB", opened.size, "white")
        image.paste(opened, mask=opened.getchannel("A") if opened.mode == "RGBA" else None)
    for colors in COLORS:
        file = io.BytesIO()
        image.quantize(colors).save(file, format="PNG", optimize=True, pnginfo=info)
        if file.tell() <= kilobytes * 1024:
            return file.getvalue()
    raise CourseError(
        f"the figure of {cell} has {file.tell() // 1024} KB, but at most {kilobytes} KB are"
        " allowed: make the figure smaller, or show fewer photos in it."
    )


def _installs(cell: NotebookNode) -> bool:
    """Return whether a cell installs the package; in a release, it contains the public address."""
    return any(text in cell.source for text in ("{{INSTALL}}", f"{REQUIREMENT} git+"))


def _is_test(cell: NotebookNode) -> bool:
    """Return whether a cell is a test."""
    return bool(utils.is_grade(cell)) and not utils.is_solution(cell)


def _code(source: str) -> str:
    """Return a cell's source without blank lines, comment lines, and trailing whitespace."""
    lines = [line.rstrip() for line in source.splitlines()]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


class _Figures:
    """The cells that draw figures, as the only tests, so that all cells they need are found."""

    def __init__(self, cells: Sequence[Mapping[str, Any]], locked: Set[str]) -> None:
        self.cells = {cell["grade_id"]: cell for cell in cells}
        self._locked = locked

    def is_test(self, name: str | None) -> bool:
        """Return whether a cell is one that draws a figure."""
        return name in self.cells

    def is_locked_code(self, name: str | None) -> bool:
        """Return whether a cell is locked, so that other cells do not modify its variables."""
        return name in self._locked

    def is_unchanged(self, cell: Mapping[str, Any]) -> bool:
        """Return True: a cell on which no figure depends can be skipped."""
        return True
