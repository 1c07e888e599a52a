import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from course.instructor.regression.bands import BANDS_PATH
from course.recorded_metrics import MIME_TYPE
from tests.conftest import cell
from tests.instructor.regression import PARAMETERS
from tests.submissions import ROOT


def executed(folder):
    (notebook,) = folder.glob("*.ipynb")
    return json.loads(notebook.read_text())


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory, course_command):
    """Run the smoke regression with a new seed; return the finished command and the runs folder."""
    root = copy_of_course(tmp_path_factory.mktemp("course"))
    finished = course_command("run", "--profile", "smoke", "--seed", "77", cwd=root)
    return finished, root / "build" / "runs"


def copy_of_course(root):
    """Make a course directory with the real notebooks and bands, and return it."""
    for name in ("nbgrader_config.py", "source"):
        (root / name).symlink_to(ROOT / name)
    (root / "tests").mkdir()
    (root / BANDS_PATH).symlink_to(ROOT / BANDS_PATH)
    return root


def folder_of(runs):
    return runs / "02-mnist" / "smoke-seed77-tensorflow"


@pytest.mark.slow
def test_the_smoke_regression_passes(smoke_run):
    finished, runs = smoke_run
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stderr == "", "a log contains neither a progress bar nor messages of TensorFlow"
    names = sorted(path.parent.name for path in ROOT.glob("source/*/*.ipynb"))
    lines = finished.stdout.splitlines()
    assert f"{len(names)} of {len(names)} passed in " in lines[-2]
    for name in names:
        (line,) = (line for line in lines if line.startswith(name))
        assert re.search(r"passed \d+ comparisons", line)
        (path,) = (runs / name).glob("*/metrics.json")
        saved = json.loads(path.read_text())
        assert saved["error"] is None and saved["device"] == "CPU"
        assert saved["kinds"].keys() == saved["metrics"].keys()
        assert saved["versions"].keys() == {"Python", "keras", "tensorflow"}


@pytest.mark.slow
def test_the_report_shows_every_notebook(smoke_run):
    _, runs = smoke_run
    report = runs.parent / "report"
    page = (report / "index.html").read_text()
    count = len(list(ROOT.glob("source/*/*.ipynb")))
    assert f"All {count} runs passed." in page and "<script" not in page
    for name in sorted(path.parents[1].name for path in runs.glob("*/*/metrics.json")):
        assert f'id="{name}-smoke"' in page
    links = re.findall(r'href="(notebooks/[^"]+-seed77-[^"]+)"', page)
    assert len(links) == count and all((report / link).is_file() for link in links)
    suites = ElementTree.parse(report / "junit.xml").getroot()
    assert len(suites) == count and not suites.findall("testsuite/testcase/failure")


@pytest.mark.slow
def test_metrics_and_figures_are_saved(smoke_run):
    folder = folder_of(smoke_run[1])
    saved = json.loads((folder / "metrics.json").read_text())
    metrics = saved["metrics"]
    assert metrics["parameters"] == 1_199_882
    # The order of the three holds on synthetic digits too.
    assert metrics["majority_accuracy"] < metrics["linear_accuracy"] < metrics["test_accuracy"]
    assert abs(metrics["first_loss"] - 2.3026) < 0.1
    assert 300 < metrics["peak_memory_mb"] < 3_000
    assert saved["kinds"]["test_accuracy"] == "accuracy" and saved["kinds"]["parameters"] == "count"
    curves = saved["curves"]
    assert set(curves) == {"linear", "MLP", "CNN"} and len(curves["CNN"]["loss"]) == 4
    assert any(
        "image/png" in o.get("data", {})
        for c in executed(folder)["cells"]
        for o in c.get("outputs", [])
    )


@pytest.mark.slow
def test_every_figure_is_shown_once_and_nothing_is_written_to_stderr(smoke_run):
    folder = folder_of(smoke_run[1])
    for each in executed(folder)["cells"]:
        outputs = each.get("outputs", [])
        images = [data["image/png"] for o in outputs if "image/png" in (data := o.get("data", {}))]
        assert len(images) == len(set(images)), each["id"]
        assert not [output for output in outputs if output.get("name") == "stderr"], each["id"]


