"""The cells on which a test can depend, found without running them.

Grading skips the other cells, most of which explore, plot, or tabulate data. The analysis of the
source cannot be exact: it misses, for example, that a cell changes a list by another name. Only
cells of the assignment that the student has not changed are therefore skipped, since their effects
are known from grading the solved notebook.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Protocol

from course.instructor.analysis.cell_names import find_names, is_predefined, parse_cell

CodeCell = Mapping[str, Any]  # as in a grading job


class Reference(Protocol):
    """The part of the reference notebook that says what its cells are for."""

    @property
    def cells(self) -> Mapping[str, Mapping[str, Any]]:
        """The records of the cells by grade id."""

    def is_test(self, name: str | None) -> bool:
        """Return whether a grade id belongs to a test."""

    def is_locked_code(self, name: str | None) -> bool:
        """Return whether a grade id belongs to a locked code cell that is not a test."""

    def is_unchanged(self, cell: CodeCell) -> bool:
        """Return whether a cell is one that students get and that has no grade id."""


def find_required_cells(cells: Sequence[CodeCell], reference: Reference) -> set[int]:
    """Return the positions of the cells that have to run: on which a later test can depend."""
    names = [find_names(cell["source"]) for cell in cells]
    imported = frozenset().union(*(each.imported for each in names))
    functions = {name: each.functions[name] for each in names for name in each.functions}
    # A cell that modifies an object from a locked cell would break the notebook itself.
    provided = frozenset().union(
        *(
            each.bound
            for each, cell in zip(names, cells, strict=True)
            if reference.is_locked_code(cell["grade_id"])
        )
    )
    # Live variable analysis: walk backwards and track the names that a later test still needs.
    live: set[str] = set()
    needs_all = False  # whether a required cell below may read any name
    required = set()
    for position in reversed(range(len(cells))):
        grade_id, source = cells[position]["grade_id"], cells[position]["source"]
        if reference.is_test(grade_id):
            # Use the test's source in the reference: the student may have changed the test.
            needed = find_names(reference.cells[grade_id]["source"]).needed
            live |= _with_names_read_by_functions(needed, functions)
            continue
        cell = names[position]
        modified = cell.bound | (_modified_objects(source, imported) - provided)
        # Cells with imports always run: modules are used everywhere, and importing costs little.
        is_skippable = reference.is_unchanged(cells[position]) and not (
            cell.opaque or cell.imported
        )
        if needs_all or not is_skippable or modified & live:
            required.add(position)
            needs_all |= cell.opaque
            live -= _definitely_bound(source)
            live |= _with_names_read_by_functions(cell.needed, functions)
    return required


def any_cell_needs(names: Set[str], cells: Iterable[CodeCell], reference: Reference) -> bool:
    """Return whether a cell that is not a test may read one of the names before binding it."""
    for cell in cells:
        if not reference.is_test(cell["grade_id"]):
            used = find_names(cell["source"])
            if used.opaque or used.needed & names:
                return True
    return False


def _with_names_read_by_functions(
    names: Iterable[str], functions: Mapping[str, Iterable[str]]
) -> set[str]:
    """Return the names, and the names that functions among them read directly or indirectly."""
    found: set[str] = set()
    pending = set(names)
    while pending:
        found |= pending
        pending = set().union(*(functions.get(name, ()) for name in pending)) - found
    return found


def _modified_objects(source: str, imported: Set[str]) -> set[str]:
    """Return the names whose objects a cell may modify without binding the name.

    These are the targets of assignments to attributes and items, the objects whose methods the cell
    calls, and the objects that it passes to one of the notebook's own functions.
    """
    tree = parse_cell(source)
    names: set[str | None] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            names.add(_base_name(node))
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                if not is_predefined(node.func.id) and node.func.id not in imported:
                    values = [*node.args, *(keyword.value for keyword in node.keywords)]
                    names |= {_base_name(value) for value in values}
            else:
                names.add(_base_name(node.func))
    return {name for name in names if name is not None} - imported


def _base_name(node: ast.AST) -> str | None:
    """Return the variable at the start of a chain of attributes, items, and methods, or None."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return None  # a function returns a new object
        inner = getattr(node, "value", None) or getattr(node, "func", None)
        if not isinstance(inner, ast.AST):
            return None
        node = inner
    return node.id


def _definitely_bound(source: str) -> set[str]:
    """Return the names that a cell binds on every path, unless it raises an error."""
    names = set()
    for statement in getattr(parse_cell(source), "body", ()):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                targets = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
                names |= {each.id for each in targets if isinstance(each, ast.Name)}
    return names
