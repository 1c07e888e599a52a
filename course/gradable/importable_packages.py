"""Packages and syntax that a student's code can use during grading."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator

# A test compares this list with the dependencies of grading and with the guide for students.
GRADING_PACKAGES = (
    "course", "h5py", "IPython", "jupyterquiz", "keras", "matplotlib", "mpl_toolkits", "numpy",
    "pandas", "PIL", "scipy", "sklearn", "tensorflow", "tqdm",
)  # fmt: skip
# The oldest Python for which the course is made. Instructors may grade with a newer one.
GRADING_PYTHON = (3, 11)
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
    tree = _parse(_python_of(source))
    if tree is None:
        return []
    packages = {name.partition(".")[0]: None for name in _imported_names(tree)}
    known = {"", *GRADING_PACKAGES, *sys.stdlib_module_names}
    return [name for name in packages if name not in known]


def imported_modules(source):
    """Return the top-level names of all modules that code imports.

    Parameters
    ----------
    source : str
        The code of a cell or a file, including magics and shell commands.

    Returns
    -------
    list of str
        Names such as "numpy", without duplicates; also those that a `try` statement imports.
    """
    names = []
    for node in ast.walk(_parse(_python_of(source)) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return list(dict.fromkeys(name.partition(".")[0] for name in names if name))


def has_newer_syntax(source):
    """Return True if the code of a cell is valid here, but not in `GRADING_PYTHON`.

    Parameters
    ----------
    source : str
        The code of a cell, including magics and shell commands.

    Returns
    -------
    bool
        True for type parameters and type aliases of Python 3.12, and for the quotation marks,
        backslashes, and comments that it allows within f-strings.
    """
    code = _python_of(source)
    if _parse(code) is None:
        return False
    if _parse(code, GRADING_PYTHON) is None:
        return True
    return sys.version_info >= (3, 12) and _has_newer_f_string(code)


def _has_newer_f_string(code: str) -> bool:
    """Return True if code in an f-string has its quotation mark, a backslash, or a comment."""
    quotes: list[str] = []  # of the f-strings around a token
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        name = tokenize.tok_name[token.type]
        quote = token.string.lstrip("fFrRbBuU")
        if name == "FSTRING_END":
            quotes.pop()
            continue
        is_text = name in ("STRING", "FSTRING_START")
        if quotes and name != "FSTRING_MIDDLE":
            if is_text and any(quote.startswith(each) for each in quotes):
                return True
            if name == "COMMENT" or (name == "STRING" and "\\" in token.string):
                return True
        if name == "FSTRING_START":
            quotes.append(quote)
    return False


def _parse(code: str, version: tuple[int, int] | None = None) -> ast.Module | None:
    """Return the syntax tree of code, or None if it is not valid in a version of Python."""
    try:
        return ast.parse(code, feature_version=version)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _python_of(source: str) -> str:
    """Return the Python code of a cell, with magics and shell commands replaced by `pass`."""
    return "" if _OTHER_LANGUAGE.match(source) else _COMMAND.sub(r"\1pass", source)


def _imported_names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names of the modules that code imports outside of `try` statements."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif not isinstance(node, ast.Try | ast.TryStar):
            yield from _imported_names(node)
