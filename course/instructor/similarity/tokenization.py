"""Splitting text and code into comparable tokens with positions."""

import ast
import io
import json
import re
import time
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from course.instructor.student_text import limited_worker
from course.instructor.student_text.limited_call import call_limited
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.time_limit import processor_time_limit
from course.instructor.thread_safe_parsing import parse_literal, parse_python

TEXT_SECONDS, SUBMISSION_SECONDS = 1, 10  # processor time

serve = limited_worker.serve

PADDING = ""  # in n-grams that begin before the first token
LOCAL_NAME = "□"  # replaces every name that the code itself binds
DROPPED = {
    tokenize.ENCODING, tokenize.ENDMARKER, tokenize.NEWLINE, tokenize.NL, tokenize.INDENT,
    tokenize.DEDENT,
}  # fmt: skip
OPENING, CLOSING = {"(", "[", "{"}, {")", "]", "}"}
VIEWS = ("code", "names", "comments", "rare_token", "words")
WORD = re.compile(r"\w+")
# Tokens in the part of a cell that Python cannot tokenize.
FALLBACK_TOKEN = re.compile(r"#[^\n]*|\w+|[^\w\s]")
MAGIC = re.compile(r"^[ \t]*[%!].*$", re.M)

Views = dict[str, list[list["Token"]]]  # of a text: name of a view -> sequences of tokens


class Token(NamedTuple):
    """A word or a code token in normalized form, and its position in the text."""

    text: str
    start: int
    end: int


class CodeTokens(NamedTuple):
    """Code as normalized tokens, the names it binds, and the words of each comment."""

    tokens: list[Token]
    names: list[Token]  # each at its first position
    comments: list[list[Token]]


def tokenize_text(text: str, is_code: bool) -> Views:
    """Return the token sequences of a text for each view."""
    if not is_code:
        return {"words": [split_words(text)]}
    code = tokenize_code(text)
    return {
        "code": [code.tokens],
        "names": [[name] for name in code.names],
        "comments": code.comments,
        "rare_token": [code.tokens],
    }


def tokenize_in_limits(texts: Sequence[tuple[str, bool]]) -> tuple[list[Views], list[str]]:
    """Return the token sequences of a student's texts, from a process with limits, and problems.

    A text is given with True if it is code. Where there is a problem, the text has no tokens.
    """
    if not texts:
        return [], []
    content = json.dumps(texts).encode()
    try:
        answers = call_limited(
            tokenize_in_this_process, blocks=[content], cpu_seconds=SUBMISSION_SECONDS + 5
        )
        found = [_checked(answer, text) for (text, _), answer in zip(texts, answers, strict=True)]
    except (StudentTextError, TypeError, ValueError, AttributeError) as error:
        reason = str(error) if isinstance(error, StudentTextError) else "a malformed answer"
        found = [reason] * len(texts)
    problems = dict.fromkeys(each for each in found if isinstance(each, str))
    return [{} if isinstance(each, str) else each for each in found], list(problems)


def tokenize_in_this_process(content: bytes) -> list[Views | str]:
    """Return the token sequences of each text, or the problem with it."""
    deadline = time.process_time() + SUBMISSION_SECONDS
    found: list[Views | str] = []
    for text, is_code in json.loads(content):
        seconds = max(0.01, min(TEXT_SECONDS, deadline - time.process_time()))
        try:
            with processor_time_limit(seconds):
                found.append(tokenize_text(text, is_code))
        except StudentTextError as error:
            found.append(str(error))
        except Exception as error:  # Python's tokenizer and parser raise many types of exceptions
            found.append(f"it cannot be processed ({type(error).__name__})")
    return found


def _checked(answer: Any, text: str) -> Views | str:
    """Return an answer of the process with limits if it has the expected types."""
    if isinstance(answer, str):
        return answer

    def token(word: Any, start: Any, end: Any) -> Token:
        if not (type(word) is str and type(start) is type(end) is int):
            raise TypeError("not a token")
        if not 0 <= start <= end <= len(text):
            raise ValueError("not a position")
        return Token(word, start, end)

    return {
        name: [[token(*each) for each in sequence] for sequence in sequences]
        for name, sequences in answer.items()
        if name in VIEWS
    }


def ngrams(tokens: Sequence[Token], length: int) -> Iterator[tuple[str, ...]]:
    """Yield the n-grams of tokens as strings, one per token; the first ones begin with PADDING."""
    texts = [PADDING] * (length - 1) + [token.text for token in tokens]
    for end in range(length, len(texts) + 1):
        yield tuple(texts[end - length : end])


def split_words(text: str, offset: int = 0) -> list[Token]:
    """Return the words of a text in lowercase, without punctuation."""
    return [
        Token(match[0].casefold(), offset + match.start(), offset + match.end())
        for match in WORD.finditer(text)
    ]


def tokenize_code(source: str) -> CodeTokens:
    """Tokenize code, which may be invalid, regardless of its layout.

    Numbers and strings are replaced with their values, and bound names with LOCAL_NAME.
    """
    with warnings.catch_warnings(action="ignore"):  # Python warns about "\\d" and similar strings
        return _tokenize_code(source)


def _tokenize_code(source: str) -> CodeTokens:
    """Tokenize code without hiding Python's warnings."""
    bound = _bound_names(source)
    raw = list(_raw_tokens(source))
    comments = [split_words(text, at) for kind, text, at, _ in raw if kind == tokenize.COMMENT]
    raw = [each for each in raw if each[0] != tokenize.COMMENT]
    tokens: list[Token] = []
    names: dict[str, Token] = {}
    depth = 0
    for index, (kind, text, start, end) in enumerate(raw):
        previous = raw[index - 1][1] if index else ""
        following = raw[index + 1][1] if index + 1 < len(raw) else ""
        depth += (text in OPENING) - (text in CLOSING)
        if text in CLOSING and previous == ",":
            tokens.pop()  # a trailing comma depends on the formatter
        # Students do not choose attribute and keyword names, even if a variable has the same name.
        if text in bound and previous != "." and not (depth > 0 and following == "="):
            names.setdefault(text, Token(text, start, end))
            text = LOCAL_NAME
        elif kind in (tokenize.NUMBER, tokenize.STRING):
            text = _normalize_literal(text)
        tokens.append(Token(text, start, end))
    return CodeTokens(tokens, list(names.values()), comments)


def _raw_tokens(source: str) -> Iterator[tuple[int, str, int, int]]:
    """Yield the type, text, start, and end of each token; split the rest by FALLBACK_TOKEN."""
    line_starts = [0]
    for line in source.split("\n"):
        line_starts.append(line_starts[-1] + len(line) + 1)
    reached = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source, newline="\n").readline):
            if token.type in DROPPED or not token.string.strip():
                continue
            start = line_starts[token.start[0] - 1] + token.start[1]
            reached = line_starts[token.end[0] - 1] + token.end[1]
            yield token.type, token.string, start, reached
    except (tokenize.TokenError, SyntaxError):
        for match in FALLBACK_TOKEN.finditer(source, reached):
            kind = tokenize.COMMENT if match[0].startswith("#") else tokenize.OP
            yield kind, match[0], match.start(), match.end()


def _bound_names(source: str) -> set[str]:
    """Return the names that code binds: variables, arguments, functions, classes, and aliases."""
    try:
        tree = parse_python(MAGIC.sub("", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias) and node.asname:
            names.add(node.asname)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def _normalize_literal(text: str) -> str:
    """Return a literal's value as text, so that 1_000 equals 1000, and 'a' equals "a"."""
    try:
        return repr(parse_literal(text))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return text
