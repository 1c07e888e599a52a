"""Honest submissions in unusual spellings, graded as one class: points, or the true reason.

`tests/gradable/spellings.py` has more networks, which are transferred without grading them.
"""

import html
import json
import re

import pytest

from tests.conftest import cell
from tests.instructor.grading.classes import NAME, create_course, scores, submit

pytestmark = pytest.mark.slow

SETUP = cell(
    "code",
    "import keras\nimport numpy as np\nfrom keras import layers\n"
    "from course import checks, counting",
    "setup",
)
SETUP["metadata"]["nbgrader"] |= {"locked": True, "solution": False}
SOLUTIONS = {
    "network": """
def build_model():
    return keras.Sequential(
        [
            keras.Input(shape=(2,)),
            layers.Dense(3, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )
""",
    "settings": """
def compile_model(model):
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    return model
""",
    "table": 'table = {"name": "owl", "total": 7, "shape": (2, 3)}',
    "rows": """
def rows(count):
    return np.eye(count, dtype="float32")
""",
}
TESTS = {
    "test_network": """
network = build_model()
checks.network("build_model returns a network", network, "Did you return it?")
checks.equal("the activations", counting.activations(network), ["relu", "softmax"])
### BEGIN HIDDEN TESTS
checks.equal("parameters", build_model().count_params(), 25)
### END HIDDEN TESTS
""",
    "test_settings": """
tiny = keras.Sequential([keras.Input(shape=(2,)), layers.Dense(3, activation="softmax")])
compiled = compile_model(tiny)
checks.network("compile_model returns it", compiled, "Keep the last line.", compiled=True)
checks.equal("the optimizer", type(compiled.optimizer).__name__, "Adam")
checks.loss("the loss", compiled, "categorical_crossentropy")
### BEGIN HIDDEN TESTS
inputs = np.random.default_rng(0).normal(size=(9, 2)).astype("float32")
checks.measures_accuracy("accuracy is measured", compiled, inputs, one_hot=True)
### END HIDDEN TESTS
""",
    "test_table": """
checks.that("table is a dict", isinstance(table, dict), "Write {...}.")
### BEGIN HIDDEN TESTS
checks.equal("table", table, {"name": "owl", "total": 7, "shape": (2, 3)})
### END HIDDEN TESTS
""",
    "test_rows": """
checks.array("rows(2)", rows(2), shape=(2, 2))
### BEGIN HIDDEN TESTS
checks.close("rows(3)", rows(3), [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
checks.close("the sums", np.sum(rows(5), axis=0), [1] * 5)
### END HIDDEN TESTS
""",
}
OWN_CLASS = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(3, activation="relu")
        self.last = layers.Dense(4, activation="softmax")

    def call(self, inputs):
        return self.last(self.hidden(inputs))


def build_model():
    return Net()
