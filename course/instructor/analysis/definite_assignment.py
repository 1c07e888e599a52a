"""Definite-assignment analysis: the global names that a cell may read before it binds them."""

# ruff: noqa: D102, N815  (ast calls a visitor's methods by the names of its nodes)

import ast
import builtins
import dis
import re
import sys
from copy import copy
from types import CodeType
from typing import Any

from course.gradable.importable_packages import GRADING_PACKAGES

# Names that are defined in every module and in every notebook.
_MODULE = {"__builtins__", "__class__", "__doc__", "__loader__", "__name__", "__spec__"}
_NOTEBOOK = {"In", "Out", "display", "exit", "get_ipython", "quit", "_dh", "_ih", "_oh"}
_PREDEFINED = {*dir(builtins), *_MODULE, *_NOTEBOOK}
_KNOWN_MODULES = {*GRADING_PACKAGES, *sys.stdlib_module_names}
_HISTORY = re.compile(r"_{1,3}|_i{1,3}|_i?\d+")

# The bytecode instructions by which functions access globals. The module symtable cannot replace
# them: it counts unevaluated annotations as read, and `x += 1` or `del x` only as bound.
_READS = ("LOAD_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
_BINDS = ("STORE_GLOBAL", "DELETE_GLOBAL")


def is_predefined(name: str) -> bool:
    """Return whether a name is defined in every notebook: a builtin or a variable of IPython."""
    return name in _PREDEFINED or _HISTORY.fullmatch(name) is not None


class ScopeVisitor(ast.NodeVisitor):
    """Visits a cell's nodes in the order in which Python evaluates them.

    `definitely_bound` are the names that are bound on every path to the current node, or None if
    the node is unreachable. `comprehension_names` are bound by the comprehensions around the node.
    `class_names` are the names that the class body around the node has bound so far, or None if the
    node is not in a class body.
    """

    def __init__(self) -> None:
        self.definitely_bound: set[str] | None = set()
        self.comprehension_names: frozenset[str] = frozenset()
        self.class_names: set[str] | None = None
        self.needed: set[str] = set()
        self.needed_by_functions: set[str] = set()
        self.read_by_functions: set[str] = set()
        self.mentioned: set[str] = set()
        self.bound: set[str] = set()
        self.bound_at_top_level: set[str] = set()
        self.imported: set[str] = set()
        self.classes: set[str] = set()
        self.functions: dict[str, frozenset[str]] = {}
        self.opaque = False

    def read(self, name: str) -> None:
        """Record that a name is read."""
        if name not in self.comprehension_names and name not in (self.class_names or ()):
            self.mentioned.add(name)
            if self.definitely_bound is not None and name not in self.definitely_bound:
                self.needed.add(name)

    def bind(self, name: str) -> None:
        """Record that a name is bound."""
        if self.class_names is not None:
            self.class_names.add(name)
        elif name not in self.comprehension_names:
            for names in (self.mentioned, self.bound, self.bound_at_top_level):
                names.add(name)
            if self.definitely_bound is not None:
                self.definitely_bound.add(name)

    def unbind(self, name: str) -> None:
        """Record that a name is deleted."""
        for names in (self.definitely_bound, self.class_names):
            if names is not None:
                names.discard(name)

    def visit_all(self, *parts: Any) -> None:
        """Visit nodes and lists of nodes in order; None stands for an absent node."""
        for part in parts:
            for node in part if isinstance(part, list) else [part]:
                if node is not None:
                    self.visit(node)

    def visit_branches(self, *branches: Any) -> None:
        """Visit alternatives, only one of which Python evaluates; None is an empty alternative."""
        before, ends = self.definitely_bound, []
        for branch in branches:
            self.definitely_bound = copy(before)
            self.visit_all(branch)
            ends.append(self.definitely_bound)
        self.definitely_bound = _merge_branches(ends)

    def visit_Name(self, node: Any) -> None:
        if isinstance(node.ctx, ast.Store):
            self.bind(node.id)
        else:
            self.read(node.id)
        if isinstance(node.ctx, ast.Del):
            self.unbind(node.id)

    def visit_Assign(self, node: Any) -> None:
        targets: list[Any] = getattr(node, "targets", None) or [node.target]
        is_name = isinstance(targets[0], ast.Name)
        if isinstance(node, ast.AugAssign) and is_name:
            self.read(targets[0].id)
        if isinstance(node, ast.AnnAssign) and is_name and not node.value:
            targets = []
        self.visit_all(node.value, targets, getattr(node, "annotation", None))
        if isinstance(node.value, ast.Lambda) and self.class_names is None:
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            self.functions |= dict.fromkeys(names, self.visit_function_body(node.value))

    visit_AugAssign = visit_AnnAssign = visit_NamedExpr = visit_Assign

    def visit_Import(self, node: Any) -> None:
        for alias in node.names:
            self.opaque |= alias.name == "*"
            self.opaque |= "__main__" in (alias.name, getattr(node, "module", None))
            name = alias.asname or alias.name.split(".")[0]
            if name != "*":
                self.bind(name)
                module = (getattr(node, "module", None) or alias.name).partition(".")[0]
                # A function from a helper file counts as one of the notebook's own.
                if self.class_names is None and module in _KNOWN_MODULES:
                    self.imported.add(name)

    visit_ImportFrom = visit_Import

    def visit_Raise(self, node: Any) -> None:
        self.generic_visit(node)
        self.definitely_bound = None

    visit_Break = visit_Continue = visit_Raise

    def visit_Assert(self, node: Any) -> None:
        self.visit(node.test)
        self.visit_branches(node.msg, None)

    def visit_BoolOp(self, node: Any) -> None:
        self.visit(node.values[0])
        self.visit_branches(node.values[1:], None)

    def visit_If(self, node: Any) -> None:
        self.visit(node.test)
        self.visit_branches(node.body, node.orelse)

    visit_IfExp = visit_If

    def visit_For(self, node: Any) -> None:
        self.visit(node.test if isinstance(node, ast.While) else node.iter)
        before = copy(self.definitely_bound)
        self.visit_branches([getattr(node, "target", None), *node.body], node.orelse)
        self.definitely_bound = before  # the body may not run, and a break skips the else

    visit_AsyncFor = visit_While = visit_For

    def visit_With(self, node: Any) -> None:
        self.visit_all(node.items)
        before = copy(self.definitely_bound)
        self.visit_all(node.body)
        if self.definitely_bound is None or any(map(_may_suppress, node.items)):
            self.definitely_bound = before  # what follows may run after an error

    visit_AsyncWith = visit_With

    def visit_Try(self, node: Any) -> None:
        before = copy(self.definitely_bound)
        self.visit_all(node.body, node.orelse)
        ends = [self.definitely_bound]
        for handler in node.handlers:
            self.definitely_bound = copy(before)
            self.visit(handler)
            ends.append(self.definitely_bound)
        after = _merge_branches(ends)
        self.definitely_bound = before
        self.visit_all(node.finalbody)
        if after is None:
            self.definitely_bound = None
        elif self.definitely_bound is not None:
            self.definitely_bound |= after

    visit_TryStar = visit_Try

    def visit_ExceptHandler(self, node: Any) -> None:
        self.visit_all(node.type)
        if node.name:
            self.bind(node.name)
        self.visit_all(node.body)
        if node.name:
            self.unbind(node.name)

    def visit_Match(self, node: Any) -> None:
        self.visit(node.subject)
        branches = [[case.pattern, case.guard, *case.body] for case in node.cases]
        last = node.cases[-1]
        matches_all = isinstance(last.pattern, ast.MatchAs) and not (
            last.pattern.pattern or last.guard
        )
        self.visit_branches(*branches, *([] if matches_all else [None]))

    def visit_MatchAs(self, node: Any) -> None:
        self.generic_visit(node)
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            self.bind(name)

    visit_MatchStar = visit_MatchMapping = visit_MatchAs

    def visit_ListComp(self, node: Any) -> None:
        self.visit(node.generators[0].iter)
        outside = copy(self.definitely_bound), self.comprehension_names, self.class_names
        parts = [each for generator in node.generators for each in ast.walk(generator.target)]
        self.comprehension_names |= {
            each.id
            for each in parts
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        self.class_names = None
        for index, generator in enumerate(node.generators):
            self.visit_all(generator.iter if index else None, generator.target, generator.ifs)
        self.visit_all([getattr(node, part, None) for part in ("key", "value", "elt")])
        # Also undo what was bound inside: the body may not run.
        self.definitely_bound, self.comprehension_names, self.class_names = outside

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_Lambda(self, node: Any) -> None:
        self.visit_all(node.args.defaults, node.args.kw_defaults)
        self.visit_function_body(node)

    def visit_FunctionDef(self, node: Any) -> None:
        self.visit_all(node.decorator_list, node.args.defaults, node.args.kw_defaults)
        self.visit_all([each for each in ast.walk(node.args) if isinstance(each, ast.arg)])
        self.visit_all(node.returns)
        reads = self.visit_function_body(node)
        if self.class_names is None:
            self.functions[node.name] = reads
        self.bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: Any) -> None:
        self.visit_all(node.decorator_list, node.bases, node.keywords)
        outside, self.class_names = self.class_names, {"__module__", "__qualname__"}
        self.visit_all(node.body)
        self.class_names = outside
        if self.class_names is None:
            self.classes.add(node.name)
        self.bind(node.name)

    def visit_function_body(self, node: Any) -> frozenset[str]:
        """Record the globals that a function accesses, and return those read but not predefined."""
        reads, binds = _global_accesses(node)
        reads, binds = reads - self.comprehension_names, binds - self.comprehension_names
        self.mentioned |= reads | binds
        self.read_by_functions |= reads
        self.bound |= binds
        if self.definitely_bound is not None:
            self.needed_by_functions |= reads - self.definitely_bound
        return frozenset(name for name in reads if not is_predefined(name))


def _may_suppress(item: ast.withitem) -> bool:
    """Return whether a context manager may suppress exceptions, as contextlib.suppress does."""
    names = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(item)}
    return not names.isdisjoint({"suppress", "raises", "assertRaises"})


