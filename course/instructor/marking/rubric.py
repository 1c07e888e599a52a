"""The rubric of a written answer: the items with points in the mark scheme of its question.

An item is a list item that begins with a signed number in bold, such as `- **+0.5** Names a cost.`
All other text of a mark scheme is guidance for graders.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

BEGIN, END = "BEGIN MARK SCHEME", "END MARK SCHEME"  # as nbgrader finds them
LIST_ITEM = re.compile(r"(?P<indent> *)(?:[-*+]|[0-9]{1,9}[.)]) +(?P<text>\S.*)")
# A sign in bold or italics at the start of a list item, and a number of points that can be read.
SIGN = re.compile(r"[*_]{1,3} ?[-+\u2212\u2013\u2014\u00b1]")
NUMBER = r"(?P<bold>\*\*|__)(?P<sign>[-+\u2212])(?P<number>[0-9]{1,4}(?:\.[0-9]{1,4})?)(?P=bold)"
POINTS_NUMBER = re.compile(NUMBER)
POINTS = re.compile(rf"{NUMBER}(?: +|$)(?P<text>.*)")
REQUIRES = re.compile(r"\brequires item ([0-9]{1,3})\b", re.IGNORECASE)
FENCE = re.compile(r" *(?P<fence>`{3,}|~{3,})")
# What ends a list item although no blank line precedes it: a heading, a quotation, or a rule.
INTERRUPTION = re.compile(r" {0,3}(?:#{1,6} |>|[-*_]{3,}$)")
CODE_OR_FORMULA = re.compile(r"`[^`]*+`|\$[^$]*+\$")
LABEL_END = re.compile(r":[*_]{0,3}(?= |$)|[.!?][*_]{0,3}(?= [^a-z]|$)")
MAX_LABEL = 100  # characters
DECIMALS = 4  # of points
MAX_SHOWN = 40  # characters of an item whose points cannot be read


@dataclass(frozen=True)
class RubricItem:
    """What an answer gains or loses points for. `key` stays the same if the points change.

    `required` is the number of the item without which this one does not count, from 1, or None.
    """

    key: str
    points: float
    label: str  # what the student sees
    text: str  # Markdown, without the points
    line: int  # of the source in which the item begins, from 0
    required: int | None = None


@dataclass(frozen=True)
class MarkScheme:
    """The mark scheme of a question: its rubric items, and all other text as Markdown."""

    items: list[RubricItem]
    guidance: str


@dataclass
class _Part:
    """Successive lines of a mark scheme: a list item that begins with a sign, or guidance."""

    is_item: bool = False
    indent: int = 0  # of the bullet
    content: int = 0  # column at which the text of the item begins
    start: int = 0  # line of the source
    lines: list[str] = field(default_factory=list)

    def ends_before(self, line: str) -> bool:
        """Return whether a line does not belong to the list item."""
        if not self.is_item or not line.strip() or _indent(line) >= self.indent + 2:
            return False
        if not self.lines[-1].strip():
            return True
        return bool(LIST_ITEM.match(line) or FENCE.match(line) or INTERRUPTION.match(line))

    def text(self) -> str:
        """Return the lines, without the indentation of the list item after the first."""
        first, *others = self.lines or [""]
        kept = [line[min(_indent(line), self.content) :] for line in others]
        return "\n".join(line.rstrip() for line in [first, *kept]).strip()


def parse_mark_scheme(source: str) -> MarkScheme:
    """Return the mark scheme between the markers in the source of a cell; without markers, none."""
    items: list[RubricItem] = []
    guidance: list[str] = []
    count: Counter[str] = Counter()
    for part in _parts(source):
        text = part.text()
        first, _, others = text.partition("\n")
        points = POINTS.match(first) if part.is_item else None
        if not points:
            guidance.append(f"- {text}" if part.is_item else text)
            continue
        size = float(points["number"])
        text = f"{points['text']}\n{others}".strip()
        label = _label(text)
        count[label] += 1
        # Items with the same label have different keys.
        name = label if count[label] == 1 else f"{label}\n{count[label]}"
        key = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]
        size = size if points["sign"] == "+" else 0.0 - size
        required = REQUIRES.search(text)
        number = int(required[1]) if required else None
        items.append(RubricItem(key, size, label, text, part.start, number))
    return MarkScheme(items, "\n\n".join(filter(None, guidance)))


def required_item(item: RubricItem, items: Sequence[RubricItem]) -> RubricItem | None:
    """Return the item without which an item does not count, or None."""
    if item.required is None or not 1 <= item.required <= len(items):
        return None
    found = items[item.required - 1]
    return None if found.key == item.key else found


def with_points(source: str, key: str, points: float) -> str:
    """Return the source of a cell in which a rubric item, if it has it, has other points."""
    lines = source.split("\n")
    sign = "\u2212" if points < 0 else "+"
    number = f"{abs(points):.{DECIMALS}f}".rstrip("0").rstrip(".")
    for item in parse_mark_scheme(source).items:
        if item.key == key:
            line = lines[item.line]
            lines[item.line] = POINTS_NUMBER.sub(rf"\g<bold>{sign}{number}\g<bold>", line, count=1)
    return "\n".join(lines)


def unreadable_items(source: str) -> list[str]:
    """Return the beginning of each list item with a sign in bold that is not a rubric item."""
    return [
        part.lines[0][:MAX_SHOWN]
        for part in _parts(source)
        if part.is_item and not POINTS.match(part.lines[0])
    ]


def _parts(source: str) -> Iterator[_Part]:
    """Yield the parts of the mark schemes in the source of a cell, in order."""
    part, fence = _Part(), ""
    for number, line in _region(source):
        if part.ends_before(line):
            yield part
            part, fence = _Part(), ""
        if fence:
            part.lines.append(line)
            if line.strip().startswith(fence) and not line.strip(f"{fence[0]} "):
                fence = ""
            continue
        item, opening = LIST_ITEM.match(line), FENCE.match(line)
        if item and SIGN.match(item["text"]):
            yield part
            text, content = item["text"].strip(), item.start("text")
            part = _Part(True, len(item["indent"]), content, number, [text])
            continue
        part.lines.append(line)
        fence = opening["fence"] if opening else ""
    yield part


def _region(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines between the markers, with their numbers."""
    is_inside = False
    for number, line in enumerate(source.replace("\r\n", "\n").split("\n")):
        if BEGIN in line or END in line:
            is_inside = BEGIN in line
        elif is_inside:
            yield number, line.expandtabs(4)


def _indent(line: str) -> int:
    """Return the number of spaces at the start of a line."""
    return len(line) - len(line.lstrip(" "))


def _label(text: str) -> str:
    """Return the text of an item up to the first colon or the end of the first sentence."""
    lines: list[str] = []
    for line in text.split("\n"):
        if not line.strip() or (lines and (LIST_ITEM.match(line) or FENCE.match(line))):
            break
        lines.append(line)
    paragraph = " ".join(" ".join(lines).split())
    # A colon or a period within code or a formula does not end the label.
    masked = CODE_OR_FORMULA.sub(lambda match: "x" * len(match[0]), paragraph)
    end = LABEL_END.search(masked)
    label = paragraph[: end.start()] if end else paragraph
    label = label.strip(" *_")
    if len(label) > MAX_LABEL:
        return f"{label[:MAX_LABEL].rpartition(' ')[0] or label[:MAX_LABEL]}\u2026"
    return f"{label}{end[0][0]}" if end and end[0][0] in "!?" else label
