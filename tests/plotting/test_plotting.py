import base64
import io

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from nbclient import NotebookClient

from course import plotting
from course.plotting import primitives

DIGITS = [str(digit) for digit in range(10)]
HISTORY = {
    "loss": [0.9, 0.4],
    "accuracy": [0.7, 0.9],
    "val_loss": [0.6, 0.5],
    "val_accuracy": [0.8, 0.85],
}


@pytest.fixture(autouse=True)
def no_side_effects_on_matplotlib():
    before = dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def row_names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def saved(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def every_figure(images):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 1, 8))
    yield plotting.image_grid(images, range(12), title="grid")
    yield plotting.class_rows(images, np.arange(12) % 10, DIGITS, per_class=2)
    yield plotting.learning_curves(HISTORY, baselines={"chance": 0.1}, title="curves")
    yield plotting.confusion_matrix(np.eye(10, dtype=int), DIGITS)
    yield plotting.accuracy_bars({"CNN": 0.98, "most frequent": 0.11}, chance=0.1)
    yield plotting.filters(kernel)
    yield plotting.filters(np.repeat(kernel, 3, axis=2))
    yield plotting.feature_maps(kernel[:, :, 0], image=images[0])
    yield plotting.patch_blocks(np.zeros((3, 9, 5, 5, 3)))
    yield plotting.shifted_window(images[0], (0, 3), 2, title="window")
    yield plotting.heat_maps(np.zeros((3, 8, 8, 3)), np.ones((3, 2, 2)), ["a", "b", "c"])
    yield plotting.class_probabilities(np.full(10, 0.1), DIGITS, image=images[0], true_name=3)


def test_every_figure_is_saved_and_shown_as_a_png(images):
    for figure in every_figure(images):
        assert saved(figure).startswith(b"\x89PNG")
        assert figure._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")


def test_the_shifted_window_is_cut_out_of_the_mirrored_image(images):
    figure = plotting.shifted_window(images[0], (1, 6), 3)
    padded, window, flipped = (np.asarray(ax.images[0].get_array())[..., 0] for ax in figure.axes)
    assert np.array_equal(padded, np.pad(images[0], 3, mode="reflect"))
    assert np.array_equal(window, padded[1:29, 6:34])
    assert np.array_equal(flipped, window[:, ::-1])
    assert "corner (1, 6)" in " ".join(texts(figure))
    original, drawn = figure.axes[0].patches
    assert original.get_xy() == (2.5, 2.5) and drawn.get_xy() == (5.5, 0.5)
    with pytest.raises(ValueError, match="from 0 to 6"):
        plotting.shifted_window(images[0], (1, 7), 3)


def test_heat_maps_are_bright_where_the_values_are_large():
    images, maps = np.full((3, 16, 16, 3), 0.5), np.zeros((3, 2, 2))
    maps[:, 0, 1] = [1, 2, 3]  # at the top right
    maps[:, 1, 0] = -5
    figure = plotting.heat_maps(images, maps, ["a", "b", "c"], columns=2, title="T")
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["a", "b", "c"]
    page = np.asarray(ax.images[0].get_array()).astype(int)
    # Four rows of tiles: two images, their maps, one image, its map.
    tile = page[page.shape[0] // 4 :][: page.shape[0] // 4, : page.shape[1] // 2 - 5]
    bright = tile.sum(axis=2)[-20:-10].mean(), tile.sum(axis=2)[30:40, -20:].mean()
    assert bright[1] > bright[0]


def test_heat_maps_of_wrong_shapes_are_rejected():
    images = np.zeros((2, 8, 8, 3))
    with pytest.raises(ValueError, match="must have 2 entries, one per image"):
        plotting.heat_maps(images, np.zeros((3, 2, 2)))
    with pytest.raises(ValueError, match="maps must have the shape"):
        plotting.heat_maps(images, np.zeros((2, 2, 2, 4)))


def test_saving_includes_labels_outside_the_axes():
    def width(name):
        figure = plotting.accuracy_bars({name: 0.5})
        return plt.imread(io.BytesIO(saved(figure)), format="png").shape[1]

    assert width("a very long name of a network") > width("short") + 100


CELLS = [
    ("from course import plotting\nimport numpy as np\nx = np.zeros((4, 8, 8))", 0),
    ("plotting.image_grid(x)", 1),  # pyplot not imported yet
    ("figure = plotting.image_grid(x)", 0),
    ("display(figure)", 1),
    ("%matplotlib inline\nimport matplotlib.pyplot as plt", 0),
    ("plotting.image_grid(x)", 1),
    ("display(plotting.image_grid(x))\nplotting.image_grid(x)", 2),
    ("_, ax = plt.subplots()\nplotting.image_grid(x, ax=ax)", 1),
]


def test_a_notebook_shows_each_figure_once(pytestconfig):
    cells = [nbformat.v4.new_code_cell(source) for source, _ in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(pytestconfig.rootpath)}}
    NotebookClient(notebook, timeout=60, resources=resources).execute()
    for cell, (source, expected) in zip(notebook.cells, CELLS, strict=True):
        shown = [output.data for output in cell.outputs if "image/png" in output.get("data", {})]
        assert len(shown) == expected, source
        for data in shown:
            assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


