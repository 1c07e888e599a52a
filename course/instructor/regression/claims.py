"""Claims: comparisons of metrics that must hold, such as `test_accuracy > linear_accuracy`."""

import ast
import contextlib
import operator
from typing import Any

from course.errors import CourseError
from course.instructor.thread_safe_parsing import parse_python

COMPARISONS: dict[type, Any] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
ARITHMETIC: dict[type, Any] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def holds(claim: str, metrics: dict[str, Any]) -> bool:
    """Return True if a claim holds for the metrics of a run.

    Raises CourseError if the claim is not a comparison of metrics, and KeyError or IndexError if a
    metric or list item that it names is missing.
    """
    comparison = parse(claim)
    sides = [_value(side, metrics, claim) for side in (comparison.left, *comparison.comparators)]
    return all(
        COMPARISONS[type(sign)](left, right)
        for left, sign, right in zip(sides, comparison.ops, sides[1:], strict=False)
    )


def parse(claim: str) -> ast.Compare:
    """Return the syntax tree of a claim; raise CourseError if it is not a comparison of metrics.

    Each side consists of numbers, names of metrics, list items such as `accuracies[2]`, means of
    lists such as `mean(accuracies)`, and the operators `+`, `-`, and `*`. The sides are compared
    with `<`, `<=`, `>`, or `>=`, and comparisons can be chained.
    """
    try:
        comparison = parse_python(claim, "eval").body
        is_known = all(type(sign) in COMPARISONS for sign in comparison.ops)
    except (SyntaxError, TypeError, AttributeError):  # AttributeError: it is not a comparison
        is_known = False
    if not is_known:
        raise _not_a_comparison(claim)
    for side in (comparison.left, *comparison.comparators):
        # Without metrics, evaluating a valid side raises KeyError at its first name.
        with contextlib.suppress(KeyError):
            _value(side, {}, claim)
    return comparison


def _value(node: ast.expr, metrics: dict[str, Any], claim: str) -> Any:
    """Return the value of one side of a claim."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return metrics[name]
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int() as index)):
            return metrics[name][index]
        case ast.Call(func=ast.Name(id="mean"), args=[ast.Name(id=name)], keywords=[]):
            return sum(metrics[name]) / len(metrics[name])
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in ARITHMETIC:
            sides = _value(left, metrics, claim), _value(right, metrics, claim)
            return ARITHMETIC[type(sign)](*sides)
    raise _not_a_comparison(claim)


def _not_a_comparison(claim: str) -> CourseError:
    """Return the error for a claim that cannot be parsed."""
    return CourseError(
        f"the claim {claim!r} in bands.toml is not a comparison of metrics: write it like"
        " test_accuracy > linear_accuracy."
    )
