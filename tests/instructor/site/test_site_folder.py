"""`course site` on a small course: launch addresses, and what it refuses and leaves unchanged."""

import json

import nbformat
import pytest

from course.errors import CourseError
from course.instructor.site import opening_facts, site_builder
from tests.instructor.release.small_courses import create_course, run_course

bs4 = pytest.importorskip("bs4")
pytest.importorskip("furo", reason="needs pip install '.[site]'")
pytest.importorskip("ziamath", reason="needs pip install '.[site]'")
pytestmark = pytest.mark.slow

FACTS = "\n\n**You need to know** Python.\n\n**Time:** about 20 minutes."
FACTS += "\n\n**What is graded:** 1 points."
WARNS = "print('warning: something is missing')"
HARMLESS = "print(1 + 1, 'without an answer')"
DEPENDS = "print('with', one())"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return a released small course whose notebook has the lines that the site shows."""
    from tests.conftest import cell

    cells = [cell("code", HARMLESS), cell("code", WARNS), cell("code", DEPENDS)]
    root = create_course(tmp_path_factory.mktemp("small") / "course", *cells)
    assert run_course(root, "release").returncode == 0
    path = root / "release" / "01-small" / "small.ipynb"
    notebook = json.loads(path.read_text())
    opening = notebook["cells"][0]
    opening["source"] = "".join(opening["source"]) + FACTS
    path.write_text(json.dumps(notebook))
    return root


def test_a_page_opens_on_each_platform_and_shows_only_what_needs_no_answer(small):
    site = small / "build" / "site"
    done = run_course(small, "site", site)
    assert done.returncode == 0, done.stderr
    text = (site / "01-small.html").read_text()
    file = "some-school/cnns/blob/main/release/01-small/small.ipynb"
    assert f'href="https://colab.research.google.com/github/{file}"' in text
    assert f"https://kaggle.com/kernels/welcome?src=https://github.com/{file}" in text
    assert f'href="https://console.paperspace.com/github/{file}?container=' in text
    assert "mybinder.org/v2/gh/some-school/cnns/main?labpath=release/01-small/small.ipynb" in text
    assert 'href="release/01-small/small.ipynb"' in text
    assert "example.org" not in text, "the images of badges come from other servers"
    assert "2 without an answer" in text
    assert text.count("something is missing") == 1, "only in the code, and not as an output"
    assert "your instructor has to set it" not in text
    assert (site / "release" / "01-small" / "heights.csv").is_file()
    landing = bs4.BeautifulSoup((site / "index.html").read_text(), "html.parser")
    button, file_steps = (each.get_text() for each in landing.select("#start-on-colab ol"))
    assert "Open 01-small in Colab" in button and "Save a copy in Drive" in button
    assert "Upload notebook" in file_steps and "Save a copy in Drive" not in file_steps
    assert "Change runtime type" in button and "Change runtime type" in file_steps
    students = (site / "students.html").read_text()
    assert 'href="index.html#start-on-colab"' in students
    assert "skip the step that selects one" not in landing.get_text()
    assert (
        "Skip this step for 01-convolution and 03-vgg16" in button and "skip step" not in students
    )
    assert "Save a copy in Drive" not in students and "A session ends when" in students
    assert "buttons on these pages" in (site / "instructors.html").read_text()
    site_builder.check_folder(site, small)  # a later build may replace it
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def test_notebooks_with_another_address_than_the_buttons_are_refused(small, tmp_path):
    config = small / "nbgrader_config.py"
    old = config.read_text()
    config.write_text(old.replace("some-school", "another-school"))
    done = run_course(small, "site", tmp_path / "site")
    config.write_text(old)
    assert done.returncode == 1
    assert "release/ was compiled with another address" in done.stderr
    assert "01-small" in done.stderr and not (tmp_path / "site").exists()


def test_folders_with_other_files_are_refused_and_unchanged(small, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for folder, reason in {
        tmp_path: "is not empty and is not an earlier site",
        tmp_path / "mine.txt": "is a file",
        small / "docs": "is in the course directory",
        small / "build": "contains other results",
        small.parent: "contains the course directory",
    }.items():
        with pytest.raises(CourseError, match=reason):
            site_builder.check_folder(folder, small)
    done = run_course(small, "site", tmp_path)
    assert done.returncode == 1
    assert "is not empty and is not an earlier site" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_notebook_without_the_time_is_refused_in_one_sentence(small):
    notebook = nbformat.read(small / "release" / "01-small" / "small.ipynb", as_version=4)
    assert opening_facts.read("01-small", notebook).minutes == 20
    opening = notebook.cells[0]
    opening.source = opening.source.replace("**Time:** about 20 minutes.", "Later.")
    message = (
        r"^the first cell of release/01-small has no line '\*\*Time:\*\* .+ release 01-small\.$"
    )
    with pytest.raises(CourseError, match=message):
        opening_facts.read("01-small", notebook)


def test_a_demonstration_that_fails_is_reported_and_leaves_no_site(small, tmp_path):
    path = small / "release" / "01-small" / "small.ipynb"
    text = path.read_text()
    path.write_text(text.replace("1 + 1,", "1 / 0,"))
    try:
        done = run_course(small, "site", tmp_path / "site")
    finally:
        path.write_text(text)
    assert done.returncode == 1
    assert "a cell that needs no answer fails (division by zero)" in done.stderr
    assert list(tmp_path.iterdir()) == []
