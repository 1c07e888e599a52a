"""The global names that a cell reads and binds, found without running it."""

import ast
import contextlib
import io
import keyword
import re
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache

from course.instructor.analysis.definite_assignment import ScopeVisitor, is_predefined
from course.instructor.thread_safe_parsing import parse_python

# Functions that can read or bind names that are not in the source, or only in a string.
_OPAQUE_CALLS = {"__import__", "eval", "exec", "get_ipython", "globals", "locals"}
# Methods and functions of modules that can do the same, such as pandas' `query` and importlib's
# `import_module`.
_OPAQUE_METHODS = _OPAQUE_CALLS | {"import_module", "query"}
_OPAQUE_ATTRIBUTES = {"__globals__", "f_back", "f_globals", "f_locals", "get_ipython", "modules"}
_OPAQUE_ATTRIBUTES |= {"query", "user_ns"}
# Names whose import makes this possible, even under an alias.
_OPAQUE_IMPORTS = {"__main__", "get_ipython", "import_module", "locate", "resolve_name"}

# IPython lines that neither read nor bind a name: magics and shell commands without variables ({{
# is a literal brace), and help requests. The text after %time and %%time runs as ordinary code.
_HARMLESS_LINE = re.compile(
    r"^([ \t]*)(?:%(?:pip|conda|matplotlib|config|load_ext|tensorboard|ls|pwd)\b|!)(?:[^\n${]|{{)*$"
    r"|^([ \t]*)(?:\?{1,2}[\w.]+|[\w.]+\?{1,2})[ \t]*$",
    re.MULTILINE,
)
_TIMING_MAGIC = re.compile(r"^([ \t]*)%%?time\b[ \t]*", re.MULTILINE)
_OTHER_LANGUAGE = re.compile(r"\s*%%(?:html|javascript|js|latex|markdown|svg|writefile)\b")

_MAGIC = re.compile(r"^[ \t\f]*[%!?/,;]|[=(][ \t\f]*[%!]|\?[ \t\f]*$", re.MULTILINE)
MAX_SEARCHED = 200_000  # characters; twice as many as a cell may have, not counting images
MAX_TRANSFORM_COST = 1_000_000  # characters times magics, about two seconds

_PARSE_ERRORS = (SyntaxError, ValueError, RuntimeError, MemoryError)  # RuntimeError: deep nesting


@dataclass(frozen=True)
class CellNames:
    """The global names of a cell.

    - `needed` names are read where the cell may not have bound them yet; predefined names do not
      count. A name that only one branch binds counts as unbound; a name that a function reads when
      it is called counts as bound if the cell binds it anywhere.
    - `bound` names are those that the cell may bind, including imports and functions' `global`
      names.
    - `mentioned` names are those that are read, bound, or deleted.
    - `imported` names are bound by imports from Python's or installed modules, not from helper
      files, and `classes` by class statements.
    - `functions` maps names bound by `def` or `name = lambda` to the globals that these functions
      read, without predefined names.
    - `read_by_functions` are all names that functions and methods may read when they are called,
      including predefined names and names that the cell itself binds.
    - `modified` names are those whose objects the cell may change: it assigns to or deletes their
      attributes or items, or calls their methods. They also include names that the cell assigns or
      deletes. `passed` maps the names of functions that the cell calls, except predefined ones, to
      the names that it passes to them.
    - `texts` are the names of variables, classes, and imported modules, and the messages of the
      errors that the cell raises.
    - `opaque` means that there may be more names: the cell calls exec, eval, globals, or the
      like, has a star import, uses a magic that may bind names, or is not Python.
    """

    needed: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    functions: dict[str, frozenset[str]] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    read_by_functions: frozenset[str] = frozenset()
    modified: frozenset[str] = frozenset()
    passed: dict[str, frozenset[str]] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    opaque: bool = False


# For a cell that exceeds a limit and is not even searched for words. Because it mentions no names,
# the grader keeps the names that tests define.
UNKNOWN = CellNames(opaque=True)
_found_before: ContextVar[Mapping[str, CellNames] | None] = ContextVar("found_before", default=None)


