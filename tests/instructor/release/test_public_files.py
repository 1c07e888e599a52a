"""The public tree of this course, published once."""

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from course import __version__
from course.instructor.release.public_address import PublicAddress
from course.instructor.release.student_package import PACKAGE
from tests.conftest import run_command
from tests.instructor.release.secret_search import instructor_modules, search, secrets
from tests.submissions import ROOT

SECRETS = secrets(ROOT)
MODULES = instructor_modules(ROOT)
ADDRESS = PublicAddress.of_course(ROOT)
# Single-line formulas that the practice questions and figures need and that the assignments ask for
# as well. They are not secret; see "Questions and quizzes" in docs/instructors/write.md.
FORMULAS = {
    ("course/questions/bank.py", "return (size - kernel_size + 2 * padding) // stride + 1"),
    ("course/questions/parameters.py", "inputs = side * side * channels"),
    ("course/receptive_field.py", "step *= stride"),
    ("course/receptive_field.py", "height, width = images.shape[1:3]"),
    ("course/receptive_field.py", "return field"),  # the beginning of another line
}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory, course_command):
    """Publish this course, with or without a public address."""
    directory = tmp_path_factory.mktemp("public") / "tree"
    done = course_command("publish", directory, "--without-address")
    assert done.returncode == 0, done.stderr
    is_unset = "Badges and install cells do not work" in done.stdout
    assert is_unset == (not ADDRESS.is_set)
    return directory


def secrets_in(tree):
    """Return what the search finds except the formulas."""
    formulas = {(path, line) for path, line in FORMULAS}
    return [
        (path, what)
        for path, what in search(tree, SECRETS, MODULES)
        if (path, what.partition(": ")[2]) not in formulas
    ]


def test_there_are_secrets_to_search_for():
    kinds = {kind.partition(" of ")[::2] for kind in SECRETS.values()}
    names = {path.parent.name for path in ROOT.glob("source/*/*.ipynb")}
    assert kinds == {(k, n) for k in ("solution", "hidden test", "mark scheme") for n in names}
    assert {
        "course.instructor.cli.main",
        "course.instructor.grading.quiz_marks",
        "course.instructor.sandbox",
    } <= MODULES


def test_no_solution_hidden_test_or_instructor_code_is_published(tree):
    assert secrets_in(tree) == []
    tops = {path.name for path in tree.iterdir()}
    assert tops == {"release", "course", "docs", "binder", "LICENSE", "README.md", "pyproject.toml"} | {
        "requirements.txt", "environment.yml", ".gitignore", ".published"
    }  # fmt: skip
    assert [path.name for path in (tree / "docs").iterdir()] == ["students.md"]


def first_secret(kind):
    return next(line for line, what in SECRETS.items() if what.startswith(kind) and '"' in line)


@pytest.mark.parametrize("kind", ["solution", "hidden test", "mark scheme"])
@pytest.mark.parametrize("path", ["course/checks.py", "README.md", "release/02-mnist/mnist.ipynb"])
def test_the_search_finds_a_planted_line(tree, tmp_path, kind, path):
    planted = shutil.copytree(tree, tmp_path / "planted")
    line = first_secret(kind)
    if path.endswith(".ipynb"):
        notebook = json.loads((planted / path).read_text())
        notebook["cells"][7]["source"].append(f"\n    {line}")
        (planted / path).write_text(json.dumps(notebook))
    else:
        (planted / path).write_text((planted / path).read_text() + f"\n    {line}\n")
    assert secrets_in(planted) == [(path, f"{SECRETS[line]}: {line}")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("### BEGIN SOLUTION", "BEGIN SOLUTION"),
        ("=== END MARK SCHEME ===", "END MARK SCHEME"),
        ("import course.instructor.regression.bands", "names course.instructor.regression.bands"),
        (
            "see course/instructor/sandbox/forkserver.py",
            "names course.instructor.sandbox.forkserver",
        ),
    ],
)
def test_the_search_finds_markers_and_names_of_modules(tree, tmp_path, text, what):
    planted = shutil.copytree(tree, tmp_path / "planted")
    (planted / "docs" / "notes.md").write_text(f"- {text}\n")
    assert secrets_in(planted) == [("docs/notes.md", what)]


def test_the_search_finds_an_instructor_module(tree, tmp_path):
    planted = shutil.copytree(tree, tmp_path / "planted")
    doctor = Path("course", "instructor", "doctor")
    shutil.copytree(ROOT / doctor, planted / doctor)
    found = {path for path, what in secrets_in(planted) if what == "is an instructor module"}
    assert found == {f"{doctor}/{path.name}" for path in (ROOT / doctor).glob("*.py")}


def test_the_student_package_and_the_releases_are_published_byte_for_byte(tree):
    ours = {f"release/{path.relative_to(ROOT / 'release')}" for path in ROOT.glob("release/*/*")}
    kinds = ("*.csv", "*.py", "*.png", "*.toml")
    modules = [path.relative_to(ROOT) for kind in kinds for path in PACKAGE.rglob(kind)]
    ours |= {str(path) for path in modules if path.parts[1] != "instructor"}
    published = {
        str(path.relative_to(tree))
        for folder in ("course", "release")
        for path in (tree / folder).rglob("*")
        if path.is_file()
    }
    assert published == ours
    assert [path for path in ours if (tree / path).read_bytes() != (ROOT / path).read_bytes()] == []


