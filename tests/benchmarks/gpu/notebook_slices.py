"""The statements of a notebook on which one statement depends, found without running them.

A notebook trains many networks in between. To repeat one training, only the statements that define
its arguments are needed.
"""

import ast
from dataclasses import dataclass

from course.instructor.analysis.cell_names import find_names, parse_cell

DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
# What these bind is certainly bound, unlike what a branch or loop binds.
CERTAIN = (*DEFINITIONS, ast.Assign, ast.AnnAssign)
FUNCTIONS = (ast.FunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a cell."""

    cell: str
    node: ast.stmt


def statements(cells: dict[str, str]) -> list[Statement]:
    """Return the top-level statements of the cells that are Python."""
    trees = {name: parse_cell(source) for name, source in cells.items()}
    return [Statement(name, node) for name, tree in trees.items() if tree for node in tree.body]


def last_call(found: list[Statement], function: str, cell: str = "") -> int:
    """Return the position of the last statement that calls a function, or one that calls it.

    With `cell`, only the statements of this cell are searched. Raises ValueError if none calls it.
    """
    functions = {function}
    for each in found:
        if isinstance(each.node, ast.FunctionDef) and _calls(each.node, functions):
            functions.add(each.node.name)
    for position, each in reversed(list(enumerate(found))):
        is_searched = cell in ("", each.cell) and not isinstance(each.node, DEFINITIONS)
        if is_searched and _calls(each.node, functions):
            return position
    raise ValueError(f"no statement{f' of cell {cell}' if cell else ''} calls {function}")


def required(found: list[Statement], last: int, also: set[str]) -> list[Statement]:
    """Return the statements before a position that it needs, and itself, in order.

    `also` are names that are needed, too, if a statement binds them.
    """
    names = [find_names(ast.unparse(each.node)) for each in found]
    # Calling a function of a module does not change the module.
    modules = {name for each in names for name in each.imported}
    chosen: set[int] = set()
    # Statements to add, and names to look for before a position.
    to_add, to_find, seen = [last], {(last, name) for name in also}, set[tuple[int, str]]()
    while to_add or to_find:
        for position in {*to_add} - chosen:
            chosen.add(position)
            # A function reads names when it is called: they may be bound after its definition.
            has_function = any(
                isinstance(each, FUNCTIONS) for each in ast.walk(found[position].node)
            )
            before = last if has_function else position
            to_find |= {(before, name) for name in names[position].needed}
        to_add = []
        seen |= (new := to_find - seen)
        to_find = set()
        for before, name in new:
            for position in reversed(range(before)):
                if name in names[position].bound | _changed(found[position].node) - modules:
                    to_add.append(position)
                    if name in names[position].bound and isinstance(found[position].node, CERTAIN):
                        break
    return [found[position] for position in sorted(chosen)]


def _calls(node: ast.AST, functions: set[str]) -> bool:
    """Return whether a call of one of the functions is in a node."""
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    names = {getattr(each, "attr", getattr(each, "id", "")) for each in called}
    return bool(names & functions)


def _changed(node: ast.stmt) -> set[str]:
    """Return the names whose objects a statement changes by an item, attribute, or method."""
    places = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Subscript | ast.Attribute) and isinstance(each.ctx, ast.Store)
    ]
    names = {_base(each) for each in places}
    # Such as full.update(...); what is returned by a method that is part of an expression, such as
    # run.choose(...), is its purpose.
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            names.add(function.value.id)
    return names - {""}


def _base(node: ast.expr) -> str:
    """Return the name whose item or attribute an expression is, or ""."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
