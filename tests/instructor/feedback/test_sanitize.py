"""What a student's Markdown becomes on the formgrader's and on feedback pages."""

import pytest

from course.instructor.feedback.html_sanitizer import markdown_to_safe_html
from tests.attacks.watching import scripts

PIXEL = (  # PNG, 1 by 1
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def html(source, **cell):
    return markdown_to_safe_html({"cell": cell}, source)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("# What a kernel sees", '<h1 id="What-a-kernel-sees">'),
        ("**32** pictures", "<strong>32</strong>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "<td>2</td>"),
        ("[a page](https://keras.io)", '<a href="https://keras.io">a page</a>'),
        ("$h < w$", "h &lt; w"),
        ("```python\nif h < w: pass\n```", "&lt;"),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("3 &lt; 4", "3 &lt; 4"),
        ("<details><summary>Hint</summary>Halve.</details>", "<summary>Hint</summary>"),
    ],
)
def test_what_markdown_can_do_is_shown(source, wanted):
    assert wanted in html(source)


def test_an_attached_picture_is_shown():
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
def test_nothing_in_it_runs(source):
    assert not scripts(html(source))


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml"])
def test_data_that_is_no_picture_is_no_address(kind):
    assert "data:" not in html(f"![x](data:{kind};base64,PHN2Zz4=)")
    assert "data:" not in html(f"[x](data:{kind};base64,PHN2Zz4=)")


def test_a_formula_makes_no_link():
    assert "href" not in html(r"$\href{javascript:alert(1)}{x}$")


@pytest.mark.parametrize("source", ["![x](attachment:lost.png) *text*", "> " * 5_000 + "*text*"])
def test_what_cannot_be_shown_as_html_is_shown_as_written(source):
    assert "text" in html(source)
