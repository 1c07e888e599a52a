"""Lessons as comparisons of metrics: `test_accuracy > linear_accuracy + 0.02`."""

import ast
import contextlib
import operator

from course.errors import CourseError
from course.instructor.python_parser import parse_python

COMPARE = {ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le}
COMPUTE = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def holds(lesson, metrics):
    """Return whether a lesson holds in a run.

    Parameters
    ----------
    lesson : str
        Names of metrics, places of lists as in `accuracies[2]`, numbers, `+`, `-`, `*`, and the
        mean of a list as `mean(accuracies)`, compared by `<`, `<=`, `>` or `>=`, also in a chain.
    metrics : dict
        What the run recorded.

    Raises
    ------
    CourseError
        If it is no such comparison.
    KeyError, IndexError
        If a metric or a place of it is not there.
    """
    comparison = parse(lesson)
    sides = [_value(side, metrics, lesson) for side in (comparison.left, *comparison.comparators)]
    for left, sign, right in zip(sides, comparison.ops, sides[1:], strict=False):
        if not COMPARE[type(sign)](left, right):
            return False
    return True


def parse(lesson):
    """Return a lesson's comparison as Python's syntax tree.

    Raises
    ------
    CourseError
        If it is none.
    """
    try:
        comparison = parse_python(lesson, "eval").body
    except (SyntaxError, TypeError):
        comparison = None
    signs = getattr(comparison, "ops", [])
    if not isinstance(comparison, ast.Compare) or not all(type(sign) in COMPARE for sign in signs):
        raise _not_understood(lesson)
    for side in (comparison.left, *comparison.comparators):
        # Whether it can be read shows without any metric: the first name is not there then.
        with contextlib.suppress(KeyError):
            _value(side, {}, lesson)
    return comparison


def _value(node, metrics, lesson):
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return metrics[name]
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int() as place)):
            return metrics[name][place]
        case ast.Call(func=ast.Name(id="mean"), args=[ast.Name(id=name)], keywords=[]):
            return sum(metrics[name]) / len(metrics[name])
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in COMPUTE:
            sides = _value(left, metrics, lesson), _value(right, metrics, lesson)
            return COMPUTE[type(sign)](*sides)
    raise _not_understood(lesson)


def _not_understood(lesson):
    return CourseError(
        f"the lesson {lesson!r} in bands.toml is no comparison of metrics: write it as"
        " test_accuracy > linear_accuracy."
    )
