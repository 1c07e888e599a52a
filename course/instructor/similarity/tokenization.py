"""Text and code taken apart into pieces that can be compared, each with its place in the text."""

import ast
import io
import re
import tokenize
import warnings
from typing import NamedTuple

from course.instructor.python_parser import parse_literal, parse_python

START = ""  # stands before the first piece
LOCAL = "□"  # stands for every name that the code itself binds
DROPPED = {
    tokenize.ENCODING, tokenize.ENDMARKER, tokenize.NEWLINE, tokenize.NL, tokenize.INDENT,
    tokenize.DEDENT,
}  # fmt: skip
OPENING, CLOSING = {"(", "[", "{"}, {")", "]", "}"}
WORD = re.compile(r"\w+")
# What is left of code that Python cannot read to its end.
ROUGH = re.compile(r"#[^\n]*|\w+|[^\w\s]")
MAGIC = re.compile(r"^[ \t]*[%!].*$", re.M)


class Piece(NamedTuple):
    """A word or a token.

    Attributes
    ----------
    text : str
        As it is compared.
    start, end : int
        Where it stands.
    """

    text: str
    start: int
    end: int


def grams(sequence, length):
    """Yield each run of so many pieces, as texts; the first ones begin before the sequence."""
    texts = [START] * (length - 1) + [piece.text for piece in sequence]
    for end in range(length, len(texts) + 1):
        yield tuple(texts[end - length : end])


def words(text, offset=0):
    """Return the words of a text, without case and signs."""
    return [
        Piece(found[0].casefold(), offset + found.start(), offset + found.end())
        for found in WORD.finditer(text)
    ]


def code(source):
    """Return what code consists of, however it is laid out.

    Parameters
    ----------
    source : str
        Code, which need not be whole.

    Returns
    -------
    tokens : list of Piece
        Numbers and strings by their values, and `LOCAL` for each name that the code binds.
    names : list of Piece
        Those names, where each stands first.
    comments : list of list of Piece
        The words of each comment.
    """
    with warnings.catch_warnings(action="ignore"):  # Python warns of "\\d" and its like
        return _code(source)


def _code(source):
    bound = _bound(source)
    found = list(_tokens(source))
    comments = [words(text, at) for kind, text, at, _ in found if kind == tokenize.COMMENT]
    found = [each for each in found if each[0] != tokenize.COMMENT]
    tokens, names, depth = [], {}, 0
    for number, (kind, text, start, end) in enumerate(found):
        before = found[number - 1][1] if number else ""
        after = found[number + 1][1] if number + 1 < len(found) else ""
        depth += (text in OPENING) - (text in CLOSING)
        if text in CLOSING and before == ",":
            tokens.pop()  # a comma that only formatting puts there
        # The name of an attribute or of a keyword is nobody's choice, though a variable has it too.
        if text in bound and before != "." and not (depth > 0 and after == "="):
            names.setdefault(text, Piece(text, start, end))
            text = LOCAL
        elif kind in (tokenize.NUMBER, tokenize.STRING):
            text = _value(text)
        tokens.append(Piece(text, start, end))
    return tokens, list(names.values()), comments


def _tokens(source):
    """Yield (kind, text, start, end) for each token, as far as Python can read it, then roughly."""
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    reached = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source, newline="\n").readline):
            if token.type in DROPPED or not token.string.strip():
                continue
            start = starts[token.start[0] - 1] + token.start[1]
            reached = starts[token.end[0] - 1] + token.end[1]
            yield token.type, token.string, start, reached
    except (tokenize.TokenError, SyntaxError):
        for found in ROUGH.finditer(source, reached):
            kind = tokenize.COMMENT if found[0].startswith("#") else tokenize.OP
            yield kind, found[0], found.start(), found.end()


def _bound(source):
    """Return the names that code binds: variables, arguments, functions, imports as others."""
    try:
        tree = parse_python(MAGIC.sub("", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias) and node.asname:
            found.add(node.asname)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _value(text):
    """Return a literal so that 1_000 and 1000, 'a' and "a" are the same."""
    try:
        return repr(parse_literal(text))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text
