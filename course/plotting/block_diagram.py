"""Block diagrams of networks: one box per layer, with its output shape, and arrows between them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from matplotlib.patches import FancyBboxPatch

from course.plotting.primitives import BLUE, GRAY, ORANGE, TITLE, VERMILLION, Figure

# Border and background of a box, by the kind of its layer; black text is readable on all of them.
STYLES = {
    "convolution": (BLUE, "#D9EAF4"),
    "pooling": (ORANGE, "#FBEBC8"),
    "dense": (VERMILLION, "#FBE3D3"),
    "other": (GRAY, "#F2F2F2"),
}
ROW, BOX = 0.42, 0.28  # distance between two rows and height of a box, in inches
CHARACTER = 0.078  # width of a character of the labels, in inches
COLUMN_GAP = 0.3  # inches
LANE = 0.16  # distance between two connections that skip layers, in inches
ARROW: dict[str, Any] = {"arrowstyle": "-|>", "color": "0.35", "shrinkA": 0, "shrinkB": 0}
WORDS = {
    "InputLayer": "input",
    "GlobalAveragePooling2D": "global average pooling",
    "GlobalMaxPooling2D": "global max pooling",
    "Flatten": "flatten",
    "BatchNormalization": "batch normalization",
    "ReLU": "ReLU",
    "Relu": "ReLU",  # the operation keras.ops.relu
    "Add": "add",
    "Concatenate": "concatenate",
    "Normalization": "standardization",
    "Rescaling": "rescaling",
    "RandomFlip": "random flip",
    "RandomTranslation": "random translation",
}


@dataclass
class Block:
    """A box of the diagram: a layer, or several identical layers in sequence."""

    label: str
    shape: tuple[int | None, ...]
    kind: str
    parents: list[str]
    count: int = 1
    row: int = 0
    column: int = 0
    children: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The text in the box, on the left."""
        return self.label if self.count == 1 else f"{self.label} (× {self.count})"

    @property
    def shape_text(self) -> str:
        """The output shape, for the right side of the box."""
        return " × ".join("?" if side is None else f"{side:,}" for side in self.shape)


