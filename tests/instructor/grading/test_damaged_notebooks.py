"""A damaged notebook is either prepared for grading or refused in one sentence."""

import copy
import json

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.instructor.grading.class_grader import AssignmentGrader, UnreadableSubmission
from course.instructor.grading.job import GradingJob
from course.instructor.release.build import ensure_in_gradebook
from tests.conftest import cell
from tests.instructor.grading.classes import ANSWER, NAME, TESTS, create_course

HALF_PAIR = "\ud83d"
IMAGE = {"image/png": "AAAA"}
WRITTEN = cell("markdown", "![a](attachment:a.png)") | {"attachments": {"a.png": IMAGE}}
OUTPUTS = [
    {"output_type": "stream", "name": "stdout", "text": ["3\n"]},
    {"output_type": "display_data", "data": IMAGE | {"text/html": "<b>3</b>"}, "metadata": {}},
    {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["t"]},
]
SUBMITTED = {
    "cells": [WRITTEN, ANSWER | {"source": "answer = 3", "outputs": OUTPUTS}, *TESTS],
    "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


# What a damaged or forged notebook contains in place of anything.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters() | st.just(HALF_PAIR), max_size=20),
    st.sampled_from(
        [HALF_PAIR, f"a{HALF_PAIR}b", "\0", "\x1b]0;x\x07", "../../x", 10**400, -(2**63), [], {}]
    ),
    st.sampled_from([nested(50), nested(150), nested(900), 3000 * [{}], 20_000 * ["x\n"]]),
    st.sampled_from(["x" * 150_000, {"x" * 1_000: HALF_PAIR}, {HALF_PAIR: [HALF_PAIR]}]),
    st.sampled_from(["code", "markdown", "raw", "heading", "test_1", "answer"]),
)


def places(value, path=()):
    """Yield the path to each value in a notebook, up to a depth and a number of neighbors."""
    if path:
        yield path
    if len(path) > 8:
        return
    children = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value[:10])
    for key, child in children:
        yield from places(child, (*path, key))


@st.composite
def damaged_notebooks(draw):
    """Return the JSON text of a notebook with one to four damages."""
    notebook = copy.deepcopy(SUBMITTED)
    for _ in range(draw(st.integers(1, 4))):
        *above, last = draw(st.sampled_from(list(places(notebook))))
        parent = notebook
        for key in above:
            parent = parent[key]
        damage = draw(st.sampled_from(["replace", "delete", "add", "repeat"]))
        if damage == "replace":
            parent[last] = copy.deepcopy(draw(VALUES))
        elif damage == "delete":
            del parent[last]
        elif damage == "repeat" and isinstance(parent, list):
            parent.extend(copy.deepcopy([parent[last]] * draw(st.sampled_from([1, 50, 2_500]))))
        elif isinstance(parent, dict):
            parent[draw(st.text(max_size=3)) + HALF_PAIR] = copy.deepcopy(draw(VALUES))
        if not notebook:
            break
    text = json.dumps(notebook)
    return text[: draw(st.sampled_from([len(text)] * 9 + [len(text) // 2]))]


@pytest.fixture(scope="module")
def grader(tmp_path_factory):
    root = create_course(tmp_path_factory.mktemp("damaged") / "course", ANSWER, *TESTS)
    ensure_in_gradebook(root, NAME)
    return AssignmentGrader(root, NAME)


def check_preparation(grader, text):
    """Return whether a notebook is prepared; otherwise, it must be refused in one sentence."""
    path = grader.root / "submitted" / "ada" / NAME / "small.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    try:
        nb, job = grader.prepare("ada")
    except UnreadableSubmission as problem:
        message = str(problem)
        assert message.startswith(f"submitted/ada/{NAME}/small.ipynb cannot be graded, because ")
        assert message.endswith(".") and message.isprintable() and len(message) < 600
        return False
    nbformat.validate(nb)
    nbformat.writes(nb).encode()
    assert (nb.nbformat, nb.nbformat_minor) == (4, 5)
    by_grade_id = [each.metadata.get("nbgrader", {}).get("grade_id") for each in nb.cells]
    assert sorted(filter(None, by_grade_id)) == ["answer", "test_1", "test_2"]
    for each in nb.cells:
        assert not {"text/html"} & {
            kind for out in each.get("outputs", []) for kind in out.get("data", {})
        }
    sources = {each["grade_id"]: each["source"] for each in job.cells}
    for test in TESTS:
        assert sources[test["metadata"]["nbgrader"]["grade_id"]] == test["source"]
    assert GradingJob.from_json(job.to_json()).digest() == job.digest()
    return True


def test_a_damaged_notebook_is_prepared_or_refused_in_one_sentence(grader):
    prepared = []

    @settings(max_examples=60)
    @given(text=damaged_notebooks())
    def check(text):
        prepared.append(check_preparation(grader, text))

    check()
    assert min(prepared.count(True), prepared.count(False)) > 10, "only one kind was generated"
