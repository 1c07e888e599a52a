import ast
import contextlib
import gc
import threading

import pytest

from course.instructor.thread_safe_parsing import parse_literal, parse_python
from tests.submissions import ROOT

SOURCE = "x = [f(a, b + 1) for a in range(10) if a > 2]\n" * 200


@contextlib.contextmanager
def during_a_collection(act):
    """Call a function once, inside the next garbage collection, and collect often."""
    calls = [act]

    def callback(phase, info):
        if calls and phase == "start":
            calls.pop()()

    threshold = gc.get_threshold()
    gc.set_threshold(500)
    gc.callbacks.append(callback)
    try:
        yield
    finally:
        gc.callbacks.remove(callback)
        gc.set_threshold(*threshold)
    assert not calls, "no garbage collection happened"


def nested(depth, function):
    """Call a function below some more frames: the parser counts from where it is called."""
    return nested(depth - 1, function) if depth else function()


def test_a_parse_that_another_thread_starts_in_between_does_not_break_the_first():
    others = []

    def parse_in_another_thread():
        thread = threading.Thread(target=nested, args=(30, lambda: parse_python(SOURCE)))
        others.append(thread)
        thread.start()
        thread.join(0.3)  # it waits for the lock that this thread has

    # With ast.parse in place of parse_python this raises SystemError on CPython 3.11.
    with during_a_collection(parse_in_another_thread):
        tree = parse_python(SOURCE)
    others[0].join()
    assert ast.dump(tree) == ast.dump(ast.parse(SOURCE))


def test_a_parse_of_foreign_code_in_between_is_survived():
    with during_a_collection(lambda: nested(30, lambda: ast.parse("x = 1"))):
        assert len(parse_python(SOURCE).body) == 200


def test_many_threads_parse_at_once():
    failures = []

    def parse_often(depth):
        try:
            for _ in range(20):
                nested(depth, lambda: parse_python(SOURCE))
        except SystemError as error:
            failures.append(error)

    threads = [threading.Thread(target=parse_often, args=(10 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_errors_and_literals_are_those_of_the_standard_library():
    with pytest.raises(SyntaxError):
        parse_python("x = ")
    assert parse_literal(" {'a': [1, 2.5, None]}") == {"a": [1, 2.5, None]}
    for source in ("f(1)", "name"):
        with pytest.raises(ValueError, match="malformed"):
            parse_literal(source)


def test_no_other_module_of_the_instructors_side_calls_the_parser_directly():
    folder = ROOT / "course" / "instructor"
    for path in folder.rglob("*.py"):
        if path.name == "thread_safe_parsing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                assert called not in ("ast.parse", "ast.literal_eval"), path
            if isinstance(node, ast.ImportFrom) and node.module == "ast":
                names = {alias.name for alias in node.names}
                assert not names & {"parse", "literal_eval"}, path
