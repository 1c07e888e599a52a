"""Numbers in 01-convolution, checked with its solutions, with Keras, and as properties."""

import contextlib
import io
import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import course
from course import checks, datasets
from course.questions import bank, convolution_1d, draw, judge
from tests.submissions import ROOT

NOTEBOOK = ROOT / "source" / "01-convolution" / "convolution.ipynb"
DATA_CELLS = ["edges", "one-dimension", "worked-example", "keras-conv2d", "example"]
DATA_CELLS += ["small-case", "suspect", "show-network", "cycle-channels"]
quick = settings(max_examples=40)
small = st.integers(1, 3)


def cells_by_id():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: cell for cell in cells}


def text_of(cell_id):
    return "".join(cells_by_id()[cell_id]["source"])


def run_cells(names, *cell_ids):
    with contextlib.redirect_stdout(io.StringIO()):
        for cell_id in cell_ids:
            exec(text_of(cell_id), names)
    return names


@pytest.fixture(scope="module")
def namespace():
    """Run the solutions and the cells with their data."""
    names = {"np": np, "keras": keras, "checks": checks, "datasets": datasets, "course": course}
    names |= {"plotting": _NoFigures(), "display": print}
    for name, cell in cells_by_id().items():
        of_nbgrader = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and (of_nbgrader.get("solution") or name in DATA_CELLS):
            run_cells(names, name)
    return names


@pytest.fixture(scope="module")
def notebook(namespace):
    """Return the names of the notebook as attributes."""
    return type("Notebook", (), {name: staticmethod(value) if callable(value) else value
                                 for name, value in namespace.items()})  # fmt: skip


class _NoFigures:
    def __getattr__(self, name):
        return lambda *arguments, **options: None


def built(*stack):
    """Return a model of layers without allocating its weights."""
    with keras.StatelessScope(initialize_variables=False):
        return keras.Sequential(stack)


def counts(padding):
    """Return the parameters of the network of exercise 8, and the output shapes, from Keras."""
    model = built(
        keras.Input((64, 64, 3)),
        layers.Conv2D(16, 3, padding="same"),
        layers.Conv2D(32, 5, padding="same"),
        layers.MaxPooling2D(3, strides=2, padding=padding),
        layers.Conv2D(128, 3, padding="same"),
        layers.Flatten(),
        layers.Dense(5),
    )
    shapes = [layer.output.shape[1:] for layer in model.layers]
    return [layer.count_params() for layer in model.layers], shapes


def by_keras(image, kernels, biases, stride, padding):
    around = ((padding, padding), (padding, padding), (0, 0))
    batch = np.pad(image, around)[None].astype("float32")
    maps = keras.ops.conv(batch, kernels.astype("float32"), strides=stride, padding="valid")
    return keras.ops.convert_to_numpy(maps)[0] + biases


def test_the_line_kernel_has_the_responses_that_the_text_asks_for(notebook):
    kernel = notebook.line_kernel
    assert (kernel.sum(axis=0) == 0).all()
    assert kernel[1].sum() > 0
    assert np.abs(kernel[0].sum()) <= kernel[1].sum() / 2
    assert np.abs(kernel[2].sum()) <= kernel[1].sum() / 2


def test_the_vertical_edge_kernel_responds_least_in_the_sky(notebook):
    sky, pagoda = notebook.photo[:20, :30], notebook.photo[40:, 20:120]
    responses = [np.abs(notebook.conv2d_single(part, notebook.vertical_edges)).mean()
                 for part in (sky, pagoda)]  # fmt: skip
    assert responses[0] < responses[1] / 5


