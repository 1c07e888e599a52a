"""A question with its answer, and what is said to whoever gets it wrong."""

from dataclasses import dataclass
from string import ascii_lowercase

NUMBER, SHAPE, SINGLE, SEVERAL = "number", "shape", "single", "several"
MAX_REASONS = 3


@dataclass(frozen=True)
class Choice:
    """One of the statements to choose from.

    Attributes
    ----------
    text : str
        The statement, in Markdown.
    is_right : bool
        Whether it belongs to the answer.
    reason : str
        Why it does, or why it does not.
    """

    text: str
    is_right: bool
    reason: str


@dataclass(frozen=True)
class Question:
    """A question whose numbers are settled.

    Attributes
    ----------
    text : str
        What is asked, in Markdown.
    kind : {"number", "shape", "single", "several"}
        What answers it: a number, a tuple of numbers, a letter, or letters.
    answer : int, float or tuple of int, optional
        Of a number or shape.
    because : str
        How the answer comes about.
    slips : sequence of (wrong, reason)
        Wrong answers that are to be expected, the most usual first, each with the reason it is
        wrong. Kept as a dict, without those that happen to be right with these numbers.
    hint : str
        What to check where no slip fits: it stands behind "check".
    choices : tuple of Choice
        In the order in which they are shown.
    """

    text: str
    kind: str
    answer: object = None
    because: str = ""
    slips: object = ()
    hint: str = ""
    choices: tuple = ()

    def __post_init__(self):
        kept = {}
        for wrong, reason in self.slips:
            if wrong != self.answer:
                kept.setdefault(wrong, reason)
        object.__setattr__(self, "slips", kept)

    @property
    def letters(self):
        """Return the choices by letter."""
        return dict(zip(ascii_lowercase, self.choices, strict=False))

    @property
    def solution(self):
        """Return what earns full marks: a number, a tuple, a letter or a set of letters."""
        if self.kind in (NUMBER, SHAPE):
            return self.answer
        right = {letter for letter, choice in self.letters.items() if choice.is_right}
        return right if self.kind == SEVERAL else right.pop()


@dataclass(frozen=True)
class Verdict:
    """What became of an answer.

    Attributes
    ----------
    credit : float
        From 0 to 1.
    reason : str
        Why, in a sentence or more.
    told : str or None
        The same without what else would have been right, where the reason names that.
    """

    credit: float
    reason: str
    told: str | None = None


def judge(question, given):
    """Judge an answer.

    Parameters
    ----------
    question : Question
        What was asked.
    given : object
        Whatever was answered. None, Ellipsis and empty text or collections are no answer.

    Returns
    -------
    Verdict
        Of "several", every right letter counts for its share, and every wrong one takes one away.
    """
    if given is None or given is ... or (isinstance(given, str | tuple | list | set) and not given):
        return Verdict(0, "there is no answer yet.")
    if question.kind == SEVERAL:
        return _several(question, given)
    if question.kind == SINGLE:
        return _single(question, given)
    return _value(question, given)


def _value(question, given):
    value, wanted = _plain(given), "a whole number, such as 128"
    if question.kind == SHAPE:
        wanted = "a tuple of whole numbers, such as (28, 28, 1)"
    elif isinstance(question.answer, float):
        wanted = "a number, such as 0.25"
    fits = isinstance(value, tuple) if question.kind == SHAPE else isinstance(value, int | float)
    if not fits:
        return Verdict(0, f"{_shown(given)} is not {wanted}.")
    if _same(value, question.answer):
        return Verdict(1, question.because)
    for wrong, reason in question.slips.items():
        if _same(value, wrong):
            return Verdict(0, reason)
    return Verdict(0, f"Not one of the usual slips: check {question.hint}")


def _single(question, given):
    letter = given.strip().strip("()").lower() if isinstance(given, str) else None
    if letter not in question.letters:
        return Verdict(0, f"{_shown(given)} is not {_one_of(question)}.")
    choice = question.letters[letter]
    return Verdict(float(choice.is_right), choice.reason)


def _several(question, given):
    letters = set()
    if isinstance(given, str | list | tuple | set | frozenset):
        separate = given.replace(",", " ").replace(" ", "") if isinstance(given, str) else given
        letters = {each.strip().lower() for each in separate if isinstance(each, str)}
    if not letters or not letters <= question.letters.keys():
        return Verdict(0, f'{_shown(given)} is not a set of letters, such as {{"a", "c"}}.')
    right = question.solution
    credit = max(0, (len(letters & right) - len(letters - right)) / len(right))
    if letters == right:
        return Verdict(1, " ".join(question.letters[letter].reason for letter in sorted(right)))
    reasons = [
        f"{letter} {'belongs to it' if letter in right else 'does not belong to it'}:"
        f" {question.letters[letter].reason}"
        for letter in sorted(letters ^ right)
    ]
    chosen = [reason for reason in reasons if reason[0] not in right]
    if missing := len(right - letters):
        chosen.append(f"{missing} more {'belongs' if missing == 1 else 'belong'} to it.")
    more = len(reasons) - MAX_REASONS
    ending = f" And {more} more." if more > 0 else ""
    return Verdict(credit, " ".join(reasons[:MAX_REASONS]) + ending, " ".join(chosen))


def _one_of(question):
    *most, last = question.letters
    return f"one of the letters {', '.join(most)} and {last}"


def _same(value, expected):
    if isinstance(expected, tuple):
        return value == expected
    if isinstance(expected, float):
        return abs(value - expected) <= 1e-6 * max(1, abs(expected))
    return value == expected


def _plain(value):
    """Return NumPy's and the backend's numbers as Python's, and a list as a tuple."""
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


def _shown(value):
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
