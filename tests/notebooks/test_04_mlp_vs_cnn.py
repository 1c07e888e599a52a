"""Numbers, claims, and rules in 04-mlp-vs-cnn, checked with Keras and the kept measurements."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from course import checks, measurements
from course.counting import layer_rows
from course.datasets import CIFAR10_NAMES
from course.session import Run
from tests.benchmarks import recipes
from tests.benchmarks.measurements import lesson_04
from tests.submissions import source_cells

DEFINED = ["build_simple_cnn", "build_one_layer", "weight_pictures", "describe", "build_mlp"]
DEFINED += ["my_mlps", "choose", "build_functional", "build_cnn", "shuffle-pixels", "move"]
KEPT = measurements.load("04-mlp-vs-cnn")
MLP, CNN = "MLP-128", "simple CNN"
SIX, SOFTMAX = "six-convolution CNN", "softmax regression"
FAIR = "softmax regression, no L2, 10 epochs"
MLP_30, MLP_SHUFFLED = "MLP-128, 30 epochs", "MLP-128, pixels shuffled"
MLP_CENTERED, CNN_CENTERED = "MLP-128, centered", "simple CNN, centered"
FAIR_CENTERED = "softmax regression, centered"
CNN_CENTERED_SHUFFLED = "simple CNN, pixels shuffled, centered"
FLAT, AVERAGE = "three convolutions", "three convolutions, global average pooling"


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells("04-mlp-vs-cnn")


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions and the helper cells define."""
    from course import counting, plotting

    names = {"keras": keras, "layers": layers, "np": np, "plotting": plotting, "display": id}
    names |= {"counting": counting, "class_names": CIFAR10_NAMES}
    names |= {"run": Run("smoke", 0, "tensorflow", "CPU"), "y_val": np.arange(8)}
    names |= {"x_val": np.zeros((8, 32, 32, 3), "float32")}
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def networks(solved):
    return {
        "one_layer": solved["build_one_layer"](),
        "one_hidden_layer": solved["build_small_mlp"](),
        "mlp": solved["build_functional"](),
        "simple_cnn": solved["build_simple_cnn"](),
        "six_convolutions": solved["build_cnn"]([32, 64, 128], 512),
    }


