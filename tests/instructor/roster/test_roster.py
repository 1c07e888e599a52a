"""Rosters as platforms and spreadsheets write them, and the errors in some of them."""

import contextlib
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.errors import CourseError
from course.instructor.csv_files.php_csv import read_rows
from course.instructor.roster.roster import make_student_id, read_roster

# The column names come from the platforms' sources: lib/gradebook_exporter.rb of Canvas; the tests
# of grade/import/csv of Moodle and, for the worksheet, its mod/assign/gradingtable.php.
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,02-mnist (4711),Current Score
,,,,,Manual Posting,
    Points Possible,,,,,20.00,(read only)
"Lovelace, Ada",101,S1,ada,Monday and Tuesday,17.50,87.5
"Ross, Bob",102,S2,bob,Monday,,
"Student, Test",999,,5f2c,Monday,,
"""
CANVAS_SEPARATE_NAMES = """\
LastName,FirstName,ID,SIS Login ID,Section,02-mnist (4711)
Points Possible,,,,,20
Lovelace,Ada,101,ada,Monday,
Student,Test,999,5f2c,Monday,
"""
MOODLE = """\
"First name",Surname,"ID number",Institution,Department,"Email address",Assignment: 02-mnist (Real)
Ada,Lovelace,S1,,,ada@example.org,17.50
Bob,Ross,S2,,,Bob@example.org,-
"""
WORKSHEET = """\
Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Last modified (grade)"
"Participant 4711","Ada Lovelace",ada@example.org,"Submitted for grading",,20.00,-
"""
OWN = "Name;Student;Email\nAda Lovelace;ada;ada@example.org\nRoss, Bob;bob;\n"


@pytest.fixture
def roster(tmp_path):
    """Return a function that writes a text or bytes as a roster and reads it."""

    def make(content):
        path = tmp_path / "roster.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_roster(path)

    return make


@pytest.mark.parametrize(
    ("content", "kind", "students"),
    [
        (CANVAS, "Canvas", ["ada", "bob"]),
        (CANVAS_SEPARATE_NAMES, "Canvas", ["ada"]),
        (MOODLE, "Moodle", ["ada", "bob"]),
        (WORKSHEET, "worksheet", ["ada"]),
        (OWN, "own", ["ada", "bob"]),
        ("id,last_name,first_name,email\nada,Lovelace,Ada,\n", "own", ["ada"]),  # nbgrader's export
        ("Identifier,Grade\nParticipant 7,\n", "worksheet", ["7"]),  # an anonymous assignment
    ],
)
def test_exports_of_platforms_are_read_unchanged(roster, content, kind, students):
    found = roster(content)
    assert found.kind == kind
    assert [person.student for person in found] == students
    assert len(found.people) == len(found.rows) == len(students)


def test_each_column_fills_its_field(roster):
    ada = next(iter(roster(CANVAS)))
    assert (ada.name, ada.first_name, ada.last_name) == ("Lovelace, Ada", "Ada", "Lovelace")
    assert (ada.canvas_id, ada.sis_id, ada.login) == ("101", "S1", "ada")
    assert ada.section == "Monday and Tuesday"
    ada = next(iter(roster(MOODLE)))
    assert (ada.name, ada.sis_id, ada.email) == ("Ada Lovelace", "S1", "ada@example.org")
    assert next(iter(roster(WORKSHEET))).participant_id == "4711"
    assert roster(CANVAS).points_possible[5] == "20.00"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_roster_saved_by_a_spreadsheet_is_read(roster, separator, encoding, end):
    lines = [
        '"Points, if any";STUDENT;Name',
        '1;müller;"Müller; ""Mü"", Änne"',
        "",
        '2;李;"李\n明"',
    ]
    text = end.join(lines).replace(";", separator)
    found = roster(text.encode(encoding))
    assert [person.student for person in found] == ["müller", "李"]
    assert [person.name for person in found] == [
        f'Müller{separator} "Mü", Änne',
        "李\n明",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty: write the column names in its first line"),
        ("color,size\nred,1\n", "has no column that identifies students"),
        ("student,name\n", "has no students"),
        ("student,name\nada,A\nbob,B\nADA,C\n", "has 'ADA' on both line 2 and line 4: give each"),
        ("name,email\nA,x@a.org\nB,x@b.org\n", "has 'x' on both line 2 and line 3: give each"),
        ("name\n***\n", "has no value on line 2 that can serve as a student id"),
        (
            "student,name\nj\xfcrgen,J\n".encode("latin-1"),
            "is not a valid CSV file (it is not UTF-8)",
        ),
        ('student,name\nada,"Ada\n', "is not a valid CSV file (unexpected end of data)"),
    ],
)
def test_an_invalid_roster_is_one_sentence_with_the_line_and_the_remedy(roster, content, words):
    with pytest.raises(CourseError) as caught:
        roster(content)
    assert words in str(caught.value)
    assert "roster.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


ROWS = 'Mal\\",M,m@x.org\nEve,Extra,eve@x.org\nZed'
MOODLE_HEADER = '"First name","Last name","Email address"\n'
ADA = "Ada,Lovelace,ada@x.org\n"


@pytest.mark.parametrize(
    ("first_name", "found"),
    [
        (r'"Mal\"Lory"', r'Mal\"Lory'),
        # The name contains separators, line ends, and what looks like further students.
        (f'"{ROWS}"', ROWS),
        ('"Mal\\"', "Mal\\"),
        (r'"Mal \"Lory\" C:\dir\"', r'Mal \"Lory\" C:\dir' + "\\"),
        ('"Mal\\""Lory"', 'Mal\\"Lory'),  # as other programs write it
        (f'"{"x" * 200_000}"', "x" * 200_000),
    ],
    ids=["quotation mark", "rows", "backslash", "both", "doubled", "long"],
)  # fmt: skip
def test_what_a_student_typed_into_moodle_adds_no_row_and_stops_nothing(roster, first_name, found):
    """Moodle's PHP does not double a quotation mark that follows a backslash."""
    people = list(roster(f"{MOODLE_HEADER}{ADA}{first_name},M,mallory@x.org\nBob,Ross,bob@x.org\n"))
    assert [each.student for each in people] == ["ada", "mallory", "bob"]
    assert people[1].first_name == found


