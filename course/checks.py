"""Checks that answer a student: what was tested, what came, what was expected, the usual slip.

Every check prints a line where it holds and raises `CheckFailed` where it does not. The notebooks'
test cells are made of them; none of them knows a graded answer.
"""

import ast

import numpy as np

from course.used_names import READY_MADE, is_part_of, used_names

# Grading sets it, to hear what students may read of a hidden test.
listener = None


class CheckFailed(AssertionError):
    """A check that does not hold; its text is all that a student needs to see.

    Parameters
    ----------
    what : str
        What was tested; alone, it is the whole text.
    came : str
        What came, such as "got 4".
    expected : str
        What was expected, such as "expected at least 5"; empty where that is not to be told.
    hint : str
        The usual slip.

    Attributes
    ----------
    parts : dict
        The same, for pages that may not show all of it.
    """

    def __init__(self, what, came="", expected="", hint=""):
        told = ", ".join(filter(None, [came, expected]))
        super().__init__(f"{what}: {told}. {hint}".rstrip() if told else what)
        self.parts = {"what": what, "came": came, "expected": expected, "hint": hint}

    def _render_traceback_(self):
        # IPython shows this in place of a traceback, which would bury the reason under the lines of
        # the check itself.
        return [f"Not yet: {self}"]


def that(what, holds, hint=""):
    """Check that something holds.

    Parameters
    ----------
    what : str
        The claim, such as "every weight is trainable".
    holds : bool
        Whether it does.
    hint : str
        The usual slip, shown where the check fails.
    """
    if not holds:
        raise CheckFailed(what, "this does not hold", hint=hint)
    _pass(what)


def equal(what, got, expected, hint="", slips=None):
    """Check that a value equals the expected one.

    Parameters
    ----------
    what : str
        What is tested, such as "parameters of conv_1".
    got, expected
        Numbers, strings, tuples, lists or dicts, compared with `==` and by type: True is not 1, and
        (2, 3) is not [2, 3], but 3 equals 3.0 and NumPy's numbers equal Python's.
    hint : str
        The usual slip, shown where the check fails.
    slips : dict, optional
        Wrong values that are to be expected, each with the reason it is wrong.
    """
    if not _same(got, expected):
        for value, reason in (slips or {}).items():
            if _same(got, value):
                # The reason is the answer; the expected value would spoil the next attempt.
                raise CheckFailed(what, f"got {_short(got)}", hint=reason)
        pair = _short(got), _short(expected)
        if pair[0] == pair[1]:  # floats that differ in late digits
            pair = repr(got), repr(expected)
        raise CheckFailed(what, f"got {pair[0]}", f"expected {pair[1]}", hint)
    _pass(what, _short(got))


def answer(what, got, expected, hint="", slips=None):
    """Check an answer without telling the right one: like `equal`, but a miss shows only reasons.

    Parameters
    ----------
    what : str
        The question in a few words.
    got, expected
        As in `equal`. A value of None or Ellipsis counts as unanswered.
    hint : str
        Where to look again, shown where no slip fits.
    slips : dict, optional
        Wrong answers that are to be expected, each with the reason it is wrong.
    """
    if got is None or got is ...:
        raise CheckFailed(what, "there is no answer yet")
    if not _same(got, expected):
        reasons = [reason for value, reason in (slips or {}).items() if _same(got, value)]
        raise CheckFailed(what, f"{_short(got)} is not right", hint=reasons[0] if reasons else hint)
    _pass(what, _short(got))


def one_of(what, got, options, hint=""):
    """Check that a value is one of several right ones."""
    if not any(_same(got, option) for option in options):
        expected = f"expected {' or '.join(map(_short, options))}"
        raise CheckFailed(what, f"got {_short(got)}", expected, hint)
    _pass(what, _short(got))


def array(what, got, *, shape=None, dtype=None, hint=""):
    """Check that something is an array of the expected shape and type.

    Parameters
    ----------
    what : str
        What is tested, such as "prepare_images(images)".
    got : array_like
        A NumPy array or a tensor of the backend.
    shape : tuple of int, optional
        The expected shape.
    dtype : str, optional
        The expected type of its numbers, such as "float32".
    hint : str
        The usual slip, shown where the check fails.
    """
    if not hasattr(got, "__array__"):
        raise CheckFailed(what, f"got {_kind(got)}", "expected an array", hint)
    try:
        numbers = np.asarray(got)
    except (TypeError, ValueError):
        came = f"got {_kind(got)}, which holds no numbers yet"
        raise CheckFailed(what, came, hint=hint) from None
    if shape is not None and numbers.shape != tuple(shape):
        raise CheckFailed(what, f"got shape {numbers.shape}", f"expected {tuple(shape)}", hint)
    if dtype is not None and numbers.dtype.name != dtype:
        came = f"got numbers of type {numbers.dtype.name}"
        raise CheckFailed(what, came, f"expected {dtype}", hint)
    described = ", ".join(str(part) for part in (shape, dtype) if part is not None)
    _pass(what, described or "an array")


