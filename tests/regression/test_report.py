from course.grading.grades import Grade
from course.regression import report
from course.regression.runs import NotebookRun
from tests.conftest import cell, write_notebook


def test_the_report_holds_scores_metrics_errors_and_pictures(tmp_path):
    pixel = "iVBORw0KGgo="  # the report passes pictures on as they are
    drawn = cell("code", "figure")
    drawn["outputs"] = [
        {"output_type": "display_data", "data": {"image/png": pixel}, "metadata": {}}
    ]
    notebook = write_notebook(tmp_path / "run.ipynb", [cell("markdown", "## A picture"), drawn])
    passed = NotebookRun(
        "02-mnist", "smoke", "tensorflow", 0, 12.3, None, {"parameters": 1199882}, str(notebook)
    )
    failed = NotebookRun("02-mnist", "cpu", "jax", 1, 4.5, "cell <b>x</b> failed", {}, "gone.ipynb")
    grade = Grade("02-mnist", "<script>ada", 17.0, 20.0, by_hand=True)
    page = report.write(tmp_path / "report" / "index.html", [grade], [passed, failed]).read_text()
    assert "1,199,882" in page and f"base64,{pixel}" in page and "A picture" in page
    assert "to do" in page and ">17<" in page and ">20<" in page
    assert "cell &lt;b&gt;x&lt;/b&gt; failed" in page and "<b>x</b>" not in page
    assert "<script>" not in page


def test_an_empty_report_says_how_to_fill_it(tmp_path):
    page = report.write(tmp_path / "index.html", [], []).read_text()
    assert "course grade" in page and "course run" in page
