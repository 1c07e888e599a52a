"""A Sphinx extension: formulas as MathML, and wide content that can be scrolled with the keyboard.

Without it, pages would load MathJax from another server, and formulas would need scripts.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util import logging

from course.instructor.feedback.mathml import to_mathml

LOGGER = logging.getLogger(__name__)
DATA_ADDRESS = re.compile(r"data:image/(png|svg\+xml);base64,(.+)", re.DOTALL)
IMAGES = "_images"
IMAGE = re.compile(rf'(?P<tag><img\b[^>]*? src="(?P<file>{IMAGES}/[^"]+)")')
SVG_SIZE = re.compile(r'<svg\b[^>]*?viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"')
SHORT_CODE = 32  # characters; in a table, such code is on one line
LONG_CELL = 30  # characters; on a phone, a column with such a cell has a minimum width
MATRIX = re.compile(r"<mo>\(</mo><mtable>(.*?)</mtable><mo>\)</mo>", re.DOTALL)
# Corrections to the theme: landmarks need different names, and headings need a level.
CORRECTIONS = {
    '<aside class="sidebar-drawer"': '<aside class="sidebar-drawer" aria-label="Site"',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    'class="caption" role="heading"': 'class="caption" role="heading" aria-level="2"',
    '<div id="search-results">': '<h1>Search</h1>\n<div id="search-results">',
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(_visit_inline, None), block_renderers=(_visit_block, None)
    )
    # After the theme, which wraps tables.
    app.connect("html-page-context", _make_accessible, priority=900)
    app.connect("build-finished", _correct_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _visit_inline(translator: Any, node: nodes.Element) -> None:
    """Write a formula in a line of text."""
    translator.body.append(_formula(node, is_block=False))
    raise nodes.SkipNode


def _visit_block(translator: Any, node: nodes.Element) -> None:
    """Write a formula on a line of its own."""
    translator.body.append(f'<div class="formula">{_formula(node, is_block=True)}</div>\n')
    raise nodes.SkipNode


def _formula(node: nodes.Element, is_block: bool) -> str:
    """Return a formula as MathML; a formula that cannot be converted is a warning of the build."""
    converted = to_mathml(node.astext(), is_block)
    if converted.startswith("<code>"):
        LOGGER.warning("cannot convert the formula %r", node.astext(), location=node)
    # A style sheet draws the parentheses, because most fonts cannot stretch them.
    return MATRIX.sub(r'<mtable class="matrix">\1</mtable>', converted)


def _make_accessible(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.Node | None
) -> None:
    """Store images as files, and let the keyboard reach everything that can be scrolled."""
    if not context.get("body"):
        return
    body = BeautifulSoup(context["body"], "html.parser")
    for image in body.find_all("img", src=DATA_ADDRESS):
        kind, encoded = DATA_ADDRESS.fullmatch(str(image["src"])).groups()  # type: ignore[union-attr]
        content = base64.b64decode(encoded)
        file = f"{hashlib.sha256(content).hexdigest()[:16]}.{kind.partition('+')[0]}"
        folder = Path(app.outdir, IMAGES)
        folder.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
        image["src"] = f"{IMAGES}/{file}"
        if not image.find_parent("a"):  # the full size
            image.wrap(body.new_tag("a", attrs={"class": "image", "href": str(image["src"])}))
    for table in body.select("table"):
        if not table.find_parent(class_="table-wrapper"):
            table.wrap(body.new_tag("div", attrs={"class": "table-wrapper"}))
    for code in body.select("td code"):
        if len(code.get_text()) <= SHORT_CODE:
            _add_class(code, "short")
    for cell in body.select("td"):
        if len(cell.get_text(strip=True)) > LONG_CELL:
            _add_class(cell, "long")
    for heading in body.select("th"):
        if not heading.get_text(strip=True):
            heading.name = "td"  # an empty heading announces nothing
    for summary in body.select("details.hide > summary"):
        # Instead of a label that differs from the visible title, and two copies of the title.
        summary.string = summary.get_text("\n", strip=True).partition("\n")[0]
        del summary["aria-label"]
    regions = body.select("pre"), body.select(".table-wrapper"), body.select("div.formula")
    for elements, label in zip(regions, ("Code or output", "Table", "Formula"), strict=True):
        for number, element in enumerate(elements, start=1):
            element.attrs |= {"tabindex": "0", "role": "region", "aria-label": f"{label} {number}"}
    context["body"] = str(body)


def _add_class(tag: Tag, name: str) -> None:
    """Add a class to a tag."""
    tag["class"] = " ".join([*filter(None, tag.get_attribute_list("class")), name])


def _correct_pages(app: Sphinx, error: Exception | None) -> None:
    """Correct the parts of each page that come from templates, and add the sizes of its images."""
    for page in Path(app.outdir).glob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = IMAGE.sub(lambda found: _with_size(found, Path(app.outdir)), text)
        for wrong, right in CORRECTIONS.items():
            text = text.replace(wrong, right)
        page.write_text(text, encoding="utf-8")


def _with_size(image: re.Match[str], folder: Path) -> str:
    """Return an image's tag with its size, so that a page has its final height at once.

    Otherwise, a link to a section would lead to where the section is without the images.
    """
    file = folder / image["file"]
    if file.suffix == ".svg":
        numbers = SVG_SIZE.search(file.read_text(encoding="utf-8"))
        size = [round(float(each)) for each in numbers.groups()] if numbers else []
    else:
        with Image.open(file) as opened:
            size = list(opened.size)
    if not size:
        return image[0]
    return f'{image["tag"]} width="{size[0]}" height="{size[1]}"'