def block_diagram(model, title=None) -> Figure:
    """Draw the layers of a network from top to bottom, with the output shape of each one.

    Identical layers in sequence share a box, such as "3 × 3 convolution, 256 filters, ReLU (× 3)".
    Layers of parallel branches are drawn side by side, and a connection that skips layers is a line
    beside them. The network is only inspected: its weights need not exist.

    Parameters
    ----------
    model : keras.Model
        A `Sequential` or functional network with a known input shape.
    title : str, optional
        By default, the number of parameters.

    Raises
    ------
    ValueError
        If the input shape of the network is unknown, or the network defines its own `call` method.
    """
    blocks = _merged(_blocks(model))
    _place(blocks)
    lanes = _lanes(blocks)
    longest = max(len(block.title) + len(block.shape_text) + 4 for block in blocks.values())
    box = max(2.4, CHARACTER * longest)
    columns = max(block.column for block in blocks.values()) + 1
    rows = max(block.row for block in blocks.values()) + 1
    width = columns * (box + COLUMN_GAP) - COLUMN_GAP
    if lanes:
        width = max(width, *(_lane_x(lane, box) for lane in lanes.values())) + 0.1
    height = ROW * (rows - 1) + BOX
    figure = Figure(figsize=(width, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.axis("off")
    for name, block in blocks.items():
        left, top = block.column * (box + COLUMN_GAP), block.row * ROW
        _draw_box(ax, left, top, box, block.title, block.kind)
        right: dict[str, Any] = {"x": left + box - 0.1, "ha": "right", "color": "0.25"}
        ax.text(y=top + BOX / 2, s=block.shape_text, va="center", size=10, **right)
        for parent in block.parents:
            path = _path(blocks[parent], block, box, lanes.get((parent, name)))
            ax.plot(*zip(*path[:-1], strict=True), color="0.35", linewidth=1.2)
            ax.annotate("", path[-1], path[-2], arrowprops=ARROW)
    shown = f"{model.count_params():,} parameters" if title is None else title
    ax.set_title(shown, **TITLE)
    return figure


def plain_and_residual(title="") -> Figure:
    """Draw a plain block beside a residual block: the same layers, without and with a shortcut.

    The labels between the boxes show the values that are passed on: F(x) is the output of the two
    convolutions with the ReLU between them.
    """
    rows = ("input", "3 × 3 convolution", "ReLU", "3 × 3 convolution", "add", "ReLU")
    box, right, step = 2.1, 4.0, ROW + 0.06
    height = step * len(rows)
    figure = Figure(figsize=(right + box + 1.1, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.02, right + box + 1.1), ylim=(height, -0.4))
    ax.axis("off")
    note: dict[str, Any] = {"va": "center", "size": 10, "style": "italic"}
    for left, name in ((0, "Plain block"), (right, "Residual block")):
        is_residual = left > 0
        ax.text(left, -0.14, name, size=10.5, weight="bold", va="bottom")
        middle = left + box / 2
        drawn = [row for row, label in enumerate(rows) if is_residual or label != "add"]
        for row in drawn:
            kind = "convolution" if "convolution" in rows[row] else "other"
            _draw_box(ax, left, step * row, box, rows[row], kind)
        for above, row in zip(drawn, [*drawn[1:], len(rows)], strict=True):
            ax.annotate("", (middle, step * row), (middle, step * above + BOX), arrowprops=ARROW)
        result = "F(x) + x" if is_residual else "F(x)"
        ax.text(middle + 0.1, step * 1 - 0.1, "x", **note)
        ax.text(middle + 0.1, step * 4 - 0.1, "F(x)", **note)
        if is_residual:
            ax.text(middle + 0.1, step * 5 - 0.1, result, **note)
        ax.text(middle + 0.1, height - 0.1, f"ReLU({result})", **note)
    x, start, end = right + box + 0.2, BOX / 2, step * 4 + BOX / 2
    ax.plot([right + box, x, x], [start, start, end], color="0.35", linewidth=1.2)
    ax.annotate("", (right + box, end), (x, end), arrowprops=ARROW)
    ax.text(x + 0.08, (start + end) / 2, "shortcut: x", **note)
    if title:
        ax.set_title(title, **TITLE)
    return figure


def _draw_box(ax: Any, left: float, top: float, width: float, label: str, kind: str) -> None:
    """Draw a box with a label on the left."""
    edge, face = STYLES[kind]
    style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.05", "linewidth": 1.4}
    ax.add_patch(FancyBboxPatch((left, top), width, BOX, edgecolor=edge, facecolor=face, **style))
    ax.text(left + 0.1, top + BOX / 2, label, va="center", size=10)


def _blocks(model: Any) -> dict[str, Block]:
    """Return a block for each layer or operation of a network, in the order of computation."""
    is_sequential = type(model).__name__ == "Sequential"
    if not is_sequential and not hasattr(model, "operations"):
        raise ValueError(
            "this network defines its own call method, so the connections between its layers are"
            " unknown: build it with Sequential or the functional API."
        )
    try:
        shape = tuple(model.inputs[0].shape[1:])
    except (AttributeError, TypeError, ValueError, IndexError):
        raise ValueError(
            "the input shape of the network is unknown: begin with keras.Input(shape=...)."
        ) from None
    if is_sequential:
        blocks = {"input": Block("input", shape, "other", [])}
        for layer in model.layers:
            blocks[layer.name] = _block(layer, [list(blocks)[-1]])
        return blocks
    operations = {operation.name: operation for operation in model.operations}
    # The configuration is the public form of the graph; operations without layers are part of it.
    entries = model.get_config()["layers"]
    return {
        entry["name"]: _block(
            operations[entry["name"]], list(dict.fromkeys(_sources(entry["inbound_nodes"])))
        )
        for entry in entries
    }


def _sources(value: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs occur in a part of a network's configuration."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]["keras_history"][0]
        else:
            for each in value.values():
                yield from _sources(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _sources(each)


def _block(layer: Any, parents: list[str]) -> Block:
    """Return the block of one layer."""
    output = layer.output
    output = output[0] if isinstance(output, list | tuple) else output
    label, kind = _describe(layer)
    return Block(label, tuple(output.shape[1:]), kind, parents)


def _describe(layer: Any) -> tuple[str, str]:
    """Return the label and the kind of a layer."""
    name = type(layer).__name__
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    activation = {"relu": "ReLU", "linear": ""}.get(activation, activation)
    strides = getattr(layer, "strides", (1, 1))
    step = f"stride {strides[0]}" if strides[0] == strides[-1] else f"strides {tuple(strides)}"
    if name in ("Conv2D", "SeparableConv2D", "DepthwiseConv2D"):
        word = {"Conv2D": "", "SeparableConv2D": "separable ", "DepthwiseConv2D": "depthwise "}
        filters = _count(layer.filters, "filter") if name != "DepthwiseConv2D" else ""
        moved = step if max(strides) > 1 else ""
        size = f"{_size(layer.kernel_size)} {word[name]}convolution"
        return _join(size, filters, moved, activation), "convolution"
    if name in ("MaxPooling2D", "AveragePooling2D"):
        word = {"MaxPooling2D": "max", "AveragePooling2D": "average"}
        moved = step if tuple(strides) != tuple(layer.pool_size) else ""
        return _join(f"{_size(layer.pool_size)} {word[name]} pooling", moved), "pooling"
    if name.startswith("Global") and "Pooling" in name:
        return WORDS.get(name, name), "pooling"
    if name == "Dense":
        return _join("dense", _count(layer.units, "unit"), activation), "dense"
    if name == "Dropout":
        return f"dropout {layer.rate:g}", "other"
    if name == "Activation":
        return activation or "linear", "other"
    if hasattr(layer, "layers"):  # a network used as a layer
        return f"{layer.name}, {_count(len(layer.layers), 'layer')}", "other"
    return WORDS.get(name, name), "other"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _size(sides: tuple[int, int]) -> str:
    return f"{sides[0]} × {sides[1]}"


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _merged(blocks: dict[str, Block]) -> dict[str, Block]:
    """Merge consecutive identical blocks, and add to each block the names of its children."""
    merged: dict[str, Block] = {}
    representative: dict[str, str] = {}
    users: dict[str, int] = {}
    for block in blocks.values():
        for parent in block.parents:
            users[parent] = users.get(parent, 0) + 1
    for name, block in blocks.items():
        parents = list(dict.fromkeys(representative[parent] for parent in block.parents))
        only = merged.get(parents[0]) if len(parents) == 1 else None
        same = only and (only.label, only.shape) == (block.label, block.shape)
        if only and same and users[block.parents[0]] == 1:
            only.count += 1
            representative[name] = parents[0]
            continue
        block.parents, representative[name] = parents, name
        merged[name] = block
    for name, block in merged.items():
        for parent in block.parents:
            merged[parent].children.append(name)
    return merged


def _place(blocks: dict[str, Block]) -> None:
    """Choose the row and column of each block: the longest path is the first column."""
    for block in blocks.values():
        block.row = 1 + max((blocks[parent].row for parent in block.parents), default=-1)
    taken: list[set[int]] = []
    open_blocks = set(blocks)
    # Each column takes the longest chain that is left, from its last block back to its first.
    while open_blocks:
        depths: dict[str, int] = {}
        for name, block in blocks.items():
            if name in open_blocks:
                above = [depths[parent] for parent in block.parents if parent in open_blocks]
                depths[name] = 1 + max(above, default=0)
        name = max(depths, key=lambda each: depths[each])
        chain = [name]
        while candidates := [each for each in blocks[name].parents if each in open_blocks]:
            name = max(candidates, key=lambda each: depths[each])
            chain.append(name)
        start = min((blocks[parent].row for parent in blocks[name].parents), default=-1) + 1
        below = [blocks[child].row for child in blocks[chain[0]].children]
        end = min(below, default=blocks[chain[0]].row + 1) - 1
        span = set(range(start, end + 1)) | {blocks[each].row for each in chain}
        column = next((n for n, rows in enumerate(taken) if not rows & span), len(taken))
        if column == len(taken):
            taken.append(set())
        taken[column] |= span
        for each in chain:
            blocks[each].column = column
        open_blocks -= set(chain)


def _lanes(blocks: dict[str, Block]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the column and lane of each connection that runs past other blocks."""
    lanes: dict[tuple[str, str], tuple[int, int]] = {}
    used: dict[tuple[int, int], list[tuple[int, int]]] = {}  # the rows that each lane connects
    for name, block in blocks.items():
        for parent in block.parents:
            first, last = blocks[parent].row, block.row
            between = [other for other in blocks.values() if first < other.row < last]
            ends = {block.column, blocks[parent].column}
            if not any(other.column == max(ends) for other in between):
                continue
            column = max(ends | {other.column for other in between})
            lane = 0
            while any(first < end and start < last for start, end in used.get((column, lane), [])):
                lane += 1
            used.setdefault((column, lane), []).append((first, last))
            lanes[parent, name] = column, lane
    return lanes


def _lane_x(lane: tuple[int, int], box: float) -> float:
    """Return the horizontal position of a connection beside a column."""
    return lane[0] * (box + COLUMN_GAP) + box + 0.14 + LANE * lane[1]


def _path(
    parent: Block, child: Block, box: float, lane: tuple[int, int] | None
) -> list[tuple[float, float]]:
    """Return the corners of the line from one block to another."""
    lefts = [block.column * (box + COLUMN_GAP) for block in (parent, child)]
    start, end = (left + box / 2 for left in lefts)
    bottom, top = parent.row * ROW + BOX, child.row * ROW
    if lane is not None:
        x = _lane_x(lane, box)
        above, below = bottom - BOX / 3, top + BOX / 3
        return [(lefts[0] + box, above), (x, above), (x, below), (lefts[1] + box, below)]
    if parent.column == child.column:
        return [(start, bottom), (start, bottom), (end, top)]
    if parent.column < child.column:  # a branch begins
        y = bottom + (ROW - BOX) / 2
        return [(start, y), (end, y), (end, top)]
    y = top + BOX / 2  # a branch ends at the side of the block
    return [(start, bottom), (start, y), (lefts[1] + box, y)]
