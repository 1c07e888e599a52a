import collections

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from course import checks
from course.checks import CheckFailed
from course.errors import CourseError

MISTAKES = {64: "Biases alone."}


class AlwaysEqual:
    """A student's object that equals everything."""

    def __eq__(self, other):
        return True

    __hash__ = object.__hash__


class CunningInt(int):
    """A student's number that passes every comparison."""

    def __eq__(self, other):
        return True

    def __ge__(self, other):
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize(
    ("check", "arguments", "line"),
    [
        (checks.that, ("every weight is trainable", True), "every weight is trainable"),
        (checks.that, ("any is", np.True_), "any is"),
        (checks.equal, ("total", 1_199_882, 1_199_882), "total: 1,199,882"),
        (checks.equal, ("rate", 0.25, 0.25), "rate: 0.25"),
        (checks.equal, ("rate", np.float32(0.25), 0.25), "rate: 0.25"),
        (checks.equal, ("total", np.int64(3), 3), "total: 3"),
        (checks.equal, ("total", 3, 3.0), "total: 3"),
        (checks.equal, ("padded", np.True_, True), "padded: True"),
        (checks.equal, ("loss", "mse", "mse"), "loss: 'mse'"),
        (checks.equal, ("shape", (2, np.int64(3)), (2, 3)), "shape: (2, np.int64(3))"),
        (checks.equal, ("shapes", {"in": [(1,)]}, {"in": [(1,)]}), "shapes: {'in': [(1,)]}"),
        (checks.answer, ("total", np.int32(18_496), 18_496), "total: 18,496"),
        (checks.one_of, ("loss", "mae", ["mse", "mae"]), "loss: 'mae'"),
        (checks.close, ("sum", 0.1 + 0.2, 0.3), "sum"),
        (checks.close, ("rows", [[1.04, 2]], np.array([[1, 2]]), 0.05), "rows"),
        (checks.at_least, ("accuracy", np.float32(0.5), 0.5), "accuracy: 0.5 (at least 0.5)"),
        (checks.at_least, ("epochs", 12, 2), "epochs: 12 (at least 2)"),
    ],
)
def test_a_passed_check_prints_one_line(check, arguments, line, capsys):
    check(*arguments, hint="Not shown.")
    assert capsys.readouterr().out == f"ok: {line}\n"


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ({}, "images: an array"),
        ({"shape": (2, 3)}, "images: (2, 3)"),
        ({"shape": [2, 3], "dtype": "float32"}, "images: [2, 3], float32"),
    ],
)
def test_a_correct_array_prints_one_line(expected, line, capsys):
    checks.array("images", np.zeros((2, 3), "float32"), **expected)
    assert capsys.readouterr().out == f"ok: {line}\n"


