import json
import math
import statistics
import tomllib

import pytest

from course.errors import CourseError
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.band_measurement import DEVIATIONS_BY_SEEDS
from tests.conftest import cell
from tests.instructor.regression import PARAMETERS, run_of

COMMAND = "course run --update-bands"
LOSSES = [0.5, 0.52, 0.48, 0.51, 0.49]
RUNS = [
    run_of(seed, loss=value, parameters=1_234, both=[value, 2 * value], training_seconds=9.0)
    for seed, value in enumerate(LOSSES)
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tests" / "bands.toml"


@pytest.fixture
def bands(path):
    """Bands that were measured with five seeds."""
    found = Bands(path)
    found.update(RUNS, COMMAND)
    return Bands(path)  # as the next command reads them


def states(bands, **metrics):
    return {verdict.name: verdict.state for verdict in bands.judge(run_of(9, **metrics))}


def test_a_band_is_the_mean_and_k_deviations(bands, path):
    table = tomllib.loads(path.read_text())["01-small"]["smoke"]
    assert table["exact"] == {"parameters": 1_234}
    band = table["bands"]["loss"]
    assert band["mean"] == pytest.approx(0.5)
    assert band["std"] == pytest.approx(statistics.stdev(LOSSES), rel=1e-4)
    assert band["plus_minus"] == pytest.approx(DEVIATIONS_BY_SEEDS[5] * statistics.stdev(LOSSES), rel=1e-4)
    assert table["bands"]["both"]["mean"] == pytest.approx([0.5, 1])
    assert "training_seconds" not in table["bands"], "seconds are never compared absolutely"
    measured = table["measured"]
    assert measured["seeds"] == 5 and measured["k"] == DEVIATIONS_BY_SEEDS[5]
    assert measured["command"] == COMMAND


@pytest.mark.parametrize(
    ("accuracies", "std"),
    [
        ([0.1, 0.1, 0.1, 0.1, 0.1], math.sqrt(1 / 6 * 5 / 6 / 10)),  # one of ten, at least
        ([0.525, 0.525, 0.525, 0.525, 0.5], math.sqrt(21.8 / 42 * 20.2 / 42 / 40)),
        ([1.0, 1.0, 1.0, 1.0, 1.0], math.sqrt(2 / 3 * 1 / 3)),
        ([0.2, 0.4, 0.6, 0.8, 0.5], statistics.stdev([0.2, 0.4, 0.6, 0.8, 0.5])),
    ],
)
def test_an_accuracy_scatters_at_least_as_what_is_counted(path, accuracies, std):
    runs = [run_of(seed, my_accuracy=value) for seed, value in enumerate(accuracies)]
    Bands(path).update(runs, COMMAND)
    assert Bands(path).of(runs[0])["bands"]["my_accuracy"]["std"] == pytest.approx(std, rel=1e-4)


def test_what_lies_inside_passes_and_what_lies_outside_does_not(bands):
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


def test_a_verdict_says_what_came_and_what_was_expected(bands):
    (verdict,) = (each for each in bands.judge(run_of(9, loss=0.9)) if each.name == "loss")
    assert verdict.reason == "loss is 0.9, and must lie between 0.3509 and 0.6491"


def test_seconds_are_compared_as_shares_of_one_run(path):
    def timed(seed, seconds, profile="cpu"):
        run = run_of(seed, seconds=seconds)
        run.profile = profile
        return run

    slow_and_fast = [timed(seed, [1.0 + seed, 3.1 + 3 * seed]) for seed in range(5)]
    Bands(path).update(slow_and_fast, COMMAND)
    bands = Bands(path)
    states = [each.state for each in bands.judge(timed(9, [100.0, 302.0]))]
    assert states == ["not compared", "inside", "inside"]
    outside = [each.name for each in bands.judge(timed(9, [1.0, 30.0])) if each.failed]
    assert outside == ["seconds_ratios[0]", "seconds_ratios[1]"]
    # A smoke run is over too soon for its seconds to say anything.
    short = [timed(seed, [1.0, 1.0 + seed], "smoke") for seed in range(5)]
    Bands(path).update(short, COMMAND)
    assert Bands(path).of(short[0])["bands"] == {}
    states = {each.state for each in Bands(path).judge(timed(9, [1.0, 99.0], "smoke"))}
    assert states == {"not compared"}


def test_learning_curves_must_be_numbers(bands):
    run = run_of(9, loss=0.5, parameters=1_234, both=[0.5, 1.0])
    run.curves = {"cnn": {"loss": [1.0, None]}}
    (verdict,) = (each for each in bands.judge(run) if each.failed)
    assert verdict.reason == "the learning curves of cnn hold what is no number"


def test_lessons_and_sources_are_a_persons_and_are_kept(path):
    path.parent.mkdir()
    path.write_text(
        '[01-small.smoke]\nlessons = ["loss > 0.4"]\n'
        '[01-small.smoke.sources]\nloss = "about \\"half\\""\n'
    )
    Bands(path).update(RUNS, COMMAND)
    table = Bands(path).of(RUNS[0])
    assert table["lessons"] == ["loss > 0.4"] and table["sources"]["loss"] == 'about "half"'
    assert table["exact"] == {"parameters": 1_234}
    run = run_of(9, loss=0.39, parameters=1_234, both=[0.5, 1.0])
    failed = [each.reason for each in Bands(path).judge(run) if each.failed]
    assert failed == ["the lesson loss > 0.4 does not hold"]


def test_a_band_is_never_widened_without_a_word(bands, path):
    wide = [run_of(seed, loss=0.5 + 0.1 * seed, parameters=1_234) for seed in range(5)]
    changes = bands.update(wide, COMMAND)
    assert "loss: WIDER, was 0.3509 to 0.6491, is -0.791 to 2.191" in changes
    assert "both: gone, it is no longer recorded" in changes
    assert Bands(path).update(wide, COMMAND) == []
    narrow = [run_of(seed, loss=0.5, parameters=1_235) for seed in range(5)]
    assert Bands(path).update(narrow, COMMAND) == [
        "parameters: was 1,234, is 1,235",
        "loss: was -0.791 to 2.191, is 0.4999 to 0.5001",
    ]


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (RUNS[:4], "bands need at least 5 seeds, 01-small has 4"),
        ([run_of(seed, parameters=seed) for seed in range(5)], "is a whole number and differs"),
        ([run_of(seed, loss=None if seed else 1.0) for seed in range(5)], "not a number, or not"),
        ([run_of(seed, losses=[1.0] * (seed + 1)) for seed in range(5)], "not a number, or not"),
    ],
)
def test_what_cannot_be_a_band_leaves_the_file_as_it_is(bands, path, runs, words):
    before = path.read_text()
    with pytest.raises(CourseError, match=words):
        bands.update(runs, COMMAND)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "content",
    ["[01-small", "[a.smoke.bands]\nloss = { low = 0.4 }", "[a.smoke.bands]\nloss = 3", "a = 3"],
)
def test_a_damaged_file_is_one_sentence(path, content):
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(CourseError, match=r"bands\.toml cannot be read .*: put it right"):
        Bands(path)


