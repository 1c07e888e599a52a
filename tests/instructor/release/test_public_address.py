import re

import pytest

from course.instructor.release.public_address import PublicAddress
from tests.submissions import ROOT

PATH = "release/02-mnist/mnist.ipynb"


PUBLISHED = PublicAddress(url="https://github.com/some-school/cnns", branch="autumn")


@pytest.mark.parametrize(
    ("placeholder", "value"),
    [
        ("{{INSTALL}}", "cnn-course @ git+https://github.com/some-school/cnns"),
        (
            "{{COLAB}}",
            "https://colab.research.google.com/github/some-school/cnns/blob/autumn/" + PATH,
        ),
        (
            "{{PAPERSPACE}}",
            "https://console.paperspace.com/github/some-school/cnns/blob/autumn/" + PATH,
        ),
    ],
)
def test_a_placeholder_is_replaced_everywhere(placeholder, value):
    text = f"[a]({placeholder})\n'{placeholder}' b"
    assert PUBLISHED.fill_in(text, PATH) == f"[a]({value})\n'{value}' b"


@pytest.mark.parametrize("text", ["", "x = {'a': {}}", "{INSTALL}", "{{install}}", "{{OTHER}}"])
def test_other_text_is_unchanged(text):
    assert PUBLISHED.fill_in(text, PATH) == text


def test_the_configured_address_fits_every_placeholder():
    # Without a slash or .git at the end: badges name the repository, not the file to clone.
    address = PublicAddress.of_course(ROOT)
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+", address.url)
    assert re.fullmatch(r"[\w./-]+", address.branch)
