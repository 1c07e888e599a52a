"""Numbers in 03-vgg16, checked with Keras, with the solutions, and with the table of the paper."""

import json
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from course import checks, counting, questions
from course.receptive_field import field_of
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
MACS = {"A": 7_609_090_048, "D": 15_470_264_320, "E": 19_632_062_464}
# Table 3 of Simonyan and Zisserman (2014): top-1 validation error in percent, trained and tested at
# one size of 256 pixels.
ERRORS = {"A": 29.6, "A-LRN": 29.7, "B": 28.7, "C": 28.1, "D": 27.0, "E": 27.3}
SOLUTIONS = [
    "receptive_field",
    "configurations",
    "build_vgg",
    "averaged",
    "design_network",
    "answers",
]


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("03-vgg16")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions define."""
    names = {"keras": keras, "layers": layers, "np": np, "counting": counting}
    for name in SOLUTIONS:
        source = cells[name].split("\n\n\naveraged = ")[0]  # figures follow
        exec(compile(source, name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def vgg16(solved):
    return solved["build_vgg"](solved["CONFIGURATIONS"]["D"])


@pytest.fixture(scope="module")
def text(cells):
    return "\n".join(cells.values())


@pytest.mark.parametrize("name", TOTALS)
def test_all_six_networks_have_the_layers_of_the_paper_and_the_known_parameters(solved, name):
    configuration = solved["CONFIGURATIONS"][name]
    network = solved["build_vgg"](configuration)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("Conv2D") + kinds.count("Dense") == WEIGHT_LAYERS[name]
    assert kinds.count("MaxPooling2D") == 5
    assert network.count_params() == TOTALS[name]


@pytest.mark.parametrize(("name", "column"), [("VGG16", "D"), ("VGG19", "E")])
def test_vgg_16_and_19_are_those_of_keras_applications(solved, name, column):
    with counting.without_weights():
        shipped = getattr(keras.applications, name)(weights=None)
    own = solved["build_vgg"](solved["CONFIGURATIONS"][column])

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


def costs(network):
    """Return a network's parameters, bytes of activations, and MACs by type of layer."""
    sums = {}
    for row in counting.layer_rows(network):
        for key, value in (("parameters", 1), ("activations", 4), ("macs", 1)):
            if row["name"] != "flatten":
                kind = sums.setdefault(key, {})
                kind[row["kind"]] = kind.get(row["kind"], 0) + value * row[key]
    return sums


def percentage(part, total):
    return f"{part / total:.1%}"


def assert_text_states(text, *figures):
    assert [figure for figure in figures if figure not in text] == []


def test_the_costs_of_vgg_16_are_those_of_the_text(vgg16, text):
    sums = costs(vgg16)
    total = {key: sum(kinds.values()) for key, kinds in sums.items()}
    assert percentage(sums["parameters"]["dense"], total["parameters"]) == "89.4%"
    assert percentage(sums["macs"]["convolution"], total["macs"]) == "99.2%"
    assert percentage(D_BY_LAYER[13], TOTALS["D"]) == "74.3%"
    assert sum(D_BY_LAYER[:13]) == 14_714_688
    assert sum(D_BY_LAYER[14:]) == 20_878_312
    assert 4 * TOTALS["D"] // 10**6 == 553
    assert total["activations"] == 60_348_320
    assert total["macs"] == MACS["D"]
    first_block = 4 * sum(row["activations"] for row in counting.layer_rows(vgg16)[:3])
    assert 0.45 < first_block / total["activations"] < 0.5, "almost half"
    rows = counting.layer_rows(vgg16)
    late = sum(row["macs"] for row in rows if row["name"].startswith(("conv3", "conv4", "conv5")))
    assert late / total["macs"] > 2 / 3
    assert 4 * sum(row["activations"] for row in rows[:6]) / total["activations"] > 0.7, "most"
    assert 9 * total["activations"] < 4 * TOTALS["D"] < 10 * total["activations"]
    assert f"{256 * total['activations'] / 1e9:.1f} GB" == "15.4 GB"
    assert 2 < 256 * total["activations"] / 6e9 < 3, "more than twice the 6 GB of one GPU"
    figures = "89.4%", "74.3%", "99.2%", "14,714,688", "20,878,312", "553 MB", "553.4 MB"
    assert_text_states(text, *figures, "60.3 MB", "ten or more images", "15.4 GB", "15.5 billion")


