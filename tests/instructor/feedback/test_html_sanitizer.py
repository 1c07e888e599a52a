"""A student's Markdown on the formgrader's pages and on feedback pages."""

import pytest

from course.instructor.feedback.html_sanitizer import markdown_to_safe_html
from tests.attacks.observation import scripts

PIXEL = (  # PNG, 1 by 1
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def html(source, **cell):
    return markdown_to_safe_html({"cell": cell}, source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# What a kernel sees", '<h1 id="What-a-kernel-sees">'),
        ("**32** images", "<strong>32</strong>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "<td>2</td>"),
        ("[a page](https://keras.io)", '<a href="https://keras.io">a page</a>'),
        ("$h < w$", "h &lt; w"),
        ("```python\nif h < w: pass\n```", "&lt;"),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("3 &lt; 4", "3 &lt; 4"),
        ("<details><summary>Hint</summary>Halve.</details>", "<summary>Hint</summary>"),
    ],
)
def test_markdown_is_rendered(source, expected):
    assert expected in html(source)


def test_an_attached_image_is_shown():
    shown = html("![a kernel](attachment:k.png)", attachments={"k.png": {"image/png": PIXEL}})
    assert f"data:image/png;base64,{PIXEL}" in shown
    assert 'alt="a kernel"' in shown


@pytest.mark.parametrize(
    "source",
    [
        "<script>document.title = 'taken-over'</script>",
        "<img src=x onerror=\"document.title='taken-over'\">",
        "[more](javascript:document.title='taken-over')",
        "<a href=\"java&#10;script:document.title='taken-over'\">more</a>",
        "<a href=\"  JaVaScRiPt:document.title='taken-over'\">more</a>",
        "<iframe srcdoc=\"<script>parent.document.title='taken-over'</script>\"></iframe>",
        "<svg onload=\"document.title='taken-over'\"></svg>",
        "<object data=\"javascript:document.title='taken-over'\"></object>",
        "```x\"><script>document.title='taken-over'</script>\n```",
        "![a\" onerror=\"document.title='taken-over'](x)",
        "$<img src=x onerror=\"document.title='taken-over'\">$",
        '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x'
        " onerror=document.title='taken-over'&gt;\"></math>",
    ],
)
def test_nothing_in_markdown_runs(source):
    assert not scripts(html(source))


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml"])
def test_only_images_may_be_data_addresses(kind):
    assert "data:" not in html(f"![x](data:{kind};base64,PHN2Zz4=)")
    assert "data:" not in html(f"[x](data:{kind};base64,PHN2Zz4=)")


def test_a_formula_cannot_contain_a_link():
    assert "href" not in html(r"$\href{javascript:alert(1)}{x}$")


@pytest.mark.parametrize("source", ["![x](attachment:lost.png) *text*", "> " * 5_000 + "*text*"])
def test_markdown_that_cannot_be_rendered_is_shown_as_written(source):
    assert "text" in html(source)
