"""A linter that reports the test cells in source notebooks that cannot be graded or trusted."""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader import utils

from course.errors import CourseError
from course.instructor.analysis.cell_names import CellNames, find_names, parse_cell
from course.instructor.analysis.definite_assignment import is_predefined
from course.instructor.analysis.value_kinds import infer_value_kinds
from course.instructor.release import cell_rules, notebook_lint, untrusted_values

# Kinds of cells, and owners of names: the grader, the grader until a student's cell mentions the
# name, and the student.
LOCKED, TEST, STUDENT = "locked", "test", "student"

# Maps each kind of value that cannot be passed to the grader kernel to an alternative.
TEST_THE_EFFECT = (
    "test its effect through a function that takes and returns arrays, or grade by hand"
)
ALTERNATIVES = {
    "a class": TEST_THE_EFFECT,
    "an instance of a class": TEST_THE_EFFECT,
    "a figure": "test the values it was drawn from, or grade by hand",
    "a generator": "make it a list, or grade by hand",
    "an open file": "test what was read or written, or grade by hand",
    "an import": "import it in a locked cell",
}
SOURCE_READERS = ["getfile", "getsource", "getsourcefile", "getsourcelines"]
HISTORY = {"In", "Out", "_ih", "_oh", "get_ipython"}
USE_CELL_SOURCE = 'use course.cell_source("grade-id")'


@dataclass
class _Cell:
    """A code cell, which is derived if it is locked but uses names that students' cells bind."""

    grade_id: str
    kind: str
    is_derived: bool
    source: str
    tree: ast.Module | None
    names: CellNames


@dataclass
class _NotebookState:
    """The names that are known at a position in the notebook."""

    grader_names: set[str]  # bound anywhere in the grader's own cells, which run first
    owners: dict[str, str] = field(default_factory=dict)  # TEST or STUDENT, for other names
    binding_cells: dict[str, str] = field(default_factory=dict)  # grade id, for other names
    function_globals: dict[str, frozenset[str]] = field(default_factory=dict)
    kinds: dict[str, str | None] = field(default_factory=dict)  # a key of ALTERNATIVES or None
    bound: set[str] = field(default_factory=set)
    derived: dict[str, str] = field(default_factory=dict)  # name to the derived cell's grade id
    rebound: set[str] = field(default_factory=set)  # grader names that students' cells bind too
    may_be_incomplete: bool = False  # a cell may bind names that its source does not show

    def add(self, cell: _Cell) -> None:
        """Advance past a cell."""
        bound = cell.names.bound
        if cell.kind == STUDENT:
            self.owners |= dict.fromkeys(cell.names.mentioned & self.owners.keys(), STUDENT)
            self.rebound |= (bound & self.grader_names) - cell.names.imported
            for name in bound:
                self.derived.pop(name, None)
            self.derived |= dict.fromkeys(bound if cell.is_derived else (), cell.grade_id)
        if cell.kind != LOCKED:
            bound = bound - self.grader_names
            self.owners |= dict.fromkeys(bound, cell.kind)
            self.binding_cells |= dict.fromkeys(bound, cell.grade_id)
        self.bound |= cell.names.bound
        self.may_be_incomplete |= cell.names.opaque
        kinds = infer_value_kinds(cell.tree, self.kinds)
        kinds |= dict.fromkeys(cell.names.imported, "an import")
        for name in bound:
            self.kinds[name] = kinds.get(name)
            self.function_globals.pop(name, None)
            if name in cell.names.functions:
                self.function_globals[name] = cell.names.functions[name]


def find_problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Return one sentence for each problem that prevents the grading of a source notebook.

    Each sentence contains the grade id of the test cell and what to do about the problem.
    """
    cells = _code_cells(notebook)
    grader_names = [cell.names.bound for cell in cells if cell.kind == LOCKED]
    state = _NotebookState(set().union(*grader_names))
    problems: list[str] = []
    for cell in cells:
        if cell.kind == TEST:
            problems += _problems_of_test(cell, state)
        elif cell.kind == STUDENT:
            problems += _problems_of_functions(cell, state)
        state.add(cell)
    return list(dict.fromkeys(problems))


def check_source(path: Path) -> None:
    """Raise CourseError, with one line per problem, if a source notebook cannot be graded."""
    notebook = notebook_lint.read_source(path)
    # The other rules rely on valid cells.
    problems = list(cell_rules.find_problems(notebook)) or [
        *find_problems(notebook),
        *notebook_lint.find_released_secrets(notebook, _files_beside(path)),
        *notebook_lint.find_wrong_points(notebook),
    ]
    if problems:
        raise CourseError("\n".join(f"{path}: {problem}" for problem in problems))


def _files_beside(path: Path) -> list[str]:
    """Return the names of the files in the folder of a notebook."""
    return [each.name for each in sorted(path.parent.iterdir()) if each.is_file()]


def _code_cells(notebook: nbformat.NotebookNode) -> list[_Cell]:
    """Return the code cells; a locked cell that uses a student's names counts as a student's."""
    cells: list[_Cell] = []
    grader_names: set[str] = set()
    for cell in nbformat.from_dict(notebook).cells:
        if cell.cell_type != "code":
            continue
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        names = find_names(cell.source)
        kind, is_locked = STUDENT, utils.is_locked(cell)
        if utils.is_grade(cell) and not utils.is_solution(cell):
            kind = TEST
        elif "parameters" in cell.metadata.get("tags", []) or (
            is_locked and names.needed <= grader_names
        ):
            kind = LOCKED
        if kind == LOCKED:
            grader_names |= names.bound
        is_derived = is_locked and kind == STUDENT
        tree = parse_cell(cell.source)
        cells.append(_Cell(grade_id, kind, is_derived, cell.source, tree, names))
    return cells


def _problems_of_functions(cell: _Cell, state: _NotebookState) -> Iterator[str]:
    """Yield a problem for each name that a test binds and a student's function reads."""
    for function, global_names in cell.names.functions.items():
        for name in sorted(global_names - cell.names.bound):
            if state.owners.get(name) == TEST:
                kind = state.kinds[name]
                yield _sets_a_global(state.binding_cells[name], name, function, kind)


