import time
from types import SimpleNamespace

import pytest

from course.instructor.analysis.cell_names import find_names, is_predefined

# (program, the names that it needs). Each program fails if any one of the names is missing. A name
# with a question mark is read on a branch that this run does not take.
PROGRAMS = [
    ("x = f(y)\nx + 1", "f y"),
    ("total += 1", "total"),
    ("del gone\ngone = 1", "gone"),
    ("x = 1\ndel x\nx = last", "last"),
    ("for i in items:\n    i + start", "items start"),
    ("with opened as handle:\n    inside = handle\ninside + one", "opened one"),
    ("[a + one for a in items if a < limit]", "items limit one"),
    ("[a + b for a in items for b in range(a)]", "items"),
    ("{key: one for key in items}", "items one"),
    ("sum(a for a in items)", "items"),
    ("[a for a in a_list]\na = one", "a_list one"),
    ("def g(a, b=start):\n    return a + b + one\ng(1)", "one start"),
    ("def g(a):\n    local = a\n    return local + later\nlater = one\ng(1)", "one"),
    ("def g(n):\n    return n and g(n - 1)\ng(one)", "one"),
    ("def g(a: kind) -> kind2:\n    b: never = a\ng(1)", "kind kind2"),
    ("@wrap\ndef g():\n    pass", "wrap"),
    ("g = lambda a, b=start: a + b + one\ng(1)", "one start"),
    ("def g():\n    global count\n    count += 1\ng()", "count"),
    ("def g():\n    def h():\n        return one + own\n    own = 1\n    return h()\ng()", "one"),
    ("class A(base):\n    size = one\n    area = size * size", "base one"),
    ("class A:\n    size = 2\n    sizes = [size for _ in '12']", "size"),
    ("class A:\n    one = 1\n    def m(self):\n        return one\nA().m()", "one"),
    ("(n := one) and n", "one"),
    ("import math as m, os.path\nm.floor(one) and os.sep", "one"),
    ("from math import pi\npi + one", "one"),
    ("if one:\n    x = 1\nelse:\n    x = 2\nx", "one"),
    ("x = 1 if one else absent\nx", "one absent?"),
    ("if not one:\n    raise mistake\nelse:\n    x = 1\nx", "one mistake?"),
    ("try:\n    x = one\nexcept ValueError as error:\n    raise KeyError from error\nx", "one"),
    ("try:\n    raise ValueError\nexcept ValueError as error:\n    error\nx = one", "one"),
    ("try:\n    x = one\nfinally:\n    y = one\nx + y", "one"),
    ("match pair:\n    case [first, *rest] if first == one:\n        first, rest\n", "pair one"),
    ("match table:\n    case {'a': a, **b}:\n        b\n    case _:\n        a = 1\na", "table"),
    ("x: int = one\ny: kind\nx", "one kind"),
    ("n = m = one\nn + m", "one"),
    ("box.value = one\nbox.value", "box one"),
    ("items[0] += one", "items one"),
    ("print(f'{one:>{width}}')", "one width"),
    ("a, *b = items\na, b", "items"),
    ("with suppressed:\n    raise ValueError\none", "suppressed one"),
]  # fmt: skip


class Suppress:
    def __enter__(self):
        return 1

    def __exit__(self, *error):
        return True


def values(names):
    """Return a suitable value for each of the names."""
    some = dict.fromkeys(names, 1) | {"f": abs, "y": 2, "kind": int, "kind2": int}
    some |= {"items": [1, 2, 3], "a_list": [1], "pair": [1, 2, 3], "table": {"a": 1, "b": 2}}
    some |= {"opened": Suppress(), "suppressed": Suppress(), "wrap": lambda function: function}
    some |= {"base": object, "limit": 3, "box": SimpleNamespace(), "mistake": ValueError}
    return {name: some[name] for name in names}


@pytest.mark.parametrize(("source", "needed"), PROGRAMS)
def test_a_program_needs_exactly_the_names_without_which_it_fails(source, needed):
    wanted = [name.rstrip("?") for name in needed.split()]
    assert sorted(find_names(source).needed) == sorted(wanted)
    assert not find_names(source).opaque
    exec(source, values(wanted))
    for name in needed.split():
        if not name.endswith("?"):
            rest = [other for other in wanted if other != name]
            with pytest.raises(NameError, match=name):
                exec(source, values(rest))


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("if a:\n    x = 1\nx", "a x"),
        ("for i in items:\n    x = i\nx, i", "i items x"),
        ("while a:\n    x = 1\nelse:\n    y = 1\nx, y", "a x y"),
        ("try:\n    x = f()\nexcept ValueError:\n    pass\nx", "f x"),
        ("try:\n    x = 1\nexcept ValueError as e:\n    pass\ne", "e"),
        ("a and (x := 1)\nx", "a x"),
        ("any((x := b) for b in items)\nx", "items x"),
        ("match a:\n    case [x]:\n        pass\nx", "a x"),
        ("if a:\n    del x\nx = 1", "a x"),
        ("def g():\n    global n\n    n = 1\ng()\nn", "n"),
        ("assert a, message", "a message"),
    ],
)
def test_names_that_only_one_branch_binds_are_needed(source, needed):
    assert sorted(find_names(source).needed) == needed.split()


@pytest.mark.parametrize(
    "source",
    ["raise SystemExit\nx", "for i in '12':\n    continue\n    x", "while True:\n    break\n    x"],
)
def test_names_in_unreachable_code_are_not_needed(source):
    names = find_names(source)
    assert not names.needed and "x" in names.mentioned


