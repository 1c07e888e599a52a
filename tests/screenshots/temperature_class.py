"""A class on an example assignment: the public tour must not show solutions of the course."""

import json
import zipfile
from pathlib import Path

from course.instructor.csv_files.csv_writer import write_table
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT, solved

NAME, FILE = "temperature", "temperature.ipynb"
ARCHIVE = "submissions.zip"
TITLE = """\
# Temperatures

**What is graded:** 6 points."""
SETUP = """\
import numpy as np

import course
from course import checks"""
CONVERSION = """\
## Exercise 1: from Fahrenheit to Celsius (2 points)

Water freezes at 32 °F, which is 0 °C, and boils at 212 °F, which is 100 °C."""
TO_CELSIUS = """\
def to_celsius(fahrenheit):
    ### BEGIN SOLUTION Return the temperature in degrees Celsius.
    return (fahrenheit - 32) * 5 / 9
    ### END SOLUTION"""
TEST_TO_CELSIUS = """\
# @title Check exercise 1
hint = "Subtract 32 before you multiply by 5 / 9."
checks.close("to_celsius(212)", to_celsius(212), 100, hint=hint)
### BEGIN HIDDEN TESTS
checks.close("to_celsius(-40)", to_celsius(-40), -40, hint=hint)
### END HIDDEN TESTS"""
WARMEST = """\
## Exercise 2: the warmest day (2 points)

Days are counted from 0, and the earliest one counts if there are several."""
WARMEST_DAY = """\
def warmest_day(temperatures):
    ### BEGIN SOLUTION Return the number of the warmest day.
    return int(np.argmax(temperatures))
    ### END SOLUTION"""
TEST_WARMEST_DAY = """\
# @title Check exercise 2
days = [4.5, 7.0, 6.5, 7.0]
checks.equal(
    "warmest_day([4.5, 7.0, 6.5, 7.0])",
    warmest_day(days),
    1,
    hint="np.argmax finds the position of the largest value.",
    mistakes={7.0: "This is the temperature, not the day.", 2: "Count the days from 0."},
)"""
MEASUREMENT = """\
# @title Record the results
true = np.linspace(-10, 30, 200)
readings = true * 9 / 5 + 32 + np.random.default_rng(seed).normal(0, 0.5, true.size)
errors = np.abs(to_celsius(readings) - true)
course.record(mean_error=float(errors.mean()), largest_error=float(errors.max()), days=true.size)"""
QUESTION = """\
## Exercise 3: twice as warm? (2 points)

Yesterday it was 10 °C, and today it is 20 °C. Is it twice as warm? Give your reasons.

=== BEGIN MARK SCHEME ===

- **+1** The zero of the scale: 0 °C is the freezing point of water, and not the absence of heat.
- **+1** A scale with a true zero: 293 K is 1.04 times 283 K, or the ratio in °F differs.
- **−0.5** Only an opinion, without a reason.

=== END MARK SCHEME ==="""
SAMPLE = """\
### BEGIN SOLUTION
No: 0 °C is only the freezing point of water. In kelvins, 293 is 1.04 times 283.
### END SOLUTION"""

CELSIUS, DAY = "return (fahrenheit - 32) * 5 / 9", "return int(np.argmax(temperatures))"
FORGOT_PARENTHESES = {CELSIUS: "return fahrenheit - 32 * 5 / 9"}
RETURNS_TEMPERATURE = {DAY: "return max(temperatures)"}
COUNTS_FROM_1 = {DAY: "return int(np.argmax(temperatures)) + 1"}
# Each student's name, the changes in the solution, and the written answer.
STUDENTS: dict[str, tuple[str, dict[str, str], str]] = {
    "ada": (
        "Ada Arden",
        {},
        "No. 0 °C is where **water freezes**, and not where there is no heat. In °F, 50 and 68 are"
        " not in the ratio 1 to 2, either.",
    ),
    "ben": (
        "Ben Brook",
        FORGOT_PARENTHESES,
        "No, because in kelvins it is 293 instead of 283, which is only 4% more.",
    ),
    "chen": ("Chen Li", RETURNS_TEMPERATURE, "Yes, because 20 is twice 10."),
    "dora": (
        "Dora Dale",
        {},
        "No: the zero of the Celsius scale was chosen arbitrarily. $T = 293$ K is $1.04$ times"
        " $283$ K.",
    ),
    "emil": ("Emil Eriksen", FORGOT_PARENTHESES | COUNTS_FROM_1, "I don't think so."),
    "fay": ("Fay Field", RETURNS_TEMPERATURE, "It doesn't feel twice as warm."),
    "gina": (
        "Gina Grove",
        {},
        "No. The Celsius scale does not start at zero heat, so that its ratios mean nothing.",
    ),
}
EMPTY = "hugo", "Hugo Hill"


def create_course(root: Path) -> None:
    """Create a course directory with the source of the assignment and an empty class."""
    root.mkdir(parents=True)
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    write_notebook(
        root / "source" / NAME / FILE,
        [
            cell("markdown", TITLE),
            cell("code", "profile = None\nseed = 0", tags=["parameters"]),
            _locked(cell("code", SETUP, "setup")),
            cell("markdown", CONVERSION),
            cell("code", TO_CELSIUS, "to_celsius"),
            cell("code", TEST_TO_CELSIUS, "test_to_celsius", points=2),
            cell("markdown", WARMEST),
            cell("code", WARMEST_DAY, "warmest_day"),
            cell("code", TEST_WARMEST_DAY, "test_warmest_day", points=2),
            cell("code", MEASUREMENT),
            _locked(cell("markdown", QUESTION, "twice_question")),
            _written(cell("markdown", SAMPLE, "twice", points=2)),
        ],
    )
    (root / "tests").mkdir()
    people = [*((student, name) for student, (name, *_) in STUDENTS.items()), EMPTY]
    roster = [["student", "name", "canvas"]]
    roster += [[*person, str(number)] for number, person in enumerate(people, 101)]
    write_table(root / "roster.csv", roster)


def write_archive(root: Path) -> None:
    """Write the archive that Canvas makes of the class's uploads, one of which is empty."""
    with zipfile.ZipFile(root / ARCHIVE, "w") as archive:
        for number, (name, changes, written) in enumerate(STUDENTS.values(), 101):
            archive.writestr(_upload(name, number), _submission(root, changes, written))
        archive.writestr(_upload(EMPTY[1], number + 1), "")


def _upload(name: str, number: int) -> str:
    """Return the name that Canvas gives to the file of a student."""
    first, last = name.lower().split()
    return f"{last}{first}_{number}_{number + 9000}_{FILE}"


def _submission(root: Path, changes: dict[str, str], written: str) -> str:
    """Return the text of a submitted notebook."""
    notebook = solved(NAME, root)
    for each in notebook["cells"]:
        source = "".join(each["source"])
        for old, new in changes.items():
            source = source.replace(old, new)
        is_answer = each["metadata"].get("nbgrader", {}).get("grade_id") == "twice"
        each["source"] = written if is_answer else source
    return json.dumps(notebook, indent=1)


def _locked(content: dict) -> dict:
    """Return a cell as a locked one."""
    content["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
    return content


def _written(content: dict) -> dict:
    """Return a cell as a written answer that a person grades."""
    content["metadata"]["nbgrader"] |= {"locked": False, "solution": True}
    return content
