import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from course import plotting
from course.plotting import convolution

X = [[80, 0, 50], [70, 20, 10], [0, 40, 0]]
K = [[-1, 0.5], [1, 0]]


@pytest.fixture(autouse=True)
def no_figure_left_in_pyplot():
    yield
    assert plt.get_fignums() == []


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def images(slides):
    return [Image.open(io.BytesIO(step)) for step in slides.steps]


def test_each_position_has_a_step_with_its_sum():
    slides = plotting.sliding_kernel(X, K)
    assert len(slides.steps) == len(slides.texts) == 4
    assert slides.output.tolist() == [[-10, 45], [-60, 25]]
    assert slides.texts[0] == "80·(−1) + 0·0.5 + 70·1 + 20·0 = −10"
    assert slides.texts[3].endswith("= 25")
    assert repr(slides).splitlines() == slides.texts


def test_the_steps_are_different_images_of_one_size():
    slides = plotting.sliding_kernel(X, K)
    assert len({image.size for image in images(slides)}) == 1
    assert len(set(slides.steps)) == len(slides.steps)


@pytest.mark.parametrize(
    ("stride", "padding", "shape"), [(1, 0, (3, 4)), (2, 0, (2, 2)), (1, 1, (5, 6)), (3, 1, (2, 2))]
)
def test_stride_and_padding_determine_the_positions(stride, padding, shape):
    image, kernel = np.arange(5 * 6).reshape(5, 6), np.ones((3, 3))
    slides = plotting.sliding_kernel(image, kernel, stride, padding)
    assert slides.output.shape == shape
    padded = np.pad(image, padding)
    assert slides.output[0, 0] == padded[:3, :3].sum()
    last = tuple((side - 1) * stride for side in shape)
    assert slides.output[-1, -1] == padded[last[0] : last[0] + 3, last[1] : last[1] + 3].sum()


def test_a_row_counts_as_an_image():
    slides = plotting.sliding_kernel([[0, 2, 1, 1, 3, 0]], [[1, 2, -1]], stride=2)
    assert slides.output.tolist() == [[3, 0]]


def test_the_page_contains_all_steps_and_works_offline():
    slides = plotting.sliding_kernel(X, K)
    page = slides._repr_html_()
    encoded = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    assert [base64.b64decode(each) for each in encoded] == [slides.steps[0], *slides.steps]
    assert "http" not in page
    assert 'max="3"' in page
    assert "step 1 of 4" in page


def test_two_on_a_page_have_different_ids():
    slides = plotting.sliding_kernel(X, K)
    ids = [re.search(r'<div id="([^"]+)"', slides._repr_html_())[1] for _ in range(2)]
    assert ids[0] != ids[1]


def test_the_page_stays_small():
    image = np.arange(36).reshape(6, 6)
    assert len(plotting.sliding_kernel(image, np.ones((3, 3)), 1, 1)._repr_html_()) < 600_000


def test_without_html_a_strip_of_a_few_steps_is_shown():
    slides = plotting.sliding_kernel(np.ones((5, 5)), np.ones((2, 2)))
    strip = Image.open(io.BytesIO(slides._repr_png_()))
    width, height = images(slides)[0].size
    assert strip.size == (width, convolution.STRIP_STEPS * height)
    single = plotting.sliding_kernel(np.ones((2, 2)), np.ones((2, 2)))
    assert Image.open(io.BytesIO(single._repr_png_())).size == images(single)[0].size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, 2, 3], K), r"image must have the shape \(h, w\); got \(3,\)"),
        ((X, [1, 2]), r"kernel must have the shape \(f, g\); got \(2,\)"),
        ((X, np.ones((4, 2))), "does not fit"),
        ((np.ones((20, 20)), np.ones((2, 2))), "19 × 19 positions are too many"),
    ],
)
def test_wrong_input_is_rejected_with_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        plotting.sliding_kernel(*arguments)


EDGES = np.array([[-1, 0, 1]] * 3)


