"""What stands in the public tree: every file with its content."""

import re
from fnmatch import fnmatch
from importlib.resources import files as resources
from pathlib import Path
from string import Template

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

import course
from course.instructor.release.public_address import PublicAddress
from course.errors import CourseError
from course.instructor.course_dir import assignment_names
from course.instructor.python_parser import parse_python
from course.instructor.release import student_package
from course.instructor.release.student_environment import Requirements

# What runs leave beside a notebook. Whoever tries a solution in `source/` leaves there what it
# handed in, and nbgrader copies that into the release.
LEFT_BY_RUNS = ("evidence", "results", "*.h5", "*.keras", "*.npz", "*.zip")
LEFT_BY_EDITORS = (".*", "__pycache__", "*.pyc")
# Nothing that says one of these was meant for students, whichever way it got there.
MARKERS = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")
# The addresses that open a notebook elsewhere, as its first cell has them.
BADGE = re.compile(r"\[!\[.+\]\(.+\)\]\(.+\)")


def check_fresh(name, stale):
    """Refuse a release that is not what its source compiles to, by the files that differ."""
    for path in stale:
        if not _is_leftover(path):
            raise CourseError(
                f"{path} is not what source/ compiles to: run course release {name}, look at what"
                " has changed, and publish again."
            )


def public_files(root):
    """Return the public tree of a course directory.

    Parameters
    ----------
    root : Path
        The course directory.

    Returns
    -------
    dict of str to bytes
        The content of each file by its path in the tree, sorted; the same for the same course.

    Raises
    ------
    CourseError
        If a file would give away what is the instructor's, or needs it.
    """
    requirements = Requirements(root)
    files = {name: _text(Path(root, name)) for name in ("LICENSE", "docs/students.md")}
    for path, module in student_package.files().items():
        files[path] = _text(module)
        student_package.check_module(path, files[path].decode(), requirements.packages)
    released = _released(root)
    notebooks = {
        place: _notebook(place, released[place]) for place in released if _is_notebook(place)
    }
    generated = {
        ".gitignore": _gitignore(),
        "README.md": _readme(notebooks, requirements.python, PublicAddress.of_course(root)),
        "environment.yml": requirements.for_conda(),
        "pyproject.toml": requirements.pyproject(),
        "requirements.txt": requirements.for_pip(),
    }
    files |= released | {place: text.encode() for place, text in generated.items()}
    for place, content in files.items():
        if found := MARKERS.search(content.decode(errors="replace")):
            raise CourseError(
                f"{place} holds {found[0]!r}, which is not for students: take it out of what it is"
                " made from, and publish again."
            )
    return dict(sorted(files.items()))


def _released(root):
    """Return what the releases of all assignments consist of."""
    released = {}
    for name in assignment_names(root):
        for path in sorted(Path(root, "release", name).rglob("*")):
            place = path.relative_to(root).as_posix()
            if path.is_file() and not _is_leftover(place):
                released[place] = _text(path) if _is_notebook(place) else path.read_bytes()
    return released


def _is_notebook(place):
    return place.endswith(".ipynb")


def _text(path):
    """Return a text file with plain line ends, whatever the checkout made of them."""
    return path.read_text(encoding="utf-8").encode()


def _is_leftover(place):
    """Return whether a path "release/NAME/..." is none of the assignment's own files."""
    patterns = LEFT_BY_RUNS + LEFT_BY_EDITORS
    return any(fnmatch(part, pattern) for part in Path(place).parts[2:] for pattern in patterns)


def _notebook(place, content):
    """Return a notebook; refuse one that imports a module which its reader does not get."""
    try:
        notebook = nbformat.reads(content.decode(), as_version=4)
    except ValueError:
        name = Path(place).parts[1]
        raise CourseError(f"{place} is no readable notebook: run course release {name}.") from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                tree = parse_python(TransformerManager().transform_cell(cell.source))
            except SyntaxError:
                continue  # it cannot import anything either
            student_package.check_imports(place, tree)
    return notebook


def _readme(notebooks, python, address):
    lines = ["| assignment | what you build |", "|---|---|"]
    for place, notebook in notebooks.items():
        first_cell = notebook.cells[0].source.splitlines()
        badges = [line for line in first_cell if BADGE.fullmatch(line)] if address.is_set else []
        title = first_cell[0].lstrip("# ")
        lines.append(f"| [{Path(place).parts[1]}]({place}) | {'<br>'.join([title, *badges])} |")
    opening = "Open one on your own machine, as below."
    if address.is_set:
        opening = "A badge opens a notebook on Colab or Paperspace, where nothing is to be set up."
    template = Template(resources(__package__).joinpath("public_readme.md").read_text(encoding="utf-8"))
    return template.substitute(
        version=course.__version__, python=python, opening=opening, assignments="\n".join(lines)
    )


def _gitignore():
    # Below release/ alone: the kit has a package that is called evidence.
    left = "".join(f"/release/**/{pattern}\n" for pattern in LEFT_BY_RUNS)
    return (
        "# What running the notebooks makes of this folder.\n"
        f".venv/\n.ipynb_checkpoints/\n__pycache__/\n{left}"
    )
