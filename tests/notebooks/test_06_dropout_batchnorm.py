"""Numbers in 06-dropout-batchnorm, checked with Keras, the solutions, and the measurements."""

import ast
import json
import re
import tomllib
from itertools import combinations

import keras
import numpy as np
import pytest
from keras import layers

import course
from course import checks, counting, measurements
from tests.benchmarks.measurements import lesson_06
from tests.submissions import ROOT, source_cells

NAME = "06-dropout-batchnorm"
DEFINED = ["early_stopping", "dropped", "batch_norm", "seven", "build_network", "pairs", "follows"]
DEFINED += ["interval"]

# The original experiments: filters of the blocks, batch normalization, dropout, L2, parameters,
# trainable parameters, training and validation accuracy in percent.
ORIGINAL = {
    "I": ([32, 64], False, 0.25, 0.0, 1_250_858, 1_250_858, 84, 79),
    "II": ([32, 64], True, 0.0, 0.0, 1_251_626, 1_251_242, 98, 79),
    "III": ([32, 64], True, 0.25, 0.0, 1_251_626, 1_251_242, 89, 82),
    "IV": ([32, 64], True, 0.0, 0.01, 1_251_626, 1_251_242, 94, 76),
    "V": ([32, 64], True, 0.25, 0.01, 1_251_626, 1_251_242, 86, 83),
    "VI": ([32, 64, 128], True, 0.25, 0.01, 556_586, 555_690, 89, 84),
    "VII": ([64, 128], True, 0.25, 0.01, 2_626_634, 2_625_866, 92, 84),
}
POOLED = {
    name: [(15, 15, blocks[0]), (6, 6, blocks[1]), (2, 2, 128)][: len(blocks)]
    for name, (blocks, *_) in ORIGINAL.items()
}
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
T_FACTORS = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 10: 2.26}  # of the table in section 7


