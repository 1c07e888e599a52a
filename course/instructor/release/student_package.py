"""The student package: the modules that are published, and the checks of their imports."""

import ast
import sys
from collections.abc import Collection
from pathlib import Path

import course
from course.errors import CourseError
from course.instructor.thread_safe_parsing import imported_names, parse_python

# The only folder in `course/` that is never published; everything else in `course/` is.
INSTRUCTOR = "instructor"

# Packages that the student package may import without depending on them.
UNDECLARED_IMPORTS = (
    "IPython",  # every notebook runs in it
    "PIL",  # matplotlib installs it
    "google",  # imported on Colab only
    "jax",  # these three are imported only if they are the Keras backend
    "tensorflow",
    "torch",
)

# Files in the student package that its modules read: measurements, figures, and their alternative
# texts.
DATA_FILES = ("*.csv", "*.png", "*.toml")

PACKAGE = Path(course.__file__).parent


def check_course(root: Path) -> None:
    """Raise CourseError if the `course/` of a course directory is not the running package."""
    package = Path(root, "course")
    if not (package.is_dir() and package.samefile(PACKAGE)):
        raise CourseError(
            f"{Path(root).resolve()} does not contain the running course package: publish"
            f" {PACKAGE.parent}, or install the package of the directory that you want to publish."
        )


def modules() -> dict[str, Path]:
    """Return the public modules by their path in the public tree, such as "course/checks.py"."""
    return _public_paths("*.py")


def data_files() -> dict[str, Path]:
    """Return the public files that the modules read, by their path in the public tree."""
    return {name: path for pattern in DATA_FILES for name, path in _public_paths(pattern).items()}


def check_module(path: str, text: str, packages: Collection[str]) -> None:
    """Raise CourseError if a public module imports a package that students do not have.

    `path` is the module's path in the public tree; `packages` is what the student package requires.
    """
    tree, package = parse_python(text), ".".join(Path(path).parent.parts)
    check_imports(path, tree, package)
    available = {"course", *sys.stdlib_module_names, *packages, *UNDECLARED_IMPORTS}
    for name in imported_names(tree, package):
        if name.partition(".")[0] not in available:
            raise CourseError(
                f"{path} imports {name}, which students do not have: remove the import, or add the"
                " package to the dependencies in pyproject.toml."
            )


def check_imports(path: str, tree: ast.Module, package: str = "") -> None:
    """Raise CourseError if a module or a notebook cell imports `course.instructor`.

    `package` is the package that relative imports start from.
    """
    for name in imported_names(tree, package):
        if f"{name}.".startswith(f"course.{INSTRUCTOR}."):
            raise CourseError(
                f"{path} imports {name}, which is not published: remove the import, or move what"
                " students need out of course/instructor/."
            )


def _public_paths(pattern: str) -> dict[str, Path]:
    """Return the matching files of the student package by their path in the public tree."""
    return {
        path.relative_to(PACKAGE.parent).as_posix(): path
        for path in sorted(PACKAGE.rglob(pattern))
        if not path.is_relative_to(PACKAGE / INSTRUCTOR)
    }
