"""The guides name files that exist."""

import re

import pytest

from tests.submissions import ROOT

GUIDES = ["README.md", "CONTRIBUTING.md"]
GUIDES += sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))
LINK = re.compile(r"\]\(([\w./-]*)#([\w-]+)\)")
PLACEHOLDER = re.compile("NAME|NN-name")
PATH = re.compile(r"`((?:tests|course|docs|source)/[\w./-]+)`")


@pytest.mark.parametrize("guide", GUIDES)
def test_every_named_file_exists(guide):
    named = set(PATH.findall((ROOT / guide).read_text(encoding="utf-8")))
    # NAME and NN-name stand for the name of an assignment.
    missing = [
        path for path in named if not PLACEHOLDER.search(path) and not (ROOT / path).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("guide", GUIDES)
def test_every_link_to_a_section_leads_to_one(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    for path, anchor in LINK.findall(text):
        target = (ROOT / guide).parent / path if path else ROOT / guide
        assert anchor in anchors(target.read_text(encoding="utf-8")), (path, anchor)


def anchors(text):
    """Return the anchors of the headings in a Markdown text, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_guides_name_files():
    text = (ROOT / "docs" / "instructors" / "limits.md").read_text(encoding="utf-8")
    assert "tests/attacks/limits" in PATH.findall(text)
