"""Generated uploads, whatever their names and structure, leave what others submitted alone."""

import contextlib
import io
import json
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.instructor.cli import main
from course.instructor.collect.platform_file_names import (
    find_readings,
    strip_copy_marks,
    strip_notebook_name,
)
from course.instructor.roster.roster import make_student_id
from tests.instructor.collect.test_collection import FILE, NAME, WHOLE, other
from tests.submissions import ROOT

MAX_SECONDS = 20  # for one collection; a normal one takes 0.2 s
GENERATED = settings(max_examples=40)
HONEST = f"Submissions/Ada Lovelace/{FILE}"
# Parts of names: of platforms and other students, and those that programs misread.
SPECIAL = [
    *("Ada Lovelace", "ada", "Bob", "mnist", NAME, "evidence", "submission", "..", ".", "C:"),
    *("_assignsubmission_file_", "_4711_90210_", "LATE_", "anon_", " - ", "Copy of ", " (1)"),
    *("+2026-03-01 12:00:00 UTC", "-copy", "(" + "1" * 400 + ")", "_" * 240, "李" * 90),
    *(".zip", ".ipynb", ".json", "timestamp.txt", "submission.json", "\\", "\u202e", "\x00"),
]
PIECES = st.one_of(st.sampled_from(SPECIAL), st.text(max_size=6))
NAMES = st.lists(PIECES, min_size=1, max_size=4).map("".join)
PATHS = st.builds(
    lambda folders, times, name, suffix: "/".join([*(folders * times), name + suffix]),
    st.lists(NAMES, max_size=2),
    st.sampled_from([1, 1, 1, 20, 60]),
    NAMES,
    st.sampled_from([".ipynb", ".ipynb", ".zip", ".json", ".npz", ".txt", ".py", ""]),
)
NOTEBOOKS = st.sampled_from(
    [
        WHOLE,
        other(),
        WHOLE[:2000],
        other("HALF").replace(b"HALF", b"\\ud83d"),
        b"[" * 3000,
        b"{}" * 1000,
        b"",
        b"PK\3\4",
    ]
)


def archive_of(members):
    """Return a zip archive of paths and contents, of which several can have the same path."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members:
            # zipfile cuts names at a null character only in its own check.
            archive.writestr(zipfile.ZipInfo(path.encode(errors="replace").decode()), content)
    return file.getvalue()


def damaged(content, position, value):
    """Return an archive with one byte changed."""
    at = position % len(content)
    return content[:at] + bytes([value]) + content[at + 1 :]


MEMBERS = st.lists(st.tuples(PATHS, NOTEBOOKS), max_size=5)
ARCHIVES = st.recursive(
    MEMBERS.map(archive_of),
    lambda inner: st.lists(st.tuples(PATHS, inner), min_size=1, max_size=3).map(archive_of),
    max_leaves=6,
)
DAMAGED = st.builds(damaged, ARCHIVES, st.integers(0), st.integers(0, 255))
UPLOADS = st.lists(
    st.tuples(PATHS, st.one_of(NOTEBOOKS, ARCHIVES, DAMAGED)), min_size=1, max_size=4
)


@pytest.fixture(scope="module")
def course():
    """Return a course directory with a roster and the releases."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "course")
        root.mkdir()
        for name in ("source", "release"):
            (root / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "nbgrader_config.py", root)
        (root / "roster.csv").write_text("student,name\nada,Ada Lovelace\nbob,Bob\neve,Eve\n")
        yield root


@pytest.mark.filterwarnings("ignore")  # zipfile warns of duplicate names
@GENERATED
@given(uploads=UPLOADS)
def test_a_generated_upload_leaves_what_others_submitted_alone(course, uploads):
    members = [(HONEST, WHOLE), *((f"Submissions/Eve/{path}", each) for path, each in uploads)]
    archive = course.parent / "submissions.zip"
    archive.write_bytes(archive_of(members))
    for name in ("submitted", "originals"):
        shutil.rmtree(course / name, ignore_errors=True)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = main.main(["-C", str(course), "collect", str(archive), NAME])
    assert time.perf_counter() - start < MAX_SECONDS
    assert code in (0, 1)
    assert (course / "submitted" / "ada" / NAME / FILE).read_bytes() == WHOLE
    submitted = {path.name for path in (course / "submitted").iterdir()}
    assert submitted <= {"ada", "eve"}, printed.getvalue()
    # Nothing has a name that a student chose, and nothing is outside the two folders.
    assert {path.name for path in course.parent.iterdir()} == {"course", "submissions.zip"}
    for path in (course / "originals").rglob("*"):
        assert path.name.isascii()
        assert not path.is_symlink()
    notebook = course / "submitted" / "eve" / NAME / FILE
    if notebook.is_file():
        json.loads(notebook.read_text(encoding="utf-8"))


@GENERATED
@given(name=st.lists(PIECES, min_size=1, max_size=30).map("".join))
def test_a_generated_name_is_parsed_quickly(name):
    start = time.perf_counter()
    for text in (name, name * 50):
        for position in range(2):
            find_readings((text, text + ".ipynb"), position)
        stem, number = strip_copy_marks(text + ".ipynb")
        assert number < 1_000_000
        strip_notebook_name(stem, "mnist")
        assert len(make_student_id(text).encode()) <= 200
    assert time.perf_counter() - start < 2