"""
# Name -> the changed answers, the tests that earn no points, and text on the page.
STUDENTS = {
    "solved": ({}, [], []),
    "functions": (
        {
            "network": "import tensorflow as tf\n"
            + SOLUTIONS["network"]
            .replace('"relu"', "layers.ReLU()")
            .replace('"softmax"', "tf.nn.softmax"),
            "settings": SOLUTIONS["settings"]
            .replace('"categorical_crossentropy"', "keras.losses.categorical_crossentropy")
            .replace('["accuracy"]', '["accuracy", lambda true, predicted: 0.0]'),
            "rows": "import pandas as pd\nfrom sklearn.preprocessing import LabelBinarizer\n\n\n"
            "def rows(count):\n"
            "    if count == 2:\n        return pd.DataFrame(np.eye(2))\n"
            "    return np.matrix(LabelBinarizer().fit_transform(range(count)))",
        },
        [],
        [],
    ),
    "classes": (
        {
            "network": "class Net(keras.Sequential):\n    def __init__(self):\n"
            "        super().__init__([keras.Input((2,)), layers.Dense(3, keras.ops.relu)])\n"
            "        self.add(layers.Dense(4, keras.ops.softmax))\n\n\n"
            "def build_model():\n    return Net()",
            "table": "import collections\nimport enum\n\n"
            'Shape = collections.namedtuple("Shape", "height width")\n'
            'Total = enum.IntEnum("Total", {"seven": 7})\n'
            'table = collections.OrderedDict(name=np.str_("owl"), total=Total.seven)\n'
            'table["shape"] = Shape(2, 3)',
            "rows": "def rows(count):\n    return np.ma.array(np.eye(count))",
        },
        [],
        [],
    ),
    "own-call": (
        {"network": OWN_CLASS},
        ["test_network"],
        [
            "tests cannot use the value that build_model returns. Its class Net changes call: build"
            " the network with keras.Sequential"
        ],
    ),
    "lambda-layer": (
        {"network": SOLUTIONS["network"].replace(
            "layers.Dense(3,", "layers.Lambda(lambda x: x),\n            layers.Dense(3,")},
        ["test_network"],
        ["Its layer lambda is a Lambda layer: use Keras's other layers."],
    ),
    "own-loss": (
        {"settings": "def own_loss(true, predicted):\n    return keras.ops.mean(predicted)\n\n\n"
            + SOLUTIONS["settings"].replace('"categorical_crossentropy"', "own_loss")},
        ["test_settings"],
        ["Its loss own_loss is not one of Keras's own: use one from keras.losses."],
    ),
    "masked": (
        {"rows": "def rows(count):\n    return np.ma.masked_equal(np.eye(count), 0)"},
        ["test_rows"],
        [
            "tests cannot use the value that rows returns. It is an array with masked entries:"
            " replace them with numbers."
        ],
    ),
    "hidden": (
        {"rows": "def rows(count):\n    array = np.ma.array(np.eye(count))\n"
            "    return array if count == 2 else np.ma.masked_equal(array, 0)"},
        ["test_rows"],
        [
            "rows(3): tests cannot use the value that your function returns. It is an array with"
            " masked entries: replace them with numbers."
        ],
    ),
    "object": (
        {"table": "import types\ntable = types.SimpleNamespace(name='owl', total=7, shape=(2, 3))"},
        ["test_table"],
        ["tests cannot use table. It is an object of the class SimpleNamespace"],
    ),
    "seaborn": (
        {"rows": "import seaborn\n" + SOLUTIONS["rows"]},
        ["test_rows"],
        ["No module named 'seaborn'"],
    ),
}  # fmt: skip
FALSE_REASONS = ["Did you return it?", "Write {...}.", "Keep the last line."]


def cells(answers=None):
    """Return the notebook's cells, as an instructor writes them or with a student's answers."""
    found = [SETUP]
    for (name, solution), (test, source) in zip(SOLUTIONS.items(), TESTS.items(), strict=True):
        text = f"### BEGIN SOLUTION\n{solution}\n### END SOLUTION"
        if answers is not None:
            text = answers.get(name, solution)
            source = re.sub("### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", "", source, flags=re.S)
        found += [cell("code", text.strip(), name), cell("code", source.strip(), test, points=1)]
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course_command):
    root = create_course(tmp_path_factory.mktemp("course"), *cells())
    for name, (answers, _, _) in STUDENTS.items():
        submit(root, name, *cells(answers))
    for command in ("grade", "feedback"):
        done = course_command("-C", root, command, NAME)
        assert done.returncode == 0, done.stdout + done.stderr
    return root, scores(root)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_submission_earns_its_points_and_the_page_has_the_true_reason(graded, name):
    root, found = graded
    _, lost, texts = STUDENTS[name]
    earned = {test: found[name][test][0] for test in TESTS}
    assert earned == {test: 0 if test in lost else 1 for test in TESTS}
    page = (root / "feedback" / name / NAME / "small.html").read_text(encoding="utf-8")
    page = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", page)))
    for text in texts:
        assert text in page
    notebook = (root / "autograded" / name / NAME / "small.ipynb").read_text(encoding="utf-8")
    reasons = [
        output["evalue"]
        for each in json.loads(notebook)["cells"]
        for output in each.get("outputs", [])
        if output["output_type"] == "error"
    ]
    assert not any(false in reason for reason in reasons for false in FALSE_REASONS)