PARAMETERS = {
    "one_layer": 30_730,
    "one_hidden_layer": 394_634,
    "mlp": 563_082,
    "simple_cnn": 82_826,
    "six_convolutions": 1_341_226,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_network_has_the_known_parameters_and_is_the_measured_one(networks, solved, name):
    network, describe = networks[name], solved["describe"]
    assert network.count_params() == PARAMETERS[name]
    assert network.loss == "sparse_categorical_crossentropy"
    assert type(network.optimizer).__name__ == "Adam"
    listed = getattr(recipes, name)(keras, layers)
    assert describe(network) == describe(keras.Sequential([keras.Input((32, 32, 3)), *listed]))


def test_the_mlp_of_section_2_is_that_of_a_specification(solved):
    built = solved["build_mlp"]({"units": [128], "dropout": 0.0, "learning_rate": 1e-3})
    assert solved["describe"](built) == solved["describe"](solved["build_small_mlp"]())


GIVEN = {"name": "A", "units": [256], "dropout": 0.0, "learning_rate": 1e-3}
MALFORMED = {
    "units as an integer": (GIVEN | {"units": 256}, "Write a list of integers"),
    "no units": (GIVEN | {"units": []}, "Write a list of integers"),
    "units as text": (GIVEN | {"units": "256"}, "Write a list of integers"),
    "floating-point units": (GIVEN | {"units": [256.0]}, "Write a list of integers"),
    "nested units": (GIVEN | {"units": [[256]]}, "Write a list of integers"),
    "too many units": (GIVEN | {"units": [1000]}, "Write a list of integers"),
    "dropout as text": (GIVEN | {"dropout": "0.2"}, "at least 0 and less than 1"),
    "no dropout rate": (GIVEN | {"dropout": None}, "at least 0 and less than 1"),
    "dropout rate of 1": (GIVEN | {"dropout": 1}, "at least 0 and less than 1"),
    "a list of rates": (GIVEN | {"learning_rate": [1e-3]}, "Use a positive number"),
    "NaN": (GIVEN | {"learning_rate": float("nan")}, "Use a positive number"),
    "center as text": (GIVEN | {"center": "yes"}, "Use True or False"),
    "epochs as text": (GIVEN | {"epochs": "20"}, "Use a positive integer"),
    "a list instead of a dict": ([256], "Write it like the example"),
    "text instead of a dict": ("MLP-256", "Write it like the example"),
    "a missing key": ({"name": "A", "units": [256]}, "Use the keys"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_the_check_of_specifications_explains_what_is_malformed(cells, case):
    from course import checks

    malformed, sentence = MALFORMED[case]
    others = [GIVEN | {"name": name, "units": [30]} for name in ("B", "C")]
    names = {"my_mlps": [malformed, *others], "checks": checks, "np": np}
    with pytest.raises(checks.CheckFailed, match=sentence):
        exec(compile(cells["test_my_mlps"], "test_my_mlps", "exec"), names)


def test_the_target_of_the_exercise_is_the_network_of_the_solution(networks):
    from course import plotting

    shown = plotting.block_diagram(networks["six_convolutions"])
    target = plotting.six_convolutions()
    texts = [[text.get_text() for text in each.axes[0].texts] for each in (shown, target)]
    assert texts[0] == texts[1]


def test_the_text_states_these_parameters(cells):
    text = "\n".join(cells.values())
    for parameters in PARAMETERS.values():
        assert f"{parameters:,}" in text or f"{parameters:_}" in text
    small = lesson_04.mlp(keras, layers, (27,))
    assert keras.Sequential([keras.Input((32, 32, 3)), *small]).count_params() == 83_251
    assert "83,251 parameters" in cells["one-layer"]


def test_the_table_of_the_simple_cnn_is_right(networks, cells):
    rows = layer_rows(networks["simple_cnn"])
    assert [row["shape"] for row in rows] == [(32, 32, 32), (16, 16, 32), (8192,), (10,)]
    assert [row["parameters"] for row in rows] == [896, 0, 0, 81_930]
    for row in (
        "| 32 × 32 × 32 | 896 |",
        "| 16 × 16 × 32 | 0 |",
        "| 8,192 | 0 |",
        "| 10 | 81,930 |",
    ):
        assert row in cells["meet"]


def test_the_macs_in_the_text_are_right(networks, cells):
    macs = {
        name: sum(row["macs"] for row in layer_rows(network)) for name, network in networks.items()
    }
    millions = round(macs["six_convolutions"] / 1e6)
    assert f"about {millions} million multiply–accumulate operations" in cells["train-larger-text"]
    assert round(macs["simple_cnn"] / macs["one_hidden_layer"], 1) == 2.5
    assert round(macs["six_convolutions"] / macs["one_hidden_layer"], -1) == 100


def percent(name, metric="validation_accuracy"):
    values = 100 * KEPT[name][metric]
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}%"


def difference(name, other, metric="validation_accuracy"):
    return measurements.difference(*(100 * KEPT[each][metric] for each in (name, other)))


def lost(name, metric):
    """Return the points between the validation accuracy of each seed and another accuracy."""
    return 100 * (KEPT[name]["validation_accuracy"] - KEPT[name][metric])


def interval(mean, half_width):
    return f"{mean:.1f} ± {half_width:.1f}"


def points(name, other, metric="validation_accuracy"):
    return interval(*difference(name, other, metric))


# Configuration A has 10 epochs with batches of 128; B has 5 epochs with batches of 32.
DEEP_A, DEEP_A_DROPOUT = "MLP-128-256-512", "MLP-128-256-512, dropout, configuration A"
DEEP_B, DEEP_B_DROPOUT = "MLP-128-256-512, configuration B", "MLP-128-256-512, dropout"


def interaction():
    """Return by how many points configuration B and dropout reinforce each other."""
    four = [
        100 * KEPT[each]["validation_accuracy"]
        for each in (DEEP_B, DEEP_A_DROPOUT, DEEP_A, DEEP_B_DROPOUT)
    ]
    b, dropout, a, both = (values.mean() for values in four)
    error = np.sqrt(sum(values.var(ddof=1) / values.size for values in four))
    return float(b + dropout - a - both), 2.1 * float(error)  # Student's t for about 20 degrees


SHUFFLED, ONE_PIXEL = "simple CNN, pixels shuffled", "simple CNN, 1 × 1 kernels"
ONE_PIXEL_SHUFFLED = "simple CNN, 1 × 1 kernels, pixels shuffled"
SHIFTED, TRAINING, FITTED = "shift_4_accuracy", "training_accuracy", "fit_training_accuracy"
TESTED = "test_accuracy"
TEXT = {
    "one-layer": [
        percent(MLP),
        percent(MLP, TRAINING),
        percent(CNN),
        percent(CNN, TRAINING),
        points(CNN, MLP),
        percent("MLP-27"),
    ],
    "hidden-layers": [percent(SOFTMAX), percent(MLP)],
    "fair-read": [percent(FAIR), points(MLP, FAIR)],
    "dead-read": [
        points(MLP_CENTERED, MLP),
        percent(MLP_CENTERED),
        points(MLP_CENTERED, FAIR_CENTERED),
        points(CNN_CENTERED, CNN),
        points(CNN_CENTERED, MLP_CENTERED),
        points(CNN, MLP),
    ],
    "my-mlps-text": [
        percent(MLP, TRAINING),
        percent(MLP),
        percent(CNN, TRAINING),
        percent(CNN),
        percent(MLP_CENTERED, TRAINING),
        percent(MLP_CENTERED),
    ],
    "functional": [
        points(MLP_30, MLP),
        points(MLP_30, MLP, TRAINING),
        points("MLP-256", MLP),
        points(MLP_CENTERED, MLP),
    ],
    "what-else": [
        percent(DEEP_B_DROPOUT),
        percent(MLP),
        percent(DEEP_B_DROPOUT, TRAINING),
        percent(DEEP_B_DROPOUT, FITTED),
        percent(MLP, TRAINING),
        percent(SIX, TRAINING),
        percent(SIX),
        points(SIX, CNN),
    ],
    "test-text": [
        *(percent(each) for each in (DEEP_A, DEEP_A_DROPOUT, DEEP_B, DEEP_B_DROPOUT)),
        points(DEEP_A, MLP),
        points(DEEP_A, MLP, TESTED),
        interval(*interaction()),
        points(DEEP_A, DEEP_B),
        points(DEEP_A, DEEP_B_DROPOUT),
        points(DEEP_B, DEEP_B_DROPOUT),
        points(DEEP_A, DEEP_A_DROPOUT),
        points(DEEP_A_DROPOUT, DEEP_B_DROPOUT),
        percent(DEEP_A, TRAINING),
        percent(DEEP_A_DROPOUT, TRAINING),
    ],
    "why": [percent(each, TESTED) for each in (CNN, MLP, SIX, MLP_CENTERED, CNN_CENTERED)],
    "shift": [percent(each) for each in (MLP, MLP_SHUFFLED, CNN, SHUFFLED)]
    + [percent(ONE_PIXEL), points(CNN, SHUFFLED), points(CNN, ONE_PIXEL)]
    + [points(SHUFFLED, MLP_SHUFFLED), points(CNN_CENTERED_SHUFFLED, MLP_CENTERED)]
    + [points(CNN_CENTERED, CNN_CENTERED_SHUFFLED)],
    "shuffle_question": [
        percent(ONE_PIXEL),
        percent(ONE_PIXEL_SHUFFLED),
        points(ONE_PIXEL, ONE_PIXEL_SHUFFLED),
        points(CNN, SHUFFLED),
    ],
    "shift-read": [percent(each) for each in (MLP, CNN)]
    + [percent(each, SHIFTED) for each in (MLP, CNN)]
    + [interval(*measurements.difference(lost(CNN, SHIFTED), lost(MLP, SHIFTED)))],
    "pooling-read": [percent(each) for each in (FLAT, AVERAGE)]
    + [percent(AVERAGE, TRAINING)]
    + [interval(*measurements.difference(lost(FLAT, SHIFTED), lost(AVERAGE, SHIFTED)))],
}


@pytest.mark.parametrize("cell", TEXT)
def test_the_numbers_in_the_text_are_those_of_the_kept_measurements(cells, cell):
    for number in TEXT[cell]:
        assert number in cells[cell]


def test_no_other_mean_is_in_the_text(cells):
    """A new measurement must not leave an old number anywhere."""
    known = {number for numbers in TEXT.values() for number in numbers}
    found = {each for text in cells.values() for each in re.findall(r"[\d.]+ ± \d+\.\d%?", text)}
    assert found - known == set()


def test_the_other_measured_numbers_in_the_text(cells):
    dead = 128 * KEPT[MLP]["dead_units"]
    assert f"{dead.min():.0f} to {dead.max():.0f} of 128 in our five runs" in cells["dead-read"]
    assert not KEPT[MLP_CENTERED]["dead_units"].any()
    gained = difference(MLP_CENTERED, MLP)[0]
    assert f"With centered input, it gained {gained:.1f} points" in cells["recap"]
    lead = difference(CNN_CENTERED, MLP_CENTERED)[0]
    assert f"still leads MLP-128 by {lead:.1f} points" in cells["recap"]
    without_neighbors = difference(CNN, SHUFFLED)[0]
    assert (
        f"when the pixels are shuffled, the simple CNN loses {without_neighbors:.0f} points"
        in cells["recap"]
    )
    fractions = [
        lost(name, SHIFTED).mean() / (100 * KEPT[name]["validation_accuracy"].mean())
        for name in (CNN, MLP)
    ]
    assert "({:.0%} and {:.0%})".format(*fractions) in cells["shift-read"]


def test_dropout_and_configuration_b_cost_more_together_than_the_sum_of_both(cells):
    mean, half_width = interaction()
    assert mean > half_width
    other, dropout, both = (
        difference(DEEP_A, each)[0] for each in (DEEP_B, DEEP_A_DROPOUT, DEEP_B_DROPOUT)
    )
    assert f"cost {both:.1f} points, more than {other:.1f} + {dropout:.1f}" in cells["test-text"]


SHOWN = [
    (CNN, MLP),
    (MLP, "MLP-27"),
    (MLP, DEEP_B_DROPOUT),
    (DEEP_B, DEEP_B_DROPOUT),
    (DEEP_A, DEEP_A_DROPOUT),
    (DEEP_A_DROPOUT, DEEP_B_DROPOUT),
    (CNN, SHUFFLED),
    (CNN, ONE_PIXEL),
    (ONE_PIXEL, MLP),
    (DEEP_A, DEEP_B),
    (SHUFFLED, MLP_SHUFFLED),
    (FLAT, AVERAGE),
    (FAIR, SOFTMAX),
    (CNN, FAIR),
    (MLP_CENTERED, MLP),
    (MLP_CENTERED, FAIR_CENTERED),
    (CNN_CENTERED, MLP_CENTERED),
    (CNN_CENTERED_SHUFFLED, MLP_CENTERED),
    (CNN_CENTERED, CNN_CENTERED_SHUFFLED),
    (SIX, CNN),
]


@pytest.mark.parametrize(("better", "worse"), SHOWN)
def test_a_difference_that_the_text_states_is_larger_than_its_uncertainty(better, worse):
    mean, half_width = difference(better, worse)
    assert mean > half_width


def test_both_cnns_are_better_on_the_test_images_than_every_mlp():
    mlps = [name for name in KEPT if name.startswith(("MLP", SOFTMAX))]
    for name, cnn in ((name, cnn) for name in mlps for cnn in (CNN, SIX)):
        mean, half_width = difference(cnn, name, TESTED)
        assert mean > half_width, name
    mean, half_width = difference(SIX, CNN, TESTED)
    assert mean > half_width


NOT_SHOWN = [(MLP_SHUFFLED, MLP), (DEEP_A, MLP), (MLP, FAIR), (ONE_PIXEL, ONE_PIXEL_SHUFFLED)]
NOT_SHOWN += [(CNN_CENTERED, CNN)]


@pytest.mark.parametrize(("first", "second"), NOT_SHOWN)
def test_a_difference_that_the_text_calls_unmeasurable_may_be_zero(first, second):
    mean, half_width = difference(first, second)
    assert abs(mean) < half_width


@pytest.mark.parametrize(("more", "less"), [(FLAT, AVERAGE), (CNN, MLP)])
def test_a_shift_costs_a_network_more_than_another_as_the_text_states(more, less):
    mean, half_width = measurements.difference(lost(more, SHIFTED), lost(less, SHIFTED))
    assert mean > half_width


def test_a_shift_by_4_changes_a_map_after_two_poolings_only_at_the_edges():
    parts = lesson_04.three_convolutions(keras, layers, "average")
    built = keras.Sequential([keras.Input((32, 32, 3)), *parts])
    maps = keras.Model(built.inputs, built.layers[-3].output)
    images = np.random.default_rng(3).uniform(size=(1, 32, 32, 3)).astype("float32")
    before = maps.predict(images, verbose=0)
    assert before.shape == (1, 8, 8, 64)
    for pixels, is_exact in ((4, True), (2, False)):
        after = maps.predict(np.roll(images, pixels, axis=2), verbose=0)
        expected = np.roll(before, pixels // 4, axis=2)
        inner = np.abs(after - expected)[:, 2:-2, 3:-3].max()
        assert (inner < 1e-5) == is_exact


def test_airplane_and_ship_have_the_most_blue_compared_with_red_in_every_run():
    found = KEPT[SOFTMAX]
    rows = np.stack([found[f"blue_minus_red_{name}"] for name in CIFAR10_NAMES])
    first_two = np.sort(np.argsort(rows, axis=0)[-2:], axis=0)
    wanted = [CIFAR10_NAMES.index("airplane"), CIFAR10_NAMES.index("ship")]
    assert np.array_equal(first_two.T, [wanted] * first_two.shape[1])


def test_l2_penalizes_the_weights_and_not_the_biases(networks):
    (layer,) = (each for each in networks["one_layer"].layers if each.count_params())
    assert layer.kernel_regularizer.l2 == pytest.approx(0.05)
    assert layer.bias_regularizer is None


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("test accuracy", "You chose by test accuracy"),
        ("training accuracy", "You chose by training accuracy"),
    ],
)
def test_a_choice_by_another_set_is_explained(cells, column, words):
    visible = cells["test_choose"].partition("### BEGIN HIDDEN TESTS")[0]
    names = {
        "checks": checks,
        "choose": lambda rows: max(rows, key=lambda row: row[column])["network"],
    }
    with pytest.raises(checks.CheckFailed, match=words):
        exec(visible, names)


def test_training_and_validation_set_have_no_image_in_common(cells):
    images = np.arange(80, dtype="uint8")[:, None, None, None] * np.ones((1, 2, 2, 3), "uint8")
    names = {"run": Run("smoke", 0, "tensorflow", "CPU")}
    names |= {"train_images": images, "train_labels": np.arange(80)}
    names |= {"test_images": images[:3], "test_labels": np.arange(3)}
    exec(compile(cells["split"], "split", "exec"), names)
    for split, labels in (("train", [*range(20)]), ("val", [*range(20, 80)]), ("test", [0, 1, 2])):
        x, y = names[f"x_{split}"], names[f"y_{split}"]
        assert np.round(x[:, 0, 0, 0] * 255).tolist() == y.tolist() == labels


def test_a_template_is_brightest_where_the_weight_is_largest(solved):
    network = keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(10)])
    kernel = np.random.default_rng(0).normal(0, 0.01, (3072, 10)).astype("float32")
    network.set_weights([kernel, np.zeros(10, "float32")])
    image = np.zeros((1, 32, 32, 3), "float32")
    image[0, 5, 9, 1] = 1  # after Flatten, this value selects one weight of each unit
    scores = np.asarray(network.predict(image, verbose=0))[0]
    templates = solved["weight_images"](kernel)
    spread = np.ptp(kernel.T.reshape(10, 32, 32, 3)[..., 1], axis=(1, 2))
    lowest = kernel.T.reshape(10, 32, 32, 3)[..., 1].min((1, 2))
    assert templates[:, 5, 9, 1] == pytest.approx((scores - lowest) / spread, abs=1e-4)


