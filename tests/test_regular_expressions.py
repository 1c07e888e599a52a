"""No regular expression of the course takes long, whatever text it is applied to.

The expressions are found in the code, so that a new one cannot be forgotten. For each of them, text
is generated that is hard for expressions with ambiguous repetition: every part of the expression
and every two or three neighboring parts, repeated, after what precedes them in the expression.
"""

import ast
import importlib
import re
import signal
import string
from dataclasses import dataclass

import pytest

from tests.submissions import ROOT

LENGTH = 1_000_000  # characters
SECONDS = 1.0  # of processor time
FUNCTIONS = {
    "compile",
    "search",
    "match",
    "fullmatch",
    "split",
    "findall",
    "finditer",
    "sub",
    "subn",
}
ANCHORED = {"match", "fullmatch"}
UNKNOWN = "an expression that is not in VARIABLES"
ANY_NAME = "mnist"  # stands for a value within an expression that is known only at run time
# Expressions in local variables, by the names of these variables.
VARIABLES = {
    "'|'.join(map(re.escape, longest_first)) or '(?!)'": [r"abc|def", r"(?!)"],
    "expression": [
        rb"(?<![0-9A-Za-z\x80-\xff])(?:ada-b|(ada lovelace|ada))(?![0-9A-Za-z\x80-\xff])"
    ],
    "notebook": [ANY_NAME],
    "title_pattern": [r"(.*) \(Real\)", r"(?:Assignment|Quiz): ?(.*) \(Real\)"],
}
# Files whose expressions meet only the instructor's own text.
INSTRUCTORS_FILES = (
    "course/instructor/gradebook/health.py",  # the address of the gradebook
    "course/instructor/release/",  # the source notebooks and the project's files
    "course/instructor/regression/",  # the source notebooks and the machine
    "course/instructor/site/",  # the released notebooks and the guides
)


@dataclass(frozen=True)
class Use:
    """An expression, and whether it is only matched at the start of a text."""

    place: str
    pattern: re.Pattern
    is_anchored: bool


