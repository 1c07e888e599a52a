"""Checks whose messages tell a student what was tested, found, and expected, and give a hint.

Every check except `call` prints one line if it passes, and every check raises `CheckFailed` if it
fails. The test cells of the notebooks consist of these checks. No check contains a graded answer.

Each check takes a `hint`, which describes the common mistake and is shown if the check fails. All
except `that` take a `subject`, which names what is tested, such as "parameters of conv_1".
"""

import ast
import hashlib
import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from course import gradable
from course.used_names import CONVOLUTION_LIBRARIES, used_names

MAX_TEXT = 120  # characters of a value in a message

# Set by grading: a function that receives the part of a hidden test's output that students may see.
on_show: Callable[[str], None] | None = None


class CheckFailed(AssertionError):
    """The failure of a check; its message is all that a student needs to see.

    Parameters
    ----------
    subject : str
        What was tested. Without `got` and `expected`, it is the whole message.
    got : str
        What was found, such as "got 4".
    expected : str
        What was expected, such as "expected at least 5"; empty if the student must not see it.
    hint : str
        The common mistake.

    Attributes
    ----------
    parts : dict
        The four arguments by name, for pages that must not show all of them.
    """

    def __init__(self, subject, got="", expected="", hint=""):
        finding = ", ".join(filter(None, [got, expected]))
        super().__init__(f"{subject}: {finding}. {hint}".rstrip() if finding else subject)
        self.parts = {"subject": subject, "got": got, "expected": expected, "hint": hint}

    def _render_traceback_(self) -> list[str]:
        # IPython shows this instead of a traceback, which would bury the reason under the code of
        # the check itself.
        return [f"Not yet: {self}"]


def that(claim, condition, hint=""):
    """Check that a claim, such as "every weight is trainable", is true.

    Parameters
    ----------
    claim : str
    condition : bool
        True if the claim is true.
    """
    if not condition:
        raise CheckFailed(claim, "this is not true yet", hint=hint)
    _pass(claim)


def network(subject, got, hint="", *, compiled=False):
    """Check that a value is a network that tests can use during grading.

    Grading builds a student's network again from Keras's own layers. A network with other parts,
    such as a `Lambda` layer or a class that defines `call`, works in a notebook, but tests cannot
    use it during grading.

    Parameters
    ----------
    got : keras.Model
    hint : str
        The common mistake, such as a function that does not return the network.
    compiled : bool
        True if tests also use the network's optimizer or its loss.
    """
    import keras

    if not isinstance(got, keras.Model):
        raise CheckFailed(subject, f"got {_describe(got)}", "expected a network", hint)
    _require_usable(subject, got, compiled)
    _pass(subject)


def equal(subject, got, expected, hint="", mistakes=None):
    """Check that a value equals the expected one.

    Parameters
    ----------
    got, expected
        Numbers, strings, tuples, lists, or dicts, compared by value and type: True does not equal
        1, and (2, 3) does not equal [2, 3], but 3 equals 3.0, and NumPy scalars equal Python
        numbers. An OrderedDict counts as a dict, and a named tuple as a tuple. Of long lists, the
        message shows only the first entries that differ.
    mistakes : dict, optional
        Common wrong values, each mapped to the reason it is wrong. The message gives the reason and
        omits the expected value, because showing that value would spoil the next attempt.
    """
    if not _same(got, expected):
        reason = _find_reason(got, mistakes)
        if reason is not None:
            raise CheckFailed(subject, f"got {_short(got)}", hint=reason)
        if (index := _first_difference(got, expected)) is not None:
            found_text, expected_text = _entries(got, expected, index)
            found = f"got {found_text} at index {index}"
            raise CheckFailed(subject, found, f"expected {expected_text}", hint)
        found_text, expected_text = _texts(got, expected)
        raise CheckFailed(subject, f"got {found_text}", f"expected {expected_text}", hint)
    _pass(subject, _short(got))


