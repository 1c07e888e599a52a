"""Digests of everything that the results of a run depend on."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from course.errors import CourseError
from course.experiments.store import fingerprint
from course.instructor.course_dir import source_notebook
from course.instructor.regression.provenance import package_versions
from course.instructor.regression.run_records import NotebookRun
from course.instructor.thread_safe_parsing import imported_names, parse_python

PACKAGE = Path(__file__).parents[2]
_MAGIC_LINE = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)


def current_digest(root: Path, run: NotebookRun) -> str | None:
    """Return the digest that a saved run would have now, or None if its notebook is gone."""
    try:
        source = source_notebook(root, run.assignment)
    except CourseError:
        return None
    now = replace(run, versions=package_versions(run.backend))
    return input_digest(now, source.read_text(encoding="utf-8"))


def input_digest(run: NotebookRun, notebook: str) -> str:
    """Return the digest of a run; `notebook` is the text of its notebook."""
    parameters = run.profile, run.seed, sorted(run.extra_parameters.items())
    versions = sorted(run.versions.items())
    return fingerprint(notebook, _code_digest(notebook), run.backend, parameters, versions)


@lru_cache
def _code_digest(notebook: str) -> str:
    """Return a digest of the course's modules that a notebook imports."""
    cells = [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
    files = imported_files("".join(cell["source"]) for cell in cells)
    return fingerprint(*(path.read_text(encoding="utf-8") for path in files))


def imported_files(cells: Iterable[str]) -> list[Path]:
    """Return the files of `course` that code cells import, directly or through other modules.

    Imports inside functions count, and so does the `__init__.py` of every parent package.
    """
    found: set[Path] = set()
    names = [name for cell in cells for name in _imported_names(cell)]
    while names:
        first, *parts = names.pop().split(".")
        if first != PACKAGE.name:
            continue
        for length in range(len(parts) + 1):
            path = PACKAGE.joinpath(*parts[:length])
            for file in (path.with_suffix(".py"), path / "__init__.py"):
                if file not in found and file.is_file():
                    found.add(file)
                    names += _imported_names(file.read_text(encoding="utf-8"))
    return sorted(found)


def _imported_names(source: str) -> list[str]:
    """Return the dotted names that a source imports, or [] if the source is not Python."""
    try:
        return list(imported_names(parse_python(_MAGIC_LINE.sub(r"\1pass", source))))
    except SyntaxError:  # the cell fails when the notebook runs
        return []
