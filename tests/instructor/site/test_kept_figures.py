"""The figures that the site keeps: which are drawn, when they are stale, and their size."""

import nbformat
import pytest
from PIL import Image

from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.site import kept_figures
from tests.conftest import cell
from tests.instructor.release.small_courses import create_course, run_course
from tests.submissions import ROOT

NAMES = sorted(path.parent.name for path in ROOT.glob("release/*/*.ipynb"))
MAX_MEGABYTES = 3  # of the instructor's repository, and of the site


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


def test_a_figure_of_the_solution_is_stale_if_the_solution_or_its_own_cell_changes(
    tmp_path, monkeypatch
):
    def book(answer, drawing, check="assert one"):
        test = cell("code", check, "test_one", points=1)
        drawn = cell("code", drawing, tags=["site-figure"])
        return notebook(SETUP, cell("code", answer, "one"), test, drawn)

    solution, draw = ANSWER["source"], "plotting.bar(one)"
    old = book("raise NotImplementedError", draw), book(solution, draw)
    monkeypatch.setattr(kept_figures, "FOLDER", tmp_path)
    folder = tmp_path / "01"
    folder.mkdir()
    (folder / kept_figures.DIGEST_FILE).write_text(kept_figures.digest(old[0]))
    (folder / kept_figures.SOLUTION_DIGEST_FILE).write_text(kept_figures.solution_digest(old[1]))
    assert kept_figures.is_current("01", *old)
    assert kept_figures.is_current("01", old[0], book(solution, draw, "assert one == 1"))
    assert kept_figures.is_current("01", old[0], book(f"# Why.\n{solution}", draw))
    assert not kept_figures.is_current("01", old[0], book(solution.replace("= 1", "= 2"), draw))
    assert not kept_figures.is_current("01", book("raise NotImplementedError", "f(one)"), old[1])


@pytest.mark.parametrize("name", NAMES)
def test_another_public_address_does_not_make_the_figures_stale(name):
    (path,) = (ROOT / "release" / name).glob("*.ipynb")
    book = nbformat.read(path, as_version=4)
    before = kept_figures.digest(book)
    changed = [each for each in book.cells if "YOUR_ORGANIZATION" in each.source]
    for each in changed:
        each.source = each.source.replace("YOUR_ORGANIZATION", "some-school")
    assert changed and kept_figures.digest(book) == before


def test_a_cell_with_the_tag_that_shows_no_figure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_figures, "FOLDER", tmp_path)
    silent = cell("code", "one + 1", tags=["site-figure"])
    book = notebook(silent)
    with pytest.raises(CourseError, match=f"no figure is shown by the cells {silent['id']}"):
        kept_figures.draw("01", book, book, book)
    assert not (tmp_path / "01").exists()


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_figures_are_those_of_the_released_code(name):
    (path,) = (ROOT / "release" / name).glob("*.ipynb")
    book = nbformat.read(path, as_version=4)
    source = nbformat.read(source_notebook(ROOT, name), as_version=4)
    assert kept_figures.is_current(name, book, source), f"run course figures --site {name}"
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
    solved = 'plotting.accuracy_bars({"yours": one() / 2}, title="Two")'
    cells = [SETUP, cell("code", draw), cell("code", solved, tags=["site-figure"])]
    root = create_course(tmp_path / "course", *cells)
    done = run_course(root, "figures", "--site", "-p", "epochs=1")
    assert done.returncode == 1 and "leave out -p" in done.stderr
    done = run_course(root, "figures", "--site")
    assert done.returncode == 1 and "run course release 01-small first" in done.stderr
    assert run_course(root, "release").returncode == 0
    done = run_course(root, "figures", "--site")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("01-small: 2 figures, ")
    assert "up to date" in run_course(root, "figures", "--site").stdout
    book = nbformat.read(root / "release" / "01-small" / "small.ipynb", as_version=4)
    figures = root / "course" / "instructor" / "site" / "figures"
    monkeypatch.setattr(kept_figures, "FOLDER", figures)
    assert kept_figures.add_outputs(book, "01-small")
    outputs = [output.data for each in book.cells for output in each.get("outputs", [])]
    assert [kind for data in outputs for kind in data] == ["image/png", "text/html"] * 2
    assert all("From our run in the cpu profile" in outputs[at]["text/html"] for at in (1, 3))
    paths = list((figures / "01-small").glob("*.png"))
    assert len(paths) == 2
    for path in paths:
        with Image.open(path) as image:
            assert image.mode == "P"
    (drawing,) = (each for each in book.cells if each.source == draw)
    drawing.source = draw.replace("One", "Two")
    assert not kept_figures.add_outputs(book, "01-small")