def seconds_of_tests(folder):
    """Return the duration of each test cell of an executed notebook."""
    return {
        each["id"]: each["metadata"]["papermill"]["duration"]
        for each in executed(folder)["cells"]
        if each["metadata"].get("nbgrader", {}).get("grade") and each["cell_type"] == "code"
    }


@pytest.mark.slow
def test_the_test_cells_take_at_most_two_seconds(smoke_run, course_command):
    # Other load on the machine only adds to the time, so the best of a few runs counts.
    runs = smoke_run[1]
    for seed in (77, 78, 79):
        if seed != 77:
            arguments = ["run", "02-mnist", "--profile", "smoke", "--seed", str(seed)]
            assert course_command(*arguments, cwd=runs.parents[1]).returncode == 0
        seconds = seconds_of_tests(runs / "02-mnist" / f"smoke-seed{seed}-tensorflow")
        assert len(seconds) == 9
        if sum(seconds.values()) <= 2:
            return
    raise AssertionError(seconds)


@pytest.mark.slow
def test_the_solved_notebook_runs_on_torch(tmp_path, course_command):
    pytest.importorskip("torch")  # optional, so most environments skip this test
    root = copy_of_course(tmp_path)
    run = ["run", "02-mnist", "--profile", "smoke"]
    finished = course_command(*run, cwd=root, KERAS_BACKEND="torch")
    assert finished.returncode == 0, finished.stderr
    folder = root / "build" / "runs" / "02-mnist" / "smoke-seed0-torch"
    assert json.loads((folder / "metrics.json").read_text())["metrics"]["parameters"] == 1_199_882


# Counts that the smoke runs of the training notebooks must record with every backend.
COUNTS = {
    "02-mnist": {"parameters": 1_199_882},
    "04-mlp-vs-cnn": {
        "one_layer_parameters": 30_730,
        "mlp_parameters": 394_634,
        "three_layers_parameters": 563_082,
        "simple_cnn_parameters": 82_826,
    },
    "06-dropout-batchnorm": {
        "parameters": [1_250_858, *[1_251_626] * 4, 556_586, 2_626_634],
        "trainable_parameters": [1_250_858, *[1_251_242] * 4, 555_690, 2_625_866],
    },
    "05-deeper-cnn": {
        "model_1_parameters": 181_162,
        "model_2_parameters": 252_378,
        "deep_parameters": [7_658, 12_298, 12_298],
        "good_parameters": 20_674,
        "receptive_fields": [5, 13, 25, 49],
    },
    "07-transfer-learning": {
        "base_parameters": 241_888,
        "trained_parameters": [45_153, 45_153, 524_801],
    },
    "08-capstone": {"parameters": [75_050, 78_714, 78_714]},
}


@pytest.mark.slow
@pytest.mark.jax
def test_the_regression_passes_on_jax(tmp_path, course_command):
    # XLA needs most of the time to compile the networks, which run so few steps that they need
    # not be optimized.
    pytest.importorskip("jax")
    environment = {"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    root = copy_of_course(tmp_path)
    # The training configuration for a GPU; only 06-dropout-batchnorm has the parameter.
    arguments = ["run", *COUNTS, "--profile", "smoke", "-p", "recipe=fast"]
    finished = course_command(*arguments, cwd=root, **environment)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    for name, expected in COUNTS.items():
        (path,) = (root / "build" / "runs" / name).glob("smoke-seed0-jax*/metrics.json")
        saved = json.loads(path.read_text())
        assert {key: saved["metrics"][key] for key in expected} == expected
        assert f" on jax, {saved['device']}" in json.dumps(executed(path.parent)["cells"])
    # The bands were measured on TensorFlow and hold on JAX too.
    assert "02-mnist  smoke, jax" in finished.stdout and " comparisons" in finished.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("photos", 'or choose data = "cifar10" at the top of the notebook.'),
        ("cifar10", "or set COURSE_DATA_DIR to a folder that contains cifar10.npz."),
        ("kittens", "data='kittens' is not a source of cat and dog images: choose one of 'photos'"),
    ],
)
def test_unavailable_photos_are_never_replaced_by_others(tmp_path, course_command, data, sentence):
    (tmp_path / "data").mkdir()
    no_network = {"COURSE_DATA_DIR": str(tmp_path / "data"), "https_proxy": "http://127.0.0.1:9"}
    root = copy_of_course(tmp_path)
    arguments = ["run", "07-transfer-learning", "--profile", "cpu", "-p", f"data={data}"]
    finished = course_command(*arguments, cwd=root, **no_network)
    assert finished.returncode == 1 and "Traceback" not in finished.stderr
    last = finished.stderr.splitlines()[-1]
    assert "07-transfer-learning: cell images (under '2 A small dataset') failed" in last
    assert sentence in last
    assert not list((tmp_path / "data").iterdir())


