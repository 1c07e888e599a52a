"""Helper files: Python files beside a notebook that it imports, submitted and graded with it."""

import keyword
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from course.gradable.importable_packages import GRADING_PACKAGES, imported_modules

SUFFIX = ".py"
MAX_FILES = 10  # with one notebook
MAX_BYTES = 100 * 2**10  # of one file: about 2,500 lines
MAX_NAME_CHARACTERS = 60
RUN_MAGIC = re.compile(r"^[ \t]*%run[ \t]+(\w+)\.py\b", re.MULTILINE)
RENAME = "rename the file, and change the imports"


def is_importable(file_name: str) -> bool:
    """Return True if a notebook can import a file with this name by an ordinary statement."""
    stem = file_name.removesuffix(SUFFIX)
    return (
        stem != file_name
        and stem.isascii()
        and stem.isidentifier()
        and not keyword.iskeyword(stem)
        and not stem.startswith("__")
    )


def name_problem(file_name: str) -> str:
    """Return the reason that a file with this name cannot be a helper file, or "".

    Grading must never import a student's file in place of another module.
    """
    stem = file_name.removesuffix(SUFFIX)
    if not is_importable(file_name):
        return f"a notebook cannot import a file with this name: {RENAME}"
    if len(stem) > MAX_NAME_CHARACTERS:
        return f"its name has more than {MAX_NAME_CHARACTERS} characters: {RENAME}"
    if stem in sys.stdlib_module_names:
        return f"{stem} is a module of Python's standard library: {RENAME}"
    if stem in GRADING_PACKAGES or _is_installed(stem):
        return f"{stem} is an installed package: {RENAME}"
    return ""


def size_problem(size: int, others: int) -> str:
    """Return the limit that a file of this size exceeds, beside so many other files, or ""."""
    if size > MAX_BYTES:
        return f"it is larger than {MAX_BYTES // 2**10} KB"
    if others >= MAX_FILES:
        return f"there are more than {MAX_FILES} helper files with the notebook"
    return ""


def find_helpers(sources: Iterable[str], folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """Return the files in a folder that code imports, and a sentence for each that is refused.

    Files that these files import count too, and so do files that code runs with `%run`.
    """
    found: dict[str, bytes] = {}
    problems: list[str] = []
    waiting = list(dict.fromkeys(_modules_in(sources)))
    seen = set(waiting)
    while waiting:
        name = f"{waiting.pop(0)}{SUFFIX}"
        path = folder / name
        if not is_importable(name) or path.is_symlink() or not path.is_file():
            continue
        try:
            problem = name_problem(name) or size_problem(path.stat().st_size, len(found))
            content = b"" if problem else path.read_bytes()
        except OSError as error:
            problem = f"it cannot be read ({error.strerror})"
        if problem:
            problems.append(f"{name} is not packed: {problem}.")
            continue
        found[name] = content
        more = dict.fromkeys(_modules_in([read_source(content)]))
        waiting += [each for each in more if each not in seen]
        seen.update(more)
    return found, problems


def read_source(content: bytes) -> str:
    """Return the text of a helper file; whatever is not text is replaced."""
    return content.decode("utf-8-sig", "replace")


def _modules_in(sources: Iterable[str]) -> Iterator[str]:
    """Yield the modules that code imports or runs."""
    for source in sources:
        yield from imported_modules(source)
        yield from RUN_MAGIC.findall(source)


def _is_installed(module: str) -> bool:
    """Return True if a package manager installed a top-level module with this name here."""
    # Not the working folder: in a notebook, `sys.path` begins with it.
    folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return PathFinder.find_spec(module, folders) is not None
