import base64
import re
from xml.etree import ElementTree

import pytest

from course.instructor.gradebook.submission_results import SubmissionResult
from course.instructor.regression import report
from course.instructor.regression.bands import Bands
from course.instructor.regression.checked_run import CheckedRun
from course.instructor.regression.junit import write_junit
from course.instructor.regression.report_history import KEPT, ReportHistory
from course.instructor.regression.verdicts import judge_claim, judge_metric
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
    assert "The run passed." in page and "What failed" not in page
    assert "1,199,882" in page and "a half, says the source" in page
    assert "with 5 seeds on tensorflow" in page
    assert (
        'aria-label="1 values, band' in page and "accuracy by epoch" in page and "the CNN" in page
    )
    assert f"base64,{PNG}" in page and "<figcaption>A figure</figcaption>" in page
    (link,) = set(re.findall(r'href="(notebooks/[^"]+)"', page))
    executed = (tmp_path / "report" / link).read_text()
    assert "an output that needs a running notebook" in executed and "<script" not in executed
    assert "<h2 id=" in executed, "Markdown is rendered"
    (link,) = re.findall(r'href="([^"]+)">.ipynb</a>', page)
    assert (tmp_path / "report" / link).resolve() == notebook
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


def at(minute, run):
    """Return a run that finished at a minute of an hour."""
    run.finished = f"2026-11-27T12:{minute:02}:00"
    return run


def test_a_run_is_compared_with_the_last_that_passed(tmp_path, bands):
    history = ReportHistory(tmp_path / "history.json")

    def compared(minute, **metrics):
        run = at(minute, run_of(9, kinds=KINDS, **metrics))
        history.add([checked(run, bands)])
        return history.compare(checked(run, bands))

    first = compared(0, loss=0.51, parameters=1_199_882, old=1, seconds=1.0)
    assert (first.date, first.changes) == ("", []), "there is nothing to compare with"
    failed = compared(1, loss=0.9, parameters=1_199_883, new=0.25, seconds=9.0)
    assert (failed.date, failed.passed) == ("2026-11-27 12:00", True)
    assert [(each.name, each.before, each.now, each.fails) for each in failed.changes] == [
        ("loss", "0.51", "0.9", True),
        ("parameters", "1,199,882", "1,199,883", True),
        ("old", "1", "–", False),
        ("new", "–", "0.25", False),
    ]
    assert failed.changes[0].size == pytest.approx(0.39 / 0.51)
    still = compared(2, loss=0.95, parameters=1_199_882)
    assert still.date == "2026-11-27 12:00", "not with the run that failed"
    again = compared(3, loss=0.51, parameters=1_199_882, old=1, seconds=5.0)
    assert again.passes_again and not again.changes
    run = run_of(9, loss=0.51, parameters=1_199_882)
    assert history.values(run, "loss") == [0.51, 0.9, 0.95, 0.51]
    assert [passed for _, passed in history.passed(run)] == [True, False, False, True]


def test_without_a_run_that_passed_the_last_one_is_compared(tmp_path, bands):
    history = ReportHistory(tmp_path / "history.json")
    for minute, loss in enumerate((0.9, 0.95)):
        each = checked(at(minute, run_of(9, loss=loss, parameters=1_199_882)), bands)
        history.add([each])
    found = history.compare(each)
    assert (found.date, found.passed) == ("2026-11-27 12:00", False)
    assert [change.name for change in found.changes] == ["loss"]


def test_a_report_of_the_same_runs_adds_nothing_to_the_history(tmp_path, bands):
    path = tmp_path / "history.json"
    each = checked(at(0, run_of(9, loss=0.51, parameters=1_199_882)), bands)
    for _ in range(2):
        history = ReportHistory(path)
        history.add([each])
    assert len(history.passed(each.run)) == 1
    for minute in range(1, KEPT + 5):
        history.add([checked(at(minute, run_of(9, loss=0.5, parameters=1_199_882)), bands)])
    assert len(ReportHistory(path).passed(each.run)) == KEPT, "only the last states are kept"
    path.write_text("{")
    damaged = ReportHistory(path)
    damaged.add([each])
    assert damaged.compare(each).date == ""


def test_what_failed_and_what_changed_comes_before_the_details(tmp_path, bands):
    for minute, loss in enumerate((0.51, 0.52, 0.53)):
        runs = [checked(at(minute, run_of(8, loss=loss, parameters=1_199_882)), bands)]
        page = page_of(tmp_path, [], runs)
    assert "0.53" in page.partition("What changed in runs that passed")[2].partition("All runs")[0]
    assert "the last 3 values, from 0.51 to 0.53" in page
    table = bands.of(runs[0].run)
    options = {"measured": table["measured"], "sources": table["sources"]}
    claim = CheckedRun(
        at(4, run_of(8, loss=0.9, parameters=1_199_882)),
        [
            judge_claim("loss < 0.5", {"loss": 0.9}),
            judge_claim("losses[1] < losses[0]", {"losses": [0.9, 0.8]}),
            *judge_metric("loss", run_of(loss=0.9), 0.5),
        ],
        **options,
    )
    page = page_of(tmp_path, [], [claim])
    failed = page.partition("What failed")[2].partition("All runs")[0]
    assert (
        "the claim loss &lt; 0.5 does not hold" in failed
        and "either its code or its text is wrong" in failed
    )
    assert "The source documents say: a half, says the source." in failed
    assert "0.53" in failed and "the last that passed" in failed
    assert page.index("What failed") < page.index("All runs") < page.index("Details")
    assert "<details open>" in page
