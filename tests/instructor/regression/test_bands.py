import json
import math
import statistics
import tomllib

import pytest

from course.errors import CourseError
from course.instructor.regression.band_measurement import DEVIATIONS_BY_SEEDS
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.run_records import MEMORY
from course.recorded_metrics import ACCURACY, RATE, SECONDS
from tests.conftest import cell
from tests.instructor.regression import PARAMETERS, run_of
from tests.submissions import ROOT

COMMAND = "course run --update-bands"
LOSSES = [0.5, 0.52, 0.48, 0.51, 0.49]
KINDS = {"training_seconds": SECONDS}
RUNS = [
    run_of(seed, kinds=KINDS, loss=value, parameters=1_234, both=[value, 2 * value],
           training_seconds=9.0)
    for seed, value in enumerate(LOSSES)
]  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tests" / "bands.toml"


@pytest.fixture
def bands(path):
    """Return bands that were measured with five seeds."""
    Bands(path).update(RUNS, COMMAND)
    return Bands(path)  # like the next command


def states(bands, **metrics):
    run = run_of(9, kinds=KINDS, **metrics)
    return {verdict.name: verdict.state for verdict in bands.judge(run)}


def test_a_band_is_the_mean_and_k_standard_deviations(bands, path):
    table = tomllib.loads(path.read_text())["01-small"]["smoke"]
    assert table["exact"] == {"parameters": 1_234}
    band = table["bands"]["loss"]
    assert band["mean"] == pytest.approx(0.5)
    assert band["std"] == pytest.approx(statistics.stdev(LOSSES), rel=1e-4)
    assert band["plus_minus"] == pytest.approx(
        DEVIATIONS_BY_SEEDS[5] * statistics.stdev(LOSSES), rel=1e-4
    )
    assert table["bands"]["both"]["mean"] == pytest.approx([0.5, 1])
    assert "training_seconds" not in table["bands"], "durations are never compared absolutely"
    measured = table["measured"]
    assert measured["seeds"] == 5 and measured["k"] == DEVIATIONS_BY_SEEDS[5]
    assert measured["command"] == COMMAND


@pytest.mark.parametrize(
    ("accuracies", "std"),
    [
        ([0.1, 0.1, 0.1, 0.1, 0.1], math.sqrt(1 / 6 * 5 / 6 / 10)),  # at least ten images
        ([0.525, 0.525, 0.525, 0.525, 0.5], math.sqrt(21.8 / 42 * 20.2 / 42 / 40)),
        ([1.0, 1.0, 1.0, 1.0, 1.0], math.sqrt(2 / 3 * 1 / 3)),
        ([0.2, 0.4, 0.6, 0.8, 0.5], statistics.stdev([0.2, 0.4, 0.6, 0.8, 0.5])),
    ],
)
def test_an_accuracy_varies_at_least_like_a_count_of_images(path, accuracies, std):
    runs = [
        run_of(seed, kinds={"right": ACCURACY}, right=value)
        for seed, value in enumerate(accuracies)
    ]
    Bands(path).update(runs, COMMAND)
    assert Bands(path).of(runs[0])["bands"]["right"]["std"] == pytest.approx(std, rel=1e-4)


def test_the_kind_of_a_metric_and_not_its_name_decides_about_its_band(path):
    accuracies, kinds = [1.0, 0.9, 0.8, 0.9, 1.0], {"right": ACCURACY}
    runs = [
        run_of(seed, kinds=kinds, right=value, accuracy_gain=value, second_loss=value)
        for seed, value in enumerate(accuracies)
    ]
    Bands(path).update(runs, COMMAND)
    judged = {each.name: each for each in Bands(path).judge(runs[0])}
    assert judged["right"].high == 1.0
    assert judged["accuracy_gain"].high > 1.0, "a name says nothing"
    assert judged["second_loss"].state == "inside", "a name says nothing"


def test_a_value_inside_its_band_passes_and_one_outside_does_not(bands):
    right = {"loss": 0.55, "parameters": 1_234, "both": [0.5, 1.0], "training_seconds": 900.0}
    assert states(bands, **right) == {
        "loss": "inside",
        "parameters": "inside",
        "both[0]": "inside",
        "both[1]": "inside",
        "training_seconds": "not compared",
    }
    assert states(bands, **right | {"loss": 0.8})["loss"] == "outside"
    assert states(bands, **right | {"parameters": 1_235})["parameters"] == "outside"
    assert states(bands, **right | {"both": [0.5, 2.0]})["both[1]"] == "outside"
    assert states(bands, **right | {"both": [0.5]})["both"] == "outside"
    assert states(bands, **right | {"both": 0.5})["both"] == "outside"
    assert states(bands, **right | {"loss": None})["loss"] == "not finite"
    assert states(bands, **right | {"both": [0.5, None]})["both"] == "not finite"
    assert states(bands, **right | {"more": 0.1})["more"] == "new"
    without = {name: right[name] for name in ("parameters", "both")}
    assert states(bands, **without)["loss"] == "missing"