def answer(subject, got, expected, hint="", mistakes=None):
    """Check an answer as `equal` does, but never show the expected value.

    Parameters
    ----------
    got, expected
        As in `equal`. None and Ellipsis count as unanswered.
    mistakes : dict, optional
        Common wrong answers, each mapped to the reason it is wrong. The reason replaces `hint`.
    """
    if got is None or got is ...:
        raise CheckFailed(subject, "there is no answer yet")
    if not _same(got, expected):
        reason = _find_reason(got, mistakes)
        hint = hint if reason is None else reason
        raise CheckFailed(subject, f"{_short(got)} is not right", hint=hint)
    _pass(subject, _short(got))


def one_of(subject, got, options, hint=""):
    """Check that a value equals one of a list of options, compared as in `equal`."""
    if not any(_same(got, option) for option in options):
        pairs = [_texts(got, option) for option in options]
        found = max((pair[0] for pair in pairs), key=len)  # differs from every option
        expected = f"expected {' or '.join(pair[1] for pair in pairs)}"
        raise CheckFailed(subject, f"got {found}", expected, hint)
    _pass(subject, _short(got))


def array(subject, got, *, shape=None, dtype=None, hint=""):
    """Check that a value is an array of the expected shape and type.

    Parameters
    ----------
    got : array_like
        A NumPy array or a backend tensor.
    shape : tuple of int, optional
    dtype : str, optional
        The type of the entries, such as "float32".
    """
    if not hasattr(got, "__array__"):
        raise CheckFailed(subject, f"got {_describe(got)}", "expected an array", hint)
    try:
        values = np.asarray(got)
    except (TypeError, ValueError):
        found = f"got {_describe(got)}, which has no values yet"
        raise CheckFailed(subject, found, hint=hint) from None
    _require_usable(subject, got)
    if shape is not None and values.shape != tuple(shape):
        raise CheckFailed(subject, f"got shape {values.shape}", f"expected {tuple(shape)}", hint)
    if dtype is not None and values.dtype.name != dtype:
        found = f"got values of type {values.dtype.name}"
        raise CheckFailed(subject, found, f"expected {dtype}", hint)
    description = ", ".join(str(part) for part in (shape, dtype) if part is not None)
    _pass(subject, description or "an array")


def close(subject, got, expected, tolerance=1e-6, hint=""):
    """Check that values equal the expected ones within a tolerance.

    Parameters
    ----------
    got, expected : float or array_like
        Compared by shape and value; NaN does not equal anything.
    tolerance : float
        The largest absolute difference that passes.
    """
    try:
        got_values = np.asarray(got)
    except (TypeError, ValueError):  # such as rows of different lengths
        got_values = np.asarray(None)
    if got_values.dtype.kind not in "biuf":
        raise CheckFailed(subject, f"got {_describe(got)}", f"expected {_short(expected)}", hint)
    _require_usable(subject, got)
    got_values = got_values.astype("float64")
    expected_values = np.asarray(expected, dtype="float64")
    if got_values.shape != expected_values.shape:
        found = f"got shape {got_values.shape}"
        raise CheckFailed(subject, found, f"expected {expected_values.shape}", hint)
    # Written so that NaN fails: a comparison with NaN is never true.
    wrong = ~(np.abs(got_values - expected_values) <= tolerance)
    if wrong.any():
        index = tuple(int(each) for each in np.argwhere(wrong)[0])
        position = f" at index {index}" if index else ""
        found, value = _texts(float(got_values[index]), float(expected_values[index]))
        expected = f"expected {value}"
        if index:
            expected += f" ({wrong.sum()} of {wrong.size} values differ)"
        raise CheckFailed(subject, f"got {found}{position}", expected, hint)
    _pass(subject)


