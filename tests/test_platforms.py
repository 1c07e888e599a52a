"""The install cell on each platform, and the choice of Keras's backend."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from course.instructor.course_dir import source_notebook
from tests.submissions import ROOT

ADDRESS = "cnn-course @ git+https://example.org/course"
VARIABLES = ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "PAPERSPACE_FQDN")
# Runs the cell without the package, and with a pip that only prints, as after a failed download.
WITHOUT_PACKAGE = """
import importlib.metadata, sys
from IPython.core.interactiveshell import InteractiveShell
class Version(tuple):
    minor = {minor}
shell = InteractiveShell.instance()
importlib.metadata.distributions = lambda **options: iter(())
shell.register_magic_function(lambda line: print("pip", line), magic_name="pip")
sys.version_info = Version((3, {minor}))
result = shell.run_cell({cell!r})
print(type(result.error_in_exec).__name__, result.error_in_exec, sep=": ")
"""


def install_cell(name="02-mnist"):
    notebook = json.loads(source_notebook(ROOT, name).read_text(encoding="utf-8"))
    cells = ("".join(cell["source"]) for cell in notebook["cells"])
    return next(cell for cell in cells if "{{INSTALL}}" in cell).replace("{{INSTALL}}", ADDRESS)


def output_of(cell, minor=11, **environment):
    """Return what the install cell prints where the package is missing."""
    unset = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE.format(minor=minor, cell=cell)],
        env={**unset, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return finished.stdout


@pytest.mark.parametrize(
    ("environment", "minor", "sentence"),
    [
        ({}, 11, f'In a terminal, run: pip install "{ADDRESS}". Then restart'),
        ({"COLAB_RELEASE_TAG": "x"}, 13, "The line above says why. Check the internet"),
        ({"PAPERSPACE_FQDN": "x"}, 11, "The line above says why. Check the internet"),
        ({"PAPERSPACE_FQDN": "x"}, 9, "This Python is older than 3.11. Choose a newer one"),
        (
            {"COLAB_RELEASE_TAG": "x", "KAGGLE_KERNEL_RUN_TYPE": "Interactive"},
            12,
            "In the settings of this notebook on Kaggle, turn on the internet.",
        ),
    ],
)
def test_a_failed_installation_has_one_sentence_that_says_what_to_do(environment, minor, sentence):
    output = output_of(install_cell(), minor, **environment)
    assert f"ModuleNotFoundError: The course package is not installed. {sentence}" in output
    assert (f'pip install -q "{ADDRESS}"' in output) == bool(environment)


def test_where_the_package_is_installed_the_cell_installs_nothing():
    cell = "get_ipython().register_magic_function(print, magic_name='pip')\n" + install_cell()
    finished = subprocess.run(
        [sys.executable, "-m", "IPython", "-c", cell],
        cwd=ROOT,
        env={**os.environ, "COLAB_RELEASE_TAG": "x"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (finished.returncode, finished.stdout.strip(), finished.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("installed", "variable", "backend"),
    [
        ({"jax"}, None, "jax"),
        ({"torch"}, None, "torch"),
        ({"jax"}, "torch", "torch"),  # chosen by the student
        ({"jax", "torch"}, None, "None"),
        ({"tensorflow", "jax"}, None, "None"),
    ],
)
def test_the_only_installed_backend_is_chosen(installed, variable, backend):
    code = f"""
import importlib.util, os
find = importlib.util.find_spec
backends = {{"tensorflow", "jax", "torch"}}
importlib.util.find_spec = lambda name: name in {installed!r} if name in backends else find(name)
from course import platforms
platforms.choose_backend()
print(os.environ.get("KERAS_BACKEND"))
"""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    if variable:
        environment["KERAS_BACKEND"] = variable
    finished = run_code(code, environment)
    assert finished.stdout.strip() == backend, finished.stderr


def test_a_machine_without_a_backend_says_what_to_install():
    code = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None
from course import platforms
platforms.load_keras()
"""
    (*_, last) = run_code(code, os.environ).stderr.splitlines()
    assert "Keras needs TensorFlow, JAX, or PyTorch" in last and "pip install tensorflow" in last


def run_code(code, environment):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_what_was_hidden_is_shown_if_importing_keras_fails(tmp_path):
    (tmp_path / "keras.py").write_text("import os; os.write(2, b'a log line'); import missing_part")
    (tmp_path / "jax.py").touch()
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    finished = run_code("from course import platforms; platforms.load_keras()", environment)
    assert finished.stderr.startswith("a log line")
    assert "No module named 'missing_part'" in finished.stderr


@pytest.mark.slow
def test_the_cells_that_import_keras_print_nothing_red():
    code = [install_cell(), "import keras\nkeras.ops.ones(3)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in code])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
