"""What a student reads names only what the student knows, whatever a test gets or raises."""

import pytest

from course.instructor.cli.main import main
from tests.conftest import cell, write_notebook
from tests.instructor.feedback.internal_names import CLASSES, internal_names

DEFINE_ANSWER = {
    "dataset": "import tensorflow as tf\nv = tf.data.Dataset.from_tensor_slices([1, 2]).batch(1)",
    "history": """
import keras
import numpy as np
network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
network.compile("sgd", "mse")
v = network.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
""",
    "instance": "class Mine:\n    pass\nv = Mine()",
    "nested": "class Mine:\n    pass\nv = [1, Mine()]",
    "generator": "def v(*given):\n    return (each for each in range(3))",
    "own-error": "class Mine(Exception):\n    pass\ndef v(*given):\n    raise Mine('bad')",
    "ended": "import os\ndef v(*given):\n    os._exit(3)",
    "failed": "from course.errors import CourseError\nraise CourseError('bad')",
}
USE_ANSWER = {
    "equal": "checks.equal('it', v, 3, 'a hint')",
    "equal_call": "checks.equal('it', v(1), 3, 'a hint')",
    "show_type": "assert v == 3, f'{v!r} {type(v)}'",
    "print_type": "print(v, type(v))\nassert False",
    "add": "v + 1",
    "call": "v(1)",
    "float": "float(v[1])",
    "float_call": "float(v(1))",
    "show_error": "try:\n    v(1)\nexcept Exception as e:\n    assert False, f'{e!r} {type(e)}'",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Grade a class with unusual values and return its feedback pages by student."""
    from tests.submissions import ROOT

    root = tmp_path_factory.mktemp("class")
    (root / "nbgrader_config.py").write_text((ROOT / "nbgrader_config.py").read_text())
    setup = cell("code", "from course import checks", "setup")
    setup["metadata"]["nbgrader"] |= {"solution": False, "locked": True}
    tests = []
    for name, code in USE_ANSWER.items():
        hidden = f"### BEGIN HIDDEN TESTS\n{code}\n### END HIDDEN TESTS"
        tests.append(cell("code", code, f"test_{name}", points=1))
        tests.append(cell("code", hidden, f"hidden_{name}", points=1))
    answer = cell("code", "### BEGIN SOLUTION\nv = 3\n### END SOLUTION", "answer")
    write_notebook(root / "source/01-small/small.ipynb", [setup, answer, *tests])
    for student, code in DEFINE_ANSWER.items():
        submitted = [setup, cell("code", code, "answer"), *tests]
        write_notebook(root / "submitted" / student / "01-small/small.ipynb", submitted)
    for command in ("grade", "feedback"):
        assert main(["-C", str(root), command, "01-small"]) == 0
    return {
        student: (root / "feedback" / student / "01-small/small.html").read_text()
        for student in DEFINE_ANSWER
    }


@pytest.mark.slow
@pytest.mark.parametrize("student", DEFINE_ANSWER)
def test_a_page_shows_no_internal_name(pages, student):
    assert internal_names(pages[student]) == set()


@pytest.mark.slow
def test_the_names_that_replace_internal_ones_are_the_students_own_or_python_words(pages):
    assert "CourseError: bad" in pages["failed"]
    assert "Error(&#39;Mine: bad&#39;) &lt;class &#39;Error&#39;&gt;" in pages["own-error"]
    assert "not &#39;unusable value&#39;" in pages["nested"]
    assert "&#39;Dataset&#39; object is not callable" in pages["dataset"]
    assert "&#39;History&#39; object is not callable" in pages["history"]


def test_the_search_finds_internal_names():
    assert {"StudentError", "_DatasetProxy", "OutputBuffer"} <= CLASSES
    assert internal_names("<p>got &lt;course.instructor.x.StudentError&gt;</p>") == {
        "course.instructor.x.StudentError"
    }
    assert internal_names("<b>not a _DatasetProxy</b>") == {"_DatasetProxy"}
    assert internal_names("<p>Stopped: the Figure</p>") == set()
