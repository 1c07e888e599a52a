"""Kinds of values that cannot be passed to a test, inferred for the names that a cell binds."""

import ast
from collections.abc import Mapping
from typing import Any

FIGURE_FUNCTIONS = ["add_subplot", "axes", "figure", "gca", "gcf", "subplot", "subplot_mosaic"]
FIGURE_FUNCTIONS += ["subplots"]
GENERATOR_FUNCTIONS = ["enumerate", "filter", "iter", "map", "reversed", "zip"]
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def infer_value_kinds(
    tree: ast.Module | None, known_kinds: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Return the kind of value of each name that a cell binds; the last binding counts.

    A kind is a key of `release.lint.ALTERNATIVES`, or None for a value that may be serializable.
    `known_kinds` are the kinds of the names bound before the cell.
    """
    found: dict[str, str | None] = {}
    nodes: list[ast.AST] = [tree] if tree else []
    while nodes:
        node: Any = nodes.pop()
        value: ast.expr | None = None
        targets: list[Any] = []
        match node:
            case ast.Assign():
                value, targets = node.value, node.targets
            case ast.NamedExpr() | ast.AnnAssign():
                value, targets = node.value, [node.target]
            case ast.withitem(optional_vars=ast.expr()):
                value, targets = node.context_expr, [node.optional_vars]
            case ast.ClassDef(name=name):
                found[name] = "a class"
            case ast.FunctionDef(name=name):
                found[name] = "a generator" if _is_generator_function(node) else None
        for target in targets:
            kind = _infer_kind(value, {**known_kinds, **found})
            if not isinstance(target, ast.Name) and kind != "a figure":
                kind = None  # `x, y = zip(*pairs)` unpacks the iterator
            found |= {
                each.id: kind
                for each in ast.walk(target)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
        if not isinstance(node, SCOPES):
            nodes += reversed(list(ast.iter_child_nodes(node)))
    return found


def _infer_kind(value: ast.expr | None, kinds: Mapping[str, str | None]) -> str | None:
    """Return the kind of value that an expression clearly produces, or None."""
    if isinstance(value, ast.GeneratorExp):
        return "a generator"
    if isinstance(value, ast.Name):
        return kinds.get(value.id)
    path = []  # the called function's dotted name, last part first
    node = value.func if isinstance(value, ast.Call) else None
    while isinstance(node, ast.Attribute):
        path.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        path.append(node.id)
    if not path:
        return None
    if path[0] in FIGURE_FUNCTIONS or "plotting" in path[1:]:
        return "a figure"
    if path[0] == "open":
        return "an open file"
    if len(path) > 1:
        return None
    if kinds.get(path[0]) == "a class":
        return "an instance of a class"
    is_generator = path[0] in GENERATOR_FUNCTIONS or kinds.get(path[0]) == "a generator"
    return "a generator" if is_generator else None


def _is_generator_function(function: ast.FunctionDef) -> bool:
    """Return whether a function itself, not just a function inside it, contains a yield."""
    nodes: list[ast.AST] = list(function.body)
    for node in nodes:
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, SCOPES):
            nodes += ast.iter_child_nodes(node)
    return False