def test_a_verdict_names_the_value_and_its_limits(bands):
    (verdict,) = (each for each in bands.judge(run_of(9, loss=0.9)) if each.name == "loss")
    assert verdict.reason == "loss is 0.9, but must be between 0.3509 and 0.6491"


def test_durations_are_compared_as_fractions_of_one_run(path):
    def timed(seed, seconds, profile="cpu"):
        run = run_of(seed, kinds={"seconds": SECONDS}, seconds=seconds)
        run.profile = profile
        return run

    slow_and_fast = [timed(seed, [1.0 + seed, 3.1 + 3 * seed]) for seed in range(5)]
    Bands(path).update(slow_and_fast, COMMAND)
    bands = Bands(path)
    states = [each.state for each in bands.judge(timed(9, [100.0, 302.0]))]
    assert states == ["not compared", "inside", "inside"]
    outside = [each.name for each in bands.judge(timed(9, [1.0, 30.0])) if each.failed]
    assert outside == ["seconds_ratios[0]", "seconds_ratios[1]"]
    # A smoke run is too short for its durations to be compared.
    short = [timed(seed, [1.0, 1.0 + seed], "smoke") for seed in range(5)]
    Bands(path).update(short, COMMAND)
    assert Bands(path).of(short[0])["bands"] == {}
    states = {each.state for each in Bands(path).judge(timed(9, [1.0, 99.0], "smoke"))}
    assert states == {"not compared"}


def test_learning_curves_must_be_finite(bands):
    run = run_of(9, loss=0.5, parameters=1_234, both=[0.5, 1.0])
    run.curves = {"cnn": {"loss": [1.0, None]}}
    (verdict,) = (each for each in bands.judge(run) if each.failed)
    assert verdict.reason == "the learning curves of cnn contain a value that is not finite"


def test_claims_and_sources_survive_a_measurement(path):
    path.parent.mkdir()
    path.write_text(
        '[01-small.smoke]\nclaims = ["loss > 0.4"]\n'
        '[01-small.smoke.sources]\nloss = "about \\"half\\""\n'
    )
    Bands(path).update(RUNS, COMMAND)
    table = Bands(path).of(RUNS[0])
    assert table["claims"] == ["loss > 0.4"] and table["sources"]["loss"] == 'about "half"'
    assert table["exact"] == {"parameters": 1_234}
    run = run_of(9, loss=0.39, parameters=1_234, both=[0.5, 1.0])
    failed = [each.reason for each in Bands(path).judge(run) if each.failed]
    assert failed == ["the claim loss > 0.4 does not hold"]


def test_every_band_that_widens_is_reported(bands, path):
    wide = [run_of(seed, loss=0.5 + 0.1 * seed, parameters=1_234) for seed in range(5)]
    changes = bands.update(wide, COMMAND)
    assert "loss: WIDER, was 0.3509 to 0.6491, is -0.791 to 2.191" in changes
    assert "both: removed, because it is no longer recorded" in changes
    assert Bands(path).update(wide, COMMAND) == []
    narrow = [run_of(seed, loss=0.5, parameters=1_235) for seed in range(5)]
    assert Bands(path).update(narrow, COMMAND) == [
        "parameters: was 1,234, is 1,235",
        "loss: was -0.791 to 2.191, is 0.4999 to 0.5001",
    ]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (RUNS[:4], "bands need at least 5 seeds, but 01-small has 4"),
        (
            [run_of(seed, parameters=seed) for seed in range(5)],
            "is a count, but differs between seeds",
        ),
        (
            [run_of(seed, loss=None if seed else 1.0) for seed in range(5)],
            "is not a finite number with every seed, or its length differs",
        ),
        (
            [run_of(seed, losses=[1.0] * (seed + 1)) for seed in range(5)],
            "is not a finite number with every seed, or its length differs",
        ),
    ],
)
def test_a_metric_without_a_band_leaves_the_file_unchanged(bands, path, runs, message):
    before = path.read_text()
    with pytest.raises(CourseError, match=message):
        bands.update(runs, COMMAND)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "content",
    ["[01-small", "[a.smoke.bands]\nloss = { low = 0.4 }", "[a.smoke.bands]\nloss = 3", "a = 3"],
)
def test_a_damaged_file_is_reported_in_one_sentence(path, content):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(CourseError, match=r"bands\.toml cannot be read .*: correct it"):
        Bands(path)


def test_the_factors_are_those_of_students_t():
    stats = pytest.importorskip("scipy.stats")  # installed with JAX
    for seeds, k in DEVIATIONS_BY_SEEDS.items():
        inside = 0.99995 if seeds >= 10 else 0.9995
        exact = stats.t.ppf(inside, seeds - 1) * math.sqrt(1 + 1 / seeds)
        assert k == pytest.approx(exact, abs=0.006)


def test_an_invalid_claim_is_reported_when_the_file_is_read(path):
    path.parent.mkdir()
    path.write_text('[01-small.smoke]\nclaims = ["loss is small"]\n')
    with pytest.raises(CourseError, match=r"the claim 'loss is small' in .* is not a comparison"):
        Bands(path)


