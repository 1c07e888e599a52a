"""Questions about the parameters and connections of one layer."""

from random import Random

from course.questions.bank import count_of, register, register_variant
from course.questions.question import NUMBER, SEVERAL, Choice, Question

WITH_BIASES = "That includes the biases; count only the weights."


def _draw_convolution(rng: Random) -> dict:
    return {
        "kernel_size": rng.choice([1, 3, 5, 7]),
        "channels": rng.choice([3, 8, 12, 16, 24, 32, 48]),
        "filters": rng.choice([10, 20, 40, 64, 80, 96]),
    }


@register("conv-parameters", _draw_convolution)
def conv_parameters(kernel_size=3, channels=64, filters=64):
    """Ask for the number of parameters in a convolutional layer with biases."""
    area = kernel_size * kernel_size
    weights = area * channels * filters
    return Question(
        f"A convolutional layer with {count_of(filters, 'filter')} of size {kernel_size} ×"
        f" {kernel_size} has an input with {channels} channels. How many parameters does the layer"
        " have?",
        NUMBER,
        weights + filters,
        f"{filters} · {kernel_size} · {kernel_size} · {channels} = {weights:,} weights and"
        f" {filters} biases: {weights + filters:,}.",
        [
            (weights, f"Don't forget the biases: one for each of the {filters} filters."),
            (filters * (area + 1), f"Each filter covers all {channels} input channels."),
            (
                filters * ((area + 1) * channels + 1),
                "A bias for each input channel is too many: there is one per filter.",
            ),
            (filters * (area + 1) * channels, "A filter has one bias, not one per input channel."),
            (area * channels + 1, f"That is one filter; there are {filters}."),
            (
                filters * (area * 3 + 1),
                f"That is for an input with 3 channels; here it has {channels}.",
            ),
            (weights + channels, "There is one bias per filter, not one per input channel."),
            (weights + 1, "Each filter has its own bias."),
            (filters * (kernel_size * channels + 1), f"The kernel covers {area} positions."),
            (filters * (area * filters + 1), f"A filter is as deep as the input: {channels}."),
        ],
        "filters · (kernel height · kernel width · input channels + 1).",
    )


register_variant("conv-parameters-first", "conv-parameters", channels=3)
register_variant("conv-parameters-512", "conv-parameters", channels=32, filters=32)


def layer_count(count, repeated, hint, mistakes):
    """Return a question about the number of parameters of a layer that the notebook describes.

    Parameters
    ----------
    count : int
        The right answer, such as the count in Keras.
    repeated : int
        The number of filters or units; 0 if the layer has none.
    hint : str
        What to check if the answer is not a common mistake.
    mistakes : dict of int to str
        Common wrong answers, each mapped to its reason. Forgotten biases and the count of a single
        filter or unit are added to them.

    Returns
    -------
    Question
        A question whose answer is a number.
    """
    each = count // max(repeated, 1)
    reason = f"That is for one filter or unit; there are {repeated}."
    wrong = [(count - repeated, "The biases are missing."), *mistakes.items()]
    wrong += [(each, reason), (each - 1, reason)]
    return Question("", NUMBER, count, "This matches the count in Keras.", wrong, hint)


@register(
    "dense-parameters",
    lambda rng: {
        "side": rng.choice([4, 5, 6, 8]),
        "channels": rng.choice([16, 32, 48, 64]),
        "units": rng.choice([10, 20, 50, 100, 120]),
    },
)
def dense_parameters(side=7, channels=512, units=4096):
    """Ask for the number of parameters in a dense layer after a flattened volume."""
    inputs = side * side * channels
    return Question(
        f"A volume of {side} × {side} × {channels} is flattened and passed to a dense layer with"
        f" {units:,} units. How many parameters does the dense layer have?",
        NUMBER,
        inputs * units + units,
        f"{side} · {side} · {channels} = {inputs:,} inputs; times {units:,} units, plus"
        f" {units:,} biases: {inputs * units + units:,}.",
        [
            (inputs * units, f"Don't forget the biases: one for each of the {units:,} units."),
            ((side * side + 1) * units, f"Flattening keeps all {channels} channels."),
            ((channels + 1) * units, f"Flattening keeps all {side} · {side} positions."),
            (inputs * units + inputs, "There is one bias per unit, not one per input."),
            (inputs * units + 1, "Each unit has its own bias."),
            (inputs + units, "Each unit has a weight for each input: multiply."),
        ],
        "inputs · units + units; flattening keeps every value of the volume.",
    )


def _draw_units(rng: Random) -> dict:
    return {
        "side": rng.choice([50, 64, 80, 120, 200]),
        "channels": rng.choice([3, 4]),
        "units": rng.choice([400, 500, 800, 1_200]),
        "kernel_size": rng.choice([3, 4, 6, 7]),
    }


@register("dense-weights", _draw_units)
def dense_weights(side=100, channels=3, units=1_000, kernel_size=5):
    """Ask for the number of weights in a dense layer that is applied to an image."""
    pixels = side * side
    return Question(
        f"Each of {units:,} units is connected to every value of a {side} × {side} image with"
        f" {count_of(channels, 'channel')}. How many weights are there, without biases?",
        NUMBER,
        pixels * channels * units,
        f"{side} · {side} · {channels} = {pixels * channels:,} inputs times {units:,} units:"
        f" {pixels * channels * units:,}.",
        [
            (pixels * units, f"That is for one channel; there are {channels}."),
            (pixels * channels, f"That is one unit; there are {units:,}."),
            (pixels * channels * units + units, WITH_BIASES),
            (side * channels * units, f"An image of {side} × {side} has {pixels:,} pixels."),
        ],
        "the number of values in the image times the number of units.",
    )