def test_each_kernel_is_drawn_with_its_weights_above_its_response():
    image = np.zeros((6, 7))
    image[:, 3:] = 1
    kernels = {"vertical edges": EDGES, "horizontal edges": EDGES.T}
    figure = plotting.kernel_responses(image, kernels, title="Edges", image_name="input")
    shown, *pairs = figure.axes
    assert shown.get_title() == "input"
    assert [ax.get_title() for ax in pairs[::2]] == [*kernels]
    assert [text.get_text() for text in pairs[0].texts] == ["−1", "0", "1"] * 3
    vertical, horizontal = (np.asarray(ax.images[0].get_array()) for ax in pairs[1::2])
    assert vertical.tolist() == [[0, 3, 3, 0, 0]] * 4
    assert not horizontal.any()
    assert all(-ax.images[0].norm.vmin == ax.images[0].norm.vmax > 0 for ax in pairs[1::2])
    assert figure.texts[0].get_text() == "Edges"


def test_weights_that_are_fractions_are_rounded():
    figure = plotting.kernel_responses(np.eye(4), {"random": [[0.123, -2.0], [-1e-6, 0.96]]})
    assert [text.get_text() for text in figure.axes[1].texts] == ["0.1", "−2.0", "0.0", "1.0"]


@pytest.mark.parametrize(
    ("image", "kernels", "words"),
    [
        (np.ones((4, 4)), {}, "kernels must contain at least one name with its kernel"),
        (np.ones((4, 4)), {"large": np.ones((5, 3))}, "does not fit"),
        (np.ones((4, 4, 3)), {"edges": EDGES}, r"image must have the shape \(h, w\)"),
        (np.ones((4, 4)), {"edges": [1, 2]}, r"kernel must have the shape \(f, g\)"),
        (np.ones((4, 4)), {"300 steps": [[np.inf]]}, "weights of '300 steps' must be finite"),
    ],
)
def test_wrong_kernels_are_rejected_with_a_sentence(image, kernels, words):
    with pytest.raises(ValueError, match=words):
        plotting.kernel_responses(image, kernels)


def test_a_feature_map_passes_relu_and_then_pooling():
    image = np.tile([0.0, 1, 1, 0, 0, 1], (6, 1))
    figure = plotting.convolution_relu_pooling(image, EDGES, pool_size=2, title="T")
    maps = [np.asarray(ax.images[0].get_array()) for ax in figure.axes[1:]]
    assert maps[0].tolist() == [[3, -3, -3, 3]] * 4
    assert maps[1].tolist() == [[3, 0, 0, 3]] * 4
    assert maps[2].tolist() == [[3, 3]] * 2
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[1] == "after the convolution\n4 × 4"
    assert titles[3] == "after 2 × 2 max pooling\n2 × 2"
    assert figure.texts[0].get_text() == "T"
    assert len(plotting.convolution_relu_pooling(image, EDGES).axes) == 3
    with pytest.raises(ValueError, match="at least 5 × 5"):
        plotting.convolution_relu_pooling(image, EDGES, pool_size=5)


VOLUME = np.arange(4 * 4 * 3).reshape(4, 4, 3) % 5
FILTERS = np.arange(2 * 2 * 3 * 2).reshape(2, 2, 3, 2) % 3 - 1


def test_each_filter_sums_over_all_channels():
    slides = plotting.channels_and_filters(VOLUME, FILTERS, [1, -1], ["red", "green", "blue"])
    assert slides.output.shape == (3, 3, 2)
    for (i, j, k), value in np.ndenumerate(slides.output):
        patch = VOLUME[i : i + 2, j : j + 2]
        assert value == np.sum(patch * FILTERS[..., k]) + [1, -1][k]
    assert len(slides.steps) == len(slides.texts) == 18
    by_channel = [int(np.sum(VOLUME[:2, :2, c] * FILTERS[..., c, 0])) for c in range(3)]
    terms = [f"({part})" if part < 0 else f"{part}" for part in by_channel]
    expected = f"{' + '.join(terms)} + 1 = {sum(by_channel) + 1}".replace("-", "−")
    assert slides.texts[0] == expected
    assert len({image.size for image in images(slides)}) == 1
    assert len(set(slides.steps)) == 18
    assert len(slides._repr_html_()) < 600_000


