"""Options of a specification, which a student writes and an instructor's machine builds."""

import json

import pytest

from course import experiments
from course.errors import CourseError

EXAMPLE = {"name": "plain", "widths": [16, 32], "shortcuts": False, "epochs": 4, "rate": 0.1}
LIMITS = {"widths": (8, 512), "epochs": (1, 100), "rate": (0.0, 10.0)}


def check(specification):
    experiments.check_options(specification, EXAMPLE, LIMITS)


@pytest.mark.parametrize(
    "changes",
    [{}, {"widths": [8]}, {"widths": [512] * 8}, {"rate": 0}, {"epochs": 100}, {"name": "x" * 60}],
    ids=str,
)
def test_possible_values_are_accepted(changes):
    check(EXAMPLE | changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"widths": []}, "widths must be a list of 1 to 8 integers"),
        ({"widths": [16] * 9}, "widths must be a list of 1 to 8 integers"),
        ({"widths": "16"}, "widths must be a list of 1 to 8 integers"),
        ({"widths": [16, 513]}, "each number in widths must be an integer from 8 to 512"),
        ({"widths": [16.0]}, "each number in widths must be an integer from 8 to 512"),
        ({"widths": [[16]]}, "each number in widths must be an integer from 8 to 512"),
        ({"shortcuts": 1}, "shortcuts must be True or False"),
        ({"epochs": True}, "epochs must be an integer from 1 to 100"),
        ({"epochs": 10**400}, "epochs must be an integer from 1 to 100"),
        ({"rate": float("nan")}, "rate must be a number from 0.0 to 10.0"),
        ({"rate": float("inf")}, "rate must be a number from 0.0 to 10.0"),
        ({"rate": "0.1"}, "rate must be a number from 0.0 to 10.0"),
        ({"rate": None}, "rate must be a number from 0.0 to 10.0"),
        ({"name": ""}, "name must be a string of 1 to 60 characters"),
        ({"name": "x" * 61}, "name must be a string of 1 to 60 characters"),
        ({"depth": 3}, "there is no option 'depth': choose one of name, widths"),
        ({"y" * 10**6: 3}, "there is no option 'y{60}': choose"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_impossible_value_is_one_sentence(changes, sentence):
    with pytest.raises(CourseError, match=sentence) as error:
        check(EXAMPLE | changes)
    assert len(str(error.value)) < 300


def test_anything_but_a_dict_with_all_options_is_an_error():
    for value in (None, [], "plain", 3, json.loads("[" * 50 + "]" * 50)):
        with pytest.raises(CourseError, match="a configuration must be a dict"):
            check(value)
    for key in EXAMPLE:
        with pytest.raises(CourseError, match=f"the option '{key}' is missing"):
            check({name: value for name, value in EXAMPLE.items() if name != key})
