"""Damaged notebooks are repaired to the same cells, or flagged for manual review."""

import copy
import itertools
import json
import tracemalloc

import pytest

from course.instructor.collect import notebook_reader, notebook_repair
from course.instructor.collect.released_assignment import (
    identify_assignment,
    read_cells,
    read_releases,
)
from course.instructor.student_text import notebook_parser
from tests.instructor.collect.damages import KINDS, damage
from tests.submissions import ROOT, solved

ASSIGNMENTS = sorted(path.parent.name for path in ROOT.glob("source/*/*.ipynb"))
RELEASES = read_releases(ROOT, ASSIGNMENTS)
FILE_NAMES = {release.name: release.file_name for release in RELEASES}
ONE_OR_TWO = [*((kind,) for kind in KINDS), *itertools.combinations(KINDS, 2)]


def released(name):
    """Return an assignment's released notebook."""
    return json.loads((ROOT / "release" / name / FILE_NAMES[name]).read_text(encoding="utf-8"))


def cells(notebook):
    """Return what grading relies on in each cell."""
    return [
        (cell["id"], cell["cell_type"], "".join(cell["source"]), cell["metadata"])
        for cell in notebook["cells"]
    ]


def repair(content):
    """Return a file's notebook as `course collect` repairs it, its assignment, and the notes.

    `course collect` does the same in a process with limits, which takes longer to start.
    """
    notebook, notes = notebook_parser.parse(content)
    release = identify_assignment(RELEASES, read_cells(notebook))
    repaired, more_notes = notebook_repair.repair_notebook(notebook, release)
    return repaired, release.name, notes + more_notes


@pytest.mark.parametrize("make", [solved, released], ids=["solved", "untouched"])
@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_damage_and_every_two_are_repaired_to_the_same_cells(name, make):
    whole = make(name)
    for kinds in ONE_OR_TWO:
        content, _ = damage(whole, kinds, FILE_NAMES[name])
        notebook, found, _ = repair(content)
        assert found == name, kinds
        assert cells(notebook) == cells(whole), kinds


def test_an_undamaged_notebook_needs_no_repair():
    for name in ASSIGNMENTS:
        content, _ = damage(solved(name), (), FILE_NAMES[name])
        assert repair(content)[2] == []


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("metadata missing", "metadata missing in 23 cells (matches: 23 by id)"),
        ("duplicate graded cells", "2 duplicate cells removed"),
        ("graded cells deleted", "2 deleted cells restored"),
        ("widgets without state", "widgets removed"),
        ("foreign kernel", "kernel 'conda-env-tf-py'"),
        ("large outputs", "6 MB of outputs removed"),
        ("Windows line endings", "Windows line endings"),
        ("byte-order mark", "byte-order mark"),
        ("format 4.0 without ids", "format 4.0"),
    ],
)
def test_the_notes_tell_what_was_repaired(kind, note):
    content, _ = damage(solved("02-mnist"), [kind])
    assert note in "; ".join(repair(content)[2])


def test_outputs_of_100_mb_are_removed_and_everything_else_stays():
    whole = solved("02-mnist")
    first, *others = [cell for cell in whole["cells"] if cell["cell_type"] == "code"]
    first["outputs"] = [
        {"output_type": "display_data", "data": {"image/png": "A" * 50 * 2**20}, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": [("x" * 49 + "\n")] * 2**20},
    ]
    others[0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "small"}]
    content, _ = damage(whole, ())
    notebook, _, notes = repair(content)
    assert notes == ["100 MB of outputs removed"]
    assert len(notebook_repair.encode_notebook(notebook)) < 2**20
    assert cells(notebook) == cells(whole)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert "100 MB of outputs" in code[0]["outputs"][-1]["text"]
    assert code[1]["outputs"][0]["text"] == "small"


def position_of(notebook, grade_id):
    """Return the position of the cell with a grade id."""
    (position,) = (n for n, cell in enumerate(notebook["cells"]) if cell.get("id") == grade_id)
    return position


def stripped(notebook):
    """Return the file of a notebook without metadata and ids."""
    return damage(notebook, ["metadata and ids missing"])[0]


def test_added_cells_stay_in_their_position():
    whole = solved("02-mnist")
    own = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "My own thoughts on this."},
        {"cell_type": "code", "id": "c", "metadata": {}, "source": "x_train.mean()"},
    ]
    position = position_of(whole, "prepare_images")
    for cell in own:
        whole["cells"].insert(position, copy.deepcopy(cell))
    notebook, _, _ = repair(stripped(whole))
    texts = [cell["source"] for cell in notebook["cells"]]
    assert texts == ["".join(cell["source"]) for cell in whole["cells"]]
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert "prepare_images" in ids


