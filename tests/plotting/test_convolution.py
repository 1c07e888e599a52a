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
    assert [int(re.search(r"(\d+) pixels?$", label)[1]) for label in labels] == sizes
    assert ax.get_title("left") == f"One pixel at the top depends on {sizes[0]} adjacent pixels"
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
