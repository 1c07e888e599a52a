"""The figures that the site keeps: which are drawn, when they are stale, and their size."""

import nbformat
import pytest
from PIL import Image

from course.instructor.site import kept_figures
from tests.conftest import cell
from tests.instructor.release.small_courses import create_course, run_course
from tests.submissions import ROOT

NAMES = sorted(path.parent.name for path in ROOT.glob("release/*/*.ipynb"))
MAX_MEGABYTES = 1.5


def notebook(*cells):
    return nbformat.from_dict(
        {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )


SETUP = cell("code", "import course\nfrom course import plotting\nrun = course.setup()")
ANSWER = cell("code", "### BEGIN SOLUTION Set one.\none = 1\n### END SOLUTION", "one")


def code_of(*cells):
    book = notebook(SETUP, ANSWER, *cells)
    found = kept_figures.parts(book)
    return [found.get(each.id, "") for each in book.cells[2:]]


def test_the_statements_of_a_cell_that_need_no_answer_are_drawn_without_the_others():
    (code,) = code_of(cell("code", "a = 1\nb = one + a\nplotting.bar(a)\nplotting.bar(b)"))
    assert code == "a = 1\nplotting.bar(a)"


def test_the_code_of_answers_and_checks_is_never_run():
    check = cell("code", "shown = 1\nassert shown", "test_one", points=1)
    assert code_of(check, cell("code", "plotting.bar(shown)")) == ["", ""]
    assert not any(
        "one = 1" in code for code in kept_figures.parts(notebook(SETUP, ANSWER)).values()
    )


@pytest.mark.parametrize(
    "source",
    [
        "result = experiments.train_each(run, [])",
        "result = keras.models.load_model('mine.keras')",
        "result = imagenet.classify(photo)",
        "result = eval('one')",
    ],
)
def test_long_training_and_downloads_are_left_out_with_all_that_needs_them(source):
    names = cell("code", "from course import experiments, imagenet\nimport keras\nphoto = 1")
    _, *code = code_of(names, cell("code", source), cell("code", "plotting.bar(result)"))
    assert code == ["", ""]


def test_the_profile_can_be_used_after_an_answer_that_uses_it():
    answer = cell("code", "### BEGIN SOLUTION Choose.\nrun.choose(1)\n### END SOLUTION", "two")
    size = "size = run.choose(smoke=1, cpu=2, gpu=3)"
    assert code_of(answer, cell("code", size)) == ["", size]


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_figures_are_those_of_the_released_code(name):
    (path,) = (ROOT / "release" / name).glob("*.ipynb")
    book = nbformat.read(path, as_version=4)
    assert kept_figures.stored_digest(name) == kept_figures.digest(book), (
        f"run course figures --site {name}"
    )
    graded = {each.id for each in book.cells if each.metadata.get("nbgrader", {}).get("grade")}
    cells = {figure.name.rpartition("-")[0] for figure in kept_figures.FOLDER.glob(f"{name}/*.png")}
    assert cells <= {each.id for each in book.cells} - graded


def test_the_kept_figures_are_small():
    paths = list(kept_figures.FOLDER.rglob("*.png"))
    assert len(paths) > 20
    assert sum(path.stat().st_size for path in paths) < MAX_MEGABYTES * 1e6
    assert {path.parent.name for path in paths} <= set(NAMES)


@pytest.mark.slow
def test_the_command_draws_a_figure_in_the_cpu_profile_and_keeps_it(tmp_path, monkeypatch):
    draw = 'plotting.accuracy_bars({"chance": 0.1, run.profile: 0.5}, title="One")'
    setup = cell("code", "import course\nfrom course import plotting\nrun = course.setup()")
    root = create_course(tmp_path / "course", setup, cell("code", draw))
    done = run_course(root, "figures", "--site", "-p", "epochs=1")
    assert done.returncode == 1 and "leave out -p" in done.stderr
    done = run_course(root, "figures", "--site")
    assert done.returncode == 1 and "run course release 01-small first" in done.stderr
    assert run_course(root, "release").returncode == 0
    done = run_course(root, "figures", "--site")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("01-small: 1 figures, ")
    assert "up to date" in run_course(root, "figures", "--site").stdout
    book = nbformat.read(root / "release" / "01-small" / "small.ipynb", as_version=4)
    figures = root / "course" / "instructor" / "site" / "figures"
    monkeypatch.setattr(kept_figures, "FOLDER", figures)
    assert kept_figures.add_outputs(book, "01-small")
    outputs = [output.data for each in book.cells for output in each.get("outputs", [])]
    assert [kind for data in outputs for kind in data] == ["image/png", "text/html"]
    assert "From our run in the cpu profile" in outputs[1]["text/html"]
    (figure,) = (figures / "01-small").glob("*.png")
    with Image.open(figure) as image:
        assert image.mode == "P"
    (drawing,) = (each for each in book.cells if each.source == draw)
    drawing.source = draw.replace("One", "Two")
    assert not kept_figures.add_outputs(book, "01-small")
