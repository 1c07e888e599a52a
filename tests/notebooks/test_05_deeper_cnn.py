"""Numbers in 05-deeper-cnn, checked with Keras and with the solutions."""

import symtable
import tomllib
from itertools import groupby
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from course import checks, counting, measurements, receptive_field, residual_network
from tests.benchmarks import recipes
from tests.benchmarks.measurements import lesson_05
from tests.submissions import ROOT, source_cells

DEFINED = ["model-1-list", "build_network", "doubled", "model_2", "my_networks"]
DEFINED += ["build_deep", "strongest"]


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("05-deeper-cnn")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions and the helper cells define."""
    names = {"keras": keras, "layers": layers, "np": np, "checks": checks}
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def networks(solved):
    build = solved["build_network"]
    return {
        "model_1": build(solved["model_1"]),
        "model_2": build(solved["model_2"]),
    }


def rows_of(network):
    """Return the rows of convolutions, pooling, flatten and dense layers."""
    kinds = ("convolution", "pooling", "dense")
    return [
        row
        for row in counting.layer_rows(network)
        if row["kind"] in kinds or row["name"] == "flatten"
    ]


MODEL_1 = [(16, 16, 32), (6, 6, 32), (3, 3, 32), (288,), (512,), (10,)]
MODEL_2 = [(32, 32, 32), (28, 28, 32), (14, 14, 32), (12, 12, 32), (10, 10, 16), (5, 5, 16)]
MODEL_2 += [(400,), (512,), (10,)]
COUNTS = {
    "model_1": (181_162, [2_432, 25_632, 147_968, 5_130], MODEL_1),
    "model_2": (252_378, [2_432, 25_632, 9_248, 4_624, 205_312, 5_130], MODEL_2),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_shapes_are_the_known_ones(networks, name):
    network, (parameters, by_layer, shapes) = networks[name], COUNTS[name]
    rows = rows_of(network)
    assert network.count_params() == parameters
    assert [row["parameters"] for row in rows if row["parameters"]] == by_layer
    # build_network flattens before each dense layer, which does not change a vector.
    assert [shape for shape, _ in groupby(row["shape"] for row in rows)] == shapes
    assert type(network.optimizer).__name__ == "RMSprop"
    assert network.loss == "sparse_categorical_crossentropy"


@pytest.mark.parametrize("name", ["model_1", "model_2"])
def test_the_networks_are_those_of_the_benchmark(networks, name):
    listed = getattr(recipes, name)(keras, layers)
    network = keras.Sequential([keras.Input((32, 32, 3)), *listed])
    assert counting.architecture(networks[name]) == counting.architecture(network)
    assert counting.activations(networks[name]) == counting.activations(network)


def test_any_list_becomes_the_network_that_it_describes(solved):
    odd = [["conv", 4, 1, 1, "valid"], ["pool", 4], ["conv", 6, 4, 3, "same"], ["dropout", 0.1]]
    expected = "conv(D=4,w=h=1,S=1,P=valid) maxpool(w=h=4,S=4) conv(D=6,w=h=4,S=3,P=same)"
    for units, parameters in [([], 956), ([5, 7], 803)]:
        listed = odd + [["dense", each] for each in units]
        specification = {"name": "odd", "layers": listed, "learning_rate": 0.02}
        built = solved["build_network"](specification)
        wanted = f"{expected} dropout(0.1)" + "".join(f" dense({each})" for each in [*units, 10])
        assert counting.architecture(built) == wanted
        assert built.count_params() == parameters
        assert float(np.asarray(built.optimizer.learning_rate)) == pytest.approx(0.02)


def test_the_table_of_model_1_is_right(cells):
    text = cells["model-1"]
    assert "| 16 × 16 × 32 | 2,432 |" in text
    assert "| 6 × 6 × 32 | 25,632 |" in text
    assert "| 3 × 3 × 32 | 0 |" in text
    assert "| 288 | 0 |" in text
    assert "| 512 | 147,968 |" in text
    assert "| 10 | 5,130 |" in text
    assert "181,162 parameters" in text
    assert "252,378 parameters, 1.4 times" in cells["what-changed-text"]


def test_the_macs_in_the_text_are_right(networks, cells):
    macs = {
        name: sum(row["macs"] for row in counting.layer_rows(network))
        for name, network in networks.items()
    }
    assert round(macs["model_2"] / macs["model_1"], 1) == 14.5
    assert "14.5 times" in cells["what-changed-text"]
    second = counting.layer_rows(networks["model_2"])[1]["macs"]
    assert round(second / 1e6) == 20
    assert round(second / macs["model_1"]) == 12
    assert "20 million MACs, twelve times" in cells["what-changed-text"]
    assert round(252_378 / 181_162, 1) == 1.4


def test_doubling_has_the_effects_of_the_solution(solved):
    start = {"filters": 32, "kernel_size": 3, "strides": 1}

    def cost(**changed):
        layer = layers.Conv2D(**{**start, **changed}, padding="same")
        network = keras.Sequential([keras.Input((32, 32, 16)), layer])
        (row,) = counting.layer_rows(network)
        field = receptive_field.field_of(network, layer)
        return row["parameters"], row["macs"], field.size[0]

    parameters, macs, field = cost()
    found = {name: cost(**{name: 2 * value}) for name, value in start.items()}
    expected = solved["doubled"]
    assert [name for name in found if found[name][0] == 2 * parameters] == [expected["a"]]
    assert [name for name in found if 3.9 < found[name][0] / parameters < 4] == [expected["b"]]
    quarter = [name for name in found if found[name][:2] == (parameters, macs / 4)]
    assert quarter == [expected["c"]]
    assert [name for name in found if found[name][2] > field] == [expected["d"]]
    assert expected["e"] == "pool_size"


def test_the_check_prints_what_doubling_does(cells, solved, capsys):
    code = cells["test_doubled"].partition("### BEGIN HIDDEN TESTS")[0]
    exec(compile(code, "test_doubled", "exec"), dict(solved))
    printed = capsys.readouterr().out
    start = {"filters": 32, "kernel_size": 3, "strides": 1, "pool_size": 2}
    for name in ("nothing", *start):
        sizes = {each: (1 + (each == name)) * value for each, value in start.items()}
        pooling = layers.MaxPooling2D(sizes.pop("pool_size"))
        convolution = layers.Conv2D(**sizes, padding="same")
        network = keras.Sequential([keras.Input((32, 32, 16)), convolution, pooling])
        row = counting.layer_rows(network)[0]
        side, _, filters = row["shape"]
        (line,) = [line for line in printed.splitlines() if line.startswith(name)]
        assert f" {row['parameters']:,} parameters " in line
        assert f" {row['macs']:,} MACs " in line
        assert f"output {side} × {side} × {filters} " in line
        assert line.endswith("next input {} × {}".format(*pooling.output.shape[1:3]))


def test_a_block_of_zeros_passes_on_its_input_only_with_a_shortcut(solved):
    images = np.random.default_rng(0).uniform(size=(4, 32, 32, 3)).astype("float32")
    for shortcuts in (True, False):
        network = solved["build_deep"](3, 4, shortcuts)
        weights = network.get_weights()
        network.set_weights([*weights[:2], *(0 * each for each in weights[2:-2]), *weights[-2:]])
        scores = np.asarray(network.predict(images, verbose=0))
        assert bool(np.ptp(scores, axis=0).max() > 1e-4) is shortcuts


def test_the_strongest_positions_have_the_largest_values(solved):
    maps = np.random.default_rng(1).normal(size=(20, 5, 7))
    positions = solved["strongest"](maps, 20)
    assert sorted(position[0] for position in positions) == list(range(20))
    assert [maps[position] for position in positions] == sorted(maps.max(axis=(1, 2)), reverse=True)


def test_receptive_fields_follow_the_formula_of_assignment_01(networks, solved, cells):
    convolutions = [each for each in networks["model_2"].layers if "conv" in each.name]
    fields = [receptive_field.field_of(networks["model_2"], layer) for layer in convolutions]
    # 5; 5 + 4; 9 + 1 with the pooling, then twice 2 · 2 more.
    assert [field.size[0] for field in fields] == [5, 9, 14, 18]
    assert [field.stride[0] for field in fields] == [1, 1, 2, 2]
    network = residual_network.build()
    relus = [layer for layer in network.layers if isinstance(layer, layers.ReLU)]
    fields = [receptive_field.field_of(network, layer) for layer in relus[::2]]
    # 5; two of stride 2 and kernel size 3; one more with stride 2, one with 4; and so on.
    assert [field.size[0] for field in fields] == [5, 13, 25, 49]
    assert [field.stride[0] for field in fields] == [2, 2, 4, 8]
    assert "whose receptive field is 25 pixels wide" in cells["record-text"]


def test_the_class_activation_map_adds_up_to_the_score(solved, cells):
    network = residual_network.build(4)
    relus = [layer for layer in network.layers if isinstance(layer, layers.ReLU)]
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype("uint8")
    names = {**solved, "good": SimpleNamespace(network=network), "relus": relus}
    for cell in ("strongest", "attention"):
        code = cells[cell].split("\n\n\n")[0]
        exec(compile(code, cell, "exec"), names)
    classes = np.arange(6)
    maps = names["class_activation_maps"](images, classes)
    before = keras.Model(network.inputs, network.layers[-2].output)
    weights, bias = network.layers[-1].get_weights()
    scores = before.predict(images, verbose=0) @ weights + bias
    expected = scores[classes, classes] - bias[classes]
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), expected, atol=1e-4)


def test_the_text_says_what_else_changed(cells, solved):
    assert solved["model_1"]["learning_rate"] == 5e-4
    assert solved["model_2"]["learning_rate"] == 1e-4
    assert "epochs=run.choose(smoke=2, cpu=15, gpu=15)" in cells["train-model-1"]
    assert "epochs=run.choose(smoke=1, cpu=5, gpu=5)" in cells["train-model-2"]
    assert solved["model_1"]["layers"][2:4] == [["pool", 2], ["dropout", 0.25]]
    assert solved["model_2"]["layers"][2:4] == [["pool", 2], ["dropout", 0.5]]
    assert "all dropout rates are **0.5**" in cells["model-2-text"]
    assert all(
        "batch_size=batch_size" in cells[name] for name in ("train-model-1", "train-model-2")
    )
    assert (
        "The learning rate (5e-4 and 1e-4), the number of epochs (15 and 5), and the dropout rate"
        " after pooling (0.25 and 0.5)."
    ) in cells["what-changed-text"]


@pytest.fixture(scope="module")
def bands():
    """Return the bands of the cpu profile: means and standard deviations of five seeds."""
    with (ROOT / "tests" / "bands.toml").open("rb") as file:
        profile = tomllib.load(file)["05-deeper-cnn"]["cpu"]
    assert profile["measured"]["seeds"] == 5
    return profile["bands"]


@pytest.fixture(scope="module")
def kept():
    found = measurements.load("05-deeper-cnn")
    seeds = {name: {len(each) for each in found[name].values()} for name in found}
    # The signal varies more than an accuracy, and needs no training.
    assert seeds.pop("signal") == {30}
    assert all(numbers == {5} for numbers in seeds.values())
    return found


def percent(mean, deviation):
    """Return a mean and a standard deviation as they are in the text."""
    return f"{mean:.1%}"[:-1] + f" ± {deviation:.1%}"


def of_band(band, index=None):
    mean, deviation = band["mean"], band["std"]
    return percent(mean, deviation) if index is None else percent(mean[index], deviation[index])


def of_seeds(values):
    return percent(values.mean(), values.std(ddof=1))


def test_accuracies_in_the_text_are_those_of_five_seeds(cells, bands):
    text = cells["what-changed-text"]
    assert of_band(bands["model_1_accuracy"]) in cells["four-numbers"]
    assert of_band(bands["model_1_accuracy"]) in text
    assert of_band(bands["model_2_accuracy"]) in text
    ratio = bands["seconds_an_epoch_ratio"]
    assert f"{ratio['mean']:.1f} ± {ratio['std']:.1f} times as long" in text


# The networks of the solution in section 4, in the order of the table.
MINE = ("one convolution", "three convolutions", "three, stride 2")


def test_the_own_networks_are_compared_by_their_validation_accuracy(cells, kept):
    text = cells["residual"]
    accuracies = [kept[name]["validation_accuracy"] for name in MINE]
    for values in accuracies:
        assert of_seeds(values) in text
    one, three, strided = accuracies
    rows = [f"{of_seeds(one)} | {of_seeds(three)} | {in_points(three, one)} |"]
    rows.append(f"{of_seeds(three)} | {of_seeds(strided)} | −{in_points(three, strided)} |")
    assert all(row in text for row in rows)
    for other in (one, strided):
        difference, half_width = measurements.difference(three, other)
        assert difference > half_width
    training = [of_seeds(kept[name]["training_accuracy"]) for name in MINE[:2]]
    assert f"isn't behind ({training[0]}, compared with {training[1]})" in text


def test_more_blocks_give_the_dense_layer_a_smaller_input(cells, solved):
    inputs = [
        next(row["shape"][0] for row in rows_of(network) if row["name"].startswith("flatten"))
        for network in map(solved["build_network"], solved["my_networks"][:2])
    ]
    assert f"{inputs[1]:,} instead of {inputs[0]:,} values" in cells["residual"]


def test_the_measured_own_networks_are_those_of_the_solution(solved):
    built = {each["name"]: solved["build_network"](each) for each in solved["my_networks"]}
    measured = [
        lesson_05.one_convolution,
        lesson_05.three_convolutions,
        lesson_05.three_with_stride_2,
    ]
    for name, listed in zip(MINE, measured, strict=True):
        network = keras.Sequential([keras.Input((32, 32, 3)), *listed(keras, layers)])
        assert counting.architecture(built[name]) == counting.architecture(network)
        assert counting.activations(built[name]) == counting.activations(network)


def in_points(values, others):
    """Return the difference of two means of accuracies and its interval as they are in the text."""
    difference, half_width = measurements.difference(values, others)
    return f"{100 * difference:.1f} ± {100 * half_width:.1f}"


def test_model_1_and_model_2_are_compared_after_the_same_epochs(cells, kept):
    values = [kept[f"{name}, 8 epochs"]["validation_accuracy"] for name in ("model_2", "model_1")]
    text = cells["own-text"]
    assert f"{of_seeds(values[0])} for `model_2` and {of_seeds(values[1])} for `model_1`" in text
    assert f"The difference is {in_points(values[1], values[0])} percentage points" in text
    difference, half_width = measurements.difference(*values)
    assert abs(difference) < half_width
    assert "smoke=2, cpu=8" in cells["fair"]


def test_the_signal_shrinks_as_the_text_says(kept, cells):
    factors = kept["signal"]
    text = cells["degradation"]
    glorot, he = factors["plain, Glorot"], factors["plain, He"]
    assert f"more than 100 ({len(glorot)} seeds: {glorot.min():.0f} to {glorot.max():,.0f})" in text
    assert glorot.min() > 100
    assert f"shrinks much less, by a factor of {he.min():.1f} to {he.max():.1f}" in text
    assert (factors["plain, He, border repeated"] < he).all()
    assert factors["plain, He, batch norm"] == pytest.approx(1, abs=0.2)
    assert all(factors[name].max() < 1 for name in factors if "shortcuts" in name)


def test_the_signal_of_the_notebook_is_the_measured_one(solved, cells, kept):
    images = np.random.default_rng(0).uniform(size=(9, 32, 32, 3)).astype("float32")
    plotted = {}
    names = {**solved, "deep_blocks": 2, "x_train": images}
    names["plotting"] = SimpleNamespace(line_charts=lambda panels, **_: plotted.update(panels[""]))
    exec(compile(cells["signal"], "signal", "exec"), names)
    assert list(plotted) == list(lesson_05.SIGNAL)
    measured = set(kept["signal"])
    assert measured == {*lesson_05.SIGNAL, *lesson_05.BORDER_REPEATED}
    network = names["variants"]["shortcuts, He"]
    last = [layer for layer in network.layers if isinstance(layer, layers.ReLU)][-1]
    activations = keras.Model(network.input, last.output).predict(images, verbose=0)
    assert plotted["shortcuts, He"][1][-1] == pytest.approx(activations.std(axis=0).mean(), 1e-3)


def test_repeating_the_border_changes_only_the_padding():
    zeros, repeated = (
        lesson_05.build_deep(2, 4, False, "he_normal", False, repeat) for repeat in (False, True)
    )
    image = np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype("float32")
    repeated.set_weights(zeros.get_weights())
    first = [
        next(layer for layer in each.layers if isinstance(layer, layers.ReLU)).output
        for each in (zeros, repeated)
    ]
    inside = [
        keras.Model(network.inputs, output).predict(image, verbose=0)
        for network, output in zip((zeros, repeated), first, strict=True)
    ]
    np.testing.assert_allclose(inside[0][:, 1:-1, 1:-1], inside[1][:, 1:-1, 1:-1], atol=1e-5)
    assert np.abs(inside[0] - inside[1]).max() > 1e-3


def test_the_macs_of_the_check_are_those_of_the_figure(networks, solved, cells):
    forms = dict(solved)
    exec(compile(cells["check_layers"], "check_layers", "exec"), forms)
    exec(compile(cells["test_model_2"], "test_model_2", "exec"), forms)
    rows = counting.layer_rows(networks["model_2"])
    assert forms["macs"] == sum(row["macs"] for row in rows)
    assert forms["parameters"] == networks["model_2"].count_params()


def test_the_measured_networks_are_those_of_the_notebook(solved):
    for arguments in lesson_05.SIGNAL.values():
        measured = lesson_05.build_deep(8, 16, *arguments)
        written = solved["build_deep"](8, 16, *arguments)
        assert counting.architecture(measured) == counting.architecture(written)
        assert measured.count_params() == written.count_params()
    measured, written = lesson_05.build_good(), residual_network.build()
    assert counting.architecture(measured) == counting.architecture(written)
    assert measured.count_params() == written.count_params()


def test_the_depth_experiment_says_what_the_text_says(cells, kept):
    training = {name: kept[name]["training_accuracy"] for name in kept if "block" in name}
    validation = {name: kept[name]["validation_accuracy"] for name in training}
    for name in ("1 block", "8 blocks", "8 blocks, shortcuts"):
        assert of_seeds(validation[name]) in cells["inside"]
    text, optional = cells["good-text"], cells["attention-text"]
    assert "nine variants" in cells["degradation"]
    assert len(training) == 9
    one, plain, residual = "1 block", "8 blocks", "8 blocks, shortcuts"
    he, both = ", He", ", He, batch norm"
    assert not is_larger(training[one + he], training[plain + he])
    points = in_points(training[one + he], training[plain + he])
    assert f"the difference is {points} percentage points" in text
    assert "worse on the training images, too" in cells["inside"]
    for values in (training, validation):  # with Glorot initialization
        assert is_larger(values[one], values[plain])
    assert training[plain].min() < 0.25 < training[plain + he].min()
    # Degradation: the signal does not shrink, but eight plain blocks are worse than one.
    assert is_larger(training[one + both], training[plain + both])
    points = in_points(training[one + both], training[plain + both])
    assert f"{points} percentage points *lower* than that of one block" in text
    assert is_larger(training[residual + both], training[one + both])
    points = in_points(training[residual + both], training[one + both])
    assert f"that of eight blocks is {points} percentage points *higher*" in text
    assert "eight plain blocks have a lower training accuracy than one" in cells["recap"]
    # The order on the validation images.
    order = sorted(validation, key=lambda name: -validation[name].mean())
    assert order[:2] == [one + both, residual]
    for name in (*order[:2], residual + both):
        assert of_seeds(validation[name]) in optional
    assert max(training, key=lambda name: training[name].mean()) == residual + both
    assert is_larger(validation[one + both], validation[residual + both])
    gaps = {name: (training[name] - validation[name]).mean() for name in training}
    assert max(gaps, key=gaps.get) == residual + both
    # With shortcuts, He initialization lowers the validation accuracy.
    assert is_larger(validation[residual], validation[residual + he])
    points = in_points(validation[residual], validation[residual + he])
    assert f"it lowers the validation accuracy by {points} percentage points" in optional


def is_larger(values, others):
    """Return whether a mean is larger, with an interval of the difference that excludes 0."""
    difference, half_width = measurements.difference(values, others)
    return difference > half_width


@pytest.mark.parametrize("profile", ["smoke", "cpu", "gpu"])
def test_own_runs_are_shown_only_beside_runs_of_the_same_size(cells, profile):
    shown = []
    names = {
        "measurements": measurements,
        "run": SimpleNamespace(profile=profile),
        "deep": [
            SimpleNamespace(name=name, training_accuracy=0.4, validation_accuracy=0.3)
            for name in ("1 block", "8 blocks", "another one")
        ],
        "plotting": SimpleNamespace(seed_variation=lambda _, own, **__: shown.append(own)),
    }
    for cell in ("depth-seeds", "depth-validation"):
        exec(compile(cells[cell], cell, "exec"), names)
    own = {"1 block", "8 blocks"} if profile == "cpu" else set()
    assert [set(each) for each in shown] == [own, own]
    assert "epochs=run.choose(smoke=2, cpu=6, gpu=15)" in cells["deep"]


def test_a_network_that_shrinks_to_nothing_is_found_before_training(cells):
    names = {"checks": checks}
    exec(compile(cells["check_layers"], "check_layers", "exec"), names)
    large = ["conv", 4, 17, 1, "valid"]
    fits = {"name": "fits", "layers": [large, ("conv", 4, 3, 2, "same"), ["pool", 8]]}
    names["check_widths"](fits)
    for extra in (large, ["conv", 4, 2, 1, "valid"], ["pool", 2]):
        with pytest.raises(checks.CheckFailed, match="shrinks: width after layer 4"):
            names["check_widths"]({"name": "shrinks", "layers": [*fits["layers"], extra]})


def test_the_accuracy_of_model_1_on_all_images_is_that_of_the_benchmark(cells):
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "| `model_1` | 181,162 | 414 | 69.2% | | 64.1% |" in guide
    once = (
        "When we trained `model_1` once on all 50,000 training images for 15 epochs, it reached a"
        " test accuracy of 64.1%"
    )
    assert once in cells["train-good-text"]
    # Hard-wrapped lines of the guide may break anywhere.
    guide = " ".join(guide.split())
    assert "was stopped after nine of its fifteen epochs, at a test accuracy of 65.8%" in guide
    larger = "65.8% after nine epochs, and `model_1` 64.1% after fifteen (one run each)"
    assert larger in cells["own-text"]


def test_the_good_network_is_good_with_every_seed(kept, cells):
    values = kept["good"]["test_accuracy"]
    assert values.min() > 0.75
    for cell in ("filters-text", "recap"):
        assert of_seeds(values) in cells[cell]
    lowest = np.floor(1000 * values.min()) / 1000
    assert f"never less than {lowest:.1%}" in cells["filters-text"]
    minutes = kept["good"]["cpu_seconds"].mean() / 60
    assert f"This takes about {minutes:.0f} minutes" in cells["train-good-text"]
    epochs = [f"validation_accuracy_{epoch}" for epoch in range(1, lesson_05.GOOD_EPOCHS + 1)]
    is_better = np.array([kept["good"][name] for name in epochs]) > 0.641
    assert set(1 + is_better.argmax(axis=0)) == {3, 4}
    assert "exceeded 64.1% after the third or fourth epoch" in cells["filters-text"]


def test_no_other_cell_replaces_the_trained_networks(cells):
    names = {"first", "second", "fair", "mine", "deep", "good"}
    binding = {name: [] for name in names}
    for cell, source in cells.items():
        try:
            table = symtable.symtable(source, cell, "exec")
        except SyntaxError:  # text, and the command that installs the package
            continue
        for symbol in table.get_symbols():
            if symbol.is_assigned() and symbol.get_name() in names:
                binding[symbol.get_name()].append(cell)
            assert symbol.get_name() != "network" or not symbol.is_assigned()
    assert {name: len(found) for name, found in binding.items()} == dict.fromkeys(names, 1)


def test_covering_the_strongest_support_costs_most(kept, cells):
    good = kept["good"]
    lost = {
        name: 100 * (good["accuracy_covering_nothing"] - good[f"accuracy_covering_{name}"])
        for name in ("weakest", "strongest")
    }
    for values in lost.values():
        mean, half_width = measurements.interval(values)
        points = f"by {mean:.1f} ± {half_width:.1f} percentage points"
        assert points in cells["record-covered-text"]
    difference, half_width = measurements.difference(lost["strongest"], lost["weakest"])
    assert difference > half_width