@pytest.mark.parametrize("shape", [(12, 28, 28), (12, 28, 28, 1), (12, 28, 28, 3), (1, 28, 28)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_image_grid_draws_one_array_and_a_caption_for_each_image(shape, dtype):
    count = shape[0]
    figure = plotting.image_grid(np.ones(shape, dtype), labels=range(count), columns=5, title="T")
    (ax,) = figure.axes
    assert len(ax.images) == 1
    assert texts(figure) == [str(number) for number in range(count)]
    assert ax.get_title("left") == "T"


def test_image_grid_shows_images_in_reading_order():
    images = np.stack([np.full((28, 28), value, np.uint8) for value in (10, 20, 30)])
    page = plotting.image_grid(images, columns=2).axes[0].images[0].get_array()
    height, width = page.shape[:2]
    assert page[height // 4, width // 4, 0] == 10
    assert page[height // 4, -width // 4, 0] == 20
    assert page[-height // 4, width // 4, 0] == 30
    assert page[-height // 4, -width // 4, 0] == 255  # nothing there


def test_image_grid_scales_floats_outside_0_to_1_together():
    images = np.stack([np.full((28, 28), value) for value in (-2.0, 0.0, 2.0)])
    page = plotting.image_grid(images).axes[0].images[0].get_array()
    assert {0, 128, 255} <= set(np.unique(page).tolist())


def test_image_grid_draws_into_the_axes_it_is_given(images):
    figure, axes = plt.subplots(1, 2)
    assert plotting.image_grid(images, range(12), columns=4, ax=axes[1]) is None
    assert len(axes[1].texts) == 12
    assert not axes[0].images
    plt.close(figure)


def test_image_grid_breaks_long_captions(images):
    figure = plotting.image_grid(images, ["automobile taken for airplane"] * 12)
    assert all(max(map(len, text.split("\n"))) <= 10 for text in texts(figure))


def test_class_rows_names_every_row_and_leaves_positions_of_missing_images_empty():
    images = np.stack([np.full((28, 28), 10 * label, np.uint8) for label in (1, 0, 1, 1)])
    figure = plotting.class_rows(images, [1, 0, 1, 1], ["zero", "one", "two"], per_class=2)
    (ax,) = figure.axes
    assert row_names(ax) == ["zero", "one", "two"]
    page = ax.images[0].get_array()
    left, right = page.shape[1] // 4, page.shape[1] * 3 // 4
    values = [[int(page[int(y), x, 0]) for x in (left, right)] for y in ax.get_yticks()]
    assert values == [[0, 255], [10, 10], [255, 255]]


def test_learning_curves_of_training_and_validation_differ_in_three_ways():
    for ax, last in zip(plotting.learning_curves(HISTORY).axes, ("0.400", "90.0%"), strict=True):
        training, validation = ax.lines
        assert training.get_color() != validation.get_color()
        assert training.get_linestyle() != validation.get_linestyle()
        assert f"training, last: {last}" in [t.get_text() for t in ax.get_legend().get_texts()]
        assert list(training.get_xdata()) == [1, 2]
        assert ax.get_xlabel() == "epoch"


@pytest.mark.parametrize("epochs", [1, 2, 5, 50])
def test_learning_curves_tick_whole_epochs_from_1(epochs):
    figure = plotting.learning_curves({"loss": np.linspace(2, 1, epochs), "val_loss": [2] * epochs})
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert ticks and all(tick >= 1 and tick == round(tick) for tick in ticks)
    assert figure.axes[0].lines[0].get_marker() == "o"


def test_learning_curves_omit_missing_keys():
    figure = plotting.learning_curves({"loss": [1.0, float("nan")], "learning_rate": [0.1, 0.1]})
    loss, accuracy = figure.axes
    assert len(loss.lines) == 1
    assert [text.get_text() for text in accuracy.texts] == ["no accuracy in this training history"]
    saved(figure)


def test_names_of_close_baselines_do_not_overlap():
    figure = plotting.learning_curves(HISTORY, baselines={"frequent": 0.113, "chance": 0.1})
    accuracy = figure.axes[1]
    assert [text.get_text() for text in accuracy.texts] == ["chance 10.0%", "frequent 11.3%"]
    figure.draw_without_rendering()
    below, above = (text.get_window_extent() for text in accuracy.texts)
    assert below.y1 <= above.y0
    assert [line.get_linestyle() for line in accuracy.lines[2:]] == [":", ":"]


def test_learning_curves_take_a_keras_history():
    class History:
        history = HISTORY

    assert len(plotting.learning_curves(History()).axes[0].lines) == 2


def test_confusion_matrix_has_true_classes_as_rows():
    figure = plotting.confusion_matrix([[5, 2], [0, 900]], ["cat", "dog"])
    (ax,) = figure.axes
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells == {(0, 0): "5", (1, 0): "2", (1, 1): "900"}  # (x, y): column, row
    assert ax.get_ylabel() == "true class"
    assert ax.get_xlabel().startswith("predicted class")
    assert row_names(ax) == ["cat", "dog"]
    assert "cat predicted as dog (2)" in ax.get_title("left")


def test_confusion_matrix_has_colors_only_for_mistakes():
    matrix = np.diag([1000, 10, 500])
    matrix[0, 2], matrix[1, 0] = 9, 1
    colors = plotting.confusion_matrix(matrix, DIGITS[:3]).axes[0].images[0].get_array()
    assert len({tuple(colors[i, i]) for i in range(3)}) == 1
    assert len(set(colors[0, 0].tolist())) == 1  # gray
    assert colors[0, 2].sum() < colors[1, 0].sum() < colors[0, 1].sum() == 3 * 255


def test_confusion_matrix_without_mistakes_says_so():
    figure = plotting.confusion_matrix(np.eye(10, dtype=int), DIGITS)
    assert "No mistakes" in figure.axes[0].get_title("left")


def test_accuracy_bars_write_name_and_percentage():
    figure = plotting.accuracy_bars({"chance": 0.1, "CNN": 0.986}, chance=0.1)
    (ax,) = figure.axes
    assert row_names(ax) == ["chance", "CNN"]
    assert texts(figure) == ["10.0%", "98.6%", "chance level, 10%"]
    assert [bar.get_width() for bar in ax.patches] == [0.1, 0.986]
    low, high = ax.get_ylim()
    assert low > high  # the first is at the top


def test_filters_of_a_grayscale_image_share_a_scale_around_0():
    kernel = np.zeros((3, 3, 1, 32))
    kernel[..., 0], kernel[..., 1] = 1, -0.5
    figure = plotting.filters(kernel)
    tiles, bar = figure.axes
    assert texts(figure) == [str(number) for number in range(32)]
    assert bar.get_ylabel().startswith("weight")
    assert bar.get_ylim() == pytest.approx((-1, 1))
    page = tiles.images[0].get_array()
    height, width = page.shape[:2]
    first, second, third = (page[height // 8, int((i + 0.5) * width / 8)] for i in range(3))
    assert first[0] > first[2] and second[2] > second[0]  # red above 0, blue below
    assert np.ptp(third.astype(int)) < 5  # 0 is white


def test_filters_of_an_rgb_image_have_no_common_scale():
    figure = plotting.filters(np.random.default_rng(0).normal(size=(5, 5, 3, 10)))
    (ax,) = figure.axes
    assert len(texts(figure)) == 10
    assert "scaled separately" in ax.get_xlabel()


def test_feature_maps_are_numbered_and_all_zero_ones_are_off(images):
    maps = np.ones((26, 26, 64))
    maps[0, 0] = 0
    maps[..., 5] = 0
    figure = plotting.feature_maps(maps, image=images[0])
    assert texts(figure)[4:7] == ["4", "5: off", "6"]
    assert len(texts(figure)) == 64
    assert len(figure.axes) == 2
    assert len(plotting.feature_maps(maps).axes) == 1


@pytest.mark.parametrize(("true_name", "color"), [("3", "BLUE"), ("8", "VERMILLION")])
def test_class_probabilities_name_the_prediction(images, true_name, color):
    probabilities = np.full(10, 0.02)
    probabilities[3] = 0.82
    figure = plotting.class_probabilities(probabilities, DIGITS, images[0], true_name)
    ax = figure.axes[0]
    assert ax.get_title("left") == f"The network predicts 3 (82.0%); it is {true_name}"
    assert row_names(ax)[int(true_name)] == f"{true_name} (true)"
    assert texts(figure)[3] == "82.0%"
    assert ax.patches[3].get_facecolor()[:3] == to_rgb(getattr(primitives, color))
    assert len(figure.axes) == 2


ZEROS = np.zeros
WRONG = {
    "one image": (
        lambda: plotting.image_grid(ZEROS((28, 28))),
        r"\(n, h, w, 3\); got \(28, 28\)",
    ),
    "two channels": (lambda: plotting.image_grid(ZEROS((5, 8, 8, 2))), r"got \(5, 8, 8, 2\)"),
    "no image": (lambda: plotting.image_grid(ZEROS((0, 8, 8))), r"got \(0, 8, 8\)"),
    "captions": (lambda: plotting.image_grid(ZEROS((5, 8, 8)), [1, 2]), "have 5 entries, .* got 2"),
    "one-hot labels": (
        lambda: plotting.class_rows(ZEROS((5, 8, 8)), ZEROS((5, 10)), DIGITS),
        r"labels must have the shape \(5,\); got \(5, 10\)",
    ),
    "label without a name": (
        lambda: plotting.class_rows(ZEROS((2, 8, 8)), [0, 10], DIGITS),
        "from 0 to 9, the indices .* got 0 to 10",
    ),
    "no history": (lambda: plotting.learning_curves({"lr": [1]}), r"val_accuracy.* got \['lr'\]"),
    "matrix that is not square": (
        lambda: plotting.confusion_matrix(ZEROS((10, 9)), DIGITS),
        r"\(10, 10\); got \(10, 9\)",
    ),
    "fractions": (
        lambda: plotting.confusion_matrix(np.eye(2) / 2, ["a", "b"]),
        "image counts",
    ),
    "percent": (lambda: plotting.accuracy_bars({"CNN": 98.6}), "fractions .* 98.6 for CNN"),
    "no bars": (lambda: plotting.accuracy_bars({}), "at least one"),
    "deep filters": (
        lambda: plotting.filters(ZEROS((3, 3, 32, 64))),
        r"\(h, w, 3, filters\); got \(3, 3, 32, 64\)",
    ),
    "batch of maps": (
        lambda: plotting.feature_maps(ZEROS((1, 26, 26, 32))),
        r"\(h, w, channels\).* got \(1, 26, 26, 32\)",
    ),
    "batch as image": (
        lambda: plotting.feature_maps(ZEROS((8, 8, 4)), image=ZEROS((1, 28, 28, 1))),
        r"image must have the shape \(h, w\).* got \(1, 28, 28, 1\)",
    ),
    "batch of probabilities": (
        lambda: plotting.class_probabilities(ZEROS((1, 10)), DIGITS),
        r"\(10,\); got \(1, 10\)",
    ),
    "logits": (
        lambda: plotting.class_probabilities(np.arange(10), DIGITS),
        "like the output of softmax",
    ),
    "unknown name": (
        lambda: plotting.class_probabilities(np.full(10, 0.1), DIGITS, true_name="cat"),
        "one of 0, 1.* got cat",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence(case):
    draw, message = WRONG[case]
    with pytest.raises(ValueError, match=message) as raised:
        draw()
    assert "\n" not in str(raised.value)


def test_patches_are_in_the_block_of_their_filter_the_strongest_first():
    patches = np.zeros((1, 9, 4, 4, 3))
    patches[0, 0], patches[0, 5] = 1, 0.5  # top left; middle row, right
    figure = plotting.patch_blocks(patches, ["a"], title="T")
    (ax,) = figure.axes
    assert texts(figure) == ["a"] and ax.get_title("left") == "T"
    page = ax.images[0].get_array()
    # Three patches of 4 pixels, each enlarged to 12, and two lines between them.
    zoom = page.shape[1] // 38
    block = page[-38 * zoom :: zoom, ::zoom, 0]
    expected = np.zeros((38, 38))
    expected[:12, :12], expected[13:25, 26:] = 255, 128
    expected[[12, 25], :], expected[:, [12, 25]] = 255, 255
    np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize("width", [1, 3, 5, 12, 13, 25, 32])
def test_the_gaps_between_blocks_are_wider_than_those_between_patches(width):
    figure = plotting.patch_blocks(np.zeros((4, 9, width, width, 3)), columns=4)
    row = figure.axes[0].images[0].get_array()[-1, :, 0]
    edges = np.flatnonzero(np.diff(row.astype(int)))
    within, between = np.diff(edges)[[0, 4]]  # after the first and the third patch
    assert between >= 2 * within


@pytest.mark.parametrize(
    ("shape", "captions", "message"),
    [
        ((2, 9, 4, 4), None, "must have the shape"),
        ((2, 9, 4, 4, 1), None, "must have the shape"),
        ((2, 9, 4, 4, 3), ["a"], "captions must have 2 entries, one per filter; got 1"),
    ],
)
def test_patches_of_another_shape_are_rejected(shape, captions, message):
    with pytest.raises(ValueError, match=message):
        plotting.patch_blocks(np.zeros(shape), captions)
