"""What nbgrader refuses in a source notebook, in one sentence that names the cell."""

import json
import shutil

import pytest

from course.instructor.cli.main import main
from tests.conftest import BIN, cell, run_command, write_notebook

SOLUTION = cell("code", "### BEGIN SOLUTION Set two to 2.\ntwo = 2\n### END SOLUTION", "two")
TEST = cell("code", "assert two == 2", "test_two", points=1)
TEXT = cell("markdown", "Why?", "why", points=1)
TEXT["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
NOTEBOOK = "source/01-small/small.ipynb"
TYPE = "in JupyterLab, choose its type again under Create Assignment"


def changed(original, *removed, source=None, kind=None, **settings):
    """Return a copy of a cell with other metadata of nbgrader, text, or type."""
    new = json.loads(json.dumps(original))
    new["metadata"]["nbgrader"] |= settings
    for name in removed:
        del new["metadata"]["nbgrader"][name]
    new["source"] = new["source"] if source is None else source
    if kind:
        new = cell(kind, new["source"], "x") | {"metadata": new["metadata"], "id": new["id"]}
    return new


def refusal_of(capsys, root, *command):
    """Run a command that must fail with one sentence about the notebook, and return it."""
    capsys.readouterr()
    assert main(["-C", str(root), *command]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{NOTEBOOK}: " in line, line
    return line.partition(f"{NOTEBOOK}: ")[2]


# Each is the last of three cells, after SOLUTION and TEST.
OTHER = cell("code", "# Look here\nprint(1)", "other", points=1)
ANSWER = cell("code", "other = 1", "answer")
TASK = changed(cell("markdown", "Do it.", "do_it"), solution=False, locked=True, task=True)
REFUSED = {
    "the same ID": (
        changed(OTHER, grade_id="two"),
        "cell 3 (two) has the same ID as cell 1: give one of the two another ID.",
    ),
    "no ID": (
        changed(OTHER, "grade_id"),
        "cell 3 ('# Look here') has no ID: give it one under Create Assignment in JupyterLab.",
    ),
    "an empty ID": (
        changed(OTHER, grade_id=""),
        "cell 3 ('# Look here') has no ID: give it one under Create Assignment in JupyterLab.",
    ),
    "an ID with a space": (
        changed(OTHER, grade_id="test other"),
        "cell 3 ('# Look here') has the ID 'test other': use only the letters a to z and A to Z,"
        " digits, hyphens, and underscores.",
    ),
    "an ID that is a number": (
        changed(OTHER, grade_id=3),
        "cell 3 ('# Look here') has the ID '3': use only the letters a to z and A to Z,"
        " digits, hyphens, and underscores.",
    ),
    "no points": (
        changed(OTHER, "points"),
        "cell 3 (other) is graded, but has no points: set them under Create Assignment in"
        " JupyterLab.",
    ),
    "a task without points": (
        TASK,
        "cell 3 (do_it) is graded, but has no points: set them under Create Assignment in"
        " JupyterLab.",
    ),
    "points as text": (
        changed(OTHER, points="2 points"),
        "cell 3 (other) has '2 points' as its points: use a number.",
    ),
    "negative points": (changed(OTHER, points=-1), "cell 3 (other) has -1 points: use 0 or more."),
    "points that are not a number": (
        changed(OTHER, points=float("nan")),
        "cell 3 (other) has nan points: use 0 or more.",
    ),
    "an older schema": (
        changed(OTHER, schema_version=1),
        "cell 3 (other) has the metadata of an older nbgrader: make a backup, then run nbgrader"
        " update source.",
    ),
    "no schema": (
        changed(OTHER, "schema_version"),
        "cell 3 (other) has the metadata of an older nbgrader: make a backup, then run nbgrader"
        " update source.",
    ),
    "a newer schema": (
        changed(OTHER, schema_version=4),
        "cell 3 (other) has the metadata of a newer nbgrader: install that version of nbgrader.",
    ),
    "metadata that is no table": (
        OTHER | {"metadata": {"nbgrader": "graded"}},
        f"cell 3 ('# Look here') has invalid nbgrader metadata: {TYPE}.",
    ),
    "an unknown setting": (
        changed(OTHER, weight=2),
        "cell 3 (other) has unknown nbgrader metadata (weight): remove it.",
    ),
    "no flag": (
        changed(OTHER, "locked"),
        f"cell 3 (other) does not say in its nbgrader metadata whether it is 'locked': {TYPE}.",
    ),
    "a flag that is text": (
        changed(OTHER, grade="yes"),
        f"cell 3 (other) does not say in its nbgrader metadata whether it is 'grade': {TYPE}.",
    ),
    "an invalid checksum": (
        changed(OTHER, checksum="12"),
        "cell 3 (other) has an invalid checksum in its nbgrader metadata: remove the checksum.",
    ),
    "an invalid cell type": (
        changed(OTHER, cell_type="heading"),
        "cell 3 (other) has an invalid cell_type in its nbgrader metadata: remove the cell_type.",
    ),
    "a test that is text": (
        changed(OTHER, kind="markdown"),
        f"cell 3 (other) is a test, but contains text: make it a code cell, or {TYPE}.",
    ),
    "a written answer without points": (
        changed(TEXT, "points", grade=False),
        f"cell 3 (why) is a written answer without points: {TYPE} as a manually graded answer.",
    ),
    "a task that is code": (
        changed(TASK, kind="code", points=1),
        "cell 3 (do_it) is a task, but not a text: make it Markdown.",
    ),
    "a nested solution": (
        changed(ANSWER, source="### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"),
        "cell 3 (answer) has a second BEGIN SOLUTION before END SOLUTION: add END SOLUTION before"
        " it.",
    ),
    "an open solution": (
        changed(ANSWER, source="### BEGIN SOLUTION\nother = 1"),
        "cell 3 (answer) has BEGIN SOLUTION without END SOLUTION below it: add END SOLUTION.",
    ),
    "a solution that students would see": (
        changed(ANSWER, source="other = 1\n### END SOLUTION"),
        "cell 3 (answer) has END SOLUTION without BEGIN SOLUTION above it: add BEGIN SOLUTION, or"
        " remove END SOLUTION.",
    ),
    "a solution outside an answer": (
        cell("code", "\n\n### BEGIN SOLUTION\n1\n### END SOLUTION"),
        "cell 3 ('### BEGIN SOLUTION') has BEGIN SOLUTION, but is not an answer: move the lines to"
        f" such a cell, or {TYPE}.",
    ),
    "nested hidden tests": (
        changed(OTHER, source="# BEGIN HIDDEN TESTS\n# BEGIN HIDDEN TESTS\n# END HIDDEN TESTS"),
        "cell 3 (other) has a second BEGIN HIDDEN TESTS before END HIDDEN TESTS: add END HIDDEN"
        " TESTS before it.",
    ),
    "open hidden tests": (
        changed(OTHER, source="# BEGIN HIDDEN TESTS\nassert True"),
        "cell 3 (other) has BEGIN HIDDEN TESTS without END HIDDEN TESTS below it: add END HIDDEN"
        " TESTS.",
    ),
    "hidden tests outside a test": (
        cell("code", "# BEGIN HIDDEN TESTS\nassert True\n# END HIDDEN TESTS"),
        "cell 3 ('# BEGIN HIDDEN TESTS') has BEGIN HIDDEN TESTS, but is not a test: move the lines"
        f" to such a cell, or {TYPE}.",
    ),
    "a nested mark scheme": (
        cell("markdown", "BEGIN MARK SCHEME\nBEGIN MARK SCHEME\nEND MARK SCHEME"),
        "cell 3 ('BEGIN MARK SCHEME') has a second BEGIN MARK SCHEME before END MARK SCHEME: add"
        " END MARK SCHEME before it.",
    ),
    "an open mark scheme": (
        cell("markdown", f"{'Why ' * 20}?\nBEGIN MARK SCHEME"),
        f"cell 3 ('{'Why ' * 15}...') has BEGIN MARK SCHEME without END MARK SCHEME below it: add"
        " END MARK SCHEME.",
    ),
    "an AUTOTEST outside a test": (
        cell("code", "# AUTOTEST two"),
        f"cell 3 ('# AUTOTEST two') has an AUTOTEST line, but is not a test: {TYPE}.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_each_refusal_names_the_notebook_and_the_cell(small_course, capsys, case):
    wrong, sentence = REFUSED[case]
    root = small_course(SOLUTION, TEST, wrong)
    assert refusal_of(capsys, root, "release") == sentence
    assert not (root / "release").exists()


@pytest.mark.parametrize("command", [["try"], ["release", "--check"], ["grade"]])
def test_every_command_that_compiles_names_the_cell(small_course, capsys, command):
    wrong, sentence = REFUSED["the same ID"]
    root = small_course(SOLUTION, TEST, wrong)
    write_notebook(root / "submitted/ada/01-small/small.ipynb", [SOLUTION, TEST])
    assert refusal_of(capsys, root, *command) == sentence


def test_several_cells_are_named_at_once(small_course, capsys):
    root = small_course(SOLUTION, changed(TEST, points=-1), changed(OTHER, "points"))
    assert main(["-C", str(root), "release"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert "cell 2 (test_two) has -1 points" in first
    assert "cell 3 (other) is graded, but has no points" in second


def test_nbgraders_own_command_ends_with_the_sentence(small_course):
    wrong, sentence = REFUSED["an open solution"]
    root = small_course(SOLUTION, TEST, wrong)
    failed = run_command(BIN / "nbgrader", "generate_assignment", "01-small", cwd=root)
    assert failed.returncode == 1
    assert f"{NOTEBOOK}: {sentence}" in failed.stderr


def test_an_error_of_the_configuration_is_one_sentence(small_course, capsys):
    root = small_course(SOLUTION, TEST)
    with (root / "nbgrader_config.py").open("a") as config:
        config.write('\nc.GenerateAssignment.preprocessors = ["course.nothing.Nope"]\n')
    assert main(["-C", str(root), "release"]) == 1
    assert capsys.readouterr().err == (
        "course: source/01-small does not compile: ModuleNotFoundError: No module named"
        " 'course.nothing'\n"
    )


AUTOTEST = changed(OTHER, source="# AUTOTEST two")
TEMPLATES = """
python3:
  setup: null
  dispatch: "type({{snippet}})"
  templates:
    default:
      - test: "{{snippet}}"
        fail: "wrong"
  normalize: ""
  check: 'assert {{snippet}} == {{value}}, "{{message}}"'
  success: null
"""


def test_autotest_lines_without_templates_are_refused(small_course, capsys):
    root = small_course(SOLUTION, TEST, AUTOTEST)
    assert refusal_of(capsys, root, "release") == (
        "its AUTOTEST lines cannot be used (FileNotFoundError: [Errno 2] No such file or directory:"
        " 'autotests.yml'): correct autotests.yml, or write the tests yourself."
    )


def test_a_cell_that_fails_while_autotest_lines_are_replaced_is_named(small_course, capsys):
    root = small_course(SOLUTION, TEST, changed(OTHER, source="# AUTOTEST nowhere"))
    (root / "autotests.yml").write_text(TEMPLATES)
    assert refusal_of(capsys, root, "release") == (
        "cell 3 (other) fails while AUTOTEST lines are replaced (NameError: name 'nowhere' is not"
        " defined): correct the cell or autotests.yml."
    )


@pytest.fixture
def submitted(small_course, capsys):
    """Return a course with a released assignment and a graded submission."""
    root = small_course(SOLUTION, TEST)
    write_notebook(root / "submitted/ada/01-small/small.ipynb", [SOLUTION, TEST])
    for command in ("release", "grade"):
        assert main(["-C", str(root), command, "01-small"]) == 0
    return root


def test_cells_that_changed_after_the_first_submission_are_named(submitted, capsys):
    by_hand = changed(SOLUTION, grade=True, points=1)
    write_notebook(submitted / NOTEBOOK, [by_hand, OTHER])
    assert refusal_of(capsys, submitted, "release") == (
        "graded or locked cells cannot change once there are submissions, but these did: other"
        " (added), test_two (removed), two (changed in type): undo this."
    )


def test_a_notebook_that_was_renamed_after_the_first_submission_is_named(submitted, capsys):
    source = submitted / NOTEBOOK
    source.rename(source.with_name("renamed.ipynb"))
    capsys.readouterr()
    assert main(["-C", str(submitted), "release"]) == 1
    assert capsys.readouterr().err == (
        "course: there are submissions for source/01-small/small.ipynb, but the source is now"
        " renamed.ipynb: give it its old name.\n"
    )


def test_a_source_that_became_invalid_after_its_release_is_graded_as_released(submitted, capsys):
    write_notebook(submitted / NOTEBOOK, [SOLUTION, TEST, REFUSED["an open solution"][0]])
    capsys.readouterr()
    assert main(["-C", str(submitted), "grade", "--force"]) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        f"course: {NOTEBOOK}: {REFUSED['an open solution'][1]} Grading uses the release.\n"
    )
    assert "1/1" in printed.out


def test_a_source_whose_cell_lost_its_id_is_refused_before_the_first_submission(
    small_course, capsys
):
    root = small_course(SOLUTION, TEST)
    assert main(["-C", str(root), "release"]) == 0
    write_notebook(root / NOTEBOOK, [SOLUTION, TEST, REFUSED["no ID"][0]])
    folder = root / "submitted/ada/01-small"
    folder.mkdir(parents=True)
    shutil.copy(root / "release/01-small/small.ipynb", folder)
    capsys.readouterr()
    assert main(["-C", str(root), "grade"]) == 1
    assert REFUSED["no ID"][1] in capsys.readouterr().err
