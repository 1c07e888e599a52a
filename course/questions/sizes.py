"""Questions about sizes: outputs, padding, pooling, and receptive fields."""

from random import Random

from course.questions.bank import count_of, output_size, register, register_variant
from course.questions.question import NUMBER, SHAPE, SINGLE, Choice, Question

FIRST_POSITION = "Add 1 for the first position, before any step."


def _draw_convolution(rng: Random) -> dict:
    kernel_size = rng.choice([2, 3, 4, 5, 7])
    return {
        "size": rng.randint(20, 120),
        "kernel_size": kernel_size,
        "stride": rng.choice([1, 2, 3, 4]),
        "padding": rng.randint(0, kernel_size // 2),
    }


@register("output-size", _draw_convolution)
def conv_output_size(size=100, kernel_size=5, stride=1, padding=2):
    """Ask for the width of a convolution's output."""
    room = size - kernel_size + 2 * padding
    answer = room // stride + 1
    zeros = f"{count_of(padding, 'zero')} of padding on each side" if padding else "no padding"
    mistakes = [
        (room // stride, FIRST_POSITION),
        ((size - kernel_size + padding) // stride + 1, "The padding is on both sides: 2P."),
        ((size - kernel_size) // stride + 1, f"The padding of {padding} is missing."),
        (room + 1, f"With stride {stride}, the kernel moves by {stride} pixels at a time."),
        ((size - 1) // stride + 1, f"The kernel covers {kernel_size} pixels: W − F."),
        (size, "Only stride 1 with the right padding keeps the size."),
    ]
    if room % stride:
        mistakes.insert(
            0, (-(-room // stride) + 1, "Round down: the last step would cross the border.")
        )
    return Question(
        f"A convolution slides a {kernel_size} × {kernel_size} kernel over an input of {size} ×"
        f" {size}, with stride {stride} and {zeros}. How wide is the output?",
        NUMBER,
        answer,
        f"⌊(W − F + 2P)/S⌋ + 1 = ⌊({size} − {kernel_size} + {2 * padding})/{stride}⌋ + 1 ="
        f" {answer}.",
        mistakes,
        "⌊(W − F + 2P)/S⌋ + 1, with P on both sides.",
    )


def _draw_convolution_of_volume(rng: Random) -> dict:
    values = _draw_convolution(rng)
    return values | {"channels": rng.choice([1, 3, 8, 16]), "filters": rng.randint(4, 48)}


@register("output-shape", _draw_convolution_of_volume)
def conv_output_shape(size=100, channels=3, filters=10, kernel_size=5, stride=1, padding=2):
    """Ask for the shape of a convolution's output."""
    side = output_size(size, kernel_size, stride, padding)
    unpadded = output_size(size, kernel_size, stride, 0)
    one_side = (size - kernel_size + padding) // stride + 1
    return Question(
        f"A convolution with {count_of(filters, 'filter')} of size {kernel_size} × {kernel_size} ×"
        f" {channels}, stride {stride}, and padding {padding} is applied to a {size} × {size} ×"
        f" {channels} input. What is the shape of the output (height, width, channels)?",
        SHAPE,
        (side, side, filters),
        f"⌊({size} − {kernel_size} + {2 * padding})/{stride}⌋ + 1 = {side}, and each of the"
        f" {filters} filters produces one feature map.",
        [
            ((side, side, channels), "A filter sums over the channels: one map per filter."),
            (
                (side, side, filters * channels),
                "Each filter covers all channels and produces one feature map.",
            ),
            ((unpadded, unpadded, filters), f"The padding of {padding} on each side is missing."),
            ((one_side, one_side, filters), f"The padding of {padding} is on both sides: 2P."),
            ((side, side), "Each filter produces a feature map: there is a third dimension."),
        ],
        "the size by ⌊(W − F + 2P)/S⌋ + 1, and one feature map per filter.",
    )


register_variant(
    "output-shape-small", "output-shape", size=4, filters=2, kernel_size=2, stride=1, padding=0
)
register_variant(
    "output-shape-stride", "output-shape", size=4, filters=2, kernel_size=2, stride=2, padding=0
)


@register(
    "activation-maps",
    lambda rng: {
        "channels": rng.choice([3, 4, 8, 16]),
        "filters": rng.choice([2, 5, 6, 12, 24]),
        "kernel_size": rng.choice([2, 3, 5]),
    },
)
def activation_maps(channels=3, filters=2, kernel_size=2):
    """Ask how many feature maps a convolution produces."""
    return Question(
        f"{count_of(filters, 'filter')} of size {kernel_size} × {kernel_size} × {channels} slide"
        f" over an input with {channels} channels. How many feature maps do they produce?",
        NUMBER,
        filters,
        f"One feature map per filter, for any number of channels: {filters}.",
        [
            (channels, "These are the channels of the input; each filter sums over them."),
            (filters * channels, "A filter covers all channels: one feature map per filter."),
            (filters * kernel_size**2, "At each position, a filter computes one value."),
        ],
        "what one filter computes from all the channels.",
    )


@register(
    "padded-shape",
    lambda rng: {"size": rng.randint(20, 200), "padding": rng.randint(2, 6)},
)
def padded_shape(size=100, padding=3):
    """Ask for the size of a padded image."""
    side = size + 2 * padding
    return Question(
        f"Zero padding with P = {padding} is added around a {size} × {size} image. What is the"
        " shape of the result (height, width)?",
        SHAPE,
        (side, side),
        f"{padding} on the left and {padding} on the right: {size} + 2 · {padding} = {side}.",
        [
            ((size + padding,) * 2, "The zeros are added on both sides."),
            ((size, size), "The zeros make the image larger; a convolution shrinks it later."),
            ((size * padding,) * 2, "P is the number of zeros on each side, not a factor."),
        ],
        "how many zeros are on each of the two sides.",
    )


@register(
    "keep-size",
    lambda rng: {
        "size": rng.choice([64, 128, 224, 256, 300]),
        "kernel_size": rng.choice([3, 5, 7, 9]),
        "order": rng.sample(range(4), 4),
    },
)
def keep_size(size=512, kernel_size=5, order=(0, 1, 2, 3)):
    """Ask which stride and padding preserve the size."""
    half = kernel_size // 2
    pairs = [(1, half - 1), (2, half), (1, half), (2, half - 1)]
    choices = []
    for index in order:
        stride, padding = pairs[index]
        side = output_size(size, kernel_size, stride, padding)
        text = f"⌊({size} − {kernel_size} + {2 * padding})/{stride}⌋ + 1 = {side}"
        reason = f"{text}, the size of the input." if side == size else f"{text}, not {size}."
        choices.append(Choice(f"stride {stride}, padding {padding}", side == size, reason))
    return Question(
        f"The output of a convolution with a {kernel_size} × {kernel_size} kernel should be as"
        f" large as its {size} × {size} input. Which stride and padding achieve that?",
        SINGLE,
        choices=tuple(choices),
    )


@register(
    "keras-size",
    lambda rng: {
        "size": rng.choice([15, 17, 20, 25, 31, 50, 63]),
        "kernel_size": rng.choice([3, 5]),
        "stride": rng.choice([2, 3, 4]),
        "padding": rng.choice(["valid", "same"]),
    },
)
def keras_size(size=7, kernel_size=3, stride=2, padding="same"):
    """Ask for the output size when padding is specified as in Keras."""
    same, valid = -(-size // stride), (size - kernel_size) // stride + 1
    if padding == "same":
        answer, other_padding, other = same, "valid", valid
        formula = f"⌈{size}/{stride}⌉"
        unstrided = "'same' keeps the size only with stride 1."
        rounding = "Round up: 'same' pads until the last pixel is covered too."
    else:
        answer, other_padding, other = valid, "same", same
        formula = f"⌊({size} − {kernel_size})/{stride}⌋ + 1"
        unstrided = "'valid' adds no padding, and the stride skips positions."
        rounding = "The kernel must stay inside the input: ⌊(W − F)/S⌋ + 1."
    return Question(
        f"In Keras, a convolution with a {kernel_size} × {kernel_size} kernel, strides={stride},"
        f" and padding={padding!r} is applied to a {size} × {size} input. How wide is the output?",
        NUMBER,
        answer,
        f"For {padding!r}, the width is {formula} = {answer}.",
        [
            (other, f"That is the result of padding={other_padding!r}."),
            (size, unstrided),
            (size // stride, rounding),
            (answer - 1, FIRST_POSITION),
        ],
        "⌈W/S⌉ for 'same' and ⌊(W − F)/S⌋ + 1 for 'valid'.",
    )


@register(
    "pool-size",
    lambda rng: {
        "size": rng.choice([32, 40, 48, 56, 72, 96]),
        "pool_size": rng.choice([3, 5]),
    },
)
def pooling_output_size(size=64, pool_size=3, stride=2):
    """Ask for the output size of overlapping pooling."""
    answer, same = (size - pool_size) // stride + 1, -(-size // stride)
    overlap = f"That is the result of stride {pool_size}; here the pooling windows overlap."
    return Question(
        f"Max pooling over {pool_size} × {pool_size} windows with stride {stride} and padding"
        f" 'valid' is applied to a {size} × {size} input. How wide is the output?",
        NUMBER,
        answer,
        f"⌊({size} − {pool_size})/{stride}⌋ + 1 = {answer}.",
        [
            (size // pool_size, overlap),
            (-(-size // pool_size), overlap),
            (same, "That is the result of padding 'same'."),
            (size - pool_size + 1, f"That is the result of stride 1; here the stride is {stride}."),
            (answer - 1, "Add 1 for the first position of the window, before any step."),
            (answer + 1, "Round down: the last pooling window must stay inside the input."),
        ],
        "⌊(W − F)/S⌋ + 1, with division by the stride and not by the pool size.",
    )


@register(
    "receptive-field",
    lambda rng: {"layers": rng.randint(2, 6), "kernel_size": rng.choice([3, 5, 7])},
)
def receptive_field(layers=3, kernel_size=3):
    """Ask for the receptive field of a stack of convolutions."""
    answer = layers * (kernel_size - 1) + 1
    return Question(
        f"A network consists of {layers} convolutions, each {kernel_size} × {kernel_size} with"
        " stride 1. How many pixels wide is the part of the image that one activation of the last"
        " layer depends on?",
        NUMBER,
        answer,
        f"Start at 1 and add {kernel_size - 1} for each layer: 1 + {layers} · {kernel_size - 1} ="
        f" {answer}.",
        [
            (layers * kernel_size, "The kernels overlap: each layer adds its kernel size minus 1."),
            (kernel_size, "That is the receptive field of one layer."),
            (kernel_size**layers, "The kernels overlap; sizes are added, not multiplied."),
            (layers * (kernel_size - 1), "Don't forget the pixel in the middle: add 1."),
            (answer**2, "That is the area; the question asks for the width."),
        ],
        "1 + layers · (kernel size − 1).",
    )
