"""Parsing of Python code that is safe in several threads of one process."""

import ast
import threading
from collections.abc import Iterator
from importlib.util import resolve_name
from typing import Any, Literal

ATTEMPTS = 10

# Reentrant, because garbage collection during a parse may run a finalizer that parses.
_lock = threading.RLock()


def parse_python(source: str, mode: Literal["exec", "eval"] = "exec") -> Any:
    """Return the syntax tree of Python code; raise the same errors as `ast.parse`.

    CPython 3.11 counts the depth of the tree under construction once per interpreter:
    simultaneous parses raise SystemError ("AST constructor recursion depth mismatch"). Therefore,
    this function parses under a lock, and retries if code that does not use the lock interfered.
    """
    for remaining in reversed(range(ATTEMPTS)):
        try:
            with _lock:
                return ast.parse(source, mode=mode)
        except SystemError:
            if not remaining:
                raise


def parse_literal(source: str) -> Any:
    """Return the value of a Python literal; raise the same errors as `ast.literal_eval`."""
    return ast.literal_eval(parse_python(source.lstrip(" \t"), "eval"))


def imported_names(tree: ast.Module, package: str = "") -> Iterator[str]:
    """Yield the dotted names that a module imports, such as "course.checks" or "keras.layers".

    `package` is the package that relative imports start from.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level and package:
                module = resolve_name("." * node.level + module, package)
            yield from (f"{module}.{alias.name}" for alias in node.names)
