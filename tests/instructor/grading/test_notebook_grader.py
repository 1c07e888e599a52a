"""Grading one submission in two real kernels, with small notebooks."""

import contextlib
import re
import time
import tracemalloc
from pathlib import Path

import pytest

from course.errors import CourseError
from course.instructor.grading import notebook_grader, text_budget
from course.instructor.grading.job import GradingJob, GradingSettings, Outcome
from course.instructor.grading.redaction import GRADING_ERROR, MAX_CHOSEN, STUDENT_VIEW
from course.instructor.grading.reference_notebook import ReferenceNotebook, hash_of_code
from course.instructor.sandbox import bubblewrap
from course.instructor.sandbox.forkserver_client import shared_forkserver
from course.instructor.sandbox.limits import Limits
from tests.instructor.sandbox import descendants

pytestmark = pytest.mark.slow

LIMITS = {"cell_seconds": 6, "call_seconds": 1, "notebook_seconds": 60, "memory_mb": 1500}
SETUP = """
import contextlib, io
import keras
import numpy as np
from keras import layers
from course import checks
"""


@pytest.fixture(scope="module")
def grade():
    """Return a function that grades a notebook of cells and returns the outcome."""
    if problem := bubblewrap.isolation_problem():
        pytest.skip(problem)
    forkserver = shared_forkserver()
    forkserver.wait_until_ready()  # its start does not count toward the limits under test

    def run(*cells, files=(), **limits):
        cells = [{"grade_id": "setup", "kind": "locked", "source": SETUP}, *cells]
        known = {
            each["grade_id"]: {
                "cell_type": "code",
                "source": each.get("original", each["source"]),
                "locked": each["kind"] != "answer",
                "checksum": "",
                "grade": each["kind"] == "test",
                "solution": each["kind"] == "answer",
                "task": False,
                "points": each.get("points"),
                "partial": each.get("partial", False),
            }
            for each in cells
            if each["grade_id"]
        }
        submitted = [
            {"index": index, "grade_id": each["grade_id"], "source": each["source"]}
            for index, each in enumerate(cells)
        ]
        given = [hash_of_code(each["source"]) for each in cells if each["kind"] == "given"]
        reference = ReferenceNotebook(list(known), known, "profile = 'smoke'", ungraded=given)
        job = GradingJob(
            "01-small",
            "ada",
            "small",
            submitted,
            list(files),
            reference,
            GradingSettings(Limits(**LIMITS | limits)),
        )
        outcome = notebook_grader.grade_with(forkserver, GradingJob.from_json(job.to_json()))
        assert Outcome.from_json(outcome.to_json()) == outcome
        return Graded(cells, outcome)

    return run


class Graded:
    """The outcome of a small notebook."""

    def __init__(self, cells, outcome):
        self.outcome = outcome
        self.note = outcome.note
        self.outputs = {
            each["grade_id"]: outcome.outputs.get(str(index), [])
            for index, each in enumerate(cells)
        }

    def error(self, name):
        """Return the class and message of a cell's error, or None."""
        for output in self.outputs[name]:
            if "ename" in output:
                return f"{output['ename']}: {output['evalue']}"
            if GRADING_ERROR in output.get("data", {}):
                return output["data"]["text/plain"].splitlines()[-1]
        return None

    def view(self, name):
        """Return what a page may show of a test or of a cell's error."""
        for output in self.outputs[name]:
            for media_type in (STUDENT_VIEW, GRADING_ERROR):
                if media_type in output.get("data", {}):
                    return output["data"][media_type]
        return {}

    def all_views(self):
        """Return everything that a page may show of this grading as one text."""
        return f"{[self.view(name) for name in self.outputs if name]} {self.note}"

    def printed(self, name):
        """Return the printed text of a cell."""
        return "".join(
            each["text"] for each in self.outputs[name] if each["output_type"] == "stream"
        )

    def credit(self, name):
        """Return a test's partial credit, or None."""
        for output in self.outputs[name]:
            if output["output_type"] == "execute_result":
                return float(output["data"]["text/plain"])
        return None


def answer(source, name="answer"):
    return {"grade_id": name, "kind": "answer", "source": source}


def own(source):
    """Return a cell that a student added."""
    return {"grade_id": None, "kind": "answer", "source": source}


def given(source):
    """Return a cell without an ID that students get and did not change."""
    return {"grade_id": None, "kind": "given", "source": source}


def locked(source, name, **more):
    return {"grade_id": name, "kind": "locked", "source": source} | more


def check(source, name="test", **more):
    return {"grade_id": name, "kind": "test", "source": source, "points": 1} | more


# Values that pass between the kernels, each in a test cell of one notebook.

