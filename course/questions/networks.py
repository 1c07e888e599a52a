"""Questions about whole networks: where they shrink, where parameters are, what a layer is."""

from functools import partial

from course.questions import registry
from course.questions.question import NUMBER, SHAPE, SINGLE, Choice, Question
from course.questions.registry import counted

BANK = {}
in_bank = partial(registry.in_bank, BANK)


def _draw_maps(random):
    return {
        "size": random.choice([28, 40, 56, 64, 96]),
        "window": random.choice([3, 5]),
        "channels": random.choice([16, 32, 48]),
        "filters": random.choice([64, 80, 96]),
    }


@in_bank("same-shape", _draw_maps)
def same_shape(size=112, window=3, channels=64, filters=128):
    """Ask for the output shape of a convolution that keeps the size."""
    padding = window // 2
    return Question(
        f"A volume of {size} × {size} × {channels} goes into a convolution with {filters} filters"
        f" of {window} × {window}, stride 1 and padding {padding}. Which shape comes out (height,"
        " width, channels)?",
        SHAPE,
        (size, size, filters),
        f"With stride 1, a padding of {padding} makes up for a window of {window}: the size stays,"
        f" and each of the {filters} filters makes a map.",
        [
            ((size, size), f"Each of the {filters} filters makes a map: three dimensions."),
            (
                (size // 2, size // 2, filters),
                "Stride 1 halves nothing; the next pooling layer will.",
            ),
            ((size, size, channels), f"The depth is the number of filters, {filters}."),
            ((size, size, channels + filters), "The filters' maps take the place of the channels."),
            (
                (size - window + 1, size - window + 1, filters),
                f"The padding of {padding} makes up for the window.",
            ),
        ],
        "the size with stride 1 and padding, and one map a filter.",
    )


def _draw_pooled(random):
    first = random.choice([8, 16, 24, 32])
    return {
        "size": random.choice([96, 128, 224, 256, 320]),
        "filters": [first, 2 * first, 4 * first][: random.choice([2, 3])],
    }


@in_bank("pooled-shape", _draw_pooled)
def pooled_shape(size=512, filters=(32, 64)):
    """Ask for the shape behind several blocks of convolutions and a pooling layer."""
    blocks, last = len(filters), filters[-1]
    side, before = size // 2**blocks, size // 2 ** (blocks - 1)
    listed = ", ".join(f"{count}" for count in filters[:-1])
    return Question(
        f"A picture of {size} × {size} × 3 goes through {blocks} blocks. Each is two convolutions"
        " that keep the size and a 2 × 2 max pooling with stride 2; the convolutions have"
        f" {listed} and {last} filters, block by block. Which shape has the output of the last"
        " pooling layer (height, width, channels)?",
        SHAPE,
        (side, side, last),
        f"Every pooling layer halves {size}, {blocks} times: {side}; the last convolution makes"
        f" {last} maps.",
        [
            ((before, before, filters[-2]), "That is one block too early."),
            ((before, before, last), f"There are {blocks} pooling layers; that is one less."),
            ((side // 2, side // 2, last), f"There are {blocks} pooling layers; that is one more."),
            ((side, side, filters[-2]), "Pooling keeps the channels; the last block changed them."),
            ((size, size, last), "The convolutions keep the size; the pooling layers do not."),
            ((side, side, 3), "The channels are those of the last convolution, not the picture's."),
            ((side, side, sum(filters)), "A block's maps take the place of those before."),
        ],
        f"how often {size} is halved, and how many filters came last.",
    )


def _draw_shrinking(random):
    window = random.choice([3, 5])
    return {
        "window": window,
        "padding": random.choice([0, window // 2]),
        "pools": random.choice([True, False]),
        "order": random.sample(range(4), 4),
    }


@in_bank("shrinkage", _draw_shrinking)
def shrinkage(window=3, padding=1, pools=True, order=(0, 1, 2, 3)):
    """Ask which layers make the picture smaller."""
    convs = padding < window // 2
    told = (
        f"A padding of {padding} makes up for a window of {window}: the convolutions keep height"
        " and width."
        if not convs
        else f"Without padding a window of {window} takes {window - 1} pixels of the width."
    )
    told += (
        " Each pooling layer halves height and width." if pools else " There is no pooling layer."
    )
    claims = [
        ("the convolutions only", convs and not pools),
        ("the pooling layers only", pools and not convs),
        ("both the convolutions and the pooling layers", convs and pools),
        ("neither: only the dense layers reduce anything", not convs and not pools),
    ]
    choices = [Choice(text, is_right, told) for text, is_right in claims]
    ends = "each block ends with a 2 × 2 pooling with stride 2" if pools else "nothing is pooled"
    return Question(
        f"In a network of {window} × {window} convolutions with stride 1 and padding {padding},"
        f" {ends}. What shrinks height and width?",
        SINGLE,
        choices=tuple(choices[place] for place in order),
    )


KINDS = ("Convolution", "Pooling", "Flatten", "Dense")


def _draw_layer(random):
    return {
        "kind": random.choice(KINDS),
        "side": random.choice([8, 12, 16, 32]),
        "channels": random.choice([16, 32, 64]),
        "order": random.sample(range(4), 4),
    }


@in_bank("layer-kind", _draw_layer)
def layer_kind(kind="Flatten", side=128, channels=64, order=(0, 1, 2, 3)):
    """Ask what kind a layer T is, by what goes in and what comes out."""
    volume, flat = f"{side} × {side} × {channels}", side * side * channels
    # The parameters tell a pooling from a convolution with a stride.
    shapes = {
        "Convolution": (volume, f"{side} × {side} × {2 * channels}", 2 * channels * 9 * channels),
        "Pooling": (volume, f"{side // 2} × {side // 2} × {channels}", 0),
        "Flatten": (volume, f"a row of {flat:,} numbers", 0),
        "Dense": (f"a row of {flat:,} numbers", "a row of 100 numbers", 100 * flat),
    }
    does = {
        "Convolution": "makes one map a filter, and so changes the depth",
        "Pooling": "makes height and width smaller and keeps the depth",
        "Flatten": "lays all numbers of a volume in a row and loses none",
        "Dense": "turns a row of numbers into one number a unit",
    }
    before, after, weights = shapes[kind]
    choices = [
        Choice(
            each,
            each == kind,
            f"A {each.lower()} layer {does[each]}: "
            + ("just that happens here." if each == kind else "that is not what happens here."),
        )
        for each in KINDS
    ]
    return Question(
        f"Layer T gets {before}, gives {after} and has"
        f" {counted(weights, 'weight') if weights else 'no weights'}. Of what kind is it?",
        SINGLE,
        choices=tuple(choices[place] for place in order),
    )


@in_bank("output-units", lambda random: {"classes": random.choice([2, 4, 5, 6, 7, 12, 20])})
def output_units(classes=3, features=100):
    """Ask how many units the last layer of a classifier has."""
    return Question(
        f"A network tells {classes} kinds of pictures apart. Its last layer is a softmax behind a"
        f" dense layer with {features:,} units. How many units has the last layer?",
        NUMBER,
        classes,
        f"One probability a class: {classes}.",
        [
            (1000, "1,000 are the classes of ImageNet; here they are others."),
            (features, "That is the layer before; the last has a unit a class."),
            (1, "One unit, a sigmoid, tells two classes apart; a softmax has a unit a class."),
            (classes - 1, "A softmax has a unit for every class, the last one too."),
            (classes * features, "Those are its weights; units are asked."),
        ],
        "what a softmax gives for each class.",
    )


def _draw_classifier(random):
    return {
        "size": random.choice([32, 48, 64]),
        "filters": random.choice([[8, 16, 64], [16, 32, 128], [16, 24, 512], [4, 32, 256]]),
        "units": random.choice([2, 3, 5, 8]),
        "order": random.sample(range(4), 4),
    }


@in_bank("most-parameters", _draw_classifier)
def most_parameters(size=64, filters=(16, 32, 128), units=5, order=(0, 1, 2, 3)):
    """Ask which of four layers has the most parameters."""
    one, two, three = filters
    side = (size - 3) // 2 + 1
    counts = {
        f"the convolution with {one} filters of 3 × 3": one * (9 * 3 + 1),
        f"the convolution with {two} filters of 5 × 5": two * (25 * one + 1),
        f"the convolution with {three} filters of 3 × 3": three * (9 * two + 1),
        f"the dense layer with {units} units": units * (side * side * three + 1),
    }
    largest = max(counts.values())
    choices = [
        Choice(name, count == largest, f"It has {count:,}; the largest has {largest:,}.")
        for name, count in counts.items()
    ]
    return Question(
        f"{size} × {size} × 3 → {one} filters 3 × 3 'same' → {two} filters 5 × 5 'same' → max"
        f" pooling 3 × 3, stride 2, 'valid' → {three} filters 3 × 3 'same' → flatten → dense with"
        f" {units} units. Without calculating: which layer has the most parameters?",
        SINGLE,
        choices=tuple(choices[place] for place in order),
    )


@in_bank(
    "stacked-weights",
    lambda random: {
        "layers": random.choice([2, 3]),
        "channels": random.choice([16, 32, 48, 96, 128, 256]),
    },
)
def stacked_weights(layers=2, channels=64):
    """Ask for the weights of small convolutions that see as much as a large one."""
    window = 2 * layers + 1
    stack, one = layers * 9 * channels * channels, window * window * channels * channels
    return Question(
        f"A convolution of {window} × {window} is replaced by {layers} convolutions of 3 × 3 in a"
        f" row, which see as much of the input. Each has {channels} channels in and {channels} out."
        f" How many weights have the {layers} together, without biases?",
        NUMBER,
        stack,
        f"{layers} · 3 · 3 · {channels} · {channels} = {stack:,}; the {window} × {window} has"
        f" {one:,}.",
        [
            (one, f"That is the one convolution of {window} × {window}, which they replace."),
            (stack // layers, f"That is one of the {layers} convolutions."),
            (stack + layers * channels, "That is with biases; here weights are asked."),
            (layers * 9 * channels, f"Each of the {channels} filters is {channels} channels deep."),
            (layers * 9, "That is for one channel in and one out."),
            (9**layers * channels * channels, "The weights of layers are added, not multiplied."),
        ],
        "layers · 3 · 3 · channels in · channels out.",
    )


@in_bank(
    "weight-layers",
    lambda random: {
        "blocks": [random.choice([1, 2, 3, 4]) for _ in range(random.choice([3, 4, 5, 6]))],
        "dense": random.choice([1, 2, 3]),
    },
)
def weight_layers(blocks=(2, 2, 3, 3, 3), dense=3):
    """Ask how many layers of a network have weights."""
    convs = sum(blocks)
    listed = ", ".join(str(count) for count in blocks[:-1]) + f" and {blocks[-1]}"
    return Question(
        f"A network has {len(blocks)} blocks of {listed} convolutions, each block with a pooling"
        f" layer at its end. Then follow a flatten layer and {counted(dense, 'dense layer')}. How"
        " many layers with weights does it have?",
        NUMBER,
        convs + dense,
        f"{convs} convolutions and {dense} dense: {convs + dense}. Pooling and flatten have nothing"
        " to learn.",
        [
            (convs + dense + len(blocks), "A pooling layer has no weights: it takes the largest."),
            (
                convs + dense + len(blocks) + 1,
                "Pooling layers and flatten have no weights: there is nothing to learn in them.",
            ),
            (convs + dense + 1, "Flatten has no weights: it only lays the numbers in a row."),
            (convs, "The dense layers have weights too."),
            (len(blocks) + dense, "A block is several convolutions, each with its own weights."),
        ],
        "convolutions and dense layers, and nothing else.",
    )