def unchanged(subject, function, *arguments, hint="", **named):
    """Check that a function does not change its arguments, by calling it with copies of them.

    A graded test has no other way to find this out: during grading, a student's function receives
    copies, so that a wrong function cannot pass by overwriting the values of the test.

    Parameters
    ----------
    function : callable
    arguments, named
        Its arguments: arrays, or anything that `equal` compares.
    """
    _, positional, changed = call_with_copies(function, *arguments, **named)
    pairs = [*zip(arguments, positional, strict=True)]
    pairs += [(value, changed[name]) for name, value in named.items()]
    if not all(_unchanged(before, after) for before, after in pairs):
        raise CheckFailed(subject, "the function changes its arguments", hint=hint)
    _pass(subject)


def call(subject, function, *arguments, hint="", **named):
    """Call a function and return its value; a ValueError or an IndexError fails the check.

    NumPy raises these errors if shapes do not match or an index is too large. The message names the
    shapes or the index, and the hint gives the probable reason.
    """
    try:
        return function(*arguments, **named)
    except (ValueError, IndexError) as error:
        found = f"{type(error).__name__}: {str(error).strip().rstrip('.')}"
        raise CheckFailed(subject, found, hint=hint) from None


def call_with_copies(function, *arguments, **named):
    """Call a function with copies of its arguments and return the copies too.

    Use it to test a function whose task is to change its arguments, such as one that fills an
    array. Arrays, lists, tuples, sets, and dicts are copied; other objects are not.

    Returns
    -------
    tuple
        The function's value, the list of the positional arguments after the call, and the dict of
        the named ones.
    """
    positional = [_copy(value) for value in arguments]
    copies = {name: _copy(value) for name, value in named.items()}
    # Grading applies the changes of a student's function only to the arguments of this attribute.
    call = getattr(function, "changing_arguments", function)
    return call(*positional, **copies), positional, copies


def loss(subject, network, expected, hint="", mistakes=None):
    """Check that a network is compiled with the expected loss.

    The loss is identified by its class or function, not by a name that a student gave to it.

    Parameters
    ----------
    network : keras.Model
    expected : str
        The name of the loss as Keras writes it, such as "categorical_crossentropy".
    mistakes : dict, optional
        As in `equal`.
    """
    found = getattr(network, "loss", None)
    if not isinstance(found, str) and found is not None:
        found = getattr(found, "__name__", type(found).__name__)
    if found is not None:
        found = re.sub("(?<=[a-z])(?=[A-Z])", "_", found).lower()
    equal(subject, found, expected, hint, mistakes)


def loss_value(subject, network, inputs, labels, expected, tolerance=1e-6, hint=""):
    """Check the value of the loss that a network is compiled with, including penalties.

    The network's own metrics, which may have any name, are not used.

    Parameters
    ----------
    network : keras.Model
    inputs, labels : array_like
    expected, tolerance : float
        As in `close`.
    """
    if not network.compiled:
        raise CheckFailed(subject, "the network is not compiled", hint=hint)
    outputs = network(inputs, training=False)
    value = network.compute_loss(x=inputs, y=np.asarray(labels), y_pred=outputs, training=False)
    close(subject, float(np.asarray(value)), expected, tolerance, hint)


def measures_accuracy(subject, network, inputs, one_hot=False, hint=""):
    """Check that a network is compiled to measure its accuracy under the name "accuracy".

    The name alone is not enough: the metric must be 1 if each label is the network's most probable
    class, and 0 if each label is its second most probable class.

    Parameters
    ----------
    network : keras.Model
        It returns probabilities of shape (n, num_classes).
    inputs : array_like, shape (n, ...)
    one_hot : bool
        Whether the network's loss needs one-hot labels.
    """
    if not network.compiled:
        raise CheckFailed(subject, "the network is not compiled", hint=hint)
    order = np.argsort(-np.asarray(network.predict(inputs, verbose=0)), axis=1, kind="stable")
    for rank, expected in enumerate([1, 0]):
        labels = order[:, rank].astype("int32")  # JAX warns of 64 bits
        if one_hot:
            labels = np.eye(order.shape[1], dtype="float32")[labels]
        measured = network.evaluate(inputs, labels, verbose=0, return_dict=True)
        found = np.asarray(measured.get("accuracy", np.nan))
        if found.shape != () or not abs(found - expected) <= 1e-6:
            raise CheckFailed(subject, "this is not true yet", hint=hint)
    _pass(subject)


