import shutil

import pytest

from tests.conftest import BIN, cell, run_command
from tests.instructor.grading.classes import ANSWER, NAME, TESTS, scores, submit, submit_answers

pytestmark = pytest.mark.slow
WRITTEN = cell("markdown", "the question", "explain", points=2)
WRITTEN["metadata"]["nbgrader"] |= {"solution": True, "locked": False}


def give_points(root, student, points):
    """Grade a written answer manually, as the formgrader does."""
    from course.instructor.course_dir import open_api

    with open_api(root).gradebook as gradebook:
        grade = gradebook.find_grade("explain", "small", NAME, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def test_a_class_has_the_same_scores_in_sqlite_and_postgresql(
    small_course, course_command, gradebook_url
):
    root = small_course(ANSWER, *TESTS, WRITTEN)
    for number, student in enumerate(["ada", "bob", "cem"]):
        answer = cell("code", f"answer = {number}", "answer")
        submit(root, student, answer, *TESTS, WRITTEN | {"source": f"because of {number}"})
    (submit(root, "dan", ANSWER)).write_text("not a notebook")

    def grade_manually_and_regrade():
        assert course_command("-C", root, "grade", "--workers", "2").returncode == 1  # dan
        give_points(root, "cem", 1.5)
        regraded = course_command("-C", root, "grade", "--force", "--student", "cem")
        assert regraded.returncode == 0, regraded.stderr
        assert "4.5/5" in regraded.stdout
        return scores(root)

    in_sqlite = grade_manually_and_regrade()
    # The answer has not changed, so it stays graded.
    assert in_sqlite["cem"]["explain"] == (None, 1.5, 2, False)
    assert in_sqlite["bob"]["test_1"][0] == 1 and in_sqlite["dan"]["test_1"][0] == 0
    (root / "gradebook.db").unlink()
    shutil.rmtree(root / "autograded")
    with (root / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.CourseDirectory.db_url = {gradebook_url!r}\n")

    assert grade_manually_and_regrade() == in_sqlite
    by_nbgrader = run_command(
        BIN / "nbgrader", "autograde", NAME, "--student", "bob", "--force", cwd=root
    )
    assert by_nbgrader.returncode == 0, by_nbgrader.stderr
    assert scores(root) == in_sqlite
    report = course_command("-C", root, "report")
    assert report.returncode == 0, report.stderr
    for row in ("ada 0 5 pending", "bob 1 5 pending", "cem 4.5 5 done", "dan 0 5"):
        assert any(
            " ".join(line.split()[1:]).startswith(row) for line in report.stdout.splitlines()
        ), row
    assert course_command("-C", root, "feedback").returncode == 0
    assert not list(root.rglob("*.db")), "the db_url setting was ignored"


def test_an_unreachable_server_is_reported_in_one_sentence(small_course, course_command, tmp_path):
    root = small_course(ANSWER, *TESTS)
    submit_answers(root, {"ada": 3}, seconds=0)
    with (root / "nbgrader_config.py").open("a") as config:
        url = f"postgresql+psycopg://teacher@/course?host={tmp_path}"
        config.write(f"\nc.CourseDirectory.db_url = {url!r}\n")
    graded = course_command("-C", root, "grade")
    assert graded.returncode == 1
    (line,) = graded.stderr.splitlines()
    assert line.startswith("course: cannot use the gradebook (")
    assert "CourseDirectory.db_url" in line
