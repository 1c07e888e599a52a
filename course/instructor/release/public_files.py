"""The content of the public tree."""

import re
from collections.abc import Sequence
from importlib.resources import files as resources
from pathlib import Path
from string import Template

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

import course
from course.errors import CourseError
from course.instructor.provided_files import RUN_OUTPUTS, find_marker, is_excluded
from course.instructor.release import student_package
from course.instructor.release.public_address import PublicAddress
from course.instructor.release.install_files import Requirements
from course.instructor.thread_safe_parsing import parse_python

GITIGNORE = ["# Files that running the notebooks creates in this folder.", ".venv/"]
GITIGNORE += [".ipynb_checkpoints/", "__pycache__/"]
# Only in release/, because the student package also has a folder named `evidence`.
GITIGNORE += [f"/release/**/{pattern}" for pattern in RUN_OUTPUTS]
# A badge in the first cell of a notebook, which opens the notebook on a platform.
BADGE = re.compile(r"\[!\[.+\]\(.+\)\]\(.+\)")


def check_fresh(name: str, stale_files: list[str]) -> None:
    """Raise CourseError if a file that would be published is among the outdated files."""
    for path in stale_files:
        if not _is_ignored(path):
            raise CourseError(
                f"{path} differs from what source/ compiles to: run course release {name}, review"
                " the changes, and publish again."
            )


def public_files(root: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the content of each file in a public tree with these assignments, sorted by path.

    Raises CourseError if a file contains or imports something that is not for students.
    """
    requirements = Requirements(root)
    files = {name: _text(Path(root, name)) for name in ("LICENSE", "docs/students.md")}
    for path, module in student_package.modules().items():
        files[path] = _text(module)
        student_package.check_module(path, files[path].decode(), requirements.packages)
    for path, file in student_package.data_files().items():
        files[path] = file.read_bytes() if file.suffix == ".png" else _text(file)
    released = _released_files(root, names)
    notebooks = {
        path: _read_notebook(path, content)
        for path, content in released.items()
        if path.endswith(".ipynb")
    }
    generated = {
        ".gitignore": "\n".join([*GITIGNORE, ""]),
        "README.md": _readme(notebooks, requirements.python, PublicAddress.of_course(root)),
        "environment.yml": requirements.for_conda(),
        **requirements.for_binder(),
        "pyproject.toml": requirements.pyproject(),
        "requirements.txt": requirements.for_pip(),
    }
    files |= released | {path: text.encode() for path, text in generated.items()}
    for path, content in files.items():
        if found := find_marker(content):
            raise CourseError(
                f"{path} contains {found!r}, which marks text that is not for students: remove the"
                " marked text from the source of this file, and publish again."
            )
    return dict(sorted(files.items()))


def _released_files(root: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the files of the assignments' releases."""
    released = {}
    for name in names:
        for file in sorted(Path(root, "release", name).rglob("*")):
            path = file.relative_to(root).as_posix()
            if file.is_file() and not _is_ignored(path):
                released[path] = _text(file) if file.suffix == ".ipynb" else file.read_bytes()
    return released


def _text(file: Path) -> bytes:
    """Return a text file with Unix line endings, regardless of the checkout."""
    return file.read_text(encoding="utf-8").encode()


def _is_ignored(path: str) -> bool:
    """Return whether a path "release/NAME/..." does not belong to the assignment."""
    return is_excluded("/".join(Path(path).parts[2:]))


def _read_notebook(path: str, content: bytes) -> nbformat.NotebookNode:
    """Return a notebook; raise CourseError if it imports a module that is not published."""
    try:
        notebook = nbformat.reads(content.decode(), as_version=4)
    except ValueError:
        name = Path(path).parts[1]
        raise CourseError(f"cannot read the notebook {path}: run course release {name}.") from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                tree = parse_python(TransformerManager().transform_cell(cell.source))
            except SyntaxError:
                continue  # such a cell cannot import anything either
            student_package.check_imports(path, tree)
    return notebook


def _readme(
    notebooks: dict[str, nbformat.NotebookNode], python: str, address: PublicAddress
) -> str:
    """Return the text of README.md."""
    lines = ["| Assignment | What you build |", "|---|---|"]
    for path, notebook in notebooks.items():
        first_cell = notebook.cells[0].source.splitlines()
        badges = [line for line in first_cell if BADGE.fullmatch(line)] if address.is_set else []
        title = first_cell[0].lstrip("# ")
        lines.append(f"| [{Path(path).parts[1]}]({path}) | {'<br>'.join([title, *badges])} |")
    opening = "Open an assignment on your own computer, as described below."
    if address.is_set:
        opening = (
            "A badge opens an assignment on Colab or Paperspace, where you do not need to set up"
            " anything. To read and try the notebooks without an account, open them on Binder:\n\n"
            f"[![Open on Binder](https://mybinder.org/badge_logo.svg)]({address.binder})"
        )
    template = resources(__package__).joinpath("public_readme.md").read_text(encoding="utf-8")
    return Template(template).substitute(
        version=course.__version__, python=python, opening=opening, assignments="\n".join(lines)
    )