def test_bound_contains_all_names_that_a_cell_may_bind():
    source = (
        "import os.path, numpy as np\nfrom math import pi as p\na = b, *c = d[0] = [1]\n"
        "for e in a:\n    if (f := e):\n        g: int = 1\n        h: int\n"
        "with a as i:\n    pass\ntry:\n    pass\nexcept ValueError as j:\n    pass\n"
        "def k(own):\n    global m\n    inner = own\n    m = 1\n    import sys\n"
        "class N:\n    attribute = 1\n[q for q in a]\n"
        "match a:\n    case {1: r, **s}:\n        pass\n"
    )
    assert find_names(source).bound == set("abcefgijkmNprs") | {"os", "np"}
    assert find_names(source).imported == {"os", "np", "p"}
    assert find_names(source).classes == {"N"}


def test_mentioned_contains_all_globals_that_are_read_bound_or_deleted():
    source = "x = a\ndel b\ndef g(c):\n    d = e\n    return [f for f in c]\nlambda h: h + i\nlen"
    assert find_names(source).mentioned == {"x", "a", "b", "g", "e", "i", "len"}


def test_functions_are_listed_with_the_globals_that_their_bodies_read():
    source = (
        "n = 1\ndef plain(a, b=default):\n    own = a\n    return n + own + len(b)\n"
        "async def waits():\n    await other()\nshort = lambda a: a + n\n"
        "class A:\n    def method(self):\n        return n\n"
    )
    assert find_names(source).functions == {"plain": {"n"}, "waits": {"other"}, "short": {"n"}}


def test_predefined_names_are_not_needed():
    source = "print(len(In), Out, _, __, _i3, _12, display, __name__)\nquit"
    assert not find_names(source).needed
    assert is_predefined("print") and is_predefined("_i") and not is_predefined("keras")


@pytest.mark.parametrize(
    ("source", "needed", "bound"),
    [
        ("%pip install -q 'a b'\nx = y", "y", "x"),
        ("if y:\n    %pip install {{INSTALL}}\nelse:\n    !ls\nx = y", "y", "x"),
        ("%matplotlib inline\nnp.sin?\nx = y", "y", "x"),
        ("%%time\nx = y", "y", "x"),
        ("%time x = y", "y", "x"),
        ("%%html\n<b>x</b>", "", ""),
        (">>> x = y", "y", "x"),
        ("x = await y()", "y", "x"),
    ],
)
def test_magics_that_bind_nothing_do_not_make_a_cell_opaque(source, needed, bound):
    names = find_names(source)
    assert (" ".join(names.needed), " ".join(names.bound), names.opaque) == (needed, bound, False)


@pytest.mark.parametrize(
    "line",
    [
        "exec(text)",
        "eval('a')",
        "globals()['a'] = 1",
        "sys.modules[__name__].a",
        "sys._getframe(0).f_globals['a']",
        "inspect.currentframe().f_back",
        "importlib.import_module('__main__').a",
        "builtins.eval('a')",
        "frame.query('b in @a')",
        "vars()['a'] = 1",
        "'a' in [name for name in dir()]",
        "frame.query(expr='b in @a')",
        "frame.pipe(DataFrame.query, 'b in @a')",
        "from importlib import import_module as load\nload(name).a",
        "from IPython import get_ipython as gi\ngi()",
        "shell().user_ns['a']",
        "timeit.timeit('sum(a)', setup='from __main__ import a')",
        "pkgutil.resolve_name('__main__:a')",
        "getattr(builtins, 'eval')('a')",
        "inspect.signature(g, eval_str=True)",
        "def g():\n    return globals()",
        "g.__globals__",
        "import __main__",
        "from __main__ import a",
        "__import__('__main__')",
        "from math import *",
        "get_ipython().user_ns",
        "import IPython\nIPython.get_ipython()",
        "%run other.py",
        "%timeit g()",
        "y = %who_ls",
        "y = !ls",
        "!echo {y}",
        "!echo $y",
    ],
)
def test_a_cell_that_can_use_names_not_in_its_source_is_opaque(line):
    names = find_names(f"x = 1\n{line}")
    assert names.opaque and "x" in names.bound


@pytest.mark.parametrize(
    "source",
    ["vars(box)", "dir(box)", "print('evaluate')", "def g(eval):\n    eval()", "model.eval()"],
)
def test_similar_calls_are_not_opaque(source):
    assert not find_names(source).opaque


@pytest.mark.parametrize(
    ("source", "mentioned"),
    [
        ("def f(:\n    x = y  # z", {"f", "x", "y"}),
        ("x = 'open", {"x"}),
        ("return x", {"x"}),
        ("x" + " + x" * 50_000, {"x"}),
        ("(" * 10_000, set()),
        ("\0", set()),
    ],
)
def test_a_cell_that_is_not_python_is_opaque_and_mentions_its_identifiers(source, mentioned):
    names = find_names(source)
    assert names.opaque and names.mentioned >= mentioned
    assert not names.needed | names.bound | names.imported | names.classes


def test_a_cell_full_of_magics_is_analyzed_quickly():
    start = time.process_time()
    assert find_names("%who a\n" * 499 + "x = [1, 2, 3]\n" * 2_000).opaque
    assert time.process_time() - start < 10


def test_a_name_bound_where_errors_are_suppressed_can_be_an_earlier_one():
    source = "with contextlib.suppress(OSError):\n    data = load()\ndata.sum()"
    assert "data" in find_names(source).needed
