"""Three small assignments, and the points that each possible answer earns.

The points are known from how the tests were written. No part of grading computes them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from tests.conftest import cell, write_notebook

UNTOUCHED = ""  # the student leaves the answer of the released notebook
WRONG_TEST = 'assert longest(["bb", "a", "cc"]) == "cc"'  # rejects the first of the longest words
RIGHT_TEST = 'assert longest(["bb", "a", "cc"]) == "bb"'
# Of the written answer that is marked with `course mark`, and the items that give each score.
RUBRIC = {"A reason": Fraction(1), "An example": Fraction(1, 2), "A rule": Fraction(1, 2)}
ITEMS = {
    Fraction(0): (),
    Fraction(1, 2): ("An example",),
    Fraction(1): ("A reason",),
    Fraction(3, 2): ("A reason", "A rule"),
    Fraction(2): ("A reason", "An example", "A rule"),
}


@dataclass(frozen=True)
class Question:
    """An answer in code and its test: how many points each possible answer earns."""

    answer: str  # the grade ID
    test: str
    points: Fraction  # at the end of the term
    choices: dict[str, Fraction]


@dataclass(frozen=True)
class Assignment:
    """An assignment: its questions, the written answer that a person grades, and its platform."""

    name: str
    file_name: str
    questions: tuple[Question, ...]
    written: str  # the grade ID
    written_points: Fraction
    due: str  # in the time zone of the course
    cells: Callable[[], list[dict]] = field(repr=False)

    @property
    def points(self) -> Fraction:
        """Return the points of the assignment."""
        return sum((each.points for each in self.questions), self.written_points)

    def write_source(self, root: Path) -> None:
        """Write the source notebook into a course directory."""
        write_notebook(root / "source" / self.name / self.file_name, self.cells())


def locked(kind: str, source: str, grade_id: str) -> dict:
    """Return a locked cell without points."""
    found = cell(kind, source, grade_id)
    found["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
    return found


def code(stub: str, solution: str, grade_id: str) -> dict:
    """Return the cell of an answer in code."""
    return cell("code", f"### BEGIN SOLUTION {stub}\n{solution}\n### END SOLUTION", grade_id)


def written(grade_id: str, points: float) -> dict:
    """Return the cell of a written answer."""
    found = cell("markdown", "### BEGIN SOLUTION\nBecause.\n### END SOLUTION", grade_id, points)
    found["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
    return found


def _scheme() -> str:
    """Return the mark scheme of the first written answer."""
    items = "\n".join(f"- **+{float(points):g}** {label}" for label, points in RUBRIC.items())
    return f"=== BEGIN MARK SCHEME ===\n\n{items}\n\n=== END MARK SCHEME ==="


def counting() -> list[dict]:
    """Return the cells of the first assignment: a function, partial credit, a written answer."""
    return [
        cell("markdown", "# Counting"),
        code("Return the sum.", "def add(a, b):\n    return a + b", "add"),
        cell(
            "code",
            "assert add(1, 2) == 3\n### BEGIN HIDDEN TESTS\nassert add(2, 2) == 4\n"
            "assert add(-1, 1) == 0\n### END HIDDEN TESTS",
            "test_add",
            points=2,
        ),
        code("Estimate the length.", "estimate = 13", "estimate_length"),
        cell(
            "code",
            "max(0.0, 3 - abs(float(estimate) - 13) / 10)",
            "test_estimate",
            points=3,
            tags=["partial-credit"],
        ),
        locked(
            "markdown", f"Why does the order make no difference?\n\n{_scheme()}", "why_question"
        ),
        written("why", 2),
    ]


def lists(test: str = WRONG_TEST, count_points: float = 1.5) -> list[dict]:
    """Return the cells of the second assignment, whose test is wrong until it is corrected."""
    return [
        cell("markdown", "# Lists"),
        locked("code", "from course import checks", "tools"),
        code(
            "Return the first of the longest words.",
            "def longest(words):\n    return max(words, key=len)",
            "longest",
        ),
        cell(
            "code",
            'checks.equal("longest", longest(["a", "bb"]), "bb", "Compare the lengths.")\n'
            f"### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS",
            "test_longest",
            points=2,
        ),
        code("Count the words.", "def count(text):\n    return len(text.split())", "count"),
        cell(
            "code",
            'assert count("one two") == 2\n### BEGIN HIDDEN TESTS\nassert count("") == 0\n'
            "### END HIDDEN TESTS",
            "test_count",
            points=count_points,
        ),
        locked("markdown", "Explain how your function finds the longest word.", "explain_question"),
        written("explain", 3),
    ]


def sizes() -> list[dict]:
    """Return the cells of the third assignment: a quiz, a function, and a written answer."""
    quiz = '*["conv-parameters", "pool-size", "conv-facts"], seed=41'
    return [
        cell("markdown", "# Sizes"),
        locked(
            "code",
            f"from course import questions\n\nquiz = questions.Quiz({quiz})\nquiz",
            "quiz",
        ),
        code("Answer the quiz.", 'answers = {"q1": 51_264, "q2": 19, "q3": set("def")}', "answers"),
        cell(
            "code",
            "quiz.report_unanswered(answers)\n### BEGIN HIDDEN TESTS\n"
            "from course.instructor.grading import quiz_marks\n"
            "quiz_marks.mark(quiz, answers, points=6)\n### END HIDDEN TESTS",
            "test_quiz",
            points=6,
            tags=["partial-credit"],
        ),
        code("Return the mean.", "def mean(values):\n    return sum(values) / len(values)", "mean"),
        cell("code", "assert abs(mean([1, 2, 6]) - 3) < 1e-9", "test_mean", points=1),
        locked("markdown", "What was difficult?", "difficult_question"),
        written("difficult", 2),
    ]


FUNCTION_FAILS = "    raise RuntimeError('no idea')"
FUNCTION_EXITS = "    import os\n    os._exit(3)"
# Right: 64 filters have 25 weights for each of 32 channels and a bias; (40 - 3) // 2 + 1; the
# statements d, e, and f. Each question earns 2 points. In the last one, each right letter earns a
# third of them, and each wrong letter costs a third.
QUIZ_ANSWERS = {
    'answers = {"q1": 51_264, "q2": 19, "q3": {"d", "e", "f"}}': "6",
    'answers = {"q1": 51_264, "q2": 20, "q3": {"d", "e", "f"}}': "4",
    'answers = {"q1": 51_264, "q2": 19, "q3": {"d", "e"}}': "5.33",
    'answers = {"q1": 51_200, "q2": 19, "q3": {"a", "d", "e"}}': "2.67",
    'answers = {"q1": None, "q2": None, "q3": {"a"}}': "0",
    UNTOUCHED: "0",
}

COUNTING = Assignment(
    "01-counting",
    "counting.ipynb",
    (
        Question(
            "add",
            "test_add",
            Fraction(2),
            {
                "def add(a, b):\n    return a + b": Fraction(2),
                "def add(a, b):\n    return b - -a  # the same": Fraction(2),
                "def add(a, b):\n    return 3  # passes only the visible check": Fraction(0),
                f"def add(a, b):\n{FUNCTION_FAILS}": Fraction(0),
                f"def add(a, b):\n{FUNCTION_EXITS}": Fraction(0),
                UNTOUCHED: Fraction(0),
            },
        ),
        Question(
            "estimate_length",
            "test_estimate",
            Fraction(3),
            {
                "estimate = 13": Fraction(3),
                "estimate = 18": Fraction("2.5"),
                "estimate = 4.3": Fraction("2.13"),
                "estimate = 900": Fraction(0),
                "estimate = None": Fraction(0),
                UNTOUCHED: Fraction(0),
            },
        ),
    ),
    "why",
    Fraction(2),
    "2026-03-01 18:00",
    counting,
)
LISTS = Assignment(
    "02-lists",
    "lists.ipynb",
    (
        Question(
            "longest",
            "test_longest",
            Fraction(2),
            {
                "def longest(words):\n    return max(words, key=len)": Fraction(2),
                # Right by the wrong test.
                "def longest(words):\n    return sorted(words, key=len)[-1]": Fraction(0),
                "def longest(words):\n    return words[0]": Fraction(0),
                f"def longest(words):\n{FUNCTION_FAILS}": Fraction(0),
                UNTOUCHED: Fraction(0),
            },
        ),
        Question(
            "count",
            "test_count",
            Fraction(2),
            {
                "def count(text):\n    return len(text.split())": Fraction(2),
                'def count(text):\n    return len(text.split(" "))': Fraction(0),
                f"def count(text):\n{FUNCTION_EXITS}": Fraction(0),
                UNTOUCHED: Fraction(0),
            },
        ),
    ),
    "explain",
    Fraction(3),
    "2026-03-29 18:00",  # the day on which summer time begins
    lists,
)
SIZES = Assignment(
    "03-sizes",
    "sizes.ipynb",
    (
        Question(
            "answers",
            "test_quiz",
            Fraction(6),
            {text: Fraction(points) for text, points in QUIZ_ANSWERS.items()},
        ),
        Question(
            "mean",
            "test_mean",
            Fraction(1),
            {
                "def mean(values):\n    return sum(values) / len(values)": Fraction(1),
                "def mean(values):\n    return sorted(values)[1]": Fraction(0),
                UNTOUCHED: Fraction(0),
            },
        ),
    ),
    "difficult",
    Fraction(2),
    "2026-05-03 18:00",
    sizes,
)
ALL = (COUNTING, LISTS, SIZES)
MARKED = COUNTING  # with `course mark`
