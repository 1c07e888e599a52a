"""A trial of an assignment before it is published: grading its solution and its empty release."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course.instructor.course_dir import open_api, source_notebook
from course.instructor.grading import class_grader
from course.instructor.release import build, lint

SOLUTION, EMPTY = "solution", "empty"  # the two students
# A test whose code contains this reads evidence. A trial has none: training would take too long.
NEEDS_EVIDENCE = "evidence."
# What a trial adds to the configuration. The answers of a solution fit no personalized quiz.
CONFIG = """
c.CourseDirectory.db_url = {url!r}
c.ExecuteIsolated.personalized_quizzes = False
"""


@dataclass
class TriedTest:
    """The scores that a test cell gave to the solution and to the empty release."""

    name: str  # the grade id
    points: float
    solution: float  # score
    empty: float
    seconds: float  # that the test took for the solution
    needs_evidence: bool


@dataclass
class Trial:
    """The results of a trial; `problems` contains one sentence per reason not to publish."""

    assignment: str
    tests: list[TriedTest] = field(default_factory=list)
    manual_points: float = 0.0  # of written answers
    seconds: float = 0.0  # that grading the solution took
    problems: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        """The points of all tests."""
        return sum(test.points for test in self.tests)


def try_assignment(root: Path, name: str, isolated: bool = True) -> Trial:
    """Compile an assignment in a temporary course directory, and grade two submissions there.

    Raises CourseError if the source cannot be compiled, or if this machine cannot grade.
    """
    with tempfile.TemporaryDirectory(prefix="trial-") as folder:
        copy = Path(folder)
        source = source_notebook(root, name)
        lint.check_source(source)  # here, so that messages name the instructor's own file
        # The configuration can name a gradebook elsewhere, which a trial must not touch.
        config = Path(root, "nbgrader_config.py").read_text(encoding="utf-8")
        config += CONFIG.format(url=f"sqlite:///{copy}/gradebook.db")
        Path(copy, "nbgrader_config.py").write_text(config, encoding="utf-8")
        shutil.copytree(source.parent, copy / "source" / name)
        build.build(copy, name)
        released = copy / "release" / name
        for student in (SOLUTION, EMPTY):
            shutil.copytree(released, copy / "submitted" / student / name)
        path = copy / "submitted" / SOLUTION / name / source.name
        path.write_text(_solved(path, source), encoding="utf-8")
        options = class_grader.GradingOptions(isolated=isolated)
        results = {each.student: each for each in class_grader.grade(copy, name, None, options)}
        trial = Trial(name, seconds=results[SOLUTION].seconds)
        for each in results.values():
            if each.failed:
                trial.problems.append(f"the {each.student} submission: {each.note}")
        if not trial.problems:
            _read_scores(copy, trial, source, results[SOLUTION].test_seconds)
    trial.problems += _problems(trial)
    return trial


def _solved(release: Path, source: Path) -> str:
    """Return the text of the released notebook with the solutions of the source."""
    solutions = {
        _grade_id(cell): _without_markers("".join(cell["source"]))
        for cell in json.loads(source.read_text(encoding="utf-8"))["cells"]
        if _is_solution(cell)
    }
    notebook = json.loads(release.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if _is_solution(cell):
            cell["source"] = solutions[_grade_id(cell)]
    return json.dumps(notebook)


def _is_solution(cell: dict[str, Any]) -> bool:
    """Return True if students write this cell."""
    return bool(cell["metadata"].get("nbgrader", {}).get("solution"))


def _grade_id(cell: dict[str, Any]) -> str:
    """Return the grade id of a cell."""
    return cell["metadata"]["nbgrader"]["grade_id"]


def _without_markers(source: str) -> str:
    """Return a solution without the lines that mark its beginning and its end."""
    marks = "### BEGIN SOLUTION", "### END SOLUTION"
    return "\n".join(line for line in source.splitlines() if not line.strip().startswith(marks))


def _read_scores(root: Path, trial: Trial, source: Path, seconds: dict[str, float]) -> None:
    """Add the score of each test to a trial."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    graded = [cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("points")]
    with open_api(root).gradebook as gradebook:
        scores = {
            student: {
                grade.name: grade.auto_score or 0.0
                for notebook in gradebook.find_submission(trial.assignment, student).notebooks
                for grade in notebook.grades
            }
            for student in (SOLUTION, EMPTY)
        }
    for cell in graded:
        name, points = _grade_id(cell), float(cell["metadata"]["nbgrader"]["points"])
        if _is_solution(cell) or cell["cell_type"] != "code":
            trial.manual_points += points
            continue
        solution, empty = (scores[student].get(name, 0.0) for student in (SOLUTION, EMPTY))
        needs_evidence = NEEDS_EVIDENCE in "".join(cell["source"])
        trial.tests.append(
            TriedTest(name, points, solution, empty, seconds.get(name, 0.0), needs_evidence)
        )


def _problems(trial: Trial) -> Iterator[str]:
    """Yield a sentence for each wrong score that a test gives to one of the two submissions."""
    for test in trial.tests:
        if test.solution < test.points and not test.needs_evidence:
            yield (
                f"{test.name} gives the solution {test.solution:g} of {test.points:g} points:"
                " correct the test or the solution."
            )
        if test.empty > 0:
            yield (
                f"{test.name} gives the empty release {test.empty:g} points: test something that"
                " an unsolved exercise does not have."
            )
