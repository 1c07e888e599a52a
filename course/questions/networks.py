"""Questions about whole networks: their shapes, their parameters, and the types of their layers."""

from random import Random

from course.questions.bank import count_of, register
from course.questions.question import NUMBER, SHAPE, SINGLE, Choice, Question


@register(
    "same-shape",
    lambda rng: {
        "size": rng.choice([28, 40, 56, 64, 96]),
        "kernel_size": rng.choice([3, 5]),
        "channels": rng.choice([16, 32, 48]),
        "filters": rng.choice([64, 80, 96]),
    },
)
def same_shape(size=112, kernel_size=3, channels=64, filters=128):
    """Ask for the output shape of a convolution that keeps the size."""
    padding = kernel_size // 2
    unpadded = size - kernel_size + 1
    return Question(
        f"A convolution with {filters} filters of {kernel_size} × {kernel_size}, stride 1,"
        f" and padding {padding} is applied to a volume of {size} × {size} × {channels}. What is"
        " the shape of the output (height, width, channels)?",
        SHAPE,
        (size, size, filters),
        f"With stride 1, a padding of {padding} compensates for a kernel of size {kernel_size}: the"
        f" size stays the same, and each of the {filters} filters produces a feature map.",
        [
            ((size, size), f"Each of the {filters} filters produces a feature map: 3 dimensions."),
            ((size // 2, size // 2, filters), "Stride 1 does not halve the size; pooling does."),
            (
                (size, size, channels),
                f"The number of output channels is the number of filters, {filters}.",
            ),
            ((size, size, channels + filters), "The feature maps replace the input channels."),
            ((unpadded, unpadded, filters), f"A padding of {padding} compensates for the kernel."),
        ],
        "the size with stride 1 and padding, and one feature map per filter.",
    )


def _draw_blocks(rng: Random) -> dict:
    first = rng.choice([8, 16, 24, 32])
    return {
        "size": rng.choice([96, 128, 224, 256, 320]),
        "filters": [first, 2 * first, 4 * first][: rng.choice([2, 3])],
    }


@register("pooled-shape", _draw_blocks)
def pooled_shape(size=512, filters=(32, 64)):
    """Ask for the shape after several blocks, each of convolutions and a pooling layer."""
    blocks, last = len(filters), filters[-1]
    side, before = size // 2**blocks, size // 2 ** (blocks - 1)
    listed = f"{filters[0]} filters in the first block"
    listed += " and" if blocks == 2 else f", {filters[1]} in the second, and"
    listed += f" {last} in the {'second' if blocks == 2 else 'third'}"
    halved = " → ".join(str(size // 2**block) for block in range(blocks + 1))
    return Question(
        f"An image of {size} × {size} × 3 passes through {blocks} blocks. Each block consists of"
        " two convolutions that preserve the size, followed by a 2 × 2 max pooling layer with"
        f" stride 2. The convolutions have {listed}. What is the output shape of the last pooling"
        " layer (height, width, channels)?",
        SHAPE,
        (side, side, last),
        f"Each of the {blocks} pooling layers halves the size: {halved}. The last convolution"
        f" produces {last} feature maps.",
        [
            ((before, before, filters[-2]), "That is the output of the previous block."),
            ((before, before, last), f"There are {blocks} pooling layers, not {blocks - 1}."),
            ((side // 2, side // 2, last), f"There are {blocks} pooling layers, not {blocks + 1}."),
            ((side, side, filters[-2]), "Pooling keeps the channels; the last block changed them."),
            ((size, size, last), "The convolutions keep the size; the pooling layers do not."),
            ((side, side, 3), "The channels are those of the last convolution, not of the image."),
            ((side, side, sum(filters)), "A block's feature maps replace the earlier ones."),
        ],
        f"how many times {size} is halved, and how many filters the last block has.",
    )


def _draw_shrinkage(rng: Random) -> dict:
    kernel_size = rng.choice([3, 5])
    return {
        "kernel_size": kernel_size,
        "padding": rng.choice([0, kernel_size // 2]),
        "pools": rng.choice([True, False]),
        "order": rng.sample(range(4), 4),
    }


@register("shrinkage", _draw_shrinkage)
def shrinkage(kernel_size=3, padding=1, pools=True, order=(0, 1, 2, 3)):
    """Ask which layers make the feature maps smaller."""
    convolutions = padding < kernel_size // 2
    reason = (
        f"Without padding, a kernel of size {kernel_size} reduces the height and width"
        f" by {kernel_size - 1} pixels."
        if convolutions
        else f"A padding of {padding} compensates for a kernel of size {kernel_size}: the"
        " convolutions preserve the height and width."
    )
    pooled = "Each pooling layer halves the height and width."
    reason += f" {pooled if pools else 'There is no pooling layer.'}"
    options = [
        ("the convolutions only", convolutions and not pools),
        ("the pooling layers only", pools and not convolutions),
        ("both the convolutions and the pooling layers", convolutions and pools),
        ("neither: only the dense layers reduce anything", not convolutions and not pools),
    ]
    choices = [Choice(text, is_right, reason) for text, is_right in options]
    pooling = (
        "each block ends with a 2 × 2 pooling layer with stride 2"
        if pools
        else "there is no pooling layer"
    )
    return Question(
        f"In a network of {kernel_size} × {kernel_size} convolutions with stride 1 and padding"
        f" {padding}, {pooling}. What reduces the height and width?",
        SINGLE,
        choices=tuple(choices[index] for index in order),
    )


LAYER_KINDS = ("Convolution", "Pooling", "Flatten", "Dense")


@register(
    "layer-kind",
    lambda rng: {
        "kind": rng.choice(LAYER_KINDS),
        "side": rng.choice([8, 12, 16, 32]),
        "channels": rng.choice([16, 32, 64]),
        "order": rng.sample(range(4), 4),
    },
)
def layer_kind(kind="Flatten", side=128, channels=64, order=(0, 1, 2, 3)):
    """Ask for the type of a layer T, given its input, output, and weights."""
    volume, flat = f"{side} × {side} × {channels}", side * side * channels
    # The weights distinguish pooling from a convolution with a stride.
    layers = {
        "Convolution": (volume, f"{side} × {side} × {2 * channels}", 2 * channels * 9 * channels),
        "Pooling": (volume, f"{side // 2} × {side // 2} × {channels}", 0),
        "Flatten": (volume, f"a vector of {flat:,} values", 0),
        "Dense": (f"a vector of {flat:,} values", "a vector of 100 values", 100 * flat),
    }
    effects = {
        "Convolution": "A convolutional layer produces one feature map per filter, and each map is"
        " one channel of the output.",
        "Pooling": "A pooling layer reduces the height and width but keeps the number of channels.",
        "Flatten": "A flatten layer puts all values of a volume into one vector.",
        "Dense": "A dense layer computes one value per unit from a vector.",
    }
    before, after, weights = layers[kind]
    choices = [
        Choice(
            each,
            each == kind,
            f"{effects[each]} That {'matches' if each == kind else 'does not match'} this layer.",
        )
        for each in LAYER_KINDS
    ]
    return Question(
        f"The input of layer T is {before}, its output is {after}, and it has"
        f" {count_of(weights, 'weight') if weights else 'no weights'}. What type of layer is it?",
        SINGLE,
        choices=tuple(choices[index] for index in order),
    )


@register("output-units", lambda rng: {"classes": rng.choice([2, 4, 5, 6, 7, 12, 20])})
def output_units(classes=3, features=100):
    """Ask for the number of units in the last layer of a classifier."""
    return Question(
        f"A network distinguishes {classes} classes of images. Its output layer is a dense layer"
        f" with softmax, which follows a dense layer with {features:,} units. How many units does"
        " the output layer have?",
        NUMBER,
        classes,
        f"One probability per class: {classes}.",
        [
            (1000, f"ImageNet has 1,000 classes; here there are {classes}."),
            (features, "That is the previous layer; the output layer has one unit per class."),
            (1, "The output layer has one unit per class, and its outputs add up to 1."),
            (classes - 1, "The output layer has one unit for each class, including the last."),
            (classes * features, "Those are its weights; the question asks for its units."),
        ],
        "what softmax computes for each class.",
    )


# Size of the image, filters of the three convolutions, and units. Depending on the size of the
# volume that is flattened, the largest layer is a convolution or the dense layer.
CLASSIFIERS = [
    (64, (16, 32, 128), 3),
    (48, (8, 16, 64), 5),
    (64, (16, 64, 128), 4),
    (16, (16, 32, 128), 2),
    (16, (16, 64, 128), 4),
    (20, (16, 64, 128), 2),
    (16, (32, 64, 16), 4),
    (20, (32, 48, 24), 3),
    (24, (32, 64, 16), 5),
]


def _draw_classifier(rng: Random) -> dict:
    size, filters, units = rng.choice(CLASSIFIERS)
    order = rng.sample(range(4), 4)
    return {"size": size, "filters": filters, "units": units, "order": order}


@register("most-parameters", _draw_classifier)
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
        Choice(
            name,
            count == largest,
            f"It has {count:,} parameters, "
            + (f"but another layer has {largest:,}." if count < largest else "the most of all."),
        )
        for name, count in counts.items()
    ]
    return Question(
        f"{size} × {size} × 3 → {one} filters 3 × 3 'same' → {two} filters 5 × 5 'same' → max"
        f" pooling 3 × 3, stride 2, 'valid' → {three} filters 3 × 3 'same' → flatten → dense with"
        f" {units} units. Estimate: which layer has the most parameters?",
        SINGLE,
        choices=tuple(choices[index] for index in order),
    )


@register(
    "stacked-weights",
    lambda rng: {
        "layers": rng.choice([2, 3]),
        "channels": rng.choice([16, 32, 48, 96, 128, 256]),
    },
)
def stacked_weights(layers=2, channels=64):
    """Ask for the number of weights in stacked convolutions that replace one large convolution."""
    kernel_size = 2 * layers + 1
    stacked, single = layers * 9 * channels * channels, kernel_size**2 * channels * channels
    return Question(
        f"A convolution of {kernel_size} × {kernel_size} is replaced by a stack of {layers}"
        f" convolutions of 3 × 3, which has the same receptive field. Each has {channels} input"
        f" and {channels} output channels. How many weights does the stack have, without biases?",
        NUMBER,
        stacked,
        f"{layers} · 3 · 3 · {channels} · {channels} = {stacked:,}; the {kernel_size} ×"
        f" {kernel_size} convolution has {single:,}.",
        [
            (single, f"That is the {kernel_size} × {kernel_size} convolution that is replaced."),
            (stacked // layers, f"That is one of the {layers} convolutions."),
            (stacked + layers * channels, "That includes the biases; count only the weights."),
            (layers * 9 * channels, f"Each of the {channels} filters is {channels} channels deep."),
            (layers * 9, "That is for one input and one output channel."),
            (9**layers * channels * channels, "The weights of layers are added, not multiplied."),
        ],
        "layers · 3 · 3 · input channels · output channels.",
    )


@register(
    "weight-layers",
    lambda rng: {
        "blocks": [rng.choice([1, 2, 3, 4]) for _ in range(rng.choice([3, 4, 5, 6]))],
        "dense": rng.choice([1, 2, 3]),
    },
)
def weight_layers(blocks=(2, 2, 3, 3, 3), dense=3):
    """Ask how many layers of a network have weights."""
    convolutions = sum(blocks)
    listed = ", ".join(str(count) for count in blocks[:-1]) + f", and {blocks[-1]}"
    return Question(
        f"A network has {len(blocks)} blocks of {listed} convolutions; each block ends with a"
        f" pooling layer. A flatten layer and {count_of(dense, 'dense layer')} follow. How many"
        " layers with weights does the network have?",
        NUMBER,
        convolutions + dense,
        f"{convolutions} convolutions and {dense} dense: {convolutions + dense}. Pooling and"
        " flatten layers have nothing to learn.",
        [
            (convolutions + dense + len(blocks), "A pooling layer has no weights."),
            (convolutions + dense + len(blocks) + 1, "Pooling and flatten layers have no weights."),
            (convolutions + dense + 1, "A flatten layer has no weights."),
            (convolutions, "The dense layers have weights too."),
            (len(blocks) + dense, "A block has several convolutions, each with its own weights."),
        ],
        "that you count only convolutions and dense layers.",
    )
