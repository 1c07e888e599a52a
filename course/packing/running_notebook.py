"""The content of the running notebook, read from the platform or from a file."""

import json
import operator
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course import platforms

COLAB_TIMEOUT = 60  # seconds; transferring a large notebook takes a while
SAVING_TIMEOUT = 5  # seconds; longer than saving takes
# In two parts, because no published file may contain the complete marker.
HIDDEN_TESTS = "### BEGIN " + "HIDDEN TESTS"


@dataclass
class RunningNotebook:
    """The running notebook; on Colab, where the browser provides the content, it has no file."""

    content: bytes
    cells: list[dict[str, Any]]  # each source is one string
    name: str = ""  # of the file
    seconds_since_save: float | None = None

    @property
    def code(self) -> list[str]:
        """The sources of the code cells."""
        return [cell["source"] for cell in self.cells if cell.get("cell_type") == "code"]

    @property
    def has_hidden_tests(self) -> bool:
        """True for an instructor's notebook, which must not be submitted."""
        return any(HIDDEN_TESTS in cell["source"] for cell in self.cells)

    def latest_execution(self, executed: list[str]) -> int:
        """Return the number of the latest execution whose source the file contains, or 0."""
        return max(
            (
                number
                for cell in self.cells
                if isinstance(number := cell.get("execution_count"), int)
                and 0 < number <= len(executed)
                and executed[number - 1].strip() == cell["source"].strip()
            ),
            default=0,
        )


def read(executed: list[str]) -> RunningNotebook | None:
    """Return the running notebook, or None if it cannot be read.

    Colab provides the content. Jupyter and VS Code tell the kernel the file name at startup. This
    function also looks in the current folder for a notebook that contains more than half of the
    executed cells, because the file name can be unknown, or outdated after "Save as".
    """
    content = _read_from_colab()
    if content is not None:
        return _parse(content)
    paths = list(_announced_paths())
    _wait_until_saved(paths)
    announced = _find_matches(paths, executed, min_fraction=0)
    # Names that start with a dot belong to temporary files of Jupyter and editors.
    here = _find_matches(sorted(Path().glob("[!.]*.ipynb")), executed, min_fraction=0.5)

    def rank(notebook: RunningNotebook) -> tuple[int, float]:
        return notebook.latest_execution(executed), -(notebook.seconds_since_save or 0)

    best = max(here, key=rank, default=None)
    # "Save as" creates a new file, but the kernel still has the name of the old one.
    if announced and not (best and all(map(operator.gt, rank(best), rank(announced[0])))):
        return announced[0]
    return best


def _wait_until_saved(paths: list[Path]) -> None:
    """Wait while Jupyter saves; meanwhile, the old file is called `.~name`."""
    end = time.monotonic() + SAVING_TIMEOUT
    while any(path.with_name(f".~{path.name}").exists() for path in paths):
        if time.monotonic() > end:
            return  # left behind by a killed server
        time.sleep(0.1)


def _read_from_colab() -> bytes | None:
    """Return the notebook's content on Colab, else None."""
    if platforms.on_kaggle():
        return None  # it has Colab's packages, which would wait for an answer of Colab's page
    try:
        from google.colab import _message
    except ImportError:
        return None
    # This interface is not public: if it changes, the student has to download the notebook.
    try:
        response = _message.blocking_request("get_ipynb", request="", timeout_sec=COLAB_TIMEOUT)
        return json.dumps(response["ipynb"], ensure_ascii=False, indent=1).encode()
    except Exception:  # its errors are not documented
        return None


def _announced_paths() -> Iterator[Path]:
    """Yield the possible paths of the file that Jupyter or VS Code announced to the kernel."""
    from IPython import get_ipython

    shell = get_ipython()
    names = [os.environ.get("JPY_SESSION_NAME")]
    names.append(shell.user_ns.get("__vsc_ipynb_file__") if shell else None)
    for name in names:
        if isinstance(name, str) and name.endswith(".ipynb"):
            # A server started in another folder gives a path relative to that folder.
            yield from dict.fromkeys([Path(name), Path(Path(name).name)])


def _read_file(path: Path) -> RunningNotebook | None:
    """Return the notebook in a file, or None if it cannot be read."""
    try:
        notebook = _parse(path.read_bytes())
        if notebook:
            notebook.name = path.name
            notebook.seconds_since_save = max(0.0, time.time() - path.stat().st_mtime)
        return notebook
    except OSError:
        return None


def _parse(content: bytes) -> RunningNotebook | None:
    """Return the notebook in the content of a file, or None if it is not a notebook."""
    try:
        cells = json.loads(content)["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            if not isinstance(cell.get("metadata"), dict):
                cell["metadata"] = {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return RunningNotebook(content, cells)


def _find_matches(
    paths: list[Path], executed: list[str], *, min_fraction: float
) -> list[RunningNotebook]:
    """Return the notebooks that contain more than a fraction of the executed cells."""
    sources = {source.strip() for source in executed} - {""}
    return [
        notebook
        for notebook in map(_read_file, paths)
        if notebook
        and len(sources & {cell["source"].strip() for cell in notebook.cells})
        > min_fraction * len(sources)
    ]
