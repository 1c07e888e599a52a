"""Markdown, code, and outputs of a notebook as HTML without scripts or network access."""

import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape_silent
from nbconvert.filters.markdown_mistune import IPythonRenderer
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course.instructor.feedback import html_sanitizer, mathml

if TYPE_CHECKING:
    from nbformat import NotebookNode

CODE_STYLES = {"light": "vs", "dark": "github-dark"}
HEADING_OFFSET = 2  # the page's own headings rank above the notebook's
IMAGE_TYPES = ("image/png", "image/jpeg")
CACHE_SIZE = 1_000  # most texts and checks are the same on every page of a class
NARROW_COLUMNS = 36  # the number of code characters that fit in a line on a phone
ANSI_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")


def render_markdown(source: str, attachments: "NotebookNode | None" = None) -> Markup:
    """Return Markdown as HTML; `attachments` contains the cell's images by name."""
    return _render(source, attachments) if attachments else _render_cached(source)


def _render(source: str, attachments: "NotebookNode | None" = None) -> Markup:
    """Return Markdown as HTML."""
    renderer = _Renderer(attachments or {})
    html = html_sanitizer.sanitize_markdown(source, renderer)
    # The formulas are inserted last, because the sanitizer would remove MathML.
    formulas = renderer.formulas
    return Markup(PLACEHOLDER.sub(lambda match: "".join(formulas[int(match[1]) :][:1]), html))


_render_cached = lru_cache(maxsize=CACHE_SIZE)(_render)


@lru_cache(maxsize=CACHE_SIZE)
def render_code(source: str) -> Markup:
    """Return Python code as HTML with syntax highlighting."""
    html = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    attributes = _scroll_attributes(source, "Code")
    return Markup(f'<pre class="highlight"{attributes}>{html.rstrip()}</pre>')


def render_text(text: str, label: str = "Output") -> Markup:
    """Return printed text as HTML; the result is empty for empty text."""
    text = ANSI_ESCAPE.sub("", text).rstrip()
    attributes = _scroll_attributes(text, label)
    return Markup(f"<pre{attributes}>{escape_silent(text)}</pre>") if text else Markup("")


def render_output(output: "NotebookNode") -> Markup:
    """Return a cell output as HTML; the result is empty if there is nothing to show."""
    if output.output_type == "stream":
        return render_text(output.text)
    if output.output_type == "error":
        return render_text("\n".join(output.traceback) or output.ename, "Error")
    for image_type in IMAGE_TYPES:
        if data := output.data.get(image_type):
            # Only Base64 characters can belong to an image.
            data = re.sub(r"[^A-Za-z0-9+/=]", "", data)
            alt = escape(" ".join(output.data.get("text/plain", "").split())[:200])
            alt = alt or "A figure that this cell displays"
            return Markup(f'<img src="data:{image_type};base64,{data}" alt="{alt}">')
    return render_text(output.data.get("text/plain", ""))


def code_style_sheet(color_scheme: str) -> Markup:
    """Return the style sheet of highlighted code for the color scheme "light" or "dark"."""
    formatter: HtmlFormatter = HtmlFormatter(style=CODE_STYLES[color_scheme])
    return Markup(formatter.get_style_defs(".highlight"))


def _scroll_attributes(text: str, label: str) -> str:
    """Return attributes that let readers use the keyboard to scroll text wider than the page."""
    is_wide = any(len(line) > NARROW_COLUMNS for line in text.splitlines())
    return f' tabindex="0" role="region" aria-label="{label}"' if is_wide else ""


class _Renderer(IPythonRenderer):
    """A renderer that writes Markdown as HTML and replaces formulas with placeholders."""

    def __init__(self, attachments: "NotebookNode | dict") -> None:
        super().__init__(escape=False, attachments=attachments)
        self.formulas: list[str] = []

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        """Return a heading that ranks below the page's own headings."""
        level = min(level + HEADING_OFFSET, 6)
        return f"<h{level}>{text}</h{level}>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Return an image, or its alternative text if the image is not embedded."""
        if not url.startswith(("attachment:", "data:")):
            return text
        return super().image(text, url, title)

    def inline_math(self, body: str) -> str:
        """Return a placeholder for a formula within a line."""
        return self._add_formula(mathml.to_mathml(body))

    def block_math(self, body: str) -> str:
        """Return a placeholder for a formula on its own line."""
        return self._add_formula(mathml.to_mathml(body, is_block=True))

    def latex_environment(self, name: str, body: str) -> str:
        """Return a placeholder for a LaTeX environment."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def _add_formula(self, formula: str) -> str:
        """Add a formula and return its placeholder."""
        self.formulas.append(formula)
        return f"\ue000{len(self.formulas) - 1}\ue001"
