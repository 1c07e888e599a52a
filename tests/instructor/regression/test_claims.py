import pytest

from course.errors import CourseError
from course.instructor.regression.claims import holds

METRICS = {"cnn": 0.6, "mlp": 0.4, "gap": -0.1, "each": [0.1, 0.5, 0.3]}


@pytest.mark.parametrize(
    ("claim", "true"),
    [
        ("cnn > mlp", True),
        ("mlp > cnn", False),
        ("cnn > mlp > gap", True),
        ("cnn > gap > mlp", False),
        ("cnn - mlp >= 0.1", True),
        ("cnn < mlp + 0.1", False),
        ("each[1] > each[2] > each[0]", True),
        ("each[0] - 0.1 <= 0", True),
        ("mean(each) < 0.31", True),
        ("2 * mlp > cnn", True),
        ("gap < 0", True),
    ],
)
def test_a_claim_compares_metrics(claim, true):
    assert holds(claim, METRICS) is true


@pytest.mark.parametrize(
    "claim",
    ["cnn", "cnn >", "cnn == mlp", "open('x') > 1", "__import__('os') < 1", "cnn.real > 0",
     "each[cnn] > 0", "'a' > 'b'", "max(each) > 0", "cnn > (mlp := 1)"],
)  # fmt: skip
def test_an_invalid_claim_is_refused(claim):
    with pytest.raises(CourseError, match="is not a comparison of metrics"):
        holds(claim, METRICS)


@pytest.mark.parametrize("claim", ["gone > 1", "each[3] > 1"])
def test_a_missing_metric_is_an_error(claim):
    with pytest.raises((KeyError, IndexError)):
        holds(claim, METRICS)