FUNCTIONS = """
import numpy as np
import keras

def add(a, b=10, *, c=100):
    return a + b + c

def same(x):
    return x

def spoil(x):
    x[...] = 0

def grow(x):
    x.append(4)

def grow_and_return(x):
    x.append(4)
    return x

def enter(x):
    x["b"] = 2
    del x["a"]

def spoil_within(x):
    x["deep"][0][...] = -1

def untouched(x):
    return [np.sum(each) for each in x]

def train(model):
    model.compile(optimizer="sgd", loss="mse")
    model.set_weights([np.ones_like(w) for w in model.get_weights()])

def train_and_return(model):
    train(model)
    return model

def build(units):
    return keras.Sequential([keras.Input(shape=(2,)), keras.layers.Dense(units)])

def without_last(model):
    model.pop()
    return model

def set_rate(model, rate):
    model.layers[0].rate = rate
    return model

def make_linear(models):
    models[0].layers[1].activation = keras.activations.linear
    return models[0]

def ended(kind):
    raise {"map": Ended, "async": StopAsyncIteration, "close": GeneratorExit}[kind]("4711")

class Ended(StopIteration):
    pass

def adder(by):
    return lambda x: x + by

def fails(kind):
    raise {"value": ValueError, "key": KeyError, "own": Own, "sub": Sub}[kind]("secret 4711")

class Own(Exception):
    pass

class Sub(IndexError):
    pass

class Thing:
    size = 3

def thing():
    return Thing()

def lines():
    print("one\\ntwo")
    return 1

def count():
    global calls
    calls = globals().get("calls", 0) + 1
    return calls

square = lambda x: x**2
value, table = 4.5, {"a": [1, 2]}
dataset = __import__("tensorflow").data.Dataset.range(100).shuffle(100).batch(7)
model = build(3)
model.compile(optimizer="sgd", loss="mse")
history = model.fit(np.ones((4, 2)), np.ones((4, 3)), epochs=2, verbose=0)
seven = build
"""

PASSES = {
    "position": "assert add(1) == 111 and add(1, 2) == 103",
    "keyword": "assert add(b=1, a=2, c=3) == 6",
    "lambda": "assert square(3) == 9",
    "signature": """
import inspect
parameters = inspect.signature(add).parameters
assert list(parameters) == ["a", "b", "c"]
assert parameters["a"].default is inspect.Parameter.empty
assert parameters["b"].default is not inspect.Parameter.empty
assert parameters["c"].kind is inspect.Parameter.KEYWORD_ONLY
assert add.__name__ == "add" and callable(add)
""",
    "arrays": """
x = np.arange(4.0)
y = same(x * 2)
assert type(y) is np.ndarray and y.tolist() == [0, 2, 4, 6]
""",
    "identical object": """
x, y = np.ones(3), [1]
assert same(x) is x and same(y) is y
""",
    "array not changed by a call": """
x = np.ones(3)
view = x[1:]
assert spoil(view) is None
assert spoil(view) is None and x.tolist() == [1, 1, 1]
""",
    "nothing within changed by a call": """
inner = np.ones(5000)
outer = {"deep": [inner, 1]}
spoil_within(outer)
assert outer["deep"][0] is inner and inner.tolist() == [1] * 5000
""",
    "changed argument returned": """
x = [1]
assert grow_and_return(x) == [1, 4] and x == [1]
""",
    "array changed": """
x = np.ones(3)
returned, (after,), _ = checks.call_with_copies(spoil, x)
assert returned is None and after.tolist() == [0, 0, 0] and x.tolist() == [1, 1, 1]
""",
    "list changed": """
assert checks.call_with_copies(grow, [1])[1] == [[1, 4]]
""",
    "dict changed": """
assert checks.call_with_copies(enter, {"a": 1})[1] == [{"b": 2}]
""",
    "changed within": """
outer = {"deep": [np.ones(5000), 1]}
_, (after,), _ = checks.call_with_copies(spoil_within, outer)
assert after["deep"][0].tolist() == [-1] * 5000 and outer["deep"][0].tolist() == [1] * 5000
""",
    "check that nothing changes": """
checks.unchanged("same", same, np.ones(3))
for function, argument in [(spoil, np.ones(3)), (grow, [1]), (enter, {"a": 1})]:
    try:
        checks.unchanged("it", function, argument)
    except checks.CheckFailed as error:
        assert str(error) == "it: the function changes its arguments."
    else:
        assert False
""",
    "not changed": """
x = [np.ones(3), np.zeros(2)]
first = x[0]
assert untouched(x) == [3, 0]
assert x[0] is first
""",
    "model not changed by a call": """
m = keras.Sequential([keras.Input(shape=(2,)), layers.Dense(1)])
kernel, before = m.layers[0].kernel, m.get_weights()[0]
train(m)
assert not m.compiled and np.array_equal(kernel.numpy(), before)
""",
    "changed model returned": """
m = keras.Sequential([keras.Input(shape=(2,)), layers.Dense(1)])
trained = train_and_return(m)
assert trained.compiled and np.all(trained.layers[0].kernel.numpy() == 1) and not m.compiled
""",
    "model with changed parts returned": """
def example():
    parts = [layers.Dropout(0.5), layers.Dense(3, activation="relu"), layers.Softmax()]
    return keras.Sequential([keras.Input(shape=(2,)), *parts])
m = example()
assert [type(each).__name__ for each in without_last(m).layers] == ["Dropout", "Dense"]
assert set_rate(m, 0.25).layers[0].rate == 0.25
assert make_linear([m]).layers[1].activation is keras.activations.linear
assert len(m.layers) == 3 and m.layers[0].rate == 0.5
assert m.layers[1].activation is keras.activations.relu
assert set_rate(m, 0.5) is m
""",
    "model returned": """
m = build(5)
assert isinstance(m, keras.Sequential) and m.count_params() == 15
assert m.predict(np.ones((2, 2)), verbose=0).shape == (2, 5)
""",
    "model passed and returned": "m = build(2)\nassert same(m) is m",
    "function returned": "assert adder(3)(4) == 7",
    "values": "assert value == 4.5 and type(table) is dict and table == {'a': [1, 2]}",
    "dataset": """
batches = list(dataset)
assert sorted(np.concatenate(batches).tolist()) == list(range(100))
assert len(dataset) == 15 and len(dataset.take(2)) == 2
assert [len(batch) for batch, _ in zip(dataset, range(3))] == [7, 7, 7]
""",
    "history": """
assert list(history.history) == ["loss"] and len(history.history["loss"]) == 2
assert history.epoch == [0, 1]
""",
    "trained model": """
assert np.isfinite(model.evaluate(np.ones((4, 2)), np.ones((4, 3)), verbose=0))
""",
    "stdout": """
with contextlib.redirect_stdout(io.StringIO()) as out:
    lines()
assert out.getvalue() == "one\\ntwo\\n"
""",
    "builtin error": """
try:
    fails("value")
except ValueError as error:
    assert str(error) == "secret 4711"
else:
    assert False
""",
    "derived error": """
try:
    fails("sub")
except IndexError:
    pass
""",
    "own error": """
try:
    fails("own")
except Exception as error:
    assert type(error).__name__ == "Error" and "Own" in str(error)
""",
    "end of an iteration": """
for kind in ("map", "async", "close"):
    for loop in (map(ended, [kind]), filter(ended, [kind]), zip(map(ended, [kind]))):
        try:
            list(loop)
        except Exception as error:
            assert "4711" in str(error)
        else:
            assert False
""",
    "own object": """
assert not isinstance(thing(), dict) and thing() != 3
try:
    thing().size
except AttributeError as error:
    assert "tests cannot use this value" in str(error)
else:
    assert False
""",
    "function refused": """
try:
    same(lambda x: x)
except TypeError as error:
    assert "pass the value that it returns" in str(error)
else:
    assert False
""",
    "called once": "assert [count(), count()] == [1, 2]",
    "threads": """
import concurrent.futures
assert add(1) == 111
""",
}


