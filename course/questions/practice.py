"""Questions answered on the page, with jupyterquiz, or in code."""

import random

from course.questions.bank import draw
from course.questions.question import NUMBER, SEVERAL, SHAPE, SINGLE, Question, judge

# Readable in light and dark themes; the purple and orange of jupyterquiz are too bright.
COLORS = {
    "--jq-multiple-choice-bg": "#1f4e79",
    "--jq-many-choice-bg": "#5b3a6e",
    "--jq-numeric-bg": "#1f4e79",
    "--jq-correct-color": "#00664b",
    "--jq-incorrect-color": "#a33c00",
}
QUIZ_TYPES = {
    NUMBER: "numeric",
    SHAPE: "multiple_choice",
    SINGLE: "multiple_choice",
    SEVERAL: "many_choice",
}


def ask(*names, seed=None):
    """Ask questions on the page; each answer is explained at once.

    Parameters
    ----------
    *names : str
        Keys of `course.questions.BANK`.
    seed : int, optional
        Seed of random values; without a seed, the questions have the values of the course text.

    Raises
    ------
    CourseError
        If the bank has no such question.
    """
    quiz = [jupyterquiz_question(draw(name, seed)) for name in names]
    # These are imported here because a notebook without questions does not need them.
    from IPython.display import display
    from IPython.utils.capture import capture_output
    from jupyterquiz import display_quiz

    # jupyterquiz generates the id of its HTML element with Python's random generator, from which
    # layers take their seeds. The seeds must not change, and each quiz needs its own id.
    state = random.getstate()
    random.seed()
    try:
        with capture_output() as captured:
            display_quiz(quiz, shuffle_answers=False, max_width=720, colors=COLORS)
    finally:
        random.setstate(state)
    for output in captured.outputs:
        data = dict(output.data)
        if "text/html" in data:
            # jupyterquiz does not close its <div>, which would enclose the rest of a static page.
            data["text/html"] += "</div>"
        display(data, raw=True)


def check(name, answer, seed=None):
    """Check an answer in code, and print whether it is right and why.

    Parameters
    ----------
    name : str
        A key of `course.questions.BANK`.
    answer : object
        A number, a tuple of numbers, a letter, or a set of letters.
    seed : int, optional
        The seed with which the question was asked.

    Raises
    ------
    CourseError
        If the bank has no such question.
    """
    verdict = judge(draw(name, seed), answer)
    print("Right." if verdict.credit == 1 else "Not yet.", verdict.reason)


def jupyterquiz_question(question: Question) -> dict:
    """Return a question in the format of jupyterquiz."""
    answers: list[dict]
    if question.kind == NUMBER:
        answers = [
            {"value": question.answer, "correct": True, "feedback": question.explanation},
            *(
                {"value": wrong, "correct": False, "feedback": reason}
                for wrong, reason in question.mistakes.items()
            ),
            {"type": "default", "feedback": f"Check {question.hint}"},
        ]
    elif question.kind == SHAPE:
        # jupyterquiz has no input for a shape: the mistakes become choices that are sorted by text.
        options = {question.answer: question.explanation, **question.mistakes}
        answers = [
            {"answer": _format_shape(shape), "correct": shape == question.answer, "feedback": why}
            for shape, why in options.items()
        ]
        answers.sort(key=lambda each: each["answer"])
    else:
        answers = [
            {"answer": choice.text, "correct": choice.is_right, "feedback": choice.reason}
            for choice in question.choices
        ]
    text = question.text + " Choose all that apply." * (question.kind == SEVERAL)
    return {"question": text, "type": QUIZ_TYPES[question.kind], "answers": answers}


def _format_shape(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{side:,}" for side in shape)
