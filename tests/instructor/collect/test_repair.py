"""Notebooks come back damaged, and are mended to the same cells; or are left for a person."""

import copy
import itertools
import json

import pytest

from course.instructor.collect import notebook_reader
from course.instructor.collect import notebook_repair
from course.instructor.collect import released_assignment as reference
from tests.instructor.collect.damages import KINDS, damage
from tests.submissions import ROOT, solved

ASSIGNMENTS = sorted(path.parent.name for path in ROOT.glob("source/*/*.ipynb"))
REFERENCES = reference.read_releases(ROOT, ASSIGNMENTS)
OF = {each.name: each for each in REFERENCES}
ONE_OR_TWO = [*((kind,) for kind in KINDS), *itertools.combinations(KINDS, 2)]


def released(name):
    return json.loads((ROOT / "release" / name / OF[name].file_name).read_text(encoding="utf-8"))


def cells(notebook):
    return [
        (cell["id"], cell["cell_type"], "".join(cell["source"]), cell["metadata"])
        for cell in notebook["cells"]
    ]


def mended(content):
    """Return a file's notebook as `course collect` mends it, its assignment, and the notes."""
    notebook, notes = notebook_reader.parse(content)
    found = reference.identify_assignment(REFERENCES, reference.read_cells(notebook))
    notebook, more = notebook_repair.repair_notebook(notebook, found)
    return notebook, found.name, notes + more


@pytest.mark.parametrize("make", [solved, released], ids=["solved", "untouched"])
@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_damage_and_every_two_mend_back_to_the_same_cells(name, make):
    whole = make(name)
    for kinds in ONE_OR_TWO:
        content, _ = damage(whole, kinds, OF[name].file_name)
        notebook, found, _ = mended(content)
        assert found == name, kinds
        assert cells(notebook) == cells(whole), kinds


def test_what_was_not_damaged_needs_no_mending():
    for name in ASSIGNMENTS:
        content, _ = damage(solved(name), (), OF[name].file_name)
        assert mended(content)[2] == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("metadata lost", "metadata of 25 cells lost, found 25 by id"),
        ("graded cells twice", "2 cells that stood there twice"),
        ("graded cells deleted", "2 deleted cells put back"),
        ("widgets without state", "widgets left out"),
        ("foreign kernel", "kernel 'conda-env-tf-py'"),
        ("large outputs", "6 MB of outputs left out"),
        ("Windows line ends", "Windows line ends"),
        ("byte-order mark", "byte-order mark"),
        ("format 4.0 without ids", "format 4.0"),
    ],
)
def test_what_was_mended_is_said(kind, words):
    content, _ = damage(solved("02-mnist"), [kind])
    assert words in "; ".join(mended(content)[2])


def test_outputs_of_100_mb_are_left_out_and_everything_else_stays():
    whole = solved("02-mnist")
    first, *others = [cell for cell in whole["cells"] if cell["cell_type"] == "code"]
    first["outputs"] = [
        {"output_type": "display_data", "data": {"image/png": "A" * 50 * 2**20}, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": [("x" * 49 + "\n")] * 2**20},
    ]
    others[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "kept"}]
    content, _ = damage(whole, ())
    notebook, _, notes = mended(content)
    assert notes == ["100 MB of outputs left out"]
    assert len(notebook_repair.encode_notebook(notebook)) < 2**20
    assert cells(notebook) == cells(whole)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert "100 MB of outputs" in code[0]["outputs"][-1]["text"]
    assert code[1]["outputs"][0]["text"] == "kept"


def place_of(notebook, grade_id):
    (place,) = (n for n, cell in enumerate(notebook["cells"]) if cell.get("id") == grade_id)
    return place


def stripped(notebook):
    """Return the file of a notebook that has lost all metadata and ids."""
    return damage(notebook, ["metadata and ids lost"])[0]


def test_own_cells_stay_where_they_were_put():
    whole = solved("02-mnist")
    own = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "My own thoughts on this."},
        {"cell_type": "code", "id": "c", "metadata": {}, "source": "x_train.mean()"},
    ]
    place = place_of(whole, "prepare_images")
    for cell in own:
        whole["cells"].insert(place, copy.deepcopy(cell))
    notebook, _, _ = mended(stripped(whole))
    texts = [cell["source"] for cell in notebook["cells"]]
    assert texts == ["".join(cell["source"]) for cell in whole["cells"]]
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert "prepare_images" in ids


