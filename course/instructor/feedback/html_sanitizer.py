"""Markdown as safe HTML, for the formgrader and for feedback pages.

Markdown can contain HTML. The sanitized HTML has no scripts, and no class, style, or id: with
these, a student's text could look like one of the page's own buttons, or cover the whole page.
It has no links either: a link, such as one to the reader's own Jupyter server, would open with the
rights of the person who clicks it. Images are embedded.
"""

import re
from html import escape

import bleach
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

# The tags that Markdown produces, and the tags that the course's own text cells use.
TAGS = {
    *bleach.ALLOWED_TAGS,
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "div", "span", "img", "pre"),
    *("table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"),
    *("del", "sub", "sup", "kbd", "details", "summary"),
}
# Maps an attribute of a tag ("*" stands for every tag) to the values that it may have.
ATTRIBUTES = {
    ("*", "title"): re.compile(r"(?s).*"),
    ("img", "src"): re.compile(r"(?i)data:image/(?:png|jpeg|gif|webp);base64,"),
    ("img", "alt"): re.compile(r"(?s).*"),
    ("img", "width"): re.compile(r"\d{1,4}%?\Z"),
    ("img", "height"): re.compile(r"\d{1,4}%?\Z"),
    ("ol", "start"): re.compile(r"\d{1,9}\Z"),
}
PROTOCOLS = {"data"}
# MathJax would turn this command into a link to any address, after the sanitizer has run.
MATH_LINK = re.compile(r"\\href\b")


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
        html, tags=TAGS, attributes=_is_allowed, protocols=PROTOCOLS, strip_comments=True
    )


def _is_allowed(tag: str, name: str, value: str) -> bool:
    """Return True if a tag may have an attribute with this value."""
    allowed = ATTRIBUTES.get((tag, name)) or ATTRIBUTES.get(("*", name))
    # Placeholders in an attribute would be replaced with HTML.
    return bool(allowed and allowed.match(value.strip())) and "\ue000" not in value