def _merge_branches(ends: list[set[str] | None]) -> set[str] | None:
    """Return the names bound at the end of every branch; None stands for an unreachable end."""
    reachable = [end for end in ends if end is not None]
    return set.intersection(*reachable) if reachable else None


def _global_accesses(node: Any) -> tuple[set[str], set[str]]:
    """Return the globals that a function's body reads, and those that it binds or deletes."""
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    parameters += filter(None, (node.args.vararg, node.args.kwarg))
    bare = copy(node)  # without the parts that are evaluated at definition, not in a call
    names = [ast.arg(each.arg) for each in parameters]
    bare.args = ast.arguments([], names, kwonlyargs=[], kw_defaults=[], defaults=[])
    bare.decorator_list, bare.returns = [], None
    body = [ast.Expr(bare) if isinstance(node, ast.Lambda) else bare]
    module = ast.fix_missing_locations(ast.Module(body, []))
    # Python's compiler resolves the scopes: nested functions, nonlocal, and so on.
    codes = _nested_code(compile(module, "<function>", "exec", dont_inherit=True, optimize=0))
    reads: set[str] = set()
    binds: set[str] = set()
    for code in codes:
        codes += _nested_code(code)
        accesses = [(each.opname, each.argval) for each in dis.get_instructions(code)]
        class_names = {name for operation, name in accesses if operation == "STORE_NAME"}
        for operation, name in accesses:
            if operation in _READS or (operation == "LOAD_NAME" and name not in class_names):
                reads.add(name)
            if operation in _BINDS:
                binds.add(name)
    return reads, binds


def _nested_code(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]