def test_one_dimension_by_hand_and_by_numpy(notebook):
    signal, weights = [1, 3, 0, 2, 4, 1, 0, 2], [1, 2, -1]
    assert (notebook.signal.tolist(), notebook.weights.tolist()) == ([signal], [weights])
    assert f"signal, weights = {signal}, {weights}" in text_of("test_by_hand")
    assert "$P = 0$: 7, 1, 0, 9, 6, −1." in text_of("by_hand-text"), "the given example"
    expected = {
        (1, 0): (7, 1, 0, 9, 6, -1),
        (2, 0): (7, 0, 6),
        (4, 0): (7, 6),
        (1, 1): (-1, 7, 1, 0, 9, 6, -1, 4),
        (4, 1): (-1, 9),
    }
    for (stride, padding), values in expected.items():
        assert notebook.by_hand[f"S={stride}, P={padding}"] == values
        correlated = np.correlate(np.pad(signal, padding), weights, "valid")[::stride]
        assert correlated.tolist() == list(values)
        assert convolution_1d.by_hand(signal, weights, stride, padding).answer == values
    same_length = [pair for pair, values in expected.items() if len(values) == len(signal)]
    assert same_length == [notebook.keeps_length] == [(1, 1)]
    remainders = [(8 - 3 + 2 * padding) % stride for stride, padding in [(2, 0), (4, 0), (4, 1)]]
    assert all(remainders), "these sizes need rounding down"


@pytest.mark.parametrize(
    ("pair", "wrong", "words"),
    [
        ((1, 0), (5, -1, 8, 7, -2, 1), "not flipped"),
        ((2, 0), (7, 0, 6, 4), "one position too many"),
        ((2, 0), (7, 1, 0, 9, 6, -1), "With stride 2"),
        ((1, 1), (7, 1, 0, 9, 6, -1), "padding is missing"),
        ((1, 1), (-1, 7, 1, 0, 9, 6, -1), "both ends"),
        ((1, 1), (7, 1, 0, 9, 6, -1, 4), "both ends"),
        ((4, 1), (-1,), "missing"),
        ((4, 1), (-1, 9, 4), "The whole kernel must fit into the padded signal"),
        ((1, 1), (-1, 7, 1, 0, 9, 6, -1, 2), "each value is the sum of its products"),
        ((1, 0), (7, 0, 6, -1), "The number of values (4) is not right"),
    ],
)
def test_common_mistakes_by_hand_get_their_reasons(pair, wrong, words):
    question = convolution_1d.by_hand([1, 3, 0, 2, 4, 1, 0, 2], [1, 2, -1], *pair)
    verdict = judge(question, wrong)
    assert verdict.credit == 0
    assert words in verdict.reason


def test_the_worked_example_with_and_without_the_flip(notebook):
    x, k = notebook.x, notebook.k
    assert notebook.conv2d_single(x, np.flip(k)).tolist() == [[-10, 45], [-60, 25]]
    assert notebook.conv2d_single(x, k).tolist() == [[15, 50], [-20, 30]]
    assert by_keras(x[..., None], k[..., None, None], 0, 1, 0)[..., 0].tolist() == [
        [15, 50],
        [-20, 30],
    ]
    assert "computes 15, 50, −20, and 30" in text_of("keras-text")


def trained(namespace, seed, learning_rate=10):
    """Return the names after the cell that trains a kernel, run with another learning rate."""
    names = dict(namespace)
    names["run"] = type("Run", (), {"seed": seed})
    source = text_of("train")
    assert "learning_rate=10)" in source
    with contextlib.redirect_stdout(io.StringIO()):
        exec(source.replace("learning_rate=10)", f"learning_rate={learning_rate})"), names)
    return names


def test_the_learned_kernel_is_the_sobel_kernel_from_every_start(namespace):
    assert "Both kernels became the Sobel kernel" in text_of("volumes")
    for seed in range(0, 10, 2):  # the cell trains a second kernel with the next seed
        names = trained(namespace, seed)
        assert np.abs(names["learned"] - names["sobel"]).max() < 1e-4
        assert np.abs(names["other_stages"]["300 steps"] - names["sobel"]).max() < 1e-4
        assert list(names["stages"]) == ["random weights", "3 steps", "30 steps", "300 steps"]
        assert names["initial_loss"] > 0.05
        assert names["loss_of"](names["learned"]) < 1e-9


def test_a_larger_learning_rate_diverges_and_so_does_a_crop_with_its_mean(namespace):
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.abs(trained(namespace, 0, learning_rate=30)["learned"]).max() < 1e10
        raw = namespace["photo"][72:96, 72:96]
        names = trained(namespace | {"crop": raw}, 0, learning_rate=10)
        assert not np.abs(names["learned"]).max() < 1e10