@pytest.mark.parametrize(
    ("check", "arguments", "sentence"),
    [
        (checks.that, ("it learns", False), "it learns: this is not true yet."),
        (checks.equal, ("total", 18_432, 18_496), "total: got 18,432, expected 18,496."),
        (checks.equal, ("total", None, 3), "total: got None, expected 3."),
        (checks.equal, ("total", ..., 3), "total: got Ellipsis, expected 3."),
        (checks.equal, ("total", "3", 3), "total: got '3', expected 3."),
        (checks.equal, ("rate", float("nan"), 0.5), "rate: got nan, expected 0.5."),
        (checks.equal, ("padded", 1, True), "padded: got 1, expected True."),
        (checks.equal, ("total", True, 1), "total: got True, expected 1."),
        (checks.equal, ("shape", [2, 3], (2, 3)), "shape: got [2, 3], expected (2, 3)."),
        (checks.equal, ("shape", (2, 3), [2, 3]), "shape: got (2, 3), expected [2, 3]."),
        (checks.equal, ("shape", (2,), (2, 3)), "shape: got (2,), expected (2, 3)."),
        (checks.equal, ("map", {"a": True}, {"a": 1}), "map: got {'a': True}, expected {'a': 1}."),
        (checks.equal, ("map", {"b": 1}, {"a": 1}), "map: got {'b': 1}, expected {'a': 1}."),
        (checks.one_of, ("loss", "mape", ["mse", 2]), "loss: got 'mape', expected 'mse' or 2."),
        (checks.array, ("x", [1, 2]), "x: got [1, 2] (a list), expected an array."),
        (checks.array, ("x", None), "x: got no answer, expected an array."),
        (checks.close, ("x", 2.5, 3), "x: got 2.5, expected 3."),
        (checks.close, ("x", float("nan"), 3), "x: got nan, expected 3."),
        (checks.close, ("x", float("inf"), 3), "x: got inf, expected 3."),
        (checks.close, ("x", [1, 5, 6], [1, 2, 3]),
         "x: got 5 at index (1,), expected 2 (2 of 3 values differ)."),
        (checks.close, ("x", [[1, np.nan]], [[1, np.nan]]),
         "x: got nan at index (0, 1), expected nan (1 of 2 values differ)."),
        (checks.close, ("x", [1, 2], [[1, 2]]), "x: got shape (2,), expected (1, 2)."),
        (checks.close, ("x", [1], 1), "x: got shape (1,), expected ()."),
        (checks.close, ("x", {"a": 1}, 3), "x: got {'a': 1} (a dict), expected 3."),
        (checks.close, ("x", ..., 3), "x: got no answer, expected 3."),
        (checks.close, ("x", None, 3), "x: got no answer, expected 3."),
        (checks.close, ("x", "3", 3), "x: got '3' (a str), expected 3."),
        (checks.close, ("x", 2.000003, 2), "x: got 2.000003, expected 2."),
        (checks.close, ("x", [0, 12345.678], [0, 12345.6784]),
         "x: got 12345.678 at index (1,), expected 12345.6784 (1 of 2 values differ)."),
        (checks.close, ("x", 1.0, 1 + 2**-52, 0), "x: got 1.0, expected 1.0000000000000002."),
        (checks.equal, ("x", np.float32(0.1), 0.1), "x: got 0.100000001, expected 0.1."),
        (checks.equal, ("x", 3, 3.0000001), "x: got 3, expected 3.0000001."),
        (checks.equal, ("x", [0.25] * 40, [0.25] * 39 + [0.25000001]),
         "x: got 0.25 at index 39, expected 0.25000001."),
        (checks.equal, ("x", 0.3, 0.1 + 0.2), "x: got 0.3, expected 0.30000000000000004."),
        (checks.one_of, ("x", 0.50000001, [0.5, 1]), "x: got 0.50000001, expected 0.5 or 1."),
        (checks.at_least, ("x", 0.49, 0.5), "x: got 0.49, expected at least 0.5."),
        (checks.at_least, ("x", float("nan"), 0.5), "x: got nan, expected at least 0.5."),
        (checks.at_least, ("x", 0.9699999, 0.97), "x: got 0.9699999, expected at least 0.97."),
        (checks.at_least, ("x", None, 0.5), "x: got None, expected at least 0.5."),
        (checks.at_least, ("x", "0.9", 0.5), "x: got '0.9', expected at least 0.5."),
        (checks.at_least, ("x", True, 0.5), "x: got True, expected at least 0.5."),
    ],
)  # fmt: skip
def test_a_failed_check_says_what_it_got_what_it_expected_and_the_hint(check, arguments, sentence):
    with pytest.raises(CheckFailed) as failure:
        check(*arguments, hint="The common mistake.")
    assert str(failure.value) == f"{sentence} The common mistake."
    with pytest.raises(AssertionError) as failure:
        check(*arguments)
    assert str(failure.value) == sentence


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        ({"shape": (2, 3, 1)}, "x: got shape (2, 3), expected (2, 3, 1). Add an axis."),
        ({"dtype": "float32"}, "x: got values of type uint8, expected float32. Add an axis."),
    ],
)
def test_an_array_of_the_wrong_shape_or_type_fails(expected, sentence):
    with pytest.raises(CheckFailed) as failure:
        checks.array("x", np.zeros((2, 3), "uint8"), **expected, hint="Add an axis.")
    assert str(failure.value) == sentence


def test_equal_gives_the_reason_for_a_mistake_instead_of_the_expected_value():
    with pytest.raises(CheckFailed) as failure:
        checks.equal("total", np.int64(64), 18_496, hint="Unused.", mistakes=MISTAKES)
    assert str(failure.value) == "total: got 64. Biases alone."
    with pytest.raises(CheckFailed, match=r"^total: got 65, expected 18,496\. Look again\.$"):
        checks.equal("total", 65, 18_496, hint="Look again.", mistakes=MISTAKES)


