"""Convolution, pooling, and shifts in one dimension, by hand, with common mistakes."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import mul
from random import Random

from course.questions.bank import register
from course.questions.question import SHAPE, SINGLE, Choice, Question

HINT = (
    "each position. The whole kernel must fit into the padded signal, and each value is the sum of"
    " its products."
)


def convolve(signal: Sequence[int], kernel: Sequence[int], stride: int) -> tuple[int, ...]:
    """Return the sum of products at every position where the kernel fits into the signal."""
    positions = range(0, len(signal) - len(kernel) + 1, stride)
    return tuple(
        sum(int(x) * int(weight) for x, weight in zip(signal[start:], kernel, strict=False))
        for start in positions
    )


def result_and_mistakes(
    signal: Sequence[int], kernel: Sequence[int], stride: int, padding: int
) -> tuple[tuple[int, ...], list[tuple[tuple[int, ...], str]]]:
    """Return the right result, and the results of common mistakes with their reasons."""
    signal, kernel, zeros = list(signal), list(kernel), [0] * padding
    padded = [*zeros, *signal, *zeros]
    right = convolve(padded, kernel, stride)
    both_ends = "Put the zeros at both ends of the signal."
    return right, [
        (convolve(padded, kernel[::-1], stride), "Apply the kernel as it is, not flipped."),
        (convolve(signal, kernel, stride), f"The padding is missing. {both_ends}"),
        (convolve([*zeros, *signal], kernel, stride), both_ends),
        (convolve([*signal, *zeros], kernel, stride), both_ends),
        (convolve(padded, kernel, 1), f"With stride {stride}, the kernel moves {stride} values."),
        (
            convolve([*padded, *[0] * stride], kernel, stride)[: len(right) + 1],
            "There is one position too many. At the last one, the kernel extends past the end.",
        ),
        (
            convolve([0, *signal, 0], kernel, stride),
            f"Add zeros only as padding; here P = {padding}.",
        ),
        (right[:-1], "One position is missing: the kernel still fits at the end."),
        (right[::-1], "Go from left to right."),
    ]


def by_hand(signal, kernel, stride, padding):
    """Return a question about the output of a one-dimensional convolution.

    Parameters
    ----------
    signal, kernel : sequence of int
    stride, padding : int
        Step of the kernel, and number of zeros at each end of the signal.

    Returns
    -------
    Question
        A question whose answer is a tuple of integers.
    """
    right, mistakes = result_and_mistakes(signal, kernel, stride, padding)
    text = _text(signal, kernel, stride, padding)
    return Question(text, SHAPE, right, _explanation(right), mistakes, HINT)


def same_length(signal, kernel, pairs):
    """Return a question about which stride and padding give an output as long as the signal.

    Parameters
    ----------
    signal, kernel : sequence of int
    pairs : sequence of (int, int)
        Strides and paddings, exactly one pair of which is right.

    Returns
    -------
    Question
        A question whose answer is one of the pairs.

    Raises
    ------
    ValueError
        If not exactly one pair is right.
    """
    size, width = len(kernel), len(signal)
    lengths = {pair: len(result_and_mistakes(signal, kernel, *pair)[0]) for pair in pairs}
    right = [pair for pair, length in lengths.items() if length == width]
    if len(right) != 1:
        raise ValueError(f"{len(right)} of the pairs give an output as long as the signal, not 1.")
    mistakes = []
    for (stride, padding), length in lengths.items():
        if stride > 1:
            reason = f"With stride {stride}, the output is much shorter."
            mistakes.append(((stride, padding), reason))
        elif length < width and padding == 0:
            reason = f"Without padding, a kernel of size {size} fits at {length} positions on"
            mistakes.append(((stride, padding), f"{reason} {width} values."))
    lost = {2: "two", 4: "four"}.get(size - 1, size - 1)
    explanation = (
        f"The {lost} zeros compensate for the {lost} positions that are lost with a kernel of size"
        f" {size}."
    )
    text = "Which stride and padding give an output that is as long as the signal?"
    return Question(text, SHAPE, right[0], explanation, mistakes, "how long each output is.")


def pool_by_hand(row, size, stride):
    """Return a question about max pooling of a row of values, without padding.

    Parameters
    ----------
    row : sequence of int
    size, stride : int
        Length of a window, and step between two windows.

    Returns
    -------
    Question
        A question whose answer is a tuple of integers.
    """
    row = list(row)

    def pooled(values: Sequence[int], step: int, reduce: Callable = max) -> tuple:
        starts = range(0, len(values) - size + 1, step)
        return tuple(reduce(values[start : start + size]) for start in starts)

    right, last = pooled(row, stride), range(0, len(row), stride)
    mistakes = [
        (pooled(row, size), f"The windows overlap: the stride is {stride}, not {size}."),
        (pooled(row, 1), f"With stride {stride}, the window moves {stride} values."),
        (
            tuple(max(row[start : start + size]) for start in last),
            "There is one window too many. The last one extends past the end.",
        ),
        (pooled(row, stride, sum), "Max pooling keeps the largest value; it doesn't add."),
        (pooled(row, stride, min), "Max pooling keeps the largest value, not the smallest."),
        (right[:-1], "One window is missing."),
    ]
    text = (
        f"Max pooling with windows of size {size} and stride {stride} is applied to the row"
        f" {_join(row)}, without padding. What is the output?"
    )
    hint = "each window. Every window must fit into the row."
    return Question(text, SHAPE, right, _explanation(right), mistakes, hint)


def shifted_by(shift, strides):
    """Return a question about how far the outputs of consecutive layers move with the image.

    Parameters
    ----------
    shift : int
        By how many pixels the image moves.
    strides : sequence of int
        The strides of the layers, whose product divides `shift`.

    Returns
    -------
    Question
        A question whose answer is a tuple of integers, one per layer.

    Raises
    ------
    ValueError
        If an output doesn't move by a whole number of positions.
    """
    steps = list(accumulate(strides, mul))
    if any(shift % step for step in steps):
        raise ValueError(f"{shift} pixels aren't a multiple of {max(steps)} pixels.")
    right = tuple(shift // step for step in steps)
    zeros, stride = (0,) * len(right), max(strides)
    mistakes = [
        (
            (shift,) * len(right),
            f"With stride {stride}, neighboring positions are {stride} pixels apart.",
        ),
        (zeros, "The layers aren't invariant: their outputs move with the image."),
        ((*right[:-1], 0), "Max pooling isn't invariant: its output moves with its input."),
        (right[::-1], "A layer with stride 1 moves its output as far as its input moves."),
    ]
    text = f"The image moves by {shift} pixels. By how many positions do the outputs move?"
    hint = "how far apart two neighboring positions are, in pixels of the image."
    explanation = "The shift in pixels, divided by the distance of two neighboring positions."
    return Question(text, SHAPE, right, explanation, mistakes, hint)


def _draw_row(rng: Random) -> dict:
    return {
        "signal": [rng.randint(0, 4) for _ in range(rng.choice([5, 6, 7]))],
        "kernel": rng.choice([(1, 2, -1), (1, 0, -1), (2, 1, 0), (0, 1, 1), (-1, 1, 2)]),
        "stride": rng.choice([1, 2, 3]),
        "padding": rng.choice([0, 1]),
        "order": rng.sample(range(4), 4),
    }


@register("convolve-row", _draw_row)
def convolve_row(
    signal=(2, 0, 1, 1, 3, 0), kernel=(1, 2, -1), stride=2, padding=0, order=(2, 0, 3, 1)
):
    """Ask for the output of a one-dimensional convolution; wrong choices are common mistakes."""
    right, mistakes = result_and_mistakes(signal, kernel, stride, padding)
    wrong: dict = {}
    for result, reason in mistakes:
        if result and result != right:
            wrong.setdefault(result, reason)
    options = [(right, _explanation(right)), *list(wrong.items())[:3]]
    choices = [Choice(_join(result), result == right, reason) for result, reason in options]
    text = _text(signal, kernel, stride, padding)
    return Question(text, SINGLE, choices=tuple(choices[index] for index in order))


def _text(signal: Sequence[int], kernel: Sequence[int], stride: int, padding: int) -> str:
    return (
        f"The signal {_join(signal)} is convolved with the kernel {_join(kernel)}, with stride"
        f" {stride} and padding {padding}. What is the output?"
    )


def _explanation(right: Sequence[int]) -> str:
    return f"{len(right)} positions, from left to right: {_join(right)}."


def _join(values: Sequence[int]) -> str:
    return ", ".join(f"{int(value)}".replace("-", "−") for value in values)