def parse_cell(source: str) -> ast.Module | None:
    """Return a cell's syntax tree, or None if the cell cannot be parsed as Python.

    Magics and shell commands become calls of `get_ipython()`, as IPython translates them, except
    those that neither read nor bind a name, which are replaced by `pass` or removed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as for "\d"; students see them when the cell runs
        for transform in (str, _translate_magics):
            try:
                tree = parse_python(transform(source))
                # Some trees are not valid programs, such as one with a return outside a function.
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                compile(tree, "<cell>", "exec", flags, dont_inherit=True)
            except SyntaxError:
                continue
            except _PARSE_ERRORS:
                break
            return tree
    return None


@lru_cache(maxsize=512)  # grading needs the same cells repeatedly
def find_names(source: str) -> CellNames:
    """Return the global names of a cell.

    If the cell is not Python, the result is marked as opaque, and `mentioned` contains every
    identifier in the cell, or the result is `UNKNOWN`.
    """
    tree, visitor = parse_cell(source), ScopeVisitor()
    try:
        visitor.visit(tree or ast.Pass())
    except _PARSE_ERRORS:
        tree = None
    if tree is None:
        return _names_of_tokens(source)
    needed = visitor.needed | (visitor.needed_by_functions - visitor.bound_at_top_level)
    return CellNames(
        needed=frozenset(name for name in needed if not is_predefined(name)),
        bound=frozenset(visitor.bound),
        mentioned=frozenset(visitor.mentioned),
        imported=frozenset(visitor.imported),
        functions=visitor.functions,
        classes=frozenset(visitor.classes),
        read_by_functions=frozenset(visitor.read_by_functions),
        modified=frozenset(_modified_objects(tree)),
        passed=_passed_objects(tree),
        texts=frozenset(_names_and_error_messages(tree)),
        opaque=visitor.opaque
        or bool(_OPAQUE_CALLS & (visitor.mentioned - visitor.bound))
        or any(map(_inspects_namespace, ast.walk(tree))),
    )


def find_names_in_submission(source: str) -> CellNames:
    """Return the global names of a submitted cell, from `names_found_before` if it has them.

    Use `find_names` for the course's own cells, even if a submission also contains them: what is
    known about them must not depend on a student's cells.
    """
    return (_found_before.get() or {}).get(source) or find_names(source)


@contextlib.contextmanager
def names_found_before(results: Mapping[str, CellNames]) -> Iterator[None]:
    """Make `find_names_in_submission` return these results, in this thread, within the block.

    Students' code is analyzed in another process, which has limits on time and memory.
    """
    token = _found_before.set(results)
    try:
        yield
    finally:
        _found_before.reset(token)


def unknown_names(source: str) -> CellNames:
    """Return the names of a cell that is not analyzed: each word in its source counts as one.

    Of a very long source, no words are returned.
    """
    if len(source) > MAX_SEARCHED:  # such as an embedded image, whose words would fill memory
        return UNKNOWN
    words = re.findall(r"[^\W\d]\w*", source)  # also words in strings and comments
    return CellNames(mentioned=frozenset(words).difference(keyword.kwlist), opaque=True)


def _translate_magics(source: str) -> str:
    # Called only if the source is not plain Python: importing IPython takes time.
    from IPython.core.inputtransformer2 import TransformerManager

    if _OTHER_LANGUAGE.match(source):
        return ""
    source = _HARMLESS_LINE.sub(lambda line: f"{line[1] or line[2] or ''}pass", source)
    source = _TIMING_MAGIC.sub(r"\1", source)
    check_magics(source)
    return TransformerManager().transform_cell(source)


def check_magics(source: str) -> None:
    """Raise ValueError if a cell has so many magics that IPython would take too long to read it."""
    count = len(_MAGIC.findall(source))
    if len(source) * count > MAX_TRANSFORM_COST:
        raise ValueError(
            f"IPython scans the whole cell once per magic, which takes too long for {count:,} of"
            " them: use fewer, or split the cell."
        )


def _names_of_tokens(source: str) -> CellNames:
    """Return the identifiers in a source that is not Python."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        found = {token.string for token in tokens if token.type == tokenize.NAME}
    except (tokenize.TokenError, *_PARSE_ERRORS):
        return unknown_names(source)
    return CellNames(mentioned=frozenset(found.difference(keyword.kwlist)), opaque=True)


def _modified_objects(tree: ast.Module) -> set[str]:
    """Return the names that a cell binds or deletes, by themselves or in an attribute or item.

    Names whose methods the cell calls are included.
    """
    names: set[str | None] = set()
    for node in ast.walk(tree):
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            names.add(_base_name(node))
        elif isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            names.add(_base_name(node.func))
    return {name for name in names if name is not None}


def _passed_objects(tree: ast.Module) -> dict[str, frozenset[str]]:
    """Return the names that a cell passes to each function that is not predefined, by its name."""
    passed: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            names = {name for value in values if (name := _base_name(value)) is not None}
            if names and not is_predefined(node.func.id):
                passed.setdefault(node.func.id, set()).update(names)
    return {name: frozenset(names) for name, names in passed.items()}


def _base_name(node: ast.AST) -> str | None:
    """Return the variable at the start of a chain of attributes, items, and methods, or None."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return None  # a function is assumed to return a new object
        inner = getattr(node, "value", None) or getattr(node, "func", None)
        if not isinstance(inner, ast.AST):
            return None
        node = inner
    return node.id


def _names_and_error_messages(tree: ast.Module) -> set[str]:
    """Return a cell's names, imported modules, and the messages of the errors that it raises."""
    texts = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.ClassDef(name=name):
                texts.add(name)
            case ast.Import(names=aliases):
                texts |= {module for alias in aliases for module in _parents(alias.name)}
            case ast.ImportFrom(module=str(module)):
                texts |= _parents(module)
            case ast.Raise(exc=ast.Call(args=[ast.Constant(value=str(text))])):
                texts.add(text)
    return texts


def _inspects_namespace(node: ast.AST) -> bool:
    """Return True if a node may read global names that do not appear in the source."""
    match node:
        case ast.Call(func=ast.Name(id="vars" | "dir"), args=[], keywords=[]):
            return True
        case ast.alias(name=name):
            return name in _OPAQUE_IMPORTS
        case ast.keyword(arg="eval_str"):
            return True
        case ast.Constant(value=str(text)):
            # Such as timeit's `setup="from __main__ import x"` and `getattr(builtins, "eval")`.
            return "__main__" in text or text in _OPAQUE_CALLS
        case ast.Call(func=ast.Attribute(attr=name), args=[_, *_]):
            return name in _OPAQUE_METHODS
        case ast.Attribute(attr=name):
            return name in _OPAQUE_ATTRIBUTES
    return False


def _parents(module: str) -> set[str]:
    """Return a module's dotted name and those of the packages that contain it."""
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