@pytest.fixture(scope="module")
def transfers(grade):
    tests = [check(source, name) for name, source in PASSES.items()]
    return grade(answer(FUNCTIONS), *tests, cell_seconds=30)


@pytest.mark.parametrize("name", PASSES)
def test_a_test_works_as_in_the_students_own_notebook(transfers, name):
    assert transfers.error(name) is None
    assert transfers.note is None


def test_the_printed_text_of_a_students_function_is_not_shown(grade):
    graded = grade(answer(FUNCTIONS), check("print('mine')\nlines()"))
    assert graded.printed("test") == "mine\n"


HIDDEN = "{visible}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS\n{after}"


def test_a_students_message_is_shown_unless_it_may_contain_hidden_inputs(grade):
    graded = grade(
        answer(
            FUNCTIONS
            + """
def shape_of(x):
    return type(repr(x), (), {})()

def reveal(x):
    raise ValueError(f"it was {x}")
"""
        ),
        check("reveal(4711)", "visible"),
        check(HIDDEN.format(visible="reveal(4711)", hidden="x = 1", after=""), "before"),
        check(HIDDEN.format(visible="x = 1", hidden="reveal(4711)", after=""), "hidden"),
        check(HIDDEN.format(visible="", hidden="x = 1", after="fails('own')"), "after"),
        check(HIDDEN.format(visible="", hidden="fails('own')", after=""), "own"),
        check(HIDDEN.format(visible="", hidden="shape_of(815).shape", after=""), "stranger"),
        check(HIDDEN.format(visible="", hidden="assert add(1) == 4, 'Add up.'", after=""), "mine"),
    )
    names = ("visible", "before", "hidden", "after", "own", "stranger", "mine")
    reasons = {name: (graded.view(name)["reason"] or {}).get("subject", "") for name in names}
    assert reasons["visible"] == reasons["before"] == "ValueError: it was 4711"
    assert reasons["hidden"].startswith("ValueError: (message withheld")
    assert "4711" in reasons["after"]  # a visible line, run without the hidden ones
    assert reasons["own"] == "Own: secret 4711"  # a text of the notebook itself
    assert reasons["mine"] == "AssertionError: Add up."
    # The instructor sees everything.
    assert graded.error("hidden") == "ValueError: it was 4711"


