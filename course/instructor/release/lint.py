"""What a test cell asks for that grading in two kernels cannot give, found before the release."""

import ast
import builtins
from dataclasses import dataclass, field

import nbformat
from nbgrader import utils

from course.errors import CourseError
from course.instructor.analysis import cell_names
from course.instructor.analysis.value_kinds import infer_value_kinds
from course.instructor.analysis.cell_names import CellNames

# Kinds of cells, and whose a name is: the grader's for ever, the grader's until a student's cell
# mentions it, the student's.
LOCKED, TEST, STUDENT = "locked", "test", "student"

# What does not cross, and what a test does instead.
REFUSED = {
    "a class": "test its effect through a function on arrays, or grade by hand",
    "an object of a class": "test its effect through a function on arrays, or grade by hand",
    "a figure": "test the numbers it was made from, or grade by hand",
    "a generator": "make it a list, or grade by hand",
    "an open file": "test what was read or written, or grade by hand",
    "an import": "import it in a locked cell",
}
SOURCE_READERS = ["getfile", "getsource", "getsourcefile", "getsourcelines"]
HISTORY = {"In", "Out", "_ih", "_oh", "get_ipython"}
CELL_SOURCE = 'use course.cell_source("grade-id")'


@dataclass
class _Cell:
    grade_id: str
    kind: str
    is_given: bool  # locked, and yet the student's: it needs what the student's cells make
    source: str
    tree: ast.Module | None
    names: CellNames


@dataclass
class _Ledger:
    """What is known of the names at a point of the notebook."""

    locked: set  # what the grader's own cells bind anywhere: the grader runs them first
    owners: dict = field(default_factory=dict)  # of the other names: TEST or STUDENT
    setters: dict = field(default_factory=dict)  # of the names of tests: the test's grade id
    functions: dict = field(default_factory=dict)  # each with the globals that it reads
    holds: dict = field(default_factory=dict)  # of what evidently does not cross: a key of REFUSED
    seen: set = field(default_factory=set)  # all that was bound so far
    given: dict = field(default_factory=dict)  # of names that a given cell made: its grade id
    reset: set = field(default_factory=set)  # the grader's names that the student's cells set too
    has_unseen: bool = False  # whether a cell so far may bind names that its text does not show

    def take(self, cell):
        """Go past a cell."""
        bound = cell.names.bound
        if cell.kind == STUDENT:
            self.owners |= dict.fromkeys(cell.names.mentioned & self.owners.keys(), STUDENT)
            self.reset |= (bound & self.locked) - cell.names.imported
            for name in bound:
                self.given.pop(name, None)
            self.given |= dict.fromkeys(bound if cell.is_given else (), cell.grade_id)
        if cell.kind != LOCKED:
            bound = bound - self.locked
            self.owners |= dict.fromkeys(bound, cell.kind)
            self.setters |= dict.fromkeys(bound, cell.grade_id)
        self.seen |= cell.names.bound
        self.has_unseen |= cell.names.opaque
        evident = infer_value_kinds(cell.tree, self.holds) | dict.fromkeys(
            cell.names.imported, "an import"
        )
        for name in bound:
            self.holds[name] = evident.get(name)
            self.functions.pop(name, None)
            if name in cell.names.functions:
                self.functions[name] = cell.names.functions[name]


def problems(notebook):
    """Return what in a source notebook's test cells cannot be graded in two kernels.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        With solutions and hidden tests in it.

    Returns
    -------
    list of str
        A sentence each, with the grade id of the test cell and what to do; empty where all is well.
    """
    cells = _code_cells(notebook)
    own = [cell.names.bound for cell in cells if cell.kind == LOCKED]
    ledger, found = _Ledger(set().union(*own)), []
    for cell in cells:
        if cell.kind == TEST:
            found += _problems_of_test(cell, ledger)
        elif cell.kind == STUDENT:
            found += _problems_of_functions(cell, ledger)
        ledger.take(cell)
    return list(dict.fromkeys(found))


def check(path):
    """Refuse a source notebook whose tests cannot be graded in two kernels.

    Parameters
    ----------
    path : Path
        The source notebook.

    Raises
    ------
    CourseError
        With a line a problem, each with the path.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds; each means that no cell can be read
        raise CourseError(
            f"{path} is not a readable notebook ({type(error).__name__}): take it from git again."
        ) from None
    found = problems(notebook)
    if found:
        raise CourseError("\n".join(f"{path}: {problem}" for problem in found))


def _code_cells(notebook):
    """Return the code cells; a locked one that needs the student's names is the student's."""
    cells, own = [], set()
    for cell in nbformat.from_dict(notebook).cells:
        if cell.cell_type != "code":
            continue
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        used = cell_names.find_names(cell.source)
        kind, is_locked = STUDENT, utils.is_locked(cell)
        if utils.is_grade(cell) and not utils.is_solution(cell):
            kind = TEST
        elif "parameters" in cell.metadata.get("tags", []) or (is_locked and used.needed <= own):
            kind = LOCKED
        if kind == LOCKED:
            own |= used.bound
        is_given = is_locked and kind == STUDENT
        cells.append(_Cell(grade_id, kind, is_given, cell.source, cell_names.parse_cell(cell.source), used))
    return cells


def _problems_of_functions(cell, ledger):
    """Yield of a student's functions which names of tests they read."""
    for function, reads in cell.names.functions.items():
        for name in sorted(reads - cell.names.bound):
            if ledger.owners.get(name) == TEST:
                yield _sets_a_global(ledger.setters[name], name, function, ledger.holds[name])


