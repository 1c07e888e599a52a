"""All questions by name, and how their numbers are drawn."""

import difflib
import random

from course.errors import CourseError
from course.questions import networks, parameters, sizes

# Name to a function that takes the numbers as keywords, the sources' own by default, and returns a
# Question; its attribute `draw` takes a random.Random and returns other numbers.
BANK = {**sizes.BANK, **parameters.BANK, **networks.BANK}
MOST_DRAWS = 1_000


def draw(name, seed=None):
    """Return a question.

    Parameters
    ----------
    name : str
        Of `BANK`.
    seed : int or str, optional
        Draws the numbers; the same seed draws the same. None: the numbers of the course's text.

    Returns
    -------
    Question

    Raises
    ------
    CourseError
        If there is no such question.
    """
    if name not in BANK:
        near = difflib.get_close_matches(str(name), BANK, n=1)
        raise CourseError(
            f"there is no question {name!r}: "
            + (f"did you mean {near[0]!r}?" if near else f"choose of {', '.join(sorted(BANK))}.")
        )
    ask = BANK[name]
    if seed is None:
        return ask()
    # A text seeds alike on every machine and in every process; a tuple's hash does not.
    source = random.Random(f"{name}|{seed}")
    return ask(**ask.draw(source))