def test_the_strip_of_filters_is_short():
    slides = plotting.channels_and_filters(VOLUME, FILTERS, [0, 0])
    height = images(slides)[0].size[1]
    assert Image.open(io.BytesIO(slides._repr_png_())).size[1] == 2 * height


def test_a_1_x_1_convolution_mixes_the_channels_of_each_pixel():
    weights = np.array([[1, 0], [0, 2], [1, -1]])
    slides = plotting.channels_and_filters(VOLUME, weights.reshape(1, 1, 3, 2), [0, 0])
    assert slides.output.tolist() == (VOLUME @ weights).tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((VOLUME[..., 0], FILTERS, [0, 0]), r"image must have the shape \(h, w, channels\)"),
        ((VOLUME[..., :2], FILTERS, [0, 0]), r"filters must have the shape \(f, g, 2, filters\)"),
        ((VOLUME, FILTERS, [0]), r"biases must have the shape \(2,\)"),
        ((np.ones((9, 9, 3)), FILTERS, [0, 0]), "128 steps are too many"),
    ],
)
def test_wrong_volumes_are_rejected_with_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        plotting.channels_and_filters(*arguments)


@pytest.mark.parametrize(
    ("case", "zeros", "side"),
    [((1, 0), 0, 4), ((1, 1), 2, 6), ((2, 0), 0, 2), ((2, "same"), 1, 3), ((1, "same"), 2, 6)],
)
def test_each_position_has_a_dot(case, zeros, side):
    (ax,) = plotting.stride_and_padding([case], size=6, kernel_size=3).axes
    (dots,) = ax.collections[-1:]
    assert len(dots.get_offsets()) == side**2
    padded, image = ax.patches[:2]
    assert padded.get_width() == image.get_width() + zeros == 6 + zeros
    assert ax.get_title("left").endswith(f"6 × 6 → {side} × {side}")
    last = ax.patches[3]
    assert last.get_x() == (side - 1) * case[0] <= padded.get_width() - 3
    ignored = padded.get_width() - last.get_x() - 3
    assert [patch.get_width() for patch in ax.patches[4:5]] == [ignored] * int(ignored > 0)


@pytest.mark.parametrize("size", range(3, 9))
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_has_the_zeros_of_keras(size, kernel_size, stride):
    import keras

    before, after = convolution._zeros(size, kernel_size, stride, "same")
    row = np.arange(1, size + 1, dtype="float32")
    weights = np.arange(1, kernel_size + 1, dtype="float32")
    conv = keras.ops.conv(row[None, :, None], weights[:, None, None], stride, "same")
    padded = np.pad(row, (before, after))
    expected = np.correlate(padded, weights, "valid")[::stride]
    assert keras.ops.convert_to_numpy(conv)[0, :, 0].tolist() == expected.tolist()
    assert len(expected) == -(-size // stride)


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        ([], r"^cases must contain at least one pair \(stride, padding\), as in \[\(1, 0\)\]\.$"),
        ([(1, 0), (1, 1)], "kernel of size 7"),
    ],
)
def test_wrong_cases_are_rejected_with_a_sentence(cases, words):
    with pytest.raises(ValueError, match=words):
        plotting.stride_and_padding(cases, size=6, kernel_size=7)


def grid_values(figure):
    """Return all values in the grids of a figure, in the order in which they are drawn."""
    values = []
    for text in texts(figure):
        try:
            values.append(float(text.replace("−", "-")))
        except ValueError:
            continue
    return values


def test_pooling_shows_the_maximum_and_the_mean_of_each_window():
    image = np.array([[1, 2, 5, 3], [4, 0, 1, 1], [7, 8, 2, 0], [6, 5, 3, 9]])
    figure = plotting.pooling(image)
    expected = [*image.ravel(), 4, 5, 8, 9, 1.75, 2.5, 6.5, 3.5]
    assert grid_values(figure) == expected
    assert "2 × 2" in figure.texts[0].get_text()


