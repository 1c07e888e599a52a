"""One submission counts for all members of a group, in every command that reads submissions."""

import csv
import re
import shutil
import zipfile
from datetime import datetime

import pytest

from course.instructor.cli import main
from course.instructor.course_dir import open_api
from tests.conftest import cell, write_notebook
from tests.instructor.export.test_plugins import add_graded_submission
from tests.instructor.grading.classes import ANSWER, TESTS, create_course, scores, submit
from tests.submissions import ROOT

CLASS = ("ada", "bob", "cy", "dora", "eve", "fay", "gus")
SMALL, NEXT = "01-small", "02-next"
ROSTER = "student,name,email,login,canvas\n" + "".join(
    f"{each},{each.title()} Lee,{each}@example.org,{each}99,{101 + number}\n"
    for number, each in enumerate(CLASS)
)
# In 02-next, bob has left the group, and dora and eve have no group.
GROUPS = """\
assignment,group,student
,red,ada
,red,bob
,red,cy
01-small,blue,dora
01-small,blue,eve
02-next,,bob
"""
TIMES = {"ada": "2026-03-01 12:00:00 UTC", "bob": "2026-03-02 12:00:00 UTC"}


def write_submission(root, student, name, text="", time=""):
    """Write a submission whose notebook cannot be graded, because no command here reads it."""
    folder = root / "submitted" / student / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.ipynb").write_text(text or student)
    if time:
        (folder / "timestamp.txt").write_text(time)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return a course directory in which every student's possible submission is graded.

    01-small has 5 points: ada has 4 points, bob 2 after a penalty of 3, eve 5, fay 1, and all
    others did not submit. In 02-next, which has 5 points too, ada has 3 and bob 1.
    """
    root = tmp_path_factory.mktemp("course")
    config = (ROOT / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(f"{config}c.LatePolicy.percent_per_day = 60\n")
    (root / "roster.csv").write_text(ROSTER)
    with open_api(root).gradebook as gradebook:
        for name in (SMALL, NEXT):
            write_notebook(root / "source" / name / "small.ipynb", [])
            gradebook.add_assignment(name)
            gradebook.add_notebook("small", name)
            gradebook.add_grade_cell("test", "small", name, max_score=3, cell_type="code")
            gradebook.add_grade_cell("explain", "small", name, max_score=2, cell_type="markdown")
            gradebook.add_solution_cell("explain", "small", name)
        for student in ("ada", "bob", "eve", "fay"):
            gradebook.add_student(student)
        add_graded_submission(gradebook, SMALL, "ada", 3, 1, comment="Good")
        add_graded_submission(gradebook, SMALL, "bob", 3, 2, penalty=3)
        gradebook.find_assignment(SMALL).duedate = datetime(2026, 3, 4)
        gradebook.find_submission(SMALL, "bob").timestamp = datetime(2026, 3, 5)
        add_graded_submission(gradebook, SMALL, "eve", 3, 2)
        add_graded_submission(gradebook, SMALL, "fay", 1, 0)
        add_graded_submission(gradebook, NEXT, "ada", 3, 0)
        add_graded_submission(gradebook, NEXT, "bob", 1, 0)
        gradebook.db.commit()
    return root


@pytest.fixture
def course_dir(template, tmp_path):
    """Return a copy of the course directory, with groups; in 01-small, only ada is left of red."""
    root = shutil.copytree(template, tmp_path / "course")
    (root / "groups.csv").write_text(GROUPS)
    for student in ("ada", "eve", "fay"):
        write_submission(root, student, SMALL)
    for student in ("ada", "bob"):
        write_submission(root, student, NEXT)
    return root


@pytest.fixture
def run(course_dir, capsys):
    """Return a function that runs a command and returns the exit code, stdout, and stderr."""

    def execute(*arguments):
        code = main.main(["-C", str(course_dir), *map(str, arguments)])
        return (code, *capsys.readouterr())

    return execute


@pytest.fixture
def export(run, tmp_path):
    """Return a function that runs `course export` and returns the rows and the output."""

    def execute(*arguments):
        path = tmp_path / "scores.csv"
        code, out, err = run("export", path, "--force", *arguments)
        assert code == 0, err
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file)), out

    return execute


def column(rows, key, header):
    """Return a column of a table by the values of another."""
    first, *others = rows
    return {row[first.index(key)]: row[first.index(header)] for row in others}


def test_each_member_has_the_score_of_the_submission_that_counts(export):
    rows, out = export("--assignment", SMALL)
    assert column(rows, "student_id", "score") == {
        "ada": "4", "bob": "4", "cy": "4", "dora": "5", "eve": "5", "fay": "1", "gus": "",
    }  # fmt: skip
    assert column(rows, "student_id", "late_submission_penalty")["bob"] == "0"
    assert "no score in 01-small, nothing submitted: gus\n" in out
    rows, out = export("--assignment", NEXT)
    assert column(rows, "student_id", "score") == {
        "ada": "3", "bob": "1", "cy": "3", "dora": "", "eve": "", "fay": "", "gus": "",
    }  # fmt: skip
    assert "nothing submitted: dora, eve, fay, gus\n" in out


def test_without_groups_only_the_submitters_have_scores(export, course_dir):
    (course_dir / "groups.csv").unlink()
    rows, _ = export("--assignment", SMALL)
    assert column(rows, "student_id", "score") == {
        "ada": "4", "bob": "2", "cy": "", "dora": "", "eve": "5", "fay": "1", "gus": "",
    }  # fmt: skip


def test_the_column_of_the_roster_is_used_without_a_table(export, course_dir):
    (course_dir / "groups.csv").unlink()
    lines = ROSTER.splitlines()
    groups = ["GROUP", "red", "red", "Red", "", "", "", ""]
    table = "\n".join(f"{line},{group}" for line, group in zip(lines, groups, strict=True))
    (course_dir / "roster.csv").write_text(table)
    rows, _ = export("--assignment", SMALL)
    found = column(rows, "student_id", "score")
    assert [found[each] for each in ("ada", "bob", "cy", "dora")] == ["4", "4", "4", ""]


def test_totals_count_the_submission_of_the_group(export):
    rows, _ = export("--to", "totals")
    assert column(rows, "student_id", SMALL) == {
        "ada": "80.00", "bob": "80.00", "cy": "80.00", "dora": "100.00", "eve": "100.00",
        "fay": "20.00", "gus": "0.00",
    }  # fmt: skip
    assert column(rows, "student_id", "total_percent") == {
        "ada": "70.00", "bob": "50.00", "cy": "70.00", "dora": "50.00", "eve": "50.00",
        "fay": "10.00", "gus": "0.00",
    }  # fmt: skip


def test_canvas_gets_a_row_with_a_score_for_each_member(export, tmp_path):
    # Canvas's own file, whose ids are logins: members who submitted nothing are found, too.
    path = tmp_path / "canvas.csv"
    lines = ["Student,ID,SIS User ID,SIS Login ID,Section"]
    lines += [
        f'"Lee, {each.title()}",{101 + number},,{each}99,S1' for number, each in enumerate(CLASS)
    ]
    path.write_text("\n".join(lines))
    rows, _ = export("--to", "canvas", "--roster", path)
    assert rows == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", SMALL, NEXT],
        ["    Points Possible", "", "", "", "", "5", "5"],
        ["Lee, Ada", "101", "", "ada99", "S1", "4", "3"],
        ["Lee, Bob", "102", "", "bob99", "S1", "4", "1"],
        ["Lee, Cy", "103", "", "cy99", "S1", "4", "3"],
        ["Lee, Dora", "104", "", "dora99", "S1", "5", ""],
        ["Lee, Eve", "105", "", "eve99", "S1", "5", ""],
        ["Lee, Fay", "106", "", "fay99", "S1", "1", ""],
        ["Lee, Gus", "107", "", "gus99", "S1", "", ""],
    ]


def test_moodle_gets_the_score_and_the_comment_for_each_member(export):
    rows, _ = export("--to", "moodle", "--assignment", SMALL)
    head = ["First name", "Last name", "Email address", "Username"]
    item = f"Assignment: {SMALL}"
    assert rows == [
        [*head, f"{item} (Real)", f"{item} (Feedback)"],
        ["Ada", "Lee", "ada@example.org", "ada99", "4", "explain: Good"],
        ["Bob", "Lee", "bob@example.org", "bob99", "4", "explain: Good"],
        ["Cy", "Lee", "cy@example.org", "cy99", "4", "explain: Good"],
        ["Dora", "Lee", "dora@example.org", "dora99", "5", ""],
        ["Eve", "Lee", "eve@example.org", "eve99", "5", ""],
        ["Fay", "Lee", "fay@example.org", "fay99", "1", ""],
    ]


def test_the_newest_of_two_submissions_counts_for_all(export, course_dir):
    for student, time in TIMES.items():
        write_submission(course_dir, student, SMALL, time=time)
    rows, out = export("--assignment", SMALL)
    found = column(rows, "student_id", "score")
    assert [found[each] for each in ("ada", "bob", "cy")] == ["2", "2", "2"], "with its penalty"
    assert "unclear" not in out
    # Deleting it takes effect, although it is still in the gradebook.
    shutil.rmtree(course_dir / "submitted" / "bob" / SMALL)
    rows, _ = export("--assignment", SMALL)
    assert column(rows, "student_id", "score")["cy"] == "4"
    # A newer one that is not graded yet counts as well: nobody has a score.
    write_submission(course_dir, "cy", SMALL, time="2026-03-03 12:00:00 UTC")
    write_submission(course_dir, "ada", SMALL, time=TIMES["ada"])
    rows, out = export("--assignment", SMALL)
    assert column(rows, "student_id", "score")["ada"] == ""
    assert "no score in 01-small, not graded yet: ada, bob, cy\n" in out


@pytest.mark.parametrize(
    "times", [{}, {"bob": TIMES["bob"]}, {"ada": TIMES["ada"], "bob": TIMES["ada"]}]
)
def test_unclear_submissions_count_only_for_those_who_submitted(export, course_dir, times):
    for student in ("ada", "bob"):
        write_submission(course_dir, student, SMALL, time=times.get(student, ""))
    rows, out = export("--assignment", SMALL)
    found = column(rows, "student_id", "score")
    assert [found[each] for each in ("ada", "bob", "cy")] == ["4", "2", ""]
    assert "no score in 01-small, unclear which submission of the group counts: cy\n" in out
    assert (
        "01-small: group red: ada and bob submitted different work, and it is unclear which is the"
        " newest, so each keeps their own, and there is no score for cy: delete all but one from"
        " submitted/, or add the time of each to submission_times.csv.\n"
    ) in out
    rows, out = export("--assignment", SMALL, "--zero")
    assert column(rows, "student_id", "score")["cy"] == "", "the group has submitted"
    _, out = export("--assignment", SMALL, "--student", "fay")
    assert "group red" not in out


def test_the_same_files_of_several_members_are_one_submission(export, course_dir):
    write_submission(course_dir, "bob", SMALL, "ours")
    write_submission(course_dir, "ada", SMALL, "ours", TIMES["ada"])
    rows, out = export("--assignment", SMALL)
    found = column(rows, "student_id", "score")
    assert [found[each] for each in ("ada", "bob", "cy")] == ["4", "4", "4"]
    assert "unclear" not in out


def test_the_gradebook_alone_tells_who_submitted(export, course_dir):
    shutil.rmtree(course_dir / "submitted")
    with open_api(course_dir).gradebook as gradebook:
        gradebook.find_assignment(SMALL).duedate = None
        gradebook.update_or_create_submission(SMALL, "ada", timestamp="2026-03-05 00:00:00 UTC")
    rows, out = export("--assignment", SMALL)
    assert "group red: ada and bob submitted different work" in out, "at the same time"
    with open_api(course_dir).gradebook as gradebook:
        gradebook.update_or_create_submission(SMALL, "ada", timestamp="2026-03-09 12:00:00 UTC")
    rows, out = export("--assignment", SMALL)
    found = column(rows, "student_id", "score")
    assert [found[each] for each in ("ada", "bob", "cy", "dora")] == ["4", "4", "4", "5"]


def test_an_id_that_collecting_without_a_roster_assigned_is_the_member(export, course_dir):
    with open_api(course_dir).gradebook as gradebook:
        gradebook.add_student("lee-dora-104", lms_user_id="104")
        add_graded_submission(gradebook, SMALL, "lee-dora-104", 2, 0)
        gradebook.db.commit()
    shutil.rmtree(course_dir / "submitted" / "eve")
    write_submission(course_dir, "lee-dora-104", SMALL)
    rows, _ = export("--to", "canvas", "--assignment", SMALL)
    found = column(rows, "ID", SMALL)
    assert (found["104"], found["105"]) == ("2", "2"), "eve's own is not in submitted/ anymore"


def test_errors_in_the_table_are_one_sentence(run, course_dir, tmp_path):
    (course_dir / "groups.csv").write_text("group,student\nred,zed\n")
    for arguments in (
        ["export", tmp_path / "x.csv"],
        ["feedback", SMALL],
        ["similar"],
        ["confirm"],
        ["statistics"],
        ["collect", tmp_path / "x.zip"],
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (1, "") and len(err.splitlines()) == 1
        assert "groups.csv, line 2 names the student 'zed', who is not in the roster" in err


def test_confirming_the_scores_of_a_member_confirms_those_of_the_group(run, course_dir):
    def pend(student):
        with open_api(course_dir).gradebook as gradebook:
            grade = gradebook.find_grade("explain", "small", SMALL, student)
            grade.needs_manual_grade = True
            gradebook.db.commit()

    pend("ada"), pend("eve")
    code, out, err = run("confirm", SMALL, "--student", "cy")
    assert (code, out) == (0, f"{SMALL}: 1 confirmed, 0 without a manual score stay pending\n"), err
    pend("ada")
    assert "1 confirmed" in run("confirm", SMALL, "--student", "eve")[1]
    assert run("confirm", "--student", "zed")[0] == 1


def answer(number):
    return cell("code", f"answer = {number}", "answer"), *TESTS


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_command):
    """Return the directory of a class that is graded by the command, and the finished command.

    Of red, ada and bob submitted, bob later; of blue, only eve. Fay and gus work alone, and gus
    submitted nothing.
    """
    root = create_course(tmp_path_factory.mktemp("graded"), ANSWER, *TESTS)
    (root / "roster.csv").write_text(ROSTER)
    (root / "groups.csv").write_text(
        "group,student\nred,ada\nred,bob\nred,cy\nblue,dora\nblue,eve\n"
    )
    (root / "due_dates.csv").write_text(
        "assignment,student,due\n01-small,,2026-03-01 12:00\n01-small,bob,2026-03-02 11:00\n"
    )
    with (root / "nbgrader_config.py").open("a") as file:
        file.write("\nc.LatePolicy.percent_per_day = 50\n")
    for student, number in {"ada": 3, "bob": 2, "eve": 1, "fay": 0}.items():
        path = submit(root, student, *answer(number))
        if student in TIMES:
            path.with_name("timestamp.txt").write_text(TIMES[student])
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stderr
    return root, done.stdout


@pytest.mark.slow
def test_grading_says_whose_submission_counts_and_who_is_missing(graded, course_command):
    root, printed = graded
    assert (
        f"{SMALL}: group red: the submission of bob counts for all members, not that of ada.\n"
    ) in printed
    assert f"{SMALL}: 1 of 7 in the roster did not submit: gus\n" in printed
    assert set(scores(root)) == {"ada", "bob", "eve", "fay"}, "nothing is copied"
    done = course_command("-C", root, "grade", SMALL, "--student", "cy", "--force")
    assert done.returncode == 0 and re.search(r"1/1 .* bob: graded", done.stdout), done.stderr


@pytest.mark.slow
def test_grading_with_groups_that_cannot_be_read_ends_with_their_error(graded, course_command):
    root = shutil.copytree(graded[0], graded[0].parent / "wrong")
    (root / "groups.csv").write_text("group,student\nred,zed\n")
    done = course_command("-C", root, "grade", SMALL)
    assert done.returncode == 1 and f"{SMALL}         4 " in done.stdout
    # At the beginning, and at the end, below the lines about the submissions.
    assert done.stderr.splitlines() == 2 * [
        f"course: {root}/groups.csv, line 2 names the student 'zed', who is not in the roster:"
        " correct the id, or add the student to the roster."
    ]


@pytest.mark.slow
def test_each_member_gets_the_page_of_the_group(graded, course_command):
    root, _ = graded
    done = course_command("-C", root, "feedback", SMALL, "--for", "zip")
    assert done.returncode == 0, done.stderr
    written = {path.parts[-3]: path.read_text() for path in root.glob("feedback/*/*/small.html")}
    assert set(written) == {"ada", "bob", "cy", "dora", "eve", "fay"}
    assert written["ada"] == written["bob"] == written["cy"] != written["eve"] == written["dora"]
    assert "01-small · your group" in written["cy"] and "01-small · fay" in written["fay"]
    assert not re.search(r"\b(ada|bob|Lee)\b", written["cy"]), "no member is named"
    assert "<b>1.5</b> of 3 points" in written["ada"], "the penalty holds for all"
    assert "1 hour after the due date (with your group's extension)" in written["ada"].replace(
        "&#39;", "'"
    )
    with zipfile.ZipFile(root / "build" / "feedback" / f"{SMALL}-zip.zip") as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert found == {f"{each}/{SMALL}/small.html": page for each, page in written.items()}
    shutil.rmtree(root / "feedback")
    done = course_command("-C", root, "feedback", SMALL, "--student", "cy")
    assert done.stdout.split() == [str(root / "feedback" / "cy" / SMALL / "small.html")]


@pytest.mark.slow
def test_moodle_gets_the_pages_of_those_who_uploaded(graded, course_command):
    root, _ = graded
    table = root / "originals" / "moodle-1" / "table.csv"
    table.parent.mkdir(parents=True)
    lines = ["file,status,student,assignment,details,saved as"]
    for number, student in enumerate(("ada", "bob", "eve", "fay")):
        file = f"{student.title()} Lee_{4711 + number}_assignsubmission_file/small.ipynb"
        lines.append(f"{file},collected,{student},{SMALL},,1")
    table.write_text("\n".join(lines))
    done = course_command("-C", root, "feedback", SMALL, "--for", "moodle")
    assert done.returncode == 1
    assert "does not contain the pages of cy, dora: their work was not collected" in done.stderr
    with zipfile.ZipFile(root / "build" / "feedback" / f"{SMALL}-moodle.zip") as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert sorted(found) == [
        f"{name} Lee_{number}_assignfeedback_file_small.html"
        for name, number in (("Ada", 4711), ("Bob", 4712), ("Eve", 4713), ("Fay", 4714))
    ]
    assert "your group" in found["Ada Lee_4711_assignfeedback_file_small.html"]


@pytest.mark.slow
def test_statistics_count_a_submission_of_a_group_once(graded, capsys):
    assert main.main(["-C", str(graded[0]), "statistics", SMALL]) == 0
    printed = capsys.readouterr().out
    assert f"{SMALL}: 3 graded\n" in printed and re.search(r"test_2 .* 2 of 3", printed)


@pytest.mark.slow
def test_similar_work_is_listed_only_between_groups(graded, course_command):
    def listed():
        done = course_command("-C", root, "similar", SMALL)
        assert done.returncode == 0, done.stderr
        return re.findall("^ +(.*): the same", done.stdout, re.M), done.stdout

    root = shutil.copytree(graded[0], graded[0].parent / "similar")
    assert course_command("-C", root, "release").returncode == 0
    submit(root, "ada", *answer(1))  # like eve's, but bob's counts for the group
    submit(root, "gus", *answer(2))
    assert listed()[0] == ["bob (group red), gus"]
    # Without times, it is unclear which one counts: all are compared, but not with each other.
    for student in TIMES:
        (root / "submitted" / student / SMALL / "timestamp.txt").unlink()
    same, printed = listed()
    assert same == ["ada (group red), eve (group blue)", "bob (group red), gus"]
    path = submit(root, "ada", *answer(5))
    notebook = path.read_text().replace('"outputs": []', '"outputs": [ ]')
    submit(root, "bob", *answer(5)).write_text(notebook)
    same, printed = listed()
    assert same == [] and printed.startswith(f"{SMALL}: 5 submissions with answers")


@pytest.mark.slow
def test_feedback_for_an_unclear_group_is_written_for_those_who_submitted(graded, course_command):
    root = shutil.copytree(graded[0], graded[0].parent / "unclear")
    (root / "submitted" / "ada" / SMALL / "timestamp.txt").unlink()
    shutil.rmtree(root / "feedback", ignore_errors=True)
    done = course_command("-C", root, "feedback", SMALL)
    assert done.returncode == 1
    assert done.stderr.startswith(f"course: {SMALL}: group red: ada and bob submitted different")
    pages = {path.parts[-3]: path.read_text() for path in root.glob("feedback/*/*/small.html")}
    assert set(pages) == {"ada", "bob", "dora", "eve", "fay"}
    assert "01-small · ada" in pages["ada"]