def test_subtracting_the_mean_makes_the_loss_less_steep_where_all_weights_grow(namespace):
    def largest_eigenvalue(image):
        patches = np.lib.stride_tricks.sliding_window_view(image, (3, 3)).reshape(-1, 9)
        values, vectors = np.linalg.eigh(2 / len(patches) * patches.T @ patches)
        return values[-1], vectors[:, -1]

    steepest, direction = largest_eigenvalue(namespace["photo"][72:96, 72:96])
    assert (np.sign(direction) == np.sign(direction[0])).all(), "all weights grow together"
    # A learning rate converges if it is less than 2 divided by the largest eigenvalue.
    assert 2 / steepest < 10
    assert 10 < 2 / largest_eigenvalue(namespace["crop"])[0] < 30


def test_the_target_determines_the_nine_weights(notebook):
    patches = np.lib.stride_tricks.sliding_window_view(notebook.crop, (3, 3)).reshape(-1, 9)
    assert len(patches) == notebook.target.size == 484
    assert np.linalg.matrix_rank(patches) == 9
    assert "484 patches" in text_of("volumes")
    # The loss is quadratic in the weights, and strictly convex: it has one minimum.
    assert np.linalg.eigvalsh(patches.T @ patches)[0] > 0
    assert "the loss has no other minimum" in text_of("volumes")


def test_the_sums_of_the_gradient_in_one_dimension(notebook):
    text = text_of("show-gradient-text")
    assert "The input is $x$ = 1, 4, 2, 1," in text and "errors are 3, −2, and 1" in text
    assert "plotting.sliding_kernel([[1, 4, 2, 1]], [[3, -2, 1]]" in text_of("show-gradient")
    sums = notebook.conv2d_single(np.array([[1, 4, 2, 1]]), np.array([[3, -2, 1]]))
    assert sums.tolist() == [[-3, 9]] and "in parentheses, −3 and 9" in text
    assert r"= -2 \qquad" in text and "= 6$$" in text and [2 / 3 * -3, 2 / 3 * 9] == [-2, 6]


@quick
@given(st.integers(0, 1000))
def test_the_gradient_is_the_derivative_of_the_loss(notebook, seed):
    random = np.random.default_rng(seed)
    image, kernel, target = (random.normal(size=size) for size in [(6, 5), (3, 2), (4, 4)])

    def loss(kernel):
        return np.mean((notebook.conv2d_single(image, kernel) - target) ** 2)

    step = kernel - notebook.gradient_step(kernel, image, target, 1)
    for index in np.ndindex(kernel.shape):
        shift = np.zeros(kernel.shape)
        shift[index] = 1e-3
        slope = (loss(kernel + shift) - loss(kernel - shift)) / 2e-3
        assert step[index] == pytest.approx(slope, abs=1e-6)


def test_two_filters_on_a_small_color_image(notebook):
    assert notebook.small_image.shape == (4, 4, 3)
    assert notebook.kernels.shape == (2, 2, 3, 2)
    assert notebook.biases.tolist() == [1, -1]
    maps = notebook.conv2d_filters(notebook.small_image, notebook.kernels, notebook.biases)
    assert maps.shape == (3, 3, 2)
    assert maps[..., 0].tolist() == [[7, 5, 7], [1, 5, 7], [6, 4, 10]]
    assert maps[..., 1].tolist() == [[3, 1, 5], [1, 2, 6], [4, 2, 4]]
    first = notebook.small_image[:2, :2] * notebook.kernels[..., 0]
    assert first.sum(axis=(0, 1)).tolist() == [3, 2, 1]
    assert "contribute 3, 2, and 1. With the bias, the response is 7." in text_of(
        "conv2d_filters-text"
    )
    for stride, side in [(1, 3), (2, 2)]:
        maps = notebook.conv2d(notebook.small_image, notebook.kernels, notebook.biases, stride)
        assert maps.shape == (side, side, 2)
        expected = by_keras(notebook.small_image, notebook.kernels, notebook.biases, stride, 0)
        assert maps.tolist() == expected.tolist()