def test_overlapping_windows_are_outlined_but_not_colored():
    image = np.arange(25).reshape(5, 5)
    figure = plotting.pooling(image, size=3, stride=2)
    assert grid_values(figure)[25:] == [12, 14, 22, 24, 6, 8, 16, 18]
    (ax,) = figure.axes
    assert len(ax.patches) == 6, "only the outlines of two windows in each grid"
    lefts = [patch.get_x() for patch in ax.patches]
    assert lefts[:2] == [0, 2]
    assert len({patch.get_linestyle() for patch in ax.patches}) == 2, "not by color alone"
    assert figure.texts[0].get_text() == "3 × 3 windows with stride 2 overlap"


@pytest.mark.parametrize("image", [np.ones(4), np.ones((1, 4))])
def test_pooling_rejects_an_image_that_is_smaller_than_a_window(image):
    with pytest.raises(ValueError, match="image must have the shape"):
        plotting.pooling(image)


def test_connections_count_the_weights_of_three_kinds_of_layers():
    figure = plotting.connections(inputs=7, kernel_size=3)
    titles = [ax.get_title("left") for ax in figure.axes]
    assert titles == [
        "dense: 35 weights",
        "locally connected: 15 weights",
        "convolutional: 3 weights",
    ]
    lines = [len(ax.lines) for ax in figure.axes]
    assert lines == [35, 15, 15]
    styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[2].lines}
    assert len(styles) == len({style for _, style in styles}) == 3


@pytest.mark.parametrize("kernel_size", [0, 6, 8])
def test_connections_reject_a_kernel_that_does_not_fit(kernel_size):
    with pytest.raises(ValueError, match="kernel_size must be from 1"):
        plotting.connections(inputs=7, kernel_size=kernel_size)


@pytest.mark.parametrize(
    ("layers", "sizes"),
    [
        ([(3, 1)], [3, 1]),
        ([(3, 1), (3, 1), (3, 1)], [7, 5, 3, 1]),
        ([(3, 1), (2, 2), (3, 1)], [8, 6, 3, 1]),
        ([(5, 2), (3, 2), (3, 1)], [17, 7, 3, 1]),
    ],
)
def test_a_receptive_field_shows_the_pixels_of_every_layer(layers, sizes):
    figure = plotting.receptive_field(layers)
    (ax,) = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert [int(re.search(r"(\d+) (?:pixel|activation)s?$", label)[1]) for label in labels] == sizes
    assert ax.get_title("left") == (
        f"One activation of layer {len(layers)} depends on {sizes[0]} adjacent pixels of the image"
    )
    squares = [patch for patch in ax.patches if type(patch).__name__ == "Rectangle"]
    heights = [round(square.get_y() + 0.16) for square in squares]
    assert [heights.count(level) for level in range(len(sizes))] == sizes


def test_kernels_cover_all_pixels_of_the_layer_below():
    (ax,) = plotting.receptive_field([(5, 2), (3, 2)]).axes
    kernels = [patch for patch in ax.patches if type(patch).__name__ == "Polygon"]
    squares = [patch for patch in ax.patches if type(patch).__name__ == "Rectangle"]
    left = min(square.get_x() for square in squares)
    right = max(square.get_x() + square.get_width() for square in squares)
    corners = np.concatenate([kernel.get_xy() for kernel in kernels])
    assert corners[:, 0].min() == pytest.approx(left)
    assert corners[:, 0].max() == pytest.approx(right)


@pytest.mark.parametrize("layers", [[], [(3,)], [(0, 1)], [(3, 0)]])
def test_a_receptive_field_without_layers_is_rejected_with_a_sentence(layers):
    with pytest.raises(ValueError, match=r"pairs \(kernel size, stride\)"):
        plotting.receptive_field(layers)