def at_least(subject, got, bound, hint=""):
    """Check that a value is a number and is at least as large as a bound; NaN always fails."""
    got = _to_python_number(got)
    if type(got) not in (int, float) or not got >= bound:
        found, smallest = _texts(got, bound)
        raise CheckFailed(subject, f"got {found}", f"expected at least {smallest}", hint)
    _pass(subject, f"{_short(got)} (at least {_short(bound)})")


def written_without(subject, source, names=CONVOLUTION_LIBRARIES, hint=""):
    """Check that the code of a cell does not use certain names.

    This is a style check, not a safeguard: code can hide a name from it.

    Parameters
    ----------
    subject : str
        What the cell defines, such as "conv2d".
    source : str
        The cell's code, as `course.cell_source` returns it. It must be valid Python.
    names : sequence of str
        Modules and functions, such as "scipy" or "numpy.convolve". A module includes everything in
        it. Import aliases, such as `np` in `import numpy as np`, are resolved. Names that the code
        itself assigns are allowed.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        found = f"line {error.lineno} of the cell is not valid Python"
        raise CheckFailed(subject, found, hint=hint) from None
    prefixes = tuple(f"{name}." for name in names)
    forbidden = [used for used in used_names(tree) if f"{used}.".startswith(prefixes)]
    if forbidden:
        raise CheckFailed(subject, f"the cell uses {forbidden[0]}", hint=hint)
    _pass(f"{subject} doesn't call a library's convolution function")


def digest(value):
    """Return a digest of an answer, for checks that compare it with the digest of the right one.

    Students can read a check, and the right answer in it would end their thinking. The digest does
    not hide the answer from a program that tries all values.

    Parameters
    ----------
    value : object
        A number, a text, or a list or tuple of such values. Equal numbers, such as 5 and 5.0, have
        equal digests, and so have a list and a tuple with equal items.

    Returns
    -------
    str
        Eight hexadecimal digits.

    Examples
    --------
    >>> digest((2, 4)) == digest([2.0, 4])
    True
    """

    def plain(part: Any) -> Any:
        part = _to_python_number(part)
        if isinstance(part, list | tuple):
            return [plain(each) for each in part]
        return int(part) if isinstance(part, float) and part.is_integer() else part

    return hashlib.sha256(repr(plain(value)).encode()).hexdigest()[:8]


def show(text, without_values=None):
    """Print text that students may read even if the test is hidden.

    Other output of a hidden test is shown only to instructors. If `without_values` is given,
    students see it instead of `text` if the test is hidden.
    """
    print(text)
    if on_show:
        on_show(text if without_values is None else without_values)


def _require_usable(subject: str, got: Any, compiled: bool = False) -> None:
    """Fail if tests cannot use a value during grading, although they can in a notebook."""
    reason = gradable.find_reason(got, compiled=compiled)
    if reason is not None:
        found = "tests cannot use this value during grading"
        raise CheckFailed(subject, found, hint=f"{reason.capitalized()}.")


def _pass(subject: str, value: str | None = None) -> None:
    """Print that a check passed; if the test is hidden, students do not see the value."""
    show(f"ok: {subject}" if value is None else f"ok: {subject}: {value}", f"ok: {subject}")


def _find_reason(got: Any, mistakes: dict[Any, str] | None) -> str | None:
    """Return the reason a value is wrong if it is a known mistake, else None."""
    reasons = (reason for value, reason in (mistakes or {}).items() if _same(got, value))
    return next(reasons, None)


def _same(got: Any, expected: Any) -> bool:
    """Compare two objects by value and type, without trusting the `__eq__` of unknown classes."""
    got, expected = _to_python_number(got), _to_python_number(expected)
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
    are_numbers = {type(got), type(expected)} == {int, float}
    return (are_numbers or type(got) is type(expected)) and got == expected


def _first_difference(got: Any, expected: Any) -> int | None:
    """Return the index at which two lists begin to differ if one is too long to show, else None."""
    if type(got) is not list or type(expected) is not list:
        return None
    if max(len(_short(each, MAX_TEXT + 1)) for each in (got, expected)) <= MAX_TEXT:
        return None
    same = itertools.takewhile(lambda pair: _same(*pair), zip(got, expected, strict=False))
    return sum(1 for _ in same)


def _entries(got: list, expected: list, index: int) -> tuple[str, str]:
    """Return the entries of two lists at an index, at which one of the lists may end, as text."""
    if index < min(len(got), len(expected)):
        return _texts(got[index], expected[index])
    found, wanted = (
        _short(each[index]) if index < len(each) else "no entry" for each in (got, expected)
    )
    return found, wanted


def _to_python_number(value: Any) -> Any:
    """Convert a NumPy or backend scalar to a Python number; return other values unchanged."""
    value = gradable.plain_value(value)
    if type(value) not in (int, float, bool) and hasattr(value, "__array__"):
        array = np.asarray(value)
        return array.item() if array.shape == () else value
    return value


def _copy(value: Any) -> Any:
    """Return a copy of an array or container and of its contents, or any other value itself."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(map(_copy, value))
    if type(value) is dict:
        return {key: _copy(each) for key, each in value.items()}
    return value