def test_of_an_answer_and_an_untouched_copy_the_answer_counts():
    whole, fresh = solved("02-mnist"), released("02-mnist")
    place = place_of(whole, "prepare_images")
    twin = copy.deepcopy(fresh["cells"][place_of(fresh, "prepare_images")])
    for where in (place, place + 1):
        notebook = copy.deepcopy(whole)
        notebook["cells"].insert(where, copy.deepcopy(twin) | {"id": "twin"})
        content, _ = damage(notebook, ())
        assert cells(mended(content)[0]) == cells(whole)


@pytest.mark.parametrize("lost", [(), ("metadata and ids lost",)])
def test_two_different_answers_are_left_for_a_person(lost):
    whole = solved("02-mnist")
    place = place_of(whole, "prepare_images")
    twin = copy.deepcopy(whole["cells"][place])
    twin["source"] = "".join(twin["source"]).replace("255", "256")
    whole["cells"].insert(place + 1, twin | {"id": "twin"})
    content, _ = damage(whole, lost)
    with pytest.raises(notebook_reader.RepairError) as caught:
        mended(content)
    assert f"{place + 1}" in str(caught.value)
    assert "prepare_images" in str(caught.value)


def test_a_deleted_answer_is_put_back_empty_and_said():
    whole = solved("02-mnist")
    del whole["cells"][place_of(whole, "explain_cnn")]
    notebook, _, notes = mended(stripped(whole))
    assert "no answer explain_cnn: put back empty" in "; ".join(notes)
    answer = notebook["cells"][place_of(notebook, "explain_cnn")]
    assert answer["source"] == "*Write your answer here.*"


def test_an_answer_that_was_moved_is_known_by_what_it_defines():
    whole = solved("02-mnist")
    answer = whole["cells"].pop(place_of(whole, "prepare_images"))
    whole["cells"].insert(5, answer)
    notebook, _, _ = mended(stripped(whole))
    moved = notebook["cells"][place_of(notebook, "prepare_images")]
    assert moved["source"] == "".join(answer["source"])


def test_written_answers_among_added_text_are_not_guessed():
    whole = solved("02-mnist")
    place = place_of(whole, "explain_cnn")
    extra = {
        "cell_type": "markdown",
        "metadata": {},
        "source": "Another text of the student's own.",
    }
    whole["cells"].insert(place, extra | {"id": "extra"})
    with pytest.raises(notebook_reader.RepairError, match="explain_cnn cannot be told"):
        mended(stripped(whole))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"{", "no whole notebook file"),
        (b"[]", "no notebook"),
        (b'{"cells": 3}', "no list of cells"),
        (b'{"cells": [3]}', "no list of cells"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"PK\x03\x04\xff", "zip archive under another name"),
        (b"[" * 100_000, "too deeply nested"),
    ],
)
def test_what_is_no_notebook_is_said(content, words):
    with pytest.raises(notebook_reader.RepairError, match=words):
        notebook_reader.parse(content)


@pytest.mark.parametrize(
    "change",
    [
        {"source": None},
        {"source": {"a": 1}},
        {"metadata": [1]},
        {"metadata": {"nbgrader": 7}},
        {"metadata": {"nbgrader": {"grade_id": ["x"]}}},
        {"outputs": "text"},
        {"outputs": 7},
        {"outputs": [{"output_type": "stream"}, 3]},
        {"outputs": [{"output_type": "display_data", "data": 5}]},
        {"cell_type": 3},
        {"id": 7},
        {"id": "x" * 500},
        {"attachments": 3},
    ],
)
def test_a_cell_of_wrong_types_breaks_nothing_else(change):
    whole = solved("02-mnist")
    expected = cells(whole)
    whole["cells"].append({"cell_type": "code", "metadata": {}, "source": ""} | change)
    content, _ = damage(whole, ())
    notebook, _, _ = mended(content)
    assert cells(notebook)[:-1] == expected
