"""Markdown, code, and outputs of a notebook as HTML without scripts or network access."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup, escape_silent
from nbconvert.filters.markdown_mistune import IPythonRenderer
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course.instructor.feedback import html_sanitizer, mathml
from course.instructor.student_text import layout_limits
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.notebook_parser import EMBEDDED_IMAGE, REMOVED_IMAGE
from course.instructor.student_text.size_limits import MAX_FORMULAS, MAX_TEXT_CHARACTERS

CODE_STYLES = {"light": "vs", "dark": "github-dark"}
HEADING_OFFSET = 2  # the page's own headings rank above the notebook's
IMAGE_TYPES = ("image/png", "image/jpeg")
NARROW_COLUMNS = 36  # the number of code characters that fit in a line on a phone
ANSI_ESCAPE = re.compile(r"\x1b\[[0-9;]*+m")
# Placeholders for content that the sanitizer would remove or would take long to read.
FRAGMENT = re.compile("\ue000(\\d{1,6})\ue001")
IMAGE_SOURCE = re.compile(r'src="data:image/([a-z]{1,9});base64,(\d{1,6})"')
NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
ATTACHMENT = "attachment:"
NOT_SHOWN = "(an image that cannot be shown here: see the submitted file)"
SHOWN_ADDRESS = re.compile(r"(?i)https?://|mailto:")
MAX_ADDRESS = 500  # characters of the address of a link
SHOWN_IMAGE = html_sanitizer.ATTRIBUTES["img", "src"]

Attachments = Mapping[str, Mapping[str, str]]  # name to media type to Base64


def render_markdown(source: str, attachments: Attachments | None = None) -> Markup:
    """Return Markdown as HTML; `attachments` contains the cell's images by name.

    Students' text is rendered by `limited_renderer`, which calls this function's three parts.
    """
    source, addresses, images = extract_images(source, attachments or {})
    return insert_images(render_extracted(source, addresses), images)


def extract_images(source: str, attachments: Attachments) -> tuple[str, dict[str, str], list[str]]:
    """Replace images with short addresses, so that only text has to be parsed.

    Returns the text, the addresses of the attachments by name, and the images in Base64. An
    address contains the position of its image in the list.
    """
    images: list[str] = []

    def add(kind: str, data: str) -> str:
        images.append(NOT_BASE64.sub("", data))
        return f"data:{kind};base64,{len(images) - 1}"

    def replace(match: re.Match[str]) -> str:
        kind, _, data = match[0].removeprefix("data:").partition(";base64,")
        return add(kind, data)

    addresses = {
        name: add(*next(iter(bundle.items()))) for name, bundle in attachments.items() if bundle
    }
    return EMBEDDED_IMAGE.sub(replace, source), addresses, images


def render_extracted(source: str, addresses: Mapping[str, str]) -> str:
    """Return the Markdown that `extract_images` returned as HTML without active content."""
    renderer = _Renderer(addresses)
    source = source.replace("\ue000", "").replace("\ue001", "")
    html = html_sanitizer.sanitize_markdown(source, renderer)
    # The formulas are inserted last, because the sanitizer would remove MathML.
    return FRAGMENT.sub(renderer.take_fragment, html)


def insert_images(html: str, images: Sequence[str], max_characters: int | None = None) -> Markup:
    """Return HTML with the images from `extract_images` in place of their short addresses.

    Raises StudentTextError if the images have more than `max_characters` in total: a text can show
    one image many times. By default, there is no limit.
    """
    total = 0

    def insert(match: re.Match[str]) -> str:
        nonlocal total
        data = "".join(images[int(match[2]) :][:1])
        total += len(data)
        if max_characters is not None and total > max_characters:
            raise StudentTextError("its images would make the page too large")
        return f'src="data:image/{match[1]};base64,{data}"'

    return Markup(IMAGE_SOURCE.sub(insert, html))


def render_code(source: str) -> Markup:
    """Return Python code as HTML with syntax highlighting."""
    html = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    attributes = _scroll_attributes(source, "Code")
    return Markup(f'<pre class="highlight"{attributes}>{html.rstrip()}</pre>')


def render_text(text: str, label: str = "Output") -> Markup:
    """Return text as HTML without formatting; the result is empty for empty text."""
    text = ANSI_ESCAPE.sub("", text).rstrip()
    if len(text) > MAX_TEXT_CHARACTERS:
        omitted = f"\n... ({len(text) - MAX_TEXT_CHARACTERS:,} more characters)"
        text = text[:MAX_TEXT_CHARACTERS] + omitted
    text = layout_limits.limit_layout(text)
    attributes = _scroll_attributes(text, label)
    return Markup(f"<pre{attributes}>{escape_silent(text)}</pre>") if text else Markup("")


def render_output(output: Mapping[str, Any]) -> Markup:
    """Return a cell output as HTML; the result is empty if there is nothing to show."""
    if output["output_type"] == "stream":
        return render_text(output["text"])
    if output["output_type"] == "error":
        return render_text("\n".join(output["traceback"]) or output["ename"], "Error")
    data = output["data"]
    for image_type in IMAGE_TYPES:
        if image := data.get(image_type):
            # Only Base64 characters can belong to an image.
            image = NOT_BASE64.sub("", image)
            alt = escape(" ".join(data.get("text/plain", "")[:1_000].split())[:200])
            alt = alt or "A figure that this cell displays"
            return Markup(f'<img src="data:{image_type};base64,{image}" alt="{alt}">')
    return render_text(data.get("text/plain", ""))


def code_style_sheet(color_scheme: str) -> Markup:
    """Return the style sheet for highlighted code in the color scheme "light" or "dark"."""
    formatter: HtmlFormatter = HtmlFormatter(style=CODE_STYLES[color_scheme])
    return Markup(formatter.get_style_defs(".highlight"))


def _scroll_attributes(text: str, label: str) -> str:
    """Return attributes that let readers use the keyboard to scroll text wider than the page."""
    is_wide = any(len(line) > NARROW_COLUMNS for line in text.splitlines())
    return f' tabindex="0" role="region" aria-label="{label}"' if is_wide else ""


class _Renderer(IPythonRenderer):
    """A renderer that writes Markdown as HTML, with placeholders for formulas and code."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        super().__init__(escape=False)
        self._addresses = addresses  # of attachments
        self._fragments: list[str] = []  # HTML of formulas and code
        self._formula_count = 0

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        """Return a heading that ranks below the page's own headings."""
        level = min(level + HEADING_OFFSET, 6)
        return f"<h{level}>{text}</h{level}>\n"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Return a link's text, followed by its address: the page has no links to other pages."""
        address = escape(url[:MAX_ADDRESS])
        is_shown = SHOWN_ADDRESS.match(url) and address != text
        return f"{text} ({address})" if is_shown else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Return an image, or its alternative text if the image cannot be shown.

        If the image was part of the notebook, a note is added to the text.
        """
        own = url.startswith((ATTACHMENT, "data:", REMOVED_IMAGE))
        if url.startswith(ATTACHMENT):
            url = self._addresses.get(url.removeprefix(ATTACHMENT), "")
        if SHOWN_IMAGE.match(url):
            return super().image(text, url, title)
        return f"{text} {NOT_SHOWN}" if own else text

    def block_code(self, code: str, info: str | None = None) -> str:
        """Return a placeholder for a block of code."""
        return self._add_fragment(super().block_code(code, _language(info)))

    def inline_math(self, body: str) -> str:
        """Return a placeholder for a formula within a line."""
        return self._add_formula(body)

    def block_math(self, body: str) -> str:
        """Return a placeholder for a formula on its own line."""
        return self._add_formula(body, is_block=True)

    def latex_environment(self, name: str, body: str) -> str:
        """Return a placeholder for a LaTeX environment."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def take_fragment(self, match: re.Match[str]) -> str:
        """Return the HTML that a placeholder stands for, or "" if it was returned before."""
        index = int(match[1])
        if index >= len(self._fragments):
            return ""
        html, self._fragments[index] = self._fragments[index], ""
        return html

    def _add_formula(self, body: str, is_block: bool = False) -> str:
        """Convert a formula to HTML, save it, and return its placeholder."""
        self._formula_count += 1
        too_many = self._formula_count > MAX_FORMULAS
        convert = mathml.as_code if too_many else mathml.to_mathml
        return self._add_fragment(convert(body, is_block))

    def _add_fragment(self, html: str) -> str:
        """Save HTML and return its placeholder."""
        self._fragments.append(html)
        return f"\ue000{len(self._fragments) - 1}\ue001"


def _language(info: str | None) -> str | None:
    """Return a code block's language, or None if it is not a short alphanumeric name or mermaid."""
    words = (info or "").split(maxsplit=1)
    is_plain = bool(words) and len(words[0]) < 30 and words[0].isalnum()
    return words[0] if is_plain and not words[0].startswith("mermaid") else None
