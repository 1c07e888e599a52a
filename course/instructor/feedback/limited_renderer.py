"""Rendering of a notebook's cells as HTML in a process with limits on time and memory."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from markupsafe import Markup

from course.instructor.feedback import cell_renderer
from course.instructor.student_text import layout_limits, limited_worker
from course.instructor.student_text.limited_call import call_limited
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.size_limits import (
    ELEMENT_CHARACTERS,
    MAX_CELL_SECONDS,
    MAX_HTML_CHARACTERS,
    MAX_PAGE_CHARACTERS,
    MAX_PAGE_HTML_CHARACTERS,
    MAX_PAGE_SECONDS,
)
from course.instructor.student_text.time_limit import processor_time_limit

CPU_SECONDS = MAX_PAGE_SECONDS + 10  # a call of a C function can exceed the cell's time limit
CACHE_SIZE = 1_000  # texts; most are the same on every page of a class

serve = limited_worker.serve
_cache: dict[str, str] = {}  # rendered HTML by key


@dataclass(frozen=True)
class CellText:
    """The source of a cell; `kind` is "markdown", "code", or "raw"."""

    kind: str
    source: str
    attachments: cell_renderer.Attachments = field(default_factory=dict)


def render_texts(texts: Sequence[CellText], budget: "PageBudget") -> list[Markup]:
    """Return the texts as HTML, in the same order, and subtract them from a page's budget.

    A text that takes too long, or would make the page too large, is shown as it was written, with
    the reason. Rendered texts are cached, because many are the same in every notebook.
    """
    prepared = [_prepare(text) for text in texts]
    known = {key: _cache[key] for key, _ in prepared if key in _cache}
    missing = list({key: None for key, _ in prepared if key not in known})
    rendered = _render_missing(missing)
    if len(_cache) + len(rendered) > CACHE_SIZE:
        _cache.clear()
    _cache.update((key, each["html"]) for key, each in rendered.items() if "html" in each)
    found = []
    for text, (key, images) in zip(texts, prepared, strict=True):
        result = rendered.get(key) or {"html": known[key]}
        found.append(budget.complete(text, result, images))
    return found


def render_in_this_process(content: bytes) -> list[dict[str, str]]:
    """Return, for each prepared text, a dict with its "html" or the "problem" with it.

    `content` is a JSON list of the keys that `_prepare` returns.
    """
    deadline = time.process_time() + MAX_PAGE_SECONDS
    return [_render(key, deadline) for key in json.loads(content)]


class PageBudget:
    """The number of characters that can still be added to a page."""

    def __init__(self) -> None:
        self.left = MAX_PAGE_CHARACTERS
        self.html_left = MAX_PAGE_HTML_CHARACTERS

    def spend(self, characters: int) -> bool:
        """Subtract the size of a cell or an output; return False if it does not fit in the budget.

        The HTML that the page adds around it counts too.
        """
        if characters + ELEMENT_CHARACTERS > self.left:
            return False
        self.left -= characters + ELEMENT_CHARACTERS
        return True

    def complete(self, text: CellText, result: Mapping[str, str], images: Sequence[str]) -> Markup:
        """Subtract a text from the budget; return its HTML, or its source if there is a problem."""
        problem = result.get("problem")
        if problem is None and len(result["html"]) > self.html_left:
            problem = "the page would be too large"
        if problem is None:
            try:
                html = cell_renderer.insert_images(result["html"], images, self.left)
                if self.spend(len(html)):
                    self.html_left -= len(result["html"])
                    return html
                problem = "the page would be too large"
            except StudentTextError as error:
                problem = str(error)
        html = _as_written(text.source, problem, self.left)
        self.left = max(0, self.left - len(html))
        return html


def _prepare(text: CellText) -> tuple[str, list[str]]:
    """Return a text without its images as a JSON key, and the images in Base64."""
    if text.kind != "markdown":
        return json.dumps([text.kind, text.source, {}]), []
    source, addresses, images = cell_renderer.extract_images(text.source, text.attachments)
    return json.dumps([text.kind, source, addresses]), images


def _render_missing(keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the "html" or "problem" for each key, from a process with limits."""
    if not keys:
        return {}
    try:
        content = json.dumps(keys).encode()
        results = call_limited(render_in_this_process, blocks=[content], cpu_seconds=CPU_SECONDS)
        checked = [_checked(each) for each in results]
        return dict(zip(keys, checked, strict=True))
    except (StudentTextError, TypeError, ValueError) as error:
        problem = str(error) if isinstance(error, StudentTextError) else "it cannot be formatted"
        return {key: {"problem": problem} for key in keys}


def _checked(result: object) -> dict[str, str]:
    """Return a result of the process with limits; raise TypeError if it has an unexpected form."""
    if isinstance(result, dict) and len(result) == 1 and {*result} <= {"html", "problem"}:
        return {name: str(text) for name, text in result.items()}
    raise TypeError("an unexpected result")


def _render(key: str, deadline: float) -> dict[str, str]:
    """Return a dict with a prepared text's "html" or "problem"; `deadline` is in processor time."""
    kind, source, addresses = json.loads(key)
    seconds = min(MAX_CELL_SECONDS, deadline - time.process_time())
    if seconds <= 0:
        return {"problem": "the page takes too long to format"}
    try:
        with processor_time_limit(seconds):
            if kind == "markdown":
                html = cell_renderer.render_extracted(source, addresses)
            elif kind == "code":
                html = cell_renderer.render_code(source)
            else:
                html = cell_renderer.render_text(source, "Text")
    except StudentTextError as error:
        return {"problem": str(error)}
    except MemoryError:
        return {"problem": "it takes too much memory to format"}
    except Exception as error:  # parsers raise many types of exceptions
        return {"problem": f"it cannot be formatted ({type(error).__name__})"}
    if len(html) > MAX_HTML_CHARACTERS:
        return {"problem": "it would make the page too large"}
    if kind != "raw" and layout_limits.is_slow(html):
        return {"problem": "a browser would take too long to format it"}
    return {"html": str(html)}


def _as_written(source: str, problem: str, room: int) -> Markup:
    """Return the unformatted source of a text that cannot be rendered, preceded by the reason."""
    shown = cell_renderer.EMBEDDED_IMAGE.sub("(image)", source)
    shown = shown[: max(0, room - 1_000) // 6]  # an escaped character takes up to 6 characters
    reason = f"This text is shown as it was written, because {problem}."
    return Markup(f"<p><em>{escape(reason)}</em></p>") + cell_renderer.render_text(shown, "Text")
