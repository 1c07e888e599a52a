"""HTML pages for feedback, similarity, and regression: their templates and shared style."""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template_name: str, **values: Any) -> str:
    """Return a page; every value is escaped unless it is `Markup`."""
    return _environment().get_template(template_name).render(**values)


@cache
def _environment() -> "Environment":
    """Return the Jinja environment that all pages share."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__, ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = lambda value: f"{round(float(value), 2):g}"
    return environment
