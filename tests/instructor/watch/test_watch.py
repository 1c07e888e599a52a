"""`course watch` on a folder in which uploads arrive, with real commands."""

import os
import re
import shutil
import signal

import pytest

from course.instructor import file_lock
from course.instructor.cli import main
from course.instructor.watch import upload_folder
from course.instructor.watch.record import Record
from tests.instructor.collect.platform_archives import zipped
from tests.instructor.watch.conftest import FILE, NAME, notebook

pytestmark = pytest.mark.slow
GOOD, FAIR = notebook("answer = 3"), notebook("answer = 1")
TIMED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  \w")


def test_an_upload_is_collected_graded_and_returned_once(course, watch):
    running = watch()
    running.wait_for("watching")
    course.upload("ada/small-submission.zip", zipped({FILE: GOOD, "helpers.py": b"x = 1\n"}))
    running.wait_for("  feedback  ")
    course.upload("bob/small.ipynb", FAIR)
    running.wait_for("  feedback  ", 2)
    assert (course.score("ada"), course.score("bob")) == (3, 1)
    assert course.page("ada").is_file() and course.page("bob").is_file()
    assert running.end() == 0
    lines = running.text().splitlines()
    assert all(map(TIMED.match, lines)), lines
    kinds = [line.split()[2] for line in lines]
    assert kinds == ["watching", *["collected", "graded", "feedback"] * 2, "stopped"]
    assert f"collected  {NAME}  ada: with helpers.py" in lines[1]
    # What is handled is not reported again after a restart.
    again = course.once()
    assert (again.returncode, again.stderr) == (0, "")
    assert [line.split()[2] for line in again.stdout.splitlines()] == ["watching"]


def test_the_watch_forgets_a_dropped_student_and_follows_a_renamed_one(course, capsys):
    course.upload("ada/small-submission.zip", zipped({FILE: GOOD}))
    course.upload("bob/small.ipynb", FAIR)
    assert course.once().returncode == 0
    change = ["-C", str(course.root), "student"]
    assert main.main([*change, "rename", "bob", "rob"]) == 0
    # The path of the upload is the old one, but its file is known.
    assert course.once().stdout.count("\n") == 1
    assert course.score("rob") == 1 and not course.page("bob").exists()
    assert main.main([*change, "drop", "ada", "--yes"]) == 0
    assert "contains files of ada: delete them there" in capsys.readouterr().out
    (record,) = course.root.glob("originals/watched/*/record.json")
    assert "ada" not in record.read_text() and "bob/small.ipynb" in record.read_text()
    # The sentence is right: a file that is still there is handled again.
    assert "flagged for manual review" in course.once().stdout
    shutil.rmtree(course.uploads / "ada")
    assert course.once().stdout.count("\n") == 1


