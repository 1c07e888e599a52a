"""A student's Markdown on the formgrader's pages and on feedback pages."""

from html.parser import HTMLParser

import pytest

from course.instructor.feedback.cell_renderer import render_markdown
from tests.attacks.observation import scripts

PIXEL = (  # PNG, 1 by 1
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def html(source, attachments=None):
    return str(render_markdown(source, attachments))


def elements(html):
    """Return the elements in HTML as pairs of a tag and its attributes."""
    found = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    reader.feed(html)
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# What a kernel sees", "<h3>What a kernel sees</h3>"),
        ("**32** images", "<strong>32</strong>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "<td>2</td>"),
        ("[a page](https://keras.io)", "<p>a page (https://keras.io)</p>"),
        ("<https://keras.io>", "<p>https://keras.io</p>"),
        ("[a section](#section)", "<p>a section</p>"),
        ("$h < w$", "<mi>h</mi><mo>&lt;</mo><mi>w</mi>"),
        ("```python\nif h < w: pass\n```", '<span class="o">&lt;</span>'),
        ("```\nif h < w: pass\n```", "<code>if h &lt; w: pass\n</code>"),
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


@pytest.mark.parametrize(
    "source",
    [
        '<a class="modal-backdrop" style="position: fixed" id="x" href="https://x.org">more</a>',
        "<a href='https://x.org' class=modal-backdrop>more</a>",
        '<div class="modal-backdrop"><h1 id="notebook" style="top: 0">more</h1></div>',
        "# more {#id .class}",
        '```"><p class="modal-backdrop">\nmore\n```',
        '![more](data:image/png;base64,AA "class=x")',
        "$\\class{modal-backdrop}{x}$ more",
        "$\\style{position: fixed}{x}$ more",
        '<b title="\ue0000\ue001">more</b> $x$',
        '<b title="&#xE000;0&#xE001;">more</b> $\\text{" class=modal-backdrop style=top:0}$',
        '![$\\text{" class=modal-backdrop style=top:0 x="}$](data:image/png;base64,AA) more',
    ],
)
def test_nothing_in_markdown_looks_like_a_part_of_the_page(source):
    """With a class, a link could cover the whole page of the formgrader and catch every click."""
    shown = html(source)
    assert "more" in shown
    for tag, attributes in elements(shown):
        assert not {"style", "id"} & set(attributes), tag
        assert attributes.get("class") in (None, "highlight", "formula"), tag


@pytest.mark.parametrize(
    "source",
    [
        "![more](https://x.org/a.png)",
        '<img src="https://x.org/a.png" alt="more">',
        '<img src="//x.org/a.png" srcset="https://x.org/a.png" alt="more">',
        '<img src="files/a.png" alt="more">',
        "![more](attachment:../../lost.png)",
        '<video src="https://x.org/a.mp4" poster="https://x.org/a.png">more</video>',
        '<p background="https://x.org/a.png">more</p>',
    ],
)
def test_nothing_is_loaded_from_another_server(source):
    shown = html(source)
    assert "more" in shown
    for _, attributes in elements(shown):
        assert attributes.get("src", "data:").startswith("data:")
        assert not {"srcset", "poster", "background"} & set(attributes)


@pytest.mark.parametrize(
    "address",
    ["/logout", "../api/shutdown", "//x.org", "file:///etc/passwd", "http://localhost:8888/lab",
     "https://hub.example.org/user/grader/formgrader/", "mailto:x@x.org"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["[more]({})", '<a href="{}">more</a>', "<{}>"])
def test_nothing_in_markdown_leads_elsewhere(form, address):
    assert "href" not in html(form.format(address))


def test_an_image_that_is_embedded_in_the_text_is_shown():
    shown = html(f"![a kernel](data:image/png;base64,{PIXEL}) and ![again](attachment:a)")
    assert f'src="data:image/png;base64,{PIXEL}"' in shown
    assert "again" in shown


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml"])
def test_only_images_may_be_data_addresses(kind):
    assert "data:" not in html(f"![x](data:{kind};base64,PHN2Zz4=)")
    assert "data:" not in html(f"[x](data:{kind};base64,PHN2Zz4=)")


def test_a_formula_cannot_contain_a_link():
    assert "href" not in html(r"$\href{javascript:alert(1)}{x}$")


@pytest.mark.parametrize("source", ["![x](attachment:lost.png) *text*", "> " * 5_000 + "*text*"])
def test_markdown_that_cannot_be_rendered_is_shown_as_written(source):
    assert "text" in html(source)