@pytest.mark.parametrize(
    ("got", "sentence"),
    [
        (64, "total: 64 is not right. Biases alone."),
        (64.0, "total: 64 is not right. Biases alone."),
        (65, "total: 65 is not right. Look again."),
        (None, "total: there is no answer yet."),
        (..., "total: there is no answer yet."),
        (True, "total: True is not right. Look again."),
        (float("nan"), "total: nan is not right. Look again."),
        ("64", "total: '64' is not right. Look again."),
        ([64], "total: [64] is not right. Look again."),
    ],
)
def test_answer_never_reveals_the_expected_value(got, sentence):
    with pytest.raises(CheckFailed) as failure:
        checks.answer("total", got, 18_496, hint="Look again.", mistakes=MISTAKES)
    assert str(failure.value) == sentence  # which does not contain 18,496


@pytest.mark.parametrize(
    "check",
    [
        lambda got: checks.equal("x", got, 3),
        lambda got: checks.equal("x", [got], [3]),
        lambda got: checks.equal("x", {"a": got}, {"a": 3}),
        lambda got: checks.answer("x", got, 3),
        lambda got: checks.one_of("x", got, [3, 4]),
        lambda got: checks.close("x", got, 3),
        lambda got: checks.at_least("x", got, 3),
    ],
    ids=["equal", "equal in a list", "equal in a dict", "answer", "one_of", "close", "at_least"],
)
@pytest.mark.parametrize("got", [AlwaysEqual(), CunningInt(1)], ids=["AlwaysEqual", "CunningInt"])
def test_an_object_that_equals_everything_does_not_pass(check, got):
    with pytest.raises(CheckFailed):
        check(got)


HUGE = 10**5_000  # Python refuses to write it out


@pytest.mark.parametrize(
    "got",
    [HUGE, -HUGE, [HUGE], {"a": (HUGE,)}, 10**4_000],
    ids=["plus", "minus", "list", "dict", "long"],
)
@pytest.mark.parametrize(
    "check",
    [
        lambda got: checks.equal("x", got, 1),
        lambda got: checks.equal("x", got, HUGE + 1),
        lambda got: checks.answer("x", got, 1),
        lambda got: checks.one_of("x", got, [1, 2]),
        lambda got: checks.close("x", got, 1.0),
        lambda got: checks.array("x", got),
        lambda got: checks.at_least("x", got, HUGE * 2),
    ],
)
def test_a_number_with_too_many_digits_has_a_short_reason(check, got):
    with pytest.raises(CheckFailed) as failure:
        check(got)
    assert len(str(failure.value)) < 200


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda words: words[:7] + words[8:], "got 'word 8' at index 7, expected 'word 7'."),
        (lambda words: words[:-1], "got no entry at index 29, expected 'word 29'."),
        (lambda words: [*words, 10**5_000], "expected no entry."),
    ],
    ids=["missing", "too short", "too long"],
)
def test_of_two_long_lists_only_the_first_difference_is_shown(change, finding):
    words = [f"word {index}" for index in range(30)]
    with pytest.raises(checks.CheckFailed) as failure:
        checks.equal("the layers", change(words), words)
    assert str(failure.value).endswith(finding)


def test_a_long_value_is_cut_and_stays_on_one_line():
    with pytest.raises(CheckFailed) as failure:
        checks.equal("x", np.zeros((40, 40)), 1)
    assert "\n" not in str(failure.value)
    assert str(failure.value).endswith("..., expected 1.")
    assert len(str(failure.value)) < 160


@pytest.mark.parametrize(
    ("check", "got", "expected"),
    [
        (checks.equal, CunningInt(3), 3),
        (checks.equal, collections.OrderedDict(a=1), {"a": 1}),
        (checks.equal, collections.namedtuple("Shape", "rows columns")(2, 3), (2, 3)),
        (checks.answer, np.str_("b"), "b"),
        (checks.one_of, CunningInt(3), [2, 3]),
        (checks.at_least, CunningInt(3), 3),
        (checks.close, np.matrix([[1, 2]]), [[1, 2]]),
        (checks.close, np.ma.array([1, 2]), [1, 2]),
    ],
)
def test_an_object_of_a_derived_class_counts_as_what_it_contains_as_in_grading(
    check, got, expected
):
    check("x", got, expected)


