"""Limits of text that browsers would take very long to lay out, such as stacked combining marks.

The time that Chromium takes grows with the square of the length for combining marks in succession,
and for lines whose direction changes often: a text of 190,000 characters can take a minute.
"""

import re
import unicodedata
from functools import lru_cache
from html import unescape

MAX_MARKS = 8  # in succession; more than in any writing system
MAX_DIRECTION_CHANGES = 1_000  # in one text
# Vowels of Thai and Lao that are letters in Unicode, but are arranged as marks.
LAID_OUT_AS_MARKS = "\u0e33\u0eb3"
DIRECTION_CONTROLS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
DIRECTION_CONTROL = re.compile(f"[{DIRECTION_CONTROLS}]")
# Characters that end the effect of LEFT_TO_RIGHT.
PARAGRAPH_END = re.compile("[\r\x1c-\x1e\x85\u2029]")
# In a copy with R for what is written from right to left, and L for what is not.
DIRECTION_CHANGE = re.compile("R[^RL]{0,50}+L")
LEFT_TO_RIGHT = "\u202d"  # until the end of the line
MARK = "\0"  # stands for each mark
SURPLUS_MARKS = re.compile(f"{MARK}{{{MAX_MARKS + 1},}}")
TAG = re.compile(r"<[^<>]*+>")


def limit_layout(text: str) -> str:
    """Return text without surplus marks, in one direction if the direction changes too often."""
    if text.isascii():
        return text
    text = _without_surplus_marks(text)
    directions = text.translate({ord(each): _direction(each) for each in set(text)})
    if len(DIRECTION_CHANGE.findall(directions)) > MAX_DIRECTION_CHANGES:
        lines = PARAGRAPH_END.sub("\n", DIRECTION_CONTROL.sub("", text)).split("\n")
        text = "\n".join(LEFT_TO_RIGHT + line for line in lines)
    return text


def _without_surplus_marks(text: str) -> str:
    """Return a text without the marks that follow MAX_MARKS others.

    The marks are found in a copy: compiling an expression with those of a text takes 10 ms.
    """
    copy = text.translate(dict.fromkeys(map(ord, filter(_is_mark, set(text))), MARK))
    kept, position = [], 0
    for surplus in SURPLUS_MARKS.finditer(copy):
        kept.append(text[position : surplus.start() + MAX_MARKS])
        position = surplus.end()
    return "".join([*kept, text[position:]])


def is_slow(html: str) -> bool:
    """Return whether a browser could take long to lay out HTML."""
    # Marks in succession can be in separate tags, or in the text of an attribute.
    texts = unescape(html), unescape(TAG.sub("", html))
    return any(limit_layout(text) != text for text in texts)


@lru_cache(maxsize=10_000)
def _direction(character: str) -> str:
    """Return "R" or "L" for a character that sets a direction, and a space for any other."""
    if DIRECTION_CONTROL.match(character):
        return "R"
    return {"R": "R", "AL": "R", "L": "L"}.get(unicodedata.bidirectional(character), " ")


@lru_cache(maxsize=10_000)
def _is_mark(character: str) -> bool:
    """Return whether a character is arranged together with the one before it."""
    category = unicodedata.category(character)
    return category[0] == "M" or category == "Cf" or character in LAID_OUT_AS_MARKS
