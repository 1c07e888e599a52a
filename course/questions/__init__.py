"""Questions that explain each common mistake, answered on the page or in code.

    questions.ask("conv-parameters")             # with the values of the course text
    questions.ask("conv-parameters", seed=1)     # with random values
    questions.check("conv-parameters", 36_864)   # the same question, answered in code

The right answer and the explanation of each mistake are computed from the question's values by
the templates in `sizes`, `parameters`, `networks`, and `convolution_1d`. A graded `Quiz` asks the
same types of questions with its own values; only grading says which answers are right.
"""

# These modules fill the bank.
from course.questions import convolution_1d, networks, parameters, sizes  # noqa: F401
from course.questions.bank import BANK, draw
from course.questions.practice import ask, check
from course.questions.question import (
    NUMBER,
    SEVERAL,
    SHAPE,
    SINGLE,
    Choice,
    Question,
    Verdict,
    judge,
)
from course.questions.quiz import Quiz, report

__all__ = [
    "BANK",
    "NUMBER",
    "SEVERAL",
    "SHAPE",
    "SINGLE",
    "Choice",
    "Question",
    "Quiz",
    "Verdict",
    "ask",
    "check",
    "draw",
    "judge",
    "report",
]
