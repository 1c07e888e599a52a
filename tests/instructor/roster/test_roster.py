"""The roster: files as platforms write them, and what is wrong with some."""

import unicodedata

import pytest

from course.errors import CourseError
from course.instructor.roster.roster import read, student_id

# A line of each kind, as the sources name the columns: Canvas, lib/gradebook_exporter.rb; Moodle,
# the test of its grade/import/csv and, for the worksheet, mod/assign/gradingtable.php.
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,02-mnist (4711),Current Score
,,,,,Manual Posting,
    Points Possible,,,,,20.00,(read only)
"Lovelace, Ada",101,S1,ada,Monday and Tuesday,17.50,87.5
"Ross, Bob",102,S2,bob,Monday,,
"Student, Test",999,,5f2c,Monday,,
"""
NAMES_APART = """\
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
        return read(path)

    return make


@pytest.mark.parametrize(
    ("content", "kind", "students"),
    [
        (CANVAS, "Canvas", ["ada", "bob"]),
        (NAMES_APART, "Canvas", ["ada"]),
        (MOODLE, "Moodle", ["ada", "bob"]),
        (WORKSHEET, "worksheet", ["ada"]),
        (OWN, "own", ["ada", "bob"]),
        ("id,last_name,first_name,email\nada,Lovelace,Ada,\n", "own", ["ada"]),  # nbgrader's
        ("Identifier,Grade\nParticipant 7,\n", "worksheet", ["7"]),  # of an anonymous assignment
    ],
)
def test_what_platforms_write_is_read_as_it_is(roster, content, kind, students):
    found = roster(content)
    assert found.kind == kind
    assert [person.student for person in found] == students
    assert len(found) == len(found.rows) == len(students)


def test_each_column_says_what_it_says(roster):
    ada = next(iter(roster(CANVAS)))
    assert (ada.name, ada.first_name, ada.last_name) == ("Lovelace, Ada", "Ada", "Lovelace")
    assert (ada.canvas, ada.sis, ada.login) == ("101", "S1", "ada")
    assert ada.section == "Monday and Tuesday"
    ada = next(iter(roster(MOODLE)))
    assert (ada.name, ada.sis, ada.email) == ("Ada Lovelace", "S1", "ada@example.org")
    assert next(iter(roster(WORKSHEET))).moodle == "4711"
    assert roster(CANVAS).points[5] == "20.00"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheets_may_write_it_anew(roster, separator, encoding, end):
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
        ("", "is empty: its first line names the columns"),
        ("colour,size\nred,1\n", "has no column that tells who is in the class"),
        ("student,name\n", "has no student in it"),
        ("student,name\nada,A\nbob,B\nADA,C\n", "has 'ADA' in the lines 2 and 4: give it a column"),
        ("name,email\nA,x@a.org\nB,x@b.org\n", "has 'x' in the lines 2 and 3: give it a column"),
        ("name\n***\n", "has nothing in line 2 that a folder could be called by"),
        ("student,name\nj\xfcrgen,J\n".encode("latin-1"), "is no CSV file (it is not UTF-8)"),
        ('student,name\nada,"Ada\n', "is no CSV file (unexpected end of data)"),
    ],
)
def test_one_sentence_says_which_line_and_what_to_do(roster, content, words):
    with pytest.raises(CourseError) as caught:
        roster(content)
    assert words in str(caught.value)
    assert "roster.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_roster_that_is_not_there(tmp_path):
    with pytest.raises(CourseError, match=r"class\.csv cannot be read \(No such file"):
        read(tmp_path / "class.csv")


@pytest.mark.parametrize(
    ("name", "said"),
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
def test_a_person_is_known_by_each_form_of_a_name(roster, name, said):
    found = roster(f'student,name\ns1,"{name}"\ns2,Somebody Else\n')
    for each in said:
        assert [person.student for person in found.named(each)] == ["s1"], each
    assert found.named("") == found.named("...") == []


def test_login_address_and_folder_are_names_too(roster):
    found = roster("student,name,login,email\ns1,Ada Lovelace,al99,countess@example.org\n")
    for each in ("s1", "AL99", "countess", "Countess@Example.org"):
        assert [person.student for person in found.named(each)] == ["s1"]
    assert [person.student for person in found.by(login=" AL99 ", student="S1")] == ["s1"]
    assert found.by(login="al99", student="s2") == found.by(sis="") == []


def test_two_of_one_name_are_both_found(roster):
    found = roster("student,name\nada1,Ada Lovelace\nada2,Ada Lovelace\n")
    assert [person.student for person in found.named("Lovelace, Ada")] == ["ada1", "ada2"]


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
def test_any_name_makes_a_safe_folder(text, student):
    assert student_id(text) == student
    assert student_id(student) == student
