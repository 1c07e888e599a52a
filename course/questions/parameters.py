"""Questions about the parameters and connections of one layer."""

from functools import partial

from course.questions import registry
from course.questions.question import NUMBER, SEVERAL, Choice, Question
from course.questions.registry import counted

BANK = {}
in_bank, preset = partial(registry.in_bank, BANK), partial(registry.preset, BANK)


def _draw_conv(random):
    return {
        "window": random.choice([1, 3, 5, 7]),
        "channels": random.choice([3, 8, 12, 16, 24, 32, 48]),
        "filters": random.choice([10, 20, 40, 64, 80, 96]),
    }


@in_bank("conv-parameters", _draw_conv)
def conv_parameters(window=3, channels=64, filters=64):
    """Ask for the parameters of a convolutional layer with biases."""
    area = window * window
    weights = area * channels * filters
    return Question(
        f"A convolutional layer has {counted(filters, 'filter')} of {window} × {window} and gets an"
        f" input with {channels} channels. How many parameters does it have?",
        NUMBER,
        weights + filters,
        f"{filters} · {window} · {window} · {channels} = {weights:,} weights and {filters} biases:"
        f" {weights + filters:,}.",
        [
            (weights, f"Don't forget the biases: one for each of the {filters} filters."),
            (
                filters * (area + 1),
                f"Each filter covers all {channels} input channels:"
                f" {window} · {window} · {channels} weights.",
            ),
            (
                filters * ((area + 1) * channels + 1),
                "A bias for each slice is too many: a filter"
                " adds one bias to the sum over all its slices.",
            ),
            (
                filters * (area + 1) * channels,
                f"A filter has one bias, not one for each of its {channels} slices.",
            ),
            (area * channels + 1, f"That is one filter; there are {filters}."),
            (
                filters * (area * 3 + 1),
                f"That is for an input with 3 channels, a picture; here it has {channels}.",
            ),
            (
                weights + channels,
                f"The biases belong to the {filters} filters, not to the"
                f" {channels} input channels.",
            ),
            (weights + 1, "Each filter has a bias of its own."),
            (
                filters * (window * channels + 1),
                f"The window has {window} · {window} places, not {window}.",
            ),
            (
                filters * (area * filters + 1),
                f"A filter is as deep as the input, {channels}; the"
                f" {filters} filters are counted once.",
            ),
        ],
        "filters · (window · window · channels + 1).",
    )


preset("conv-parameters-first", conv_parameters, window=3, channels=3, filters=64)


preset("conv-parameters-512", conv_parameters, window=3, channels=32, filters=32)


@in_bank(
    "dense-parameters",
    lambda random: {
        "side": random.choice([4, 5, 6, 8]),
        "channels": random.choice([16, 32, 48, 64]),
        "units": random.choice([10, 20, 50, 100, 120]),
    },
)
def dense_parameters(side=7, channels=512, units=4096):
    """Ask for the parameters of a dense layer behind a volume."""
    inputs = side * side * channels
    return Question(
        f"A volume of {side} × {side} × {channels} is flattened and goes into a dense layer with"
        f" {units:,} units. How many parameters does that layer have?",
        NUMBER,
        inputs * units + units,
        f"{side} · {side} · {channels} = {inputs:,} inputs; times {units:,} units and {units:,}"
        f" biases: {inputs * units + units:,}.",
        [
            (inputs * units, f"Don't forget the biases: one for each of the {units:,} units."),
            (
                (side * side + 1) * units,
                f"Flattening keeps all {channels} channels: {inputs:,} inputs.",
            ),
            (
                (channels + 1) * units,
                f"Flattening keeps all {side} · {side} places: {inputs:,} inputs.",
            ),
            (
                inputs * units + inputs,
                f"The biases belong to the {units:,} units, not to the inputs.",
            ),
            (inputs * units + 1, "Each unit has a bias of its own."),
            (inputs + units, "Each unit has a weight for each input: multiply."),
        ],
        "inputs · units + units, where flattening keeps every number of the volume.",
    )


def _draw_sight(random):
    return {
        "side": random.choice([50, 64, 80, 120, 200]),
        "channels": random.choice([3, 4]),
        "units": random.choice([400, 500, 800, 1_200]),
        "window": random.choice([3, 4, 6, 7]),
    }


@in_bank("dense-weights", _draw_sight)
def dense_weights(side=100, channels=3, units=1_000, window=5):
    """Ask for the weights of a dense layer on a picture."""
    pixels = side * side
    return Question(
        f"Every one of {units:,} units sees every number of a picture of {side} × {side} with"
        f" {counted(channels, 'channel')}. How many weights is that, without biases?",
        NUMBER,
        pixels * channels * units,
        f"{side} · {side} · {channels} = {pixels * channels:,} inputs times {units:,} units:"
        f" {pixels * channels * units:,}.",
        [
            (
                pixels * units,
                f"Each pixel is {channels} numbers: that is the count for one channel.",
            ),
            (pixels * channels, f"That is one unit; there are {units:,}."),
            (pixels * channels * units + units, "That is with biases; here weights are asked."),
            (side * channels * units, f"A picture of {side} × {side} has {pixels:,} pixels."),
        ],
        "numbers in the picture times units.",
    )