def close(what, got, expected, tolerance=1e-6, hint=""):
    """Check that numbers equal the expected ones but for rounding.

    Parameters
    ----------
    what : str
        What is tested.
    got, expected : float or array_like
        Compared by shape and by value; NaN equals nothing.
    tolerance : float
        The largest absolute difference that passes.
    hint : str
        The usual slip, shown where the check fails.
    """
    try:
        got_numbers = np.asarray(got)
    except (TypeError, ValueError):  # rows of different lengths, for one
        got_numbers = np.asarray(None)
    if got_numbers.dtype.kind not in "biuf":
        raise CheckFailed(what, f"got {_kind(got)}", f"expected {_short(expected)}", hint)
    got_numbers = got_numbers.astype("float64")
    expected_numbers = np.asarray(expected, dtype="float64")
    if got_numbers.shape != expected_numbers.shape:
        came = f"got shape {got_numbers.shape}"
        raise CheckFailed(what, came, f"expected {expected_numbers.shape}", hint)
    # Written so that NaN fails: a comparison with NaN is never true.
    wrong = ~(np.abs(got_numbers - expected_numbers) <= tolerance)
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        where = f" at index {place}" if place else ""
        expected = f"expected {expected_numbers[place]:.6g}"
        if place:
            expected += f" ({wrong.sum()} of {wrong.size} numbers differ)"
        raise CheckFailed(what, f"got {got_numbers[place]:.6g}{where}", expected, hint)
    _pass(what)


def at_least(what, got, bound, hint=""):
    """Check that a number reaches a bound."""
    got = _plain(got)
    if type(got) not in (int, float) or not got >= bound:
        raise CheckFailed(what, f"got {_short(got)}", f"expected at least {_short(bound)}", hint)
    _pass(what, f"{_short(got)} (at least {_short(bound)})")


def written_without(what, source, names=READY_MADE, hint=""):
    """Check that the text of a cell uses none of some names.

    This is a rule about how something is written, not a lock: a name can be hidden from it.

    Parameters
    ----------
    what : str
        Whose text it is, such as "conv2d".
    source : str
        The text, as `course.cell_source` returns it.
    names : sequence of str
        Modules and functions, such as "scipy" or "numpy.convolve". A module stands for all that is
        in it. Other names for them, as in `import numpy as np`, are seen through; what the text
        sets itself under such a name is its own.
    hint : str
        What to do instead, shown where the check fails.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        came = f"line {error.lineno} of the cell is not plain Python"
        raise CheckFailed(what, came, hint=hint) from None
    found = [used for used in used_names(tree) if is_part_of(used, names)]
    if found:
        raise CheckFailed(what, f"the cell uses {found[0]}", hint=hint)
    _pass(f"{what} is written by hand")


def tell(text, without_values=None):
    """Print a text that students may read, also where the test is hidden.

    What a hidden test prints by itself stays with the instructor.

    Parameters
    ----------
    text : str
        What is printed.
    without_values : str, optional
        What students read in its place of a hidden test.
    """
    print(text)
    if listener:
        listener(text if without_values is None else without_values)


def _pass(what, value=None):
    # What came is what was expected.
    tell(f"ok: {what}" if value is None else f"ok: {what}: {value}", f"ok: {what}")


def _same(got, expected):
    """Compare by value and by kind, without trusting the `__eq__` of a foreign class."""
    got, expected = _plain(got), _plain(expected)
    if isinstance(expected, tuple | list):
        return (
            type(got) is type(expected)
            and len(got) == len(expected)
            and all(map(_same, got, expected))
        )
    if isinstance(expected, dict):
        return (
            type(got) is dict
            and all(type(key) in (str, int) for key in got)
            and got.keys() == expected.keys()
            and all(_same(got[key], value) for key, value in expected.items())
        )
    if isinstance(expected, bool) or type(got) is bool:
        return type(got) is type(expected) and got == expected
    if isinstance(expected, int | float):
        return type(got) in (int, float) and got == expected
    return type(got) is type(expected) and got == expected


def _plain(value):
    """Turn a scalar of NumPy or the backend into Python's own number."""
    if type(value) not in (int, float, bool) and hasattr(value, "__array__"):
        numbers = np.asarray(value)
        return numbers.item() if numbers.shape == () else value
    return value


def _kind(value):
    if value is None or value is ...:
        return "no answer"
    name = type(value).__name__
    return f"{_short(value)} ({'an' if name[0] in 'aeiou' else 'a'} {name})"


def _short(value, limit=120):
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) is int:
        return f"{value:,}"
    if type(value) is float:
        return f"{value:.6g}"
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
