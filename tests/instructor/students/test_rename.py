"""Renaming students with `course student rename`."""

import pytest

from course.instructor import unfinished_change
from course.instructor.course_dir import open_api
from course.instructor.grading.journal import Journal
from course.instructor.grading.kept_answers import KeptAnswers
from course.instructor.lateness.due_dates import read_due_dates
from course.instructor.unfinished_change import UnfinishedChange
from tests.instructor.students.conftest import FILE, NAME, mentions, rows_of, tree, watched_by


def test_everything_of_a_student_has_the_new_id(root, run):
    scores = rows_of(root)
    before = tree(root)
    done = run(root, "student", "rename", "lovelace7", "king")
    assert done.returncode == 0, done.stderr
    assert "renamed: lovelace7 -> king" in done.stdout
    scores["king"] = scores.pop("lovelace7")
    assert rows_of(root) == scores
    after = tree(root)
    for folder in (f"submitted/{{}}/{NAME}/{FILE}", f"autograded/{{}}/{NAME}/{FILE}"):
        assert after[folder.format("king")] == before[folder.format("lovelace7")]
    assert not list(root.glob("feedback/king*")), "a page shows the ID"
    assert "To do: the feedback pages were deleted" in done.stdout
    journal = Journal(root, NAME)
    assert journal.load_outcome("king") and "king" in journal.ungraded()
    assert journal.pending_regrades() == ({"king", "bross5"}, {"king", "bross5", "curie"})
    answers = KeptAnswers(root, NAME, "king", "mnist")
    assert answers.record() and answers._path.is_file()
    assert [*read_due_dates(root, "UTC").of_student] == [(NAME, "king"), (NAME, "bross5")]
    assert watched_by(root)[1] == ["king", "bross5", "curie"]
    assert "king,Ada Lovelace,lovelace7@example.org\n" in (root / "roster.csv").read_text()
    # The names of an archive, and those that are part of an email address, stay.
    left = mentions(root, "lovelace7")
    assert all(path.startswith("originals/lovelace7-") for path in left - {"roster.csv"})
    # The order of attempts is still known: the older archive replaces nothing.
    again = run(root, "collect", next(root.glob("originals/submissions-*/submissions.zip")))
    assert "king  older attempt" in again.stdout or "already collected" in again.stdout


def test_a_rename_can_be_undone(root, run):
    scores, before = rows_of(root), tree(root)
    assert run(root, "student", "rename", "lovelace7", "king").returncode == 0
    assert run(root, "student", "rename", "king", "lovelace7").returncode == 0
    assert rows_of(root) == scores
    after = tree(root)
    lost = {path for path in before if before[path] != after.get(path)}
    assert all(path.startswith(("build/", "feedback/lovelace7/")) for path in lost), lost


def test_a_rename_that_is_complete_can_be_repeated(root, run):
    """A kill after the last step can hide that it was the last one."""
    assert run(root, "student", "rename", "lovelace7", "king").returncode == 0
    before = tree(root)
    again = run(root, "student", "rename", "lovelace7", "king")
    assert (again.returncode, again.stdout) == (0, "already renamed: lovelace7 -> king\n")
    assert tree(root) == before
    other = run(root, "student", "rename", "lovelace7", "queen")
    assert other.returncode == 1 and "'lovelace7' is not a student" in other.stderr
    # The ID has been given to somebody else.
    assert run(root, "student", "rename", "bross5", "lovelace7").returncode == 0
    assert run(root, "student", "rename", "lovelace7", "king").returncode == 1


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        ("bross5", "'bross5' is already in submitted/: choose a different ID."),
        ("BROSS5", "'BROSS5' is too similar to 'bross5', which is already in submitted/"),
        ("noether", "'noether' is already in roster.csv"),
        ("extended", "'extended' is already in due_dates.csv"),
        ("enrolled", "'enrolled' is already in the gradebook"),
        ("lovelace7", "'lovelace7' is already the ID of this student"),
        ("a/b", "'a/b' cannot be the name of a folder"),
        ("..", "'..' cannot be the name of a folder"),
        ("jose\u0301", "cannot be the name of a folder"),
    ],
)
def test_an_id_that_exists_or_is_invalid_is_refused(root, run, new, sentence):
    with (root / "roster.csv").open("a") as roster:
        roster.write("noether,Emmy Noether,\n")
    with (root / "due_dates.csv").open("a") as due_dates:
        due_dates.write(f"{NAME},extended,2026-03-09 18:00\n")
    with open_api(root).gradebook as gradebook:
        gradebook.add_student("enrolled")
    before = tree(root)
    done = run(root, "student", "rename", "lovelace7", new)
    assert done.returncode == 1
    assert done.stderr.startswith("course: ") and sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert tree(root) == before


