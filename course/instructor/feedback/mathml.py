"""Formulas as MathML, which every current browser displays without a script or network access."""

import re
from html import escape, unescape
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

MAX_LENGTH = 500  # characters in a formula, so that conversion takes milliseconds
MAX_ELEMENTS = 2_000  # in a converted formula
DEFINITION = re.compile(r"\\(def|(re)?new|provide|Declare)")  # macros can grow exponentially
FUNCTION_NAME = re.compile("[a-z]{2,}")
# All attributes that the converter uses for layout; href, class, and style are not allowed.
WORD_ATTRIBUTES = {
    "accent", "columnalign", "columnlines", "display", "displaystyle", "fence", "form",
    "mathvariant", "movablelimits", "notation", "rowlines", "scriptlevel", "separator", "stretchy",
}  # fmt: skip
LENGTH_ATTRIBUTES = {
    "columnspacing", "depth", "height", "linethickness", "lspace", "maxsize", "minsize",
    "rowspacing", "rspace", "voffset", "width",
}  # fmt: skip
WORDS = re.compile(r"[a-z0-3 -]{1,100}")
LENGTH = re.compile(r"(?P<number>[+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}))(?P<unit>[a-z]{0,2})")
NAMED_LENGTH = re.compile(r"(?P<sign>negative)?(?:very){0,2}(?:thin|medium|thick)mathspace")
EM_PER_UNIT = {
    "": 1, "em": 1, "ex": 0.5, "mu": 1 / 18, "px": 1 / 16, "pt": 1 / 12, "pc": 1, "mm": 0.24,
    "cm": 2.4, "in": 6,
}  # fmt: skip
MAX_EM = 20  # of a length
# Of all shifts in a formula together: parts that are moved up, down, or back can cover other text.
MAX_SHIFT_EM = 3


def to_mathml(tex: str, is_block: bool = False) -> str:
    """Return a LaTeX formula as MathML, or as code.

    It is returned as code if it defines macros, is too long or too complex, cannot be converted, or
    could cover other text.
    """
    try:
        if len(tex) > MAX_LENGTH or DEFINITION.search(tex):
            raise ValueError("not converted")
        math = convert_to_element(tex, display="block" if is_block else "inline")
    except Exception:  # for invalid LaTeX, the converter raises exceptions of a dozen types
        return as_code(tex, is_block)
    if sum(1 for _ in math.iter()) > MAX_ELEMENTS:
        return as_code(tex, is_block)
    shift = 0.0
    for element in math.iter():
        # The converter writes text as HTML, and copies \text{...} from the formula.
        element.text = unescape(element.text or "")
        element.attrib = {
            name: value for name, value in element.attrib.items() if _is_layout(name, value)
        }
        shift += sum(_shift(name, value) for name, value in element.attrib.items())
    if shift > MAX_SHIFT_EM:
        return as_code(tex, is_block)
    for element in math.iter():
        _set_spacing(element)
    html = tostring(math, encoding="unicode")
    return f'<span class="formula">{html}</span>' if is_block else html


def as_code(tex: str, is_block: bool = False) -> str:
    """Return a formula as code; `is_block`, a parameter like that of `to_mathml`, has no effect."""
    return f"<code>{escape(' '.join(tex.split()))}</code>"


def _is_layout(name: str, value: str) -> bool:
    """Return whether an attribute only affects the layout, and its lengths are within bounds."""
    if name in WORD_ATTRIBUTES:
        return bool(WORDS.fullmatch(value))
    lengths = [_in_em(each) for each in value.split()] if name in LENGTH_ATTRIBUTES else [None]
    return all(length is not None and abs(length) <= MAX_EM for length in lengths)


def _shift(name: str, value: str) -> float:
    """Return how far an attribute can move parts of a formula over other text, in em."""
    if name not in LENGTH_ATTRIBUTES:
        return 0
    lengths = [_in_em(each) or 0 for each in value.split()]
    return sum(
        abs(length) for length in lengths if length < 0 or name in ("linethickness", "voffset")
    )


def _in_em(length: str) -> float | None:
    """Return a length in em, or None if it has an unknown form."""
    if found := NAMED_LENGTH.fullmatch(length):
        return -0.3 if found["sign"] else 0.3
    found = LENGTH.fullmatch(length)
    if found and found["unit"] in EM_PER_UNIT:
        return float(found["number"]) * EM_PER_UNIT[found["unit"]]
    return None


def _set_spacing(parent: Element) -> None:
    r"""Set the spacing in formulas such as `\log x` and `7{,}850` as LaTeX does."""
    for child, following in zip(parent, [*parent[1:], None], strict=False):
        if child.tag in ("mi", "mo") and FUNCTION_NAME.fullmatch(child.text or ""):
            child.tag = "mo"
            has_argument = following is not None and following.text != "("
            child.attrib |= {"lspace": "0.17em", "rspace": "0.17em" if has_argument else "0"}
        elif child.text == "," and len(parent) == 1:
            child.attrib |= {"lspace": "0", "rspace": "0"}
