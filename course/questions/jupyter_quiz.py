"""Asking in the page, by jupyterquiz, and answering in code."""

import random

from course.questions.bank import draw
from course.questions.question import NUMBER, SEVERAL, SHAPE, SINGLE, judge

# Dark on light and light on dark read alike; the package's own purple and orange are loud.
COLORS = {
    "--jq-multiple-choice-bg": "#1f4e79",
    "--jq-many-choice-bg": "#5b3a6e",
    "--jq-numeric-bg": "#1f4e79",
    "--jq-correct-color": "#00664b",
    "--jq-incorrect-color": "#a33c00",
}


def ask(*names, seed=None):
    """Ask questions in the page; each answer is answered at once.

    Parameters
    ----------
    *names : str
        Of `course.questions.BANK`.
    seed : int, optional
        Draws other numbers; any number of times.

    Raises
    ------
    CourseError
        If there is no such question.
    """
    quiz = [as_quiz(draw(name, seed)) for name in names]
    # Here, since a notebook that asks nothing needs no quiz.
    from IPython.display import display
    from IPython.utils.capture import capture_output
    from jupyterquiz import display_quiz

    # It draws the name of its place in the page from Python's generator, from which layers take
    # their seeds too. These must not change, and no two quizzes may get the same name.
    state = random.getstate()
    random.seed()
    try:
        with capture_output() as shown:
            display_quiz(quiz, shuffle_answers=False, max_width=720, colors=COLORS)
    finally:
        random.setstate(state)
    for output in shown.outputs:
        data = dict(output.data)
        if "text/html" in data:
            # It leaves its <div> open; on a static page everything below would stand inside it.
            data["text/html"] += "</div>"
        display(data, raw=True)


def check(name, answer, seed=None):
    """Answer a question in code; prints whether it is right, and why.

    Parameters
    ----------
    name : str
        Of `course.questions.BANK`.
    answer : object
        A number, a tuple of numbers, a letter or a set of letters.
    seed : int, optional
        As it was asked.

    Raises
    ------
    CourseError
        If there is no such question.
    """
    verdict = judge(draw(name, seed), answer)
    print("Right." if verdict.credit == 1 else "Not yet.", verdict.reason)


def as_quiz(question):
    """Return a question as jupyterquiz has it."""
    quiz = {"question": question.text}
    if question.kind == SEVERAL:
        quiz["question"] += " Choose all that apply."
    if question.kind == NUMBER:
        answers = [{"value": question.answer, "correct": True, "feedback": question.because}]
        answers += [
            {"value": wrong, "correct": False, "feedback": reason}
            for wrong, reason in question.slips.items()
        ]
        hint = f"Not one of the usual slips: check {question.hint}"
        answers.append({"type": "default", "feedback": hint})
        return quiz | {"type": "numeric", "answers": answers}
    answers = [
        {"answer": choice.text, "correct": choice.is_right, "feedback": choice.reason}
        for choice in question.choices
    ]
    if question.kind == SHAPE:
        # A shape cannot be typed there: it is chosen among the slips, in a settled order.
        answers = [{"answer": _shape(question.answer), "correct": True,
                    "feedback": question.because}]  # fmt: skip
        answers += [
            {"answer": _shape(wrong), "correct": False, "feedback": reason}
            for wrong, reason in question.slips.items()
        ]
        answers.sort(key=lambda each: each["answer"])
    kind = {SINGLE: "multiple_choice", SHAPE: "multiple_choice", SEVERAL: "many_choice"}
    return quiz | {"type": kind[question.kind], "answers": answers}


def _shape(shape):
    return " × ".join(f"{side:,}" for side in shape)
