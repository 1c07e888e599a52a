"""The global names that a cell reads and binds, told from its text; nothing is run."""

import ast
import io
import keyword
import re
import tokenize
import warnings
from dataclasses import dataclass, field
from functools import lru_cache

from course.instructor.analysis.scope_visitor import Reader, known
from course.instructor.python_parser import parse_python

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


def parse(source):
    """Return a cell's syntax tree, or None where it is not Python.

    Magics and shell commands are calls of `get_ipython()`, as IPython has it, but for those that
    concern no name: they are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as for "\d": who runs the cell sees them
        for text_of in (str, _without_magics):
            try:
                tree = parse_python(text_of(source))
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
    tree, reader = parse(source), Reader()
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