KEEP = """
import os, time
seen = []
def keep(x):
    seen.append(x)
    return 0
"""
KEEPS_INPUT = check(HIDDEN.format(visible="", hidden="keep(48271605)", after=""), "keeps")
REVEAL = {
    "the name of a layer": (
        "def make():\n"
        "    import keras\n"
        "    dense = keras.layers.Dense(1, name=f'd{seen}'.translate({91: 95, 93: 95}))\n"
        "    return keras.Sequential([keras.Input((2,)), dense])",
        "checks.that(f'the layer {make().layers[-1].name}', True)\n"
        "make().predict(np.zeros((1, 3)))",
    ),
    "a printed value": ("counted = {'a': seen}", "print(counted.get('a'))\nassert False"),
    "a printed value of a passed test": ("counted = {'a': seen * 30}", "print(counted.get('a'))"),
    "the keys of a dict": (
        "table = {f'k{x}': 1 for x in seen}",
        "checks.equal('keys', sorted(table), ['means'])",
    ),
    "an exit code": ("def leave():\n    os._exit((seen + [0])[0] % 251)", "leave()"),
    "a signal": ("def leave():\n    os.kill(os.getpid(), (seen + [0])[0] % 30 + 1)", "leave()"),
    "an error's class": ("def fail():\n    raise type(f'E{seen}', (Exception,), {})()", "fail()"),
    "a function's name": (
        "def named(): pass\nnamed.__name__ = str(seen)", "assert named.__name__ == 'named'"
    ),
    "a described value": ("class Own:\n    __repr__ = lambda self: str(seen)\nown = Own()",
                          "own.shape"),
    "a dtype": ("array = __import__('numpy').zeros(1, [(f'f{x}', 'f4') for x in seen] or 'f4')",
                "checks.array('array', array, dtype='float64')"),
    "a shape": ("array = __import__('numpy').zeros((seen + [1])[0] % 4096)",
                "checks.array('array', array, shape=(0,))"),
    "a warning": ("import warnings\ndef warn():\n    warnings.warn(str(seen))", "warn()\nassert 0"),
    "a signature": (
        "def takes(): pass\n"
        "import inspect\n"
        "takes.__signature__ = inspect.Signature([inspect.Parameter(f'p{x}', 1) for x in seen])",
        "import inspect\nassert not str(inspect.signature(takes)), str(inspect.signature(takes))",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REVEAL)
def test_no_visible_line_reveals_the_input_of_an_earlier_hidden_test(grade, name):
    source, test = REVEAL[name]
    graded = grade(answer(KEEP), KEEPS_INPUT, answer(source, "own"), check(test), check("assert 0"))
    assert graded.error("keeps") is None
    views = graded.all_views()
    hexadecimal = f"{48271605 % 251}|{48271605 % 30 + 1}|{48271605 % 4096}"
    assert "48271605" not in views
    if name in ("an exit code", "a signal", "a shape"):
        assert not re.search(rf"\b({hexadecimal})\b", views)


def test_the_time_that_was_left_is_not_shown(grade):
    graded = grade(
        answer("import time\ndef wait(x):\n    time.sleep(x)\n    while x > 0.5: pass"),
        check(HIDDEN.format(visible="", hidden="wait(0.3)\nwait(0.7)", after="")),
        cell_seconds=1.15,
    )
    assert re.search("because the test's time was up|for more than 1.15 s", graded.error("test"))
    assert not re.search(r"0\.[0-9]", graded.all_views())


def test_the_cells_that_fail_do_not_encode_the_input_of_a_hidden_test(grade):
    cells = [answer(f"keep\nassert not seen or seen[0] >> {bit} & 1", f"bit{bit}")
             for bit in range(27)]  # fmt: skip
    graded = grade(answer(KEEP), KEEPS_INPUT, *cells, check("keep(0)\nassert False"))
    assert len([bit for bit in range(27) if graded.error(f"bit{bit}")]) > 5
    assert not any(graded.view(f"bit{bit}") for bit in range(27))


def test_a_hidden_line_shows_at_most_a_fixed_number_of_characters(grade):
    test = "checks.show(f'{many()}')\nchecks.show(f'{many()}')\nchecks.equal(many(), many(), 0)"
    graded = grade(
        answer("def many():\n    return 'xyz' * 200"),
        check(HIDDEN.format(visible="", hidden=test, after=""), "all"),
        check(HIDDEN.format(visible="", hidden="assert False, many()", after=""), "message"),
        check(HIDDEN.format(visible="", hidden="print(many())", after="many()"), "passed"),
    )
    for name in ("all", "message", "passed"):
        view = graded.view(name)
        shown = view["printed"] + "".join((view["reason"] or {}).values())
        assert len(re.findall("[xyz]", shown)) <= MAX_CHOSEN
        assert len("".join(view["items"])) <= MAX_CHOSEN


def test_the_texts_of_a_hidden_test_itself_are_shown_in_full(grade):
    lines = [f"checks.show('{letter}: not right. ' + {'Look again. ' * 20!r})" for letter in "abcd"]
    test = "\n".join([*lines, "checks.equal('the fifth', got, 8, 'Count again. ' * 3)"])
    test = test.replace("'Count again. ' * 3", repr("Count again. " * 20))
    graded = grade(
        answer("got = 7"), check(HIDDEN.format(visible="", hidden=test, after=""), "test")
    )
    view = graded.view("test")
    assert len(view["items"]) == 4 and view["reason"]["got"] == "got 7"
    assert view["reason"]["hint"] == "Count again. " * 20


# Names that belong to the grader or to the student.


def test_a_name_that_a_test_defines_is_available_to_later_student_cells(grade):
    graded = grade(
        answer("def build():\n    return [1]", "first"),
        check("m = build()\nassert m == [1]", "test_first"),
        answer("m.append(2)\nlength = len(m)", "second"),
        check("assert length == 2 and m == [1, 2]", "test_second"),
    )
    assert graded.error("test_first") is None
    assert graded.error("second") is None
    assert graded.error("test_second") is None


def test_a_name_that_a_test_defines_stays_the_graders_if_no_answer_mentions_it(grade):
    graded = grade(
        answer("right = 2", "first"),
        check("### BEGIN HIDDEN TESTS\nexpected = 4\n### END HIDDEN TESTS\nx = 0", "test_first"),
        own("globals()['expec' + 'ted'] = 5"),
        answer("result = 5", "second"),
        check("assert result == expected", "test_second"),
    )
    assert graded.error("test_first") is None
    assert graded.error("test_second").startswith("AssertionError")


def test_imports_and_helpers_stay_the_graders_whatever_the_student_binds(grade):
    graded = grade(
        locked("def close(a, b):\n    return abs(a - b) < 1e-6", "helper"),
        answer(
            "import builtins\n"
            "class np:\n    pass\n"
            "close = checks = keras = lambda *a, **k: True\n"
            "abs = len = isinstance = lambda *a: 0\n"
            "result = 5.0"
        ),
        check("assert close(result, 6.0)", "helped"),
        check("np.testing.assert_allclose(result, 6.0)", "numpy"),
        check("checks.equal('x', result, 6.0)", "checked"),
        check("assert abs(result - 6.0) < 1e-6", "builtin"),
        check("assert isinstance(result, float) and abs(result - 5.0) == 0", "right"),
    )
    for name in ("helped", "numpy", "checked", "builtin"):
        assert graded.error(name), name
    assert graded.error("right") is None


def test_a_helper_that_needs_the_students_names_comes_from_the_student(grade):
    graded = grade(
        answer("def half(x):\n    return x / 2"),
        locked("quarter = half(half(8))", "helper"),
        check("assert quarter == 2"),
    )
    assert graded.error("test") is None


def test_a_later_cell_may_redefine_a_name(grade):
    graded = grade(
        answer("x = 1", "first"),
        check("assert x == 1", "test_first"),
        answer("x = 2\ny = 5", "second"),
        check("assert x == 2", "test_second"),
        answer("del y", "third"),
        check("y", "test_third"),
    )
    assert graded.error("test_first") is graded.error("test_second") is None
    assert graded.error("test_third").startswith("NameError")


def test_a_missing_name_is_explained(grade):
    graded = grade(
        answer("raise NotImplementedError('Your answer.')\ncount = 3"),
        check("assert count == 3"),
        check("assert nowhere == 3", "other"),
    )
    assert graded.error("answer") == "NotImplementedError: Your answer."
    assert "'count' is not defined (the cell answer ended with NotImplementedError: Your" in (
        graded.error("test")
    )
    assert graded.error("other").endswith("'nowhere' is not defined")


FAILS = 'raise ValueError("\\U0001f600" * 4000)\n'  # with the longest message that is kept


def test_a_students_own_error_cannot_quote_the_errors_of_many_cells(grade):
    names = [f"n{number}" for number in range(400)]
    quoted = "".join(f"'{name}'" for name in names)
    graded = grade(
        own(FAILS + f"({', '.join(names)},) = 0"),
        answer(f"def double(x):\n    raise NameError({quoted!r})"),
        check("assert double(2) == 4"),
        check("assert n7 == 4", "other"),
    )
    assert graded.error("test") == f"NameError: {quoted}"
    assert "'n7' is not defined (cell 2 ended with ValueError: \U0001f600" in (
        graded.error("other")
    )
    assert len(graded.outcome.to_json()) < 2**20


def test_all_errors_of_a_notebook_together_have_a_budget(grade, monkeypatch):
    """The names of a cell share its message, and the tests keep theirs."""
    monkeypatch.setattr(text_budget, "MAX_BYTES", 200_000)
    names = [[f"a{cell}_{number}" for number in range(1_000)] for cell in range(20)]
    cells = [own(FAILS + f"({', '.join(each)},) = 0") for each in names]
    needed = ", ".join(each[0] for each in names)
    tracemalloc.start()
    graded = grade(*cells, check(f"### BEGIN HIDDEN TESTS\n[{needed}]\n### END HIDDEN TESTS"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    outputs = [graded.outcome.outputs[str(index)][0]["data"] for index in range(1, 21)]
    left_out = [text_budget.LEFT_OUT in each["text/plain"] for each in outputs]
    assert left_out == sorted(left_out) and 3 < left_out.count(False) < 10
    assert outputs[-1][GRADING_ERROR] == {"ename": "ValueError", "evalue": text_budget.LEFT_OUT}
    assert "'a0_0' is not defined (cell 2 ended with" in graded.error("test")
    assert len(graded.outcome.to_json()) < 6 * 200_000
    assert peak < 100 * 2**20


def test_a_test_can_read_the_source_of_a_submitted_cell(grade):
    source = (
        "from course import cell_source\n"
        "assert 'for' in cell_source('answer')\n"
        "assert 'np.sum' not in cell_source('answer')\n"
        "try:\n    cell_source('nowhere')\nexcept Exception as error:\n"
        "    assert 'the cell that defines nowhere has not been run' in str(error)\n"
    )
    graded = grade(answer("total = 0\nfor x in (1, 2):\n    total += x"), check(source))
    assert graded.error("test") is None


def test_files_beside_the_notebook_are_available_to_both_kernels(grade):
    graded = grade(
        answer("text = open('data/a.txt').read()"),
        check("assert text == open('data/a.txt').read() == 'abc'"),
        files=[("data/a.txt", b"abc")],
    )
    assert graded.error("test") is None


# A failure affects only its own cell or test.


def test_a_call_that_hangs_fails_only_its_test(grade):
    graded = grade(
        answer("def slow(x):\n    while x:\n        pass\n    return 7\nother = 3"),
        check("slow(1)", "hangs"),
        check("assert slow(0) == 7", "works"),
        check("assert other == 3", "other"),
    )
    assert "this call was stopped after 1 s" in graded.error("hangs")
    assert graded.error("works") is graded.error("other") is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sum(range(10**13))", "did not stop"),
        ("import os; os._exit(0)", "exited with code 0"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    ],
)
def test_a_call_that_ends_the_process_fails_only_its_test(grade, body, reason):
    graded = grade(
        answer("state = []\ndef bad(x):\n    if x:\n        " + body + "\n    return len(state)"),
        answer("state.append(1)", "more"),
        check("bad(1)", "dies"),
        check("assert bad(0) == 1", "works"),
    )
    assert "this call ended the process" in graded.error("dies")
    assert reason in graded.error("dies")
    assert graded.error("works") is None


def test_a_cell_that_ends_its_process_affects_only_itself(grade):
    graded = grade(
        answer("import os\nx = 1", "first"),
        check("assert x == 1", "test_first"),
        answer("y = 2\nos._exit(5)", "second"),
        check("assert y == 2", "test_second"),
        answer("z = x + 2", "third"),
        check("assert z == 3", "test_third"),
    )
    assert "exited with code 5" in graded.error("second")
    assert "'y' is not defined (the cell second ended with" in graded.error("test_second")
    assert graded.error("test_first") is graded.error("test_third") is None
    assert graded.note is None


def test_a_process_that_ends_repeatedly_is_not_restarted_and_the_note_gives_the_reason(grade):
    cells = []
    for number in range(5):
        cells += [
            answer(f"x{number} = 1\nimport os\nos._exit(1)", f"a{number}"),
            check(f"assert x{number} == 1", f"t{number}"),
        ]
    graded = grade(*cells)
    assert "ended too often" in graded.note
    assert "was not run" in graded.error("a4")
    assert all(graded.error(f"t{number}") for number in range(5))


def test_a_cell_that_takes_too_long_affects_only_itself(grade):
    graded = grade(
        answer("x = 1\nwhile x: pass\nz = 3", "slow"),
        answer("y = 2", "quick"),
        check("assert y == 2"),
        check("assert x == 1 and z == 3", "other"),
        cell_seconds=1,
    )
    assert graded.error("slow") == "Stopped: this cell ran for more than 1 s"
    assert graded.error("test") is None
    assert "the cell slow ended with Stopped" in graded.error("other")


def test_a_test_that_takes_too_long_fails_alone(grade):
    graded = grade(
        answer("x = 1"),
        check("while x: pass", "slow"),
        check("assert x == 1", "quick"),
        cell_seconds=1,
    )
    assert graded.error("slow") == "Stopped: this test ran for more than 1 s"
    assert graded.error("quick") is None


def test_the_time_limit_of_a_test_includes_all_of_its_calls(grade):
    start = time.monotonic()
    graded = grade(
        answer("import time\ndef f():\n    time.sleep(0.5)"),
        check("for _ in range(100): f()", "slow"),
        check("f()", "quick"),
        cell_seconds=1.2,
    )
    assert time.monotonic() - start < 25  # all calls together would take 50 s
    assert re.search(r"ran for more than|was stopped", graded.error("slow"))
    assert graded.error("quick") is None


def test_a_notebook_has_a_time_limit_of_its_own(grade):
    start = time.monotonic()
    slow = [own(f"import time\ntime.sleep(0.8)\nx = {n}") for n in range(10)]
    graded = grade(
        check("assert True", "early"), *slow, answer("x = 1"), check("x"), notebook_seconds=2
    )
    assert time.monotonic() - start < 8
    assert graded.error("early") is None
    assert "the notebook ran for more than 2 s" in graded.error("test")
    assert "the notebook ran for more than 2 s" in graded.note


def test_a_test_that_uses_up_the_time_of_the_notebook_says_so(grade):
    graded = grade(check("while True:\n    pass"), cell_seconds=30, notebook_seconds=2)
    assert "the notebook's time was up while this test ran" in graded.error("test")


def test_no_process_that_knows_a_hidden_input_is_left_when_the_page_is_made(grade, monkeypatch):
    """Giving back much memory takes long; meanwhile, other processes of a kernel still run."""
    source = """
import ctypes, os, time
def keep(x):
    if x > 100:
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, b"keeper", 0, 0, 0)  # PR_SET_NAME
            time.sleep(60)
        block = bytearray(10**9)
        block[::4096] = b"x" * len(block[::4096])
        globals()["block"] = block
    return 0
"""
    runs, names = [], []
    execute = notebook_grader._Run.execute

    def execute_and_count(run):
        for process in descendants(run.student.forkserver._process.pid):
            with contextlib.suppress(OSError):
                names.append(Path(f"/proc/{process}/comm").read_text(errors="replace").strip())
        execute(run)
        runs.append(run)

    monkeypatch.setattr(notebook_grader._Run, "execute", execute_and_count)
    test = HIDDEN.format(visible="keep(1)", hidden="assert keep(4711) == 1", after="")
    grade(answer(source, "keep"), check(test))
    assert len(runs) == 2 and runs[0].student.is_gone
    assert names and "keeper" not in names


def test_a_run_for_the_page_that_runs_out_of_time_gives_no_reason(grade):
    hidden = "checks.equal('y', y, 3)"
    test = HIDDEN.format(visible="checks.that('y is positive', y > 0)", hidden=hidden, after="")
    slow = own("import time\ntime.sleep(4)")
    graded = grade(slow, answer("y = 2"), check(test), notebook_seconds=7)
    assert "ran for more than" not in graded.all_views() + graded.error("test")
    assert "y" in graded.view("test")["reason"]["subject"]


def test_a_failing_locked_cell_stops_the_grading_with_its_name(grade):
    with pytest.raises(CourseError, match="locked cell helper of 01-small fails during grading"):
        grade(locked("1 / 0", "helper"), answer("x = 1"), check("x"))


@pytest.mark.parametrize(
    ("points", "last_line", "credit"),
    [
        (4, "2.5", 2.5), (4, "99", 4), (4, "-3", 0), (4, "float('nan')", 0), (4, "True", 1),
        (4, "np.float32(1.5)", 1.5), (4, "3 * (count == 5)", 0), (4, "3 * (array == 5)", 0),
        (4, "1.2345678", 1.23),
        (4, "array[:1]", 0),
        (4, "array", 0), (4, "text", 0), (4, "10**400", 0), (4, "None", None), (4, "x = 3", None),
    ],
)  # fmt: skip
def test_partial_credit_is_a_number_from_0_to_the_points(grade, points, last_line, credit):
    graded = grade(
        answer("import numpy as np\ncount, array, text = np.int64(4), np.array([5, 5]), '4'"),
        check(f"count, array, text\n{last_line}", partial=True, points=points),
        check(f"count, array, text\n{last_line}", "whole", points=points),
    )
    assert graded.error("test") is graded.error("whole") is None
    assert graded.credit("test") == credit
    assert graded.credit("whole") is None


@pytest.mark.parametrize("number", ["np.int8(-115)", "np.array(-115, np.int8)", "np.float16(7848)"])
def test_a_wrong_number_of_a_narrow_type_is_as_wrong_as_the_same_python_number(grade, number):
    for source in (number, f"float({number})"):
        graded = grade(
            answer(f"import numpy as np\nestimate = {source}\ndef count():\n    return estimate"),
            check("max(0.0, 2 - abs(estimate - 13) / 10)", partial=True, points=2),
            check("assert abs(count() - 7850) < 0.5", "counted"),
        )
        assert graded.credit("test") == 0 and graded.error("counted")


# Forged answers of a student's process.

FORGE = """
import course.instructor.grading.student_worker as s
real = {name: getattr(s.StudentWorker, name) for name in ("_fetch", "_call", "_weights", "_run")}
def double(x):
    return 0
result = 0
"""
FORGED_ANSWERS = {
    "nothing": "{}",
    "raised nothing": "{'raised': 5}",
    "raised lists": "{'raised': [['a'], {}]}",
    "value of a wrong kind": "{'value': 5, 'printed': 5, 'changed': 5}",
    "changed out of range": "{'value': ['int', '0x0'], 'changed': [[9, 5], [-1, ['none']]]}",
    "changed no pairs": "{'value': ['int', '0x0'], 'changed': [5, [], None, [1, 2, 3]]}",
    "values of a wrong kind": "{'values': 5}",
    "gone": "{'no_answer': 'the end', 'late': 5, 'op': 'done', 'error': None, 'value': '9.0'}",
    "a list": "[1, 2]",
    "none": "None",
    "deep": "{'value': __import__('json').loads('[' * 900 + ']' * 900)}",
}


@pytest.mark.parametrize("name", FORGED_ANSWERS)
def test_a_forged_answer_fails_only_its_own_tests(grade, name):
    graded = grade(
        answer(FORGE + f"s.StudentWorker._call = lambda *a: ({FORGED_ANSWERS[name]}, [])"),
        check("assert double(4) == 8", "call"),
        check("assert result == 8", "value"),
        check("assert 1 + 1 == 2", "free"),
    )
    assert graded.error("call") and graded.error("value")
    assert graded.error("free") is None


@pytest.mark.parametrize("name", FORGED_ANSWERS)
def test_forged_values_fail_only_their_own_tests(grade, name):
    graded = grade(
        answer(FORGE + f"s.StudentWorker._fetch = lambda *a: ({FORGED_ANSWERS[name]}, [])"),
        check("assert double(4) == 8", "call"),
        check("assert result == 8", "value"),
        check("assert 1 + 1 == 2", "free"),
    )
    assert graded.error("call") and graded.error("value")
    assert graded.error("free") is None


def test_values_that_were_not_requested_are_ignored(grade):
    graded = grade(
        answer(
            FORGE
            + """
def fetch(self, header, blocks):
    answer, blocks = real["_fetch"](self, header, blocks)
    for name in ("abs", "np", "checks", "close", "expected", "isinstance", "print"):
        answer["values"][name] = ["function", self.register(lambda *a: 0), name, None]
    answer["values"]["expected"] = ["int", "0x0"]
    return answer, blocks
s.StudentWorker._fetch = fetch
"""
        ),
        check("expected = 8\nassert result == 0", "sets"),
        check("assert abs(result - 8) < 1e-6", "builtin"),
        check("np.testing.assert_equal(result, 8)", "module"),
        check("assert result == expected", "comparison"),
    )
    assert graded.error("sets") is None
    for name in ("builtin", "module", "comparison"):
        assert graded.error(name), name


def test_names_of_a_grader_process_that_ended_do_not_become_the_students(grade):
    graded = grade(
        answer(
            FORGE
            + "\nimport time\ndef slow():\n    time.sleep(0.1)\nglobals()['expec' + 'ted'] = 0\n"
        ),
        check("expected = 8\nassert result == 0", "sets"),
        check("while True: slow()", "lost"),
        check("import os\nresult\nos._exit(1)", "dies"),
        check("assert result == expected", "comparison"),
        cell_seconds=1.5,
    )
    assert graded.error("sets") is None
    for name in ("lost", "dies", "comparison"):
        assert graded.error(name), name


@pytest.mark.parametrize(
    "error",
    [
        "{'class_name': ['a'], 'message': {}, 'lines': ['x'], 'source_line': 5}",
        "{'class_name': '<b>', 'message': '\\x1b[31m' + 'x' * 10**6, 'lines': [3],"
        " 'source_line': 'y' * 10**6}",
        "{'class_name': '<b>', 'message': 'x', 'lines': 5}",
        "'no description'",
        "['class_name']",
        "{}",
    ],
)
def test_a_forged_error_is_plain_and_short(grade, error):
    graded = grade(
        answer(FORGE + f"s.StudentWorker._run = lambda *a: ({{'error': {error}}}, [])", "first"),
        answer("y = 2", "second"),
        check("assert result == 8"),
    )
    for output in graded.outputs["second"]:
        assert type(output["data"]["text/plain"]) is str
        assert all(type(text) is str for text in output["data"][GRADING_ERROR].values())
        assert len(str(output)) < 10_000 and "\x1b" not in str(output)
    assert graded.error("test")


def test_a_later_error_does_not_reveal_the_inputs_of_hidden_tests(grade):
    numbers = " ".join(map(str, range(4000, 5000)))
    graded = grade(
        answer("w, seen = [], []\ndef double(x):\n    seen.append(x)\n    return x"),
        check("double(1)\n### BEGIN HIDDEN TESTS\ndouble(48271605)\n### END HIDDEN TESTS"),
        answer("w.append(1)\nraise ValueError(repr(seen))", "message"),
        answer("w.append(1)\nclass Stopped(Exception): pass\nraise Stopped(repr(seen))", "stopped"),
        answer("w.append(1)\nraise type(f'E{max(seen)}Error', (ValueError,), {})('')", "class"),
        answer(f"w.append(1)\nnumbers = '{numbers}'\nraise ValueError(str(max(seen))[:4])", "list"),
        answer("w.append(1)\nraise NameError(f\"name 'x{max(seen)}' is not defined\")", "name"),
        answer(
            "import course.instructor.grading.student_worker as s\n"
            "lie = dict(message='', source_line=repr(seen), lines=[max(seen)])\n"
            "s.StudentWorker._run = lambda *a: ({'error': lie | {'class_name': 'ValueError'}}, [])",
            "patched",
        ),
        answer("w.append(2)", "line"),
        answer("w.append(seen[5])", "honest"),
        check("assert w and missing", "test_last"),
    )
    for name in ("message", "stopped", "class", "list", "name", "line"):
        assert graded.error(name), name
    assert "4827" not in graded.all_views()
    # What the cells raise without the hidden input is shown, and the instructor sees both.
    assert graded.view("message") == {"ename": "ValueError", "evalue": "[1]"}
    assert graded.error("message") == "ValueError: [1, 48271605]"


TWO_TRIES = """
def guess():
    return 0 if "'fig" + "ure':" in "{0.__globals__}".format(guess) else 1

def fails_first():
    if guess() == 0:
        return 1
    raise NameError("name 'figure' is not defined")
"""


def test_no_test_is_repeated_whatever_a_function_answers_or_raises(grade):
    graded = grade(
        answer(TWO_TRIES),
        given("figure = 1"),
        check("assert guess() == 0", "guess"),
        check("assert fails_first() == 1", "name"),
        check("assert guess() == 1", "after"),
    )
    assert graded.error("guess") and graded.error("after") is None
    missing = "NameError: name 'figure' is not defined (cell 3 was not run, because no test "
    assert graded.error("name").startswith(missing)


def test_the_names_that_hidden_lines_read_are_not_shown(grade):
    # The text of all global names, read in a way that the analysis of the cell does not see.
    lister = "text = '{0.__globals__}'.format(lambda: 0)\nnames = [f'limit_{x}' for x in 'abc']\n"
    lister += "raise Exception([name for name in names if repr(name) + ':' in text])"
    graded = grade(
        given("limit_a = 10"),
        given("limit_b = 20"),
        given("limit_c = 30"),
        answer(lister, "lister"),
        check(
            "assert limit_c == 30\n### BEGIN HIDDEN TESTS\nassert limit_b == 21\n"
            "### END HIDDEN TESTS"
        ),
    )
    assert graded.error("lister") == "Exception: ['limit_b', 'limit_c']"
    assert graded.view("lister")["evalue"] == "['limit_c']"


def test_a_cell_is_run_if_a_function_may_read_its_names_when_a_test_calls_it(grade):
    graded = grade(
        answer("def late(x):\n    return getattr(__import__('__main__'), 'fig' + 'ure')"),
        given("figure = 1"),
        check("assert late(1) == 1"),
    )
    assert graded.error("test") is None
    graded = grade(
        answer("class Scaled:\n    def times(self, x):\n        return x * factor"),
        answer("from functools import partial\ntwice = partial(Scaled().times)", "other"),
        given("factor = 2"),
        given("figure = 1 / 0"),
        check("assert twice(3) == 6"),
    )
    assert graded.error("test") is None


def test_a_cell_is_run_if_the_one_that_binds_its_name_again_fails(grade):
    graded = grade(
        given("count = 2"),
        answer("1 / 0\ncount = 3"),
        check("assert count == 2"),
    )
    assert graded.error("test") is None


HUGE = """
def huge(x):
    return 10**15_000

def nested(x):
    return {"a": [10**15_000]}

value = 10**15_000
largest = 2**4095
"""


def test_an_integer_that_cannot_be_written_out_has_a_reason(grade):
    graded = grade(
        answer(HUGE),
        check("checks.equal('huge(1)', huge(1), 2)", "returned"),
        check("checks.equal('nested(1)', nested(1), {'a': [2]})", "nested"),
        check("checks.equal('value', value, 2)", "variable"),
        check("assert str(largest) and f'{largest**3:,}'", "largest"),
    )
    for name in ("returned", "nested", "variable"):
        assert "it is too large" in graded.error(name).lower(), graded.error(name)
    assert graded.error("largest") is None


FORGED = """
import course.instructor.grading.serialize as serialize

def broken(x):
    return 2 * x

first = 1
serialize.Serializer.serialize = lambda self, value, depth=0: NODE
"""


@pytest.mark.parametrize(
    "node", [["array", "f4,(", [1], 0], ["scalar", "complex256", 0], ["array", "x" * 99, [], 0]]
)
def test_a_malformed_type_of_an_array_fails_only_the_tests_that_use_it(grade, node):
    graded = grade(
        check("kept = 5", "before"),
        answer(FORGED.replace("NODE", repr(node))),
        check("assert first == 1", "variable"),
        check("assert kept == 5", "after"),
    )
    assert graded.error("variable").startswith("AssertionError")
    assert graded.error("after") is None


def test_a_job_with_an_undecodable_file_name_has_a_digest():
    job = GradingJob("a", "b", "c", [], [("\udcff.txt", b"")], ReferenceNotebook([], {}, ""))
    assert GradingJob.from_json(job.to_json()).digest() == job.digest()
