"""Convolutions of one row of numbers, by hand: what comes out, and what the usual slips give."""

from course.questions.question import SHAPE, SINGLE, Choice, Question

HINT = "each place: every product, then their sum."


def slide(row, kernel, stride):
    """Return the sums of products at every place where a kernel fits into a row."""
    places = range(0, len(row) - len(kernel) + 1, stride)
    return tuple(
        sum(int(number) * int(weight) for number, weight in zip(row[place:], kernel, strict=False))
        for place in places
    )


def answer_and_slips(row, kernel, stride, padding):
    """Return what comes out, and the usual wrong results with their reasons."""
    row, kernel, zeros = list(row), list(kernel), [0] * padding
    padded = [*zeros, *row, *zeros]
    right = slide(padded, kernel, stride)
    sides = "The zeros stand at both ends of the row."
    return right, [
        (slide(padded, kernel[::-1], stride), "Lay the kernel on as it stands, not flipped."),
        (slide(row, kernel, stride), f"The padding is forgotten. {sides}"),
        (slide([*zeros, *row], kernel, stride), sides),
        (slide([*row, *zeros], kernel, stride), sides),
        (
            slide(padded, kernel, 1),
            f"With stride {stride} the kernel moves {stride} numbers at a time.",
        ),
        (
            slide([*padded, *[0] * stride], kernel, stride)[: len(right) + 1],
            "One place too many: the last one reaches over the end.",
        ),
        (
            slide([0, *row, 0], kernel, stride),
            f"Zeros are put at the ends only with padding; here P = {padding}.",
        ),
        (right[:-1], "One place is missing: the kernel still fits in at the end."),
        (right[::-1], "Go from left to right."),
    ]


def by_hand(row, kernel, stride, padding):
    """Return the question what comes out, to be answered with a tuple of numbers."""
    right, slips = answer_and_slips(row, kernel, stride, padding)
    return Question(_text(row, kernel, stride, padding), SHAPE, right, _because(right), slips, HINT)


def convolve_row(
    row=(2, 0, 1, 1, 3, 0), kernel=(1, 2, -1), stride=2, padding=0, order=(2, 0, 3, 1)
):
    """Ask what comes out, with three slips to choose from."""
    right, slips = answer_and_slips(row, kernel, stride, padding)
    wrong = {}
    for result, reason in slips:
        if result and result != right:
            wrong.setdefault(result, reason)
    options = [(right, _because(right)), *list(wrong.items())[:3]]
    choices = [
        Choice(", ".join(map(_number, result)), result == right, reason)
        for result, reason in options
    ]
    return Question(
        _text(row, kernel, stride, padding),
        SINGLE,
        choices=tuple(choices[place] for place in order),
    )


def draw(random):
    """Return other numbers for `convolve_row`."""
    return {
        "row": [random.randint(0, 4) for _ in range(random.choice([5, 6, 7]))],
        "kernel": random.choice([(1, 2, -1), (1, 0, -1), (2, 1, 0), (0, 1, 1), (-1, 1, 2)]),
        "stride": random.choice([1, 2, 3]),
        "padding": random.choice([0, 1]),
        "order": random.sample(range(4), 4),
    }


def _text(row, kernel, stride, padding):
    return (
        f"The row {', '.join(map(_number, row))} meets the kernel {', '.join(map(_number, kernel))}"
        f" with stride {stride} and padding {padding}. What comes out?"
    )


def _because(right):
    return f"{len(right)} places, from left to right: {', '.join(map(_number, right))}."


def _number(value):
    return f"{int(value)}".replace("-", "−")
