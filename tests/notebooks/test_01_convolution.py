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

from course import checks
from course.questions import Quiz, convolution_1d, draw, judge
from tests.submissions import ROOT

NOTEBOOK = ROOT / "source" / "01-convolution" / "convolution.ipynb"
DATA_CELLS = ["row", "worked-example", "small-case", "same-padding"]
quick = settings(max_examples=40)
small = st.integers(1, 3)


def cells_by_id():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return {cell["id"]: cell for cell in cells}


@pytest.fixture(scope="module")
def notebook():
    """Run the solutions and the cells with their data; return the names as attributes."""
    names = {"np": np, "plotting": _NoFigures()}
    with contextlib.redirect_stdout(io.StringIO()):
        for name, cell in cells_by_id().items():
            of_nbgrader = cell["metadata"].get("nbgrader", {})
            if cell["cell_type"] == "code" and (of_nbgrader.get("solution") or name in DATA_CELLS):
                exec("".join(cell["source"]), names)
    return type("Notebook", (), {name: staticmethod(value) if callable(value) else value
                                 for name, value in names.items()})  # fmt: skip


class _NoFigures:
    def __getattr__(self, name):
        return lambda *arguments, **options: None


def built(*stack):
    """Return a model of layers without allocating its weights."""
    with keras.StatelessScope(initialize_variables=False):
        return keras.Sequential(stack)


def counts(padding):
    """Return the parameters of the network in section 7, and its pooled size, from Keras."""
    model = built(
        keras.Input((64, 64, 3)),
        layers.Conv2D(16, 3, padding="same"),
        layers.Conv2D(32, 5, padding="same"),
        layers.MaxPooling2D(3, strides=2, padding=padding),
        layers.Conv2D(128, 3, padding="same"),
        layers.Flatten(),
        layers.Dense(5),
    )
    return [layer.count_params() for layer in model.layers], model.layers[2].output.shape[1]


def by_keras(image, kernels, biases, stride, padding):
    around = ((padding, padding), (padding, padding), (0, 0))
    batch = np.pad(image, around)[None].astype("float32")
    maps = keras.ops.conv(batch, kernels.astype("float32"), strides=stride, padding="valid")
    return keras.ops.convert_to_numpy(maps)[0] + biases


def test_one_dimension_by_hand_and_by_numpy(notebook):
    expected = {
        (1, 0): (7, 1, 0, 9, 6, -1),
        (2, 0): (7, 0, 6),
        (4, 0): (7, 6),
        (1, 1): (-1, 7, 1, 0, 9, 6, -1, 4),
        (4, 1): (-1, 9),
    }
    for (stride, padding), values in expected.items():
        assert notebook.by_hand[f"S={stride}, P={padding}"] == values
        padded = np.pad(notebook.signal, padding)
        correlated = np.correlate(padded, notebook.weights, "valid")[::stride]
        assert correlated.tolist() == list(values)
        assert notebook.conv1d(notebook.signal, notebook.weights, stride, padding).tolist() == [
            *values
        ]
    same_length = [pair for pair, values in expected.items() if len(values) == len(notebook.signal)]
    assert same_length == [notebook.keeps_length] == [(1, 1)]


def test_the_sizes_of_the_signal_need_rounding_down(notebook):
    remainders = {
        (stride, padding): (len(notebook.signal) - 3 + 2 * padding) % stride
        for stride, padding in [(2, 0), (4, 0), (4, 1)]
    }
    assert all(remainders.values())


@pytest.mark.parametrize(
    ("pair", "wrong", "words"),
    [
        ((1, 0), (5, -1, 8, 7, -2, 1), "not flipped"),
        ((2, 0), (7, 0, 6, 4), "One position too many"),
        ((2, 0), (7, 1, 0, 9, 6, -1), "With stride 2"),
        ((1, 1), (7, 1, 0, 9, 6, -1), "padding is forgotten"),
        ((1, 1), (-1, 7, 1, 0, 9, 6, -1), "both ends"),
        ((1, 1), (7, 1, 0, 9, 6, -1, 4), "both ends"),
        ((4, 1), (-1,), "missing"),
    ],
)
def test_common_mistakes_by_hand_get_their_reasons(notebook, pair, wrong, words):
    question = convolution_1d.by_hand(notebook.signal, notebook.weights, *pair)
    verdict = judge(question, wrong)
    assert verdict.credit == 0
    assert words in verdict.reason


def test_the_worked_example_with_and_without_the_flip(notebook):
    x, k = notebook.x, notebook.k
    assert notebook.conv2d_single(x, np.flip(k)).tolist() == [[-10, 45], [-60, 25]]
    assert notebook.conv2d_single(x, k).tolist() == [[15, 50], [-20, 30]] == notebook.unflipped
    by_layer = by_keras(x[..., None], k[..., None, None], 0, 1, 0)
    assert by_layer[..., 0].tolist() == notebook.unflipped


def test_two_filters_on_a_small_color_image(notebook):
    assert notebook.picture.shape == (4, 4, 3)
    assert notebook.kernels.shape == (2, 2, 3, 2)
    assert notebook.biases.tolist() == [1, -1]
    maps = notebook.conv2d_filters(notebook.picture, notebook.kernels, notebook.biases)
    assert maps.shape == (3, 3, 2)
    assert maps[..., 0].tolist() == [[7, 5, 7], [1, 5, 7], [6, 4, 10]]
    assert maps[..., 1].tolist() == [[3, 1, 5], [1, 2, 6], [4, 2, 4]]
    for stride, side in [(1, 3), (2, 2)]:
        maps = notebook.conv2d(notebook.picture, notebook.kernels, notebook.biases, stride)
        assert maps.shape == (side, side, 2)
        expected = by_keras(notebook.picture, notebook.kernels, notebook.biases, stride, 0)
        assert maps.tolist() == expected.tolist()