@pytest.mark.parametrize(
    "check", [lambda got: checks.close("x", got, [1, 2]), lambda got: checks.array("x", got)]
)
def test_an_array_with_masked_entries_fails_as_in_grading(check):
    with pytest.raises(CheckFailed) as failure:
        check(np.ma.array([1, 2], mask=[False, True]))
    assert str(failure.value) == (
        "x: tests cannot use this value during grading. It is an array with masked entries:"
        " replace them with numbers."
    )


@pytest.mark.slow
def test_a_network_passes_if_grading_can_rebuild_it(capsys):
    from tests.gradable.spellings import ACCEPTED, REDUCED, REJECTED

    checks.network("it returns a network", ACCEPTED["tf.nn"][0](), "Did you return it?")
    assert capsys.readouterr().out == "ok: it returns a network\n"
    with pytest.raises(CheckFailed, match=r"got no answer, expected a network\. Did you return it"):
        checks.network("it returns a network", None, "Did you return it?")
    with pytest.raises(CheckFailed) as failure:
        checks.network("it returns a network", REJECTED["own call"][0](), "Did you return it?")
    assert str(failure.value) == (
        "it returns a network: tests cannot use this value during grading. Its class OwnCall"
        " changes call: build the network with keras.Sequential or with"
        " keras.Model(inputs, outputs)."
    )
    own_loss = REDUCED["own loss"][0]()
    checks.network("it returns a network", own_loss)
    with pytest.raises(
        CheckFailed,
        match=r"Its loss own_loss is not one of Keras's own: use one from keras.losses\.",
    ):
        checks.network("it is compiled", own_loss, compiled=True)
    checks.network("it is compiled", REDUCED["own metric"][0](), compiled=True)


@pytest.mark.slow
def test_tensors_of_the_backend_count_as_arrays():
    import keras

    ones = keras.ops.ones((2, 3))
    checks.array("x", ones, shape=(2, 3), dtype="float32")
    checks.close("x", ones, np.ones((2, 3)))
    with pytest.raises(CheckFailed, match=r"got shape \(2, 3\), expected \(3, 2\)\."):
        checks.array("x", ones, shape=(3, 2))


@pytest.mark.slow
def test_a_symbolic_tensor_fails_the_check():
    import keras

    # The mistake: the output of a layer instead of that of model.predict(...).
    with pytest.raises(CheckFailed, match=r"^x: "):
        checks.array("x", keras.Input((3,)), dtype="float32")


def test_a_notebook_shows_one_line_and_no_traceback():
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("from course import checks\nchecks.equal('x', 1, 2, 'Add.')"),
        nbformat.v4.new_code_cell("import course\ncourse.setup(profile='huge')"),
    ]
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute()
    (check,), (error,) = (cell.outputs for cell in notebook.cells)
    assert check.traceback == ["Not yet: x: got 1, expected 2. Add."]
    assert check.ename == CheckFailed.__name__
    (line,) = error.traceback
    assert line.startswith(f"{CourseError.__name__}: profile='huge' is not a profile")
    assert "\n" not in line


@pytest.mark.parametrize(
    "source",
    [
        "def conv2d(image, kernels):\n    return np.sum(image * kernels)",
        "windows = np.lib.stride_tricks.sliding_window_view(image, (2, 2))",
        "import numpy as np\nimport math\nsums = np.zeros(3)",
        "def field(layers):\n    for layer in layers:\n        layer.window",
        "# scipy would do it: keras.ops.conv",
        'print("np.convolve")',
        "convolve = my_own(image)\nconvolve(2)",
    ],
)
def test_code_without_library_convolutions_passes(source, capsys):
    checks.written_without("conv2d", source)
    assert capsys.readouterr().out == "ok: conv2d doesn't call a library's convolution function\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("sums = np.convolve(signal, weights)", "numpy.convolve"),
        ("import numpy\nsums = numpy.correlate(a, b)", "numpy.correlate"),
        ("import numpy as n\nsums = n.convolve(a, b)", "numpy.convolve"),
        ("from numpy import convolve as c\nc(a, b)", "numpy.convolve"),
        ("f = np.fft.rfft2(image)", "numpy.fft.rfft2"),
        ("maps = keras.ops.conv(image, kernels)", "keras.ops.conv"),
        ("layer = layers.Conv2D(2, 3)", "layers.Conv2D"),
        ("def f():\n    from scipy.signal import correlate2d", "scipy.signal.correlate2d"),
        ("import scipy.signal as s", "scipy.signal"),
        ("import torch.nn.functional", "torch.nn.functional"),
        ("jax.lax.conv(a, b)", "jax.lax.conv"),
        ('eval("np.con" + "volve")', "eval"),
        ('importlib.import_module("scipy")', "importlib.import_module"),
    ],
)
def test_the_library_function_that_computes_a_convolution_is_named(source, found):
    with pytest.raises(CheckFailed) as failed:
        checks.written_without("conv2d", source, hint="Write the loops.")
    assert str(failed.value) == f"conv2d: the cell uses {found}. Write the loops."


