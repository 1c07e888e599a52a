"""Scores on their way out, by `course export` and by `nbgrader export`."""

import csv
import io
import re
import resource
import shutil

import pytest

from course.errors import CourseError
from course.instructor.cli import main
from course.instructor.course_dir import open_api
from course.instructor.roster import csv_writer
from tests.conftest import BIN, run_command
from tests.submissions import ROOT

# The headings that the platforms' own sources name, each row as it stands there.
# canvas-lms, spec/lib/gradebook_importer_spec.rb, "User lookup".
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
# canvas-lms, lib/gradebook_exporter.rb, csv_data, with all that an account may switch on.
CANVAS_ALL = [
    "LastName", "FirstName", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account",
    "Section",
]  # fmt: skip
CANVAS_TOTALS = ["Current Score", "Unposted Current Score", "Final Score", "Unposted Final Score"]
# moodle, grade/export/txt/grade_export_txt.php with the user fields of a new site.
MOODLE = ["First name", "Last name", "ID number", "Institution", "Department", "Email address"]
# moodle, mod/assign/gradingtable.php, the columns of a download.
WORKSHEET = [
    "Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade",
    "Grade can be changed", "Last modified (submission)", "Online text", "Last modified (grade)",
    "Feedback comments",
]  # fmt: skip
# nbgrader, plugins/export.py.
NBGRADER = [
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
]  # fmt: skip

OWN = """\
student,name,email,login,canvas,sis,section
ada,"Lovelace, Ada",ada@example.org,al99,101,S1,"Monday, late"
bob,"O""Neill, Bob",+bob@example.org,bo99,102,S2,Monday
cy,"李, 明",cy@example.org,cy99,103,S3,Monday
dora,"Ross
Hall, Dora",dora@example.org,do99,104,S4,Monday
eve,"=HYPERLINK(1), Eve",eve@example.org,ev99,105,S5,Monday
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Return a course directory: ada is graded, bob late, cy has 3.5, dora waits, eve is missing.

    01-small has 5 points, 2 of them by hand; of 02-next only ada's is graded, 03-last nobody's.
    """
    root = tmp_path_factory.mktemp("graded")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    with open_api(root).gradebook as gradebook:
        for name in ("01-small", "02-next", "03-last"):
            gradebook.add_assignment(name)
            gradebook.add_notebook("small", name)
            gradebook.add_grade_cell("test", "small", name, max_score=3, cell_type="code")
            gradebook.add_grade_cell("explain", "small", name, max_score=2, cell_type="markdown")
            gradebook.add_solution_cell("explain", "small", name)
        for student in ("ada", "bob", "cy", "dora"):
            gradebook.add_student(student)
        hand_in(gradebook, "01-small", "ada", 3, 2, comment="=Good, <b>\nbut: x < y")
        hand_in(gradebook, "01-small", "bob", 3, 1, penalty=9)
        hand_in(gradebook, "01-small", "cy", 2.25, 1.25)
        hand_in(gradebook, "01-small", "dora", 3, None)
        hand_in(gradebook, "02-next", "ada", 1, 0)
        gradebook.db.commit()
    (root / "submitted" / "bob" / "02-next").mkdir(parents=True)
    return root


def hand_in(gradebook, name, student, by_tests, by_hand, penalty=0, comment=None):
    """Enter a graded submission as grading and the formgrader do."""
    gradebook.add_submission(name, student, timestamp="2026-03-02 18:30:00 UTC")
    gradebook.find_submission_notebook("small", name, student).late_submission_penalty = penalty
    grade = gradebook.find_grade("test", "small", name, student)
    grade.auto_score, grade.needs_manual_grade = by_tests, False
    grade = gradebook.find_grade("explain", "small", name, student)
    grade.manual_score, grade.needs_manual_grade = by_hand, by_hand is None
    gradebook.find_comment("explain", "small", name, student).manual_comment = comment


