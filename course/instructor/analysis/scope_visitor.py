"""How Python evaluates a cell, name by name: which it reads, and which are bound by then."""

# ruff: noqa: D102, N815  (ast calls a visitor's methods by the names of its nodes)

import ast
import builtins
import dis
import re
from copy import copy
from types import CodeType

# There without a definition: in every module, and in every notebook.
_MODULE = {"__builtins__", "__class__", "__doc__", "__loader__", "__name__", "__spec__"}
_NOTEBOOK = {"In", "Out", "display", "exit", "get_ipython", "quit", "_dh", "_ih", "_oh"}
_KNOWN = {*dir(builtins), *_MODULE, *_NOTEBOOK}
_HISTORY = re.compile(r"_{1,3}|_i{1,3}|_i?\d+")

# What the compiler makes of a function's use of a global.
_READS = ("LOAD_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
_BINDS = ("STORE_GLOBAL", "DELETE_GLOBAL")


def known(name):
    """Tell whether a name is there in every notebook, without a definition."""
    return name in _KNOWN or _HISTORY.fullmatch(name) is not None


class Reader(ast.NodeVisitor):
    """Walk a cell in the order in which Python evaluates it.

    `sure` are the names that are bound whenever this point is reached; None: it never is, as
    behind a raise. `shadows` are the names of the comprehensions around this point. `in_class` are
    the names that the class body around it has bound so far; None: there is none around it.
    """

    def __init__(self):
        self.sure, self.shadows, self.in_class = set(), frozenset(), None
        self.needed, self.later, self.mentioned = set(), set(), set()
        self.bound, self.at_top, self.imported, self.classes = set(), set(), set(), set()
        self.functions, self.opaque = {}, False

    def read(self, name):
        if name not in self.shadows and name not in (self.in_class or ()):
            self.mentioned.add(name)
            if self.sure is not None and name not in self.sure:
                self.needed.add(name)

    def bind(self, name):
        if self.in_class is not None:
            self.in_class.add(name)
        elif name not in self.shadows:
            for names in (self.mentioned, self.bound, self.at_top, self.sure):
                if names is not None:
                    names.add(name)

    def unbind(self, name):
        for names in (self.sure, self.in_class):
            if names is not None:
                names.discard(name)

    def visit_all(self, *parts):
        for part in parts:
            for node in part if isinstance(part, list) else [part]:
                if node is not None:
                    self.visit(node)

    def visit_one_of(self, *ways):
        before, ends = self.sure, []
        for way in ways:
            self.sure = copy(before)
            self.visit_all(way)
            ends.append(self.sure)
        self.sure = _joined(ends)

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self.bind(node.id)
        else:
            self.read(node.id)
        if isinstance(node.ctx, ast.Del):
            self.unbind(node.id)

    def visit_Assign(self, node):
        targets = getattr(node, "targets", None) or [node.target]
        plain = isinstance(targets[0], ast.Name)
        if isinstance(node, ast.AugAssign) and plain:
            self.read(node.target.id)
        if isinstance(node, ast.AnnAssign) and plain and not node.value:
            targets = []
        self.visit_all(node.value, targets, getattr(node, "annotation", None))
        if isinstance(node.value, ast.Lambda) and self.in_class is None:
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            self.functions |= dict.fromkeys(names, self.read_when_called(node.value))

    visit_AugAssign = visit_AnnAssign = visit_NamedExpr = visit_Assign

    def visit_Import(self, node):
        for alias in node.names:
            self.opaque |= alias.name == "*"
            self.opaque |= "__main__" in (alias.name, getattr(node, "module", None))
            name = alias.asname or alias.name.split(".")[0]
            if name != "*":
                self.bind(name)
                self.imported |= {name} if self.in_class is None else set()

    visit_ImportFrom = visit_Import

    def visit_Raise(self, node):
        self.generic_visit(node)
        self.sure = None

    visit_Break = visit_Continue = visit_Raise

    def visit_Assert(self, node):
        self.visit(node.test)
        self.visit_one_of(node.msg, None)

    def visit_BoolOp(self, node):
        self.visit(node.values[0])
        self.visit_one_of(node.values[1:], None)

    def visit_If(self, node):
        self.visit(node.test)
        self.visit_one_of(node.body, node.orelse)

    visit_IfExp = visit_If

    def visit_For(self, node):
        self.visit(node.test if isinstance(node, ast.While) else node.iter)
        before = copy(self.sure)
        self.visit_one_of([getattr(node, "target", None), *node.body], node.orelse)
        self.sure = before  # the body may have had no turn, and a break skips the else

    visit_AsyncFor = visit_While = visit_For

    def visit_With(self, node):
        self.visit_all(node.items)
        before = copy(self.sure)
        self.visit_all(node.body)
        if self.sure is None:  # `with suppress(...)` goes on behind a raise
            self.sure = before

    visit_AsyncWith = visit_With

    def visit_Try(self, node):
        before = copy(self.sure)
        self.visit_all(node.body, node.orelse)
        ends = [self.sure]
        for handler in node.handlers:
            self.sure = copy(before)
            self.visit(handler)
            ends.append(self.sure)
        after = _joined(ends)
        self.sure = before
        self.visit_all(node.finalbody)
        self.sure = None if after is None or self.sure is None else self.sure | after

    visit_TryStar = visit_Try

    def visit_ExceptHandler(self, node):
        self.visit_all(node.type)
        if node.name:
            self.bind(node.name)
        self.visit_all(node.body)
        if node.name:
            self.unbind(node.name)

    def visit_Match(self, node):
        self.visit(node.subject)
        ways = [[case.pattern, case.guard, *case.body] for case in node.cases]
        last = node.cases[-1]
        always = isinstance(last.pattern, ast.MatchAs) and not (last.pattern.pattern or last.guard)
        self.visit_one_of(*ways, *([] if always else [None]))

    def visit_MatchAs(self, node):
        self.generic_visit(node)
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            self.bind(name)

    visit_MatchStar = visit_MatchMapping = visit_MatchAs

    def visit_ListComp(self, node):
        self.visit(node.generators[0].iter)
        outside = copy(self.sure), self.shadows, self.in_class
        parts = [each for generator in node.generators for each in ast.walk(generator.target)]
        self.shadows |= {
            each.id
            for each in parts
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        self.in_class = None
        for place, generator in enumerate(node.generators):
            self.visit_all(generator.iter if place else None, generator.target, generator.ifs)
        self.visit_all([getattr(node, part, None) for part in ("key", "value", "elt")])
        self.sure, self.shadows, self.in_class = outside  # there may have been no turn

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_Lambda(self, node):
        self.visit_all(node.args.defaults, node.args.kw_defaults)
        self.read_when_called(node)

    def visit_FunctionDef(self, node):
        self.visit_all(node.decorator_list, node.args.defaults, node.args.kw_defaults)
        self.visit_all([each for each in ast.walk(node.args) if isinstance(each, ast.arg)])
        self.visit_all(node.returns)
        reads = self.read_when_called(node)
        if self.in_class is None:
            self.functions[node.name] = reads
        self.bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        self.visit_all(node.decorator_list, node.bases, node.keywords)
        outside, self.in_class = self.in_class, {"__module__", "__qualname__"}
        self.visit_all(node.body)
        self.in_class = outside
        if self.in_class is None:
            self.classes.add(node.name)
        self.bind(node.name)

    def read_when_called(self, node):
        """Note what a function does with globals; return what it reads."""
        reads, binds = _uses_of_globals(node)
        reads, binds = reads - self.shadows, binds - self.shadows
        self.mentioned |= reads | binds
        self.bound |= binds
        if self.sure is not None:
            self.later |= reads - self.sure
        return frozenset(name for name in reads if not known(name))


def _joined(ends):
    """Return what is surely bound where several ways meet; None is a way that ends before."""
    reached = [sure for sure in ends if sure is not None]
    return set.intersection(*reached) if reached else None


def _uses_of_globals(node):
    """Return the globals that a function's body reads, and those that it binds or deletes."""
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    parameters += filter(None, (node.args.vararg, node.args.kwarg))
    bare = copy(node)  # less all that is evaluated when the function is made, not when called
    bare.args = ast.arguments([], [ast.arg(each.arg) for each in parameters], kwonlyargs=[])
    bare.args.kw_defaults = bare.args.defaults = []
    bare.decorator_list, bare.returns = [], None
    body = [ast.Expr(bare) if isinstance(node, ast.Lambda) else bare]
    module = ast.fix_missing_locations(ast.Module(body, []))
    # Python's compiler knows the scopes in a body: nested functions, nonlocal, and so on.
    codes = _inner(compile(module, "<function>", "exec", dont_inherit=True, optimize=0))
    reads, binds = set(), set()
    for code in codes:
        codes += _inner(code)
        steps = [(step.opname, step.argval) for step in dis.get_instructions(code)]
        own = {name for what, name in steps if what == "STORE_NAME"}  # of a class body
        for what, name in steps:
            if what in _READS or (what == "LOAD_NAME" and name not in own):
                reads.add(name)
            if what in _BINDS:
                binds.add(name)
    return reads, binds


def _inner(code):
    return [each for each in code.co_consts if isinstance(each, CodeType)]
