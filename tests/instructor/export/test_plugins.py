"""Exporting scores with `course export` and `nbgrader export`."""

import csv
import io
import re
import resource
import shutil
from datetime import datetime

import pytest

from course.errors import CourseError
from course.instructor.cli import main
from course.instructor.course_dir import open_api
from course.instructor.csv_files import csv_writer
from tests.conftest import BIN, run_command, write_notebook
from tests.submissions import ROOT

# The headers in the platforms' own source code, each row exactly as it is there.
# canvas-lms, spec/lib/gradebook_importer_spec.rb, "User lookup".
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
# canvas-lms, lib/gradebook_exporter.rb, csv_data, with every column that an account can enable.
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

OWN_ROSTER = """\
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
    """Return a course directory: ada graded, bob late, cy with 3.5, dora pending, eve missing.

    01-small has 5 points, 2 of them for manual grading; in 02-next only ada is graded, in 03-last
    nobody.
    """
    root = tmp_path_factory.mktemp("graded")
    config = (ROOT / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(f"{config}c.LatePolicy.percent_per_day = 100\n")
    with open_api(root).gradebook as gradebook:
        for name in ("01-small", "02-next", "03-last"):
            gradebook.add_assignment(name)
            gradebook.add_notebook("small", name)
            gradebook.add_grade_cell("test", "small", name, max_score=3, cell_type="code")
            gradebook.add_grade_cell("explain", "small", name, max_score=2, cell_type="markdown")
            gradebook.add_solution_cell("explain", "small", name)
        for student in ("ada", "bob", "cy", "dora"):
            gradebook.add_student(student)
        add_graded_submission(gradebook, "01-small", "ada", 3, 2, comment="=Good, <b>\nbut: x < y")
        add_graded_submission(gradebook, "01-small", "bob", 3, 1)
        gradebook.find_assignment("01-small").duedate = datetime(2026, 3, 3)
        gradebook.find_submission("01-small", "bob").timestamp = datetime(2026, 3, 4)
        add_graded_submission(gradebook, "01-small", "cy", 2.25, 1.25)
        add_graded_submission(gradebook, "01-small", "dora", 3, None)
        add_graded_submission(gradebook, "02-next", "ada", 1, 0)
        gradebook.db.commit()
    (root / "submitted" / "bob" / "02-next").mkdir(parents=True)
    for name in ("01-small", "02-next", "03-last"):
        write_notebook(root / "source" / name / "small.ipynb", [])
    return root


def add_graded_submission(
    gradebook, name, student, auto_score, manual_score, penalty=0, comment=None
):
    """Add a graded submission as grading and the formgrader do."""
    gradebook.add_submission(name, student, timestamp="2026-03-02 18:30:00 UTC")
    gradebook.find_submission_notebook("small", name, student).late_submission_penalty = penalty
    grade = gradebook.find_grade("test", "small", name, student)
    grade.auto_score, grade.needs_manual_grade = auto_score, False
    grade = gradebook.find_grade("explain", "small", name, student)
    grade.manual_score, grade.needs_manual_grade = manual_score, manual_score is None
    gradebook.find_comment("explain", "small", name, student).manual_comment = comment


@pytest.fixture
def export(graded, tmp_path, capsys):
    """Return a function that runs `course export` and returns exit code, rows and output."""

    def run(*arguments, roster=OWN_ROSTER, to="scores.csv"):
        path = tmp_path / "roster" / "class.csv"
        if roster is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_text(roster, encoding="utf-8")
            arguments = [*arguments, "--roster", path]
        target = tmp_path / to
        command = ["-C", graded, "export", target, *arguments]
        code = main.main([str(each) for each in command])
        captured = capsys.readouterr()
        if code:
            assert len(captured.err.splitlines()) == 1, "one sentence"
            assert captured.err.startswith("course: ")
            return code, None, captured.err
        return code, read(target), captured.out

    return run


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def as_csv(*rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def test_canvas_gets_its_documented_columns(export):
    code, (head, points, *rows), output = export("--to", "canvas")
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
        "no score in 01-small, pending manual grading (--waiting exports the score so far): dora"
        in output
    )
    assert "no score in 01-small, nothing submitted: eve" in output
    assert "no score in 02-next, not graded yet: bob\n" in output
    assert "skipped, no scores: 03-last" in output
    assert [line.split() for line in output.splitlines()[2:4]] == [
        ["01-small", "5", "01-small", "5", "3", "2"],
        ["02-next", "5", "02-next", "5", "1", "4"],
    ]


def test_canvas_gets_back_its_own_columns_and_people(export):
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
    code, rows, output = export("--to", "canvas", "--assignment", "01-small", roster=roster)
    assert code == 0
    assert rows == [
        [*CANVAS_ALL, "Part one: 01-Small (4711)"],
        ["    Points Possible", *[""] * 7, "5"],
        ["Lovelace", "Ada", "101", "0071", "ada", "I1", "x.edu", "Mon", "5"],
        ["Ross", "Bob", "102", "0072", "bob", "I2", "x.edu", "Mon", "EX"],
        ["Hall", "Dora", "104", "0074", "dora", "I4", "x.edu", "Mon", "4.50"],
    ]
    assert "no score in 01-small, excused: bob" in output
    assert "skipped, not in the roster: cy" in output


@pytest.fixture
def excused(graded):
    """Excuse a student with a score, one with nothing, and one whose ID is mistyped."""
    path = graded / "excused.csv"
    path.write_text("Assignment;Student\n01-small;cy\n02-next;eve\n02-next;adda\n")
    yield
    path.unlink()


def test_an_excused_student_has_no_score_in_any_format(export, excused):
    """Neither a score that exists nor --zero counts."""
    _, (_, _, *rows), output = export("--to", "canvas", "--zero")
    assert [(row[3], *row[5:]) for row in rows] == [
        ("al99", "5", "1"),
        ("bo99", "0", ""),
        ("cy99", "EX", "0"),
        ("do99", "", "0"),
        ("ev99", "0", "EX"),
    ]
    assert "no score in 01-small, excused: cy\n" in output
    assert "no score in 02-next, excused: eve\n" in output
    assert "nobody in the class has the ID adda in excused.csv: check the spelling\n" in output
    _, rows, _ = export("--to", "moodle", to="moodle.csv")
    assert [row[0] for row in rows] == ["First name", "Ada", "Bob"]
    _, rows, _ = export(to="all.csv")
    assert [row[9] for row in rows if row[:4:3] == ["01-small", "cy"]] == [""]


def test_what_is_excused_does_not_count_for_the_total(export, excused):
    _, (head, *rows), _ = export("--to", "totals")
    assert head[4:] == ["01-small", "02-next", "total_percent", "dropped"]
    assert {row[0]: row[4:7] for row in rows} == {
        "ada": ["100.00", "20.00", "60.00"],
        "bob": ["0.00", "", ""],
        "cy": ["excused", "0.00", "0.00"],
        "dora": ["", "0.00", ""],
        "eve": ["0.00", "excused", "0.00"],
    }


def test_those_who_are_excused_in_canvas_are_excused_in_the_totals(export):
    roster = as_csv(
        [*CANVAS, "01-small (4711)", "02-next (4712)"],
        ["    Points Possible", "", "", "", "", "5", "5"],
        ["Lovelace, Ada", "101", "", "ada", "", "", "ex"],
    )
    _, rows, output = export("--to", "totals", "--student", "ada", roster=roster)
    assert rows[1][4:6] == ["100.00", "100.00"] and rows[0][4:6] == ["01-small", "total_percent"]
    assert "skipped, no scores: 02-next, 03-last" in output


def canvas_roster(*columns, points="5"):
    return as_csv(
        [*CANVAS, *columns],
        ["    Points Possible", "", "", "", "", *[points] * len(columns)],
        ["Lovelace, Ada", "101", "", "ada", "", *[""] * len(columns)],
    )


def test_an_assignment_missing_from_canvas_is_reported(export):
    _, rows, output = export("--to", "canvas", roster=canvas_roster("01-small (4711)"))
    assert rows[0][5:] == ["01-small (4711)", "02-next"]
    assert "02-next is not in Canvas's export: Canvas will create it" in output


@pytest.mark.parametrize(
    ("roster", "message"),
    [
        (
            canvas_roster("01-small (4711)", points="100.00"),
            "01-small has 5 points here and 100 in Canvas: set 5 there",
        ),
        (
            canvas_roster("01-small (1)", "01 small (2)"),
            "01-small matches the columns '01-small (1)' and '01 small (2)' in the roster",
        ),
    ],
)
def test_a_roster_that_canvas_would_misread_is_rejected(export, roster, message):
    code, _, output = export("--to", "canvas", roster=roster)
    assert code == 1
    assert message in output


def test_without_a_roster_canvas_gets_the_students_of_the_gradebook(export):
    _, (head, _, *rows), _ = export("--to", "canvas", "--assignment", "01-small", roster=None)
    assert head == [*CANVAS, "01-small"]
    assert [(row[3], row[5]) for row in rows] == [
        ("ada", "5"), ("bob", "0"), ("cy", "3.5"), ("dora", ""),
    ]  # fmt: skip


def test_moodle_gets_its_documented_columns(export):
    code, rows, output = export("--to", "moodle")
    assert code == 0
    feedback = "explain: =Good, &lt;b&gt;<br>but: x &lt; y"
    assert rows == [
        [*MOODLE[:3], "Email address", "Username", "Assignment: 01-small (Real)",
         "Assignment: 01-small (Feedback)", "Assignment: 02-next (Real)"],
        ["Ada", "Lovelace", "S1", "ada@example.org", "al99", "5", feedback, "1"],
        ["Bob", 'O"Neill', "S2", "+bob@example.org", "bo99", "0", "", "-"],
        ["明", "李", "S3", "cy@example.org", "cy99", "3.5", "", "-"],
    ]  # fmt: skip
    assert "no score in 01-small, nothing submitted: eve" in output, (
        "and there is no row in the file"
    )


def test_moodle_gets_back_its_own_columns_and_grades(export):
    items = ["Assignment: 01-small (Real)", "Assignment: 01-small (Feedback)"]
    items += ["Assignment: 01-small (Percentage)", "Quiz: 02-next (Real)"]
    roster = as_csv(
        [*MOODLE, *items, "Last downloaded from this course"],
        ["Ada", "Lovelace", "", "", "", "ada@example.org", "-", "", "-", "-", "1700000000"],
        ["Cy", "Ross", "S3", "", "", "cy@example.org", "3.00", "Seen.", "-", "4.00", "1700000000"],
    )
    _, rows, _ = export("--to", "moodle", roster=roster)
    # An empty ID number could be taken for the person of the previous row, so there is none.
    assert rows == [
        ["First name", "Last name", "Email address", items[0], items[1], items[3]],
        ["Ada", "Lovelace", "ada@example.org", "5", rows[1][4], "1"],
        ["Cy", "Ross", "cy@example.org", "3.5", "Seen.", "4.00"],
    ]
    assert rows[1][4].startswith("explain: ")


def test_moodle_must_identify_everyone(export):
    roster = "student,name,email\nada,Ada,ada@example.org\nbob,Bob,\n"
    code, _, output = export("--to", "moodle", roster=roster)
    assert code == 1
    assert "(for example, not for bob): use a roster with a column named email" in output


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


def test_a_grading_worksheet_is_filled_in(graded, export):
    # Submissions were collected with a different roster, which contains the logins.
    collection_roster = (
        "student,name,email\nada,Ada Lovelace,AL@example.org\nbob,Bob O'Neill,\ndora,Dora Hall,\n"
    )
    (graded / "roster.csv").write_text(collection_roster, encoding="utf-8")
    try:
        arguments = ("--to", "moodle", "--assignment", "01-small")
        code, rows, output = export(*arguments, roster="\ufeff" + worksheet())
    finally:
        (graded / "roster.csv").unlink()
    assert code == 0
    before = list(csv.reader(io.StringIO(worksheet())))
    assert rows[0] == before[0] == WORKSHEET
    grade, comments, online = map(WORKSHEET.index, ["Grade", "Feedback comments", "Online text"])
    assert [row[grade] for row in rows[1:]] == ["5", "0", "1.00"], (
        "pending manual grading, unchanged"
    )
    assert [row[comments] for row in rows[1:]] == [
        "explain: =Good, &lt;b&gt;<br>but: x &lt; y", "Seen, once.", "",
    ]  # fmt: skip
    assert [row[online] for row in rows[1:]] == ["'=1+1", "", ""]
    for old, new in zip(before, rows, strict=True):
        for at in set(range(len(WORKSHEET))) - {grade, comments, online}:
            assert new[at] == old[at]
    assert "skipped, not in the roster: cy" in output


@pytest.mark.parametrize(
    ("arguments", "roster", "message"),
    [
        (
            (),
            worksheet(),
            "belongs to one assignment, but there are scores in 01-small, 02-next: choose",
        ),
        (
            ("--assignment", "01-small"),
            worksheet("100.00"),
            "01-small has 5 points here and 100 in Moodle: set 5 there",
        ),
        (
            ("--assignment", "01-small"),
            "Identifier,Full name,Grade\nParticipant 11,ada,\n",
            "is not a complete grading worksheet",
        ),
    ],
)
def test_a_worksheet_that_moodle_would_misread_is_rejected(export, arguments, roster, message):
    roster = roster.replace("al@", "ada@")
    code, _, output = export("--to", "moodle", *arguments, roster=roster)
    assert code == 1
    assert message in output


def test_points_above_moodles_maximum_are_reported(graded, export):
    with open_api(graded).gradebook as gradebook:
        grade = gradebook.find_grade("test", "small", "02-next", "ada")
        grade.extra_credit = 7
        gradebook.db.commit()
    try:
        roster = worksheet().replace("Ada Lovelace", "Ada")
        _, rows, output = export("--to", "moodle", "--assignment", "02-next", roster=roster)
    finally:
        with open_api(graded).gradebook as gradebook:
            gradebook.find_grade("test", "small", "02-next", "ada").extra_credit = 0
            gradebook.db.commit()
    assert rows[1][WORKSHEET.index("Grade")] == ""
    assert "no score in 02-next, more than Moodle's maximum: ada" in output


def test_csv_has_nbgraders_columns_and_values(graded, export, tmp_path):
    _, rows, _ = export(roster=None)
    nbgraders_file = tmp_path / "nbgrader.csv"
    done = run_command(BIN / "nbgrader", "export", "--to", nbgraders_file, cwd=graded)
    assert done.returncode == 0, done.stderr
    assert rows[0] == read(nbgraders_file)[0] == NBGRADER
    rows_by_student = {(row[0], row[3]): row for row in rows[1:]}
    compared = 0
    for row in read(nbgraders_file)[1:]:
        ours = rows_by_student.pop((row[0], row[3]))
        if ours[NBGRADER.index("score")]:
            assert ours[:7] == row[:7]
            assert list(map(float, ours[7:])) == list(map(float, row[7:]))
            compared += 1
        else:
            assert ours[7:10] == ["", "", ""], "nbgrader writes 0 here"
    assert (compared, rows_by_student) == (4, {})


def test_csv_contains_students_who_are_not_in_the_roster(export):
    _, rows, output = export("--assignment", "01-small", roster=OWN_ROSTER.replace("bob", "bert"))
    people = [(row[3], row[4], row[5], row[9]) for row in rows[1:]]
    assert people == [
        ("ada", "Lovelace", "Ada", "5"),
        ("bert", 'O"Neill', "Bob", ""),
        ("cy", "李", "明", "3.5"),
        ("dora", "Ross\nHall", "Dora", ""),
        ("eve", "'=HYPERLINK(1)", "Eve", ""),
        ("bob", "", "", "0"),
    ]
    assert "no score in 01-small, nothing submitted: bert, eve" in output


def test_pending_and_missing_scores_only_on_request(export):
    _, rows, _ = export("--to", "canvas", "--waiting", "--zero")
    assert [row[5:] for row in rows] == [
        ["01-small", "02-next"],
        ["5", "5"],
        ["5", "1"],
        ["0", ""],  # bob's is submitted, and not graded yet
        ["3.5", "0"],
        ["3", "0"],
        ["0", "0"],
    ]


def test_one_student_of_one_assignment(export):
    arguments = ("--student", "cy", "--student", "ada", "--assignment", "01-small")
    _, rows, _ = export(*arguments, "--to", "canvas")
    assert [row[1] for row in rows[2:]] == ["101", "103"]
    assert rows[0][5:] == ["01-small"]


def test_students_are_found_under_the_ids_that_collecting_assigns(export, graded):
    with open_api(graded).gradebook as gradebook:
        # Collected from Canvas and from Moodle without a roster, and under the login.
        for student in ("hallgus-555", "ina-ross", "jo99"):
            gradebook.add_student(student)
            add_graded_submission(gradebook, "01-small", student, 1, 0)
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


@pytest.mark.parametrize("arguments", [(), ("--zero",)])
def test_a_display_name_takes_nobodys_row(export, graded, arguments):
    """Submissions were collected without a roster, and Eve's display name is Bob's login."""
    scores = {"bjones7": 0, "bob-jones": 3, "ina-ross": 2}
    with open_api(graded).gradebook as gradebook:
        for student, score in scores.items():
            gradebook.add_student(student)
            add_graded_submission(gradebook, "01-small", student, score, 0)
        gradebook.db.commit()
    people = [
        ["Ross, Ina", "556", "", "ir99", ""],
        ["Jones, Bob", "557", "", "bjones7", ""],
        ["Adams, Eve", "558", "", "eve9", ""],
        [", bjones7", "559", "", "eve8", ""],
    ]
    try:
        for count in (3, 4):  # without and with Eve's display name
            roster = as_csv([*CANVAS], *people[:count])
            arguments = ("--to", "canvas", "--assignment", "01-small", *arguments)
            _, rows, output = export(*arguments, "--force", roster=roster)
            found = {row[1]: row[5] for row in rows[2:]}
            assert found["556"] == "2"
            assert found.get("557", "") == "", output
            assert "several students could be this person" in output
            assert "skipped, not in the roster: ada, bjones7, bob, bob-jones" in output
    finally:
        with open_api(graded).gradebook as gradebook:
            for student in scores:
                gradebook.remove_student(student)


@pytest.mark.parametrize("name", ["M, Mallory", "Lovelace, Adelaide"])
def test_a_display_name_does_not_decide_against_an_identifier(export, graded, name):
    """Mallory calls herself as the gradebook calls Ada, whose login is the id of her scores."""
    with open_api(graded).gradebook as gradebook:
        gradebook.add_student("ada9", first_name="Adelaide", last_name="Lovelace")
        gradebook.add_student("mallory9", first_name="Mallory", last_name="M")
        for student, score in {"ada9": 3, "mallory9": 1}.items():
            add_graded_submission(gradebook, "01-small", student, score, 0)
        gradebook.db.commit()
    people = [["Lovelace, A.", "71", "", "ada9", ""], [name, "72", "", "mallory9", ""]]
    try:
        arguments = ("--to", "canvas", "--assignment", "01-small", "--force")
        _, rows, output = export(*arguments, roster=as_csv([*CANVAS], *people))
        assert {row[1]: row[5] for row in rows[2:]} == {"71": "3", "72": "1"}, output
    finally:
        with open_api(graded).gradebook as gradebook:
            for student in ("ada9", "mallory9"):
                gradebook.remove_student(student)


def test_a_part_of_an_email_address_is_no_identifier(export, graded):
    """Ada has left. Mallory's new address has the same part before the @ as Ada's."""
    with open_api(graded).gradebook as gradebook:
        gradebook.add_student("ada9", email="ada9@x.org")
        gradebook.add_student("mallory9", email="mallory9@x.org")
        for student, score in {"ada9": 3, "mallory9": 1}.items():
            add_graded_submission(gradebook, "01-small", student, score, 0)
        gradebook.db.commit()
    rows = [["First name", "Last name", "Email address"], ["Bob", "B", "bob@x.org"]]
    try:
        arguments = ("--to", "moodle", "--assignment", "01-small", "--force")
        roster = as_csv(*rows, ["Mal", "L", "ada9@evil.org"])
        _, found, output = export(*arguments, roster=roster)
        assert not any("3" in row for row in found), output
        assert "no score in 01-small, several students could be this person" in output
    finally:
        with open_api(graded).gradebook as gradebook:
            for student in ("ada9", "mallory9"):
                gradebook.remove_student(student)


def test_a_roster_of_a_different_class_is_an_error(export):
    code, _, output = export("--to", "canvas", roster="student,name\nzoe,Zoe\n")
    assert code == 1
    assert (
        "none of the students with a score is in the roster (ada, bob, cy, dora are not): add a"
        in output
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--assignment", "09-none"),
            "'09-none' is not an assignment in the gradebook: choose from",
        ),
        (("--student", "nobody"), "'nobody' is neither in the gradebook nor in the roster"),
        (("--assignment", "03-last"), "there is no score to export: run course grade first"),
    ],
)
def test_a_missing_selection_is_one_sentence(export, tmp_path, arguments, message):
    code, _, output = export(*arguments)
    assert code == 1
    assert message in output
    assert list(tmp_path.glob("*.csv")) == []


def test_an_existing_file_is_replaced_only_with_force(export, tmp_path):
    (tmp_path / "scores.csv").write_text("mine")
    code, _, output = export()
    assert code == 1
    assert "scores.csv already exists: add --force to replace it." in output
    assert (tmp_path / "scores.csv").read_text() == "mine"
    assert export("--force")[0] == 0
    assert read(tmp_path / "scores.csv")[0] == NBGRADER
    assert [path.name for path in tmp_path.glob("*") if path.is_file()] == ["scores.csv"]
    assert "is the roster: name a different file" in export("--force", to="roster/class.csv")[2]
    output = export(to="none/scores.csv")[2]
    assert re.search(r"Cannot write .*none/scores\.csv \(no such folder", output)
    assert not (tmp_path / "none").exists()


def test_a_failed_write_leaves_only_the_old_file(tmp_path):
    (tmp_path / "scores.csv").write_text("mine")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))  # like a full disk
    try:
        with pytest.raises(CourseError, match=r"Cannot write .*scores\.csv \(File too large\)"):
            csv_writer.write_table(tmp_path / "scores.csv", [["much"] * 1_000], force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text() == "mine"


def test_a_missing_gradebook_is_not_created(tmp_path, capsys):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    assert main.main(["-C", str(tmp_path), "export", str(tmp_path / "scores.csv")]) == 1
    assert (
        "gradebook.db does not exist yet: run course release to create it."
        in capsys.readouterr().err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["nbgrader_config.py"]


@pytest.mark.parametrize(
    ("plugin", "heading"),
    [("Canvas", [*CANVAS, "01-small"]), ("Moodle", "Assignment: 01-small (Real)")],
)
def test_nbgrader_export_writes_the_same_file(graded, export, tmp_path, plugin, heading):
    _, rows, output = export("--to", plugin.lower(), "--assignment", "01-small")
    name = f"{plugin}ExportPlugin"
    command = [
        BIN / "nbgrader", "export", f"--exporter=course.instructor.export.plugins.{name}",
        "--to", tmp_path / "nbgrader.csv", "--assignment", '["01-small"]',
        f"--{name}.roster={tmp_path / 'roster' / 'class.csv'}",
    ]  # fmt: skip
    done = run_command(*command, cwd=graded)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "nbgrader.csv") == rows
    assert rows[0] == heading or heading in rows[0]
    assert f"(--{name}.waiting=True exports the score so far)" in done.stdout
    assert done.stdout.splitlines()[:3] == output.splitlines()[:3]
    again = run_command(*command, cwd=graded)
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    assert f"already exists: add --{name}.force=True to replace it." in again.stderr


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("@SUM(1)", "'@SUM(1)"),
        ("-2+3", "'-2+3"), ("\t=1", "\t'=1"), ("\n=1", "\n'=1"), ("＝1+1", "'＝1+1"),
        ("-", "-"), ("-5", "-5"), ("+3,5", "+3,5"), ("Ada = Bob", "Ada = Bob"), ("", ""),
        ("a;=1", "a;'=1"), ("a\t@x;b", "a\t'@x;b"), ("a,b\n +1+1", "a,b\n' +1+1"),
        ('a;"=1', "a;'\"=1"), ("a;＝1", "a;'＝1"), ("Ada; -1; Byron, Lord", "Ada; -1; Byron, Lord"),
    ],
)  # fmt: skip
def test_text_is_never_a_formula(text, written):
    assert csv_writer.escape_formula(text) == written


def test_a_comment_of_an_instructor_keeps_its_punctuation():
    assert csv_writer.escape_comment("if x &lt;= 3: good; -1 for style") == (
        "if x &lt;= 3: good; -1 for style"
    )
    assert csv_writer.escape_comment("=1+1") == "'=1+1"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("+ada@example.org", "+ada@example.org"), ("@ada", "@ada"), ("0071", "0071"),
        ("-4711", "-4711"), ("müller@example.org", "müller@example.org"),
        ('=HYPERLINK("http://x")@example.org', "'=HYPERLINK(\"http://x\")@example.org"),
        ("+cmd|x!A1@example.org", "'+cmd|x!A1@example.org"), ("=A1", "'=A1"),
    ],
)  # fmt: skip
def test_harmless_identifiers_are_unchanged(text, written):
    assert csv_writer.escape_identifier(text) == written


@pytest.mark.slow
def test_submissions_are_exported_to_both_platforms(tmp_path, course_command):
    from tests.instructor.grading import classes

    root = classes.create_course(tmp_path / "course", classes.ANSWER, *classes.TESTS)
    assert course_command("-C", root, "release").returncode == 0
    classes.submit_answers(root, {"ada": 2, "bob": 1}, seconds=0)
    assert course_command("-C", root, "grade").returncode == 0
    (root / "roster.csv").write_text("student,name,email\nbob,Bob,b@x.org\nada,Ada,a@x.org\n")
    for platform, scores in {"canvas": ["3", "1", "3"], "moodle": ["1", "3"]}.items():
        target = tmp_path / f"{platform}.csv"
        done = course_command("-C", root, "export", target, "--to", platform)
        assert done.returncode == 0, done.stderr
        assert [row[-1] for row in read(target)[1:]] == scores


def test_the_totals_have_one_row_per_student(export):
    code, rows, _ = export("--to", "totals")
    assert code == 0
    header, *others = rows
    assert header[:4] == ["student_id", "last_name", "first_name", "email"]
    assert header[4:] == ["01-small", "02-next", "total_percent", "dropped"]
    by_student = {row[0]: row[4:] for row in others}
    assert by_student["ada"] == ["100.00", "20.00", "60.00", ""]
    assert by_student["eve"] == ["0.00", "0.00", "0.00", ""]
    assert by_student["dora"][2] == "", "a pending score leaves the total empty"