def test_sizes_in_the_text_are_right(notebook):
    assert bank.output_size(5, 3, 2, 0) == 2 == len(convolution_1d.convolve([0] * 6, [1] * 3, 2))
    assert bank.output_size(5, 3, 2, 1) == 3
    assert bank.output_size(8, 3, 4, 1) == 7 // 4 + 1 == len(notebook.by_hand["S=4, P=1"]) == 2
    assert bank.output_size(12, 3, 4, 1) == 11 // 4 + 1 == 3
    assert "12 values with $F = 3$, $S = 4$, and $P = 1$ give $\\lfloor 11/4 \\rfloor + 1 = 3$" in (
        text_of("flip-text")
    )
    assert bank.output_size(100, 5, 1, 2) == 100
    assert bank.output_size(512, 5, 1, 2) == 512
    ten = np.zeros((5, 5, 3, 10))
    assert notebook.conv2d(np.zeros((100, 100, 3)), ten, np.zeros(10), 1, 2).shape == (100, 100, 10)
    assert draw("padded-shape").answer == np.pad(np.zeros((100, 100)), 3).shape == (106, 106)


def test_the_bug_is_found_exactly_where_height_and_width_differ(notebook):
    def agrees(shape, kernel_size=2, filters=3):
        random = np.random.default_rng(0)
        image = random.normal(size=shape)
        kernels = random.normal(size=(kernel_size, kernel_size, shape[2], filters))
        expected = by_keras(image, kernels, np.arange(filters), 1, 0)
        fixed = notebook.fixed_conv2d(image, kernels, np.arange(filters))
        assert fixed == pytest.approx(expected, abs=1e-4)
        try:
            found = notebook.suspect_conv2d(image, kernels, np.arange(filters))
        except ValueError:
            return False
        return found.shape == expected.shape and np.allclose(found, expected, atol=1e-4)

    for height, width in np.ndindex(4, 4):
        assert agrees((height + 3, width + 3, 2)) == (height == width)
    for filters in (1, 2):  # the tests that the text mentions
        arguments = notebook.kernels[..., :filters], notebook.biases[:filters]
        found = notebook.suspect_conv2d(notebook.small_image, *arguments)
        assert found.tolist() == notebook.conv2d(notebook.small_image, *arguments).tolist()
        assert agrees((28, 28, 1), filters=filters)
        assert agrees((64, 64, 3), filters=filters)
    assert "a 28 × 28 image of a digit, and a 64 × 64 color image" in text_of("failing_case-text")