def uses():
    """Return every expression in the package, compiled, in order of its place."""
    found = {}
    for path in sorted((ROOT / "course").rglob("*.py")):
        if str(path.relative_to(ROOT)).startswith(INSTRUCTORS_FILES):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        methods = {}  # name of a module's variable -> its attributes that the package uses
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                methods.setdefault(node.value.id, set()).add(node.attr)
        names = {
            id(node.value): node.targets[0].id
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if not isinstance(node.func.value, ast.Name) or node.func.value.id != "re":
                continue
            if node.func.attr not in FUNCTIONS:
                continue
            place = f"{path.relative_to(ROOT)}: {ast.unparse(node)[:100]}"
            if id(node) in names:
                name = names[id(node)]
                pattern = getattr(importlib.import_module(module), name)
                used = methods.get(name, set())
                found[place] = Use(place, pattern, bool(used) and used <= ANCHORED)
            else:
                for index, pattern in enumerate(
                    _inline_patterns(node, vars(importlib.import_module(module)))
                ):
                    key = f"{place} [{index}]"
                    found[key] = Use(key, pattern, node.func.attr in ANCHORED)
    return list(found.values())


def _inline_patterns(call, names):
    """Return the expressions of a call such as `re.sub(r"a+", "", text)`.

    `names` are the names in the module.
    """
    flags = [
        eval(ast.unparse(each), {"re": re})
        for each in [*call.args, *(keyword.value for keyword in call.keywords)]
        if ast.unparse(each).startswith("re.") and "(" not in ast.unparse(each)
    ]
    return [re.compile(text, *flags) for text in _texts(call.args[0], names)]


def _texts(node, names):
    """Return the values that an expression's text may have."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(_text_of(part, names) for part in node.values)]
    return VARIABLES.get(ast.unparse(node), [UNKNOWN])


def _text_of(part, names):
    """Return the text of one part of an f-string."""
    if isinstance(part, ast.Constant):
        return part.value
    return str(names.get(ast.unparse(part.value), ANY_NAME))


def hard_texts(pattern):
    """Return texts that are hard for an expression, as pairs of a start and a part to repeat."""
    parser = re._parser
    parsed = parser.parse(
        pattern.pattern,
        pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags,
    )
    pairs = {("", character) for character in sorted(_characters(parsed))}
    pairs |= {("", _sample(parsed))}
    pairs |= set(_neighbors(parsed, ""))
    for start, part in _repetitions(parsed, ""):
        pairs |= {(start, part), ("", start + part), (start + part, part + "\n")}
        pairs |= {("", start + part + "\n"), ("", start + "\n")}
    return sorted(pair for pair in pairs if pair[1])


def _children(operation, argument):
    """Return the parsed parts inside a part of an expression."""
    name = str(operation)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [argument[2]]
    if name == "SUBPATTERN":
        return [argument[3]]
    if name == "BRANCH":
        return argument[1]
    if name in ("ASSERT", "ASSERT_NOT"):
        return [argument[1]]
    if name == "ATOMIC_GROUP":
        return [argument]
    return []


def _sample(parsed):
    """Return a text that the parts of an expression match, each repetition at least once."""
    return "".join(_sample_of(operation, argument) for operation, argument in parsed)


def _sample_of(operation, argument):
    name = str(operation)
    if name.startswith("ASSERT"):
        return ""
    if children := _children(operation, argument):
        count = max(1, argument[0]) if name.endswith("REPEAT") else 1
        return _sample(children[0]) * min(count, 10)
    return min(_members(operation, argument), default="")


def _members(operation, argument):
    """Return some characters that match one position of an expression."""
    name = str(operation)
    if name == "LITERAL":
        return {chr(argument)}
    if name == "NOT_LITERAL":
        return {"a", " "} - {chr(argument)}
    if name == "ANY":
        return {"a", " "}
    if name == "IN":
        rule = re.compile(_class_of(argument), re.S)
        return {each for each in string.printable + "\x1bé\ue000\ud800" if rule.match(each)}
    return set()


def _class_of(items):
    """Return a set of characters as an expression."""
    parts = []
    for operation, argument in items:
        name = str(operation)
        if name == "NEGATE":
            parts.append("^")
        elif name == "LITERAL":
            parts.append(re.escape(chr(argument)))
        elif name == "RANGE":
            parts.append("-".join(re.escape(chr(each)) for each in argument))
        else:
            letter = str(argument).rsplit("_", 1)[1][0].lower()
            parts.append(f"\\{letter.upper() if 'NOT' in str(argument) else letter}")
    return f"[{''.join(parts)}]"


def _characters(parsed):
    """Return some characters for each position of an expression."""
    found = set()
    for operation, argument in parsed:
        found |= set(sorted(_members(operation, argument))[:2])
        found |= _members(operation, argument) & {" ", "\n", "a", "0"}
        for child in _children(operation, argument):
            found |= _characters(child)
    return found


def _repetitions(parsed, start):
    """Yield the body of each repetition with the text before it."""
    for operation, argument in parsed:
        for child in _children(operation, argument):
            if str(operation).endswith("REPEAT"):
                yield start, _sample(child)
            yield from _repetitions(child, start)
        start += _sample_of(operation, argument)


def _neighbors(parsed, start):
    """Yield samples of two and three neighboring parts with the text before them.

    Between two repetitions, a text that both of them match can be divided in many ways.
    """
    parts = []  # samples of the parts that match characters; letters in a row are one part
    after_literal = False
    for operation, argument in parsed:
        for child in _children(operation, argument):
            yield from _neighbors(child, start + "".join(parts))
        is_literal = str(operation) == "LITERAL"
        if sample := _sample_of(operation, argument):
            if is_literal and after_literal:
                parts[-1] += sample
            else:
                parts.append(sample)
            after_literal = is_literal
    for index in range(len(parts)):
        before = start + "".join(parts[:index])
        yield from ((before, "".join(parts[index : index + count])) for count in (2, 3))


def repeated(start, part, length):
    """Return a text of about `length` characters that does not end as the expression wants."""
    return start + part * (length // len(part)) + "\x00"


USES = uses()


class TooSlow(Exception):
    """An expression took longer than it may."""


@pytest.mark.parametrize("use", USES, ids=lambda use: use.place)
def test_every_expression_takes_less_than_a_second_for_a_megabyte(use):
    assert use.pattern.pattern != UNKNOWN, "add values of the expression to VARIABLES"
    check_time(use.pattern, use.is_anchored)


def check_time(pattern, is_anchored):
    """Apply an expression to a megabyte of text that is hard for it, or raise TooSlow."""
    pairs = hard_texts(pattern)
    single = [pair for pair in pairs if len("".join(pair)) == 1 and not is_anchored]
    texts = [repeated(*pair, LENGTH) for pair in pairs if pair not in single]
    # Single characters can be in one text: the expression is tried at every position.
    texts.append("\n".join(repeated(*pair, LENGTH // len(single)) for pair in single))
    if isinstance(pattern.pattern, bytes):
        texts = [text.encode(errors="replace") for text in texts]

    def stop(*_):
        raise TooSlow(pattern.pattern)

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        for text in texts:
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            if is_anchored:
                pattern.match(text)
                pattern.fullmatch(text)
            else:
                pattern.sub(text[:0], text)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize(
    "text",
    [
        r"#{1,6}\s+(.*?)[\s#]*$",
        r"(?ms)^BEGIN.*?^END",
        r"\([^()]*\bpoints?\b[^()]*\)\Z",
        r"(\s*,\s*)*;",
    ],
)
def test_the_generated_text_finds_ambiguous_repetition(text):
    """Expressions of the kinds that took minutes are found: the test above means something."""
    with pytest.raises(TooSlow):
        check_time(re.compile(text), False)
