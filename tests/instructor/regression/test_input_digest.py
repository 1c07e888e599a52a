import json
import shutil

import pytest

from course.instructor.regression import input_digest
from course.instructor.regression.checked_run import load_checked_runs
from course.instructor.regression.plan import Plan
from course.instructor.regression.run_store import save
from tests.conftest import cell
from tests.instructor.regression import PARAMETERS
from tests.submissions import ROOT

IMPORTS = """%pip install -q nothing
import course
from course import checks
from course.datasets.cifar10 import load_cifar10
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a copy of the package, which the digests of the test are about."""
    folder = tmp_path / "copy" / "course"
    shutil.copytree(ROOT / "course", folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(input_digest, "PACKAGE", folder)
    input_digest._code_digest.cache_clear()
    yield folder
    input_digest._code_digest.cache_clear()


def edit(path):
    """Change the docstring of a module."""
    path.write_text(path.read_text(encoding="utf-8").replace('"""', '"""Edited. ', 1), "utf-8")
    input_digest._code_digest.cache_clear()


def names(package, *cells):
    return {str(path.relative_to(package)) for path in input_digest.imported_files(cells)}


def test_imports_are_followed_through_modules_and_functions(package):
    found = names(package, IMPORTS)
    direct = {"__init__.py", "checks.py", "datasets/__init__.py", "datasets/cifar10.py"}
    through_modules = {"recorded_metrics.py", "session.py", "errors.py"}
    through_modules |= {"datasets/synthetic/__init__.py"}
    assert direct | through_modules <= found
    assert not [name for name in found if name.startswith(("plotting", "instructor", "questions"))]


def test_every_form_of_import_counts(package):
    assert "plotting/charts.py" in names(package, "import course.plotting.charts as charts")
    assert "plotting/charts.py" in names(package, "from course.plotting import charts")
    assert "transfer.py" in names(package, "def later():\n    from course import transfer")
    assert "transfer.py" in names(package, "%%time\nfrom course import transfer")
    assert names(package, "import numpy", "this is not Python", "coursework = 1") == set()


@pytest.mark.parametrize("path", sorted(ROOT.glob("source/*/*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_depends_on_the_instructors_side_only_for_quiz_marks(package, path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = names(package, *("".join(each["source"]) for each in cells if "outputs" in each))
    assert "session.py" in found
    modules = {name for name in found if name.startswith("instructor/") and "__" not in name}
    assert modules <= {"instructor/grading/quiz_marks.py"}


@pytest.mark.parametrize(
    ("module", "is_valid"),
    [
        ("plotting/charts.py", True),
        ("instructor/grading/job.py", True),
        ("instructor/sandbox/forkserver.py", True),
        ("checks.py", False),
        ("datasets/cifar10.py", False),
        ("session.py", False),  # through `import course`
    ],
)
def test_a_saved_run_is_valid_until_code_that_it_imports_changes(
    package, small_course, module, is_valid
):
    root = small_course(PARAMETERS, cell("code", IMPORTS))
    source = root / "source" / "01-small" / "small.ipynb"

    def plan():
        return Plan(root / "build" / "runs", {"01-small": source}, "smoke", [0], {})

    _, (job,) = plan().prepare()
    save(job.run, source.read_text())
    assert plan().prepare() == ([job.run], []) and len(load_checked_runs(root)) == 1
    edit(package / module)
    assert len(load_checked_runs(root)) == is_valid
    assert len(plan().prepare()[1]) == (not is_valid)
