"""Marking of a graded quiz: each question is scored, with the reason for each lost point."""

from typing import Any

from course import checks
from course.questions import judge
from course.questions.question import is_open

WITHOUT_NAME = (
    "This is right for a quiz without a student name. Type your name into the parameters cell and"
    " answer the questions that appear then."
)


def mark(quiz: Any, answers: Any, points: float) -> float:
    """Print one line per question and return the points for the answers, rounded to two decimals.

    A test cell ends with this value for its partial credit; all questions count equally. Instead of
    a quiz, a dict of questions by key can be given. Raises CheckFailed if `answers` is not a dict
    that maps keys such as "q1" to answers.
    """
    asked, student = (quiz, None) if isinstance(quiz, dict) else (quiz.questions, quiz.student)
    if not isinstance(answers, dict):
        raise checks.CheckFailed(
            "answers is not a dict of answers. Write answers = {'q1': ..., ...}."
        )
    without_name = quiz.without_student().questions if student else {}
    earned = 0.0
    for key, question in asked.items():
        answer = answers.get(key)
        verdict = judge(question, answer)
        reason, hint = verdict.reason, verdict.student_reason or verdict.reason
        unnamed = without_name.get(key)
        if verdict.credit == 0 and unnamed and judge(unnamed, answer).credit == 1:
            reason = hint = WITHOUT_NAME
        result = {0: "not right", 1: "right"}.get(verdict.credit, "partly right")
        if is_open(answer):
            result = "open"
        # The reason for a right answer contains the expected one: only the instructor sees it.
        for_student = f"{key}: {result}." if verdict.credit == 1 else f"{key}: {result}. {hint}"
        checks.show(f"{key}: {result}. {reason}", for_student)
        earned += verdict.credit
    total = round(points * earned / len(asked), 2)
    checks.show(f"{total:g} of {points:g} points.")
    return total
