import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from course.errors import CourseError
from course.metrics import MIME_TYPE
from course.regression import runs
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

PARAMETERS = cell("code", "profile = None\nseed = 0\nlength = 3", tags=["parameters"])


def executed(folder):
    return json.loads((folder / "mnist.ipynb").read_text())


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory, course_command):
    """Run 02-mnist in the smoke profile in a copy of the course; returns its run folder."""
    root = copy_of_course(tmp_path_factory.mktemp("course"))
    finished = course_command("run", "02-mnist", "--profile", "smoke", cwd=root)
    return finished, root / "build" / "runs" / "02-mnist" / "smoke-seed0-tensorflow"


def copy_of_course(root):
    (root / "nbgrader_config.py").symlink_to(ROOT / "nbgrader_config.py")
    (root / "source").symlink_to(ROOT / "source")
    return root


@pytest.mark.slow
def test_the_smoke_run_passes_and_keeps_notebook_and_metrics(smoke_run):
    finished, folder = smoke_run
    assert finished.returncode == 0, finished.stderr
    assert "100%" in finished.stderr, "progress is shown"
    kept = json.loads((folder / "metrics.json").read_text())
    metrics = kept["metrics"]
    assert kept["error"] is None
    assert metrics["parameters"] == 1_199_882
    # On synthetic digits too, the order of the three is the lesson.
    assert metrics["majority_accuracy"] < metrics["linear_accuracy"] < metrics["test_accuracy"]
    assert abs(metrics["first_loss"] - 2.3026) < 0.1
    assert any(
        "image/png" in o.get("data", {})
        for c in executed(folder)["cells"]
        for o in c.get("outputs", [])
    )


@pytest.mark.slow
def test_every_figure_is_shown_once_and_nothing_is_written_to_stderr(smoke_run):
    _, folder = smoke_run
    for each in executed(folder)["cells"]:
        outputs = each.get("outputs", [])
        assert sum("image/png" in output.get("data", {}) for output in outputs) <= 1, each["id"]
        assert not [output for output in outputs if output.get("name") == "stderr"], each["id"]


@pytest.mark.slow
def test_the_test_cells_take_at_most_two_seconds(smoke_run):
    _, folder = smoke_run
    seconds = {
        each["id"]: each["metadata"]["papermill"]["duration"]
        for each in executed(folder)["cells"]
        if each["metadata"].get("nbgrader", {}).get("grade") and each["cell_type"] == "code"
    }
    assert len(seconds) == 10
    assert sum(seconds.values()) <= 2, seconds


@pytest.mark.slow
@pytest.mark.parametrize("backend", [pytest.param("jax", marks=pytest.mark.jax), "torch"])
def test_the_solved_notebook_runs_on_other_backends(tmp_path, course_command, backend):
    # torch is optional, so this is skipped for it in most environments.
    pytest.importorskip(backend)
    root = copy_of_course(tmp_path)
    run = ["run", "02-mnist", "--profile", "smoke"]
    finished = course_command(*run, cwd=root, KERAS_BACKEND=backend)
    assert finished.returncode == 0, finished.stderr
    folder = root / "build" / "runs" / "02-mnist" / f"smoke-seed0-{backend}"
    assert f" on {backend}, " in json.dumps(executed(folder)["cells"])
    assert json.loads((folder / "metrics.json").read_text())["metrics"]["parameters"] == 1_199_882


# What must come out of the smoke runs of the assignments on CIFAR-10, whatever computes it.
STRUCTURE = {
    "04-mlp-vs-cnn": {
        "one_layer_parameters": 30_730,
        "hidden_parameters": 394_634,
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
        "receptive_fields": [5, 9, 14, 18],
    },
    "07-transfer-learning": {
        "base_parameters": 277_760,
        "trained_parameters": [45_153, 45_153, 524_801, 746_241],
    },
}