def _unchanged(before: Any, after: Any) -> bool:
    """Return whether a value is unchanged; arrays must have the same type, shape, and entries."""
    if isinstance(before, np.ndarray):
        same_kind = isinstance(after, np.ndarray) and before.dtype == after.dtype
        # NaN is compared as what it is: a function must not remove it either.
        return same_kind and before.shape == after.shape and before.tobytes() == after.tobytes()
    if isinstance(before, tuple | list):
        same_kind = type(after) is type(before) and len(after) == len(before)
        return same_kind and all(map(_unchanged, before, after))
    if isinstance(before, dict):
        same_kind = type(after) is dict and list(after) == list(before)
        return same_kind and all(_unchanged(before[key], after[key]) for key in before)
    return _same(after, before)


def _describe(value: Any) -> str:
    """Return a value and its type as text."""
    if value is None or value is ...:
        return "no answer"
    name = type(value).__name__
    return f"{_short(value)} ({'an' if name[0] in 'aeiou' else 'a'} {name})"


def _texts(got: Any, expected: Any) -> tuple[str, str]:
    """Return two different values as text: numbers with as many digits as show the difference."""
    texts = _short(got), _short(expected)
    if texts[0] != texts[1]:
        return texts
    numbers = _to_python_number(got), _to_python_number(expected)
    types = {type(number) for number in numbers}
    if float in types <= {int, float}:
        for digits in range(7, 17):
            texts = f"{numbers[0]:.{digits}g}", f"{numbers[1]:.{digits}g}"
            if texts[0] != texts[1]:
                return texts
    try:
        return repr(numbers[0]), repr(numbers[1])  # a float with all of its digits
    except ValueError:  # Python does not write out integers of more than 4,300 digits
        return texts


def _short(value: Any, limit: int = MAX_TEXT) -> str:
    """Return a value as one line of text of limited length."""
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) is float:
        return f"{value:.6g}"
    try:
        text = f"{value:,}" if type(value) is int else " ".join(repr(value).split())
    except ValueError:  # Python does not write out integers of more than 4,300 digits
        return "a value with too many digits to show"
    return text if len(text) <= limit else text[: limit - 3] + "..."