@pytest.fixture
def export(graded, tmp_path, capsys):
    """Run `course export` in the graded directory; returns exit code, rows, and what was said."""

    def run(*arguments, roster=OWN, to="scores.csv"):
        path = tmp_path / "roster" / "class.csv"
        if roster is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_text(roster, encoding="utf-8")
            arguments = [*arguments, "--roster", path]
        target = tmp_path / to
        command = ["-C", graded, "export", target, *arguments]
        code = main.main([str(each) for each in command])
        said = capsys.readouterr()
        if code:
            assert len(said.err.splitlines()) == 1, "one sentence"
            assert said.err.startswith("course: ")
            return code, None, said.err
        return code, read(target), said.out

    return run


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def as_csv(*rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def test_canvas_gets_the_columns_that_it_documents(export):
    code, (head, points, *rows), said = export("--to", "canvas")
    assert code == 0
    assert head == [*CANVAS, "01-small", "02-next"]
    assert points == ["    Points Possible", "", "", "", "", "5", "5"]
    assert rows == [
        ["Lovelace, Ada", "101", "S1", "al99", "Monday, late", "5", "1"],
        ['O"Neill, Bob', "102", "S2", "bo99", "Monday", "0", ""],
        ["李, 明", "103", "S3", "cy99", "Monday", "3.5", ""],
        ["Ross\nHall, Dora", "104", "S4", "do99", "Monday", "", ""],
        ["'=HYPERLINK(1), Eve", "105", "S5", "ev99", "Monday", "", ""],
    ]
    assert (
        "no score in 01-small, some by hand still (--waiting exports the score so far): dora"
        in said
    )
    assert "no score in 01-small, nothing handed in: eve" in said
    assert "no score in 02-next, not graded yet: bob\n" in said
    assert "left out, since nobody has a score: 03-last" in said
    assert [line.split() for line in said.splitlines()[2:4]] == [
        ["01-small", "5", "01-small", "5", "3", "2"],
        ["02-next", "5", "02-next", "5", "1", "4"],
    ]


def test_canvas_finds_its_own_columns_and_people_again(export):
    totals = [""] * len(CANVAS_TOTALS)
    roster = as_csv(
        [*CANVAS_ALL, "Notes", "Part one: 01-Small (4711)", "Other (9)", *CANVAS_TOTALS],
        [""] * 9 + ["Manual Posting", "", *totals],
        ["    Points Possible", *[""] * 7, "", "5.00", "10", *["(read only)"] * 4],
        ["Lovelace", "Ada", "101", "0071", "ada", "I1", "x.edu", "Mon", "late", "", "9", *totals],
        ["Ross", "Bob", "102", "0072", "bob", "I2", "x.edu", "Mon", "", "EX", "", *totals],
        ["Hall", "Dora", "104", "0074", "dora", "I4", "x.edu", "Mon", "", "4.50", "", *totals],
        ["Student", "Test", "999", "", "5f2c", "", "x.edu", "Mon", "", "", "", *totals],
    )
    code, rows, said = export("--to", "canvas", "--assignment", "01-small", roster=roster)
    assert code == 0
    assert rows == [
        [*CANVAS_ALL, "Part one: 01-Small (4711)"],
        ["    Points Possible", *[""] * 7, "5"],
        ["Lovelace", "Ada", "101", "0071", "ada", "I1", "x.edu", "Mon", "5"],
        ["Ross", "Bob", "102", "0072", "bob", "I2", "x.edu", "Mon", "EX"],
        ["Hall", "Dora", "104", "0074", "dora", "I4", "x.edu", "Mon", "4.50"],
    ]
    assert "no score in 01-small, excused in Canvas: bob" in said
    assert "left out, since the roster does not know them: cy" in said


def canvas_roster(*columns, points="5"):
    return as_csv(
        [*CANVAS, *columns],
        ["    Points Possible", "", "", "", "", *[points] * len(columns)],
        ["Lovelace, Ada", "101", "", "ada", "", *[""] * len(columns)],
    )


def test_an_assignment_that_canvas_does_not_have_is_told(export):
    _, rows, said = export("--to", "canvas", roster=canvas_roster("01-small (4711)"))
    assert rows[0][5:] == ["01-small (4711)", "02-next"]
    assert "02-next is no assignment in Canvas's export: Canvas makes it anew" in said


@pytest.mark.parametrize(
    ("roster", "words"),
    [
        (
            canvas_roster("01-small (4711)", points="100.00"),
            "01-small has 5 points here and 100 in Canvas: set 5 there",
        ),
        (
            canvas_roster("01-small (1)", "01 small (2)"),
            "01-small may be '01-small (1)' and '01 small (2)' in the roster",
        ),
    ],
)
def test_what_canvas_would_misunderstand_is_refused(export, roster, words):
    code, _, said = export("--to", "canvas", roster=roster)
    assert code == 1
    assert words in said


def test_without_a_roster_canvas_gets_what_the_gradebook_knows(export):
    _, (head, _, *rows), _ = export("--to", "canvas", "--assignment", "01-small", roster=None)
    assert head == [*CANVAS, "01-small"]
    assert [(row[3], row[5]) for row in rows] == [
        ("ada", "5"), ("bob", "0"), ("cy", "3.5"), ("dora", ""),
    ]  # fmt: skip


def test_moodle_gets_the_columns_that_it_documents(export):
    code, rows, said = export("--to", "moodle")
    assert code == 0
    feedback = "explain: =Good, &lt;b&gt;<br>but: x &lt; y"
    assert rows == [
        [*MOODLE[:3], "Email address", "Username", "Assignment: 01-small (Real)",
         "Assignment: 01-small (Feedback)", "Assignment: 02-next (Real)"],
        ["Ada", "Lovelace", "S1", "ada@example.org", "al99", "5", feedback, "1"],
        ["Bob", 'O"Neill', "S2", "+bob@example.org", "bo99", "0", "", "-"],
        ["明", "李", "S3", "cy@example.org", "cy99", "3.5", "", "-"],
    ]  # fmt: skip
    assert "no score in 01-small, nothing handed in: eve" in said, "and no line in the file"


def test_moodle_finds_its_own_columns_again_and_keeps_what_it_has(export):
    items = ["Assignment: 01-small (Real)", "Assignment: 01-small (Feedback)"]
    items += ["Assignment: 01-small (Percentage)", "Quiz: 02-next (Real)"]
    roster = as_csv(
        [*MOODLE, *items, "Last downloaded from this course"],
        ["Ada", "Lovelace", "", "", "", "ada@example.org", "-", "", "-", "-", "1700000000"],
        ["Cy", "Ross", "S3", "", "", "cy@example.org", "3.00", "Seen.", "-", "4.00", "1700000000"],
    )
    _, rows, _ = export("--to", "moodle", roster=roster)
    # Without a number for everybody, an empty cell could be taken for the person above.
    assert rows == [
        ["First name", "Last name", "Email address", items[0], items[1], items[3]],
        ["Ada", "Lovelace", "ada@example.org", "5", rows[1][4], "1"],
        ["Cy", "Ross", "cy@example.org", "3.5", "Seen.", "4.00"],
    ]
    assert rows[1][4].startswith("explain: ")


def test_moodle_needs_to_know_everybody(export):
    roster = "student,name,email\nada,Ada,ada@example.org\nbob,Bob,\n"
    code, _, said = export("--to", "moodle", roster=roster)
    assert code == 1
    assert "(not of bob, for one): give a roster with a column email" in said


def worksheet(maximum="5,00"):
    return as_csv(
        WORKSHEET,
        ["Participant 11", "Ada Lovelace", "al@example.org", "Submitted for grading", "", maximum,
         "Yes", "Monday, 2 March 2026, 6:30 PM", "=1+1", "-", ""],
        ["Participant 12", "Bob O'Neill", "bo@example.org", "Submitted for grading", "2.00",
         maximum, "Yes", "-", "", "Tuesday, 3 March 2026, 6:30 PM", "Seen, once."],
        ["Participant 13", "Dora Hall", "do@example.org", "Draft", "1.00", maximum, "No", "-", "",
         "-", ""],
    )  # fmt: skip


def test_the_grading_worksheet_comes_back_filled_in(graded, export):
    # Submissions were collected with another roster, which knows the logins.
    bridge = (
        "student,name,email\nada,Ada Lovelace,AL@example.org\nbob,Bob O'Neill,\ndora,Dora Hall,\n"
    )
    (graded / "roster.csv").write_text(bridge, encoding="utf-8")
    try:
        arguments = ("--to", "moodle", "--assignment", "01-small")
        code, rows, said = export(*arguments, roster="\ufeff" + worksheet())
    finally:
        (graded / "roster.csv").unlink()
    assert code == 0
    before = list(csv.reader(io.StringIO(worksheet())))
    assert rows[0] == before[0] == WORKSHEET
    grade, comments, online = map(WORKSHEET.index, ["Grade", "Feedback comments", "Online text"])
    assert [row[grade] for row in rows[1:]] == ["5", "0", "1.00"], "what waits stays as it is"
    assert [row[comments] for row in rows[1:]] == [
        "explain: =Good, &lt;b&gt;<br>but: x &lt; y", "Seen, once.", "",
    ]  # fmt: skip
    assert [row[online] for row in rows[1:]] == ["'=1+1", "", ""]
    for old, new in zip(before, rows, strict=True):
        for at in set(range(len(WORKSHEET))) - {grade, comments, online}:
            assert new[at] == old[at]
    assert "left out, since the roster does not know them: cy" in said


@pytest.mark.parametrize(
    ("arguments", "roster", "words"),
    [
        ((), worksheet(), "is of one assignment, and there are scores in 01-small, 02-next: say"),
        (
            ("--assignment", "01-small"),
            worksheet("100.00"),
            "01-small has 5 points here and 100 in Moodle: set 5 there",
        ),
        (
            ("--assignment", "01-small"),
            "Identifier,Full name,Grade\nParticipant 11,ada,\n",
            "is no whole grading worksheet",
        ),
    ],
)
def test_a_worksheet_that_moodle_would_misread_is_refused(export, arguments, roster, words):
    roster = roster.replace("al@", "ada@")
    code, _, said = export("--to", "moodle", *arguments, roster=roster)
    assert code == 1
    assert words in said


def test_points_beyond_moodles_maximum_are_told(graded, export):
    with open_api(graded).gradebook as gradebook:
        grade = gradebook.find_grade("test", "small", "02-next", "ada")
        grade.extra_credit = 7
        gradebook.db.commit()
    try:
        roster = worksheet().replace("Ada Lovelace", "Ada")
        _, rows, said = export("--to", "moodle", "--assignment", "02-next", roster=roster)
    finally:
        with open_api(graded).gradebook as gradebook:
            gradebook.find_grade("test", "small", "02-next", "ada").extra_credit = 0
            gradebook.db.commit()
    assert rows[1][WORKSHEET.index("Grade")] == ""
    assert "no score in 02-next, more than Moodle's maximum: ada" in said


def test_csv_has_nbgraders_columns_and_its_numbers(graded, export, tmp_path):
    _, rows, _ = export(roster=None)
    theirs = tmp_path / "theirs.csv"
    done = run_command(BIN / "nbgrader", "export", "--to", theirs, cwd=graded)
    assert done.returncode == 0, done.stderr
    assert rows[0] == read(theirs)[0] == NBGRADER
    ours = {(row[0], row[3]): row for row in rows[1:]}
    compared = 0
    for row in read(theirs)[1:]:
        mine = ours.pop((row[0], row[3]))
        if mine[NBGRADER.index("score")]:
            assert mine[:7] == row[:7]
            assert list(map(float, mine[7:])) == list(map(float, row[7:]))
            compared += 1
        else:
            assert mine[7:10] == ["", "", ""], "nbgrader says 0 here"
    assert (compared, ours) == (4, {})


def test_csv_takes_any_name_and_lists_whom_no_roster_knows(export):
    _, rows, said = export("--assignment", "01-small", roster=OWN.replace("bob", "bert"))
    people = [(row[3], row[4], row[5], row[9]) for row in rows[1:]]
    assert people == [
        ("ada", "Lovelace", "Ada", "5"),
        ("bert", 'O"Neill', "Bob", ""),
        ("cy", "李", "明", "3.5"),
        ("dora", "Ross\nHall", "Dora", ""),
        ("eve", "'=HYPERLINK(1)", "Eve", ""),
        ("bob", "", "", "0"),
    ]
    assert "no score in 01-small, nothing handed in: bert, eve" in said


def test_waiting_and_missing_ones_only_when_asked_for(export):
    _, rows, _ = export("--to", "canvas", "--waiting", "--zero")
    assert [row[5:] for row in rows] == [
        ["01-small", "02-next"],
        ["5", "5"],
        ["5", "1"],
        ["0", ""],  # bob's is handed in, and not graded yet
        ["3.5", "0"],
        ["3", "0"],
        ["0", "0"],
    ]


def test_one_student_of_one_assignment(export):
    arguments = ("--student", "cy", "--student", "ada", "--assignment", "01-small")
    _, rows, _ = export(*arguments, "--to", "canvas")
    assert [row[1] for row in rows[2:]] == ["101", "103"]
    assert rows[0][5:] == ["01-small"]


def test_students_are_found_under_the_names_that_collecting_gives(export, graded):
    with open_api(graded).gradebook as gradebook:
        # From Canvas without a roster, from Moodle without one, under the login.
        for student in ("hallgus-555", "ina-ross", "jo99"):
            gradebook.add_student(student)
            hand_in(gradebook, "01-small", student, 1, 0)
        gradebook.db.commit()
    roster = as_csv(
        [*CANVAS],
        ["Hall, Gus", "555", "", "gh99", ""],
        ["Ross, Ina", "556", "", "ir99", ""],
        ["Poe, Jo", "557", "", "JO99", ""],
    )
    try:
        _, rows, _ = export("--to", "canvas", "--assignment", "01-small", roster=roster)
    finally:
        with open_api(graded).gradebook as gradebook:
            for student in ("hallgus-555", "ina-ross", "jo99"):
                gradebook.remove_student(student)
    assert [(row[1], row[5]) for row in rows[2:]] == [("555", "1"), ("556", "1"), ("557", "1")]


def test_a_roster_of_another_class_is_told(export):
    code, _, said = export("--to", "canvas", roster="student,name\nzoe,Zoe\n")
    assert code == 1
    assert "nobody who has a score is in the roster (not ada, bob, cy, dora): give it a" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--assignment", "09-none"), "'09-none' is not an assignment in the gradebook: choose of"),
        (("--student", "nobody"), "'nobody' is neither in the gradebook nor in the roster"),
        (("--assignment", "03-last"), "there is no score to export: run course grade first"),
    ],
)
def test_what_is_not_there_is_one_sentence(export, tmp_path, arguments, words):
    code, _, said = export(*arguments)
    assert code == 1
    assert words in said
    assert list(tmp_path.glob("*.csv")) == []


