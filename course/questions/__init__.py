"""Questions that answer back, in the page and in code.

    questions.ask("conv-parameters")             # the course's own numbers, to answer in the page
    questions.ask("conv-parameters", seed=1)     # drawn again
    questions.check("conv-parameters", 36_864)   # the same question, answered in code

What is asked, what is right and why each usual slip is wrong is computed from the numbers, by the
formulas in `sizes`, `parameters` and `networks`. A graded `Sheet` asks the same kinds of questions
with numbers of its own and says nothing to an answer; grading does.
"""

from course.questions.bank import BANK, draw
from course.questions.jupyter_quiz import ask, check
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
from course.questions.quiz import Sheet

__all__ = [
    "BANK",
    "NUMBER",
    "SEVERAL",
    "SHAPE",
    "SINGLE",
    "Choice",
    "Question",
    "Sheet",
    "Verdict",
    "ask",
    "check",
    "draw",
    "judge",
]
