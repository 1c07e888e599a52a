"""The images in the guide: each is shown with a description, and the script writes all of them."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.screenshots import FOLDER, IMAGES
from tests.submissions import ROOT

IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
MAX_BYTES, MAX_WIDTH = 150_000, 1400
MIN_DESCRIPTION = 30  # characters


def shown():
    """Return the description of each image that a guide shows, by its path."""
    guides = [ROOT / "docs" / "instructors.md", *(ROOT / "docs" / "instructors").glob("*.md")]
    return {
        (guide.parent / path).resolve(): description
        for guide in guides
        for description, path in IMAGE.findall(guide.read_text(encoding="utf-8"))
    }


def test_the_guide_shows_exactly_the_images_that_the_script_writes():
    expected = {FOLDER / name for name in IMAGES}
    assert set(shown()) == expected
    assert set(FOLDER.iterdir()) == expected


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_an_image_is_small_and_has_a_description(name):
    path = FOLDER / name
    assert len(shown()[path]) >= MIN_DESCRIPTION
    assert path.stat().st_size <= MAX_BYTES
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG" and image.width <= MAX_WIDTH
        assert len(image.getcolors() or ()) > 10, "the page is empty"


def test_the_script_writes_exactly_these_images():
    script = Path(__file__).with_name("__main__.py").read_text(encoding="utf-8")
    assert sorted(re.findall(r'save\(page, "(.+?)"\)', script)) == sorted(IMAGES)