def test_k_is_that_of_students_t():
    stats = pytest.importorskip("scipy.stats")  # JAX brings it
    for seeds, k in DEVIATIONS_BY_SEEDS.items():
        inside = 0.99995 if seeds >= 10 else 0.9995
        exact = stats.t.ppf(inside, seeds - 1) * math.sqrt(1 + 1 / seeds)
        assert k == pytest.approx(exact, abs=0.006)


def test_a_lesson_that_is_none_is_said_at_once(path):
    path.parent.mkdir()
    path.write_text('[01-small.smoke]\nlessons = ["loss is small"]\n')
    with pytest.raises(CourseError, match=r"the lesson 'loss is small' in .* is no comparison"):
        Bands(path)


def test_what_a_person_writes_survives(path):
    path.parent.mkdir()
    bands = Bands(path)
    # Written while the measuring went on: over several lines, with quotes and a control character.
    text = 'says "half"\nor so\t\u0007, é'
    path.write_text(f'[01-small."smoke a=b c".sources]\nloss = {json.dumps(text)}\n')
    bands.update(RUNS, COMMAND)
    assert Bands(path).of(RUNS[0])["exact"] == {"parameters": 1_234}
    table = tomllib.loads(path.read_text())["01-small"]["smoke a=b c"]
    assert table["sources"]["loss"] == text


def test_memory_and_seconds_are_compared_where_they_were_measured(path):
    def measured(seed, backend="tensorflow", device="GPU", **metrics):
        run = run_of(seed, backend=backend, **metrics)
        run.device, run.profile = device, "gpu"
        return run

    usual = {"training_seconds": 9.0, "peak_memory_mb": 500.0}
    Bands(path).update([measured(seed, **usual) for seed in range(5)], COMMAND)
    slow = {"training_seconds": 90.0, "peak_memory_mb": 5000.0}
    judged = [each.state for each in Bands(path).judge(measured(9, **slow))]
    assert judged == ["outside", "outside"]
    elsewhere = Bands(path).judge(measured(9, backend="jax", **slow))
    assert [each.state for each in elsewhere] == ["not compared", "not compared"]
    assert "measured with tensorflow on a GPU" in elsewhere[0].reason
    # A run whose memory is not known misses nothing; one without a GPU is no run of this profile.
    verdicts = Bands(path).judge(measured(9, device="CPU", training_seconds=9.0))
    assert [each.name for each in verdicts if each.failed] == ["device"]


@pytest.mark.slow
def test_the_command_measures_bands_and_compares_with_them(small_course, course_command):
    scatters = f"import course\ncourse.record(loss={[*LOSSES, 0.9]}[seed], parameters=7)"
    root = small_course(PARAMETERS, cell("code", scatters))
    arguments = ["-C", root, "run", "--seeds", "5"]
    few = course_command("-C", root, "run", "--seeds", "2", "--update-bands")
    assert few.returncode == 1
    assert few.stderr == "course: bands need at least 5 seeds: give --seeds 5 or more.\n"
    assert not (root / "build").exists(), "said before hours of running"
    first = course_command(*arguments, "--update-bands")
    assert first.returncode == 0, first.stderr
    assert "01-small  bands measured anew with 5 seeds\n    parameters: new\n" in first.stdout
    table = tomllib.loads((root / BANDS_PATH).read_text())["01-small"]["smoke"]
    assert table["measured"]["command"] == "course run --profile smoke --seeds 5 --update-bands"
    assert table["measured"]["data"].startswith("synthetic")
    again = course_command(*arguments)
    assert again.returncode == 0
    assert again.stdout.count("passed, 3 inside their bands") == 5
    other = course_command("-C", root, "run", "--seed", "5")
    assert other.returncode == 1 and "failed: 1 of 3 outside their bands" in other.stdout
    (line,) = (line for line in other.stderr.splitlines() if line.startswith("course: "))
    assert line == "course: 01-small: loss is 0.9, and must lie between 0.3509 and 0.6491."