def test_an_answer_counts_and_its_untouched_copy_is_dropped():
    whole, fresh = solved("02-mnist"), released("02-mnist")
    position = position_of(whole, "prepare_images")
    twin = copy.deepcopy(fresh["cells"][position_of(fresh, "prepare_images")])
    for at in (position, position + 1):
        notebook = copy.deepcopy(whole)
        notebook["cells"].insert(at, copy.deepcopy(twin) | {"id": "twin"})
        content, _ = damage(notebook, ())
        assert cells(repair(content)[0]) == cells(whole)


@pytest.mark.parametrize("lost", [(), ("metadata and ids missing",)])
def test_two_different_answers_need_a_manual_review(lost):
    whole = solved("02-mnist")
    position = position_of(whole, "prepare_images")
    twin = copy.deepcopy(whole["cells"][position])
    twin["source"] = "".join(twin["source"]).replace("255", "256")
    whole["cells"].insert(position + 1, twin | {"id": "twin"})
    content, _ = damage(whole, lost)
    with pytest.raises(notebook_reader.RepairError) as caught:
        repair(content)
    assert f"{position + 1}" in str(caught.value)
    assert "prepare_images" in str(caught.value)


def test_a_deleted_answer_is_restored_empty_with_a_note():
    whole = solved("02-mnist")
    del whole["cells"][position_of(whole, "explain_cnn")]
    notebook, _, notes = repair(stripped(whole))
    assert "missing answers restored as empty cells: explain_cnn" in "; ".join(notes)
    answer = notebook["cells"][position_of(notebook, "explain_cnn")]
    assert answer["source"] == "*Write your answer here.*"


def test_a_moved_answer_is_matched_by_the_names_it_defines():
    whole = solved("02-mnist")
    answer = whole["cells"].pop(position_of(whole, "prepare_images"))
    whole["cells"].insert(5, answer)
    notebook, _, _ = repair(stripped(whole))
    moved = notebook["cells"][position_of(notebook, "prepare_images")]
    assert moved["source"] == "".join(answer["source"])


def test_a_written_answer_among_added_text_is_not_guessed():
    whole = solved("02-mnist")
    position = position_of(whole, "explain_cnn")
    extra = {
        "cell_type": "markdown",
        "metadata": {},
        "source": "Another text of the student's own.",
    }
    whole["cells"].insert(position, extra | {"id": "extra"})
    with pytest.raises(notebook_reader.RepairError, match="could be the answer to explain_cnn"):
        repair(stripped(whole))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"{", "not a complete notebook"),
        (b"[]", "not a notebook"),
        (b'{"cells": 3}', "no list of cells"),
        (b'{"cells": [3]}', "no list of cells"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"PK\x03\x04\xff", "a renamed zip archive"),
        (b"[" * 100_000, "too deeply nested"),
    ],
)
def test_a_file_that_is_not_a_notebook_is_refused_with_a_reason(content, reason):
    with pytest.raises(notebook_reader.RepairError, match=reason):
        notebook_reader.read(RELEASES, content, notebook_reader.ReadingBudget())


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
def test_a_cell_with_wrong_types_does_not_affect_others(change):
    whole = solved("02-mnist")
    expected = cells(whole)
    whole["cells"].append({"cell_type": "code", "metadata": {}, "source": ""} | change)
    content, _ = damage(whole, ())
    notebook, _, _ = repair(content)
    assert cells(notebook)[:-1] == expected


PICTURE = {"image.png": {"image/png": "iVBORw0KGgo="}}


@pytest.mark.parametrize(
    "invalid",
    [
        {"cell_type": "code", "outputs": [{"output_type": "stream"}], "execution_count": None},
        {"cell_type": "markdown", "attachments": {"a.png": {"image/png": {"a": 1}}}},
    ],
    ids=["output", "attachment"],
)
def test_pasted_pictures_stay_if_another_cell_is_invalid(invalid):
    whole = solved("02-mnist")
    answer = whole["cells"][position_of(whole, "explain_cnn")]
    answer["attachments"] = PICTURE
    whole["cells"].append({"id": "invalid", "metadata": {}, "source": ""} | invalid)
    notebook, _, _ = repair(damage(whole, ())[0])
    assert notebook["cells"][position_of(notebook, "explain_cnn")]["attachments"] == PICTURE
    assert notebook_repair.is_valid_file(json.dumps(notebook).encode())


@pytest.mark.parametrize("lost", [(), ("metadata and ids missing",)])
@pytest.mark.parametrize("grade_id", ["prepare_images", "explain_cnn", "test_prepare_images"])
@pytest.mark.parametrize("offset", [0, 1])
def test_an_empty_twin_of_a_cell_is_no_answer(grade_id, offset, lost):
    whole = solved("02-mnist")
    position = position_of(whole, grade_id)
    twin = copy.deepcopy(whole["cells"][position]) | {"source": " \n", "id": "twin"}
    whole["cells"].insert(position + offset, twin)
    notebook, _, _ = repair(damage(whole, lost)[0])
    found = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"]}
    expected = {cell["id"]: "".join(cell["source"]) for cell in solved("02-mnist")["cells"]}
    assert {name: text for name, text in found.items() if text.strip()} == expected


