"""The student kit: which modules of the course are published, and that they need no others."""

import ast
import sys
from importlib.util import resolve_name
from pathlib import Path

import course
from course.errors import CourseError
from course.instructor.python_parser import parse_python

# The one folder of `course/` that is never published; everything else in it is.
INSTRUCTOR = "instructor"

# What the kit may import though it does not depend on it: it is there, or it is not asked for.
BROUGHT_ALONG = (
    "IPython",  # every notebook runs in it
    "PIL",  # matplotlib brings it
    "google",  # on Colab, which is asked for the notebook
    "jax",  # these three: only where Keras computes with it
    "tensorflow",
    "torch",
)

PACKAGE = Path(course.__file__).parent


def check_course(root):
    """Refuse a course directory whose `course/` is not the one that runs."""
    package = Path(root, "course")
    if not (package.is_dir() and package.samefile(PACKAGE)):
        raise CourseError(
            f"{Path(root).resolve()} is not where this command comes from: publish"
            f" {PACKAGE.parent}, or install the course that you mean."
        )


def files():
    """Return the kit's modules by their path in the public tree, such as "course/checks.py"."""
    paths = {path.relative_to(PACKAGE): path for path in sorted(PACKAGE.rglob("*.py"))}
    return {
        f"course/{place.as_posix()}": path
        for place, path in paths.items()
        if place.parts[0] != INSTRUCTOR
    }


def check_module(path, text, packages):
    """Refuse a module of the kit that imports what students do not get.

    Parameters
    ----------
    path : str
        Its path in the public tree.
    text : str
        What is in it.
    packages : collection of str
        The packages that the kit depends on.

    Raises
    ------
    CourseError
        If it imports another part of the course, or a package that nobody installs for students.
    """
    tree, package = parse_python(text), ".".join(Path(path).parent.parts)
    check_imports(path, tree, package)
    known = {"course", *sys.stdlib_module_names, *packages, *BROUGHT_ALONG}
    for name in _imported(tree, package):
        if name.partition(".")[0] not in known:
            raise CourseError(
                f"{path} imports {name}, which students do not have: do without it, or add it to"
                " the dependencies in pyproject.toml."
            )


def check_imports(path, tree, package=""):
    """Refuse a module or a notebook's cell that imports a part of the course outside of the kit.

    Parameters
    ----------
    path : str
        Where it stands, for the message.
    tree : ast.Module
        What it says.
    package : str
        What its relative imports start from.

    Raises
    ------
    CourseError
        If it does.
    """
    for name in _imported(tree, package):
        if f"{name}.".startswith(f"course.{INSTRUCTOR}."):
            raise CourseError(
                f"{path} imports {name}, which is not published: remove the import, or move what"
                " students need out of course/instructor/."
            )


def _imported(tree, package):
    """Yield the full names of the modules that a syntax tree imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = resolve_name("." * node.level + module, package)
            # `from course import checks` imports a module, `from course import setup` a function.
            parts = [alias.name for alias in node.names if module == "course"]
            yield from (f"course.{part}" for part in parts if _is_module(part))
            if module != "course":
                yield module


def _is_module(name):
    return (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name).is_dir()
