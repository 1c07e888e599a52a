"""The guides name files that exist."""

import re

import pytest

from tests.submissions import ROOT

GUIDES = ("README.md", "CONTRIBUTING.md", "docs/instructors.md", "docs/students.md")
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


def test_the_guides_name_files():
    text = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
    assert "tests/attacks/limits" in PATH.findall(text)
