import shutil
import subprocess

import nbformat
import pytest

from course.instructor.course_dir import open_api
from tests.conftest import BIN, cell, run_command
from tests.instructor.grading.classes import ANSWER, NAME, create_course, scores, submit
from tests.submissions import ROOT, create_fixture_class, read_fixtures

pytestmark = pytest.mark.slow
ASSIGNMENTS = sorted(path.parent.name for path in (ROOT / "source").glob("*/*.ipynb"))
# The default steps of nbgrader autograde; students get the same release.
STOCK = "\ndel c['Autograde']\nc.Execute.timeout = 120\n"
# Its kernels are forked with Keras imported, because that takes longer than most submissions.
FORKED = (
    "from course.instructor.regression.kernel_provisioner import ForkserverKernelManager\n"
    "c.Execute.kernel_manager_class = ForkserverKernelManager\n"
)
# The stock engine grades submissions that earn all, none and some of the points; of 03-vgg16, which
# trains nothing, all fixtures. With training, it takes up to half a minute for each.
SAMPLE = {"solved", "untouched", "common-mistakes"}
COMPLETE = "03-vgg16"
LATE = "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n"


def grade_with_stock(root, name, *arguments):
    """Grade an assignment with nbgrader's own engine."""
    command = [BIN / "nbgrader", "autograde", name, *arguments]
    done = run_command(*command, cwd=root, COURSE_PROFILE="smoke")
    assert done.returncode == 0, done.stdout + done.stderr


def grade_with_both(ours, stock, *arguments):
    """Grade the small assignment in two directories, each with its own engine."""
    done = run_command(BIN / "course", "-C", ours, "grade", NAME, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    grade_with_stock(stock, NAME, *arguments)


def was_run_by_nbgrader(root, student):
    """Return whether nbgrader's Execute ran a submission: it sets execution counts."""
    path = root / "autograded" / student / NAME / "small.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return any(each.get("execution_count") for each in cells)


def make_stock(ours, stock, name, kernels=""):
    """Copy a course directory to one that nbgrader's own engine grades."""
    shutil.copytree(ours, stock)
    with (stock / "nbgrader_config.py").open("a") as config:
        config.write(STOCK + kernels)
    subprocess.run(
        [str(BIN / "nbgrader"), "generate_assignment", name, "--force"],
        cwd=stock,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return stock


def test_the_assignments_are_found():
    assert COMPLETE in ASSIGNMENTS


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_both_engines_give_each_cell_of_the_fixtures_the_same_score(
    graded_class_of, assignment, tmp_path
):
    fixtures = read_fixtures(assignment)
    readable = {name for name, fixture in fixtures.items() if not fixture.get("truncate")}
    if assignment != COMPLETE:
        assert readable >= SAMPLE, f"an assignment needs the fixtures {SAMPLE}"
        readable = SAMPLE
    course = create_fixture_class(tmp_path / "course", assignment, readable)
    stock = make_stock(course, tmp_path / "stock", assignment, FORKED)
    grade_with_stock(stock, assignment)
    ours, _ = graded_class_of(assignment)
    found = scores(ours, assignment)
    assert {name: found[name] for name in readable} == scores(stock, assignment)


PARTLY = cell("code", "min(answer, 3) / 2", "test_partly", points=2, tags=["partial-credit"])
WHOLE = cell("code", "assert answer > 1, answer", "test_whole", points=3)
WRITTEN = cell("markdown", "*Write your answer here.*", "explain", points=4)
DRAWN = cell("code", "### BEGIN SOLUTION\nshape = 'square'\n### END SOLUTION", "draw", points=5)
TASK = cell("markdown", "Change what you like above.", "task", points=6)
for each in (WRITTEN, DRAWN):
    each["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
TASK["metadata"]["nbgrader"] |= {"task": True, "grade": False}
STUB = "# Your code here, in place of the next line.\nraise NotImplementedError('Your answer.')"


def comments(root):
    """Return each student's automatic comments: nbgrader writes one for an unchanged answer."""
    with open_api(root).gradebook as gradebook:
        return {
            (submission.student.id, comment.name): comment.auto_comment
            for submission in gradebook.find_assignment(NAME).submissions
            for notebook in submission.notebooks
            for comment in notebook.comments
        }


def test_both_engines_agree_on_every_kind_of_cell_and_late_penalty(tmp_path):
    ours = create_course(tmp_path / "ours", ANSWER, PARTLY, WHOLE, WRITTEN, DRAWN, TASK)
    with (ours / "nbgrader_config.py").open("a") as config:
        config.write(LATE)

    def submit_all(student, answer, written, drawn, day):
        cells = [
            cell("code", answer, "answer"),
            PARTLY,
            WHOLE,
            WRITTEN | {"source": written},
            DRAWN | {"source": drawn},
            TASK,
        ]
        folder = submit(ours, student, *cells).parent
        (folder / "timestamp.txt").write_text(f"2026-03-{day:02} 12:00:00 UTC\n")

    submit_all("ada", "answer = 1", "Because.", "shape = 'circle'", day=1)
    submit_all("bob", "answer = 3", WRITTEN["source"], STUB, day=1)
    submit_all("cem", "answer = 3", "It is so.", "shape = 'square'", day=3)
    submit_all("dan", "answer = 9", "It is so.", "shape = 'square'", day=1)
    submit_all("eve", STUB, WRITTEN["source"], STUB, day=3)
    submit_all("fay", "answer = 'many'", "So.", "1 / 0", day=1)
    stock = make_stock(ours, tmp_path / "stock", NAME)
    for root in (ours, stock):
        with open_api(root).gradebook as gradebook:
            gradebook.update_or_create_assignment(NAME, duedate="2026-03-02 12:00:00 UTC")
    grade_with_both(ours, stock)
    found = scores(ours)
    assert found == scores(stock)
    assert comments(ours) == comments(stock)
    assert was_run_by_nbgrader(stock, "ada") and not was_run_by_nbgrader(ours, "ada")
    assert found["ada"]["test_partly"][0] == 0.5 and found["ada"]["test_whole"][0] == 0
    assert found["cem"][""] == 4.5, "the points of all tests"
    assert found["bob"]["explain"][0] == 0 and found["ada"]["explain"][0] is None

    for root in (ours, stock):
        with open_api(root).gradebook as gradebook:
            for key, student, points in [
                ("explain", "ada", 3),
                ("task", "ada", 5.5),
                ("test_whole", "fay", 1),  # a manual score overrides a test
                ("draw", "cem", 5),
            ]:
                grade = gradebook.find_grade(key, "small", NAME, student)
                grade.manual_score, grade.needs_manual_grade = points, False
            gradebook.db.commit()
    grade_with_both(ours, stock, "--force")
    found, expected = scores(ours), scores(stock)
    # The stock engine asks for all manual scores again; ours only for those that a new text or a
    # test could change.
    for student, name in [("ada", "explain"), ("cem", "draw")]:
        assert (found[student][name][3], expected[student][name][3]) == (False, True)
        expected[student][name] = (*expected[student][name][:3], False)
    assert found == expected
    assert found["ada"]["explain"][1] == 3 and found["fay"]["test_whole"][1] == 1
    assert found["cem"][""] == 9.5, (
        "the late penalty takes the points of tests and the manual points"
    )