def test_relu_keeps_the_red_sides_and_pooling_a_sixteenth_of_the_values(notebook):
    feature_map = notebook.conv2d_single(notebook.photo, notebook.vertical_edges)
    rectified = np.maximum(feature_map, 0)
    assert (feature_map < 0).any() and (rectified[feature_map > 0] > 0).all()
    pooled = [side // 4 for side in rectified.shape]
    assert rectified.size / np.prod(pooled) == pytest.approx(16, rel=0.05)
    assert "plotting.convolution_relu_pooling(photo, vertical_edges, pool_size=4)" in text_of(
        "show-activations"
    )
    assert "After 4 × 4 max pooling, about a sixteenth" in text_of("pooling")


def test_ten_layers_without_padding_shrink_an_image_as_the_text_says(notebook):
    size = 64
    for _ in range(10):
        size = bank.output_size(size, 5, 1, 0)
    assert f"a 64 × 64 image has shrunk to {size} × {size}" in text_of("stride-padding")
    assert bank.output_size(64, 3, 2, 1) ** 2 / bank.output_size(64, 3, 1, 1) ** 2 == 1 / 4


def test_with_stride_2_the_convolution_is_equivariant_only_to_even_shifts(notebook):
    image = np.zeros((20, 20, 1))
    image[6:9, 5:9] = np.random.default_rng(0).normal(size=(3, 4, 1))
    kernel = np.random.default_rng(1).normal(size=(3, 3, 1, 1))
    before = notebook.conv2d(image, kernel, np.zeros(1), 2)
    for shift in range(1, 5):
        after = notebook.conv2d(np.roll(image, shift, axis=1), kernel, np.zeros(1), 2)
        is_same = any(np.allclose(after, np.roll(before, step, axis=1)) for step in range(9))
        assert is_same == (shift % 2 == 0)


@pytest.fixture(scope="module")
def shifted(namespace):
    """Return the names after the cell that shifts a digit."""
    return run_cells(dict(namespace), "show-shift")


def test_the_relative_changes_in_the_text_are_measured(shifted):
    right, down = (
        {name: values for name, (_, values) in lines.items()}
        for lines in shifted["changes"].values()
    )
    without, pooled = "no pooling", "4 × 4 pooling"
    text = text_of("network-text")
    assert (
        f"to the right changes the digit by {right[without][1]:.0%}, but the pooled digit by only"
        f" {right[pooled][1]:.0%}. Down, it is {down[without][1]:.0%} and {down[pooled][1]:.0%}."
    ) in text
    removed = [
        [1 - lines[pooled][shift] / lines[without][shift] for shift in range(1, 8)]
        for lines in (right, down)
    ]
    assert [each[0] for each in removed] == pytest.approx([0.6, 0.6], abs=0.02)
    assert "removes about 60% of the change in both directions" in text
    assert f"only {removed[0][6]:.0%} (to the right) or {removed[1][6]:.0%} (down)" in text
    for each in removed:
        assert max(each) < 0.65, "max pooling isn't invariant"
        assert min(each[:2]) > 1.8 * each[6], "it removes most at small shifts"
    for lines in (right, down):
        for shift in range(1, 8):
            assert lines[pooled][shift] < lines["2 × 2 pooling"][shift] < lines[without][shift] <= 2


def test_the_16_starting_positions_are_all_and_no_pixel_leaves_the_image(shifted):
    corners = {tuple(np.argwhere(start > 0).min(axis=0) % 4) for start in shifted["starts"]}
    assert len(corners) == len(shifted["starts"]) == 16
    assert "all 16 starting positions in a 4 × 4 window" in text_of("shift-text")
    for axis in (1, 2):
        far = np.roll(shifted["starts"], 7, axis=axis)
        first = np.argwhere(far > 0).min(axis=0)[axis]
        assert first >= 7, "it would come in at the other side"


def test_the_recorded_relative_change_is_that_of_one_digit(shifted):
    digit = shifted["digit"]
    after = np.roll(digit, 1, axis=1)
    changes = [
        float(shifted["relative_change"](digit[None], after[None], size)[0]) for size in (1, 2, 4)
    ]
    assert changes == pytest.approx([0.550828, 0.381715, 0.33836], abs=1e-4)
    averages = [values[1] for _, values in shifted["changes"]["shift to the right"].values()]
    assert averages == pytest.approx([0.550828, 0.367404, 0.227372], abs=1e-4)
    assert "so the two with pooling differ from the averages in section 7" in text_of("recap")


def test_without_pooling_the_relative_change_of_a_digit_without_overlap_is_200_percent(shifted):
    far = np.roll(shifted["starts"], 22, axis=2)
    assert not ((shifted["starts"] > 0) & (far > 0)).any()
    change = shifted["relative_change"](shifted["starts"], far, 1)
    assert change == pytest.approx(2)
    assert "it reaches 200% if the digit no longer overlaps" in text_of("shift-text")


def test_a_keras_layer_with_the_same_weights_computes_the_same_values(namespace):
    names = run_cells(dict(namespace), "show-activations")
    assert names["by_keras"].tolist() == names["by_you"].tolist()
    assert names["by_keras"].shape == (3, 3, 2)
    assert names["by_keras"].min() == 0 < names["by_keras"].max(), "ReLU makes a difference"


def test_a_convolution_of_a_shifted_digit_is_the_shifted_feature_map(shifted):
    digit, kernel = shifted["digit"], shifted["vertical_edges"]
    before, after = (
        shifted["conv2d_single"](np.roll(digit, shift, axis=1), kernel) for shift in (0, 4)
    )
    assert (after == np.roll(before, 4, axis=1)).all()


def test_the_1_x_1_filters_cycle_the_color_channels(notebook):
    photo = datasets.load_photo()
    mixed = by_keras(photo, notebook.cycle_kernels, 0, 1, 0)
    red, green, blue = np.moveaxis(photo, -1, 0)
    assert mixed == pytest.approx(np.stack([blue, red, green], axis=-1), abs=1e-6)
    transposed = np.swapaxes(notebook.cycle_kernels, 2, 3)
    assert by_keras(np.array([[[1, 20, 300]]]), transposed, 0, 1, 0).ravel().tolist() == [
        20,
        300,
        1,
    ]


def test_weights_of_dense_local_and_shared_units():
    assert draw("dense-weights-gray").answer == 100 * 100 * 1_000 == 10**7
    assert draw("dense-weights").answer == 3 * 10**7
    assert draw("local-weights-gray").answer == 25_000
    assert draw("local-weights").answer == 75_000
    one_filter = built(keras.Input((100, 100, 3)), layers.Conv2D(1, 5)).count_params()
    assert draw("shared-weights").answer == one_filter == 75 + 1
    text = text_of("why-text")
    assert "30,000 values, so 1,000 units need 30 million weights" in text
    assert "5 × 5 pixels (75 values), 75,000 weights are enough" in text


def test_parameters_of_the_network(notebook):
    valid, shapes = counts("valid")
    assert valid == [448, 12_832, 0, 36_992, 0, 615_045]
    assert shapes[4] == (31 * 31 * 128,)
    assert notebook.shapes == [(64, 64, 3), *shapes], "the figure"
    same, shapes = counts("same")
    assert same == [448, 12_832, 0, 36_992, 0, 655_365]
    assert shapes[2] == (32, 32, 32)
    assert notebook.parameter_counts == {
        "conv_1": 448,
        "conv_2": 12_832,
        "pool": 0,
        "conv_3": 36_992,
        "dense_valid": 615_045,
        "dense_same": 655_365,
    }
    assert max(valid) / sum(valid) > 0.9, "more than 90% in the dense layer"
    assert 31 * 31 * 128 > 120_000


def test_wrong_counts_with_hints_result_from_these_mistakes():
    assert 32 * (3 * 3 * 16 + 1) == 4_640, "a 3 × 3 kernel instead of 5 × 5"
    assert 16 * (3 * 3 + 1) == 160, "one input channel"
    assert 128 * (3 * 3 * 16 + 1) == 18_560, "16 input channels instead of 32"
    assert 32 * (5 * 5 * 3 + 1) == 2_432, "3 input channels instead of 16"
    assert 5 * (22 * 22 * 128 + 1) == 309_765, 'a pooling stride of 3, with padding="same"'
    assert 5 * (21 * 21 * 128 + 1) == 282_245, "a pooling stride of 3"
    assert 5 * (62 * 62 * 128 + 1) == 2_460_165, "a pooling stride of 1"
    assert 5 * (64 * 64 * 128 + 1) == 2_621_445, "no pooling"


def test_a_shift_of_the_image_moves_the_outputs_as_exercise_8_says(notebook):
    random = np.random.default_rng(0)
    image = np.zeros((1, 64, 64, 3), "float32")
    image[0, 20:40, 20:40] = random.random((20, 20, 3))
    first, second = random.normal(size=(3, 3, 3, 16)), random.normal(size=(5, 5, 16, 32))

    def outputs(batch):
        for kernels in (first, second):
            batch = keras.ops.conv(batch, kernels.astype("float32"), padding="same")
        pooled = keras.ops.max_pool(batch, 3, 2, padding="valid")
        return [keras.ops.convert_to_numpy(each) for each in (batch, pooled)]

    before, after = outputs(image), outputs(np.roll(image, 4, axis=2))
    for step, old, new in zip(notebook.moved_by, before, after, strict=True):
        assert new == pytest.approx(np.roll(old, step, axis=2), abs=1e-3)
        assert np.abs(new).max() > 1
    row = np.array([3, 1, 4, 1, 5, 9, 2, 6], "float32").reshape(1, 8, 1)
    pooled = keras.ops.convert_to_numpy(layers.MaxPooling1D(3, 2, "valid")(row))
    assert pooled.ravel().tolist() == list(notebook.pooled_row)
    assert "3, 1, 4, 1, 5, 9, 2, 6" in text_of("parameter_counts-text")


def test_every_solution_is_written_without_a_library():
    for name in ("conv2d_single", "conv2d_filters", "conv2d", "failing_case"):
        checks.written_without(name, text_of(name))


@quick
@given(st.integers(3, 7), st.integers(3, 7), small, small, small, small, st.integers(0, 2))
def test_conv2d_is_keras_convolution(
    notebook, height, width, channels, filters, kernel_size, stride, padding
):
    random = np.random.default_rng(0)
    image = random.integers(-3, 4, (height, width, channels))
    kernels = random.integers(-3, 4, (kernel_size, kernel_size, channels, filters))
    biases = random.integers(-3, 4, filters)
    expected = by_keras(image, kernels, biases, stride, padding)
    assert notebook.conv2d(image, kernels, biases, stride, padding).tolist() == expected.tolist()