def test_only_the_case_of_an_id_can_change(root, run):
    assert run(root, "student", "rename", "lovelace7", "Lovelace7").returncode == 0
    assert sorted(rows_of(root)) == ["Lovelace7", "bross5", "curie"]


def test_a_student_gets_the_id_of_the_own_row_in_the_roster(root, run):
    """As after collecting without a roster, in which the gradebook's names identify the row."""
    roster = root / "roster.csv"
    roster.write_text("student,name\nal99,Ada Lovelace\nbross5,Bob Ross\n")
    assert run(root, "student", "rename", "lovelace7", "al99").returncode == 0
    assert roster.read_text() == "student,name\nal99,Ada Lovelace\nbross5,Bob Ross\n"
    assert sorted(rows_of(root)) == ["al99", "bross5", "curie"]


def test_a_roster_without_ids_is_left_to_a_person(root, run):
    text = "Student,ID,SIS User ID,SIS Login ID,Section\nAda Lovelace,101,,al99,Mon\n"
    (root / "roster.csv").write_text(text)
    done = run(root, "student", "rename", "lovelace7", "king")
    assert done.returncode == 0, done.stderr
    assert (
        "To do: roster.csv has no column with student IDs: add a column student_id" in done.stdout
    )
    assert (root / "roster.csv").read_text() == text


def test_a_change_of_personalized_quizzes_is_announced(root, run):
    with (root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.ExecuteIsolated.personalized_quizzes = True\n")
    done = run(root, "student", "rename", "lovelace7", "king")
    assert "To do: c.ExecuteIsolated.personalized_quizzes is set" in done.stdout
    assert "a regrade would compare the answers of king with values that differ" in done.stdout


def test_an_error_of_the_file_system_is_a_sentence_and_the_command_can_be_repeated(root, run):
    unfinished_change.begin(root, UnfinishedChange("rename", ["lovelace7", "king"]))
    in_the_way = root / "submitted" / "king" / "file"
    in_the_way.parent.mkdir()
    in_the_way.touch()
    done = run(root, "student", "rename", "lovelace7", "king")
    assert done.returncode == 1
    assert done.stderr == (
        f"course: cannot change {root / 'submitted' / 'lovelace7'} (Directory not empty): fix the"
        " problem, then run 'course student rename lovelace7 king' again.\n"
    )
    in_the_way.unlink()
    assert run(root, "student", "rename", "lovelace7", "king").returncode == 0
    assert "king" in rows_of(root)


WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade\n"
    "Participant 4711,Ada Lovelace,lovelace7@example.org,Submitted for grading,\n"
    "Participant 4712,Bob Ross,bross5@example.org,Submitted for grading,\n"
    "Participant 4713,Marie Curie,curie@example.org,Submitted for grading,\n"
)


def test_a_worksheet_whose_addresses_have_the_old_id_does_not_create_a_second_student(root, run):
    worksheet = root.parent / "worksheet.csv"
    worksheet.write_text(WORKSHEET)
    assert run(root, "student", "rename", "lovelace7", "king").returncode == 0
    archive = next(root.glob("originals/submissions-*/submissions.zip"))
    done = run(root, "collect", archive, NAME, "--roster", worksheet)
    assert f"{NAME}  king  flagged for manual review: a different submission exists" in done.stdout
    assert "missing in" not in done.stdout, "nobody is missing under the old ID"
    folders = {path.name for path in root.glob("submitted/*/")}
    assert folders == {"king", "bross5", "curie"}


def test_a_worksheet_with_a_person_who_could_be_two_students_is_refused(root, run):
    (root / "roster.csv").write_text("student,name\nada1,Ada Lovelace\nada2,Ada Lovelace\n")
    worksheet = root.parent / "worksheet.csv"
    worksheet.write_text(WORKSHEET)
    before = tree(root)
    done = run(root, "collect", root.parent / "x.zip", "--roster", worksheet)
    assert done.returncode == 1 and tree(root) == before
    assert done.stderr == (
        f"course: Ada Lovelace in {worksheet} could be more than one student in roster.csv: add a"
        f" column email, with the address in {worksheet}, to roster.csv.\n"
    )


def test_a_student_without_a_row_in_the_roster_has_to_be_added(root, run):
    (root / "roster.csv").unlink()
    done = run(root, "student", "rename", "lovelace7", "king")
    assert done.returncode == 0, done.stderr
    assert (
        "To do: roster.csv has no row of this student: add one with the ID king, or the next course"
        " collect can store submissions under lovelace7 again.\n"
    ) in done.stdout
