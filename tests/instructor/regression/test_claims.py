import tomllib

import pytest

from course.errors import CourseError
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.checked_run import CheckedRun, judge_seeds_together
from course.instructor.regression.claims import holds, mean_metrics, seeds_needed
from course.instructor.regression.run_records import NotebookRun
from tests.submissions import ROOT

METRICS = {"cnn": 0.6, "mlp": 0.4, "gap": -0.1, "each": [0.1, 0.5, 0.3]}


@pytest.mark.parametrize(
    ("claim", "true"),
    [
        ("cnn > mlp", True),
        ("mlp > cnn", False),
        ("cnn > mlp > gap", True),
        ("cnn > gap > mlp", False),
        ("cnn - mlp >= 0.1", True),
        ("cnn < mlp + 0.1", False),
        ("each[1] > each[2] > each[0]", True),
        ("each[0] - 0.1 <= 0", True),
        ("mean(each) < 0.31", True),
        ("2 * mlp > cnn", True),
        ("gap < 0", True),
    ],
)
def test_a_claim_compares_metrics(claim, true):
    assert holds(claim, METRICS) is true


@pytest.mark.parametrize(
    "claim",
    ["cnn", "cnn >", "cnn == mlp", "open('x') > 1", "__import__('os') < 1", "cnn.real > 0",
     "each[cnn] > 0", "'a' > 'b'", "max(each) > 0", "cnn > (mlp := 1)"],
)  # fmt: skip
def test_an_invalid_claim_is_refused(claim):
    with pytest.raises(CourseError, match="is not a comparison of metrics"):
        holds(claim, METRICS)


@pytest.mark.parametrize("claim", ["gone > 1", "each[3] > 1"])
def test_a_missing_metric_is_an_error(claim):
    with pytest.raises((KeyError, IndexError)):
        holds(claim, METRICS)


BANDS = {
    "cnn": {"mean": 0.60, "std": 0.03, "plus_minus": 0.3},
    "mlp": {"mean": 0.50, "std": 0.04, "plus_minus": 0.3},
    "each": {"mean": [0.1, 0.5], "std": [0.02, 0.0], "plus_minus": [0.1, 0.1]},
    "layers": 12,
    "unmeasured": {"low": 0.1, "high": 0.2},
}


@pytest.mark.parametrize(
    ("claim", "seeds"),
    [
        ("cnn > 0.5", 1),  # 0.1 is more than three deviations of 0.03
        ("cnn > mlp", 3),  # 0.1 is two deviations of 0.05, so three seeds give 3.5 standard errors
        ("mlp < cnn", 3),
        ("0.5 < cnn < 0.61", 81),  # one of two comparisons is close
        ("2 * cnn > 1.1", 4),  # 0.1 with a deviation of 0.06
        ("mean(each) > 0.29", 9),  # 0.01 with a deviation of 0.02 / 2
        ("each[0] < 0.12", 9),
        ("layers > 11", 1),
        ("cnn > 0.7", 1),  # it was wrong when the bands were measured, and each run should say so
        ("unmeasured > 0.1", 1),
        ("gone > 0.1", 1),
    ],
)
def test_a_claim_needs_the_more_seeds_the_smaller_its_margin(claim, seeds):
    assert seeds_needed(claim, BANDS) == seeds
    if claim.startswith(("gone", "unmeasured")):
        assert seeds_needed(claim, BANDS, unmeasured=5) == 5


def test_the_mean_of_metrics_leaves_out_what_is_not_a_number():
    first = {"loss": 1.0, "each": [1.0, 2.0], "longer": [1.0], "failed": None}
    second = {"loss": 2.0, "each": [3.0, 6.0], "longer": [1.0, 2.0], "failed": 1.0}
    assert mean_metrics([first, second]) == {"loss": 1.5, "each": [2.0, 4.0]}


def run_of(seed, profile="cpu", **metrics):
    return NotebookRun("01-small", profile, "tensorflow", seed, metrics=metrics)


@pytest.fixture
def bands(tmp_path):
    path = tmp_path / "bands.toml"
    lines = ["[01-small.{0}]", 'claims = ["cnn > mlp", "cnn > 0.45"]', "[01-small.{0}.bands]"]
    lines += ["cnn = {{mean = 0.6, std = 0.03, plus_minus = 0.3}}"]
    lines += ["mlp = {{mean = 0.5, std = 0.04, plus_minus = 0.3}}"]
    path.write_text("\n".join(lines).format("cpu") + "\n" + "\n".join(lines).format("smoke"))
    return Bands(path)


def states(verdicts):
    return {each.name: each.state for each in verdicts if each.about == "claim"}


def test_a_claim_with_a_small_margin_is_not_judged_on_one_run(bands):
    (verdict, other) = bands.judge_claims([run_of(0, cnn=0.5, mlp=0.55)])
    assert (verdict.state, verdict.reason) == (
        "not compared",
        "it is judged on the mean of 3 seeds",
    )
    assert other.state == "inside"
    (verdict, _) = bands.judge_claims([run_of(0, "smoke", cnn=0.5, mlp=0.55)])
    assert verdict.state == "outside", "a smoke run is the same computation every time"


def test_several_seeds_are_judged_together(bands):
    def judged(*pairs):
        runs = [run_of(seed, cnn=cnn, mlp=mlp) for seed, (cnn, mlp) in enumerate(pairs)]
        return judge_seeds_together([CheckedRun(run, bands.judge(run)) for run in runs], bands)

    first, *others = judged((0.5, 0.55), (0.6, 0.5), (0.6, 0.5))
    assert states(first.verdicts) == {"cnn > mlp": "inside", "cnn > 0.45": "inside"}
    assert not any(states(each.verdicts) for each in others)
    assert all(not each.failed for each in (first, *others))
    first, *_ = judged((0.5, 0.55), (0.5, 0.55), (0.6, 0.55))
    assert first.problems == ["the claim cnn > mlp does not hold on average over 3 seeds."]
    first, _ = judged((0.5, 0.55), (0.5, 0.55))
    assert states(first.verdicts)["cnn > mlp"] == "not compared"


def test_five_seeds_are_enough_for_every_claim_of_the_course():
    tables = tomllib.loads((ROOT / BANDS_PATH).read_text(encoding="utf-8"))
    needed = {
        (name, claim): seeds_needed(claim, each.get("exact", {}) | each.get("bands", {}))
        for name, settings in tables.items()
        for setting, each in settings.items()
        for claim in each.get("claims", [])
        if setting != "smoke"
    }
    assert {key: seeds for key, seeds in needed.items() if seeds > 5} == {}
    assert max(needed.values()) > 1
