"""Questions with their answers, and the judging of answers with an explanation."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

NUMBER, SHAPE, SINGLE, SEVERAL = "number", "shape", "single", "several"
MAX_REASONS = 3


@dataclass(frozen=True)
class Choice:
    """A statement that an answer can select.

    Attributes
    ----------
    text : str
        The statement, in Markdown.
    is_right : bool
        True if the statement belongs to the answer.
    reason : str
        Why the statement belongs to the answer, or why it does not.
    """

    text: str
    is_right: bool
    reason: str


@dataclass(frozen=True)
class Question:
    """A question with fixed values.

    Attributes
    ----------
    text : str
        The question, in Markdown.
    kind : {"number", "shape", "single", "several"}
        Type of the answer: a number, a tuple of integers, a letter, or a set of letters.
    answer : int, float, or tuple of int, optional
        The right answer if `kind` is "number" or "shape".
    explanation : str
        Why `answer` is right.
    mistakes : sequence of (wrong answer, reason)
        Common mistakes, most frequent first. They are stored as a dict without wrong answers that
        happen to be right for these values.
    hint : str
        What to check if the answer is not one of the mistakes; the text follows the word "check".
    choices : tuple of Choice
        The statements of a "single" or "several" question, in the order in which they are shown.
    """

    text: str
    kind: str
    answer: Any = None
    explanation: str = ""
    mistakes: Any = ()
    hint: str = ""
    choices: tuple = ()

    def __post_init__(self):
        mistakes: dict = {}
        for wrong, reason in self.mistakes:
            if wrong != self.answer:
                mistakes.setdefault(wrong, reason)
        object.__setattr__(self, "mistakes", mistakes)

    @property
    def letters(self) -> Mapping[str, Choice]:
        """The choices by letter."""
        return dict(zip(ascii_lowercase, self.choices, strict=False))

    @property
    def solution(self) -> Any:
        """The answer that earns full credit: a number, a tuple, a letter, or a set of letters."""
        if self.kind in (NUMBER, SHAPE):
            return self.answer
        right = {letter for letter, choice in self.letters.items() if choice.is_right}
        return right if self.kind == SEVERAL else right.pop()


@dataclass(frozen=True)
class Verdict:
    """The result of judging an answer.

    Attributes
    ----------
    credit : float
        The fraction of the points that the answer earns, from 0 to 1.
    reason : str
        One or more sentences.
    student_reason : str or None
        A version of `reason` without the missing letters and without the answer's own text, if
        `reason` can contain either of these.
    """

    credit: float
    reason: str
    student_reason: str | None = None


def judge(question, answer):
    """Judge an answer to a question.

    Parameters
    ----------
    question : Question
    answer : object
        An answer of any type; see `is_open` for those that mean no answer.

    Returns
    -------
    Verdict
        If the question asks for all choices that apply, each right letter earns an equal fraction
        of the credit, and each wrong letter loses the same fraction.
    """
    if is_open(answer):
        return Verdict(0, "there is no answer yet.")
    error = find_form_error(question, answer)
    if error is not None:
        # Students do not see the text of the answer itself.
        return Verdict(0, error, f"The answer is not {_wanted_form(question)}.")
    if question.kind == SEVERAL:
        return _judge_letters(question, answer)
    if question.kind == SINGLE:
        choice = question.letters[_letter(answer)]
        return Verdict(float(choice.is_right), choice.reason)
    return _judge_value(question, answer)


def is_open(answer):
    """Return whether there is no answer: nothing, or a placeholder such as ... or "...".

    A collection with a placeholder, such as (28, ..., ...), is not an answer either.
    """
    parts = answer if isinstance(answer, tuple | list | set | frozenset) else [answer]
    return not len(parts) or any(
        part is None or part is ... or (isinstance(part, str) and not part.strip(" .…"))
        for part in parts
    )


def find_form_error(question, answer):
    """Return the reason why an answer cannot be compared with the right one, or None if it can.

    The reason does not reveal whether the answer is right.

    Parameters
    ----------
    question : Question
    answer : object
        An answer of any type that is not open.

    Returns
    -------
    str or None
        One or two sentences, such as "'12' is not an integer, such as 128."
    """
    comma = ""
    if question.kind == SEVERAL:
        letters = _letters(answer)
        has_form = bool(letters) and letters <= question.letters.keys()
    elif question.kind == SINGLE:
        has_form = _letter(answer) in question.letters
    elif question.kind == SHAPE:
        has_form = isinstance(_plain(answer), tuple)
    else:
        value = _plain(answer)
        has_form = isinstance(value, int | float)
        if isinstance(value, tuple):
            comma = " Write a number without commas or parentheses."
    return None if has_form else f"{_shorten(answer)} is not {_wanted_form(question)}.{comma}"


def _wanted_form(question: Question) -> str:
    """Return the form of an answer, such as "an integer, such as 128"."""
    if question.kind == SEVERAL:
        return 'a set of letters, such as {"a", "c"}'
    if question.kind == SINGLE:
        *letters, last = question.letters
        return f"one of the letters {', '.join(letters)} and {last}"
    if question.kind == SHAPE:
        is_pair = len(question.answer) == 2
        return f"a tuple of integers, such as {'(1, 0)' if is_pair else '(28, 28, 1)'}"
    is_float = isinstance(question.answer, float)
    return "a number, such as 0.25" if is_float else "an integer, such as 128"


def _judge_value(question: Question, answer: Any) -> Verdict:
    value = _plain(answer)
    if _same(value, question.answer):
        return Verdict(1, question.explanation)
    for wrong, reason in question.mistakes.items():
        if _same(value, wrong):
            return Verdict(0, reason)
    if isinstance(value, tuple) and len(value) != len(question.answer):
        found = f"The number of values ({len(value)}) is not right"
        return Verdict(0, f"{found}: check {question.hint}")
    return Verdict(0, f"Check {question.hint}")


def _letter(answer: Any) -> str:
    return answer.strip().strip("()").lower() if isinstance(answer, str) else ""


def _letters(answer: Any) -> set[str]:
    if not isinstance(answer, str | list | tuple | set | frozenset):
        return set()
    separate = answer.replace(",", " ").replace(" ", "") if isinstance(answer, str) else answer
    return {each.strip().lower() for each in separate if isinstance(each, str)}


def _judge_letters(question: Question, answer: Any) -> Verdict:
    letters, right = _letters(answer), question.solution
    if letters == right:
        return Verdict(1, " ".join(question.letters[letter].reason for letter in sorted(right)))
    credit = max(0, (len(letters & right) - len(letters - right)) / len(right))
    reasons = [
        f"{letter} {'belongs' if letter in right else 'does not belong'} to the answer:"
        f" {question.letters[letter].reason}"
        for letter in sorted(letters ^ right)
    ]
    student_reasons = [reason for reason in reasons if reason[0] not in right]
    if missing := len(right - letters):
        belongs = "letter belongs" if missing == 1 else "letters belong"
        student_reasons.append(f"{missing} more {belongs} to the answer.")
    more = len(reasons) - MAX_REASONS
    ending = f" And {more} more." if more > 0 else ""
    return Verdict(credit, " ".join(reasons[:MAX_REASONS]) + ending, " ".join(student_reasons))


def _same(value: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        tolerance = 1e-6 * max(1, abs(expected))
        # A difference would overflow if the answer is a huge integer.
        return expected - tolerance <= value <= expected + tolerance
    return value == expected


def _plain(value: Any) -> Any:
    """Return a NumPy or backend number as a Python number, a list as a tuple, the rest as None."""
    if type(value) in (list, tuple):
        items = tuple(map(_plain, value))
        return items if all(type(each) in (int, float) for each in items) else None
    if type(value) not in (int, float) and not isinstance(value, bool | str):
        item = getattr(value, "item", None)
        size = getattr(value, "size", None)
        if callable(item) and size == 1:
            value = item()
        elif hasattr(value, "tolist"):
            return _plain(value.tolist())
    return value if type(value) in (int, float) else None


def _shorten(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python does not write out integers of more than 4,300 digits
        return "this answer"
    return text if len(text) <= 60 else text[:57] + "..."