@pytest.mark.slow
@pytest.mark.jax
def test_the_networks_on_cifar_10_run_on_jax(tmp_path, course_command):
    # Most of the time is XLA's, which compiles each network: they run side by side, and what it
    # compiles is run so few times that it need not be fast.
    pytest.importorskip("jax")
    lazily = {"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    root = copy_of_course(tmp_path)

    def run(name):
        recipe = ["-p", "recipe=fast"] if name.startswith("06") else []  # as on a GPU
        return course_command("run", name, "--profile", "smoke", *recipe, cwd=root, **lazily)

    with ThreadPoolExecutor() as pool:
        finished = dict(zip(STRUCTURE, pool.map(run, STRUCTURE), strict=True))
    for name, expected in STRUCTURE.items():
        assert finished[name].returncode == 0, finished[name].stderr
        (path,) = (root / "build" / "runs" / name).glob("smoke-seed0-jax*/metrics.json")
        metrics = json.loads(path.read_text())["metrics"]
        assert {key: metrics[key] for key in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("photos", 'or choose data = "cifar10" at the top of the notebook.'),
        ("cifar10", "or set COURSE_DATA_DIR to the folder that holds it."),
        ("kittens", "data='kittens' is not a source of cats and dogs: choose one of photos"),
    ],
)
def test_nothing_takes_the_place_of_photos_that_cannot_be_had(
    tmp_path, course_command, data, sentence
):
    (tmp_path / "data").mkdir()
    nowhere = {"COURSE_DATA_DIR": str(tmp_path / "data"), "https_proxy": "http://127.0.0.1:9"}
    root = copy_of_course(tmp_path)
    words = ["run", "07-transfer-learning", "--profile", "cpu", "-p", f"data={data}"]
    finished = course_command(*words, cwd=root, **nowhere)
    assert finished.returncode == 1 and "Traceback" not in finished.stderr
    last = finished.stderr.splitlines()[-1]
    assert "07-transfer-learning: cell pictures (under '1 A small data set') failed" in last
    assert sentence in last
    assert not list((tmp_path / "data").iterdir())


RECORD = f"""
from IPython.display import display
display({{"{MIME_TYPE}": {{"first": 1}}}}, raw=True)
"""


def test_a_failing_cell_is_named_and_what_was_run_is_kept(small_course, course_command):
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
    kept = json.loads((folder / "metrics.json").read_text())
    assert kept["metrics"] == {"first": 1} and "test_length" in kept["error"]
    assert "length is 3" in (folder / "small.ipynb").read_text()


def test_a_dead_kernel_is_a_failed_run(small_course, course_command):
    root = small_course(PARAMETERS, cell("code", "import os\nos._exit(3)"))
    finished = course_command("-C", root, "run")
    assert finished.returncode == 1
    assert "course: 01-small: the kernel gave up" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_parameters_reach_the_notebook(small_course, course_command):
    root = small_course(
        PARAMETERS, cell("code", "assert (profile, seed, length) == ('smoke', 5, 4)")
    )
    finished = course_command("-C", root, "run", "--seed", "5", "-p", "length=4")
    assert finished.returncode == 0, finished.stderr
    assert (
        root / "build" / "runs" / "01-small" / "smoke-seed5-tensorflow-length=4" / "small.ipynb"
    ).is_file()


def test_an_unknown_parameter_lists_the_known_ones(tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb", [PARAMETERS])
    with pytest.raises(CourseError, match="no parameter 'lenght': choose of profile, seed, length"):
        runs.check_parameters(notebook, {"profile": "smoke", "lenght": 4})


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["a truncated file", "neither file nor network"])
def test_real_data_that_cannot_be_had_is_one_sentence(tmp_path, course_command, trouble):
    data = tmp_path / "data"
    data.mkdir()
    # A proxy where nobody listens: no network, also on a machine that has one.
    nowhere = {"COURSE_DATA_DIR": str(data), "https_proxy": "http://127.0.0.1:9"}
    if trouble == "a truncated file":
        np.savez(data / "mnist.npz", x_train=np.zeros((100, 28, 28), "uint8"))
        whole = (data / "mnist.npz").read_bytes()
        (data / "mnist.npz").write_bytes(whole[: len(whole) // 2])
        sentence = f"{data / 'mnist.npz'} is damaged (it is not a whole .npz file): delete it"
    else:
        sentence = f"mnist.npz is not in {data} and could not be downloaded from "
    root = copy_of_course(tmp_path)
    finished = course_command("run", "02-mnist", "--profile", "cpu", cwd=root, **nowhere)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    last = finished.stderr.splitlines()[-1]
    assert last.startswith("course: 02-mnist: cell load-data (under '1 Look at the data first')")
    assert sentence in last and last.endswith(".")
