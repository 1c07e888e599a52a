"""Claims: comparisons of metrics that must hold, such as `test_accuracy > linear_accuracy`.

A lesson states the average results of its training runs. A single run can contradict a true claim
if the difference in the claim is small compared with the deviation between seeds, so a claim is
judged on the mean of as many seeds as it needs. This number is computed from the bands.
"""

import ast
import contextlib
import math
import operator
from collections.abc import Iterator
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


# A claim is judged on so many seeds that the mean margin of a true claim is at least this many
# standard errors. About one evaluation in a thousand is then a false alarm.
STANDARD_ERRORS = 3.0


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


def seeds_needed(claim: str, bands: dict[str, Any], unmeasured: int = 1) -> int:
    """Return the number of seeds over which a claim has to be averaged; at least 1.

    `bands` maps metrics to exact values, or to dicts with the measured "mean" and "std". The margin
    of a claim is the difference of its sides; the deviations of the metrics are treated as
    independent. A claim whose metrics have no bands needs `unmeasured` seeds. A claim whose
    measured margin is not positive is judged on each run.
    """
    # Bands that were not measured have limits instead of a mean.
    measured = {name: band for name, band in bands.items() if "low" not in _keys(band)}
    means = {name: band["mean"] if _keys(band) else band for name, band in measured.items()}
    comparison = parse(claim)
    sides = [comparison.left, *comparison.comparators]
    found = [1]
    try:
        for sign, left, right in zip(comparison.ops, sides, sides[1:], strict=False):

            def margin(values: dict[str, Any], pair: tuple = (sign, left, right)) -> float:
                sign, left, right = pair
                difference = _value(left, values, claim) - _value(right, values, claim)
                return -difference if isinstance(sign, ast.Lt | ast.LtE) else difference

            size = margin(means)
            # The change of the margin if one value is a standard deviation larger.
            changes = [margin(each) - size for each in _one_larger(means, measured)]
            if size > 0:
                variance = sum(change**2 for change in changes)
                found.append(math.ceil(round(variance * (STANDARD_ERRORS / size) ** 2, 6)))
    except (KeyError, IndexError, TypeError):
        return unmeasured
    return max(found)


def mean_metrics(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of each metric over runs that recorded it with the same shape."""
    found: dict[str, Any] = {}
    for name, first in runs[0].items():
        values = [run.get(name) for run in runs]
        if isinstance(first, list):
            if all(isinstance(each, list) and len(each) == len(first) for each in values):
                found[name] = [_mean(column) for column in zip(*values, strict=True)]
        else:
            found[name] = _mean(values)
    return {name: value for name, value in found.items() if value is not None}


def _mean(values: Any) -> float | None:
    """Return the mean of numbers, or None if one of the values is not a number."""
    values = list(values)
    if not all(isinstance(each, int | float) for each in values):
        return None
    return sum(values) / len(values)


def _keys(band: Any) -> set[str]:
    """Return the keys of a band; an exact value has none."""
    return set(band) if isinstance(band, dict) else set()


def _one_larger(means: dict[str, Any], bands: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the means with one value larger by its standard deviation, for each value in turn."""
    for name, band in bands.items():
        if not isinstance(band, dict):
            continue
        if not isinstance(band["std"], list):
            yield means | {name: means[name] + band["std"]}
            continue
        for index, std in enumerate(band["std"]):
            values = [*means[name]]
            values[index] += std
            yield means | {name: values}


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