def test_an_edit_during_the_measurement_survives(path):
    path.parent.mkdir()
    bands = Bands(path)
    # With a comment, several lines, quotes and a control character.
    text = 'says "half"\nor so\t\u0007, é'
    edited = f'# Why.\n[01-small."smoke a=b c".sources]\n# Page 3.\nloss = {json.dumps(text)}\n'
    path.write_text(edited)
    bands.update(RUNS, COMMAND)
    assert Bands(path).of(RUNS[0])["exact"] == {"parameters": 1_234}
    table = tomllib.loads(path.read_text())["01-small"]["smoke a=b c"]
    assert table["sources"]["loss"] == text
    assert path.read_text().startswith(edited), "comments are kept"


def test_comments_in_measured_tables_survive(bands, path):
    commented = path.read_text().replace("parameters = 1234", "parameters = 1234  # two layers")
    commented = commented.replace("[01-small.smoke.bands]", "# With Adam.\n[01-small.smoke.bands]")
    path.write_text(commented)
    runs = [
        run_of(seed, kinds=KINDS, loss=value + 1, parameters=1_234)
        for seed, value in enumerate(LOSSES)
    ]
    assert "loss: was 0.3509 to 0.6491, is 1.351 to 1.649" in Bands(path).update(runs, COMMAND)
    content = path.read_text()
    assert "parameters = 1234  # two layers\n\n# With Adam.\n[01-small.smoke.bands]" in content
    assert Bands(path).of(runs[0])["bands"].keys() == {"loss"}


def test_each_table_of_a_new_file_follows_a_blank_line(bands, path):
    lines = path.read_text().splitlines()
    headers = [number for number, line in enumerate(lines) if line.startswith("[")]
    assert len(headers) == 3 and all(number == 0 or not lines[number - 1] for number in headers)


def test_the_bands_of_the_course_are_valid():
    content = (ROOT / BANDS_PATH).read_text(encoding="utf-8")
    tables = tomllib.loads(content)
    Bands(ROOT / BANDS_PATH)
    names = {path.parent.name for path in ROOT.glob("source/*/*.ipynb")}
    assert set(tables) == names
    known = {"claims", "sources", "measured", "exact", "bands"}
    assert all(set(each) <= known for settings in tables.values() for each in settings.values())


def test_memory_and_timings_are_compared_only_where_they_were_measured(path):
    def measured(seed, backend="tensorflow", device="GPU", **metrics):
        kinds = {"training_seconds": SECONDS, "images": RATE, "peak_memory_mb": MEMORY}
        run = run_of(seed, backend=backend, kinds=kinds, **metrics)
        run.device, run.profile = device, "gpu"
        return run

    usual = {"training_seconds": 9.0, "images": 100.0, "peak_memory_mb": 500.0}
    Bands(path).update([measured(seed, **usual) for seed in range(5)], COMMAND)
    slow = {"training_seconds": 90.0, "images": 10.0, "peak_memory_mb": 5000.0}
    judged = [each.state for each in Bands(path).judge(measured(9, **slow))]
    assert judged == ["outside"] * 3
    elsewhere = Bands(path).judge(measured(9, backend="jax", **slow))
    assert [each.state for each in elsewhere] == ["not compared"] * 3
    assert "measured with tensorflow on a GPU" in elsewhere[0].reason
    # Unknown memory is not a failure; a run of this profile without a GPU is.
    verdicts = Bands(path).judge(measured(9, device="CPU", training_seconds=9.0, images=1.0))
    assert [each.name for each in verdicts if each.failed] == ["device"]


@pytest.mark.slow
def test_the_command_measures_bands_and_compares_runs_with_them(small_course, course_command):
    varying = f"import course\ncourse.record(loss={[*LOSSES, 0.9]}[seed], parameters=7)"
    root = small_course(PARAMETERS, cell("code", varying))
    arguments = ["-C", root, "run", "--seeds", "5"]
    few = course_command("-C", root, "run", "--seeds", "2", "--update-bands")
    assert few.returncode == 1
    assert few.stderr == "course: bands need at least 5 seeds: specify --seeds 5 or more.\n"
    assert not (root / "build").exists(), "the error comes before hours of running"
    first = course_command(*arguments, "--update-bands")
    assert first.returncode == 0, first.stderr
    assert "01-small  bands measured with 5 seeds\n    parameters: new\n" in first.stdout
    table = tomllib.loads((root / BANDS_PATH).read_text())["01-small"]["smoke"]
    assert table["measured"]["command"] == "course run --profile smoke --seeds 5 --update-bands"
    assert table["measured"]["data"].startswith("synthetic")
    again = course_command(*arguments)
    assert again.returncode == 0
    assert again.stdout.count("passed 3 comparisons") == 5
    other = course_command("-C", root, "run", "--seed", "5")
    assert other.returncode == 1 and "failed: 1 of 3 comparisons" in other.stdout
    (line,) = (line for line in other.stderr.splitlines() if line.startswith("course: "))
    assert line == "course: 01-small: loss is 0.9, but must be between 0.3509 and 0.6491."
