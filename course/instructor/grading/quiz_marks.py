"""Marking a graded sheet of questions: item by item, with the reason of each lost point."""

from course import checks
from course.questions import judge


def mark(sheet, answers, points):
    """Print a line a question and return the points that the answers earn.

    Parameters
    ----------
    sheet : course.questions.Sheet
        What was asked.
    answers : dict
        Key to answer, as the student has it.
    points : float
        What all of it is worth; every question counts alike.

    Returns
    -------
    float
        To two decimals: a test cell ends with it for its partial credit.

    Raises
    ------
    course.checks.CheckFailed
        If `answers` is no dict.
    """
    if not isinstance(answers, dict):
        raise checks.CheckFailed(
            "answers is not a dict of answers. Write answers = {'q1': ..., ...}."
        )
    others = sheet.everybodys().questions if sheet.student else {}
    earned = 0
    for key, question in sheet.questions.items():
        given = answers.get(key)
        verdict = judge(question, given)
        reason, told = verdict.reason, verdict.told or verdict.reason
        if verdict.credit == 0 and key in others and judge(others[key], given).credit == 1:
            reason = told = (
                "This is right for the numbers of a sheet without a name: type yours into the"
                " parameters cell, and answer your own."
            )
        word = {0: "not right", 1: "right"}.get(verdict.credit, "partly right")
        if given is None or given is ...:
            word = "open"
        # What is right is explained with what was expected.
        told = f"{key}: {word}." if verdict.credit == 1 else f"{key}: {word}. {told}"
        checks.show(f"{key}: {word}. {reason}", told)
        earned += verdict.credit
    total = round(points * earned / len(sheet.questions), 2)
    checks.show(f"{total:g} of {points:g} points.")
    return total
