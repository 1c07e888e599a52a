"""What a feedback page shows of texts, code and outputs; nothing of it runs or asks a network."""

import re
from functools import lru_cache
from html import escape

from markupsafe import Markup, escape_silent
from nbconvert.filters.markdown_mistune import IPythonRenderer
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course.instructor.feedback import html_sanitizer
from course.instructor.feedback import mathml

CODE_STYLES = {"light": "vs", "dark": "github-dark"}
DEEPER = 2  # the page's own headings are those above a notebook's
PICTURES = ("image/png", "image/jpeg")
KEPT = 1_000
NARROW = 36  # letters of code that a telephone shows in a line
ANSI = re.compile(r"\x1b\[[0-9;]*m")
PLACE = re.compile("\ue000(\\d+)\ue001")


def markdown(source, attachments=None):
    """Return Markdown as HTML, with its formulas drawn.

    Most texts and checks are the same on every page of a class, and made once a process.

    Parameters
    ----------
    source : str
    attachments : dict, optional
        Pictures of the cell by their names.

    Returns
    -------
    Markup
    """
    return _made(source, attachments) if attachments else _made_once(source)


@lru_cache(maxsize=KEPT)
def _made_once(source):
    return _made(source, {})


def _made(source, attachments):
    renderer = _Renderer(attachments)
    html = html_sanitizer.safe_html(source, renderer)
    # Only now: a drawing is ours, and what cleans the student's part would take it out.
    known = renderer.formulas
    return Markup(PLACE.sub(lambda found: "".join(known[int(found[1]) :][:1]), html))


@lru_cache(maxsize=KEPT)
def code(source):
    """Return Python code, coloured."""
    inner = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    return Markup(f'<pre class="highlight"{_scrolls(source, "Code")}>{inner.rstrip()}</pre>')


def plain(text, label="Output"):
    """Return text that stands as it was printed."""
    text = ANSI.sub("", text).rstrip()
    return Markup(f"<pre{_scrolls(text, label)}>{escape_silent(text)}</pre>") if text else ""


def output(content):
    """Return an output of a cell, or an empty text where there is nothing to show."""
    if content.output_type == "stream":
        return plain(content.text)
    if content.output_type == "error":
        return plain("\n".join(content.traceback) or content.ename, "Error")
    for kind in PICTURES:
        if data := content.data.get(kind):
            # Base64 alone: what else stands there is no picture.
            data = re.sub(r"[^A-Za-z0-9+/=]", "", data)
            alt = escape(" ".join(content.data.get("text/plain", "").split())[:200])
            alt = alt or "A picture that this cell made"
            return Markup(f'<img src="data:{kind};base64,{data}" alt="{alt}">')
    return plain(content.data.get("text/plain", ""))


def code_style(scheme):
    """Return the style sheet of code in a colour scheme."""
    return Markup(HtmlFormatter(style=CODE_STYLES[scheme]).get_style_defs(".highlight"))


def _scrolls(text, label):
    """Return attributes by which a keyboard reaches what is wider than the page."""
    wide = any(len(line) > NARROW for line in text.splitlines())
    return f' tabindex="0" role="region" aria-label="{label}"' if wide else ""


class _Renderer(IPythonRenderer):
    """Makes HTML of Markdown, and keeps the formulas apart."""

    def __init__(self, attachments):
        super().__init__(escape=False, attachments=attachments)
        self.formulas = []

    def heading(self, text, level, **attributes):
        level = min(level + DEEPER, 6)
        return f"<h{level}>{text}</h{level}>\n"

    def image(self, text, url, title=None):
        # A picture from elsewhere would need a network: its words stand for it.
        if not url.startswith(("attachment:", "data:")):
            return text
        return super().image(text, url, title)

    def inline_math(self, body):
        return self._place(mathml.drawn(body))

    def block_math(self, body):
        return self._place(mathml.drawn(body, is_block=True))

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def _place(self, formula):
        self.formulas.append(formula)
        return f"\ue000{len(self.formulas) - 1}\ue001"
