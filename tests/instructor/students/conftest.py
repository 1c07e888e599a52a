"""A class with everything that a course directory can store about a student."""

import json
import os
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from course.instructor.cli import main
from course.instructor.course_dir import open_api
from course.instructor.grading.job import Outcome
from course.instructor.grading.journal import Journal
from course.instructor.grading.kept_answers import KeptAnswers
from course.instructor.watch.record import Record, RecordFile, all_files, folder_of
from tests.instructor.collect.platform_archives import moodle, zipped
from tests.instructor.export.test_plugins import add_graded_submission
from tests.submissions import ROOT, solved

NAME, FILE = "02-mnist", "mnist.ipynb"
PEOPLE = {"lovelace7": "Ada Lovelace", "bross5": "Bob Ross", "curie": "Marie Curie"}
TABLES = {
    "roster.csv": "student,name,email\n"
    + "".join(f"{student},{name},{student}@example.org\n" for student, name in PEOPLE.items()),
    "due_dates.csv": f"assignment,student,due\n{NAME},,2026-03-01 18:00\n"
    f"{NAME},lovelace7,2026-03-08 18:00\n{NAME},bross5,2026-03-09 18:00\n",
    "times.csv": "Student;minutes\r\nbross5;10\r\nlovelace7;20\r\n",
}
PAGES = (
    f"build/leaderboard/{NAME}/index.html",
    f"build/similar/{NAME}.html",
    f"build/statistics/{NAME}/index.html",
    f"build/feedback/{NAME}-zip.zip",
    "build/report/index.html",
)


@dataclass
class Finished:
    """A finished command."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys):
    """Return a function that runs `course` in this process."""

    def run_course(root, *arguments):
        capsys.readouterr()
        code = main.main(["-C", str(root), *map(str, arguments)])
        printed = capsys.readouterr()
        return Finished(code, printed.out, printed.err)

    return run_course


def notebook_of(student, text="answer"):
    notebook = solved(NAME)
    notebook["cells"][-1]["source"] = f"# {text} of {PEOPLE[student]}"
    return json.dumps(notebook).encode()


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Return a course directory with a class, and the archive from which it was collected."""
    root = tmp_path_factory.mktemp("class") / "course"
    for name in ("source", "release"):
        (root / name).mkdir(parents=True)
        (root / name / NAME).symlink_to(ROOT / name / NAME)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    for name, text in TABLES.items():
        (root / name).write_bytes(text.encode())
    members = {}
    for number, (student, name) in enumerate(PEOPLE.items(), 4711):
        members[moodle(name, number, FILE)] = notebook_of(student)
        members[moodle(name, number, "notes.pdf")] = f"notes of {name}".encode()
    archive = root.parent / "submissions.zip"
    archive.write_bytes(zipped(members))
    own = root.parent / "lovelace7" / FILE
    own.parent.mkdir()
    own.write_bytes(notebook_of("lovelace7", "later answer"))
    (own.parent / "essay.pdf").write_text("an essay of Ada Lovelace")
    # Of a folder, all files are saved, even those that are not used.
    folder = root.parent / "moodle"
    for path, content in members.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    for arguments in [archive], [folder], [own.parent, "--student", "lovelace7", "--force"]:
        assert main.main(["-C", str(root), "collect", *map(str, arguments)]) == 0
    pending = [[NAME, student] for student in PEOPLE]
    watched = Record(handled={path: [1, 2.0, ""] for path in members}, pending=pending)
    RecordFile(folder_of(root, folder)).write(watched)
    fill_gradebook(root)
    for student in PEOPLE:
        graded = root / "autograded" / student / NAME / FILE
        graded.parent.mkdir(parents=True)
        graded.write_bytes(notebook_of(student))
        page = root / "feedback" / student / NAME / "mnist.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"<p>{NAME} · {student}</p>")
        journal = Journal(root, NAME)
        journal.save_outcome(student, Outcome("digest", note=f"note of {PEOPLE[student]}"))
        journal.mark_ungraded(student)
        KeptAnswers(root, NAME, student, "mnist").record()
    journal.set_pending_regrades({"lovelace7", "bross5"}, set(PEOPLE))
    for page in PAGES:
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        (root / page).write_text("".join(PEOPLE) + " ".join(PEOPLE.values()))
    return root


def fill_gradebook(root):
    with open_api(root).gradebook as gradebook:
        gradebook.add_assignment(NAME)
        gradebook.add_notebook("small", NAME)
        gradebook.add_grade_cell("test", "small", NAME, max_score=3, cell_type="code")
        gradebook.add_grade_cell("explain", "small", NAME, max_score=2, cell_type="markdown")
        gradebook.add_solution_cell("explain", "small", NAME)
        for number, (student, name) in enumerate(PEOPLE.items()):
            first, last = name.split()
            gradebook.add_student(student, first_name=first, last_name=last)
            add_graded_submission(
                gradebook, NAME, student, number, 1.5, number / 4, f"Well done, {name}"
            )
        gradebook.db.commit()
        # Most builds of SQLite keep what was overwritten in the unused space of the file.
        gradebook.db.connection().exec_driver_sql("PRAGMA secure_delete = OFF")
        comment = gradebook.find_comment("explain", "small", NAME, "lovelace7")
        for text in ("A long comment on Ada Lovelace. " * 500, "Well done, Ada Lovelace"):
            comment.manual_comment = text
            gradebook.db.commit()


@pytest.fixture
def root(template, tmp_path):
    """Return a copy of the class."""
    return shutil.copytree(template, tmp_path / "course", symlinks=True)


def mentions(root, *texts):
    """Return the files in whose path or bytes one of the texts occurs, also in archives."""
    found = set()
    pattern = re.compile("|".join(map(re.escape, texts)).encode(), re.IGNORECASE)
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            content = path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    content += b"".join(archive.read(each) for each in archive.namelist())
            relative = path.relative_to(root).as_posix()
            if pattern.search(relative.encode()) or pattern.search(content):
                found.add(relative)
    return found


def watched_by(root):
    """Return the paths of the handled uploads in the record of a watch, and whose work is left."""
    (file,) = all_files(root)
    record = file.read()
    return [*record.handled], [student for _, student in record.pending]


def rows_of(root):
    """Return all rows of the gradebook about students, by student."""
    found = {}
    with open_api(root).gradebook as gradebook:
        for student in gradebook.students:
            found[student.id] = [student.first_name, student.last_name] + [
                (
                    submission.assignment.name,
                    submission.score,
                    submission.late_submission_penalty,
                    [(each.name, each.auto_score, each.manual_score) for each in notebook.grades],
                    [each.manual_comment for each in notebook.comments],
                )
                for submission in student.submissions
                for notebook in submission.notebooks
            ]
    return found


def tree(root):
    """Return the content of all files except for locks and the database."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name not in ("lock", "gradebook.db")
    }


def in_one_group(root, *members):
    """Put students into group red, and delete the submissions of all but the first."""
    lines = "".join(f"red,{member}\n" for member in members)
    (root / "groups.csv").write_text(f"group,student\n{lines}")
    for member in members[1:]:
        shutil.rmtree(root / "submitted" / member, ignore_errors=True)
