"""Numbers in 07-transfer-learning, checked with Keras, the solutions, and kept measurements."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from course import checks, counting, datasets, measurements
from tests.benchmarks.measurements import lesson_07
from tests.submissions import source_cells

NAME = "07-transfer-learning"
DEFINED = ["augmentation", "binary_crossentropy", "build_small_cnn", "cifar_base"]
DEFINED += ["build_head", "fine_tuning_network"]


@pytest.fixture(scope="module")
def cells():
    """Return the source notebook's cells by id."""
    return source_cells(NAME)


@pytest.fixture(scope="module")
def kept():
    return measurements.load(NAME)


@pytest.fixture(scope="module")
def solved(cells):
    """Return the names that the solutions and the helper cells define."""

    def compiled(network, optimizer):
        network.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
        return network

    names = {"keras": keras, "layers": layers, "np": np, "compiled": compiled, "base_name": "own"}
    for name in DEFINED:
        exec(compile(cells[name], name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def vgg():
    with counting.without_weights():
        return keras.applications.VGG16(include_top=False, weights=None, input_shape=(150, 150, 3))


def test_the_small_network_is_that_of_the_sources(solved, cells):
    network = solved["build_small_cnn"](150)
    rows = counting.layer_rows(network)
    shapes = [row["shape"] for row in rows if row["kind"] in ("convolution", "pooling")]
    assert shapes == [
        (148, 148, 32),
        (74, 74, 32),
        (72, 72, 32),
        (36, 36, 32),
        (34, 34, 64),
        (17, 17, 64),
    ]
    assert (18_496,) in [row["shape"] for row in rows]
    assert f"{network.count_params():,}" == "1,212,513" in cells["loss-read"]


def test_the_parameters_of_vgg16_in_the_text_are_right(solved, cells, vgg):
    text = cells["base-text"]
    assert f"has {vgg.count_params():,} parameters" in text
    assert f"features of the shape {vgg.output_shape[1:]}" in text
    head = solved["build_head"]((4, 4, 512))
    assert f"new head has {head.count_params():,} parameters" in text
    block = [layer for layer in vgg.layers if layer.name.startswith("block5")]
    assert f"trains {sum(layer.count_params() for layer in block):,} more" in text


def test_only_the_last_block_and_the_head_are_trainable(solved, vgg):
    head = solved["build_head"]((4, 4, 512))
    network = solved["fine_tuning_network"](vgg, head, "block5_conv1")
    assert counting.trainable_parameters(network) == 7_079_424 + 2_097_665 == 9_177_089
    trainable = [layer.name for layer in vgg.layers if layer.trainable]
    assert trainable == ["block5_conv1", "block5_conv2", "block5_conv3", "block5_pool"]
    optimizer = network.optimizer
    assert float(np.asarray(optimizer.learning_rate)) == pytest.approx(1e-4)
    assert (type(optimizer).__name__, optimizer.momentum) == ("SGD", 0.9)


def test_the_order_of_compiling_and_freezing_is_checked(solved, cells, capsys):
    def compiled_first(base, head, first, learning_rate=1e-4):
        network = keras.Sequential([keras.Input(base.input_shape[1:]), base, head])
        network.compile(keras.optimizers.SGD(learning_rate, momentum=0.9), "binary_crossentropy")
        for layer in base.layers:
            layer.trainable = layer.name.startswith("block3_conv")
        return network

    names = solved | {"checks": checks}
    exec(compile(cells["compile_order"], "compile_order", "exec"), names)
    assert "ok: trainable arrays when you compile" in capsys.readouterr().out
    names["fine_tuning_network"] = compiled_first
    with pytest.raises(AssertionError, match="Compile last, after you have frozen layers"):
        exec(compile(cells["compile_order"], "compile_order", "exec"), names)
    assert "noted" not in keras.Model.compile.__name__


def test_frozen_batch_normalization_is_in_inference_mode(solved):
    base = solved["cifar_base"](16)
    head = solved["build_head"]((2, 2, 128))
    network = solved["fine_tuning_network"](base, head, "block1_conv1")
    images = np.random.default_rng(0).normal(3, 2, size=(8, 16, 16, 3)).astype("float32")
    trained, inferred = (np.asarray(base(images, training=flag)) for flag in (True, False))
    assert np.array_equal(trained, inferred)
    base.get_layer("block1_bn1").trainable = True
    assert not np.allclose(np.asarray(base(images, training=True)), inferred)
    assert network.layers[0] is base


def test_the_mistake_of_the_sources_freezes_everything(vgg):
    """The mistake is `model.layers[:25]` of a network in which the base is one layer."""
    with counting.without_weights():
        head = keras.Sequential([keras.Input((4, 4, 512)), layers.Flatten(), layers.Dense(1)])
        inputs = keras.Input((150, 150, 3))
        nested = keras.Model(inputs, head(vgg(inputs)))
    assert len(nested.layers) == 3
    for layer in nested.layers[:25]:
        layer.trainable = False
    assert counting.trainable_parameters(nested) == 0


def test_names_of_layers_in_the_text_exist(cells):
    with counting.without_weights():
        mobile = keras.applications.MobileNetV2(weights=None)
    assert round(mobile.count_params() / 1e6, 1) == 3.5
    names = [layer.name for layer in mobile.layers]
    assert "block_16_expand" in names and "block_13_expand" in names
    assert names.index("block_13_expand") < names.index("block_16_expand")
    assert "block_16_expand" in cells["base"] and "block_13_expand" in cells["attempt-text"]


def test_sigmoid_and_loss_agree_with_keras(solved, cells):
    z = np.linspace(-8, 8, 33, dtype="float32")
    (formula,) = set(re.findall(r"1 / \(1 \+ np\.exp\(-z\)\)", cells["sigmoid-text"]))
    assert formula in cells["loss-plot"]
    labels, probabilities = np.tile([0, 1, 1], 11), eval(formula, {"np": np, "z": z})
    assert np.allclose(probabilities, np.asarray(keras.ops.sigmoid(z)), atol=1e-6)
    by_keras = keras.losses.BinaryCrossentropy()(labels[:, None], probabilities[:, None])
    by_hand = solved["binary_crossentropy"](labels, probabilities)
    assert by_hand == pytest.approx(float(np.asarray(by_keras)), abs=1e-5)
    assert np.log(100) == pytest.approx(4.6, abs=0.01)
    assert np.log(100) / np.log(2) == pytest.approx(6.64, abs=0.01)
    assert solved["binary_crossentropy"](np.array([0]), np.array([0.5])) == pytest.approx(np.log(2))


def test_augmentation_shifts_by_at_most_the_stated_amount(solved):
    """Augments images with one dot: how far it moves, and which values fill the edges."""
    images = np.full((200, 61, 61, 3), 100, "float32")
    images[:, 30, 50] = 255
    moved = np.asarray(solved["augmentation"](0, 0.1, 0.0)(images, training=True))[..., 0]
    positions = np.array([np.unravel_index(each.argmax(), each.shape) for each in moved])
    assert np.abs(positions[:, 0] - 30).max() <= 7
    columns = np.minimum(np.abs(positions[:, 1] - 50), np.abs(positions[:, 1] - 10))
    assert columns.max() <= 7 and (positions[:, 1] < 30).any() and (positions[:, 1] > 30).any()
    assert moved.min() > 99, "the edges are filled with image values"


def test_the_settings_and_results_of_the_sources_are_in_the_text(cells):
    assert 'strong = {"degrees": 40, "shift": 0.2, "zoom": 0.2}' in cells["amounts"]
    text = cells["careless-text"]
    assert "74% to 78% for a network trained from scratch for 50 epochs" in text
    assert "about 90% for a new head, and about 95% after fine-tuning" in text


def test_the_folders_have_the_images_that_the_text_promises(cells):
    assert '"photos": (run.choose(smoke=12, cpu=250, gpu=1_000), 200, 300)' in cells["images"]
    assert '"cifar10": (1_000, 1_000, 1_000)' in cells["images"]
    assert datasets.cats_dogs.PHOTO_COUNTS == {"train": 1_000, "validation": 500}
    assert datasets.cats_dogs.CIFAR10_COUNTS == {"train": 1_000, "validation": 2_000}


def test_every_training_is_kept_with_five_or_eight_seeds(kept):
    assert set(kept) == set(lesson_07.JOBS)
    for metrics in kept.values():
        assert {len(values) for values in metrics.values()} <= {5, 8}
    assert len(kept["features"]["bottleneck"]) == len(kept["fine-tuning"]["fine-tuned"]) == 8


def percent(values):
    """Return mean and standard deviation as the text writes them."""
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}%"


def points(values, others):
    """Return the difference, paired by seed, and its half-width as the text writes them."""
    count = min(len(values), len(others))
    mean, half_width = measurements.interval(values[:count] - others[:count])
    return f"{100 * mean:+.1f} ± {100 * half_width:.1f}".replace("-", "−")


def is_clear(values, others):
    """Return whether the confidence interval of the paired difference excludes 0."""
    count = min(len(values), len(others))
    mean, half_width = measurements.interval(values[:count] - others[:count])
    return abs(mean) > half_width


def test_numbers_about_training_from_scratch_are_the_kept_ones(kept, cells):
    scratch = kept["scratch"]
    for name in ("plain", "augmented"):
        assert percent(scratch[name]) in cells["scratch-read"]
    assert points(scratch["augmented"], scratch["plain"]) in cells["scratch-read"]
    says_nothing = "these seeds don't show that augmentation raises" in cells["scratch-read"]
    assert says_nothing != is_clear(scratch["augmented"], scratch["plain"])


def test_numbers_about_features_are_the_kept_ones(kept, cells):
    features, scratch = kept["features"], kept["scratch"]
    assert percent(kept["base"]["accuracy"]) in cells["features-text"]
    plain, augmented = scratch["plain"], scratch["augmented"]
    assert np.mean(augmented) > np.mean(plain), "the text compares ImageNet features with it"
    from_imagenet, own = kept["ImageNet"]["head"], features["bottleneck"]
    rows = [
        f"| {percent(own)} and {percent(plain)} | {points(own, plain)} (five common seeds) | yes |",
        f"| {percent(own)} and {percent(augmented)} | {points(own, augmented)}"
        " (five common seeds) | not shown |",
        f"| {percent(from_imagenet)} and {percent(augmented)} |"
        f" {points(from_imagenet, augmented)} | yes |",
    ]
    assert "".join(re.findall(r"\| [\d.]+ ± .*\n", cells["tuning-text"])[1:]).splitlines() == rows
    assert is_clear(own, plain) and not is_clear(own, augmented)
    assert is_clear(from_imagenet, augmented)
    assert percent(features["base with random weights"]) in cells["tuning-text"]
    for name in ("base with random weights", "pixels / 255"):
        assert points(features[name], features["bottleneck"]) in cells["tuning-text"]
    assert is_clear(features["base with random weights"], features["bottleneck"])
    costs = "wrong preprocessing costs accuracy" in cells["tuning-text"]
    assert costs == is_clear(features["pixels / 255"], features["bottleneck"])


def test_the_numbers_of_the_opening_are_the_kept_ones(kept, cells):
    found, scratch, text = kept["ImageNet"]["output layer"], kept["scratch"], cells["data-text"]
    assert percent(found) in text and percent(scratch["augmented"]) in text
    assert f"{points(found, scratch['augmented'])} points" in text
    assert is_clear(found, scratch["augmented"]) and is_clear(found, scratch["plain"])
    assert 2 * 1_280 + 2 == 2_562 and "2,562 parameters" in cells["first-head-text"]


def test_numbers_about_fine_tuning_are_the_kept_ones(kept, cells):
    tuned, text = kept["fine-tuning"]["fine-tuned"], cells["careless-text"]
    few = kept["250 images"]
    frozen, longer = kept["frozen base"]["20 more epochs"], kept["all epochs"]["35 epochs"]
    before = kept["frozen base"]["head"]
    for values in (before, tuned, frozen, longer):
        assert percent(values) in text
    assert f"from {percent(before)} to {percent(tuned)}: {points(tuned, before)} points" in text
    assert f"better by {points(tuned, frozen).lstrip('+')} points" in text
    assert is_clear(tuned, frozen)
    assert f"{points(tuned, longer)} points, could be due to chance" in text
    assert not is_clear(tuned, longer)
    assert len(longer) == len(frozen) == len(tuned) == len(before) == 8
    assert 'cifar10": {"scratch": 40, "base": 3, "head": 15, "tune": 20' in cells["plan"]
    gained = points(few["fine-tuned"], few["bottleneck"])
    assert f"{gained} points (five seeds), which could be due to chance" in text
    assert not is_clear(few["fine-tuned"], few["bottleneck"])


def test_numbers_about_batch_statistics_are_the_kept_ones(kept, cells):
    found, text = kept["statistics"], cells["guide-text"]
    assert percent(found["stored"]) in text
    for name in ("during, 2", "during, 128", "afterward, 2", "afterward, 128"):
        assert points(found[name], found["stored"]) in text
    assert is_clear(found["during, 128"], found["stored"])
    assert 512 // 2 == 256 and 512 // 128 == 4


def test_the_table_of_careless_settings_is_the_kept_one(kept, cells):
    """Two settings stay at chance level; the table and section 10 list those without an effect."""
    tuned, rows = kept["fine-tuning"]["fine-tuned"], []
    question, answer = cells["cautions_question"], cells["explain_cautions"]
    for name, values in kept["fine-tuning"].items():
        if name in ("10 × learning rate", "Adam, same learning rate"):
            assert np.max(np.abs(values - 0.5)) < 0.01
            assert f"{points(values, tuned).lstrip('−')} points lost" in question
        elif name != "fine-tuned":
            assert not is_clear(values, tuned), "the text says that its interval contains 0"
            if f'"{name}"' in cells["more-careless"]:
                assert points(values, tuned) in cells["guide-text"]
            else:
                rows.append(f"| {name} | {points(values, tuned)} |")
    rows.sort(key=question.find)
    assert len(rows) == 2 and "\n".join(rows) in question and "Both intervals" in question
    lost = np.sort(100 * (tuned - kept["fine-tuning"]["batch normalization trains"]))
    assert "two of the eight seeds lost 7.7 and 8.1 points" in question
    assert np.allclose(lost[-2:], [7.7, 8.1], atol=0.051)
    between = f"−{lost[-3] + 1e-6:.1f} to {-lost[0]:+.1f} points"
    assert f"the other six changed by {between}" in question
    assert points(kept["fine-tuning"]["Adam, learning rate / 100"], tuned) in answer
    assert f"{100 * np.mean(tuned):.1f}% after careful fine-tuning" in answer
    weights = kept["weights"]["last convolution"]
    assert np.allclose(weights, 0.04, atol=0.002) and "about 0.04" in question
    assert 'rate": 1e-2' in cells["plan"] and "0.01 for our small base" in cells["careless-text"]


def test_the_numbers_about_divergence_are_the_kept_ones(kept, cells):
    """Only the head trained: ten times the rate is too much for it, and Adam is not."""
    found, question = kept["divergence"], cells["cautions_question"]
    assert {len(values) for values in found.values()} == {5}
    random = kept["features"]["base with random weights"]
    assert f"*random* weights reaches {percent(random)}" in question
    for name in ("10 × learning rate", "Adam, same learning rate"):
        assert np.min(found[f"{name}: loss"]) > 0.69 > np.max(found["fine-tuned: loss"])
        values = found[f"{name}, head alone: accuracy"]
        assert f"| {name} | 50.0% | {percent(values)} |" in question
    assert np.all(found["10 × learning rate, head alone: accuracy"] == 0.5)
    assert np.min(found["Adam, same learning rate, head alone: accuracy"]) > 0.6
    for name, word in [("Adam, same learning rate", "with Adam"), ("fine-tuned", "with careful")]:
        change = np.mean(found[f"{name}: change of a weight"])
        change = f"{change:.{3 if change > 0.01 else 4}f}"
        assert re.search(f"by {change} (on average )?{word}", question)


def test_the_count_of_active_units_is_right(solved, cells):
    base, head = solved["cifar_base"](32), solved["build_head"]((4, 4, 128))
    images = np.random.default_rng(0).normal(size=(6, 32, 32, 3)).astype("float32")
    names = solved | {"x_val": images, "preprocess": lambda images: images}
    exec(cells["bottleneck_features"], names)
    source = cells["careless"]
    exec(source[source.index("def count_active") : source.index("\ntuned = ")], names)
    weights = head.get_weights()
    weights[1][:250] = -1e6  # dead, whatever the features are
    weights[1][250:] = 1e6
    head.set_weights(weights)
    network = keras.Sequential([keras.Input((32, 32, 3)), base, head])
    features = base.predict(images, verbose=0).reshape(6, -1)
    assert names["count_active"](network) == [int((features > 0).any(axis=0).sum()), 6]


def test_the_own_head_has_the_dropout_rate_and_the_penalties(solved, cells):
    names = solved | {"features_train": np.zeros((2, 4, 4, 128), "float32")}
    names["mine"] = {"dropout": 0.3, "l1": 0.01, "l2": 0.02}
    source = cells["train-mine"]
    exec(source[source.index("def build_my") : source.index("\nsettings = ")], names)
    head, given = names["build_my_head"]({}), solved["build_head"]((4, 4, 128))
    assert [layer.rate for layer in head.layers if isinstance(layer, layers.Dropout)] == [0.3]
    weights = head.get_weights()
    penalty = 0.01 * np.abs(weights[0]).sum() + 0.02 * (weights[0] ** 2).sum()
    copy = keras.models.clone_model(head)  # as `tune` copies it
    copy.set_weights(weights)
    for each in (head, copy):
        assert [float(loss) for loss in each.losses] == pytest.approx([penalty], rel=1e-4)
        output = np.asarray(each(np.ones((50, 4, 4, 128), "float32"), training=True))
        assert len(np.unique(output)) > 1  # dropout is active
    assert counting.architecture(head) == counting.architecture(given).replace("0.5", "0.3")
    assert head.compiled and type(head.optimizer).__name__ == "RMSprop"


def test_a_difference_of_unequal_numbers_of_seeds_says_so(kept):
    """The text says "five common seeds" where the difference of the means is another number."""
    scratch, features = kept["scratch"], kept["features"]["bottleneck"]
    for values in (
        scratch["augmented"],
        scratch["layers of the base"],
        kept["ImageNet"]["head"],
    ):
        assert (len(values), len(features)) == (5, 8)


def test_the_numbers_are_those_of_the_default_data(cells):
    assert 'data = "cifar10"' in cells["parameters"]
    assert "Use CIFAR-10, the default." in cells["data-text"]


def test_no_placeholder_is_left(cells):
    assert not [name for name, text in cells.items() if re.search("[«»]", text)]
