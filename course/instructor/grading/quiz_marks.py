"""Marking of a graded quiz: a score for each question, with the reason for lost points."""

from typing import Any

from course import checks
from course.questions import Quiz, judge
from course.questions.question import Question, Verdict, is_open

# The name that the student typed, which determines the values in the notebook's quizzes. None if
# there is none, or if grading sets the name.
typed_name: str | None = None
WITHOUT_NAME = (
    "This answer is right for the quiz without a student name. Type your name into the parameters"
    " cell, and answer the questions that appear then."
)


def mark(quiz: Any, answers: Any, points: float) -> float:
    """Print one line per question and return the points for the answers, rounded to two decimals.

    A test cell ends with this call, whose value is its partial credit. All questions count equally.
    Instead of a quiz, a dict of questions by key can be given. Raises CheckFailed if `answers` is
    not a dict that maps keys such as "q1" to answers.

    A student who typed a name into the notebook saw questions with other values there. If grading
    sets no name, the answers are marked for both quizzes, and the higher total counts.
    """
    asked, student = (quiz, None) if isinstance(quiz, dict) else (quiz.questions, quiz.student)
    if not isinstance(answers, dict):
        raise checks.CheckFailed(
            "answers is not a dict: write, for example, answers = {'q1': ..., 'q2': ...}."
        )
    without_name = quiz.without_student().questions if student else {}
    verdicts = _judge_all(asked, answers)
    if typed_name and not student and not isinstance(quiz, dict):
        own = Quiz(*quiz.names, seed=quiz.seed, student=typed_name).questions
        verdicts = max(_judge_all(own, answers), verdicts, key=_credit)
    for key, verdict in verdicts.items():
        answer = answers.get(key)
        reason, hint = verdict.reason, verdict.student_reason or verdict.reason
        unnamed = without_name.get(key)
        if verdict.credit == 0 and unnamed and judge(unnamed, answer).credit == 1:
            reason = hint = WITHOUT_NAME
        result = {0.0: "not right", 1.0: "right"}.get(verdict.credit, "partly right")
        if is_open(answer):
            result = "open"
        # The reason for a right answer contains the expected answer: only the instructor sees it.
        for_student = f"{key}: {result}." if verdict.credit == 1 else f"{key}: {result}. {hint}"
        checks.show(f"{key}: {result}. {reason}", for_student)
    total = round(points * _credit(verdicts) / len(asked), 2)
    checks.show(f"{total:g} of {points:g} points.")
    return total


def _judge_all(asked: dict[str, Question], answers: dict[Any, Any]) -> dict[str, Verdict]:
    """Return the verdict on each answer."""
    return {key: judge(question, answers.get(key)) for key, question in asked.items()}


def _credit(verdicts: dict[str, Verdict]) -> float:
    """Return the sum of the credits, each from 0 to 1."""
    return sum(verdict.credit for verdict in verdicts.values())