def _sets_a_global(grade_id, name, function, holds=None):
    advice = REFUSED[holds] if holds == "an import" else "pass what a function needs as an argument"
    return f"{grade_id} sets {name}, which the student's function {function} reads: {advice}."


def _problems_of_test(cell, ledger):
    """Yield what is wrong with a test cell."""
    used, grade_id = cell.names, cell.grade_id
    # A magic calls get_ipython too, but does not spell it.
    history = {name for name in HISTORY & used.mentioned if name in cell.source} - used.bound
    for name in sorted(history):
        yield f"{grade_id} uses {name}, where the student's cells are not: {CELL_SOURCE}."
    if used.opaque and not history:
        yield (
            f"{grade_id} is not plain Python, or uses exec, eval, globals or import *: write it"
            " plainly, so that the names it uses can be seen."
        )
    if used.opaque:
        return
    foreign = {name for name in used.needed if ledger.owners.get(name) == STUDENT}
    yield from _problems_of_names(cell, ledger, foreign)
    for name in sorted(used.bound - used.imported):
        for function, reads in ledger.functions.items():
            if name in reads and ledger.owners.get(function) == STUDENT:
                yield _sets_a_global(grade_id, name, function)
    for node in ast.walk(cell.tree):
        if _reads_source(node, foreign):
            yield f"{grade_id} reads the text of the student's code: {CELL_SOURCE}."
        for function, what in _handed_over(node, cell, ledger, foreign):
            instead = "a list" if what == "a generator" else "what it returns or makes"
            yield (
                f"{grade_id} hands {what} to the student's {function}, but {what} cannot be handed"
                f" to the student's code: hand over {instead}."
            )


def _problems_of_names(cell, ledger, foreign):
    used, grade_id = cell.names, cell.grade_id
    if not ledger.has_unseen:
        for name in sorted(used.needed - used.bound - ledger.seen):
            yield (
                f"{grade_id} needs {name}, which no cell before it sets: correct the name, or set"
                " it further up."
            )
    for name in sorted(foreign):
        what = ledger.holds[name]
        if what:
            advice = REFUSED[what]
            yield f"{grade_id} uses {name}, but {what} cannot be handed to the tests: {advice}."
        elif name in ledger.given:
            yield (
                f"{grade_id} uses {name}, which the locked {ledger.given[name]} makes of what the"
                " student's cells made, so that a student can choose it: make it in the test."
            )
    for name in sorted(used.needed & ledger.reset):
        yield (
            f"{grade_id} uses {name}, which a locked cell sets and a student's cell sets anew, but"
            " the tests see the first value: give the second another name."
        )
    students = {name for name, owner in ledger.owners.items() if owner == STUDENT}
    for name in sorted((used.mentioned & students) - used.bound):
        if cell_names.known(name):
            yield (
                f"{grade_id} uses {name}, which a student's cell sets, but the tests see Python's"
                " own: give the student's another name."
            )


def _reads_source(node, foreign):
    match node:
        case ast.Call(func=ast.Attribute(attr=reader) | ast.Name(id=reader), args=arguments):
            nodes = [node for part in arguments for node in ast.walk(part)]
            return reader in SOURCE_READERS and any(_is_one_of(node, foreign) for node in nodes)
        case ast.Attribute(value=owner, attr="__code__"):
            return _is_one_of(owner, foreign)
    return False


def _is_one_of(node, known_names):
    return isinstance(node, ast.Name) and node.id in known_names


def _handed_over(node, cell, ledger, foreign):
    """Yield (function, what) where a call hands a student's function what does not cross."""
    match node:
        case ast.Call(func=ast.Name(id=function), args=parts) if function in foreign:
            parts = [*parts, *(keyword.value for keyword in node.keywords)]
        case _:
            parts = []
    for part in parts:
        match part:
            case ast.Starred(value=inner):
                parts.append(inner)
            case ast.List(elts=inner) | ast.Tuple(elts=inner) | ast.Set(elts=inner):
                parts += inner
            case ast.Dict(values=inner):
                parts += inner
            case ast.Lambda():
                yield function, "a function"
            case ast.GeneratorExp():
                yield function, "a generator"
            case ast.Name(id=name):
                what = _callable_kind(name, cell.names, ledger)
                if what:
                    yield function, what


def _callable_kind(name, used, ledger):
    """Return "a function" or "a class" where a name evidently stands for one, else None."""
    if name in used.bound:
        is_function, is_class = name in used.functions, name in used.classes
    elif name in ledger.seen:
        is_function, is_class = name in ledger.functions, ledger.holds.get(name) == "a class"
    else:
        value = getattr(builtins, name, None)
        is_function, is_class = callable(value), isinstance(value, type)
    return "a class" if is_class else "a function" if is_function else None
