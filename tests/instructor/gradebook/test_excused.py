import re

import pytest

from course.errors import CourseError
from course.instructor.cli.main import main
from course.instructor.gradebook.excused import FILE_NAME, read_excused
from tests.conftest import cell


def test_each_row_excuses_a_student_from_an_assignment(small_course):
    root = small_course(cell("code", "1"))
    assert read_excused(root) == set()
    (root / FILE_NAME).write_text("\ufeffStudent;Assignment\r\nada; 01-small\r\n;\r\n")
    assert read_excused(root) == {("01-small", "ada")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty: write assignment,student in its first line"),
        ("assignment\n01-small\n", "has the columns assignment: write assignment,student"),
        ("assignment,student\n01-small,\n", "line 2 names no student: add it"),
        ("assignment,student\n,ada\n", "line 2 names no assignment: add it"),
        ("assignment,student\n1-small,ada\n", "'1-small' is not an assignment"),
    ],
)
@pytest.mark.parametrize("command", ["grade", "statistics"])
def test_a_table_that_is_unclear_is_one_sentence(small_course, capsys, text, problem, command):
    root = small_course(cell("code", "1"), cell("code", "assert True", "test_it", points=1))
    (root / FILE_NAME).write_text(text)
    with pytest.raises(CourseError, match=re.escape(problem)):
        read_excused(root)
    (root / "submitted/ada/01-small").mkdir(parents=True)
    assert main(["-C", str(root), command]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("course: ")
