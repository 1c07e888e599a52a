"""Markdown as safe HTML, for the formgrader and for feedback pages.

nbgrader's two page templates convert Markdown cells and comments with the filter `markdown2html`
and, unlike nbconvert's own templates, do not sanitize the result: a script in a written answer
would run in a grader's browser, with that grader's rights. nbgrader_config.py therefore replaces
the filter with `markdown_to_safe_html`.
"""

import re
from html import escape

import bleach
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

# The tags that Markdown produces, and the tags that the course's own text cells use.
TAGS = {
    *bleach.ALLOWED_TAGS,
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "div", "span", "img", "pre"),
    *("table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"),
    *("del", "sub", "sup", "kbd", "details", "summary"),
}
ATTRIBUTES = {
    "*": ["class", "title"],
    "a": ["href"],
    "img": ["src", "alt", "width", "height"],
    "ol": ["start"],
    **{f"h{level}": ["id"] for level in range(1, 7)},
}
# Images attached to a cell are embedded as data.
IMAGE_DATA = re.compile(r"data:image/(png|jpeg|gif|webp);base64,", re.I)
PROTOCOLS = {"http", "https", "mailto"}
# MathJax would turn this command into a link to any address, after the sanitizer has run.
MATH_LINK = re.compile(r"\\href\b")


@pass_context
def markdown_to_safe_html(context: Context, source: str) -> str:
    """Return Markdown as safe HTML; a Jinja filter for nbgrader's templates."""
    attachments = context.get("cell", {}).get("attachments", {})
    return sanitize_markdown(source, IPythonRenderer(escape=False, attachments=attachments))


def sanitize_markdown(source: str, renderer: IPythonRenderer) -> str:
    r"""Return Markdown as HTML that runs no scripts.

    Forbidden tags, and the address of `\href` in a formula, are shown as text. Forbidden attributes
    are removed. Markdown that cannot be converted (because an attachment is missing, or quotes are
    nested ten thousand levels deep) is shown as plain text.
    """
    try:
        html = MarkdownWithMath(renderer=renderer).render(MATH_LINK.sub(r"\\text", source))
    except (InvalidNotebook, RecursionError):
        html = f"<pre>{escape(source)}</pre>"
    return bleach.clean(
        html, tags=TAGS, attributes=_is_allowed, protocols=PROTOCOLS | {"data"}, strip_comments=True
    )


def _is_allowed(tag: str, name: str, value: str) -> bool:
    """Return True if a tag may have an attribute with this value."""
    if name in ("href", "src") and value.strip().lower().startswith("data:"):
        return name == "src" and bool(IMAGE_DATA.match(value.strip()))
    return name in ATTRIBUTES["*"] or name in ATTRIBUTES.get(tag, ())
