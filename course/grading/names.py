"""The global names that a cell reads and binds, told from its text; nothing is run."""

# ruff: noqa: N815  (ast calls a visitor's methods by the names of its nodes)

import ast
import builtins
import dis
import io
import keyword
import re
import tokenize
import warnings
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType

# There without a definition: in every module, and in every notebook.
_MODULE = {"__builtins__", "__class__", "__doc__", "__loader__", "__name__", "__spec__"}
_NOTEBOOK = {"In", "Out", "display", "exit", "get_ipython", "quit", "_dh", "_ih", "_oh"}
_KNOWN = {*dir(builtins), *_MODULE, *_NOTEBOOK}
_HISTORY = re.compile(r"_{1,3}|_i{1,3}|_i?\d+")

# Whoever calls one of these reaches names that the text does not show.
_OPAQUE = {"__import__", "eval", "exec", "get_ipython", "globals", "locals"}

# Lines of IPython's that neither read nor bind a name: a magic or a command into which no value is
# put ({{ is a brace), and a question. %time and %%time run what follows as it stands.
_HARMLESS = re.compile(
    r"^([ \t]*)(?:%(?:pip|conda|matplotlib|config|load_ext|tensorboard|ls|pwd)\b|!)(?:[^\n${]|{{)*$"
    r"|^([ \t]*)(?:\?{1,2}[\w.]+|[\w.]+\?{1,2})[ \t]*$",
    re.MULTILINE,
)
_TIMED = re.compile(r"^([ \t]*)%%?time\b[ \t]*", re.MULTILINE)
_OTHER_LANGUAGE = re.compile(r"\s*%%(?:html|javascript|js|latex|markdown|svg|writefile)\b")

_MAGIC = re.compile(r"^[ \t]*[%!?/,;]|[=(][ \t]*[%!]|\?[ \t]*$", re.MULTILINE)
MOST_WORK = 1_000_000  # characters times magics, about two seconds

# What the compiler makes of a function's use of a global.
_READS = ("LOAD_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
_BINDS = ("STORE_GLOBAL", "DELETE_GLOBAL")

_UNREADABLE = (SyntaxError, ValueError, RuntimeError, MemoryError)  # nested too deep is the third


@dataclass(frozen=True)
class CellNames:
    """The global names of a cell.

    Attributes
    ----------
    needed : frozenset of str
        Read where the cell itself may not have bound them yet, less what every notebook has
        (`known`). A name that only one branch binds counts as not bound; one that a function reads
        when it is called counts as bound where the cell binds it anywhere.
    bound : frozenset of str
        What the cell may bind, imports and functions' `global` names among them.
    mentioned : frozenset of str
        Everything read, bound or deleted.
    imported : frozenset of str
        What import statements bind.
    functions : dict of str to frozenset of str
        What `def` or `name = lambda` bind, each with the globals that its body reads.
    classes : frozenset of str
        What class statements bind.
    opaque : bool
        Whether there may be more than this: the cell calls exec, eval, globals or the like,
        imports a star, uses a magic that binds names, or is not Python.
    """

    needed: frozenset = frozenset()
    bound: frozenset = frozenset()
    mentioned: frozenset = frozenset()
    imported: frozenset = frozenset()
    functions: dict = field(default_factory=dict)
    classes: frozenset = frozenset()
    opaque: bool = False


def known(name):
    """Tell whether a name is there in every notebook, without a definition."""
    return name in _KNOWN or _HISTORY.fullmatch(name) is not None


def parse(source):
    """Return a cell's syntax tree, or None where it is not Python.

    Magics and shell commands are calls of `get_ipython()`, as IPython has it, but for those that
    concern no name: they are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as for "\d": who runs the cell sees them
        for text_of in (str, _without_magics):
            try:
                tree = ast.parse(text_of(source))
                # Not every tree is a program, such as one with a return outside of a function.
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                compile(tree, "<cell>", "exec", flags, dont_inherit=True)
            except SyntaxError:
                continue
            except _UNREADABLE:
                break
            return tree
    return None


@lru_cache(maxsize=512)  # grading asks for the same cells again and again
def names_in(source):
    """Return the global names of a cell.

    Parameters
    ----------
    source : str
        The cell's text, whoever wrote it.

    Returns
    -------
    CellNames
        Where the text is not Python, it is opaque and `mentioned` is every identifier in it.
    """
    tree, reader = parse(source), _Reader()
    try:
        reader.visit(tree or ast.Pass())
    except _UNREADABLE:
        tree = None
    if tree is None:
        return CellNames(mentioned=_identifiers(source), opaque=True)
    needed = reader.needed | (reader.later - reader.at_top)
    return CellNames(
        needed=frozenset(name for name in needed if not known(name)),
        bound=frozenset(reader.bound),
        mentioned=frozenset(reader.mentioned),
        imported=frozenset(reader.imported),
        functions=reader.functions,
        classes=frozenset(reader.classes),
        opaque=reader.opaque
        or bool(_OPAQUE & (reader.mentioned - reader.bound))
        or any(map(_looks_around, ast.walk(tree))),
    )


def _without_magics(source):
    # Only where there are any: importing IPython takes time, and most cells are plain Python.
    from IPython.core.inputtransformer2 import TransformerManager

    if _OTHER_LANGUAGE.match(source):
        return ""
    source = _HARMLESS.sub(lambda line: f"{line[1] or line[2] or ''}pass", source)
    source = _TIMED.sub(r"\1", source)
    if len(source) * len(_MAGIC.findall(source)) > MOST_WORK:
        raise ValueError("IPython would read this text for each magic in it, for minutes in all")
    return TransformerManager().transform_cell(source)


def _identifiers(source):
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        found = {token.string for token in tokens if token.type == tokenize.NAME}
    except (tokenize.TokenError, *_UNREADABLE):
        found = set(re.findall(r"[^\W\d]\w*", source))  # words of strings and comments too
    return frozenset(found.difference(keyword.kwlist))


def _looks_around(node):
    match node:
        case ast.Call(func=ast.Name(id="vars"), args=[], keywords=[]):
            return True
        case ast.Attribute(attr="__globals__" | "get_ipython"):
            return True
    return False


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


class _Reader(ast.NodeVisitor):
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
