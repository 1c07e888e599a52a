"""Defects in the solution notebooks, each of which a regression must detect.

The regression is the last defense: the notebook's own tests detect a defect in a graded answer. So
all these defects are in cells that no test checks.
"""

import json
import shutil

import pytest

from course.instructor.regression.bands import BANDS_PATH
from tests.submissions import ROOT

pytestmark = pytest.mark.slow

# By name: assignment, cell, text in it, replacement, and the start of the expected message.
DEFECTS = {
    "dropout left out": (
        "02-mnist",
        "train_model",
        "model = build_model()\n",
        "model = build_model()\nfor layer in model.layers:\n    layer.rate = 0.0\n",
        "the claim dropout_costs > 0 does not hold.",
    ),
    "NaN": (
        "03-vgg16",
        "record",
        "dense_fraction=",
        "dense_fraction=float('nan') *",
        "dense_fraction is not a finite number.",
    ),
    "a learning rate ten times too large": (
        "04-mlp-vs-cnn",
        "build_simple_cnn",
        'network.compile("adam",',
        "network.compile(keras.optimizers.Adam(1e-2),",
        "mlp_loss is ",
    ),
    "a wrong number of filters": (
        "05-deeper-cnn",
        "deep",
        'build_deep(stack["blocks"], 16,',
        'build_deep(stack["blocks"], 15,',
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
        '        "bottleneck_accuracy": bottleneck.validation_accuracy,\n',
        "",
        "bottleneck_accuracy was not recorded.",
    ),
    "one filter too many": (
        "08-capstone",
        "options",
        '"widths": [16, 32, 64],',
        '"widths": [16, 32, 65],',
        "parameters is [",
    ),
}


def insert_defect(path, cell_id, old, new):
    """Replace text in a cell of a notebook."""
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
    (root / "tests").mkdir()
    shutil.copy(ROOT / BANDS_PATH, root / BANDS_PATH)
    for name, cell_id, old, new, _ in DEFECTS.values():
        (notebook,) = (root / "source" / name).glob("*.ipynb")
        insert_defect(notebook, cell_id, old, new)
    return course_command("-C", root, "run", "--profile", "smoke")


def test_a_defect_fails_the_command(finished):
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert "1 of 8 passed" in finished.stdout


def test_the_notebook_without_a_defect_passes(finished):
    (line,) = (line for line in finished.stdout.splitlines() if line.startswith("01-convolution"))
    assert "passed " in line and " comparisons" in line


@pytest.mark.parametrize("what", DEFECTS)
def test_a_defect_is_reported_with_its_effect(finished, what):
    name, *_, message = DEFECTS[what]
    reported = [
        line for line in finished.stderr.splitlines() if line.startswith(f"course: {name}: ")
    ]
    assert any(line.startswith(f"course: {name}: {message}") for line in reported), reported
    if what == "a cell that raises":
        assert reported[0].endswith("failed: ValueError: seeded")
        assert "SOLUTION" not in reported[0]
