"""The font of the formulas: without a font for mathematics, roots and brackets do not stretch."""

import html
import importlib.util
import logging
import re
from pathlib import Path

from fontTools import subset

PACKAGE = "ziamath"  # contains STIX Two Math, whose license permits copies (SIL Open Font License)
FONT = Path("fonts", "STIXTwoMath-Regular.ttf")
FILE = "math.woff"
FORMULA = re.compile(r"<math\b.*?</math>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
# Besides the characters of the formulas: ASCII, accents and the root sign, and the italic letters
# that a browser uses for variables.
OTHERS = [range(0x20, 0x7F), range(0x1D434, 0x1D468), range(0x1D6E2, 0x1D71C)]
OTHER_CHARACTERS = [0x02C6, 0x0302, 0x0304, 0x203E, 0x210E, 0x2212, 0x221A]


def write(site: Path) -> None:
    """Write a font with the characters of the formulas on the pages of a site.

    The whole font is 1.5 MB. The names in the font contain its license.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if not spec or not spec.origin:
        raise ModuleNotFoundError(f"No module named {PACKAGE!r}", name=PACKAGE)
    characters = {*OTHER_CHARACTERS, *(code for codes in OTHERS for code in codes)}
    for page in site.glob("*.html"):
        for formula in FORMULA.findall(page.read_text(encoding="utf-8")):
            characters.update(map(ord, html.unescape(TAG.sub("", formula))))
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it lists all glyphs
    options = subset.Options(flavor="woff", name_IDs=["*"], layout_features=["*"], hinting=False)
    font = subset.load_font(str(Path(spec.origin).parent / FONT), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    subset.save_font(font, str(site / "_static" / FILE), options)