def test_most_convolutions_of_blocks_1_to_4_have_equally_many_macs(vgg16, text):
    macs = {row["name"]: row["macs"] for row in counting.layer_rows(vgg16)}
    blocks = [[macs[name] for name in macs if name.startswith(f"conv{n}")] for n in range(1, 6)]
    usual = macs["conv1_2"]
    assert f"{usual / 1e9:.2f} billion" == "1.85 billion"
    assert sum(block.count(usual) for block in blocks[:4]) == 6 > sum(map(len, blocks[:4])) / 2
    assert [block[1] for block in blocks[:4]] == [usual] * 4
    assert blocks[4] == [usual / 4] * 3
    assert_text_states(text, "1.85 billion", "the MACs fall to a quarter")


def test_the_errors_are_those_of_the_paper(cells, text):
    names = {}
    (line,) = re.findall(r"^top1_error = .*$", cells["six-counted"], re.MULTILINE)
    exec(line, names)
    assert names["top1_error"] == ERRORS
    for first, second in [("A", "A-LRN"), ("B", "C"), ("C", "D"), ("D", "E")]:
        stated = f"**{first} and {second}** ({ERRORS[first]}% and {ERRORS[second]}%)"
        assert_text_states(text, stated)


def test_what_depth_bought_and_cost_is_stated_rightly(solved, text):
    macs = {
        name: sum(costs(solved["build_vgg"](solved["CONFIGURATIONS"][name]))["macs"].values())
        for name in MACS
    }
    assert macs == MACS
    assert f"{TOTALS['E'] / TOTALS['A'] - 1:.0%}" == "8%"
    assert f"{MACS['E'] / MACS['A'] - 1:.0%}" == "158%"
    assert round(ERRORS["A"] - ERRORS["E"], 1) == 2.3
    assert 20e6 / TOTALS["D"] < 0.15
    figures = "by only 8%", "grows by 158%", "158% more MACs", "2.3 percentage points"
    assert_text_states(text, *figures, "less than 15%")


def test_the_standard_error_of_the_errors_is_stated_rightly(text):
    largest = max(ERRORS.values()) / 100
    one = 100 * (largest * (1 - largest) / 50_000) ** 0.5
    assert f"{one:.1f}" == "0.2"
    assert 0.28 < 2**0.5 * one < 0.29
    # Rounded down in the text: the errors of two of these networks differ little in this respect.
    assert_text_states(
        text, "0.2 percentage points", "0.28 percentage points", "0.56 percentage points"
    )
    # Twice that is more than 0.3, less than 1.1, and nearly 0.6.
    assert 0.3 < 2 * 2**0.5 * one < 0.6 < 1.1


@pytest.mark.parametrize(("name", "pixels"), [("A", 134), ("B", 140), ("C", 140), ("D", 196)])
def test_the_receptive_field_is_that_of_the_networks(solved, name, pixels):
    network = solved["build_vgg"](solved["CONFIGURATIONS"][name])
    chain = [each for each in network.layers if type(each).__name__ in ("Conv2D", "MaxPooling2D")]
    last = max(n for n, each in enumerate(chain) if type(each).__name__ == "Conv2D")
    stack = [
        (
            each.kernel_size[0] if hasattr(each, "kernel_size") else each.pool_size[0],
            each.strides[0],
        )
        for each in chain
    ]
    assert field_of(network, chain[last]).size == (pixels, pixels)
    assert solved["receptive_field"](stack[: last + 1]) == pixels


@pytest.mark.parametrize(
    "stack",
    [[(3, 1), (2, 2), (3, 1)], [(5, 2), (3, 2), (3, 1)], [(7, 2), (3, 2), (1, 1), (3, 1)],
     [(11, 4), (3, 2), (5, 1), (3, 2)], [(1, 1)], []],
)  # fmt: skip
def test_the_receptive_field_spans_the_pixels_that_the_output_depends_on(solved, stack):
    pixels = []
    for pixel in range(80):
        row = np.zeros(80)
        row[pixel] = 1
        for kernel_size, stride in stack:
            row = np.convolve(row, np.ones(kernel_size), "valid")[::stride]
        pixels += [pixel] if row[0] else []
    assert solved["receptive_field"](stack) == pixels[-1] - pixels[0] + 1


def test_small_kernels_cost_what_the_text_says(text):
    def parameters(kernel_size, number):
        return number * 64 * (kernel_size**2 * 64 + 1)

    assert (parameters(3, 3), parameters(7, 1)) == (110_784, 200_768)
    assert parameters(3, 1) == 36_928
    fewer = [1 - parameters(3, 2) / parameters(5, 1), 1 - parameters(3, 3) / parameters(7, 1)]
    assert [f"{each:.0%}" for each in fewer] == ["28%", "45%"]
    assert_text_states(text, "28% fewer", "45% fewer")
    one_by_one, three_by_three = 256 * 257, 256 * (9 * 256 + 1)
    assert (one_by_one, three_by_three) == (65_792, 590_080)
    assert round(three_by_three / one_by_one) == 9
    assert_text_states(text, "65{,}792", "590,080")