RECORD = f"""
from IPython.display import display
display({{"{MIME_TYPE}": {{"values": {{"first": 1}}}}}}, raw=True)
"""


def test_a_failing_cell_is_named_and_earlier_metrics_are_saved(small_course, course_command):
    root = small_course(
        PARAMETERS,
        cell("markdown", "## 1 Fine\n\nText."),
        cell("code", RECORD),
        cell("markdown", "## 2 Broken"),
        cell("code", "assert length == 4, f'length is {length}'", "test_length", points=1),
        cell("code", "print('never reached')"),
    )
    finished = course_command("-C", root, "run")
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    named = "course: 01-small: cell test_length (under '2 Broken') failed: "
    assert named + "AssertionError: length is 3" in finished.stderr
    folder = root / "build" / "runs" / "01-small" / "smoke-seed0-tensorflow"
    saved = json.loads((folder / "metrics.json").read_text())
    assert saved["metrics"]["first"] == 1 and "test_length" in saved["error"]
    assert "length is 3" in (folder / "small.ipynb").read_text()


def test_a_run_whose_kernel_dies_fails(small_course, course_command):
    last_words = cell("code", "print(6 * 7)")
    root = small_course(PARAMETERS, last_words, cell("code", "import os\nos._exit(3)"))
    finished = course_command("-C", root, "run")
    assert finished.returncode == 1
    assert "course: 01-small: the kernel stopped" in finished.stderr
    assert "Traceback" not in finished.stderr
    folder = root / "build" / "runs" / "01-small" / "smoke-seed0-tensorflow"
    executed = json.loads((folder / "small.ipynb").read_text())
    assert [cell["outputs"][0]["text"] for cell in executed["cells"] if cell.get("outputs")] == [
        ["42\n"]
    ]


def test_parameters_reach_the_notebook(small_course, course_command):
    root = small_course(
        PARAMETERS, cell("code", "assert (profile, seed, length) == ('smoke', 5, 4)")
    )
    finished = course_command("-C", root, "run", "--seed", "5", "-p", "length=4")
    assert finished.returncode == 0, finished.stderr
    assert (
        root / "build" / "runs" / "01-small" / "smoke-seed5-tensorflow-length=4" / "small.ipynb"
    ).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["a truncated file", "neither file nor network"])
def test_unavailable_real_data_is_reported_in_one_sentence(tmp_path, course_command, problem):
    data = tmp_path / "data"
    data.mkdir()
    # A proxy that does not exist simulates a missing network.
    no_network = {"COURSE_DATA_DIR": str(data), "https_proxy": "http://127.0.0.1:9"}
    if problem == "a truncated file":
        np.savez(data / "mnist.npz", x_train=np.zeros((100, 28, 28), "uint8"))
        whole = (data / "mnist.npz").read_bytes()
        (data / "mnist.npz").write_bytes(whole[: len(whole) // 2])
        sentence = f"{data / 'mnist.npz'} is damaged (it is not a complete .npz file): delete it"
    else:
        sentence = f"mnist.npz is not in {data} and could not be downloaded from "
    root = copy_of_course(tmp_path)
    finished = course_command("run", "02-mnist", "--profile", "cpu", cwd=root, **no_network)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    last = finished.stderr.splitlines()[-1]
    heading = "1 Digits as arrays"
    assert last.startswith(f"course: 02-mnist: cell load-data (under '{heading}')")
    assert sentence in last and last.endswith(".")