preset("dense-weights-grey", dense_weights, channels=1)


@in_bank("local-weights", _draw_sight)
def local_weights(side=100, channels=3, units=1_000, window=5):
    """Ask for the weights of units that see a patch each."""
    patch = window * window
    return Question(
        f"Each of {units:,} units sees only a patch of {window} × {window} of a picture of"
        f" {side} × {side} with {counted(channels, 'channel')}, and has weights of its own. How"
        " many weights is that, without biases?",
        NUMBER,
        patch * channels * units,
        f"{window} · {window} · {channels} = {patch * channels} a unit, times {units:,}:"
        f" {patch * channels * units:,}.",
        [
            (patch * units, f"A patch reaches through all {channels} channels."),
            (patch * channels, f"That is one unit; there are {units:,}, each with its own."),
            ((patch * channels + 1) * units, "That is with biases; here weights are asked."),
            (
                side * side * channels * units,
                "That is a dense layer: here each unit sees a patch only.",
            ),
        ],
        "numbers in a patch times units.",
    )


preset("local-weights-grey", local_weights, channels=1)


@in_bank(
    "shared-weights",
    lambda random: _draw_sight(random) | {"filters": random.choice([1, 8, 10, 20])},
)
def shared_weights(side=100, channels=3, units=1_000, window=5, filters=1):
    """Ask for the parameters of units that share weights."""
    patch = window * window * channels
    each = "the same filter" if filters == 1 else f"one of the same {filters} filters"
    return Question(
        f"On a picture with {counted(channels, 'channel')}, {units:,} units share their weights:"
        f" each applies {each} of {window} × {window} × {channels} at its place. How many"
        " parameters is that, biases included?",
        NUMBER,
        (patch + 1) * filters,
        f"{patch} weights and 1 bias a filter: {(patch + 1) * filters:,}, however many places.",
        [
            (patch * filters, "Don't forget the biases: one a filter."),
            ((patch + 1) * units, "The units share the weights: count filters, not places."),
            (patch * units, "The units share the weights: count filters, not places."),
            ((window * window + 1) * filters, f"A filter reaches through all {channels} channels."),
        ],
        "filters · (window · window · channels + 1); places do not count.",
    )


def _draw_facts(random):
    return _draw_conv(random) | {
        "size": random.choice([16, 20, 24, 40]),
        "window": random.choice([3, 5]),
        "order": random.sample(range(6), 6),
        "wrong": random.sample(range(4), 4),
    }


@in_bank("conv-facts", _draw_facts)
def conv_facts(
    size=32, window=3, channels=3, filters=16, order=(0, 1, 2, 3, 4, 5), wrong=(0, 1, 2, 3)
):
    """Ask which statements about a convolutional layer are true."""
    area = window * window
    count = filters * (area * channels + 1)
    dense = size * size * channels * size * size * filters
    claims = [
        (count, True, "filters · (window · window · channels + 1)."),
        (filters * area * channels, False, "the biases are missing."),
        (filters * (area + 1), False, "each filter covers all channels."),
        (filters * ((area + 1) * channels + 1), False, "a filter has one bias, not one a slice."),
    ]
    claim, is_right, why = claims[wrong[0]]
    side = size if wrong[1] % 2 == 0 else size - window + 1
    statements = [
        Choice(f"It has {claim:,} parameters.", is_right, f"It has {count:,}: {why}"),
        Choice(
            f"Its output is {side} × {side} × {filters}.",
            side == size,
            f"'same' keeps {size} × {size}, and each filter makes a map.",
        ),
        Choice(
            "On an input of twice the height and width it has four times the parameters.",
            False,
            "The same filters serve every place: the count does not know the size of the input.",
        ),
        Choice(
            f"Each of its filters holds {area * channels} weights.",
            True,
            f"{window} · {window} places through all {channels} channels.",
        ),
        Choice(
            "A dense layer from the same input to as many outputs has fewer weights.",
            False,
            f"That one has {dense:,}: every output would have a weight for every input.",
        ),
        Choice(
            "Two pixels of one of its output maps were made with the same weights.",
            True,
            "That is parameter sharing: a map is one filter, slid over all places.",
        ),
    ]
    return Question(
        f"A convolutional layer, {counted(filters, 'filter')} of {window} × {window}, stride 1,"
        f" padding 'same', gets an input of {size} × {size} × {channels}. What is true of it?",
        SEVERAL,
        choices=tuple(statements[place] for place in order),
    )
