import pytest

from course.instructor.course_dir import open_api
from course.instructor.gradebook.enrollment import describe_missing, describe_unknown
from course.instructor.roster.roster import read_roster
from tests.instructor.grading.classes import ANSWER, NAME, TESTS, create_course, submit_answers


@pytest.fixture
def roster(tmp_path):
    path = tmp_path / "roster.csv"
    lines = ["student,name,email", "ada,Ada Lovelace,ada@example.edu", "bob,Bob Ross,"]
    path.write_text(
        "\n".join([*lines, *(f"s{number:02},Person {number}," for number in range(12))])
    )
    return read_roster(path)


def test_those_who_did_not_submit_are_counted_and_the_first_named(roster):
    everyone = [person.student for person in roster]
    assert describe_missing(roster, [*everyone, "guest"]) == ""
    assert describe_missing(roster, everyone[1:]) == "1 of 14 in the roster did not submit: ada"
    assert describe_missing(roster, everyone[2:], excused={"ada"}) == (
        "1 of 14 in the roster did not submit: bob"
    )
    listed = ", ".join(f"s{number:02}" for number in range(10))
    assert describe_missing(roster, ["ada", "bob"]) == (
        f"12 of 14 in the roster did not submit: {listed}, and 2 more"
    )


def test_a_student_is_found_by_the_name_that_a_platform_writes(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("student,name,canvas\nada,Ada Lovelace,4711\n")
    assert describe_missing(read_roster(path), ["lovelaceada-4711"]) == ""


def test_students_who_are_not_in_the_roster_are_named(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("student,name,canvas\nada,Ada Lovelace,4711\nbob,Bob Ross,4712\n")
    roster = read_roster(path)
    assert describe_unknown(roster, ["lovelaceada-4711", "bob"]) == ""
    # An old ID of the same student.
    assert describe_unknown(roster, ["ada", "ada-lovelace", "guest"]) == (
        "submitted, but not in roster.csv: ada-lovelace, guest"
    )
    many = [f"guest{number:02}" for number in range(12)]
    assert describe_unknown(roster, many).endswith("guest09, and 2 more")


def students(root):
    with open_api(root).gradebook as gradebook:
        return {
            each.id: (each.first_name, each.last_name, each.email) for each in gradebook.students
        }


@pytest.mark.slow
def test_grading_enters_the_names_of_the_roster(tmp_path, course_command):
    root = create_course(tmp_path / "course", ANSWER, *TESTS)
    submit_answers(root, {"ada": 3, "guest": 1}, seconds=0)
    path = root / "roster.csv"
    path.write_text("student,name,email\nada,Ada Lovelace,ada@example.edu\nbob,Bob Ross,\n")
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stderr
    assert f"{NAME}: 1 of 2 in the roster did not submit: bob" in done.stdout
    assert f"{NAME}: submitted, but not in roster.csv: guest\n" in done.stdout
    assert students(root) == {
        "ada": ("Ada", "Lovelace", "ada@example.edu"),
        "guest": (None, None, None),
    }
    # A later roster corrects a name; what it leaves empty stays.
    path.write_text("student,name\nada,Ada King\n")
    assert course_command("-C", root, "grade").returncode == 0
    assert students(root)["ada"] == ("Ada", "King", "ada@example.edu")


@pytest.mark.slow
def test_grading_with_a_roster_that_cannot_be_read_ends_with_its_error(tmp_path, course_command):
    root = create_course(tmp_path / "course", ANSWER, *TESTS)
    submit_answers(root, {"ada": 3}, seconds=0)
    (root / "roster.csv").write_text("color\nred\n")
    done = course_command("-C", root, "grade")
    assert done.returncode == 1
    assert "has no column that identifies students" in done.stderr.splitlines()[-1]
    assert "1 graded" in done.stdout
