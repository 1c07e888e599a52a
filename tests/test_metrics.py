import json

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import course
from course.errors import CourseError
from course.metrics import MIME_TYPE

CELL = """
import numpy as np
import course
course.record(
    parameters=np.int64(1_199_882),
    test_accuracy=np.float32(0.5),
    seconds=12.34567,
    losses=(np.float64(0.25), 1, np.array(2)),
)
"""


@pytest.fixture(scope="module")
def output():
    """What a recording cell leaves in the file of the executed notebook."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = json.loads(nbformat.writes(notebook))["cells"][0]["outputs"]
    return output


def test_the_executed_notebook_carries_the_metrics_as_plain_numbers(output):
    metrics = output["data"][MIME_TYPE]
    assert metrics == {
        "parameters": 1_199_882,
        "test_accuracy": 0.5,
        "seconds": 12.34567,
        "losses": [0.25, 1, 2],
    }
    assert type(metrics["parameters"]) is int
    assert [type(value) for value in metrics["losses"]] == [float, int, int]


def test_a_reader_sees_one_line_a_metric(output):
    assert "".join(output["data"]["text/plain"]).splitlines() == [
        "parameters = 1,199,882",
        "test_accuracy = 0.5",
        "seconds = 12.35",
        "losses = [0.25, 1, 2]",
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("0.9", "str"),
        (None, "NoneType"),
        (True, "bool"),
        (np.True_, "bool"),
        (1j, "complex"),
        ({"loss": 1}, "dict"),
        ([0.5, "0.9"], "str"),
        (np.ones(2), "ndarray"),
    ],
)
def test_what_is_no_number_is_refused_by_its_name(value, kind, capsys):
    with pytest.raises(CourseError) as error:
        course.record(parameters=3, test_accuracy=value)
    assert str(error.value) == (
        f"record(test_accuracy=...) takes a number or a list of numbers, not {kind}:"
        " convert it first."
    )
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_scalar_of_the_backend_is_a_number(capsys):
    import keras

    course.record(loss=keras.ops.sum(keras.ops.ones((2,))))
    assert "loss" in capsys.readouterr().out