def test_a_file_that_is_being_written_is_collected_when_it_is_complete(course, watch):
    running = watch()
    running.wait_for("watching")
    content = zipped({FILE: GOOD})
    for end in (len(content) // 3, len(content) // 2, len(content) - 1):
        course.upload("ada/small-submission.zip", content[:end])
        course.upload("cy/small.ipynb", GOOD[: end // 9])
        # This file arrives later, so several looks have passed when it is handled.
        course.upload(f"nobody/{end}.ipynb", FAIR)
        running.wait_for(f"(nobody/{end}.ipynb)")
    assert "/small" not in running.text()
    course.upload("ada/small-submission.zip", content)
    running.wait_for(f"  feedback  {course.page('ada')}")
    assert course.score("ada") == 3


def test_a_flagged_file_is_reported_once_and_again_when_it_has_changed(course, watch):
    running = watch()
    course.upload("mallory/small.ipynb", GOOD)
    running.wait_for("flagged for manual review")
    course.upload("bob/small.ipynb", FAIR)
    running.wait_for("  feedback  ")
    assert running.text().count("flagged for manual review") == 1
    assert running.end(signal.SIGINT) == 0
    again = course.once()
    assert "flagged for" not in again.stdout and again.returncode == 0
    course.upload("mallory/small.ipynb", FAIR)
    changed = course.once()
    assert changed.stdout.count("flagged for manual review") == 1 and changed.returncode == 1


def test_a_changed_upload_and_a_second_one_are_treated_as_course_collect_does(course):
    course.upload("bob/small.ipynb", GOOD)
    path = course.upload("ada/small.ipynb", FAIR)
    os.utime(path, (1_760_000_000, 1_760_000_000))
    assert course.once().returncode == 0
    course.upload("ada/small.ipynb", GOOD)
    refused = course.once()
    assert "add --force to replace it" in refused.stdout and refused.returncode == 1
    assert course.score("ada") == 1
    course.upload("ada/small.ipynb", notebook("answer = 2 + 1"))
    assert course.once("--force").returncode == 0
    assert course.score("ada") == 3
    # Only what is new is collected, but it is compared with the other uploads of the student.
    course.upload("Ada - small.ipynb", FAIR)
    second = course.once("--force")
    assert "2 uploads could be from ada" in second.stdout and second.returncode == 1
    assert course.score("ada") == 3


def test_a_killed_watch_loses_nothing(course, watch):
    course.upload("ada/small.ipynb", notebook("import time\ntime.sleep(3)\nanswer = 3"))
    course.upload("bob/small.ipynb", GOOD)
    for moment in ("watching", "  collected  ", "  graded  "):
        running = watch("--workers", "1")
        running.wait_for(moment)
        running.process.kill()
        running.process.wait()
    assert course.once().returncode == 0
    assert (course.score("ada"), course.score("bob")) == (3, 3)
    assert course.page("ada").is_file() and course.page("bob").is_file()


def test_a_signal_ends_the_watch_after_the_current_submission(course, watch):
    for student in ("ada", "bob", "cy"):
        answer = f"import time\ntime.sleep(2)\nanswer = 3  # {student}"
        course.upload(f"{student}/small.ipynb", notebook(answer))
    running = watch("--workers", "1")
    running.wait_for("  graded  ")
    assert running.end() == 0
    graded = running.text().count("  graded  ")
    assert graded in (1, 2) and running.text().count("  feedback  ") == graded
    assert "stopped" in running.text().splitlines()[-1]
    assert course.once().stdout.count("  graded  ") == 3 - graded


def test_the_watch_waits_while_another_command_collects_or_grades(course, watch):
    course.upload("ada/small.ipynb", GOOD)
    grading = course.root / "build" / "grading" / NAME
    with file_lock.exclusive_lock(grading, "busy"):
        with file_lock.exclusive_lock(course.root / "originals", "busy"):
            running = watch("--once")
            running.wait_for("waiting  Another course collect command is running here")
        running.wait_for(f"waiting  {NAME} is already being graded here")
    assert running.process.wait(60) == 0
    assert running.text().count("waiting") == 2
    assert course.score("ada") == 3 and course.page("ada").is_file()


def test_an_error_of_one_submission_or_one_round_does_not_end_the_watch(course, watch):
    (course.root / "roster.csv").write_text("student,name\nada,Ada\nbob,Bob\n")
    running = watch()
    running.wait_for("watching")
    course.upload("ada/small.ipynb", notebook("import os\nos._exit(1)"))
    running.wait_for("  feedback  ")
    course.uploads.rename(course.uploads.with_name("unmounted"))
    running.wait_for("failed  cannot collect (There is no file or folder")
    course.uploads.with_name("unmounted").rename(course.uploads)
    course.upload("bob/small.ipynb", GOOD)
    assert running.end() == 0
    assert course.once().returncode == 0
    assert course.score("bob") == 3 and course.score("ada") == 0


def test_mistakes_are_reported_at_once(course):
    course.uploads.rmdir()
    missing = course.once()
    assert missing.returncode == 1
    assert missing.stderr.endswith("is not a folder: specify the one in which uploads arrive.\n")
    course.uploads = course.root
    assert "contains the course directory" in course.once().stderr


def test_a_second_watch_of_the_folder_is_refused(course, watch):
    watch().wait_for("watching")
    second = course.once()
    assert second.returncode == 1
    assert "another course watch command is watching" in second.stderr


def test_a_damaged_archive_is_collected_when_it_has_not_changed_for_minutes(tmp_path):
    now = 1_000.0
    folder = upload_folder.UploadFolder(tmp_path, clock=lambda: now)
    (tmp_path / "ada.zip").write_bytes(zipped({FILE: GOOD})[:-30])
    (tmp_path / "bob.ipynb").write_bytes(GOOD[:500])
    (tmp_path / "empty.ipynb").write_bytes(b"")
    (tmp_path / "preallocated.ipynb").write_bytes(GOOD[:500] + bytes(5_000))
    (tmp_path / "good.ipynb").write_bytes(GOOD + b"\n")
    record = Record()
    assert folder.look(record).settled == set()
    assert folder.look(record).settled == {"good.ipynb"}
    now += upload_folder.PATIENCE_SECONDS - 1
    # After a restart, too, the time counts from the first look that found the damage.
    folder = upload_folder.UploadFolder(tmp_path, clock=lambda: now)
    folder.look(record)
    assert folder.look(record).settled == {"good.ipynb"}
    now += 1
    assert len(folder.look(record).settled) == 5


def test_a_damaged_upload_is_left_for_the_next_run_and_flagged_minutes_later(course, monkeypatch):
    course.upload("ada/small.ipynb", GOOD[:500])
    first = course.once()
    assert (first.returncode, len(first.stdout.splitlines())) == (0, 1)
    monkeypatch.setattr(upload_folder, "PATIENCE_SECONDS", 0)
    later = course.once()
    assert later.returncode == 1 and "flagged for manual review" in later.stdout