def test_sizes_in_the_text_are_right(notebook):
    assert notebook.output_size(100, 5, 1, 2) == 100
    assert notebook.output_size(512, 5, 1, 2) == 512
    ten = np.zeros((5, 5, 3, 10))
    assert notebook.conv2d(np.zeros((100, 100, 3)), ten, np.zeros(10), 1, 2).shape == (100, 100, 10)
    assert draw("padded-shape").answer == np.pad(np.zeros((100, 100)), 3).shape == (106, 106)


def test_weights_of_dense_local_and_shared_units():
    assert draw("dense-weights-grey").answer == 100 * 100 * 1_000 == 10**7
    assert draw("dense-weights").answer == 3 * 10**7
    assert draw("local-weights-grey").answer == 25_000
    assert draw("local-weights").answer == 75_000
    one_filter = built(keras.Input((100, 100, 3)), layers.Conv2D(1, 5)).count_params()
    assert draw("shared-weights").answer == one_filter == 75 + 1


def test_parameters_of_the_network(notebook):
    valid, side = counts("valid")
    assert (valid, side) == ([448, 12_832, 0, 36_992, 0, 615_045], 31)
    same, side = counts("same")
    assert (same, side) == ([448, 12_832, 0, 36_992, 0, 655_365], 32)
    assert notebook.counted == {
        "conv_1": 448,
        "conv_2": 12_832,
        "pool": 0,
        "conv_3": 36_992,
        "dense_valid": 615_045,
        "dense_same": 655_365,
    }
    assert max(valid) / sum(valid) > 0.9, "over 90 % in the dense layer, as the text says"


def test_wrong_answers_with_hints_result_from_these_mistakes(notebook):
    assert notebook.conv_parameters(3, 16, 32) == 4_640
    assert notebook.dense_parameters(22 * 22 * 128, 5) == 309_765


def test_the_graded_answers_are_those_of_the_quiz(notebook):
    cell = "".join(cells_by_id()["quiz"]["source"])
    shown = {"questions": type("Q", (), {"Quiz": Quiz}), "student": None}
    exec(cell, shown)
    asked = shown["quiz"].questions
    assert notebook.answers == {key: question.solution for key, question in asked.items()}


def test_every_solution_is_written_without_a_library():
    cells = cells_by_id()
    for name in ("conv1d", "conv2d_single", "conv2d_filters", "conv2d"):
        checks.written_without(name, "".join(cells[name]["source"]))


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


@quick
@given(st.integers(3, 9), small, small, st.integers(1, 2))
def test_same_padding_is_keras_padding(notebook, size, kernel_size, stride, filters):
    random = np.random.default_rng(0)
    image = random.integers(-3, 4, (size, size, 2))
    kernels = random.integers(-3, 4, (kernel_size, kernel_size, 2, filters))
    zeros = notebook.same_padding(size, kernel_size, stride)
    padded = np.pad(image, (zeros, zeros, (0, 0)))
    maps = notebook.conv2d(padded, kernels, np.zeros(filters), stride)
    layer = keras.ops.conv(
        image[None].astype("float32"), kernels.astype("float32"), strides=stride, padding="same"
    )
    assert maps.tolist() == keras.ops.convert_to_numpy(layer)[0].tolist()


@quick
@given(st.integers(3, 8), st.integers(3, 8), small, small, small)
def test_max_pool_is_keras_pooling(notebook, height, width, channels, size, stride):
    image = np.random.default_rng(0).integers(-9, 10, (height, width, channels))
    pooled = keras.ops.max_pool(image[None].astype("float32"), size, stride, "valid")
    expected = keras.ops.convert_to_numpy(pooled)[0]
    assert notebook.max_pool(image, size, stride).tolist() == expected.tolist()


@quick
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6), st.floats(-1e4, 1e4))
def test_softmax_is_stable_and_depends_only_on_differences(notebook, scores, shift):
    probabilities = notebook.softmax(np.array(scores))
    assert np.isfinite(probabilities).all()
    assert abs(probabilities.sum() - 1) < 1e-9
    assert np.allclose(notebook.softmax(np.array(scores) + shift), probabilities, atol=1e-6)


@quick
@given(st.lists(st.tuples(small, small), max_size=3))
def test_the_receptive_field_spans_the_pixels_that_the_output_depends_on(notebook, stack):
    pixels = []
    for pixel in range(40):
        row = np.zeros(40)
        row[pixel] = 1
        for kernel_size, stride in stack:
            row = notebook.conv1d(row, np.ones(kernel_size), stride)
        pixels += [pixel] if row[0] else []
    # With a stride larger than the kernel, some pixels in between have no influence.
    assert notebook.receptive_field(stack) == pixels[-1] - pixels[0] + 1


def test_the_receptive_field_of_vgg_16(notebook):
    convolution, pool = (3, 1), (2, 2)
    stack = [convolution, convolution, pool] * 2
    stack += [convolution, convolution, convolution, pool] * 3
    assert len(stack) == 18
    assert notebook.receptive_field(stack) == 212


def test_softmax_in_the_text_is_right(notebook):
    assert np.allclose(notebook.softmax(np.array([1000.0, 1001.0])), [0.26894142, 0.73105858])
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.exp(np.array([1000.0, 1001.0]))
        assert np.isnan(powers / powers.sum()).all(), "the formula itself overflows"


def test_elu_with_alpha_1_is_not_a_maximum():
    z = np.array([-2.0, -0.5, 0.5, 2.0])
    assert (np.exp(z) - 1 > z).all()
