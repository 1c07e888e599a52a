"""An example class: students who submit fixtures with written answers of their own."""

import json
import shutil
from pathlib import Path

from course.instructor.csv_files.csv_writer import write_table
from tests.submissions import ROOT, create_fixture_class, read_fixtures, submission

NAME, FILE = "02-mnist", "mnist.ipynb"
# Each student's fixture, the answer to explain_cnn, and the answer to explain_confusion; an empty
# answer leaves that of the release.
STUDENTS = {
    "ada": (
        "solved",
        "The filters of the CNN are **local**: they look at 3 × 3 pixels, and strokes and corners"
        " of digits are local, too. In my run, the CNN misread 236 digits and the MLP 431. But the"
        " networks differ in several ways at once, so the experiment doesn't show which of them is"
        " the reason.",
        "4 is predicted as 9, 15 times. Many of these fours are closed at the top.",
    ),
    "ben": (
        "relu-missing",
        "The CNN has more parameters.",
        "A 7 is predicted as a 2, 11 times: these sevens have a crossbar at the bottom.",
    ),
    "chen": (
        "common-mistakes",
        "The CNN recognizes a digit wherever it is in the image, because its filters are the same"
        " at all positions. Its accuracy was 97.6%, and that of the MLP was 95.7%.",
        "4 and 9.",
    ),
    "dora": (
        "functional",
        "Pooling makes small shifts of a stroke unimportant. In the plot of the shifted digits, the"
        " accuracy of the CNN drops at 3 pixels, and that of the MLP at 2. It was only one run.",
        "4 is predicted as 9, 15 times. Many of these fours are closed at the top.",
    ),
    "emil": ("linear-network", "The CNN has more parameters.", ""),
    "fay": (
        "dead-network",
        "Because convolutions share their weights, a stroke is found at any position. I can't say"
        " how much pooling contributes, because I tried no CNN without it.",
        "3 is predicted as 5, 13 times, because the upper part of a 3 can be hidden by the slant.",
    ),
    "gina": ("biases-forgotten", "", "5 as 3, because both have an open loop at the bottom."),
    "hugo": ("untouched", "", ""),
}
NAMES = {
    "ada": "Ada Arden",
    "ben": "Ben Brook",
    "chen": "Chen Li",
    "dora": "Dora Dale",
    "emil": "Emil Eriksen",
    "fay": "Fay Field",
    "gina": "Gina Grove",
    "hugo": "Hugo Hill",
}


def create_class(root: Path) -> None:
    """Create a course directory with the class, and with the bands for `course run`."""
    create_fixture_class(root, NAME, names=[])
    (root / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "bands.toml", root / "tests")
    shutil.copytree(ROOT / "tests" / "references", root / "tests" / "references")
    fixtures = read_fixtures(NAME)
    released = {_grade_id(cell): cell["source"] for cell in _release(root)["cells"]}
    roster = [["student", "name"], *([student, NAMES[student]] for student in STUDENTS)]
    write_table(root / "roster.csv", roster)
    for student, (fixture, *written) in STUDENTS.items():
        notebook = json.loads(submission(NAME, fixtures[fixture]))
        answers = dict(zip(("explain_cnn", "explain_confusion"), written, strict=True))
        for cell in notebook["cells"]:
            if (grade_id := _grade_id(cell)) in answers:
                cell["source"] = answers[grade_id] or released[grade_id]
        path = root / "submitted" / student / NAME / FILE
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def _release(root: Path) -> dict:
    """Return the released notebook."""
    return json.loads((root / "release" / NAME / FILE).read_text(encoding="utf-8"))


def _grade_id(cell: dict) -> str | None:
    """Return the grade ID of a cell."""
    return cell["metadata"].get("nbgrader", {}).get("grade_id")
