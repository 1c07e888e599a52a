import base64
import json
from xml.etree import ElementTree

import pytest

from course.instructor.gradebook.submission_results import SubmissionResult
from course.instructor.regression import report
from course.instructor.regression.bands import Bands
from course.instructor.regression.junit import write_junit
from course.instructor.regression.report_changes import changes_since_last_report
from course.recorded_metrics import SECONDS
from tests.conftest import cell, write_notebook
from tests.instructor.regression import checked, run_of

KINDS = {"seconds": SECONDS}
SCRIPT = "<script>alert(1)</script>"
PNG = base64.b64encode(b"never decoded").decode()


@pytest.fixture
def bands(tmp_path):
    path = tmp_path / "bands.toml"
    path.write_text('[01-small.smoke.sources]\nloss = "a half, says the source"\n')
    runs = [run_of(seed, loss=0.5 + seed / 100, parameters=1_199_882) for seed in range(5)]
    Bands(path).update(runs, "course run --seeds 5 --update-bands")
    return Bands(path)


@pytest.fixture
def notebook(tmp_path):
    figure = cell("code", "figure")
    figure["outputs"] = [
        {"output_type": "display_data", "data": {"image/png": PNG}, "metadata": {}},
        {"output_type": "display_data", "data": {"text/html": SCRIPT}, "metadata": {}},
    ]
    return write_notebook(
        tmp_path / "run.ipynb", [cell("markdown", "## A section\n\n### A figure"), figure]
    )


def page_of(tmp_path, scores, runs):
    return report.write(tmp_path / "report", scores, runs).read_text()


def test_the_report_shows_scores_metrics_bands_and_figures(tmp_path, bands, notebook):
    passed = run_of(9, loss=0.52, parameters=1_199_882)
    passed.notebook = str(notebook)
    passed.curves = {
        "the CNN": {"loss": [2.0, 1.0], "accuracy": [0.4, 0.5], "val_accuracy": [0.4, 0.45]}
    }
    table = bands.of(passed)
    each = checked(passed, bands, measured=table["measured"], sources=table["sources"])
    grade = SubmissionResult("02-mnist", "<script>ada", 17.0, 20.0, needs_manual_grading=True)
    page = page_of(tmp_path, [grade], [each])
    assert "All 1 runs passed." in page
    assert "1,199,882" in page and "a half, says the source" in page
    assert "with 5 seeds on tensorflow" in page
    assert (
        'aria-label="1 values, band' in page and "accuracy by epoch" in page and "the CNN" in page
    )
    assert f"base64,{PNG}" in page and "<figcaption>A figure</figcaption>" in page
    assert "an output that needs a running notebook" in page
    assert "<h2 id=" in page.partition("The executed notebook")[2], "Markdown is rendered"
    assert "pending" in page and ">17<" in page and ">20<" in page
    assert "&lt;script&gt;ada" in page and "<script" not in page, "nothing in it runs"
    own = page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert "http" not in own, "it needs no network"


def test_each_failure_is_shown_with_its_reason(tmp_path, bands):
    outside = checked(run_of(9, loss=0.9, parameters=1_199_882), bands)
    dead = checked(run_of(1, error="cell <b>x</b> failed"))
    page = page_of(tmp_path, [], [outside, dead])
    assert "2 of 2 runs failed." in page
    assert "loss is 0.9, but must be between" in page
    assert "cell &lt;b&gt;x&lt;/b&gt; failed" in page and "<b>x</b>" not in page


def test_differences_between_backends_are_shown_side_by_side(tmp_path, bands):
    runs = [
        checked(run_of(9, loss=0.51, parameters=1_199_882), bands),
        checked(run_of(9, backend="jax", loss=0.53, parameters=1_199_882), bands),
    ]
    page = page_of(tmp_path, [], runs)
    table = page.partition("Differences between backends")[2].partition("</table>")[0]
    assert "0.51" in table and "0.53" in table and "jax" in table
    assert "parameters" not in table, "equal values are not a difference"


def test_an_empty_report_names_the_commands_that_fill_it(tmp_path):
    page = page_of(tmp_path, [], [])
    assert "course grade" in page and "course run" in page


def test_junit_has_one_suite_per_run_and_one_case_per_metric(tmp_path, bands):
    runs = [
        checked(run_of(9, loss=0.9, parameters=1_199_882, more=0.5), bands),
        checked(run_of(1, error="cell x failed: ValueError: <so>")),
    ]
    write_junit(tmp_path / "junit.xml", runs)
    outside, dead = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert outside.get("name") == "01-small smoke seed 9 tensorflow"
    assert (outside.get("tests"), outside.get("failures"), outside.get("skipped")) == (
        "4",
        "1",
        "1",
    )
    failures = {case.get("name"): case.find("failure") for case in outside}
    assert [name for name, failure in failures.items() if failure is not None] == ["loss"]
    assert "must be between" in failures["loss"].get("message")
    assert dead.get("failures") == "1"
    assert dead.find("testcase/failure").get("message") == "cell x failed: ValueError: <so>"


def test_the_changes_since_the_last_report_are_listed(tmp_path, bands):
    path = tmp_path / "last.json"
    first = [
        checked(run_of(9, kinds=KINDS, loss=0.51, parameters=1_199_882, old=1, seconds=1.0), bands)
    ]
    assert changes_since_last_report(path, first) is None
    assert changes_since_last_report(path, first) is None, "a repeated report is still the first"
    second = [
        checked(
            run_of(9, kinds=KINDS, loss=0.9, parameters=1_199_883, new=0.25, seconds=9.0), bands
        ),
        checked(run_of(8, loss=0.5, parameters=1_199_882), bands),
    ]
    lines = changes_since_last_report(path, second)
    start = "01-small, smoke, seed 9, tensorflow: "
    assert lines[0] == "01-small, smoke, seed 8, tensorflow: was not run before"
    assert [line.removeprefix(start) for line in lines[1:]] == [
        "fails now: loss is 0.9, but must be between 0.3709 and 0.6691.",
        "fails now: parameters is 1,199,883, but must be 1,199,882.",
        "loss was 0.51, is 0.9",
        "parameters was 1,199,882, is 1,199,883",
        "old is no longer recorded",
        "new = 0.25 is new",
    ]
    assert changes_since_last_report(path, second) == lines, "a repeated report is the same"
    again = changes_since_last_report(path, first)
    assert start + "passes again" in again
    assert "01-small, smoke, seed 8, tensorflow: was run before, but not now" in again
    path.write_text("{")
    assert changes_since_last_report(path, first) is None
    assert json.loads(path.read_text())["before"] is None