def compare(first, second):
    """Return (difference of the means, half-width of its 95% interval), as section 7 explains."""
    error = np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    # The factor of the smaller number of seeds is on the safe side of Welch's approximation.
    factor = T_FACTORS[min(len(first), len(second))]
    return float(second.mean() - first.mean()), float(factor * error)


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells(NAME)


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions and the helper cells define."""
    names = {"keras": keras, "layers": layers, "np": np, "course": course}
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    names["by_name"] = {each["name"]: each for each in names["seven"]}
    return names


@pytest.fixture(scope="module")
def networks(solved):
    return {name: solved["build_network"](each) for name, each in solved["by_name"].items()}


@pytest.fixture(scope="module")
def kept():
    return measurements.load(NAME)


@pytest.fixture(scope="module")
def full_size():
    """Return the validation accuracy per seed and epoch of each network trained on all images."""
    found = {}
    for run in json.loads(lesson_06.FULL_SIZE.read_text(encoding="utf-8"))["runs"]:
        if isinstance(run["configuration"], str):
            halves = run["curves"]["validation_accuracy"], run["curves"]["test_accuracy"]
            key = run["network"], run["configuration"]
            found.setdefault(key, []).append(np.add(*halves) / 2)
    return {key: np.array(values) for key, values in found.items()}


def test_the_original_results_differ_from_ours_as_the_text_says(cells, full_size):
    assert "one to four points lower than those of the original" in cells["recap"]
    for name, (*_, validation) in ORIGINAL.items():
        if name != "VII":  # which we trained for fewer epochs
            ours = 100 * full_size[name, "momentum 10"][:, -lesson_06.LAST_EPOCHS :].mean()
            assert 1 <= round(validation - ours) <= 4, name


@pytest.fixture(scope="module")
def on_a_laptop():
    """Return the bands of the cpu profile: means and standard deviations of five seeds."""
    bands = tomllib.loads((ROOT / "tests" / "bands.toml").read_text(encoding="utf-8"))
    assert bands[NAME]["cpu"]["measured"]["seeds"] == 5
    return bands[NAME]["cpu"]["bands"]


def percent(values):
    """Return mean ± standard deviation, as the text writes accuracies."""
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}%"


def interval(difference, sign=False):
    """Return a difference and its half-width in percentage points, as the text writes them."""
    value, half_width = difference
    text = f"{100 * value:+.1f}".replace("-", "−") if sign else f"{100 * abs(value):.1f}"
    return f"{text} ± {100 * half_width:.1f}"


def is_significant(difference):
    return abs(difference[0]) > difference[1]


@pytest.mark.parametrize("name", ORIGINAL)
def test_an_experiment_is_the_original_one(solved, networks, name):
    blocks, batch_norm, dropout, l2, parameters, trainable, *_ = ORIGINAL[name]
    settings = {"blocks": blocks, "batch_norm": batch_norm, "conv_dropout": dropout, "l2": l2}
    assert solved["by_name"][name] == {"name": name, **settings}
    network = networks[name]
    assert network.count_params() == parameters
    assert sum(np.prod(each.shape) for each in network.trainable_weights) == trainable
    pooled = [row["shape"] for row in counting.layer_rows(network) if row["kind"] == "pooling"]
    assert pooled == POOLED[name]
    words = counting.architecture(network).split()
    assert words.count("batchnormalization") == 2 * len(blocks) * batch_norm
    assert words.count("dropout(0.25)") == len(blocks) * (dropout > 0)
    assert words[-3:] == ["dense(512)", "dropout(0.5)", "dense(10)"]
    optimizer = network.optimizer
    assert (type(optimizer).__name__, optimizer.momentum) == ("SGD", 0)
    assert float(np.asarray(optimizer.learning_rate)) == pytest.approx(0.01)
    first, *_ = (layer for layer in network.layers if layer.name.startswith("conv2d"))
    assert first.activation is keras.activations.relu
    assert isinstance(network.layers[1], layers.BatchNormalization) is batch_norm


def test_the_penalty_is_on_the_dense_layer_only_and_as_strong_as_specified(networks):
    for name, network in networks.items():
        found = [each for each in network.layers if getattr(each, "kernel_regularizer", None)]
        strengths = [float(each.kernel_regularizer.l2) for each in found]
        assert strengths == pytest.approx([ORIGINAL[name][3]] * (ORIGINAL[name][3] > 0)), name
        assert all(each.units == 512 for each in found)


def test_the_table_of_the_original_results_is_right(cells):
    rows = [line for line in cells["follows-text"].splitlines() if line.startswith("| training")]
    rows += [line for line in cells["follows-text"].splitlines() if line.startswith("| valid")]
    found = [list(map(int, re.findall(r"\d+", row))) for row in rows]
    assert found == [[each[index] for each in ORIGINAL.values()] for index in (-2, -1)]


def test_the_table_of_the_experiments_agrees_with_the_data(cells, networks):
    for name, (blocks, batch_norm, dropout, l2, parameters, *_) in ORIGINAL.items():
        filters = ", ".join(map(str, blocks))
        values = [filters, "yes" if batch_norm else "no", dropout or "no", l2 or "no"]
        macs = sum(row["macs"] for row in counting.layer_rows(networks[name]))
        values += [f"{parameters:,}", f"{macs:,}"]
        assert f"| {name} | {' | '.join(map(str, values))} |" in cells["seven-text"]
    assert 4 * (32 + 32 + 64 + 64) == 768 == ORIGINAL["II"][4] - ORIGINAL["I"][4]
    assert "= 768 parameters, half of them trainable (γ and β" in cells["seven-text"]
    assert ORIGINAL["II"][4] - ORIGINAL["II"][5] == 768 // 2


def test_vi_has_fewer_parameters_and_more_macs_than_v(networks, cells, on_a_laptop):
    macs = {
        name: sum(row["macs"] for row in counting.layer_rows(network))
        for name, network in networks.items()
    }
    assert 2 * ORIGINAL["VI"][4] < ORIGINAL["V"][4]
    assert round(macs["VI"] / macs["V"], 2) == 1.20 and max(macs, key=macs.get) == "VII"
    answer, scheme = cells["explain_words"], cells["words_question"]
    for name in ("V", "VI"):
        assert f"{macs[name] / 1e6:.1f} million" in answer
        counts = f"| {ORIGINAL[name][4]:,} | {dense_of(networks[name]):,} | {macs[name]:,} |"
        shapes = ", ".join("×".join(map(str, shape)) for shape in POOLED[name])
        assert f"| {name} {counts} {shapes} |" in scheme
    assert f"{1_180_160 - 262_656:,} parameters" in answer
    assert dense_of(networks["V"]) == 1_180_160 and "(1,180,160 with the biases)" in scheme
    assert dense_of(networks["VI"]) == 262_656 and "(262,656)" in scheme
    convolutions = [
        row for row in counting.layer_rows(networks["VI"]) if row["kind"] == "convolution"
    ]
    assert sum(row["parameters"] for row in convolutions[4:]) == 221_440
    extra = sum(row["macs"] for row in convolutions[4:])
    assert round(extra / 1e6) == 5 and "5 million MACs more" in scheme
    seconds = on_a_laptop["seconds_ratios"]["mean"]
    assert seconds[5] < seconds[4] and "VI didn't take longer than V" in scheme


def dense_of(network):
    return next(row["parameters"] for row in counting.layer_rows(network) if row["kind"] == "dense")


def test_early_stopping_agrees_with_keras(solved):
    assert len(set(solved["stopped"].values())) == len(solved["stopped"])
    for name, losses in solved["validation_losses"].items():
        network = keras.Sequential()
        callback = keras.callbacks.EarlyStopping("val_loss", patience=2, mode="min")
        callback.set_model(network)
        callback.on_train_begin()
        last = len(losses)
        for epoch, loss in enumerate(losses):
            callback.on_epoch_end(epoch, {"val_loss": loss})
            if getattr(network, "stop_training", False):
                last = epoch + 1
                break
        assert solved["stopped"][name] == (callback.best_epoch + 1, last), name


@pytest.mark.parametrize(
    ("run", "wrong", "reason"),
    [
        ("A", (5, 5), "Training ends at the second epoch in a row without improvement."),
        ("A", (4, 2), "Write the best epoch first, then the last epoch."),
        ("B", (6, 6), "A loss that equals the smallest one so far is not an improvement."),
        ("B", (5, 5), "A loss that equals the smallest one so far is not an improvement."),
        ("B", (2, 4), "Epoch 2 does not have the smallest of the first 4 losses."),
        ("C", (0, 0), "Each improvement resets the count of epochs without improvement."),
        ("C", (3, 4), "Each improvement resets the count of epochs without improvement."),
        ("D", (4, 5), "the last epoch is the last one in the list."),
    ],
)
def test_a_wrong_run_costs_half_a_point_and_gets_its_reason(
    cells, solved, capsys, run, wrong, reason
):
    names = {"checks": checks, "np": np, "stopped": {**solved["stopped"], run: wrong}}
    exec(cells["test_early_stopping"], names)
    assert names["earned"] == 1.5
    assert f"run {run}, {wrong}: Not yet." in (shown := capsys.readouterr().out)
    assert reason in shown and shown.count("right.") == 3


def stops(cells, values, patience, mode):
    """Return what the function of the notebook finds: the best epoch and the last one."""
    function, _, _ = cells["stops"].partition("\n\n\n")
    exec(function, names := {"keras": keras})
    return names["stop_early"](values, patience, mode)


def test_the_stops_of_the_notebook_are_those_of_the_exercise(cells, solved):
    for name, losses in solved["validation_losses"].items():
        assert stops(cells, losses, 2, "min") == solved["stopped"][name], name
        assert stops(cells, [-loss for loss in losses], 2, "max") == solved["stopped"][name]


def test_the_text_states_where_early_stopping_ends_training(cells, kept):
    runs = kept["validation curves"]
    curves = {
        key: np.transpose([runs[f"validation_{key}@{epoch}"] for epoch in range(1, 21)])
        for key in ("loss", "accuracy")
    }
    text = cells["dropout-text"]
    assert len(curves["loss"]) == 5
    best = {stops(cells, loss, each, "min")[0] for loss in curves["loss"] for each in (2, 5)}
    assert best == {3} and "on the *loss* always restored epoch 3" in text
    assert f"accuracy of {percent(curves['accuracy'][:, 2])}" in text
    assert f"the runs reached {percent(curves['accuracy'][:, -1])}" in text
    restored = {
        patience: np.array(
            [each[stops(cells, each, patience, "max")[0] - 1] for each in curves["accuracy"]]
        )
        for patience in (2, 5)
    }
    lost = 100 * (curves["accuracy"][:, -1] - restored[2])
    assert (lost > 2).sum() == 3 and "ended three of the five runs too early" in text
    assert (restored[5] > curves["accuracy"][:, -1]).all() and "none of them lost accuracy" in text


def test_dropout_by_hand_agrees_with_keras(solved):
    layer = layers.Dropout(0.4, seed=1)
    outputs = np.asarray(layer(np.full(100_000, 3, "float32"), training=True))
    assert set(np.round(outputs, 5).tolist()) == {0, solved["dropped"]["kept"]}
    assert outputs.mean() == pytest.approx(solved["dropped"]["mean"], abs=0.05)
    at_inference = np.asarray(layer(np.array([3.0], "float32"), training=False))
    assert at_inference.tolist() == [solved["dropped"]["inference"]]


@pytest.mark.parametrize(
    ("name", "wrong", "earned", "reason"),
    [
        ("kept", 3, 0.5, "Divide the activation by the probability of being kept"),
        ("kept", 7.5, 0.5, "Divide the activation by the probability of being kept"),
        ("mean", 1.8, 0.75, "Add 0.6 times the output if it is kept"),
        ("inference", "no", 0.75, "At inference, dropout returns its input."),
        ("inference", np.float64(1.8), 0.75, "At inference, dropout returns its input."),
    ],
)
def test_a_wrong_number_of_dropout_costs_its_part_and_gets_its_reason(
    cells, solved, capsys, name, wrong, earned, reason
):
    names = {"checks": checks, "np": np, "dropped": {**solved["dropped"], name: wrong}}
    exec(cells["test_dropped"], names)
    assert names["earned"] == earned
    assert f"{name}, {wrong}: Not yet. {reason}" in capsys.readouterr().out


def test_batch_norm_agrees_with_keras(solved):
    maps = np.random.default_rng(3).normal(2, 3, size=(7, 5, 4, 3)).astype("float32")
    layer = layers.BatchNormalization()
    layer.build(maps.shape)
    gamma, beta = np.array([1.0, 2.0, -1.0]), np.array([0.0, 1.0, 5.0])
    layer.set_weights([gamma, beta, np.zeros(3), np.ones(3)])
    found = solved["batch_norm"](maps, gamma, beta)
    assert np.allclose(found, np.asarray(layer(maps, training=True)), atol=1e-4)


def test_a_standard_deviation_below_the_root_gets_a_hint(cells):
    names = {"checks": checks, "np": np, "keras": keras}
    wrong = cells["batch_norm"].replace("maps.var(", "maps.std(")
    exec(wrong, names)
    with pytest.raises(checks.CheckFailed, match=r"np\.sqrt\(variance \+ epsilon\)"):
        exec(cells["test_batch_norm"], names)


def test_the_weight_of_a_moving_averages_start_is_that_of_the_text(cells):
    assert layers.BatchNormalization().momentum == 0.99
    left = {batches: round(100 * 0.99**batches) for batches in (100, 300)}
    assert left == {100: 37, 300: 5}
    text = "After 100 batches, 37% of the initial value is still there ($0.99^{100}$)"
    assert f"{text}, and after 300 batches, 5%." in cells["learning-rates-text"]


def test_the_training_configurations_are_those_of_the_text(cells):
    configurations, _, _ = cells["recipes"].partition("\n\nif ")
    for profile, epochs in {"cpu": 8, "gpu": 50}.items():
        names = {"checks": checks, "recipe": None, "run": course.Run(profile, 0, "jax", "GPU")}
        exec(configurations, names)
        assert names["plain"] == {"epochs": epochs, "batch_size": 32, "learning_rate": 0.01}
        fast = names["fast"]
        # Each gradient counts ten times, for a batch that is ten times as large.
        assert fast["batch_size"] == 10 * 32 and fast["learning_rate"] == 0.01
        assert 1 / (1 - fast["momentum"]) == pytest.approx(10)
        assert names["chosen_recipe"] is names[{"cpu": "plain", "gpu": "fast"}[profile]]
    assert 50 * -(-50_000 // 32) == 78_150 and "78,150 steps" in cells["recap"]


def test_exactly_the_accepted_pairs_differ_in_one_setting(solved):
    by_name, differences = solved["by_name"], solved["differences"]
    single_changes = {}
    for one, other in combinations(by_name, 2):
        different = differences(by_name[one], by_name[other])
        if len(different) == 1:
            single_changes.setdefault(different[0], []).append((one, other))
    assert single_changes == {
        "batch_norm": [("I", "III")],
        "conv_dropout": [("II", "III"), ("IV", "V")],
        "l2": [("II", "IV"), ("III", "V")],
        "blocks": [("V", "VI"), ("V", "VII"), ("VI", "VII")],
    }
    for change, key in {"batch normalization": "batch_norm", "L2": "l2"}.items():
        assert solved["pairs"][change] in single_changes[key]
    assert solved["pairs"]["dropout after the blocks"] in single_changes["conv_dropout"]
    assert solved["pairs"]["a third block"] == ("V", "VI")
    assert solved["pairs"]["twice the filters"] == ("V", "VII")


def test_the_conclusions_follow_from_the_original_results(solved):
    accuracies = ({name: each[index] for name, each in ORIGINAL.items()} for index in (-2, -1))
    training, validation = accuracies
    gap = {name: training[name] - validation[name] for name in ORIGINAL}
    true = {
        "a": False,  # IV and I differ in three settings
        "b": gap["II"] > gap["III"] and gap["IV"] > gap["V"],
        "c": training["III"] > training["I"] and validation["III"] > validation["I"],
        "d": validation["IV"] > validation["II"] and validation["V"] > validation["III"],
    }
    assert solved["follows"] == {letter for letter, is_true in true.items() if is_true}


def test_the_check_of_the_conclusions_asks_questions_and_accepts_every_set(cells, solved, capsys):
    visible, _, _ = cells["test_follows"].partition("### BEGIN HIDDEN TESTS")
    for follows in ({"a"}, {"b", "c"}):
        exec(visible, {**solved, "checks": checks, "follows": follows})
        shown = capsys.readouterr().out
        assert "This check accepts every set of letters" in shown
        assert "a: In which settings do IV and I differ?" in shown
    gaps = [f"{name} {each[-2] - each[-1]}" for name, each in ORIGINAL.items()]
    assert f"   {', '.join(gaps)}\n" in shown


def test_the_visible_checks_do_not_contain_the_right_answers(cells, solved):
    names = ("early_stopping", "dropped", "pairs", "follows", "interval")
    visible = {
        name: cells[f"test_{name}"].partition("### BEGIN HIDDEN TESTS")[0].replace('"', "")
        for name in names
    }
    for name, pair in solved["stopped"].items():
        assert str(pair) not in visible["early_stopping"], name
    for name, value in solved["dropped"].items():
        assert f"{name}: {value}" not in visible["dropped"], name
    for one, other in combinations(solved["by_name"], 2):
        for cell in ("pairs", "follows"):
            assert f"{one} {other}" not in visible[cell]
    for value in (solved["difference"], solved["half_width"]):
        assert f"{value:.1f}" not in visible["interval"]


def test_the_example_of_differences_is_not_an_answer(cells, solved, capsys):
    exec(cells["seven"], {})
    assert "I and II differ in ['batch_norm', 'conv_dropout']" in capsys.readouterr().out


def test_the_interval_is_that_of_the_measurements(cells, kept, solved):
    measured = kept["with batch normalization"]
    arrays = {"with_003": "0.03", "with_01": "0.1"}
    for name, rate in arrays.items():
        assert solved[name] == pytest.approx(100 * measured[f"accuracy_at_{rate}"])
    found = compare(solved["with_01"], solved["with_003"])
    assert found == pytest.approx((solved["difference"], solved["half_width"]))
    low, high = found[0] - found[1], found[0] + found[1]
    assert low < 0 and high > 4  # so the interval contains differences of 3 and 4 points
    behind = np.flatnonzero(solved["with_003"] < solved["with_01"])
    assert behind.tolist() == [0, 3] and "With seeds 0 and 3 alone" in cells["test_interval"]
    header, row = (
        " | ".join(map(str, each)) for each in (T_FACTORS, [f"{t:.2f}" for t in T_FACTORS.values()])
    )
    assert f"| seeds of each network | {header} |" in cells["compare-text"]
    assert f"| *t* | {row} |" in cells["compare-text"]


def score_of_interval(cells, names):
    *body, last = ast.parse(cells["test_interval"]).body
    exec(compile(ast.Module(body, []), "test_interval", "exec"), names)
    return eval(compile(ast.Expression(last.value), "test_interval", "eval"), names)


@pytest.mark.parametrize(
    ("changes", "score", "reason"),
    [
        ({}, 3, "conclusion c: right."),
        ({"half_width": 2.5, "difference": 1.7}, 3, "half-width: right."),
        ({"conclusion": "C)"}, 3, "conclusion c: right."),
        ({"difference": -1.7}, 2.5, "Subtract the mean with 0.1 from the mean with 0.03."),
        ({"half_width": "ddof"}, 1.5, "Use ddof=1"),
        ({"half_width": "root"}, 1.5, "Take the square root of the sum."),
        ({"half_width": "t"}, 1.5, "Multiply the standard error by t."),
        ({"half_width": "seeds"}, 1.5, "not ten"),
        ({"half_width": "whole"}, 1.5, "to one end of the interval"),
        ({"half_width": "n"}, 1.5, "Divide each variance by the number of seeds."),
        ({"half_width": 7}, 1.5, "See hint 2."),
        ({"conclusion": "a"}, 2, "so chance alone can explain the difference"),
        ({"conclusion": "b"}, 2, "but also differences of 3 and 4 points"),
    ],
)
def test_a_mistake_in_the_interval_costs_its_part_and_gets_its_reason(
    cells, solved, capsys, changes, score, reason
):
    first, second = solved["with_003"], solved["with_01"]
    variances = first.var(ddof=1) + second.var(ddof=1)
    wrong = {
        "ddof": 2.78 * np.sqrt((first.var() + second.var()) / 5),
        "root": 2.78 * variances / 5,
        "t": np.sqrt(variances / 5),
        "seeds": 2.26 * np.sqrt(variances / 5),
        "whole": 2 * 2.78 * np.sqrt(variances / 5),
        "n": 2.78 * np.sqrt(variances),
    }
    if isinstance(changes.get("half_width"), str):
        changes = {"half_width": wrong[changes["half_width"]]}
    assert score_of_interval(cells, {**solved, "checks": checks, **changes}) == score
    assert reason in capsys.readouterr().out


def test_the_half_width_is_students_t_times_the_standard_error(cells, solved):
    stats = pytest.importorskip("scipy.stats")
    for seeds, factor in T_FACTORS.items():
        assert factor == pytest.approx(stats.t.ppf(0.975, seeds - 1), abs=0.006)
    first, second = np.array([0.40, 0.42, 0.44]), np.array([0.47, 0.50, 0.53])
    difference, half_width = compare(first, second)
    assert difference == pytest.approx(0.08)
    assert half_width == pytest.approx(4.30 * np.sqrt((0.02**2 + 0.03**2) / 3))
    assert half_width >= measurements.difference(second, first)[1]
    pair = solved["with_01"], solved["with_003"]
    assert "measurements.difference(second, first, t=2.78)" in cells["claims"]
    assert measurements.difference(*pair[::-1], t=2.78) == pytest.approx(compare(*pair))


def test_the_kept_full_size_results_are_those_of_the_gpu_measurements(kept, full_size):
    for name in lesson_06.EXPERIMENTS:
        curves = full_size[name, "momentum 10"]
        last = curves[:, -lesson_06.LAST_EPOCHS :].mean(axis=1)
        assert kept[name]["validation_accuracy"] == pytest.approx(last, abs=1e-5)
        for epoch in lesson_06.KEPT_EPOCHS:
            found = kept[name][f"validation_accuracy@{epoch}"]
            assert found == pytest.approx(curves[:, epoch - 1], abs=1e-5)


def test_the_text_states_what_was_measured_with_few_images(cells, kept):
    none, dropout = kept["no regularization"], kept["dropout"]
    text = cells["early_stopping-text"]
    for metric in ("training_accuracy", "validation_accuracy"):
        assert percent(none[metric]) in text
    text = cells["batch_norm-text"]
    for each in (none, dropout):
        assert percent(each["validation_accuracy"]) in text
        loss = each["validation_loss"]
        assert f"{loss.mean():.2f} ± {loss.std(ddof=1):.2f}" in text
    assert f"falls to {percent(dropout['training_accuracy'])}" in text
    gain = compare(none["validation_accuracy"], dropout["validation_accuracy"])
    assert f"is {interval(gain)} points" in text and is_significant(gain)
    assert "The interval almost contains 0" in text and 0 < 100 * (gain[0] - gain[1]) < 0.2
    # A later section gives this interval as an example of weak evidence.
    assert f"such as {interval(gain)} points in section 2" in cells["eighth-text"]


def test_the_text_says_how_far_adamw_shrinks_the_weights(cells):
    assert "keras.optimizers.AdamW(0.005, weight_decay=0.5)" in cells["weight-decay"]
    factor = 1 - 0.005 * 0.5
    left = f"factor is {factor}, so that {factor**300:.0%} is left after 300 steps"
    assert left in cells["weight-decay-text"]


def test_the_text_states_what_learning_rates_do(cells, kept):
    means, text = {}, cells["seven-text"]
    for name in ("with", "without"):
        found = kept[f"{name} batch normalization"]
        means[name] = {rate: found[f"accuracy_at_{rate:g}"].mean() for rate in RATES}
        best = max(RATES, key=means[name].get)
        assert best == 0.03 and percent(found[f"accuracy_at_{best:g}"]) in text
    at_large_rate = [kept[f"{name} batch normalization"]["accuracy_at_0.3"] for name in means]
    assert [(found > 0.15).sum() for found in at_large_rate] == [4, 0]
    assert "learns in four of our five runs, and the other one in none. At 1.0, neither" in text
    best = [max(means[name].values()) for name in ("with", "without")]
    assert f"{best[0]:.0%} instead of {best[1]:.0%}" in cells["recap"]
    assert all(abs(means[name][rate] - 0.1) < 0.01 for name in means for rate in (1.0, 3.0))


def test_the_text_states_the_results_with_all_images(cells, full_size):
    curves = {name: full_size[name, "momentum 10"] for name in ORIGINAL}
    last = {name: each[:, -lesson_06.LAST_EPOCHS :].mean(axis=1) for name, each in curves.items()}
    text = cells["eighth-text"]
    changes = {
        "batch normalization": compare(last["I"], last["III"]),
        "dropout": compare(last["II"], last["III"]),
        "dropout with L2": compare(last["IV"], last["V"]),
        "L2": compare(last["II"], last["IV"]),
        "L2 with dropout": compare(last["III"], last["V"]),
        "a third block": compare(last["V"], last["VI"]),
    }
    assert "too small to measure: the interval contains 0." in text
    unclear = [name for name, found in changes.items() if not is_significant(found)]
    assert unclear == ["L2 with dropout"]
    assert [name for name, (value, _) in changes.items() if value < 0] == ["L2"]
    assert "**Dropout after the blocks** gains most, with and without L2." in text
    gains = [value for name, (value, _) in changes.items() if "dropout" not in name]
    assert min(changes[name][0] for name in ("dropout", "dropout with L2")) > max(gains)
    assert "The changes in the other four rows help" in text
    early, late = (compare(curves["II"][:, at - 1], curves["IV"][:, at - 1]) for at in (12, 50))
    assert early[0] > early[1] and late[0] < -late[1]
    assert f"after 12 epochs, the network with L2 is {interval(early)} points ahead" in text
    assert f"in epoch 50 alone, it is {interval(late)} points behind" in text
    assert f"gains little at the end ({interval(changes['batch normalization'])} points)" in text
    # No interval just misses 0.
    assert all(abs(value) > 1.5 * width for name, (value, width) in changes.items()
               if name not in unclear)  # fmt: skip
    assert f"by {interval(changes['dropout'])} points (without L2)" in cells["recap"]
    assert f"L2 with λ = 0.01 cost {interval(changes['L2'])} points." in cells["recap"]
    assert f"gains {interval(changes['a third block'])} points, with less" in text
    twice = compare(curves["V"][:, 32:37].mean(axis=1), last["VII"])
    assert curves["VII"].shape == (3, 37)
    assert f"the difference is {interval(twice, sign=True)} points." in text
    assert not is_significant(twice)
    plain = full_size["I", "plain"][:, -lesson_06.LAST_EPOCHS :].mean(axis=1)
    assert f"is {interval(compare(plain, last['I']), sign=True)} points" in cells["recap"]
    # II is ahead of III at first, and III from epoch 20 on.
    ahead = [compare(curves["II"][:, at - 1], curves["III"][:, at - 1]) for at in (12, 20, 50)]
    assert ahead[0][0] < 0 < ahead[1][0] and ahead[2][0] > ahead[2][1]
    assert curves["II"][:, 20:].mean() == pytest.approx(0.76, abs=0.005)


def test_the_bands_of_the_gpu_profile_are_those_of_the_gpu_measurements(full_size):
    bands = tomllib.loads((ROOT / "tests" / "bands.toml").read_text(encoding="utf-8"))
    found = bands[NAME]["gpu"]["bands"]["validation_accuracies"]
    means = [full_size[name, "momentum 10"][:, -1].mean() for name in ORIGINAL]
    assert found["low"] == pytest.approx([mean - 0.05 for mean in means], abs=6e-4)
    assert found["high"] == pytest.approx([mean + 0.05 for mean in means], abs=6e-4)


def test_the_text_states_the_results_on_a_laptop(cells, on_a_laptop):
    names = list(ORIGINAL)
    text = cells["full-size-text"]
    for metric in ("training_accuracies", "validation_accuracies"):
        band = on_a_laptop[metric]
        pairs = zip(band["mean"], band["std"], strict=True)
        assert " | ".join(f"{100 * mean:.1f} ± {100 * std:.1f}" for mean, std in pairs) in text
    band = on_a_laptop["validation_accuracies"]

    def difference(one, other):
        one, other = names.index(one), names.index(other)
        error = np.hypot(band["std"][one], band["std"][other]) / 5**0.5
        return band["mean"][other] - band["mean"][one], 2.78 * error

    best = sorted(names, key=lambda name: band["mean"][names.index(name)])[-2:]
    assert set(best) == {"II", "VII"}
    assert "II and VII have the highest mean validation accuracies" in text
    bn, dropout = difference("I", "III"), difference("II", "III")
    assert f"is {interval(bn)} points higher" in text and is_significant(bn)
    assert f"changes the accuracy by {interval(dropout, sign=True)} points" in text
    assert "each of the other changes, an interval that contains 0" in cells["eighth-text"]
    for one, other in [("II", "III"), ("III", "V"), ("V", "VI"), ("V", "VII")]:
        assert not is_significant(difference(one, other))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"blocks": [8, 8, 8, 8]}, "A fourth block would get feature maps smaller than"),
        ({"blocks": 32}, "blocks is a list of one to three numbers of filters"),
        ({}, "Change blocks, batch_norm, conv_dropout, or l2."),
        ({"L2": 0.1}, "See seven"),
    ],
)
def test_a_mistake_in_the_eighth_experiment_is_found_before_it_is_trained(
    cells, solved, changes, reason
):
    tests, _, _ = cells["train-eighth"].partition("held_out = ")
    reference = solved["by_name"]["II"]
    names = {**solved, "checks": checks, "reference": reference, "hypothesis": "Fewer filters."}
    with pytest.raises(checks.CheckFailed, match=reason):
        exec(tests, names | {"eighth": {**reference, "name": "mine", **changes}})
    exec(tests, names | {"eighth": {**reference, "name": "mine", "blocks": [8, 16]}})


@pytest.mark.parametrize("hypothesis", ["", " ", None])
def test_the_eighth_experiment_needs_a_hypothesis_before_it_is_trained(cells, solved, hypothesis):
    tests, _, _ = cells["train-eighth"].partition("held_out = ")
    reference = solved["by_name"]["II"]
    eighth = {**reference, "name": "mine", "blocks": [8, 16]}
    names = {**solved, "checks": checks, "reference": reference, "eighth": eighth}
    with pytest.raises(checks.CheckFailed, match="hypothesis is a text"):
        exec(tests, names | {"hypothesis": hypothesis})
