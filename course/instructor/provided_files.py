"""The files that students get beside a notebook: one rule for release, grading, and publishing."""

import re
from fnmatch import fnmatch
from pathlib import Path

from course.files import files_below

# Files that a notebook creates in its folder when it is run. If it is run in `source/`, they are
# created there, and nbgrader copies them into the release.
RUN_OUTPUTS = ("evidence", "results", "*.h5", "*.keras", "*.npz", "*.zip")
# Hidden files, caches, and the backups of editors and merge tools.
EDITOR_FILES = (
    *(".*", "__pycache__", "*.pyc", "*~", "#*#", "*.orig", "*.rej"),
    *("*.bak", "*.backup", "*.old", "*.swo", "*.swp"),
)
# A file that contains one of these is not for students, regardless of where it comes from.
MARKERS = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")


def is_excluded(path: str) -> bool:
    """Return whether the path of a file in an assignment's folder excludes it from the release."""
    parts = Path(path).parts
    patterns = RUN_OUTPUTS + EDITOR_FILES
    is_second_notebook = len(parts) > 1 and path.endswith(".ipynb")
    return is_second_notebook or any(
        fnmatch(part.lower(), pattern) for part in parts for pattern in patterns
    )


def find_marker(content: bytes) -> str | None:
    """Return the first marker of a solution, hidden test, or mark scheme in a file, or None."""
    found = MARKERS.search(content.replace(b"\0", b"").decode(errors="replace"))
    return found[0] if found else None


def provided_files(
    folder: Path, too_large: list[tuple[str, int]] | None = None
) -> dict[str, bytes]:
    """Return the content of each file that students get with a notebook, by relative path.

    `too_large` is as in `course.files.files_below`.
    """

    def is_unwanted(name: str) -> bool:
        return name.endswith(".ipynb") or is_excluded(name)

    return {
        path: content
        for path, content in files_below(folder, is_unwanted, too_large=too_large)
        if not is_excluded(path) and not find_marker(content)
    }


def refused_files(folder: Path, notebook: str) -> list[str]:
    """Return the paths of the files in an assignment's folder that students do not get.

    Hidden files, `__pycache__` folders, and the notebook itself are not listed.
    """
    provided = provided_files(folder)
    paths = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if not path.is_dir()]
    return [
        path.as_posix()
        for path in paths
        if path.as_posix() not in {*provided, notebook}
        and not any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    ]
