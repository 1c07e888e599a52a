import zipfile

import pytest

from course.errors import CourseError
from course.instructor.feedback.platform_archive import write_archive

NAME = "02-mnist"
ROWS = [
    ("Ada Lovelace_4711_assignsubmission_file/mnist.ipynb", "ada"),
    ("Bob_Ross_4712_assignsubmission_file_mnist.ipynb", "bob"),
    ("eve.zip", "eve"),
]


@pytest.fixture
def pages(tmp_path):
    found = {}
    for student in ("ada", "bob", "eve"):
        page = tmp_path / "feedback" / student / NAME / "mnist.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"page of {student}")
        found[student] = page
    return found


def record(tmp_path, rows, folder="moodle-1"):
    table = tmp_path / "originals" / folder / "table.csv"
    table.parent.mkdir(parents=True)
    lines = [f"{file},collected,{student},{NAME},,1" for file, student in rows]
    table.write_text("\n".join(["file,status,student,assignment,details,saved as", *lines]))
    return table


def content(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_plain_archive_has_a_folder_per_student(tmp_path, pages):
    path, left_out = write_archive(tmp_path, NAME, pages, "zip")
    assert left_out == []
    assert content(path) == {
        f"{student}/{NAME}/mnist.html": f"page of {student}" for student in pages
    }
    first = path.read_bytes()
    write_archive(tmp_path, NAME, pages, "zip")
    assert path.read_bytes() == first


def test_moodle_finds_each_student_by_the_number_of_the_assignment(tmp_path, pages):
    record(tmp_path, ROWS)
    path, left_out = write_archive(tmp_path, NAME, pages, "moodle")
    assert left_out == ["eve"]
    assert content(path) == {
        "Ada Lovelace_4711_assignfeedback_file_mnist.html": "page of ada",
        "Bob Ross_4712_assignfeedback_file_mnist.html": "page of bob",
    }
    # As in assignfeedback_file_zip_importer::is_valid_filename_for_import.
    for name in content(path):
        _, number, plugin, kind, file = name.split("_", 4)
        assert number.isdigit() and (plugin, kind, file) == (
            "assignfeedback",
            "file",
            "mnist.html",
        )


@pytest.mark.parametrize(
    "file",
    [
        "Ada_4711_assignsubmission_file_Bob_4712_assignsubmission_file_mnist.ipynb",
        "Bob_4712_assignsubmission_file_4711_assignsubmission_file/mnist.ipynb",
        "A_1_assignsubmission_file_2_assignsubmission_file/Bob_4712_assignsubmission_file/x.ipynb",
    ],
)
def test_a_name_that_shows_two_numbers_is_not_used(tmp_path, pages, file):
    record(tmp_path, [(file, "ada")])
    with pytest.raises(CourseError, match="run course collect with the downloaded archive"):
        write_archive(tmp_path, NAME, {"ada": pages["ada"]}, "moodle")


def test_a_student_with_the_name_of_another_does_not_get_the_page(tmp_path, pages):
    table = record(tmp_path, ROWS)
    # Eve changed her name in Moodle to Bob's; both uploads are flagged, or collected one by one.
    line = f"Bob Ross_4799_assignsubmission_file/mnist.ipynb,{{}},bob,{NAME},,1"
    text = table.read_text()
    table.write_text(f"{text}\n{line.format('flagged for manual review')}")
    path, left_out = write_archive(tmp_path, NAME, pages, "moodle")
    assert "Bob Ross_4712_assignfeedback_file_mnist.html" in content(path) and left_out == ["eve"]
    table.write_text(f"{text}\n{line.format('collected')}")
    path, left_out = write_archive(tmp_path, NAME, pages, "moodle")
    assert list(content(path)) == ["Ada Lovelace_4711_assignfeedback_file_mnist.html"]
    assert left_out == ["bob", "eve"]


def test_a_path_inside_an_upload_does_not_count(tmp_path, pages):
    file = "Ada_4711_assignsubmission_file/own.zip/Bob_4712_assignsubmission_file/mnist.ipynb"
    record(tmp_path, [(file, "ada")])
    path, _ = write_archive(tmp_path, NAME, {"ada": pages["ada"]}, "moodle")
    assert list(content(path)) == ["Ada_4711_assignfeedback_file_mnist.html"]
    # In an archive of another platform, it is the only one.
    inner = "Bob_4712_assignsubmission_file/mnist.ipynb"
    others = [("bobross_8_91_mnist.ipynb", "bob"), ("evestone_9_92_mnist.ipynb", "eve")]
    record(tmp_path, [(f"adalovelace_7_90_own.zip/{inner}", "ada"), *others], "canvas-2")
    path, left_out = write_archive(tmp_path, NAME, pages, "moodle")
    assert list(content(path)) == ["Ada_4711_assignfeedback_file_mnist.html"]
    assert left_out == ["bob", "eve"]
