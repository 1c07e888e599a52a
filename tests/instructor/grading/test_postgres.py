import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import BIN, cell, run_command
from tests.instructor.grading.classes import ANSWER, NAME, TESTS, scores, submit, submit_answers

pytestmark = pytest.mark.slow
WRITTEN = cell("markdown", "the question", "explain", points=2)
WRITTEN["metadata"]["nbgrader"] |= {"solution": True, "locked": False}


def find_programs():
    """Return the folder with the programs of a PostgreSQL server, or None."""
    on_path = shutil.which("initdb")
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    folders += [Path(on_path).resolve().parent] if on_path else []
    return next((each for each in reversed(folders) if (each / "pg_ctl").is_file()), None)


@pytest.fixture(scope="session")
def server():
    """Start a PostgreSQL server that listens only on a private socket; return its folder."""
    folder_of_programs = find_programs()
    if folder_of_programs is None:
        pytest.skip("PostgreSQL's initdb is not installed (Debian: apt-get install postgresql)")
    # Socket paths must be short, and other users cannot read pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    owner = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        names = {each.pw_name for each in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        os.chown(folder, user.pw_uid, user.pw_gid)

    def run(program, *arguments):
        command = [folder_of_programs / program, "-D", folder / "data", *arguments]
        with (folder / "output").open("a") as log:
            subprocess.run(
                command, cwd=folder, stdout=log, stderr=log, check=True, timeout=60, **owner
            )

    (folder / "output").touch(mode=0o666)
    try:
        run("initdb", "--username=teacher", "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "start", "--wait", "-o", options, "-l", str(folder / "log"))
        try:
            yield folder
        finally:
            run("pg_ctl", "stop", "--wait", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def gradebook_url(server):
    """Create a new database and return its URL."""
    import psycopg

    with psycopg.connect(f"host={server} user=teacher dbname=postgres", autocommit=True) as one:
        one.execute("CREATE DATABASE course")
    return f"postgresql+psycopg://teacher@/course?host={server}"


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
