import pytest

from course.errors import CourseError
from course.instructor.regression.claims import holds

METRICS = {"cnn": 0.6, "mlp": 0.4, "gap": -0.1, "each": [0.1, 0.5, 0.3]}


@pytest.mark.parametrize(
    ("lesson", "true"),
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
def test_a_lesson_compares_metrics(lesson, true):
    assert holds(lesson, METRICS) is true


@pytest.mark.parametrize(
    "lesson",
    ["cnn", "cnn >", "cnn == mlp", "open('x') > 1", "__import__('os') < 1", "cnn.real > 0",
     "each[cnn] > 0", "'a' > 'b'", "max(each) > 0", "cnn > (mlp := 1)"],
)  # fmt: skip
def test_what_is_no_lesson_is_refused(lesson):
    with pytest.raises(CourseError, match="is no comparison of metrics"):
        holds(lesson, METRICS)


@pytest.mark.parametrize("lesson", ["gone > 1", "each[3] > 1"])
def test_what_is_not_there_is_no_truth(lesson):
    with pytest.raises((KeyError, IndexError)):
        holds(lesson, METRICS)
