"""Packages that a student's code can import during grading."""

import ast
import re
import sys
from collections.abc import Iterator

# A test compares this list with the dependencies of grading and with the guide for students.
GRADING_PACKAGES = (
    "course", "h5py", "IPython", "jupyterquiz", "keras", "matplotlib", "mpl_toolkits", "numpy",
    "pandas", "PIL", "scipy", "sklearn", "tensorflow", "tqdm",
)  # fmt: skip
# The rest of such a cell is not Python, unless the cell is only measured or its output captured.
_OTHER_LANGUAGE = re.compile(r"\s*%%(?!time|capture)")
_COMMAND = re.compile(r"^([ \t]*)[%!].*", re.MULTILINE)


def missing_imports(source):
    """Return the packages that the code of a cell imports but grading does not have.

    Imports in a `try` statement are ignored, because code often handles their failure.

    Parameters
    ----------
    source : str
        The code of a cell, including magics and shell commands.

    Returns
    -------
    list of str
        Top-level names, such as "seaborn", in order and without duplicates.
    """
    if _OTHER_LANGUAGE.match(source):
        return []
    try:
        tree = ast.parse(_COMMAND.sub(r"\1pass", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    packages = {name.partition(".")[0]: None for name in _imported_names(tree)}
    known = {"", *GRADING_PACKAGES, *sys.stdlib_module_names}
    return [name for name in packages if name not in known]


def _imported_names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names of the modules that code imports outside of `try` statements."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif not isinstance(node, ast.Try | ast.TryStar):
            yield from _imported_names(node)