register_variant("dense-weights-gray", "dense-weights", channels=1)


@register("local-weights", _draw_units)
def local_weights(side=100, channels=3, units=1_000, kernel_size=5):
    """Ask for the number of weights of units that are connected to one patch each."""
    area = kernel_size * kernel_size
    return Question(
        f"Each of {units:,} units is connected to only one {kernel_size} × {kernel_size} patch of a"
        f" {side} × {side} image with {count_of(channels, 'channel')}, and has its own weights. How"
        " many weights are there, without biases?",
        NUMBER,
        area * channels * units,
        f"{kernel_size} · {kernel_size} · {channels} = {area * channels} per unit, times"
        f" {units:,}: {area * channels * units:,}.",
        [
            (area * units, f"A patch covers all {channels} channels."),
            (area * channels, f"That is one unit; there are {units:,}, each with its own weights."),
            ((area * channels + 1) * units, WITH_BIASES),
            (
                side * side * channels * units,
                "That is a dense layer, connected to the whole image.",
            ),
        ],
        "the number of values in a patch times the number of units.",
    )


register_variant("local-weights-gray", "local-weights", channels=1)


@register(
    "shared-weights",
    lambda rng: _draw_units(rng) | {"filters": rng.choice([1, 8, 10, 20])},
)
def shared_weights(side=100, channels=3, units=1_000, kernel_size=5, filters=1):
    """Ask for the number of parameters of units that share weights."""
    weights = kernel_size * kernel_size * channels
    each = "the same filter" if filters == 1 else f"one of the same {filters} filters"
    shared = "The units share the weights: count filters, not positions."
    return Question(
        f"On an image with {count_of(channels, 'channel')}, {units:,} units share their weights:"
        f" each applies {each} of size {kernel_size} × {kernel_size} × {channels} at its position."
        " How many parameters are there, including biases?",
        NUMBER,
        (weights + 1) * filters,
        f"{weights} weights and 1 bias per filter, for any number of positions:"
        f" {(weights + 1) * filters:,}.",
        [
            (weights * filters, "Don't forget the biases: one per filter."),
            ((weights + 1) * units, shared),
            (weights * units, shared),
            (weights * filters + units, "A bias is shared too: there is one per filter."),
            ((kernel_size**2 + 1) * filters, f"A filter covers all {channels} channels."),
        ],
        "filters · (kernel height · kernel width · channels + 1), for any number of positions.",
    )


def _draw_facts(rng: Random) -> dict:
    return _draw_convolution(rng) | {
        "size": rng.choice([16, 20, 24, 40]),
        "kernel_size": rng.choice([3, 5]),
        "order": rng.sample(range(6), 6),
        "wrong": rng.sample(range(4), 4),
    }


@register("conv-facts", _draw_facts)
def conv_facts(
    size=32, kernel_size=3, channels=3, filters=16, order=(0, 1, 2, 3, 4, 5), wrong=(0, 1, 2, 3)
):
    """Ask which statements about a convolutional layer are true."""
    area = kernel_size * kernel_size
    parameters = filters * (area * channels + 1)
    dense = size * size * channels * size * size * filters
    claims = [
        (parameters, True, "filters · (kernel height · kernel width · channels + 1)."),
        (filters * area * channels, False, "the biases are missing."),
        (filters * (area + 1), False, "each filter covers all channels."),
        (filters * ((area + 1) * channels + 1), False, "a filter has only one bias."),
    ]
    claimed, is_right, why = claims[wrong[0]]
    side = size if wrong[1] % 2 == 0 else size - kernel_size + 1
    statements = [
        Choice(f"It has {claimed:,} parameters.", is_right, f"It has {parameters:,}: {why}"),
        Choice(
            f"Its output is {side} × {side} × {filters}.",
            side == size,
            f"'same' keeps {size} × {size}, and each filter produces a feature map.",
        ),
        Choice(
            "If the input is twice as tall and twice as wide, the layer has four times as many"
            " parameters.",
            False,
            "The same filters are applied at every position: the count does not depend on the size"
            " of the input.",
        ),
        Choice(
            f"Each of its filters has {area * channels} weights.",
            True,
            f"{kernel_size} · {kernel_size} positions in each of {channels} channels.",
        ),
        Choice(
            "A dense layer with the same inputs and the same number of outputs has fewer weights.",
            False,
            f"It has {dense:,}: every output would have a weight for every input.",
        ),
        Choice(
            "Any two values in one of its feature maps are computed with the same weights.",
            True,
            "That is parameter sharing: a feature map is one filter applied at all positions.",
        ),
    ]
    return Question(
        f"A convolutional layer with {count_of(filters, 'filter')} of size {kernel_size} ×"
        f" {kernel_size}, stride 1, and padding 'same' has a {size} × {size} × {channels} input."
        " Which statements about the layer are true?",
        SEVERAL,
        choices=tuple(statements[index] for index in order),
    )
