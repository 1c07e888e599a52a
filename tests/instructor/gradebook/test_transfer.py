"""Copying a gradebook to another database with `course gradebook copy`."""

import shutil
import sqlite3
from datetime import timedelta

import pytest
import sqlalchemy

from course.instructor.cli import main
from course.instructor.course_dir import open_api
from course.instructor.grading.journal import Journal
from tests.conftest import cell
from tests.instructor.export.test_plugins import add_graded_submission
from tests.instructor.grading.classes import ANSWER, NAME, create_course

TEST = cell("code", "assert answer > 1", "test", points=3)
WHY = cell("markdown", "*Write your answer here.*", "explain", points=2)
WHY["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
STUDENTS = {"ada": ("Ada", 3, 2), "björn": ("Björn", 0.1, None), "cy": (None, 1 / 3, 1.25)}


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """Return a course directory with a released assignment and graded submissions."""
    root = create_course(tmp_path_factory.mktemp("released") / "course", ANSWER, TEST, WHY)
    assert main.main(["-C", str(root), "release", NAME]) == 0
    with open_api(root).gradebook as gradebook:
        for student, (first, auto_score, manual_score) in STUDENTS.items():
            gradebook.add_student(student, first_name=first, email=f"{student}@example.org")
            comment = f"Good, {first}:\n“yes”\u0009– 100 %"
            add_graded_submission(
                gradebook, NAME, student, auto_score, manual_score, penalty=0.5, comment=comment
            )
            gradebook.find_grade("explain", "small", NAME, student).extra_credit = 0.25
        gradebook.find_submission(NAME, "ada").extension = timedelta(days=-1, hours=5)
        gradebook.db.commit()
    return root


@pytest.fixture
def root(released, tmp_path):
    return shutil.copytree(released, tmp_path / "course")


@pytest.fixture
def copy(root, capsys):
    """Return a function that runs `course gradebook copy`; returns its code and output."""

    def run(url, folder=root):
        capsys.readouterr()
        code = main.main(["-C", str(folder), "gradebook", "copy", str(url)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def content(url):
    """Return all rows of all tables of a database, with the types that Python gives them."""
    from nbgrader.api import Base

    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted(map(tuple, connection.execute(sqlalchemy.select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }
        version = sqlalchemy.text("SELECT version_num FROM alembic_version")
        found["alembic_version"] = connection.execute(version).all()
    engine.dispose()
    return found


def sqlite_url(path):
    return f"sqlite:///{path}"


def set_url(root, url):
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.CourseDirectory.db_url = {url!r}\n")


def test_a_copy_has_all_rows_of_all_tables(root, copy, tmp_path):
    original = content(sqlite_url(root / "gradebook.db"))
    assert original["alembic_version"] and original["source_cell"] and original["comment"]
    code, output = copy(sqlite_url(tmp_path / "copy.db"))
    assert code == 0, output
    rows = sum(map(len, original.values())) - len(original["alembic_version"])
    assert output.startswith(
        f"copied and compared: {rows} rows, with the scores of 3 submissions by 3 students\n"
    )
    assert f"c.CourseDirectory.db_url = '{sqlite_url(tmp_path / 'copy.db')}'" in output
    assert content(sqlite_url(tmp_path / "copy.db")) == original
    assert content(sqlite_url(root / "gradebook.db")) == original
    assert {path.name for path in tmp_path.iterdir()} == {"course", "copy.db"}


@pytest.mark.slow
def test_a_gradebook_moves_to_postgresql_and_back(root, copy, tmp_path, gradebook_url):
    original = content(sqlite_url(root / "gradebook.db"))
    code, output = copy(gradebook_url)
    assert code == 0, output
    assert content(gradebook_url) == original
    (root / "gradebook.db").rename(tmp_path / "old.db")
    set_url(root, gradebook_url)
    with open_api(root).gradebook as gradebook:
        assert gradebook.find_grade("explain", "small", NAME, "ada").manual_score == 2
        gradebook.find_grade("explain", "small", NAME, "björn").manual_score = 1.75
        gradebook.db.commit()
    assert main.main(["-C", str(root), "report"]) == 0
    changed = content(gradebook_url)
    code, output = copy(gradebook_url)
    assert code == 1 and "is not empty: specify an empty database." in output
    code, output = copy(sqlite_url(root / "gradebook.db"))
    assert code == 0, output
    assert content(sqlite_url(root / "gradebook.db")) == changed != original


@pytest.mark.slow
def test_students_are_renamed_and_dropped_in_postgresql(root, copy, gradebook_url, capsys):
    assert copy(gradebook_url)[0] == 0
    (root / "gradebook.db").unlink()
    set_url(root, gradebook_url)
    before = content(gradebook_url)
    for arguments in ["rename", "ada", "king"], ["drop", "cy", "--yes"]:
        assert main.main(["-C", str(root), "student", *arguments]) == 0, capsys.readouterr()
    after = content(gradebook_url)
    assert [row[0] for row in after["student"]] == ["björn", "king"]
    assert len(after["grade"]) == len(before["grade"]) - 2
    (kept,) = (row for row in after["submitted_assignment"] if "king" in row)
    assert kept[0] in {row[0] for row in before["submitted_assignment"] if "ada" in row}


@pytest.mark.slow
def test_a_failure_leaves_the_target_empty(root, copy, gradebook_url, tmp_path):
    """SQLite stores any text; PostgreSQL refuses one that is too long for its column."""
    with sqlite3.connect(root / "gradebook.db") as database:
        database.execute("UPDATE student SET email = ? WHERE id = 'cy'", ["x" * 200])
    code, output = copy(gradebook_url)
    assert code == 1
    assert "value too long" in output and "nothing was copied" in output
    assert len(output.splitlines()) == 1
    engine = sqlalchemy.create_engine(gradebook_url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("gradebook", "'gradebook' is not the URL of a database: write it as"),
        ("postgresql//me:secret@host/course", "'postgresql//…@host/course' is not the URL of"),
        ("mysql://me:secret@host/course", "mysql://me:***@host/course is neither a PostgreSQL nor"),
        ("sqlite://", "'sqlite://' does not name a file"),
        (
            "sqlite:///{root}/gradebook.db",
            "gradebook.db already exists: specify a file that does",
        ),
        ("sqlite:///{root}/new/copy.db", "new does not exist: specify an existing folder."),
        (
            "postgresql+psycopg://me:secret@/course?host={root}",
            "the gradebook cannot be copied to postgresql+psycopg://me:***@/course",
        ),
    ],
)
def test_an_unusable_target_is_an_error(root, copy, url, sentence):
    code, output = copy(url.format(root=root))
    assert code == 1
    (line,) = output.splitlines()
    assert line.startswith("course: ") and sentence in line and line.endswith(".")
    assert "secret" not in output


def test_a_gradebook_of_an_older_nbgrader_is_refused(root, copy, tmp_path):
    with sqlite3.connect(root / "gradebook.db") as database:
        database.execute("ALTER TABLE student DROP COLUMN lms_user_id")
    code, output = copy(sqlite_url(tmp_path / "copy.db"))
    assert code == 1 and "has no column lms_user_id" in output
    assert not list(tmp_path.glob("*.db"))


def test_nothing_is_copied_while_an_assignment_is_graded(root, copy, tmp_path):
    with Journal(root, NAME).exclusive():
        code, output = copy(sqlite_url(tmp_path / "copy.db"))
    assert code == 1 and f"{NAME} is already being graded here" in output


def test_a_missing_gradebook_is_not_created(root, copy, tmp_path):
    (root / "gradebook.db").unlink()
    code, output = copy(sqlite_url(tmp_path / "copy.db"))
    assert code == 1 and "gradebook.db does not exist yet" in output
    assert not list(tmp_path.rglob("*.db"))
