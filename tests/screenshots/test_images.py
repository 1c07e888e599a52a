"""The images: each is shown with a description, and the scripts write all of them."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.screenshots import FOLDER, IMAGES, TOUR, TOUR_FOLDER, TOUR_IMAGES, tour
from tests.submissions import ROOT

IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
DIRECTIVE = re.compile(r"^```\{image\} (\S+)\n:alt: (.+)\n:target: _images/(\S+)\n", re.MULTILINE)
MAX_WIDTH = 1400
MAX_BYTES = {FOLDER: 150_000, TOUR_FOLDER: 120_000}
MIN_DESCRIPTION = 30  # characters
MAX_TOUR_IMAGES = 6
ALL = sorted({FOLDER / name for name in IMAGES} | {TOUR_FOLDER / name for name in TOUR_IMAGES})


def shown():
    """Return the description of each image that a guide or the tour shows, by its path."""
    guides = [ROOT / "docs" / "instructors.md", *(ROOT / "docs" / "instructors").glob("*.md")]
    in_guides = {
        (guide.parent / path).resolve(): description
        for guide in guides
        for description, path in IMAGE.findall(guide.read_text(encoding="utf-8"))
    }
    in_tour = DIRECTIVE.findall(TOUR.read_text(encoding="utf-8"))
    assert all(Path(path).name == opened for path, _, opened in in_tour)
    return in_guides | {TOUR.parent / path: description for path, description, _ in in_tour}


def test_the_guide_and_the_tour_show_exactly_the_images_that_the_scripts_write():
    assert set(shown()) == set(ALL)
    assert {*FOLDER.iterdir(), *TOUR_FOLDER.iterdir()} == set(ALL)
    assert len(TOUR_IMAGES) <= MAX_TOUR_IMAGES


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_image_is_small_and_has_a_description(path):
    assert len(shown()[path]) >= MIN_DESCRIPTION
    assert path.stat().st_size <= MAX_BYTES[path.parent]
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG" and image.width <= MAX_WIDTH
        assert len(image.getcolors() or ()) > 10, "the page is empty"


@pytest.mark.parametrize(("module", "names"), [("guide", IMAGES), ("tour", TOUR_IMAGES)])
def test_the_scripts_write_exactly_these_images(module, names):
    script = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"([\w-]+\.png)"', script)) == names


def test_the_commands_of_the_tour_are_about_an_assignment_that_is_not_in_the_course():
    commands = [command for command, _ in tour.shown_commands()]
    assert len(commands) >= 8
    assert not any((ROOT / "source" / word).exists() for each in commands for word in each.split())
    used = {word for each in commands for word in each.split() if tour.NAME in word}
    assert used == {tour.NAME, f"source/{tour.NAME}/{tour.FILE}"}


def test_the_tour_names_pages_of_the_guide_that_exist_and_is_short():
    text = TOUR.read_text(encoding="utf-8")
    pages = re.findall(r"Guide: `(.+?)`", text)
    assert len(pages) == 8 and all((ROOT / page).is_file() for page in pages)
    prose = re.sub(r"^(    |```|:).*$", "", text, flags=re.MULTILINE)
    assert 400 <= len(prose.split()) <= 600