def test_the_sizes_in_the_text_are_right(solved):
    column = solved["CONFIGURATIONS"]["D"]
    for side in (32, 112, 224, 448):
        resized = solved["build_vgg"](column, input_shape=(side, side, 3))
        rows = counting.layer_rows(resized)
        convolutions = [row["parameters"] for row in rows if row["kind"] == "convolution"]
        assert convolutions == D_BY_LAYER[:13]
        assert solved["with_average_pooling"](resized).count_params() == 15_227_688


def test_the_networks_without_large_dense_layers_have_the_costs_of_the_text(solved, vgg16, text):
    averaged = solved["with_average_pooling"](vgg16)
    assert averaged.count_params() == 15_227_688
    assert averaged.layers[-1].count_params() == 513_000
    assert f"{sum(D_BY_LAYER[13:]) / 1e6:.1f} million" == "123.6 million"
    design = solved["design_network"]()
    macs = sum(costs(design)["macs"].values())
    assert design.count_params() <= 20e6
    assert macs <= 5e9
    assert macs < MACS["D"] / 3, "about a third of its computation"
    assert f"{macs / 1e9:.1f} billion" == "4.7 billion"
    memory = sum(costs(design)["activations"].values()) - 4 * 512  # without global pooling
    assert f"{memory / 1e6:.1f} MB" == "22.4 MB"
    last = [layer for layer in design.layers if type(layer).__name__ == "Conv2D"][-1]
    assert field_of(design, last).size == (238, 238), "a larger receptive field"
    figures = "15,227,688", "513{,}000", "513,000", "123.6 million", "4.7 billion", "22.4 MB"
    assert_text_states(text, *figures)


