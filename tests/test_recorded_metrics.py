import json

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import course
from course.errors import CourseError
from course.recorded_metrics import MIME_TYPE

CELL = """
import numpy as np
import course
course.record(
    parameters=np.int64(1_199_882),
    losses=(np.float64(0.25), 1, np.array(2)),
    accuracies={"test_accuracy": np.float32(0.5)},
    seconds=12.34567,
    rates={"images_per_second": [100.0, 200]},
    time_ratios={"epoch_ratio": 1.5},
    curves={"CNN": {"loss": [np.float32(2), 1.5]}},
)
"""


@pytest.fixture(scope="module")
def output():
    """Return the output of a recording cell in the file of the executed notebook."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = json.loads(nbformat.writes(notebook))["cells"][0]["outputs"]
    return output


def test_the_executed_notebook_contains_the_metrics_as_plain_numbers(output):
    recorded = output["data"][MIME_TYPE]
    metrics = recorded["values"]
    assert metrics == {
        "parameters": 1_199_882,
        "losses": [0.25, 1, 2],
        "test_accuracy": 0.5,
        "seconds": 12.34567,
        "images_per_second": [100.0, 200],
        "epoch_ratio": 1.5,
    }
    assert recorded["curves"] == {"CNN": {"loss": [2.0, 1.5]}}
    assert type(metrics["parameters"]) is int
    assert [type(value) for value in metrics["losses"]] == [float, int, int]


def test_the_executed_notebook_contains_the_kind_of_each_metric(output):
    assert output["data"][MIME_TYPE]["kinds"] == {
        "parameters": "count",
        "losses": "measurement",
        "test_accuracy": "accuracy",
        "seconds": "seconds",
        "images_per_second": "rate",
        "epoch_ratio": "time ratio",
    }


def test_a_reader_sees_one_line_per_metric(output):
    assert "".join(output["data"]["text/plain"]).splitlines() == [
        "parameters = 1,199,882",
        "losses = [0.25, 1, 2]",
        "test_accuracy = 0.5",
        "seconds = 12.35",
        "images_per_second = [100, 200]",
        "epoch_ratio = 1.5",
        "learning curves of: CNN",
    ]


@pytest.mark.parametrize(
    ("value", "type_name"),
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
def test_a_value_that_is_not_a_number_is_refused(value, type_name, capsys):
    with pytest.raises(CourseError) as error:
        course.record(parameters=3, test_accuracy=value)
    assert str(error.value) == (
        f"record(test_accuracy=...) takes a number or a list of numbers, not {type_name}:"
        " convert it first."
    )
    with pytest.raises(CourseError) as error_in_group:
        course.record(parameters=3, accuracies={"test_accuracy": value})
    assert str(error_in_group.value) == str(error.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("history", [[0.5], {"loss": 0.5}])
def test_learning_curves_that_are_not_a_history_are_refused(history):
    with pytest.raises(
        CourseError, match="the learning curves for 'CNN' are not a training history"
    ):
        course.record(curves={"CNN": history})


def test_a_mistyped_dict_of_metrics_is_refused():
    with pytest.raises(CourseError, match=r"record\(accuracy=...\) takes a number or a list"):
        course.record(accuracy={"test_accuracy": 0.5})


@pytest.mark.slow
def test_a_scalar_of_the_backend_is_a_number(capsys):
    import keras

    course.record(loss=keras.ops.sum(keras.ops.ones((2,))))
    assert "loss" in capsys.readouterr().out
