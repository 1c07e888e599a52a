"""The groups of a class: `groups.csv` and the column `group` of the roster."""

import pytest

from course.errors import CourseError
from course.instructor.roster.groups import read_groups
from course.instructor.roster.roster import read_course_roster

ROSTER = (
    "student,name,Group\nada,Ada Lovelace,Red\nbob,Bob Ross, red \ncy,Cy Young,\ndora,Dora,blue\n"
)


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the groups of a course directory with two assignments."""
    (tmp_path / "nbgrader_config.py").touch()
    for name in ("01-small", "02-next"):
        folder = tmp_path / "source" / name
        folder.mkdir(parents=True)
        (folder / "small.ipynb").touch()

    def run(table=None, roster=ROSTER):
        for name, text in (("groups.csv", table), ("roster.csv", roster)):
            if text is not None:
                (tmp_path / name).write_text(text, encoding="utf-8")
        return read_groups(tmp_path, read_course_roster(tmp_path))

    return run


def test_a_row_with_an_assignment_takes_precedence(read):
    groups = read(
        "assignment,group,student\n,red,ada\n,red,bob\n,red,cy\n02-next,,bob\n02-next,blue,cy\n"
        "02-next,Blue ,dora\n"
    )
    assert groups.members("01-small") == {"red": ["ada", "bob", "cy"]}
    assert groups.members("02-next") == {"blue": ["cy", "dora"]}, "ada is alone in red"


def test_two_columns_are_enough_and_ids_are_those_of_the_roster(read):
    assert read("Student;Group\nADA;red\nbob;RED\n").members("01-small") == {"red": ["ada", "bob"]}
    assert read("Student;Group\nADA;red\n").members("01-small") == {}


def test_the_column_of_the_roster_holds_unless_there_is_a_table(read):
    assert read().members("02-next") == {"Red": ["ada", "bob"]}
    assert read("group,student\nblue,cy\nblue,dora\n").members("02-next") == {
        "blue": ["cy", "dora"]
    }


def test_without_a_table_and_a_column_there_are_no_groups(read):
    assert read(roster="student,name\nada,Ada\n").students == []
    assert read(roster=None).students == []


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "is empty: write assignment,group,student"),
        ("group,name\nred,ada\n", "has the columns group, name: write assignment,group,student"),
        ("group,student\nred,zed\n", "line 2 names the student 'zed', who is not in the roster"),
        ("group,student\nred,\n", "line 2 names no student: add the student's id"),
        (
            "assignment,group,student\n,red,ada\n09-x,red,bob\n",
            "line 3 names the assignment '09-x', which is not in source/: choose from 01-small,",
        ),
        (
            "group,student\nred,ada\nred,bob\nblue,Ada\n",
            "line 4 lists ada for every assignment, as does line 2: remove one of the two",
        ),
        (
            "assignment,group,student\n01-small,red,ada\n01-small,blue,ada\n",
            "line 3 lists ada for 01-small, as does line 2",
        ),
    ],
)
def test_an_unclear_table_is_an_error_that_names_the_line(read, table, problem):
    with pytest.raises(CourseError) as error:
        read(table)
    assert problem in str(error.value) and "groups.csv" in str(error.value)


def test_without_a_roster_an_id_is_the_name_of_a_folder(read):
    assert read("group,student\nred,zed\nred,yak\n", roster=None).students == ["zed", "yak"]
    with pytest.raises(CourseError, match=r"line 2 names the student '\.\./zed', which cannot be"):
        read("group,student\nred,../zed\n", roster=None)
