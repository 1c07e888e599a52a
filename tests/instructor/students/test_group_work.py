"""Dropping a student whose submission counts for a group, with `course student drop`."""

import shutil
import zipfile

import pytest

from course.instructor.course_dir import open_api
from course.instructor.feedback.platform_archive import MOODLE_ZIP, write_archive
from course.instructor.grading.journal import Journal
from tests.instructor.students.conftest import FILE, NAME, in_one_group, rows_of, tree, watched_by

DROP = ("student", "drop", "lovelace7", "--yes")


def exported(root, run):
    """Return the lines of an export of the scores, by student."""
    path = root.parent / "scores.csv"
    done = run(root, "export", path, "--force", "--waiting", "--assignment", NAME)
    assert done.returncode == 0, done.stderr
    header, *lines = path.read_text().splitlines()
    at = header.split(",").index("score"), header.split(",").index("student_id")
    cells = [line.split(",") for line in lines]
    return {each[at[1]]: each[at[0]] for each in cells}


def test_the_submission_stays_with_the_group(root, run):
    in_one_group(root, "lovelace7", "bross5")
    (root / "submission_times.csv").write_text(
        f"assignment,student,submitted\n{NAME},lovelace7,2026-03-02 10:00\n"
    )
    own, before, scores = tree(root), exported(root, run), rows_of(root)
    assert before["lovelace7"] == before["bross5"] != ""
    done = run(root, *DROP)
    assert done.returncode == 0, done.stderr
    assert (
        f"  not deleted: the submission for {NAME}, which counts for group red. It moves to bross5,"
        " with its time, score, comments, and saved files.\n"
    ) in done.stdout
    after = tree(root)
    for folder in ("submitted", "autograded"):
        path = f"{folder}/{{}}/{NAME}/{FILE}"
        assert after[path.format("bross5")] == own[path.format("lovelace7")]
    # The score, the manual score, the penalty, and the comment of the submission.
    assert rows_of(root)["bross5"][2:] == scores["lovelace7"][2:]
    assert exported(root, run) == {each: before[each] for each in ("bross5", "curie")}
    # Its time and its extension, which determine the penalty.
    assert (root / "due_dates.csv").read_text().splitlines()[1:] == [
        f"{NAME},,2026-03-01 18:00",
        f"{NAME},bross5,2026-03-08 18:00",
    ]
    assert f"{NAME},bross5,2026-03-02 10:00" in (root / "submission_times.csv").read_text()
    assert Journal(root, NAME).load_outcome("bross5").note == "note of Ada Lovelace"
    saved = [path for path in own if path.startswith("originals/") and "/files/" in path]
    assert saved and not set(saved) - set(after), "no file of the group is deleted"
    assert "lovelace7" not in rows_of(root)
    assert not list(root.glob("*/lovelace7"))
    # The content still has the name, so the output lists it.
    assert f"  submitted/bross5/{NAME}/{FILE}\n" in done.stdout
    # What is left of a watch's work is that of the member who has the submission now.
    assert watched_by(root)[1] == ["bross5", "bross5", "curie"]
    again = run(root, "collect", root / "submitted" / "bross5" / NAME / FILE, "--student", "bross5")
    assert "already collected" in again.stdout


@pytest.mark.parametrize(
    "member, names",
    [
        ("bross5", ["Bob Ross_4712_assignfeedback_file_mnist.html"]),
        # This member uploaded nothing in Moodle.
        ("noether", []),
    ],
)
def test_moodle_gets_no_page_under_the_name_of_a_dropped_member(root, run, member, names):
    with (root / "roster.csv").open("a") as roster:
        roster.write("noether,Emmy Noether,\n")
    in_one_group(root, "lovelace7", member)
    assert run(root, *DROP).returncode == 0
    pages = dict.fromkeys((member, "curie"), root / "feedback" / "curie" / NAME / "mnist.html")
    path, left_out = write_archive(root, NAME, pages, MOODLE_ZIP)
    assert left_out == ([] if names else [member])
    with zipfile.ZipFile(path) as archive:
        marie = "Marie Curie_4713_assignfeedback_file_mnist.html"
        assert archive.namelist() == [*names, marie]