def test_the_shuffle_keeps_every_pixel_and_is_that_of_the_measurements(solved):
    images = np.random.default_rng(1).uniform(size=(4, 32, 32, 3))
    shuffled = solved["shuffle_pixels"](images)
    assert not np.allclose(shuffled, images)
    undone = shuffled.reshape(4, 1024, 3)[:, np.argsort(solved["new_positions"])]
    assert (undone.reshape(images.shape) == images).all()
    assert (shuffled == lesson_04.shuffle(images, 0)).all()


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 0), (-2, 1), (0, -4)])
def test_a_shift_there_and_back_keeps_the_middle(solved, dx, dy):
    images = np.random.default_rng(2).uniform(size=(2, 32, 32, 3))
    moved = solved["move"](images, dx, dy)
    assert (moved == lesson_04.shift(images, dx, dy)).all()
    assert (moved[:, 16 + dy, 16 + dx] == images[:, 16, 16]).all()
    back = solved["move"](moved, -dx, -dy)
    assert (back[:, 4:-4, 4:-4] == images[:, 4:-4, 4:-4]).all()


def test_the_text_states_how_the_training_of_the_two_mlps_differs(cells):
    first, second = cells["train-two"], cells["train-larger"]
    assert "epochs = run.choose(smoke=2, cpu=10, gpu=10)" in first
    assert "batch_size = run.choose(smoke=60, cpu=128, gpu=128)" in first
    assert "batch_size=small_batches" in second
    assert "small_batches = run.choose(smoke=40, cpu=32, gpu=32)" in second
    assert '"MLP-128-256-512, dropout", "epochs": run.choose(smoke=1, cpu=5, gpu=5)' in second
    text = cells["one-change-text"]
    for name, section, epochs, size in (("A", 2, 10, 128), ("B", 7, 5, 32)):
        updates = epochs * -(-lesson_04.TRAINING // size)
        configuration = f"{epochs} epochs with batches of {size}, which is {updates:,} updates"
        assert f"**{name}**, from section {section}: {configuration}" in text


def test_the_training_validation_and_test_sets_are_as_large_as_the_measured_ones(cells):
    assert f"cpu={lesson_04.TRAINING + lesson_04.VALIDATION:_}" in cells["load-data"]
    assert f"test_count = run.choose(smoke=60, cpu={lesson_04.TEST:_}" in cells["load-data"]
    assert f"smoke=60, cpu={lesson_04.VALIDATION:_}" in cells["split"]
