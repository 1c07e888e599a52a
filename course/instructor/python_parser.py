"""Parsing of Python source by several threads of one process."""

import ast
import threading
from typing import Any, Literal

ATTEMPTS = 10

# Reentrant: a garbage collection inside a parse may run a finalizer that parses.
_lock = threading.RLock()


def parse_python(source: str, mode: Literal["exec", "eval"] = "exec") -> Any:
    """Return the syntax tree of a source, as `ast.parse` does and with the same errors.

    CPython 3.11 counts the depth of the tree under construction once per interpreter: two parses
    at once raise SystemError ("AST constructor recursion depth mismatch"). So this side parses
    under a lock, and parses again if code that does not know the lock parsed at the same time.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            with _lock:
                return ast.parse(source, mode=mode)
        except SystemError:
            continue
    with _lock:
        return ast.parse(source, mode=mode)


def parse_literal(source: str) -> Any:
    """Return the value of a Python literal, as `ast.literal_eval` does and with the same errors."""
    return ast.literal_eval(parse_python(source.lstrip(" \t"), "eval"))