def test_text_typed_into_a_locked_question_is_kept_below_it():
    whole = released("02-mnist")
    position = position_of(whole, "explain_cnn")
    question = next(
        n
        for n in range(position - 1, -1, -1)
        if whole["cells"][n]["metadata"].get("nbgrader", {}).get("locked")
        and whole["cells"][n]["cell_type"] == "markdown"
    )
    name = whole["cells"][question]["id"]
    text = "A convolution shares its weights."
    source = "".join(whole["cells"][question]["source"])
    whole["cells"][question]["source"] = f"{source}\n\n{text}"
    notebook, _, notes = repair(damage(whole, ())[0])
    at = position_of(notebook, name)
    assert notebook["cells"][at]["source"] == source
    assert notebook["cells"][at + 1]["source"] == text
    assert f"text typed into the locked cell {name} moved below it" in notes


@pytest.mark.parametrize("marker", [b"<<<<<<< HEAD\n", b">>>>>>> theirs\n"])
def test_merge_conflict_markers_are_named(marker):
    content = damage(solved("02-mnist"), ())[0]
    end = content.index(b"\n", 2000) + 1
    with pytest.raises(notebook_reader.RepairError, match="merge-conflict markers"):
        notebook_reader.read(
            RELEASES, content[:end] + marker + content[end:], notebook_reader.ReadingBudget()
        )


def test_a_repaired_notebook_is_no_larger_than_the_text_of_the_original():
    """One line per number, indented by 80 levels, would make a 3 MB file 130 MB."""
    values = [0] * 100_000
    for _ in range(80):
        values = [values]
    whole = solved("02-mnist")
    first = next(cell for cell in whole["cells"] if cell["cell_type"] == "code")
    data = {"application/json": values}
    first["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    content, _ = damage(whole, ["foreign kernel"])
    notebook, _, _ = repair(content)
    assert len(json.dumps(notebook)) < len(content)


def test_repaired_notebooks_have_a_budget():
    budget = notebook_reader.ReadingBudget()
    with pytest.raises(notebook_reader.RepairError, match="larger than 200 MB"):
        budget.spend_on_repaired(201 * 2**20)
    for _ in range(5):
        budget.spend_on_repaired(200 * 2**20)
    with pytest.raises(notebook_reader.RepairError, match=r"larger than 1,024 MB"):
        budget.spend_on_repaired(25 * 2**20)


# What a notebook can contain besides the text of its cells and outputs, and how much of it.
UNUSED = {
    "values in a cell": ([[]] * 100_001, True),
    "values in an output": ({str(n): n for n in range(100_001)}, True),
    "text": ("x" * 20 * 2**20, True),
    "a little": ([[], "a,b"] * 20_000, False),
    "text with commas": (",[{" * 100_000, False),
}


@pytest.mark.parametrize("kind", UNUSED)
def test_what_programs_without_limits_would_read_is_limited(kind):
    """nbgrader's own commands and the formgrader read submitted notebooks without limits."""
    value, is_removed = UNUSED[kind]
    whole = solved("02-mnist")
    first = next(cell for cell in whole["cells"] if cell["cell_type"] == "code")
    if kind == "values in an output":
        data = {"application/json": value, "text/plain": "x"}
        first["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    else:
        first["metadata"]["unused"] = value
    content, _ = damage(whole, ())
    found = notebook_reader.read(RELEASES, content, notebook_reader.ReadingBudget())
    expected = ["removed content that grading does not use"] if is_removed else []
    assert found.notes == expected
    assert bool(found.repaired) == is_removed
    if is_removed:
        assert len(found.repaired) < 2**20
        first["metadata"].pop("unused", None)
        assert cells(json.loads(found.repaired)) == cells(whole)


def test_a_repaired_notebook_takes_little_memory_while_it_comes_back():
    """As text, one unusual character makes all others four times as large."""
    whole = solved("02-mnist")
    whole["cells"][0]["source"] = "\U0001f600"
    first = next(cell for cell in whole["cells"] if cell["cell_type"] == "code")
    first["outputs"] = [
        {"output_type": "display_data", "data": {"text/plain": '"' * 4_000_000}, "metadata": {}}
    ]
    content, _ = damage(whole, ["foreign kernel"])
    notebook_reader.read(RELEASES, content, notebook_reader.ReadingBudget())  # starts processes
    tracemalloc.start()
    found = notebook_reader.read(RELEASES, content, notebook_reader.ReadingBudget())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.repaired.count(b'\\"') >= 4_000_000
    assert peak < 6 * len(found.repaired)