def test_students_whose_texts_need_different_readings_are_read(roster):
    rows = [r'"\"Mal\"",M,mallory@x.org', r'"C:\my dir\",E,eve@x.org', r'"a\",b\"",F,fay@x.org']
    people = list(roster(f"{MOODLE_HEADER}{ADA}" + "\n".join(rows)))
    names = [each.first_name for each in people]
    assert names == ["Ada", r"\"Mal\"", "C:\\my dir\\", r"a\",b\""]


def test_students_whose_texts_surround_the_rows_of_others_hide_nobody(roster):
    header = '"First name","Last name","ID number",Institution,"Email address"\n'
    rows = ['"y \\",",",66,U,mal@x.org', "Ada,Lovelace,11,U,ada@x.org", 'Eve,O,67,",x,z",eve@x.org']
    assert [each.email for each in roster(header + "\n".join(rows))] == [
        "mal@x.org",
        "ada@x.org",
        "eve@x.org",
    ]


def as_fputcsv_writes(field):
    """Return a field as the function of that name in PHP's ext/standard/file.c writes it."""
    if not set(field) & set(',"\\\n\r\t '):
        return field
    written, is_escaped = "", False
    for character in field:
        if character == "\\":
            is_escaped = True
        elif character == '"' and not is_escaped:
            written += '"'
        else:
            is_escaped = False
        written += character
    return f'"{written}"'


@given(st.lists(st.lists(st.text('"\\,\nx', max_size=6), min_size=3, max_size=3), max_size=5))
@settings(max_examples=300, deadline=None)
def test_what_fputcsv_writes_is_read(rows):
    rows = [["a", "b", "c"], *([each or "e" for each in row] for row in rows)]
    text = "".join(",".join(map(as_fputcsv_writes, row)) + "\n" for row in rows)
    assert [row for _, row in read_rows(text, ",")] == rows


def test_empty_lines_above_the_header_are_skipped(roster):
    assert [each.student for each in roster('\n\nstudent,name\nada,"a \\"b\\" c"\n')] == ["ada"]


def test_text_with_many_escaped_quotation_marks_is_refused_soon(roster):
    start = time.process_time()
    with contextlib.suppress(CourseError):
        roster(MOODLE_HEADER + ADA * 200 + '"x\\",b,' * 100_000 + "\n" + '"\\"\n' * 100_000)
    assert time.process_time() - start < 20


def test_a_student_called_points_possible_is_a_student(roster):
    found = roster(CANVAS + '"Points Possible",909,,mallory,,1\n')
    assert found.points_possible == roster(CANVAS).points_possible
    assert [each.student for each in found][-1] == "mallory"


def test_a_missing_roster_is_an_error(tmp_path):
    with pytest.raises(CourseError, match=r"class\.csv \(No such file"):
        read_roster(tmp_path / "class.csv")


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("Ada Lovelace", ["lovelaceada", "Lovelace, Ada", "ADA  lovelace", "lovelace ada"]),
        ("van der Berg, Ada", ["vanderbergada", "Ada van der Berg"]),
        ("Ada van der Berg", ["vanderbergada", "van der Berg, Ada", "bergadavander"]),
        ("Jérôme O'Neill", [unicodedata.normalize("NFD", "o’neill jérôme"), "oneilljérôme"]),
        ("李 明", ["李明", "明李"]),
        ("Ａｄａ Ross", ["ada ross"]),
        ("Straße, Ina", ["STRASSE INA"]),
    ],
)
def test_a_student_is_found_by_every_form_of_a_name(roster, name, forms):
    found = roster(f'student,name\ns1,"{name}"\ns2,Somebody Else\n')
    for form in forms:
        assert [person.student for person in found.find_by_name(form)] == ["s1"], form
    assert found.find_by_name("") == found.find_by_name("...") == []


def test_a_student_is_found_by_login_email_address_and_id(roster):
    found = roster("student,name,login,email\ns1,Ada Lovelace,al99,countess@example.org\n")
    for each in ("s1", "AL99", "countess", "Countess@Example.org"):
        assert [person.student for person in found.find_by_name(each)] == ["s1"]
    assert [person.student for person in found.find("login", " AL99 ")] == ["s1"]
    assert [person.student for person in found.find("student", "S1")] == ["s1"]
    assert found.find("student", "s2") == found.find("sis_id", "") == []


def test_two_students_with_the_same_name_are_both_found(roster):
    found = roster("student,name\nada1,Ada Lovelace\nada2,Ada Lovelace\n")
    assert [person.student for person in found.find_by_name("Lovelace, Ada")] == ["ada1", "ada2"]


@pytest.mark.parametrize(
    ("text", "student"),
    [
        ("Ada Lovelace", "ada-lovelace"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("STRASSE Straße", "strasse-strasse"),
        (unicodedata.normalize("NFD", "Jérôme"), "jérôme"),
        ("李 明", "李-明"),
        ("देवनागरी", "देवनागरी"),
        ("a" * 59 + " b", "a" * 59),
        ("--- // ", ""),
    ],
)
def test_every_name_gives_a_safe_student_id(text, student):
    assert make_student_id(text) == student
    assert make_student_id(student) == student
