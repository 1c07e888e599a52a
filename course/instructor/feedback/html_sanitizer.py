"""Markdown on the formgrader's and on feedback pages: what a student wrote must not run there.

nbgrader's two page templates turn Markdown cells and comments into HTML by the filter
`markdown2html` and, other than nbconvert's own templates, do not clean what comes out: a script in
a written answer would run in a grader's browser, with a grader's rights. nbgrader_config.py puts
`markdown_to_safe_html` into the filter's place.
"""

import re
from html import escape

import bleach
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import (
    InvalidNotebook,
    IPythonRenderer,
    MarkdownWithMath,
)

# What Markdown makes, and what the course's own text cells use beside it.
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
# Pictures attached to a cell stand in the page as data.
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,", re.I)
PROTOCOLS = {"http", "https", "mailto"}
# MathJax makes a link of it, to any address, after all cleaning.
MATH_LINK = re.compile(r"\\href\b")


@pass_context
def markdown_to_safe_html(context, source):
    r"""Return Markdown as HTML in which nothing runs; a Jinja filter.

    `\href` in a formula shows its address and makes no link. What cannot be turned into HTML (a
    picture that is not attached, ten thousand nested quotes) is shown as it was written.
    """
    attachments = context.get("cell", {}).get("attachments", {})
    return safe_html(source, IPythonRenderer(escape=False, attachments=attachments))


def safe_html(source, renderer):
    """Return Markdown as HTML in which nothing runs.

    Tags and attributes that are not allowed stand in the page as text.

    Parameters
    ----------
    source : str
        What a student or a grader wrote.
    renderer : IPythonRenderer
        Makes HTML of it, which need not be safe.

    Returns
    -------
    str
    """
    try:
        html = MarkdownWithMath(renderer=renderer).render(MATH_LINK.sub(r"\\text", source))
    except (InvalidNotebook, RecursionError):
        html = f"<pre>{escape(source)}</pre>"
    return bleach.clean(
        html, tags=TAGS, attributes=_is_allowed, protocols=PROTOCOLS | {"data"}, strip_comments=True
    )


def _is_allowed(tag, name, value):
    if name in ("href", "src") and value.strip().lower().startswith("data:"):
        return name == "src" and bool(PICTURE.match(value.strip()))
    return name in ATTRIBUTES["*"] or name in ATTRIBUTES.get(tag, ())