def test_other_names_can_be_forbidden():
    with pytest.raises(CheckFailed, match=r"f: the cell uses numpy\.einsum\."):
        checks.written_without("f", "np.einsum('i,i', a, b)", names=["numpy.einsum"])
    checks.written_without("f", "np.einsum_path(a)", names=["numpy.einsum"])


def test_code_that_is_not_valid_python_fails_with_a_sentence():
    with pytest.raises(CheckFailed, match=r"f: line 2 of the cell is not valid Python\."):
        checks.written_without("f", "x = 1\n%matplotlib inline")


def overwrite(values, extra=None):
    values[0] = 0
    return values


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((np.ones(3),), {}),
        (([1, 2],), {}),
        (({0: 1},), {}),
        ((), {"values": np.full(2, np.nan)}),
    ],
)
def test_a_function_that_changes_its_arguments_is_found_and_gets_copies(arguments, named):
    before = str((arguments, named))
    with pytest.raises(CheckFailed, match=r"^images: the function changes its arguments. Copy."):
        checks.unchanged("images", overwrite, *arguments, hint="Copy.", **named)
    value, positional, changed = checks.call_with_copies(overwrite, *arguments, **named)
    assert value is [*positional, *changed.values()][0] and value[0] == 0
    assert str((arguments, named)) == before


def test_a_call_returns_the_value_or_names_the_shapes_that_do_not_match():
    def added(first, second, factor=1):
        return factor * (first + second)

    assert checks.call("it", added, 1, second=2, factor=3) == 9
    with pytest.raises(CheckFailed, match=r"^it: ValueError: operands .* \(3,\). Pad first.$"):
        checks.call("it", added, np.ones(2), np.ones(3), hint="Pad first.")
    with pytest.raises(CheckFailed, match=r"^it: IndexError: index 3 .* Order\.$"):
        checks.call("it", np.ones(2).__getitem__, 3, hint="Order.")
    with pytest.raises(NotImplementedError):  # the line of a stub is shown as it is
        checks.call("it", lambda: exec("raise NotImplementedError"))


def test_a_function_that_leaves_its_arguments_as_they_are_passes(capsys):
    nested = {"a": [np.ones(2), (1, "x")], "b": None}
    checks.unchanged("it", lambda *values, **named: None, nested, np.array([np.nan]), more=nested)
    assert capsys.readouterr().out == "ok: it\n"


def test_a_change_within_a_container_or_of_a_type_is_found():
    def change_within(rows):
        rows[0]["a"][:] = 0

    def change_type(rows):
        rows[0] = 1.0

    for function, rows in [(change_within, [{"a": np.ones(2)}]), (change_type, [np.ones(1)])]:
        with pytest.raises(CheckFailed):
            checks.unchanged("it", function, rows)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (5, 5.0, True),
        (np.int64(5), 5, True),
        (np.float64(2.5), 2.5, True),
        ((2, 4), [2, 4.0], True),
        ((np.int64(2), 4), [2, 4], True),
        ("C", "C", True),
        ("C", "c", False),
        (5, "5", False),
        ((2, 4), (4, 2), False),
        (2.5, 2.51, False),
    ],
)
def test_equal_answers_have_equal_digests(one, other, same):
    assert (checks.digest(one) == checks.digest(other)) is same
