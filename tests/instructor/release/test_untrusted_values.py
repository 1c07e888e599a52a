"""Lint rules against expectations that depend on what the student's code has done."""

import pytest

from tests.instructor.release.test_lint import SETUP, graded_test, problems_of

FUNCTION = "def scale(x):\n    return x / 2\ndef build(x):\n    return x"


def problems(test):
    return problems_of(SETUP, FUNCTION, graded_test(test))


@pytest.mark.parametrize(
    "test",
    [
        "x = np.ones(3)\ny = scale(x)\nchecks.close('it', y, x / 2)",
        "x = np.ones(3)\nchecks.close('it', scale(x), x / 2)",
        "x = np.ones(3)\nchecks.close('it', x / 2, scale(x))",  # an array is compared afterwards
        "x = np.ones(3)\nscale(x=x)\nassert x[0] == 1",
        "x = [1]\nscale([x])\nassert x == [1]",
        "x = [1]\nscale({'a': x})\nassert x == [1]",
        "x = [1]\nscale(*x)\nassert x == [1]",
        "x = [[1]]\nscale(x[0])\nassert x == [[1]]",
        "x = np.ones(3)\nfor k in range(2):\n    checks.close('it', x.sum(), 3)\n    scale(x)",
        "x = np.ones(3)\nif x.any():\n    scale(x)\nassert x.any()",
        "x = np.ones(3)\ntry:\n    scale(x)\nfinally:\n    assert x.any()",
        "def test(x):\n    y = scale(x)\n    return y == x\nassert test(np.ones(1))",
        "x = 3\nx = [x]\nassert scale(x) == [y / 2 for y in x]",
        "assert all(scale(x) == x / 2 for x in [np.ones(1), np.ones(2)])",
    ],
)
def test_a_read_of_what_a_function_may_have_changed_is_refused(test):
    assert problems(test) == [
        "test_it reads x after passing it to the student's scale, which may have changed it: read"
        " it before the call, or pass a copy, such as x.copy()."
    ]


@pytest.mark.parametrize(
    "test",
    [
        "x = np.ones(3)\nwanted = x / 2\nchecks.close('it', scale(x), wanted)",
        "x = np.ones(3)\nchecks.close('it', scale(x.copy()), x / 2)",
        "x = np.ones(3)\nscale(x)\nscale(x)\nx = np.ones(4)\nassert len(x) == 4",
        "x = np.ones(3)\nscale(x)\nchecks.unchanged('x', scale, x)",
        "x = np.ones(3)\nscale(x)\n_, (after,), _ = checks.call_with_copies(scale, x)",
        "for x in (1, 2.5, -3):\n    checks.equal(f'{x}', scale(x), x / 2)",
        "for x, half in [(1, 0.5), (2, 1)]:\n    checks.equal(f'{x}', scale(x), half)",
        "cases = [(1, 'a'), (2, 'b')]\nfor x, name in cases:\n    print(scale(x), x)",
        "cases = [(1, [2])]\nfor x, rest in [(1, [2])]:\n    print(scale(x), x)",
        "for k, x in enumerate([1, 2]):\n    print(scale(x), x, k)",
        "for x, y in zip([1, 2], (3, 4), strict=True):\n    print(scale(x), x, y)",
        "assert all(scale(x) == x / 2 for x in (1, 2))",
        "x, y = 3, 'a' * 4\nprint(scale(x), scale(y), x, y, len(y))",
        "x = len('abc')\nprint(scale(x), x)",
        "x = {'a': 1}\nprint(scale({**x}), x)",
        "helper = np.ones\nx = np.ones(3)\nhelper(x)\nassert x.any()",
    ],
)
def test_a_test_that_reads_only_what_nothing_changed_passes(test):
    assert problems(test) == []


@pytest.mark.parametrize(
    "test",
    [
        "network = build(3)\nmeasured = network.evaluate(np.ones(3), np.ones(3))",
        "assert build(3).evaluate(np.ones(3))[1] > 0.5",
        "network = build(3)\nhistory = network.fit(np.ones(3))",
        "network = build(3)\nnetwork.fit(np.ones(3))\nprint(network.get_metrics_result())",
        "network = build(3)\nprint(network.test_on_batch(np.ones(3)))",
        "network, other = build(3), build(4)\nother.compile('sgd')\nprint(network.evaluate(1))",
    ],
)
def test_a_metric_that_the_student_chose_is_refused(test):
    (problem,) = problems(test)
    assert problem.startswith("test_it uses the result of ")
    assert problem.endswith(
        ", but the student chose what it measures: use training.accuracy, checks.measures_accuracy,"
        " or checks.loss_value, or compile the network in the test."
    )


@pytest.mark.parametrize(
    "test",
    [
        "network = build(3)\nnetwork.compile('sgd', 'mse')\nprint(network.evaluate(np.ones(3)))",
        "network = build(3)\nnetwork.fit(np.ones(3), verbose=0)\nprint(network.predict([1]))",
        "checks.loss_value('it', build(3), np.ones(3), np.ones(3), 0.5)",
    ],
)
def test_a_measurement_of_the_tests_own_passes(test):
    assert problems(test) == []


@pytest.mark.parametrize(
    "comparison",
    [
        "np.allclose(scale([]), [1.0])",
        "np.isclose(scale([]), [1.0]).all()",
        "np.array_equiv(scale([]), [1.0])",
        "np.testing.assert_allclose(scale([]), 1.0)",
        "np.testing.assert_array_equal(scale([]), -1)",
    ],
)
def test_a_comparison_that_an_empty_array_passes_is_refused(comparison):
    (problem,) = problems(comparison)
    assert problem.startswith("test_it uses ")
    assert problem.endswith(
        "an empty array passes: use checks.close, which also compares the shapes."
    )


def test_a_comparison_of_shapes_passes():
    assert not problems(
        "np.testing.assert_allclose(scale(1), [1.0])\nnp.array_equal(scale(1), [1])"
    )


@pytest.mark.parametrize(
    "comparison",
    ["abs(scale(1) - 2) > 1e-4", "1e-4 <= np.abs(scale(1) - 2).max()",
     "np.linalg.norm(scale(1)) >= 3"],
)  # fmt: skip
def test_a_difference_that_nan_passes_is_refused(comparison):
    (problem,) = problems(f"checks.that('it', not {comparison})")
    assert problem.startswith("test_it asks whether ")
    assert problem.endswith("use checks.close, or write `not ... <= ...`.")


def test_a_difference_that_nan_fails_passes():
    assert not problems("checks.that('it', not abs(scale(1) - 2) <= 1e-4 and abs(scale(2)) < 9)")
    assert not problems("checks.that('it', bool(abs(scale(1) - 2) > 1))\nassert abs(scale(2)) > 1")


def test_the_rules_apply_only_to_tests():
    assert not problems_of(SETUP, FUNCTION, "x = [1]\nscale(x)\nprint(np.allclose(x, 1))")
