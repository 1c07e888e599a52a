"""Questions about one layer: sizes, parameters, connections, receptive fields."""

from functools import partial

from course.questions.question import NUMBER, SEVERAL, SHAPE, SINGLE, Choice, Question

BANK = {}


def in_bank(name, draw, bank=BANK):
    """Return a decorator that puts a formula into a bank, with the function that draws for it."""

    def put(formula):
        formula.draw = draw
        bank[name] = formula
        return formula

    return put


def preset(name, formula, bank=BANK, **numbers):
    """Put a formula into a bank again, with other numbers as those of the course's text."""
    again = partial(formula, **numbers)
    again.draw = formula.draw
    bank[name] = again


def output_size(size, window, stride, padding):
    """Return floor((W - F + 2 P) / S) + 1, the size of a convolution's output."""
    return (size - window + 2 * padding) // stride + 1


def counted(number, noun):
    """Return a number with its noun, in the plural where it is one."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


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
    slips = [
        (reach // stride, "The window also has a first place, before any step: + 1."),
        (
            (size - window + padding) // stride + 1,
            f"The padding of {padding} is on both sides: 2P.",
        ),
        ((size - window) // stride + 1, f"The padding of {padding} on each side is forgotten."),
        (reach + 1, f"With stride {stride} the window takes only every {stride}th place."),
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
        f" with stride {stride} and {padding} zeros of padding on each side. How wide is its"
        " output?",
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
        f" {channels} channels. How many weights is that, without biases?",
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
        f"Now each of the {units:,} units sees only a patch of {window} × {window} of that picture"
        f" with {channels} channels, and has weights of its own. How many weights, without biases?",
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
                "That is what it was before: each unit sees a patch now.",
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
        f"Now all {units:,} units share: each applies {each} of {window} × {window} × {channels} at"
        " its place. How many parameters, biases included?",
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
        f" input of {size} × {size}. How wide is the output?",
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
