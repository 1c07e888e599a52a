"""Numbers in 02-mnist, checked with Keras, the solutions, and the measured bands."""

import re
import tomllib

import keras
import numpy as np
import pytest
from keras import layers

from course import checks, counting, faulty_networks, measurements, plotting, training
from course.datasets import load_mnist
from course.instructor.regression.bands import BANDS_PATH
from tests.benchmarks.measurements import lesson_02
from tests.submissions import ROOT, source_cells

DEFINED = ["prepare_images", "softmax", "first_loss", "build_model", "summary_answers", "diagnosis"]
DEFINED += ["confusion_matrix"]
KEPT = measurements.load("02-mnist")


# Test accuracies of `course run 02-mnist --profile cpu --seeds 5`, by metric, one per seed. The
# bands contain their means; the widths of bands also depend on the sampling error of the images.
SEEDS = {
    "linear_accuracy": [0.9203, 0.9204, 0.9202, 0.9212, 0.9199],
    "mlp_accuracy": [0.9741, 0.9795, 0.9749, 0.9765, 0.9771],
    "test_accuracy": [0.9892, 0.9902, 0.9887, 0.9889, 0.9887],
}
# Of the same runs: the training accuracies in the table of section 8, in percent, and the last
# validation accuracies.
TRAINING = {
    "linear_accuracy": [92.8, 92.8, 93.0, 92.8, 93.0],
    "mlp_accuracy": [99.1, 99.3, 99.0, 99.3, 99.2],
    "test_accuracy": [99.5, 99.7, 99.6, 99.6, 99.5],
}
VALIDATION = {
    "linear": [0.9342, 0.9378, 0.9372, 0.9350, 0.9356],
    "MLP": [0.9762, 0.9792, 0.9786, 0.9736, 0.9764],
    "CNN": [0.9896, 0.9890, 0.9908, 0.9906, 0.9896],
}


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("02-mnist")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions define."""
    names = {"keras": keras, "layers": layers, "np": np}
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def bands():
    """Return the bands of the cpu profile, measured with five seeds."""
    with (ROOT / BANDS_PATH).open("rb") as file:
        profile = tomllib.load(file)["02-mnist"]["cpu"]
    assert profile["measured"]["seeds"] == 5
    return profile["bands"]


@pytest.fixture(scope="module")
def mlp(cells):
    """Return the MLP of the notebook, untrained."""
    code = cells["train-mlp"].partition("mlp.compile(")[0].partition("\n")[2]
    names = {"keras": keras, "layers": layers, "num_classes": 10}
    exec(compile(code, "train-mlp", "exec"), names)
    return names["mlp"]


def test_the_network_has_the_known_shapes_and_parameters(cells, solved):
    network = solved["build_model"]()
    rows = counting.layer_rows(network)
    counts = [row["parameters"] for row in rows if row["parameters"]]
    assert counts == [320, 18_496, 1_179_776, 1_290] and sum(counts) == 1_199_882
    assert "1,199,882 parameters" in cells["recap"]
    for shape in ("26 × 26 × 32", "24 × 24 × 64", "12 × 12 × 64", "9,216"):
        assert f"| {shape} |" in cells["build"]
    assert [layer.rate for layer in network.layers if "dropout" in layer.name] == [0.25, 0.5]
    # "Nearly all": the first dense layer.
    assert counts[2] / sum(counts) > 0.98
    without_pooling = keras.Sequential([keras.Input((24, 24, 64)), layers.Flatten()])
    without_pooling.add(layers.Dense(128))
    assert solved["without_pooling"] == without_pooling.count_params() == 4_718_720


def test_the_control_has_the_size_depth_and_dropout_of_the_cnn(cells, solved, mlp):
    network = solved["build_model"]()
    assert mlp.count_params() == 1_195_668
    assert abs(mlp.count_params() / network.count_params() - 1) < 0.01
    for each in (mlp, network):
        with_weights = [layer for layer in each.layers if layer.get_weights()]
        assert len(with_weights) == 4
        rates = [layer.rate for layer in each.layers if isinstance(layer, layers.Dropout)]
        assert rates == [0.25, 0.5]
        assert counting.activations(each) == ["relu", "relu", "relu", "softmax"]
    for text in ("parameters, the same number of layers with weights", "the same dropout rates"):
        assert text in cells["test-once"]
    assert "about as many parameters as this MLP" in cells["recap"]
    macs = [sum(row["macs"] for row in counting.layer_rows(each)) for each in (network, mlp)]
    assert 9.5 < macs[0] / macs[1] < 10.5
    assert "about ten times as many multiplications per image" in cells["test-once"]
    assert [type(layer) for layer in lesson_02.mlp(keras, layers).layers] == [
        type(layer) for layer in mlp.layers
    ]
    assert lesson_02.mlp(keras, layers).count_params() == mlp.count_params()
    assert "784 · 10 + 10 = 7,850" in cells["templates"] and 784 * 10 + 10 == 7_850
    assert round(mlp.count_params() / 7_850) == 152
    assert "152 times as many parameters" in cells["hidden-layers"]


def test_the_draft_has_five_mistakes_of_which_two_change_shapes(cells, solved):
    (draft,) = re.findall(r"```python\n(.*?)```", cells["build"], re.DOTALL)
    draft = eval(draft, {"keras": keras, "layers": layers})
    pairs = [*zip(draft.layers, solved["build_model"]().layers, strict=True)]
    settings = ("filters", "kernel_size", "padding", "pool_size", "rate", "units", "activation")
    mistakes = [
        (type(wrong).__name__, setting)
        for wrong, right in pairs
        for setting in settings
        if wrong.get_config().get(setting) != right.get_config().get(setting)
    ]
    assert mistakes == [
        ("Conv2D", "padding"),
        ("Conv2D", "activation"),
        ("MaxPooling2D", "pool_size"),
        ("Dropout", "rate"),
        ("Dense", "activation"),
    ]
    assert "five mistakes" in cells["build"] and "Two mistakes change shapes" in cells["build"]


def test_the_small_network_has_the_parameters_in_the_text(cells, solved):
    code = cells["train-small"].partition("small_model.compile(")[0].partition("\n")[2]
    names = {"keras": keras, "layers": layers}
    exec(compile(code, "train-small", "exec"), names)
    assert f"{names['small_model'].count_params():,} parameters" in cells["small-text"]
    # Hint of exercise 5: a bias per unit, and a weight per value.
    assert solved["from_summary"]["dense_first"] == (9_216 + 1) * 128


def test_the_losses_in_the_text_are_right(cells, solved):
    assert "For $p = 0.5$, the loss is 0.69" in cells["sanity"] and f"{-np.log(0.5):.2f}" == "0.69"
    assert solved["expected_first_loss"] == pytest.approx(np.log(10))
    assert f"{np.log(10):.2f}" == "2.30"
    assert f"{np.e / (np.e + 9):.0%}" == "23%" and "≈ 23%" in cells["diagnosis-text"]
    assert f"{-np.log(np.e / (np.e + 9)):.2f}" == "1.46" and "below 1.46" in cells["test-once"]


def test_the_visible_checks_contain_only_digests_of_answers(cells, solved):
    network, whole = solved["build_model"](), keras.Sequential([keras.Input((28, 28, 1))])
    for layer in network.layers:
        if not isinstance(layer, layers.MaxPooling2D):
            whole.add(type(layer).from_config(layer.get_config()))
    counts = {
        solved["without_pooling"]: "28c12bc6",
        24 * 24 * 64 * 128: "2ad8f395",
        solved["from_summary"]["dense_first"]: "80509d40",
        24 * 24 * 64: "103a4a68",
        whole.count_params(): "a3c33627",
    }
    equal = keras.losses.CategoricalCrossentropy()(np.eye(10), np.full((10, 10), 0.1))
    losses = {round(float(equal), 2): "8771a6c0", 0.1: "14be4b45", -np.log10(0.1): "6b86b273"}
    losses |= {0.9: "8139b339", round(np.log2(10), 2): "337e5261", -2.3: "f0d36884"}
    for name, digests in [("test_without_pooling", counts), ("test_first_loss", losses)]:
        visible = cells[name].partition("### BEGIN HIDDEN TESTS")[0]
        for value, digest in digests.items():
            assert f'"{digest}"' in visible and checks.digest(value) == digest
            assert f"{value:_}" not in visible


def test_the_curve_of_the_loss_marks_the_students_answer_and_not_the_solution(cells):
    names = {"np": np, "plotting": plotting, "expected_first_loss": 1.5}
    code, _, call = cells["loss-curve"].rpartition("\nplotting")
    exec(compile(f"{code}\nfigure = plotting{call}", "loss-curve", "exec"), names)
    (ax,) = names["figure"].axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "confident and wrong: −ln 0.01 = 4.61",
        "undecided between two digits: −ln 0.5 = 0.69",
        "confident and correct: −ln 0.99 = 0.01",
    ]
    assert [text.get_text() for text in ax.texts] == ["your answer to exercise 3"]
    assert "2.30" not in cells["loss-text"] + cells["loss-curve"]


def test_the_diagram_shows_the_cnn_on_the_left_and_the_mlp_on_the_right(cells, solved, mlp):
    shown = []
    names = {"keras": keras, "plotting": plotting, "display": shown.append, "mlp": mlp}
    exec(
        compile(cells["show-summary"].replace("model.summary()", ""), "show-summary", "exec"),
        names | {"build_model": solved["build_model"]},
    )
    ((ax,),) = [figure.axes for figure in shown]
    lefts = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert lefts["3 × 3 convolution, 32 filters, ReLU"] < lefts["dense, 920 units, ReLU"]
    assert "Your CNN (left) and the MLP (right)" in ax.get_title("left")


def test_the_table_of_faults_is_that_of_the_package(cells, solved):
    rows = dict(re.findall(r'^\| `"([a-z ]+)"` \| (.*) \|$', cells["diagnosis-text"], re.MULTILINE))
    assert rows.keys() == faulty_networks.FAULTS.keys()
    for fault, text in faulty_networks.FAULTS.items():
        assert rows[fault].startswith(text)
    assert solved["diagnosis"] == faulty_networks._FAULT_OF


@pytest.mark.parametrize("seed", range(3))
def test_after_the_loss_has_exploded_the_hidden_units_output_zero(cells, monkeypatch, seed):
    scores = []
    cross_entropy = faulty_networks._cross_entropy
    monkeypatch.setattr(
        faulty_networks,
        "_cross_entropy",
        lambda each, targets: scores.append(each) or cross_entropy(each, targets),
    )
    (images, labels), _ = load_mnist("smoke", seed)
    for name in ("B", "C"):
        losses = faulty_networks.train(name, images[:10], labels[:10])["loss"]
        assert max(losses[:10]) > 30 * losses[0] and losses[-1] < 3
        # Without hidden units, the scores of all images are those of the output biases.
        assert np.ptp(scores[-1], axis=0) == pytest.approx(0)
    assert "all hidden units output 0 for most or all of the ten images" in cells["test-once"]
    assert (
        "from 0.01 to 10,000" in cells["ten-images"]
        and "limits=(1e-2, 1e4)" in cells["overfit-ten"]
    )


def test_wrong_labels_pass_both_checks_but_not_a_full_training(cells):
    (images, labels), _ = load_mnist("smoke", 0)
    result = faulty_networks._train("labels", images[:10], labels[:10])
    assert abs(result["loss"][0] - np.log(10)) < 0.5
    assert result["loss"][-1] < 0.1 and result["correct"][-1] == 10
    accuracies = KEPT["MLP, wrong labels"]["training_accuracy"]
    assert len(accuracies) == 5 and accuracies.max() < 0.12
    assert f"reached only {accuracies.mean():.0%} on the training digits" in cells["test-once"]
    # Of the 40,000 labels, 4,563 are 1, the most frequent digit.
    assert accuracies.mean() == pytest.approx(4_563 / 40_000, abs=1e-4)
    assert "no better than always predicting 1, the most frequent digit" in cells["test-once"]
    assert "cpu=6" in cells["load-data"] and "cpu=40_000" in cells["load-data"]


def test_the_accuracy_is_constant_between_jumps(solved):
    (images, labels), _ = load_mnist("smoke", 0)
    scores = np.random.default_rng(0).normal(size=(len(images), 10))
    accuracies, losses = [], []
    for change in np.linspace(-1, 1, 201):
        changed = scores + change * (np.arange(10) == 5)
        probabilities = np.apply_along_axis(solved["softmax"], 1, changed)
        accuracies.append(training.accuracy(probabilities, labels))
        losses.append(-np.mean(np.log(probabilities[np.arange(len(labels)), labels])))
    assert np.mean(np.diff(accuracies) == 0) > 0.5
    assert np.all(np.diff(losses) != 0)


def test_dropout_doubles_what_it_keeps(cells):
    assert "A rate of 0.5" in cells["build"] and "here 2" in cells["build"]
    values, dropout = np.ones(100, dtype="float32"), layers.Dropout(0.5, seed=3)
    first, second = (np.asarray(dropout(values, training=True)) for _ in range(2))
    assert {*first, *second} == {0, 2}
    assert not np.array_equal(first, second)
    assert np.array_equal(np.asarray(dropout(values, training=False)), values)


def test_the_results_of_five_seeds_are_those_in_the_table(cells, bands):
    row = r"\| ([\w ]+) \| ([\d,]+) \| (\d+\.\d\d) ± (\d\.\d\d)% \|"
    rows = re.findall(row, cells["shift-text"])
    metrics = {
        "softmax regression": ("linear_accuracy", "7,850"),
        "MLP": ("mlp_accuracy", "1,195,668"),
        "CNN": ("test_accuracy", "1,199,882"),
    }
    assert [name for name, *_ in rows] == list(metrics)
    for name, parameters, mean, deviation in rows:
        metric, expected = metrics[name]
        values = 100 * np.array(SEEDS[metric])
        assert len(values) == 5 and parameters == expected
        assert (mean, deviation) == (f"{values.mean():.2f}", f"{values.std(ddof=1):.2f}")
        assert 100 * bands[metric]["mean"] == pytest.approx(values.mean(), abs=0.001)


def test_the_gains_and_errors_in_the_text_are_those_of_the_bands(cells, bands):
    linear, mlp, cnn = (
        bands[name]["mean"] for name in ("linear_accuracy", "mlp_accuracy", "test_accuracy")
    )
    text = cells["shift-text"]
    assert f"gains {100 * (mlp - linear):.1f} percentage points over softmax regression" in text
    assert f"gains another {100 * (cnn - mlp):.1f} percentage points over this MLP" in text
    errors = (
        f"the MLP misreads about {1000 * (1 - mlp):.0f}, and the CNN about {1000 * (1 - cnn):.0f}"
    )
    assert errors in text
    widest = max(np.std(SEEDS[metric], ddof=1) for metric in SEEDS)
    assert "far larger than the standard deviations" in text and cnn - mlp > 5 * widest
    sampling = [100 * np.sqrt(each * (1 - each) / 10_000) for each in (cnn, mlp, linear)]
    assert [round(each, 1) for each in sampling] == [0.1, 0.2, 0.3] and cnn - mlp > 0.04 * sampling[
        1
    ]
    assert "the typical change with 10,000 other test digits (0.1 to 0.3 percentage points)" in text
    assert 0.27 < (1 - mlp) / (1 - linear) < 0.4 and "one-third as many errors" in cells["build"]
    assert f"an MLP reached a test accuracy of {mlp:.1%}, and a CNN" in cells["recap"]
    assert f"reached {cnn:.1%}" in cells["recap"]
    # The sample answer of exercise 8b, and the result of section 7.
    errors = [1 - np.array(SEEDS[name]) for name in ("test_accuracy", "mlp_accuracy")]
    assert 0.4 < np.min(errors[0] / errors[1]) <= np.max(errors[0] / errors[1]) < 0.6
    assert "only about half as many errors" in cells["explain_cnn"]


def test_the_ratios_of_validation_errors_are_those_of_five_runs(cells):
    errors = {name: 1 - np.array(values) for name, values in VALIDATION.items()}
    ratios = errors["MLP"] / errors["linear"]
    assert f"as softmax regression ({ratios.min():.0%} to {ratios.max():.0%})" in cells["build"]
    ratios = errors["CNN"] / errors["MLP"]
    text = f"about half as many validation digits as the MLP ({ratios.min():.0%} to"
    assert f"{text} {ratios.max():.0%})" in cells["test-once"]


def test_the_training_accuracies_are_those_of_five_runs(cells, bands):
    means = {name: np.mean(values) for name, values in TRAINING.items()}
    gaps = {name: mean - 100 * bands[name]["mean"] for name, mean in means.items()}
    text = cells["shift-text"]
    assert (
        f"The MLP read {means['mlp_accuracy']:.1f}% of the training digits correctly,"
        f" {gaps['mlp_accuracy']:.1f} percentage points more"
    ) in text
    for name in ("linear_accuracy", "test_accuracy"):
        assert 0.4 < gaps[name] / gaps["mlp_accuracy"] < 0.6
    assert "For the two other networks, it was only about half as large" in text
    # It is larger in every run.
    per_run = {name: TRAINING[name] - 100 * np.array(SEEDS[name]) for name in TRAINING}
    assert (per_run["mlp_accuracy"] > per_run["test_accuracy"]).all()
    assert (per_run["mlp_accuracy"] > per_run["linear_accuracy"]).all()


def test_the_accuracies_of_shifted_digits_in_the_text_are_those_of_the_bands(cells, bands):
    def accuracy(name, pixels):
        return f"{bands[f'{name}_shifted']['mean'][pixels]:.0%}"

    fall = {name: f"{accuracy(name, 0)} to {accuracy(name, 4)}" for name in ("mlp", "cnn")}
    text = cells["mistakes"]
    assert f"the MLP from {fall['mlp']} and that of the CNN from {fall['cnn']}" in text
    assert "cpu=2_000" in cells["shift-curve"] and "2,000 test digits" in text
    lost = KEPT["shifted digits that lose ink"]["shift_4_fraction"].mean()
    assert f"only for {lost:.1%} of these digits" in text
    assert f"reads {accuracy('linear', 0)} of 2,000 test digits" in cells["prepare"]
    shifted = f"only {accuracy('linear', 4)} of them after a shift of four pixels"
    assert shifted in cells["prepare"] and "shift_right(one_of_each, 4)" in cells["linear-network"]


def test_an_epoch_has_the_number_of_steps_in_the_text(cells):
    assert (
        "cpu=40_000" in cells["load-data"]
        and "batch_size = run.choose(smoke=20, cpu=128" in (cells["load-data"])
    )
    steps = -(-40_000 // 128)
    assert (
        f"`{steps}/{steps}` means {steps} steps, each with a **batch** of up to 128"
        in cells["first-network"]
    )


def test_ten_images_are_memorized_within_the_steps_in_the_text(cells):
    with (ROOT / BANDS_PATH).open("rb") as file:
        profile = tomllib.load(file)["02-mnist"]["cpu"]
    assert "ten_image_loss < 0.1" in profile["claims"]
    assert "cpu=40" in cells["overfit-ten"] and "within 40 steps" in cells["diagnosis-text"]
