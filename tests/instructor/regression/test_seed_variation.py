import json
import statistics

from course.instructor.regression.run_records import NotebookRun
from course.instructor.regression.seed_variation import variation_lines
from tests.conftest import cell
from tests.instructor.regression import PARAMETERS

# A measurement that varies, a list, and a count, which does not vary.
RECORD = """import course
course.record(accuracy=[0.5, 0.1, 0.3][seed - 4], both=[seed, 2 * seed], parameters=1_234)"""


def runs(*metrics):
    found = []
    for seed, each in enumerate(metrics):
        found.append(NotebookRun("01-small", "smoke", "tensorflow", seed, metrics=each))
    return found


def test_several_seeds_give_means_and_standard_deviations(small_course, course_command):
    root = small_course(PARAMETERS, cell("code", RECORD))
    finished = course_command("-C", root, "run", "01-small", "--seed", "4", "--seeds", "3")
    assert finished.returncode == 0, finished.stderr
    _, table = finished.stdout.split("01-small  smoke, 3 seeds, mean ± standard deviation\n")
    lines = [line.strip() for line in table.splitlines()][:3]
    assert lines == ["accuracy = 0.3 ± 0.2", "both = 5 ± 1, 10 ± 2", "parameters = 1,234"]
    assert statistics.stdev([0.5, 0.1, 0.3]) == 0.2
    saved = root / "build" / "runs" / "01-small"
    folders = [f"smoke-seed{seed}-tensorflow" for seed in (4, 5, 6)]
    assert sorted(path.name for path in saved.iterdir()) == folders
    first = json.loads((saved / folders[0] / "metrics.json").read_text())
    assert first["seed"] == 4 and first["metrics"]["accuracy"] == 0.5


def test_a_seed_that_fails_is_named_and_the_others_run(small_course, course_command):
    root = small_course(PARAMETERS, cell("code", f"assert seed != 5, 'five'\n{RECORD}"))
    finished = course_command("-C", root, "run", "--seed", "4", "--seeds", "3")
    assert finished.returncode == 1
    assert finished.stderr.count("failed: AssertionError: five") == 1
    assert finished.stdout.count(" s  passed") == 2 and "2 of 3 passed" in finished.stdout
    assert "course: 01-small, seed 5: cell " in finished.stderr
    assert "accuracy: not a number with every seed" in finished.stdout


def test_one_seed_has_no_standard_deviation(small_course, course_command):
    root = small_course(PARAMETERS, cell("code", RECORD))
    finished = course_command("-C", root, "run", "--seed", "4")
    assert "±" not in finished.stdout


def test_no_seeds_are_refused(course_command):
    finished = course_command("run", "02-mnist", "--seeds", "0")
    assert finished.returncode == 2 and "0 is not in the range x>=1" in finished.stderr


def test_a_metric_without_a_mean_is_reported():
    found = variation_lines(
        runs({"a": [1, 2], "b": None, "c": 1.5}, {"a": [1], "b": 0.1, "c": 2.5})
    )
    assert found == [
        "a: the number of values differs between seeds",
        "b: not a number with every seed",
        "c = 2 ± 0.71",
    ]