def test_a_submission_that_is_not_graded_moves_to_a_member_who_is_not_in_the_gradebook(root, run):
    with (root / "roster.csv").open("a") as roster:
        roster.write("noether,Emmy Noether,\n")
    with open_api(root).gradebook as gradebook:
        gradebook.remove_student("lovelace7")
    shutil.rmtree(root / "autograded" / "lovelace7")
    in_one_group(root, "lovelace7", "noether")
    own = (root / "submitted" / "lovelace7" / NAME / FILE).read_bytes()
    assert run(root, *DROP).returncode == 0
    assert (root / "submitted" / "noether" / NAME / FILE).read_bytes() == own
    assert "noether" in Journal(root, NAME).ungraded()


def test_other_assignments_of_the_student_are_deleted(root, run):
    in_one_group(root, "lovelace7", "bross5")
    alone = root / "submitted" / "lovelace7" / "01-convolution"
    alone.mkdir()
    with (root / "groups.csv").open("w") as groups:
        groups.write(f"assignment,group,student\n{NAME},red,lovelace7\n{NAME},red,bross5\n")
    (root / "source" / "01-convolution").mkdir()
    assert run(root, *DROP).returncode == 0
    assert [path.name for path in root.glob("submitted/bross5/*")] == [NAME]
    assert not alone.parent.exists()


def test_the_submission_skips_members_who_are_dropped_too(root, run):
    in_one_group(root, "lovelace7", "bross5", "curie")
    scores = rows_of(root)
    done = run(root, "student", "drop", "bross5", "lovelace7", "--yes")
    assert done.returncode == 0, done.stderr
    assert "It moves to curie" in done.stdout
    assert list(rows_of(root)) == ["curie"]
    assert rows_of(root)["curie"][2:] == scores["lovelace7"][2:]


def test_a_whole_group_and_a_member_who_submitted_nothing_are_dropped_as_before(root, run):
    in_one_group(root, "lovelace7", "bross5")
    scores = rows_of(root)
    done = run(root, "student", "drop", "bross5", "--yes")
    assert done.returncode == 0 and "not deleted" not in done.stdout
    del scores["bross5"]
    assert rows_of(root) == scores
    in_one_group(root, "lovelace7", "curie")
    done = run(root, "student", "drop", "lovelace7", "curie", "--yes")
    assert done.returncode == 0 and "not deleted" not in done.stdout
    assert not rows_of(root)


@pytest.mark.parametrize("times", [True, False], ids=["known", "unknown"])
def test_nothing_is_dropped_if_another_submission_would_count(root, run, times):
    (root / "groups.csv").write_text("group,student\nred,lovelace7\nred,bross5\nred,curie\n")
    shutil.rmtree(root / "submitted" / "curie")
    dropped = ["lovelace7"] if times else ["lovelace7", "bross5"]
    if times:
        (root / "submission_times.csv").write_text(
            f"assignment,student,submitted\n{NAME},lovelace7,2026-03-02 10:00\n"
            f"{NAME},bross5,2026-03-01 10:00\n"
        )
    before = tree(root)
    done = run(root, "student", "drop", *dropped, "--yes")
    assert done.returncode == 1 and tree(root) == before
    assert done.stderr == (
        (
            f"course: {NAME}: the submission of lovelace7 counts for group red, and bross5 has"
            f" another one: delete submitted/bross5/{NAME}, or take lovelace7 out of the group if"
            " each should keep their own.\n"
        )
        if times
        else (
            f"course: {NAME}: group red: lovelace7 and bross5 submitted different work, and it is"
            " unclear which is the newest, so each keeps their own, and there is no score for"
            " curie: delete all but one from submitted/, or add the time of each to"
            " submission_times.csv.\n"
        )
    )
