"""A small class with written answers in the gradebook, as grading leaves it."""

import contextlib
import hashlib
import json
import shutil

import pytest

from course.instructor.cli import main
from course.instructor.course_dir import open_api
from course.instructor.marking.course_marks import CourseMarks
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

NAME = "01-small"
SCHEME = """\

=== BEGIN MARK SCHEME ===

Read the whole answer first.

- **+1** Locality: each value is computed from a small patch.
- **+0.5** Sharing: the weights are the same at all positions.
- **\u22120.5** Only the effect, without a property.

=== END MARK SCHEME ===
"""
STUB = "*Write your answer here.*"
PIXEL = "iVBORw0KGgo="  # only the beginning of a picture
QUESTIONS = {"explain": 2, "conclude": 1}


def source_cells(scheme=SCHEME):
    cells = [cell("markdown", "# Small"), cell("code", "print('figure')")]
    for name, points in QUESTIONS.items():
        text = f"### Exercise: {name} ({points} points)\n\nWhy does it {name}?\n{scheme}"
        question = cell("markdown", text, f"{name}_question", 0)
        question["metadata"]["nbgrader"] |= {"grade": False}
        del question["metadata"]["nbgrader"]["points"]
        solution = f"### BEGIN SOLUTION\nThe model answer of {name}.\n### END SOLUTION"
        answer = cell("markdown", solution, name, points)
        answer["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
        cells += [question, answer]
    return cells


def write_source(root, scheme=SCHEME):
    write_notebook(root / "source" / NAME / "small.ipynb", source_cells(scheme))


def submit_graded(root, gradebook, student, answers, beside=()):
    """Add a submission as grading leaves it; an answer is a text, or None if it is unchanged."""
    cells = source_cells()
    for each in cells:
        name = each["metadata"].get("nbgrader", {}).get("grade_id")
        if name in QUESTIONS:
            each["source"] = STUB if answers.get(name) is None else answers[name]
    printed = {"output_type": "stream", "name": "stdout", "text": ["figure of\n", f"{student}\n"]}
    # Files contain texts as lists of lines.
    data = {"image/png": PIXEL, "text/plain": ["<Figure size\n", "1x1>"]}
    figure = {"output_type": "display_data", "data": data, "metadata": {}}
    cells[1]["outputs"] = [printed, figure]
    at = [each["id"] for each in cells].index("explain") + 1
    cells[at:at] = beside
    write_notebook(root / "autograded" / student / NAME / "small.ipynb", cells)
    (root / "submitted" / student / NAME).mkdir(parents=True, exist_ok=True)
    gradebook.add_student(student, first_name=student.title(), last_name="Example")
    gradebook.add_submission(NAME, student)
    for name in QUESTIONS:
        grade = gradebook.find_grade(name, "small", NAME, student)
        # nbgrader's ids are random, and answers are in their order, which tests rely on.
        grade.id = hashlib.md5(f"35 {name} {student}".encode()).hexdigest()
        is_empty = answers.get(name) is None and not beside
        grade.auto_score = 0 if is_empty else None
        grade.needs_manual_grade = not is_empty


def make_class(root, students):
    """Create a course directory with a class; `students` maps a name to the answers."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    write_source(root)
    with open_api(root).gradebook as gradebook:
        gradebook.add_assignment(NAME)
        gradebook.add_notebook("small", NAME)
        for name, points in QUESTIONS.items():
            gradebook.add_grade_cell(name, "small", NAME, max_score=points, cell_type="markdown")
            gradebook.add_solution_cell(name, "small", NAME)
            gradebook.add_source_cell(name, "small", NAME, cell_type="markdown", source=STUB)
        for student, answers in students.items():
            submit_graded(root, gradebook, student, answers)
        gradebook.db.commit()
    return root


ANSWERS = {
    "ada": {"explain": "Its filters are *local*.", "conclude": "It is better."},
    "bob": {"explain": "Its filters are *local*.", "conclude": "It is faster."},
    "cy": {"explain": "It has fewer weights.", "conclude": None},
    "dora": {"explain": None, "conclude": None},
    "eve": {"explain": None, "conclude": "It is worse."},
}


@pytest.fixture(scope="session")
def class_template(tmp_path_factory):
    return make_class(tmp_path_factory.mktemp("marking") / "course", ANSWERS)


@pytest.fixture
def root(class_template, tmp_path):
    return shutil.copytree(class_template, tmp_path / "course")


@pytest.fixture
def open_page(browser):
    """Return a function that opens the page of a server; nothing may fail or go elsewhere."""
    pages, problems, requested = [], [], []

    def open_one(server):
        page = browser.new_context(viewport={"width": 1300, "height": 900}).new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requested.append(request.url))
        page.goto(server.address)
        page.locator("article").first.wait_for()
        pages.append((page, server))
        return page

    yield open_one
    for page, _ in pages:
        page.context.close()
    assert problems == []
    addresses = {f"http://127.0.0.1:{server.port}/" for _, server in pages}
    assert all(url.startswith((*addresses, "data:")) for url in requested), requested


@contextlib.contextmanager
def opened(root):
    """Yield the marks of a course directory."""
    with open_api(root).gradebook as gradebook:
        yield CourseMarks(root, gradebook, [NAME])


@pytest.fixture
def marks(root):
    with opened(root) as found:
        yield found


def question_of(marks, name="explain"):
    return next(each.question for each in marks.overview() if each.question.name == name)


def states_of(marks, name="explain"):
    """Return the states of the answers to a question by student."""
    return {each.student: each for each in marks.answers(question_of(marks, name))}


def mark(*items, adjustment=None, comment="", pending=False):
    """Return a mark as the page sends it."""
    return {
        "items": [each.key for each in items],
        "adjustment": adjustment,
        "comment": comment,
        "pending": pending,
    }


def give(marks, student, request, name="explain", grader="Grace"):
    """Give a student a mark and return the new state."""
    state = states_of(marks, name)[student]
    (after,) = marks.save(question_of(marks, name), {state.id: state.version}, request, grader)
    return after


def stored(root, name="explain"):
    """Return score, comment, and whether a score is pending, by student, from the gradebook."""
    found = {}
    with open_api(root).gradebook as gradebook:
        for student in gradebook.students:
            grade = gradebook.find_grade(name, "small", NAME, student.id)
            comment = gradebook.find_comment(name, "small", NAME, student.id)
            score, text = grade.manual_score, comment.manual_comment
            found[student.id] = score, text, grade.needs_manual_grade
    return found


def run(capsys, root, *arguments):
    """Run `course` in this process and return its exit code and what it printed."""
    capsys.readouterr()
    code = main.main(["-C", str(root), *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def content_of(path):
    return json.loads(path.read_text())
