"""What stands in a kernel for a value of the other one that is no plain data."""


class CrossingError(Exception):
    """A value that cannot cross; the message says what to do instead."""


class Stranger:
    """Stands for a value that cannot cross: it can be shown, and nothing else."""

    def __init__(self, what):
        self._what = what

    def __repr__(self):
        return self._what

    def __getattr__(self, name):
        raise _of_student(AttributeError(f"{self._what} has no {name!r} that a test could use."))

    def __bool__(self):
        raise _of_student(TypeError(f"{self._what} is neither true nor false to a test."))


class History:
    """Stands for what `Model.fit` returns.

    Attributes
    ----------
    history : dict of str to list
        As Keras fills it.
    epoch : list of int
        The epochs' numbers.
    """

    def __init__(self, history, epoch):
        self.history = history
        self.epoch = epoch


def describe(value):
    """Return what a value is, for a person, without trusting its class."""
    kind = type(value)
    name = f"class {value.__name__}" if isinstance(value, type) else kind.__name__
    try:
        text = " ".join(repr(value).split())[:80]
    except Exception:  # a class of the student's own may fail even at this
        text = ""
    return f"{text} (a {name})" if text else f"a {name}"


def _of_student(error):
    # Its words are the student's, who may have put there what a test handed in.
    error.from_student = True
    return error
