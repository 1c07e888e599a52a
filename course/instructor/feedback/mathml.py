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
LAYOUT_ATTRIBUTES = {
    "accent", "columnalign", "columnlines", "columnspacing", "depth", "display", "displaystyle",
    "fence", "form", "height", "linethickness", "lspace", "mathvariant", "maxsize", "minsize",
    "movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator",
    "stretchy", "voffset", "width",
}  # fmt: skip


def to_mathml(tex: str, is_block: bool = False) -> str:
    """Return a LaTeX formula as MathML, or as code if it is too long or cannot be converted."""
    try:
        if len(tex) > MAX_LENGTH or DEFINITION.search(tex):
            raise ValueError("not converted")
        math = convert_to_element(tex, display="block" if is_block else "inline")
    except Exception:  # for invalid LaTeX, the converter raises exceptions of a dozen types
        return as_code(tex, is_block)
    if sum(1 for _ in math.iter()) > MAX_ELEMENTS:
        return as_code(tex, is_block)
    for element in math.iter():
        # The converter writes text as HTML, and copies \text{...} from the formula.
        element.text = unescape(element.text or "")
        element.attrib = {
            name: value for name, value in element.attrib.items() if name in LAYOUT_ATTRIBUTES
        }
    for element in math.iter():
        _set_spacing(element)
    html = tostring(math, encoding="unicode")
    return f'<span class="formula">{html}</span>' if is_block else html


def as_code(tex: str, is_block: bool = False) -> str:
    """Return a formula that is not converted, as code; `is_block` has no effect."""
    return f"<code>{escape(' '.join(tex.split()))}</code>"


def _set_spacing(parent: Element) -> None:
    r"""Set the spacing in formulas such as `\log x` and `7{,}850` as LaTeX does."""
    for child, following in zip(parent, [*parent[1:], None], strict=False):
        if child.tag in ("mi", "mo") and FUNCTION_NAME.fullmatch(child.text or ""):
            child.tag = "mo"
            has_argument = following is not None and following.text != "("
            child.attrib |= {"lspace": "0.17em", "rspace": "0.17em" if has_argument else "0"}
        elif child.text == "," and len(parent) == 1:
            child.attrib |= {"lspace": "0", "rspace": "0"}