def test_the_obvious_designs_miss_a_condition(solved):
    """Dividing all filters by two and averaging is not enough: the memory is missed."""
    halves = [32, 32, "M", 64, 64, "M", 128, 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M"]
    halved = solved["with_average_pooling"](solved["build_vgg"](halves))
    sums = costs(halved)
    assert halved.count_params() <= 20e6
    assert sum(sums["macs"].values()) <= 5e9
    assert sum(sums["activations"].values()) > 25e6


# By name: the convolutions ("S32" is separable, "/32" has stride 2, "~32" is dilated, "1x32" has a
# 1 × 1 kernel) and pooling layers, and a part of the message; "" for a design that is accepted.
# Large dense layers follow "flat", and no dense layer follows "no dense".
DESIGNS = {
    "late": ("32 M 64 M 128 128 128 M 256 256 256 256 M 256 256 256 256 M", ""),
    "fewer early": ("32 M 64 64 M 128 128 M 256 256 256 M 512 512 512 512 M", ""),
    "half": (
        "32 32 M 64 64 M 128 128 128 M 256 256 256 M 256 256 256 M",
        "5: at most 25 MB of activations (yours: 30.2 MB)",
    ),
    "one less": (
        "32 M 64 64 M 128 128 128 M 256 256 256 M 512 512 512 M",
        "6: receptive field of at least 196 × 196 (yours: 194 × 194)",
    ),
    "D": (
        "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
        "4: at most 5 billion MACs (yours: 15.35 billion)",
    ),
    "A": ("64 M 128 M 256 256 M 512 512 M 512 512 M", "2: number of 3 × 3 convolutions"),
    "flat": (
        "32 M 64 M 128 128 128 M 256 256 256 M 256 256 256 M",
        "3: at most 20 million parameters (yours: ",
    ),
    "early": ("32 32 32 M 64 64 64 M 128 128 M 256 256 M", "5: at most 25 MB"),
    "one filter each": (
        "1 M 1 M 1 1 1 M 1 1 1 1 M 1 1 1 256 M",
        "2: convolutions with too few filters: got 'conv1_1: 1 filters instead of at least 32'",
    ),
    "few filters": ("32 M 64 M 128 128 128 M 256 256 256 256 M 128 128 128 M", "2: convolutions"),
    "stride": ("32 /32 M 64 64 64 64 M 128 128 128 128 M 256 M", "1: all convolutions are 3 × 3"),
    "dilated": (
        "32 M 64 64 64 64 M 128 128 128 ~128 M 256 M",
        "1: no convolution sets dilation_rate",
    ),
    "separable": ("S32 64 64 64 64 M 128 128 128 128 128 256 M", "layers of other types"),
    "no dense": (
        "32 M 64 M 128 128 128 M 256 256 256 256 M 256 256 256 M 1x1000",
        "1: last layer with weights: got 'Conv2D'",
    ),
}


def test_the_conditions_of_the_costs_hold_for_the_network_that_they_measure(cells):
    linear = keras.Sequential([keras.Input((224, 224, 3))])
    for _ in range(10):
        linear.add(layers.Conv2D(32, 3, padding="same"))
    linear.add(layers.GlobalAveragePooling2D())
    linear.add(layers.Dense(1000, activation="softmax"))
    shared = layers.Conv2D(32, 3, padding="same", activation="relu")
    inputs = x = keras.Input((224, 224, 32))
    for _ in range(10):
        x = shared(x)
    outputs = layers.Dense(1000, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    for network, message in [
        (linear, "1: convolutions without ReLU: got 10"),
        (keras.Model(inputs, outputs), "layers used more than once"),
    ]:
        names = {"checks": checks, "counting": counting, "design_network": lambda n=network: n}
        with pytest.raises(checks.CheckFailed, match=message):
            exec(compile(cells["test_design_costs"], "test_design_costs", "exec"), names)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_check_accepts_any_design_that_meets_the_conditions(name, cells):
    configuration, message = DESIGNS[name]

    def design_network():
        with counting.without_weights():
            network = keras.Sequential([keras.Input((224, 224, 3))])
            for entry in configuration.split():
                if entry == "M":
                    network.add(layers.MaxPooling2D(2))
                    continue
                kind = layers.SeparableConv2D if entry[0] == "S" else layers.Conv2D
                options = {"strides": 2 if entry[0] == "/" else 1, "padding": "same"}
                options["dilation_rate"] = 2 if entry[0] == "~" else 1
                size, filters = (1, entry[2:]) if "x" in entry else (3, entry.strip("S/~"))
                activation = None if "x" in entry else "relu"
                network.add(kind(int(filters), size, activation=activation, **options))
            if name == "flat":
                network.add(layers.Flatten())
                network.add(layers.Dense(4096, activation="relu"))
            else:
                network.add(layers.GlobalAveragePooling2D())
            if name == "no dense":
                network.add(layers.Softmax())
            else:
                network.add(layers.Dense(1000, activation="softmax"))
            return network

    names = {"checks": checks, "counting": counting, "design_network": design_network}
    names["course"] = SimpleNamespace(cell_source=lambda _: "with counting.without_weights():")

    def check():
        for cell in ("test_design_parameters", "test_design_costs"):
            exec(compile(cells[cell], cell, "exec"), names)

    if not message:
        return check()
    with pytest.raises(checks.CheckFailed, match=re.escape(message)):
        check()


def test_the_practice_questions_have_the_answers_of_the_course_text(cells):
    practice = cells["rules-practice"] + cells["practice-512"]
    asked = re.findall(r'"([a-z0-9-]+)"', practice)
    answers = {name: questions.draw(name) for name in asked}
    assert answers["weight-layers"].answer == 16
    assert answers["conv-parameters"].answer == 36_928
    assert answers["dense-parameters"].answer == 102_764_544
    assert answers["same-shape"].answer == (112, 112, 128)
    assert answers["conv-parameters-512"].answer == 9_248
    assert answers["pooled-shape"].answer == (128, 128, 64)
    assert answers["output-units"].answer == 3
    assert answers["stacked-weights"].answer == 2 * 9 * 64 * 64
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


def test_the_network_on_paper_fits_the_answers():
    with counting.without_weights():
        on_paper = keras.Sequential(
            [
                keras.Input(shape=(512, 512, 3)),
                layers.Conv2D(32, 5, padding="same", activation="relu"),
                layers.Conv2D(32, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 3, padding="same", activation="relu"),
                layers.Conv2D(64, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(100, activation="relu"),
                layers.Dense(3, activation="softmax"),
            ]
        )
    rows = dict(enumerate(counting.layer_rows(on_paper), start=2))
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
    macs = dict(zip(TOTALS, saved["metrics"]["macs_by_column"], strict=True))
    assert {name: macs[name] for name in MACS} == MACS
    assert saved["metrics"]["activation_bytes"] == 60_348_320
    assert saved["metrics"]["averaged_parameters"] == 15_227_688
    assert saved["metrics"]["design_activation_bytes"] <= 25e6
    assert abs(saved["metrics"]["dense_fraction"] - 0.894) < 5e-4
