"""The comparison of what a smoke run shows with its reference."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from course import tables
from course.errors import CourseError
from course.instructor.regression import reference_outputs
from course.instructor.regression.reference_outputs import Shown, lines_match
from course.instructor.regression.run_records import NotebookRun
from tests.conftest import cell


def png(brightness, size=(300, 200), box=None):
    """Return a figure as base64: a gray rectangle, with a black box in it."""
    image = Image.new("L", size, brightness)
    image.paste(0, box or (50, 50, 120, 150))
    file = io.BytesIO()
    image.save(file, "png")
    return base64.b64encode(file.getvalue()).decode()


def notebook(**outputs):
    """Return the text of an executed notebook; each argument is a cell with lists of outputs."""
    cells = [
        {"id": name, "cell_type": "code", "metadata": {}, "outputs": each}
        for name, each in outputs.items()
    ]
    return json.dumps({"cells": cells})


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def figure(content):
    data = {"image/png": content, "text/plain": "<Figure>"}
    return {"output_type": "display_data", "data": data}


PARAMETERS = "profile, seed = 'smoke', 0"


@pytest.mark.slow
def test_differences_of_other_versions_can_be_accepted(small_course, course_command):
    """The first command makes a reference, and a change of the code stands for other versions."""
    parameters = cell("code", PARAMETERS) | {"metadata": {"tags": ["parameters"]}}

    def shows(loss, images):
        source = f"print('loss', {loss}, 'of', {images}, 'images')"
        return small_course(parameters, cell("code", source) | {"id": "show"})

    root = shows(2.5, 10)
    reference = root / "tests" / "references" / "01-small.tensorflow.txt"
    reference.parent.mkdir(parents=True)
    assert course_command("-C", root, "run", "--update-references").returncode == 0
    made = reference.read_text().splitlines()
    shows(2.25, 10)
    differing = course_command("-C", root, "run")
    assert differing.returncode == 1 and "but the reference has" in differing.stderr
    accepted = course_command("-C", root, "run", "--accept-differences")
    assert accepted.returncode == 0, accepted.stderr
    assert "01-small  reference without what differs" in accepted.stdout
    revised = reference.read_text().splitlines()
    assert revised[:2] == made[:2] and "course run --accept-differences (" in revised[2]
    assert "loss ~ of 10 images" in reference.read_text()
    assert course_command("-C", root, "run").returncode == 0
    # What agreed is still compared.
    shows(2.25, 11)
    assert course_command("-C", root, "run").returncode == 1


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "build" / "notebook.ipynb"
    path.parent.mkdir()
    return NotebookRun(
        "02-mnist", "smoke", "tensorflow", 0, notebook=str(path),
        metrics={"loss": 2.301585, "parameters": 1_199_882, "training_seconds": 3.0},
        kinds={"training_seconds": "seconds"}, curves={"CNN": {"loss": [2.5, 2.25]}},
    )  # fmt: skip


def judged(tmp_path, run, executed):
    """Return the reasons of the verdicts that fail."""
    (tmp_path / "build" / "notebook.ipynb").write_text(executed, encoding="utf-8")
    verdicts = reference_outputs.judge(tmp_path, run)
    return [each.reason for each in verdicts if each.failed]


@pytest.mark.parametrize(
    ("expected", "found", "is_match"),
    [
        ("loss 2.3016, 1,199,882 parameters", "loss 2.3015, 1,199,882 parameters", True),
        ("loss 2.3016", "loss 2.31", False),
        ("1,199,882 parameters", "1,199,883 parameters", False),
        ("12 of 40", "13 of 40", False),
        ("accuracy 57.1%", "accuracy 57.2%", False),
        ("loss 2.302585", "loss 2.302586", True),
        ("error 8e-06", "error 3e-06", True),
        ("−0.50 ± 0.10", "0.50 ± 0.10", False),
        ("trained in ~ s", "trained in 17 s", True),
        ("~", "anything at all", True),
        ("one network", "two networks", False),
        ("conv2d_1 and 2x", "conv2d_2 and 2x", False),
    ],
)
def test_words_and_integers_must_be_equal_and_other_numbers_nearly(expected, found, is_match):
    assert lines_match(expected, found) is is_match


def test_the_reference_survives_saving_and_the_same_run_passes(tmp_path, run):
    executed = notebook(
        train=[printed("loss 2.5\rloss 2.4\naccuracy     10%\nKeras 3.15.1\n"), figure(png(200))],
        two=[figure(png(100)), figure(png(250, (200, 100)))],
        empty=[],
    )
    shown = reference_outputs.shown_by(run, executed)
    assert shown.texts["train"] == ["loss 2.4", "accuracy  10%", "Keras ~"]
    assert "empty" not in shown.texts
    assert shown.texts["recorded metrics"] == ["loss = 2.30159", "parameters = 1199882"]
    assert shown.texts["learning curves"] == ["CNN, loss: 2.5 2.25"]
    assert list(shown.figures) == ["train", "two", "two, figure 2"]
    reference_outputs.save(tmp_path, run, shown, "course run --update-references")
    stored = reference_outputs.load(tmp_path, run)
    assert stored.texts == shown.texts
    for name, copy in shown.figures.items():
        assert np.array_equal(stored.figures[name], copy)
    assert judged(tmp_path, run, executed) == []
    assert reference_outputs.changed_parts(stored, shown) == []


def test_each_difference_is_named(tmp_path, run):
    before = notebook(train=[printed("loss 2.4")], draw=[figure(png(200))], gone=[printed("x")])
    shown = reference_outputs.shown_by(run, before)
    reference_outputs.save(tmp_path, run, shown, "")
    run.metrics["loss"] = 2.2
    after = notebook(
        train=[printed("loss 2.6\nmore")], draw=[figure(png(200, box=(180, 0, 299, 199)))]
    )
    reasons = judged(tmp_path, run, after)
    assert reasons[0] == (
        "train shows 'loss 2.6' (line 1), but the reference has 'loss 2.4', and 1 more lines differ"
    )
    assert "gone no longer shows 'x' (line 1)" in reasons
    assert "recorded metrics shows 'loss = 2.2'" in " ".join(reasons)
    assert reasons[-1].startswith("draw shows a different figure: pixels differ by ")


@pytest.mark.parametrize("brightness", [0, 255])
def test_an_empty_figure_is_an_error(tmp_path, run, brightness):
    reference_outputs.save(tmp_path, run, Shown(), "")
    run.metrics, run.curves = {}, {}
    executed = notebook(draw=[figure(png(brightness, box=(0, 0, 0, 0)))])
    assert judged(tmp_path, run, executed) == ["draw shows an empty figure"]


def test_what_differs_between_runs_of_the_same_code_is_not_compared():
    first = Shown({"train": ["2 networks trained in 3 s.", "loss 2.51", "took a moment"]})
    second = Shown({"train": ["2 networks trained in 9 s.", "loss 2.51", "took long", "end"]})
    merged = reference_outputs.merge([first, second])
    assert merged.texts["train"] == ["2 networks trained in ~ s.", "loss 2.51", "~", "~"]


def test_a_figure_that_differs_between_runs_must_only_exist(tmp_path, run):
    run.metrics, run.curves = {}, {}
    executed = [
        notebook(draw=[figure(png(200, box=(at, 0, at + 150, 199)))]) for at in (0, 140, 70)
    ]
    shown = [reference_outputs.shown_by(run, each) for each in executed]
    reference_outputs.save(tmp_path, run, reference_outputs.merge(shown[:2]), "")
    assert judged(tmp_path, run, executed[2]) == []
    assert judged(tmp_path, run, notebook()) == ["draw no longer shows this figure"]


def test_a_damaged_reference_is_an_error_in_one_sentence(tmp_path, run):
    reference_outputs.save(tmp_path, run, Shown({"train": ["x"]}), "")
    _, image = reference_outputs.paths(tmp_path, run)
    image.write_bytes(b"not an image")
    with pytest.raises(CourseError, match="restore it from git, or run course run"):
        reference_outputs.load(tmp_path, run)


def test_without_a_reference_nothing_fails(tmp_path, run):
    assert judged(tmp_path, run, notebook()) == []


def test_other_seeds_and_profiles_are_not_compared(run):
    assert reference_outputs.is_compared(run)
    for changes in ({"seed": 1}, {"profile": "cpu"}, {"extra_parameters": {"backbone": "VGG16"}}):
        changed = NotebookRun(
            **{"assignment": "x", "profile": "smoke", "backend": "jax", "seed": 0} | changes
        )
        assert not reference_outputs.is_compared(changed)


def test_references_are_not_made_from_other_runs(course_command):
    done = course_command("run", "01-convolution", "--seed", "1", "--update-references")
    assert done.returncode == 1
    assert "references are made from smoke runs with seed 0" in done.stderr


def test_times_paths_and_addresses_are_not_compared():
    rows = [
        {"network": "small", "parameters": 30_730, "seconds": 1.5, "seconds per epoch": 0.25},
        {"network": "large", "parameters": 563_082, "seconds": 11.5, "seconds per epoch": 10.25},
    ]
    text = f"2 networks trained in 13 s.\n{tables.table(rows)}\n\n7 images, 2 seconds\n"
    text += "3/3 - 1s - 198ms/step - loss: 2.37\nsaved in /tmp/a1/results\n<A at 0x7f00ab>"
    assert reference_outputs._lines({"text": text}) == [
        "2 networks trained in ~ s.",
        "network  parameters  seconds  seconds per epoch",
        "--",
        "small  30,730  ~  ~",
        "large  563,082  ~  ~",
        "7 images, 2 seconds",
        "3/3 - ~ - ~ - loss: 2.37",
        "saved in ~",
        "<A at ~>",
    ]