def test_a_file_that_is_there_stays_unless_forced(export, tmp_path):
    (tmp_path / "scores.csv").write_text("mine")
    code, _, said = export()
    assert code == 1
    assert "scores.csv exists already: add --force to replace it." in said
    assert (tmp_path / "scores.csv").read_text() == "mine"
    assert export("--force")[0] == 0
    assert read(tmp_path / "scores.csv")[0] == NBGRADER
    assert [path.name for path in tmp_path.glob("*") if path.is_file()] == ["scores.csv"]
    assert "is the roster: name another file" in export("--force", to="roster/class.csv")[2]
    said = export(to="none/scores.csv")[2]
    assert re.search(r"Cannot write .*none/scores\.csv \(no such folder", said)
    assert not (tmp_path / "none").exists()


def test_a_writing_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "scores.csv").write_text("mine")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))  # in the place of a full disk
    try:
        with pytest.raises(CourseError, match=r"Cannot write .*scores\.csv \(File too large\)"):
            csv_writer.write_table(tmp_path / "scores.csv", [["much"] * 1_000], force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text() == "mine"


def test_without_a_gradebook_none_is_made(tmp_path, capsys):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    assert main.main(["-C", str(tmp_path), "export", str(tmp_path / "scores.csv")]) == 1
    assert "gradebook.db is not there yet: course release makes it." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["nbgrader_config.py"]


@pytest.mark.parametrize(
    ("plugin", "heading"),
    [("Canvas", [*CANVAS, "01-small"]), ("Moodle", "Assignment: 01-small (Real)")],
)
def test_nbgrader_export_writes_the_same(graded, export, tmp_path, plugin, heading):
    _, rows, said = export("--to", plugin.lower(), "--assignment", "01-small")
    name = f"{plugin}ExportPlugin"
    command = [
        BIN / "nbgrader", "export", f"--exporter=course.instructor.export.plugins.{name}",
        "--to", tmp_path / "theirs.csv", "--assignment", '["01-small"]',
        f"--{name}.roster={tmp_path / 'roster' / 'class.csv'}",
    ]  # fmt: skip
    done = run_command(*command, cwd=graded)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "theirs.csv") == rows
    assert rows[0] == heading or heading in rows[0]
    assert f"(--{name}.waiting=True exports the score so far)" in done.stdout
    assert done.stdout.splitlines()[:3] == said.splitlines()[:3]
    again = run_command(*command, cwd=graded)
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    assert f"exists already: add --{name}.force=True to replace it." in again.stderr


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("@SUM(1)", "'@SUM(1)"),
        ("-2+3", "'-2+3"), ("\t=1", "'\t=1"), ("\n=1", "'\n=1"), ("＝1+1", "'＝1+1"),
        ("-", "-"), ("-5", "-5"), ("+3,5", "+3,5"), ("Ada = Bob", "Ada = Bob"), ("", ""),
    ],
)  # fmt: skip
def test_no_text_becomes_a_formula(text, written):
    assert csv_writer.escape_formula(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("+ada@example.org", "+ada@example.org"), ("@ada", "@ada"), ("0071", "0071"),
        ("-4711", "-4711"), ("müller@example.org", "müller@example.org"),
        ('=HYPERLINK("http://x")@example.org', "'=HYPERLINK(\"http://x\")@example.org"),
        ("+cmd|x!A1@example.org", "'+cmd|x!A1@example.org"), ("=A1", "'=A1"),
    ],
)  # fmt: skip
def test_what_identifies_stays_wherever_it_does_no_harm(text, written):
    assert csv_writer.escape_identifier(text) == written


@pytest.mark.slow
def test_from_submissions_to_both_platforms(tmp_path, course_command):
    from tests.instructor.grading import classes

    root = classes.lay_out(tmp_path / "course", classes.ANSWER, *classes.TESTS)
    assert course_command("-C", root, "release").returncode == 0
    classes.hand_in_answers(root, {"ada": 2, "bob": 1}, seconds=0)
    assert course_command("-C", root, "grade").returncode == 0
    (root / "roster.csv").write_text("student,name,email\nbob,Bob,b@x.org\nada,Ada,a@x.org\n")
    for platform, scores in {"canvas": ["3", "1", "3"], "moodle": ["1", "3"]}.items():
        target = tmp_path / f"{platform}.csv"
        done = course_command("-C", root, "export", target, "--to", platform)
        assert done.returncode == 0, done.stderr
        assert [row[-1] for row in read(target)[1:]] == scores
