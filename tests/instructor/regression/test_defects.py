"""Defects that are put into the solution notebooks, each of which a regression must notice.

The last defence: what a defect does to a graded answer the notebook's own tests say before. So all
of these lie where no test cell looks.
"""

import json
import shutil

import pytest

from tests.submissions import ROOT

pytestmark = pytest.mark.slow

# Assignment: the cell, what stands in it, what comes in its place, and the line that must be said.
DEFECTS = {
    "dropout left out": (
        "02-mnist",
        "train_model",
        "history = None\n",
        "history = None\nfor layer in model.layers:\n    layer.rate = 0.0\n",
        "the lesson dropout_costs > 0 does not hold.",
    ),
    "NaN": (
        "03-vgg16",
        "record",
        "dense_share=",
        "dense_share=float('nan') *",
        "dense_share is not a finite number.",
    ),
    "a learning rate ten times too large": (
        "04-mlp-vs-cnn",
        "train-hidden",
        '"units": [128], "dropout": 0.0, "learning_rate": 1e-3}',
        '"units": [128], "dropout": 0.0, "learning_rate": 1e-2}',
        "hidden_loss is ",
    ),
    "a wrong number of filters": (
        "05-deeper-cnn",
        "deep",
        'build_deep(wanted["blocks"], 16,',
        'build_deep(wanted["blocks"], 15,',
        "deep_parameters is [",
    ),
    "a cell that raises": (
        "06-dropout-batchnorm",
        "record",
        "course.record(\n",
        "raise ValueError('seeded')\ncourse.record(\n",
        "cell record (under ",
    ),
    "a metric that is no longer recorded": (
        "07-transfer-learning",
        "record",
        "    wrong_preprocessing_accuracy=wrong.validation_accuracy,\n",
        "",
        "wrong_preprocessing_accuracy was not recorded.",
    ),
}


def seed_defect(path, cell_id, old, new):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [
        cell
        for cell in notebook["cells"]
        if cell["id"] == cell_id and old in "".join(cell["source"])
    ]
    assert cells, f"{old!r} is not in {path.name} any more"
    cells[0]["source"] = "".join(cells[0]["source"]).replace(old, new)
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, course_command):
    """Run the smoke regression of a course with a defect in each notebook but the first."""
    root = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    shutil.copytree(ROOT / "source", root / "source")
    bands = root / "tests" / "regression" / "bands.toml"
    bands.parent.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "regression" / "bands.toml", bands)
    for name, cell_id, old, new, _ in DEFECTS.values():
        (notebook,) = (root / "source" / name).glob("*.ipynb")
        seed_defect(notebook, cell_id, old, new)
    return course_command("-C", root, "run", "--profile", "smoke")


def test_a_defect_fails_the_command(finished):
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert "1 of 7 passed" in finished.stdout


def test_the_notebook_without_a_defect_passes(finished):
    (line,) = (line for line in finished.stdout.splitlines() if line.startswith("01-convolution"))
    assert "passed, " in line and "inside their bands" in line


@pytest.mark.parametrize("what", DEFECTS)
def test_a_defect_is_named_with_what_it_did(finished, what):
    name, *_, words = DEFECTS[what]
    named = [line for line in finished.stderr.splitlines() if line.startswith(f"course: {name}: ")]
    assert any(line.startswith(f"course: {name}: {words}") for line in named), named
    if what == "a cell that raises":
        assert named[0].endswith("failed: ValueError: seeded") and "SOLUTION" not in named[0]
