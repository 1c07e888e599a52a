"""Tests of the figures of finished results: drawn, stored, released, and checked for freshness."""

import base64
import io
import json

import nbformat
import numpy as np
import pytest
from nbgrader.utils import compute_checksum
from PIL import Image

from course.errors import CourseError
from course.instructor.release import result_figures
from course.plotting import result_figure
from tests.conftest import cell
from tests.instructor.release.small_courses import create_course, run_course

SHOW = '# @title The finished result\nfrom course import plotting\n\nplotting.result("01-small")'
DRAW = """\
# The result of the whole notebook.
from course import plotting

plotting.accuracy_bars({"chance": 0.1, "one": heights / 2}, title="One")"""


def notebook(*cells):
    return nbformat.from_dict(
        {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )


CELLS = [
    cell("code", "import numpy as np\nheights = np.ones(1).sum()"),
    cell("code", "unused = 1\nprint(unused)"),
    cell("code", "### BEGIN SOLUTION Set one to 1.\none = 1\n### END SOLUTION", "one"),
    cell("code", "assert one == 1", "test_one", points=1),
    cell("code", DRAW, tags=["draws-result"]),
    cell("code", "heights = 3"),
]


def test_a_figure_depends_on_the_cells_that_bind_what_it_draws():
    required = result_figures.required_cells(notebook(*CELLS))
    assert [each.source for each in required] == [CELLS[0]["source"], DRAW]


@pytest.mark.parametrize(
    ("position", "source", "is_stale"),
    [
        (0, "import numpy as np\n\n# A comment.\nheights = np.ones(1).sum()  ", False),
        (0, "import numpy as np\nheights = np.ones(2).sum()", True),
        (1, "unused = 2\nprint(unused)", False),
        (3, "assert one == 2", False),
        (4, DRAW.replace("One", "Two"), True),
        (5, "heights = 4", False),
    ],
)
def test_a_figure_is_stale_if_a_cell_changes_on_which_it_depends(position, source, is_stale):
    changed = [*CELLS]
    changed[position] = {**changed[position], "source": source}
    digests = [result_figures.code_digest(notebook(*cells)) for cells in (CELLS, changed)]
    assert (digests[0] != digests[1]) == is_stale


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels.astype("uint8")).save(file, format="PNG")
    return file.getvalue()


def test_a_figure_is_stored_with_its_digest_and_a_palette(tmp_path, monkeypatch):
    monkeypatch.setattr(result_figure, "FOLDER", tmp_path)
    assert result_figures.stored_digest("01-small") is None
    pixels = np.full((40, 60, 4), 255)
    pixels[:20, :, :3] = (0, 114, 178)
    pixels[20:, :, 3] = 0  # transparent pixels become white, for dark pages
    size = result_figures.store("01-small", png(pixels), "abc")
    assert result_figures.stored_digest("01-small") == "abc"
    image = Image.open(tmp_path / "01-small.png")
    assert size == (tmp_path / "01-small.png").stat().st_size < 1_000
    assert image.mode == "P"
    stored = np.asarray(image.convert("RGB"))
    assert stored[0, 0].tolist() == [0, 114, 178] and stored[-1, -1].tolist() == [255, 255, 255]


def test_a_figure_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(result_figure, "FOLDER", tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (600, 900, 3))
    with pytest.raises(CourseError, match=r"has \d{3} KB, but at most 80 KB are allowed"):
        result_figures.store("01-small", png(noise), "abc")
    assert list(tmp_path.iterdir()) == []


def test_a_figure_without_a_file_is_shown_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr(result_figure, "FOLDER", tmp_path)
    monkeypatch.setattr(result_figure, "ALT_TEXTS", tmp_path / "alt_texts.toml")
    data, metadata = result_figure.result("01-small")._repr_mimebundle_()
    assert data == {"text/plain": "This version of the course has no such figure."}
    assert metadata == {}


@pytest.mark.slow
def test_the_command_draws_a_figure_that_the_release_shows_before_anything_runs(tmp_path):
    show = cell("code", SHOW, tags=["result-figure"])
    root = create_course(tmp_path, show, *CELLS[:2], CELLS[4])
    alt = "Two bars: chance level and one."
    folder = root / "course" / "plotting" / "result_figures"
    (folder / "alt_texts.toml").write_text(f'01-small = "{alt}"\n')
    drawn = run_course(root, "figures")
    assert drawn.returncode == 0, drawn.stderr
    assert "01-small: drawn, " in drawn.stdout and "course release 01-small" in drawn.stdout
    assert "All figures are up to date" in run_course(root, "figures").stdout

    released = run_course(root, "release")
    assert "was not drawn by the current code" not in released.stdout
    path = root / "release" / "01-small" / "small.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    shown = [each for each in cells if each.get("outputs")]
    assert [each["metadata"]["tags"] for each in shown] == [["result-figure"]]
    (output,) = shown[0]["outputs"]
    image = base64.b64decode(output["data"]["image/png"])
    assert image == (folder / "01-small.png").read_bytes()
    assert output["data"]["text/plain"] == output["metadata"]["image/png"]["alt"] == alt
    assert shown[0]["metadata"]["jupyter"] == {"source_hidden": True}
    assert shown[0]["metadata"]["cellView"] == "form"
    assert run_course(root, "release", "--check").returncode == 0

    # A release with another output is stale.
    text = json.loads(path.read_text())
    text["cells"][-1]["outputs"] = [output]
    path.write_text(json.dumps(text, indent=1))
    assert run_course(root, "release", "--check").returncode == 1

    source = root / "source" / "01-small" / "small.ipynb"
    source.write_text(source.read_text().replace("heights / 2", "heights / 4"))
    assert "was not drawn by the current code" in run_course(root, "release").stdout


def test_the_checksum_of_a_cell_does_not_depend_on_its_collapsed_state():
    test = nbformat.from_dict(cell("code", "# @title Check exercise 1\n1", "test_one", points=1))
    before = compute_checksum(test)
    test.metadata["jupyter"] = {"source_hidden": True}
    test.metadata["cellView"] = "form"
    assert compute_checksum(test) == before
