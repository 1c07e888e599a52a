import re
import tomllib

import pytest
from packaging.specifiers import SpecifierSet

from course.instructor.release.public_address import PublicAddress
from tests.submissions import ROOT

PATH = "release/02-mnist/mnist.ipynb"


PUBLISHED = PublicAddress(
    url="https://github.com/some-school/cnns",
    branch="autumn",
    paperspace_container="paperspace/gradient-base:some-tag",
)


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
            f"https://console.paperspace.com/github/some-school/cnns/blob/autumn/{PATH}"
            "?container=paperspace/gradient-base:some-tag",
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


def test_the_container_on_paperspace_has_a_fixed_tag_and_a_supported_python():
    container = PublicAddress.of_course(ROOT).paperspace_container
    minor = re.fullmatch(r"paperspace/gradient-base:[\w-]+-py3(\d\d)-20\d{6}", container)[1]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert f"3.{minor}" in SpecifierSet(pyproject["project"]["requires-python"])


def test_the_binder_badge_opens_the_assignments_on_the_branch():
    address = "https://mybinder.org/v2/gh/some-school/cnns/autumn?urlpath=lab/tree/release"
    assert PUBLISHED.binder == address
