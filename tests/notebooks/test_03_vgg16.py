"""Numbers in 03-vgg16, checked with Keras and with the solutions."""

import json
import re

import keras
import numpy as np
import pytest
from keras import layers

from course import counting, questions
from tests.submissions import ROOT, source_cells

TOTALS = {
    "A": 132_863_336,
    "A-LRN": 132_863_336,
    "B": 133_047_848,
    "C": 133_638_952,
    "D": 138_357_544,
    "E": 143_667_240,
}
WEIGHT_LAYERS = {"A": 11, "A-LRN": 11, "B": 13, "C": 16, "D": 16, "E": 19}
D_BY_LAYER = [1_792, 36_928, 73_856, 147_584, 295_168, 590_080, 590_080, 1_180_160]
D_BY_LAYER += [2_359_808] * 5 + [102_764_544, 16_781_312, 4_097_000]
SOLUTIONS = ["conv_parameters", "dense_parameters", "configurations", "configuration_d"]
SOLUTIONS += ["weight_layers", "build_vgg", "count_parameters", "answers"]


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("03-vgg16")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions define."""
    names = {"keras": keras, "layers": layers, "np": np, "counting": counting}
    for name in SOLUTIONS:
        exec(compile(cells[name], name, "exec"), names)
    names["networks"] = {**names["CONFIGURATIONS"], "D": names["configuration_d"]}
    return names


@pytest.fixture(scope="module")
def vgg16(solved):
    return solved["build_vgg"](solved["configuration_d"])


@pytest.fixture(scope="module")
def text(cells):
    return "\n".join(cells.values())


@pytest.mark.parametrize("name", TOTALS)
def test_all_six_networks_have_the_layers_of_the_paper_and_the_known_parameters(solved, name):
    configuration = solved["networks"][name]
    network = solved["build_vgg"](configuration)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert solved["weight_layers"](configuration) == WEIGHT_LAYERS[name]
    assert kinds.count("Conv2D") + kinds.count("Dense") == WEIGHT_LAYERS[name]
    assert kinds.count("MaxPooling2D") == 5
    assert network.count_params() == TOTALS[name]
    assert sum(solved["count_parameters"](configuration)) == TOTALS[name]


@pytest.mark.parametrize(("name", "column"), [("VGG16", "D"), ("VGG19", "E")])
def test_vgg_16_and_19_are_those_of_keras_applications(solved, name, column):
    with counting.without_weights():
        shipped = getattr(keras.applications, name)(weights=None)
    own = solved["build_vgg"](solved["networks"][column])

    def layers_of(network):
        return [
            (type(layer).__name__, layer.count_params(), tuple(layer.output.shape))
            for layer in network.layers
            if type(layer).__name__ != "InputLayer"
        ]

    assert layers_of(own) == layers_of(shipped)


def test_vgg_16_layer_by_layer(solved, vgg16):
    rows = [row for row in counting.layer_rows(vgg16) if row["parameters"]]
    assert [row["parameters"] for row in rows] == D_BY_LAYER
    assert solved["count_parameters"](solved["configuration_d"]) == D_BY_LAYER
    assert [row["kind"] for row in rows] == ["convolution"] * 13 + ["dense"] * 3


def test_only_pooling_reduces_height_and_width(vgg16):
    volumes = [row for row in counting.layer_rows(vgg16) if len(row["shape"]) == 3]
    assert volumes[0]["shape"] == (224, 224, 64)
    sides = [224] + [row["shape"][0] for row in volumes if row["kind"] == "pooling"]
    assert sides == [224, 112, 56, 28, 14, 7]
    side = 224
    for row in volumes:
        assert (row["shape"][0] < side) == (row["kind"] == "pooling")
        side = row["shape"][0]


def test_the_percentages_in_the_text_are_right(vgg16, text):
    rows = counting.layer_rows(vgg16)

    def percentage(key, kind):
        part = sum(row[key] for row in rows if row["kind"] == kind)
        return f"{100 * part / sum(row[key] for row in rows):.1f} %"

    assert percentage("parameters", "dense") == "89.4 %"
    assert percentage("macs", "convolution") == "99.2 %"
    assert f"{100 * D_BY_LAYER[13] / TOTALS['D']:.1f} %" == "74.3 %"
    assert sum(D_BY_LAYER[:13]) == 14_714_688
    assert 4 * TOTALS["D"] // 10**6 == 553
    assert f"{TOTALS['E'] / TOTALS['A'] - 1:.0%}" == "8%"
    assert sum(D_BY_LAYER[13:]) == 123_642_856
    assert sum(D_BY_LAYER[14:]) == 20_878_312
    for figure in (
        "89.4 %",
        "99.2 %",
        "74.3 %",
        "14,714,688",
        "553 million",
        "8 %",
        "123.6 million",
        "20,878,312",
    ):
        assert figure in text


def test_small_kernels_cost_what_the_text_says(solved, text):
    conv = solved["conv_parameters"]
    five, seven = conv(5, 64, 64), conv(7, 64, 64)
    two, three = 2 * conv(3, 64, 64), 3 * conv(3, 64, 64)
    assert (three, seven) == (110_784, 200_768)
    assert f"{1 - two / five:.0%}, {1 - three / seven:.0%}" == "28%, 45%"
    for figure in ("28 % fewer", "45 % fewer", "110,784", "200,768"):
        assert figure in text


def test_the_sizes_in_the_text_are_right(solved):
    column = solved["configuration_d"]
    with pytest.raises(ValueError, match="zero or negative"):
        solved["build_vgg"](column, input_shape=(28, 28, 3))
    with pytest.raises(ValueError, match="zero or negative"):
        solved["build_vgg"](column, input_shape=(31, 31, 3))
    for side in (32, 112, 448):
        rows = counting.layer_rows(solved["build_vgg"](column, input_shape=(side, side, 3)))
        convolutions = [row["parameters"] for row in rows if row["kind"] == "convolution"]
        assert convolutions == D_BY_LAYER[:13]
        own = solved["count_parameters"](column, side=side)
        assert own == [row["parameters"] for row in rows if row["parameters"]]


def test_the_network_for_a_phone_has_the_parameters_of_the_mark_scheme(solved, text):
    dense = solved["dense_parameters"]
    averaged = dense(512, 1000)
    narrow = [dense(25_088, 128), dense(128, 128), dense(128, 1000)]
    assert averaged == 513_000
    assert narrow == [3_211_392, 16_512, 129_000]
    assert 14_714_688 + averaged == 15_227_688
    assert 14_714_688 + sum(narrow) == 18_071_592
    for figure in ("513,000", "15,227,688", "3,211,392", "16,512", "129,000", "18,071,592"):
        assert figure in text


def test_the_practice_questions_have_the_answers_of_the_course_text(cells):
    asked = re.findall(r'"([a-z0-9-]+)"', cells["practice-counting"] + cells["practice-shapes"])
    asked += re.findall(r'"([a-z0-9-]+)"', cells["practice-512"])
    answers = {name: questions.draw(name) for name in asked}
    assert answers["conv-parameters"].answer == 36_928
    assert answers["dense-parameters"].answer == 102_764_544
    assert answers["same-shape"].answer == (112, 112, 128)
    assert answers["conv-parameters-512"].answer == 9_248
    assert answers["pooled-shape"].answer == (128, 128, 64)
    assert answers["output-units"].answer == 3
    chosen = {
        name: next(choice.text for choice in answers[name].choices if choice.is_right)
        for name in ("shrinkage", "keep-size", "layer-kind")
    }
    assert chosen == {
        "shrinkage": "the pooling layers only",
        "keep-size": "stride 1, padding 2",
        "layer-kind": "Flatten",
    }
    assert "biases" in answers["dense-parameters"].mistakes[102_760_448]


def test_the_network_on_paper_fits_the_answers(cells):
    names = {"keras": keras, "layers": layers, "counting": counting}
    exec(compile(cells["check-512"], "check-512", "exec"), names)
    rows = dict(enumerate(counting.layer_rows(names["on_paper"]), start=2))
    assert rows[2]["shape"] == (512, 512, 32)
    assert rows[3]["parameters"] == 9_248
    assert rows[7]["shape"] == (128, 128, 64)
    assert rows[8]["name"] == "flatten"
    assert rows[10]["shape"] == (3,)


def test_the_answers_of_the_quiz_are_right_and_not_all_the_same_letter(cells, solved):
    names = {"questions": questions, "student": None}
    exec(compile(cells["quiz"].rsplit("\n", 1)[0], "quiz", "exec"), names)
    asked = names["quiz"].questions
    assert solved["answers"] == {key: question.solution for key, question in asked.items()}
    letters = [answer for answer in solved["answers"].values() if isinstance(answer, str)]
    assert len(set(letters)) > 1
    presets = [questions.draw(name).text for name in questions.BANK]
    assert not {question.text for question in asked.values()} & set(presets)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=pytest.mark.jax)])
def test_the_notebook_runs_on_both_backends(backend, tmp_path, course_command):
    for name in ("nbgrader_config.py", "source"):
        (tmp_path / name).symlink_to(ROOT / name)
    arguments = ["run", "03-vgg16", "--profile", "smoke"]
    finished = course_command(*arguments, cwd=tmp_path, KERAS_BACKEND=backend)
    assert finished.returncode == 0, finished.stderr
    (metrics_file,) = (tmp_path / "build" / "runs").rglob("metrics.json")
    saved = json.loads(metrics_file.read_text())
    assert saved["error"] is None
    assert saved["metrics"]["parameters_by_layer"] == D_BY_LAYER
    assert saved["metrics"]["parameters_by_column"] == list(TOTALS.values())
    assert saved["metrics"]["parameters_later"] == [TOTALS["D"], 25_636_712, 3_538_984]
    assert saved["metrics"]["multiplications"] == 15_470_264_320
    assert abs(saved["metrics"]["dense_share"] - 0.894) < 5e-4
