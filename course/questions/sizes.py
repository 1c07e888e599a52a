"""Questions about sizes: outputs, padding, pooling, receptive fields."""

from functools import partial

from course.questions import convolution_1d, registry
from course.questions.question import NUMBER, SHAPE, SINGLE, Choice, Question
from course.questions.registry import counted, output_size

BANK = {}
in_bank, preset = partial(registry.in_bank, BANK), partial(registry.preset, BANK)


def _draw_window(random):
    window = random.choice([2, 3, 4, 5, 7])
    return {
        "size": random.randint(20, 120),
        "window": window,
        "stride": random.choice([1, 2, 3, 4]),
        "padding": random.randint(0, window // 2),
    }


@in_bank("output-size", _draw_window)
def conv_output_size(size=100, window=5, stride=1, padding=2):
    """Ask for the width of a convolution's output."""
    reach = size - window + 2 * padding
    answer = reach // stride + 1
    zeros = f"{counted(padding, 'zero')} of padding on each side" if padding else "no padding"
    slips = [
        (reach // stride, "The window also has a first place, before any step: + 1."),
        (
            (size - window + padding) // stride + 1,
            f"The padding of {padding} is on both sides: 2P.",
        ),
        ((size - window) // stride + 1, f"The padding of {padding} on each side is forgotten."),
        (reach + 1, f"With stride {stride} the window moves {stride} pixels at a time."),
        ((size - 1) // stride + 1, f"A window of {window} needs {window} pixels: W − F."),
        (size, "The size is kept only if the padding makes up for the window and the stride is 1."),
    ]
    if reach % stride:
        slips = [
            (-(-reach // stride) + 1, "Round down: the last step would lead over the border."),
            *slips,
        ]
    return Question(
        f"A convolution slides a window of {window} × {window} over an input of {size} × {size},"
        f" with stride {stride} and {zeros}. How wide is its output?",
        NUMBER,
        answer,
        f"⌊(W − F + 2P)/S⌋ + 1 = ⌊({size} − {window} + {2 * padding})/{stride}⌋ + 1 = {answer}.",
        slips,
        "⌊(W − F + 2P)/S⌋ + 1, with P on both sides.",
    )


def _draw_volume(random):
    numbers = _draw_window(random)
    return numbers | {"channels": random.choice([1, 3, 8, 16]), "filters": random.randint(4, 48)}


@in_bank("output-shape", _draw_volume)
def conv_output_shape(size=100, channels=3, filters=10, window=5, stride=1, padding=2):
    """Ask for the shape of a convolution's output."""
    side = output_size(size, window, stride, padding)
    bare, once = output_size(size, window, stride, 0), (size - window + padding) // stride + 1
    return Question(
        f"An input of {size} × {size} × {channels} goes through {counted(filters, 'filter')} of"
        f" {window} × {window} × {channels}, with stride {stride} and padding {padding}. Which"
        " shape has the output (height, width, channels)?",
        SHAPE,
        (side, side, filters),
        f"⌊({size} − {window} + {2 * padding})/{stride}⌋ + 1 = {side}, and each of the {filters}"
        " filters makes one map.",
        [
            ((side, side, channels), "The channels are summed over; every filter makes one map."),
            (
                (side, side, filters * channels),
                f"A filter covers all channels at once: it makes one map, not {channels}.",
            ),
            ((bare, bare, filters), f"The padding of {padding} on each side is forgotten."),
            ((once, once, filters), f"The padding of {padding} is on both sides: 2P."),
            ((side, side), "Each filter makes a map: the output has a third dimension."),
        ],
        "the size by ⌊(W − F + 2P)/S⌋ + 1, and one map a filter.",
    )


preset("output-shape-small", conv_output_shape, size=4, filters=2, window=2, stride=1, padding=0)


preset("output-shape-stride", conv_output_shape, size=4, filters=2, window=2, stride=2, padding=0)


@in_bank(
    "activation-maps",
    lambda random: {
        "channels": random.choice([3, 4, 8, 16]),
        "filters": random.choice([2, 5, 6, 12, 24]),
        "window": random.choice([2, 3, 5]),
    },
)
def activation_maps(channels=3, filters=2, window=2):
    """Ask how many maps a convolution makes."""
    return Question(
        f"{counted(filters, 'filter')} of {window} × {window} × {channels} slide over an input with"
        f" {channels} channels. How many activation maps come out?",
        NUMBER,
        filters,
        f"One map a filter, whatever the number of channels: {filters}.",
        [
            (channels, "These are the channels of the input, which each filter sums over."),
            (
                filters * channels,
                "A filter covers all channels at once and adds them up: one map a filter.",
            ),
            (
                filters * window * window,
                "A filter's weights are summed into one number at each place.",
            ),
        ],
        "what one filter makes of all the channels.",
    )


@in_bank(
    "padded-shape",
    lambda random: {"size": random.randint(20, 200), "padding": random.randint(2, 6)},
)
def padded_shape(size=100, padding=3):
    """Ask for the size of a padded picture."""
    side = size + 2 * padding
    return Question(
        f"Zero padding with P = {padding} is put around a picture of {size} × {size}. How large is"
        " it then (height, width)?",
        SHAPE,
        (side, side),
        f"{padding} on the left and {padding} on the right: {size} + 2 · {padding} = {side}.",
        [
            ((size + padding,) * 2, "The zeros are put on both sides."),
            ((size, size), "The zeros are added to the picture; a convolution shrinks it later."),
            ((size * padding,) * 2, "P counts the zeros on each side; it is no factor."),
        ],
        "how many zeros lie on each of the two sides.",
    )


@in_bank(
    "keep-size",
    lambda random: {
        "size": random.choice([64, 128, 224, 256, 300]),
        "window": random.choice([3, 5, 7, 9]),
        "order": random.sample(range(4), 4),
    },
)
def keep_size(size=512, window=5, order=(0, 1, 2, 3)):
    """Ask which stride and padding keep the size."""
    half = window // 2
    pairs = [(1, half - 1), (2, half), (1, half), (2, half - 1)]
    choices = []
    for place in order:
        stride, padding = pairs[place]
        side = output_size(size, window, stride, padding)
        text = f"⌊({size} − {window} + {2 * padding})/{stride}⌋ + 1 = {side}"
        reason = f"{text}, the size of the input." if side == size else f"{text}, not {size}."
        choices.append(Choice(f"stride {stride}, padding {padding}", side == size, reason))
    return Question(
        f"A convolution with a window of {window} × {window} gets an input of {size} × {size} and"
        " is to keep that size. Which stride and padding do it?",
        SINGLE,
        choices=tuple(choices),
    )


@in_bank(
    "keras-size",
    lambda random: {
        "size": random.choice([15, 17, 20, 25, 31, 50, 63]),
        "window": random.choice([3, 5]),
        "stride": random.choice([2, 3, 4]),
        "padding": random.choice(["valid", "same"]),
    },
)
def keras_size(size=7, window=3, stride=2, padding="same"):
    """Ask for the output size with Keras's own words for padding."""
    same, valid = -(-size // stride), (size - window) // stride + 1
    is_same = padding == "same"
    answer, other = (same, valid) if is_same else (valid, same)
    because = f"⌈{size}/{stride}⌉ = {same}" if is_same else f"⌊({size} − {window})/{stride}⌋ + 1"
    return Question(
        f"Keras: a window of {window} × {window}, strides={stride}, padding={padding!r}, on an"
        f" input of {size} × {size}. How wide is the output?",
        NUMBER,
        answer,
        f"{because}, as {padding!r} says: {answer}.",
        [
            (other, f"That is what padding={'valid' if is_same else 'same'!r} gives."),
            (
                size,
                "'same' keeps the size with stride 1 only."
                if is_same
                else "'valid' pads nothing, and the stride skips places.",
            ),
            (
                size // stride,
                "Round up: 'same' pads until the last pixel is covered too."
                if is_same
                else "The window must lie inside: ⌊(W − F)/S⌋ + 1.",
            ),
            (answer - 1, "The window also has a first place, before any step: + 1."),
        ],
        "⌈W/S⌉ for 'same' and ⌊(W − F)/S⌋ + 1 for 'valid'.",
    )


@in_bank(
    "pool-size",
    lambda random: {
        "size": random.choice([32, 40, 48, 56, 72, 96]),
        "window": random.choice([3, 5]),
    },
)
def pool_size(size=64, window=3, stride=2):
    """Ask for the output size of overlapping pooling."""
    answer, same = (size - window) // stride + 1, -(-size // stride)
    return Question(
        f"Max pooling with a window of {window} × {window} and stride {stride}, padding 'valid', on"
        f" an input of {size} × {size}. How wide is the output?",
        NUMBER,
        answer,
        f"⌊({size} − {window})/{stride}⌋ + 1 = {answer}.",
        [
            (size // window, f"That is stride {window}: the windows overlap here."),
            (-(-size // window), f"That is stride {window}: the windows overlap here."),
            (same, "That is padding 'same'."),
            (size - window + 1, f"That is stride 1; it is {stride}."),
            (answer - 1, "The window also has a first place, before any step: + 1."),
            (answer + 1, "Round down: the last window must lie inside."),
        ],
        "⌊(W − F)/S⌋ + 1 with the stride, not the window, below.",
    )


@in_bank(
    "receptive-field",
    lambda random: {"layers": random.randint(2, 6), "window": random.choice([3, 5, 7])},
)
def receptive_field(layers=3, window=3):
    """Ask how much of the input one pixel of a stack of convolutions sees."""
    answer = layers * (window - 1) + 1
    return Question(
        f"{layers} convolutions of {window} × {window} with stride 1 follow each other. How many"
        " pixels wide is the part of the input that one output pixel depends on?",
        NUMBER,
        answer,
        f"1, and {window - 1} more for each layer: 1 + {layers} · {window - 1} = {answer}.",
        [
            (layers * window, "The windows overlap: each layer adds its size less one."),
            (
                window,
                "That is one layer; each pixel of it has looked at a window of the one below.",
            ),
            (window**layers, "The windows overlap; sizes are added, not multiplied."),
            (layers * (window - 1), "The pixel in the middle counts too: + 1."),
            (answer**2, "That is the area; the width is asked."),
        ],
        "1 + layers · (window − 1).",
    )


in_bank("convolve-row", convolution_1d.draw)(convolution_1d.convolve_row)
