"""The time in a submission's timestamp.txt is read exactly, or a line says that it is ignored."""

import sqlite3

import pytest

from tests.conftest import cell, write_notebook

TEST = cell("code", "assert True", "test", points=1)
# The content of timestamp.txt, and whether the submission is late on March 1, 2026, 18:00 UTC.
TIMES = {
    "bom": (b"\xef\xbb\xbf2026-03-01 18:30:00 UTC\r\n", True),
    "utf16": ("2026-03-01 18:30:00 UTC".encode("utf-16"), True),
    "offset": (b"2026-03-01 18:30:00 +0100", False),
    "mez": (b"2026-03-01 18:30 MEZ", None),
    "pst": (b"2026-03-01 10:30:00 PST", None),
    "german": (b"02.03.2026 18:30", None),
}


@pytest.mark.slow
def test_a_time_is_read_exactly_or_the_line_says_that_it_is_ignored(small_course, course_command):
    root = small_course(TEST)
    assert course_command("-C", root, "release").returncode == 0
    with sqlite3.connect(root / "gradebook.db") as database:
        database.execute("UPDATE assignment SET duedate = '2026-03-01 18:00:00.000000'")
    for student, (content, _) in TIMES.items():
        folder = root / "submitted" / student / "01-small"
        write_notebook(folder / "small.ipynb", [TEST])
        (folder / "timestamp.txt").write_bytes(content)
    done = course_command("-C", root, "grade")
    assert done.returncode == 0, done.stdout + done.stderr
    query = "SELECT student_id, timestamp FROM submitted_assignment"
    with sqlite3.connect(root / "gradebook.db") as database:
        saved = dict(database.execute(query))
    for student, (_, late) in TIMES.items():
        (line,) = (line for line in done.stdout.splitlines() if f"  {student}: graded" in line)
        if late is None:
            assert "timestamp.txt is ignored, so the submission counts as on time" in line
            assert "write it as 2026-03-01 18:00:00 UTC" in line
            assert saved[student] is None
        else:
            assert "timestamp.txt" not in line
            assert (saved[student] > "2026-03-01 18:00:00") is late