FIRST_CELLS = """
import ast, importlib.util, json, sys
from pathlib import Path
from IPython.core.inputtransformer2 import TransformerManager

for path in sorted(Path(sys.argv[1]).glob("release/*/*.ipynb")):
    names, set_up = {}, False
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        code = TransformerManager().transform_cell("".join(cell["source"]))
        if not set_up:
            exec(code, names)
            set_up = cell["id"] == "setup"
        for node in ast.walk(ast.parse(code)):  # the imports of later cells
            if isinstance(node, ast.Import | ast.ImportFrom) and "course" in ast.unparse(node):
                exec(ast.unparse(node), names)
    print(path.parent.name, names["course"].__file__)
print(importlib.util.find_spec("course.instructor"))
"""


def test_each_notebook_runs_with_the_published_package_alone(tree, tmp_path):
    done = run_command(
        sys.executable, "-c", FIRST_CELLS, tree,
        cwd=tmp_path, PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1", COURSE_PROFILE="smoke",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    used = re.findall(r"^(\d\d-\S+) (\S+)$", done.stdout, re.MULTILINE)
    names = sorted(path.name for path in (ROOT / "release").iterdir())
    assert used == [(name, str(tree / "course" / "__init__.py")) for name in names]
    assert done.stdout.splitlines()[-1] == "None", "an instructor module was published"
    assert done.stdout.count("profile  smoke") == len(names)


def test_pyproject_contains_the_student_package_only(tree):
    text = (tree / "pyproject.toml").read_text()
    public = tomllib.loads(text)
    ours = {
        key: value for key, value in PYPROJECT["project"].items() if key != "optional-dependencies"
    }
    entry_points = {"scripts", "entry-points"}
    assert public["project"] == {k: v for k, v in ours.items() if k not in entry_points}
    assert public["build-system"] == PYPROJECT["build-system"]
    assert public["tool"] == {"hatch": PYPROJECT["tool"]["hatch"]}
    for dependency in public["project"]["dependencies"]:
        assert re.search(rf'"{re.escape(dependency)}",? +# \S+ \S+', text), dependency
    assert "constraints.txt" not in text, "constraints.txt is not published"
    assert f'__version__ = "{__version__}"' in (tree / "course" / "__init__.py").read_text()


def test_the_students_requirements_are_the_ones_of_pyproject(tree):
    lines = (tree / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted[0] == "."
    extras = [
        line for extra in PYPROJECT["project"]["optional-dependencies"].values() for line in extra
    ]
    assert set(wanted[1:]) <= set(extras)
    names = [Requirement(line).name for line in wanted[1:]]
    assert names == ["tensorflow-cpu", "tensorflow", "jupyterlab"]
    systems = ["linux x86_64", "linux aarch64", "darwin arm64", "win32 AMD64"]
    for system, machine in map(str.split, systems):
        here = {"sys_platform": system, "platform_machine": machine}
        needed = [Requirement(line) for line in wanted[1:]]
        taken = [each.name for each in needed if not each.marker or each.marker.evaluate(here)]
        assert len(taken) == 2, f"one TensorFlow and JupyterLab on {system} {machine}: {taken}"
    for number, line in enumerate(lines):
        if line in wanted:
            previous = lines[number - 1]
            assert previous.startswith("# ") or previous in wanted, f"{line} has no reason"


def test_the_conda_environment_has_the_same_requirements(tree):
    text = (tree / "environment.yml").read_text()
    environment = yaml.safe_load(text)
    assert environment["name"] == PYPROJECT["project"]["name"]
    python, pip, from_pip = environment["dependencies"]
    assert pip == "pip" and from_pip == {"pip": ["-r requirements.txt"]}
    asked = SpecifierSet(python.removeprefix("python"))
    assert asked == SpecifierSet(PYPROJECT["project"]["requires-python"])
    for line in text.splitlines():
        if line.lstrip().startswith("- ") and line.strip() not in ("- pip:", "- conda-forge"):
            assert "   # " in line, f"{line.strip()} has no reason beside it"


def test_binder_installs_the_same_requirements_with_a_supported_python(tree):
    runtime = (tree / "binder" / "runtime.txt").read_text()
    version = re.fullmatch(r"python-(3\.\d+)\n", runtime)[1]  # the form that Binder reads
    assert version in SpecifierSet(PYPROJECT["project"]["requires-python"])
    *_, line = (tree / "binder" / "requirements.txt").read_text().splitlines()
    assert (tree / "binder" / line.removeprefix("-r ")).samefile(tree / "requirements.txt")


def test_every_link_of_the_readme_and_the_guide_has_a_target(tree):
    readme = (tree / "README.md").read_text()
    assert f"This is version {__version__}." in readme and "$" not in readme
    for page in ("README.md", "docs/students.md"):
        text = (tree / page).read_text()
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            assert ((tree / page).parent / link).resolve().is_relative_to(tree), link
            assert ((tree / page).parent / link).exists(), link
    for notebook in tree.glob("release/*/*.ipynb"):
        path = notebook.relative_to(tree)
        assert f"]({path})" in readme
        assert (f"/{path})" in readme) == ADDRESS.is_set, "badges without an address are omitted"
    for command in ("python -m pip install -r requirements.txt", "jupyter lab"):
        for page in ("README.md", "docs/students.md"):
            assert f"\n    {command}\n" in (tree / page).read_text(), page
