"""The table of course totals."""

import pytest

from course.errors import CourseError
from course.instructor.export.totals import build_table
from course.instructor.gradebook.class_scores import (
    NOT_SUBMITTED,
    PENDING,
    ClassScores,
    MemberScore,
)
from course.instructor.gradebook.roster_matching import Member
from course.instructor.roster.roster import Person

POINTS = {"01-a": 10.0, "02-b": 20.0, "03-c": 4.0}
EARNED = {
    "ada": (10, 10, 3),  # 100, 50, 75 %
    "bob": (5, 20, None),  # nothing submitted
    "cem": (8, PENDING, 4),
}


@pytest.fixture
def scores():
    members = [Member(Person(name, name=name.title()), name) for name in EARNED]
    found = ClassScores(members, {name: (points, "") for name, points in POINTS.items()})
    for student, earned in EARNED.items():
        for name, points in zip(POINTS, earned, strict=True):
            if isinstance(points, int):
                score = MemberScore(float(points))
            else:
                score = MemberScore(missing_reason=points or NOT_SUBMITTED)
            found.scores[student, name] = score
    return found


def totals(scores, weights=None, drop_lowest=0):
    header, *rows = build_table(scores, weights or {}, drop_lowest).rows
    assert header[4:] == [*POINTS, "total_percent", "dropped"]
    return {row[0]: row[4:] for row in rows}


def test_the_total_is_the_mean_of_the_percentages(scores):
    assert totals(scores) == {
        "ada": ["100.00", "50.00", "75.00", "75.00", ""],
        "bob": ["50.00", "100.00", "0.00", "50.00", ""],
        "cem": ["80.00", "", "100.00", "", ""],  # no total while a score is pending
    }


def test_weights_and_the_lowest_percentage(scores):
    assert totals(scores, {"02-b": 2, "03-c": 0})["ada"][3:] == ["66.67", ""]
    found = totals(scores, drop_lowest=1)
    assert found["ada"][3:] == ["87.50", "02-b"]
    assert found["bob"][3:] == ["75.00", "03-c"]
    assert totals(scores, {"02-b": 3}, drop_lowest=1)["bob"][3:] == ["87.50", "03-c"]
    # An assignment of the course that is not exported, for example because it comes later.
    assert (
        build_table(scores, {"08-x": 2}, 0, known=["08-x"]).rows == build_table(scores, {}, 0).rows
    )


def test_an_excused_assignment_is_left_out_of_the_mean(scores):
    scores.excuse({("03-c", "bob"), ("02-b", "cem")})
    found = totals(scores, {"01-a": 3})
    assert found["bob"] == ["50.00", "100.00", "excused", "62.50", ""]
    assert found["cem"] == ["80.00", "excused", "100.00", "85.00", ""], "pending no longer"
    found = totals(scores, drop_lowest=2)
    assert found["ada"][3:] == ["100.00", "02-b 03-c"]
    assert found["bob"][3:] == ["100.00", "01-a"], "at least one counts"
    scores.excuse({(name, "ada") for name in POINTS})
    assert totals(scores)["ada"] == ["excused", "excused", "excused", "", ""]


@pytest.mark.parametrize(
    ("weights", "drop_lowest", "problem"),
    [
        ({"99-x": 2}, 0, "'99-x' in c.TotalsExportPlugin.weights is not an assignment"),
        ({"01-a": -1}, 0, "the weight of 01-a in nbgrader_config.py is -1"),
        ({}, 3, "drop_lowest is 3, but the number of assignments that count is 3"),
        ({"01-a": 0}, 2, "drop_lowest is 2, but the number of assignments that count is 2"),
        (dict.fromkeys(POINTS, 0), 0, "no assignment counts"),
    ],
)
def test_settings_that_leave_no_total_are_refused(scores, weights, drop_lowest, problem):
    with pytest.raises(CourseError, match=problem):
        build_table(scores, weights, drop_lowest)