def _sets_a_global(grade_id: str, name: str, function: str, kind: str | None = None) -> str:
    """Return the problem with a test that binds a global variable of a student's function."""
    advice = ALTERNATIVES[kind] if kind == "an import" else "pass it as an argument"
    return f"{grade_id} sets {name}, which the student's function {function} reads: {advice}."


def _problems_of_test(cell: _Cell, state: _NotebookState) -> Iterator[str]:
    """Yield the problems found in a test cell."""
    names, grade_id = cell.names, cell.grade_id
    # A magic also calls get_ipython, but its source does not contain that name.
    history = {name for name in HISTORY & names.mentioned if name in cell.source} - names.bound
    for name in sorted(history):
        yield f"{grade_id} uses {name}, which omits the student's cells: {USE_CELL_SOURCE}."
    if names.opaque and not history:
        yield (
            f"{grade_id} is not plain Python, or uses exec, eval, globals, or import *: write it as"
            " plain Python, so that its names can be determined."
        )
    if names.opaque or cell.tree is None:
        return
    student_names = {name for name in names.needed if state.owners.get(name) == STUDENT}
    yield from _problems_of_names(cell, state, student_names)
    yield from untrusted_values.find_problems(grade_id, cell.tree, student_names)
    for name in sorted(names.bound - names.imported):
        for function, global_names in state.function_globals.items():
            if name in global_names and state.owners.get(function) == STUDENT:
                yield _sets_a_global(grade_id, name, function)
    for node in ast.walk(cell.tree):
        if _reads_source(node, student_names):
            yield f"{grade_id} reads the source of the student's code: {USE_CELL_SOURCE}."
        for function, kind in _unsupported_arguments(node, cell, state, student_names):
            instead = "a list" if kind == "a generator" else "its result"
            yield (
                f"{grade_id} passes {kind} to the student's {function}, but {kind} cannot be passed"
                f" to the student's code: pass {instead}."
            )


def _problems_of_names(
    cell: _Cell, state: _NotebookState, student_names: set[str]
) -> Iterator[str]:
    """Yield the problems with the names that a test cell reads."""
    names, grade_id = cell.names, cell.grade_id
    if not state.may_be_incomplete:
        for name in sorted(names.needed - names.bound - state.bound):
            yield (
                f"{grade_id} uses {name}, which no earlier cell defines: correct the name, or"
                " define it in an earlier cell."
            )
    for name in sorted(student_names):
        kind = state.kinds[name]
        if kind:
            advice = ALTERNATIVES[kind]
            yield f"{grade_id} uses {name}, but {kind} cannot be passed to the tests: {advice}."
        elif name in state.derived:
            yield (
                f"{grade_id} uses {name}, which the locked cell {state.derived[name]} computes from"
                " the student's values, so that a student can choose its value: compute it in the"
                " test."
            )
    for name in sorted(names.needed & state.rebound):
        yield (
            f"{grade_id} uses {name}, which a locked cell defines and a student's cell redefines,"
            " but the tests use the locked cell's value: rename the student's."
        )
    owned_by_student = {name for name, owner in state.owners.items() if owner == STUDENT}
    for name in sorted((names.mentioned & owned_by_student) - names.bound):
        if is_predefined(name):
            yield (
                f"{grade_id} uses {name}, which a student's cell defines, but the tests use"
                f" Python's own {name}: rename the student's."
            )


def _reads_source(node: ast.AST, student_names: set[str]) -> bool:
    """Return whether a node reads the source of one of the student's functions."""
    match node:
        case ast.Call(func=ast.Attribute(attr=reader) | ast.Name(id=reader), args=arguments):
            nodes = [node for part in arguments for node in ast.walk(part)]
            return reader in SOURCE_READERS and any(_is_name(node, student_names) for node in nodes)
        case ast.Attribute(value=owner, attr="__code__"):
            return _is_name(owner, student_names)
    return False


def _is_name(node: ast.AST, names: set[str]) -> bool:
    """Return whether a node is one of the names."""
    return isinstance(node, ast.Name) and node.id in names


def _unsupported_arguments(
    node: ast.AST, cell: _Cell, state: _NotebookState, student_names: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield (function, kind) for each argument that cannot be passed to a student's function."""
    parts: list[ast.expr] = []
    match node:
        case ast.Call(func=ast.Name(id=function), args=arguments) if function in student_names:
            parts = [*arguments, *(keyword.value for keyword in node.keywords)]
    for part in parts:
        match part:
            case ast.Starred(value=inner):
                parts.append(inner)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                parts += elements
            case ast.Dict(values=values):
                parts += values
            case ast.Lambda():
                yield function, "a function"
            case ast.GeneratorExp():
                yield function, "a generator"
            case ast.Name(id=name):
                kind = _callable_kind(name, cell.names, state)
                if kind:
                    yield function, kind


def _callable_kind(name: str, names: CellNames, state: _NotebookState) -> str | None:
    """Return "a function" or "a class" if a name clearly refers to one, or else None."""
    if name in names.bound:
        is_function, is_class = name in names.functions, name in names.classes
    elif name in state.bound:
        is_function, is_class = name in state.function_globals, state.kinds.get(name) == "a class"
    else:
        value = getattr(builtins, name, None)
        is_function, is_class = callable(value), isinstance(value, type)
    return "a class" if is_class else "a function" if is_function else None
