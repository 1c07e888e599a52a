"""Submitted notebook files are read within budgets, in a process with limits."""

import json
import time
import tracemalloc

import pytest

from course.instructor.student_text import notebook_parser
from course.instructor.student_text.limited_call import call_limited
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.notebook_parser import read_notebook
from course.instructor.student_text.size_limits import (
    MAX_ALL_ATTACHMENTS,
    MAX_ALL_OUTPUTS,
    MAX_CELL_CHARACTERS,
    MAX_CELLS,
    MAX_IMAGE_CHARACTERS,
    MAX_NOTEBOOK_BYTES,
    MAX_OUTPUT_CHARACTERS,
    MAX_OUTPUTS,
    MAX_TRACEBACK_LINES,
)
from tests.submissions import ROOT


def encode(*cells, **more):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells} | more)


def text_cell(source, **more):
    return {"cell_type": "markdown", "id": "a", "metadata": {}, "source": source} | more


def code_cell(source="", **more):
    cell = {"cell_type": "code", "id": "b", "metadata": {}, "source": source}
    return cell | {"outputs": [], "execution_count": None} | more


def test_a_notebook_of_the_course_keeps_its_text_its_images_and_its_names():
    content = (ROOT / "release" / "02-mnist" / "mnist.ipynb").read_bytes()
    found = read_notebook(content)
    expected = json.loads(content)
    expected["metadata"] = {}
    for cell in expected["cells"]:
        cell["source"] = "".join(cell["source"])
        nbgrader = cell["metadata"].get("nbgrader")
        cell["metadata"] = {"nbgrader": {"grade_id": nbgrader["grade_id"]}} if nbgrader else {}
        for output in cell.get("outputs", []):
            output["data"] = {
                kind: "".join(text)
                for kind, text in output["data"].items()
                if kind in ("text/plain", "image/png")
            }
            output["metadata"] = {}
    assert found.content == expected
    assert found.notes == []


def test_text_that_cannot_be_encoded_is_replaced_everywhere():
    half = "\ud83d"
    image = {"image/png": "AAAA"}
    found = read_notebook(
        encode(
            text_cell([half, "a"], attachments={half: image}, metadata={half: half}),
            code_cell(half, outputs=[{"output_type": "stream", "name": "stdout", "text": half}]),
        ).encode()
    ).content
    json.dumps(found, ensure_ascii=False).encode()
    assert found["cells"][0]["source"] == "\ufffda"
    assert found["cells"][0]["attachments"] == {"\ufffd": image}
    assert found["cells"][1]["outputs"][0]["text"] == "\ufffd"


def test_unknown_content_is_dropped():
    error = {"output_type": "error", "ename": "", "evalue": "", "traceback": []}
    found = read_notebook(
        encode(
            {"cell_type": "heading", "source": {"a": 1}, "metadata": 5, "id": 7, "evil": [[[]]]},
            code_cell(outputs=[3, {"output_type": "bomb"}, {"output_type": "error"}]),
            text_cell("", attachments={"a": 3, "b": {"text/html": "<b>"}, "": {"image/png": "A"}}),
            evil=1,
        ).encode()
    ).content
    assert set(found) == {"nbformat", "nbformat_minor", "metadata", "cells"}
    assert found["cells"] == [
        {"cell_type": "raw", "source": "", "metadata": {}},
        code_cell(outputs=[error]),
        text_cell(
            "\n\n(Removed: 2 images of type unknown, an image without a usable name. See the"
            " submitted file.)"
        ),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"PK\x03\x04\xff", "the file is a renamed zip archive", id="zip"),
        pytest.param(b"{" * 9, "the file is not a complete notebook", id="incomplete"),
        pytest.param(b"[" * 10**6, "nested", id="unclosed"),
        pytest.param(b'{"a":' * 200 + b"1" + b"}" * 200, "nested", id="nested"),
        pytest.param(b'{"cells": {}}', "no list of cells", id="no list"),
        pytest.param(b"9" * 5_000, "not a complete notebook", id="long number"),
        pytest.param(
            encode(*[code_cell()] * (MAX_CELLS + 1)).encode(), "2,001 cells", id="too many cells"
        ),
        pytest.param(
            encode(code_cell("a = 1\n" * MAX_CELL_CHARACTERS)).encode(),
            "cell 1 has 600,000 characters, and at most 100,000 are allowed",
            id="long cell",
        ),
        pytest.param(
            encode(*[code_cell("a" * MAX_CELL_CHARACTERS)] * 11).encode(),
            "the cells have 1,100,000 characters in all",
            id="long cells",
        ),
        pytest.param(
            b'{"cells": [' + b"{}," * 2_700_000 + b"{}]}", "2,700,001 cells", id="8 MB of cells"
        ),
    ],
)
def test_what_is_no_notebook_or_too_large_is_refused_with_a_reason(content, problem):
    start = time.process_time()
    with pytest.raises(StudentTextError, match=problem):
        read_notebook(content)
    assert time.process_time() - start < 1  # the work is done in the process with limits


def test_a_file_that_is_too_large_is_not_read():
    with pytest.raises(StudentTextError, match="the file is larger than 200 MB"):
        read_notebook(bytes(MAX_NOTEBOOK_BYTES + 1))


def test_parsing_may_not_take_much_memory():
    content = b'{"cells": [' + b"[]," * 5_000_000 + b"[]]}"
    with pytest.raises(StudentTextError, match="memory"):
        call_limited(notebook_parser.parse, blocks=[content], memory_mb=250)


def test_millions_of_small_values_stay_in_the_process_with_limits():
    """Each value is 6 bytes in the file, and 600 in a notebook node."""
    values = {"application/json": [{"": {}}] * 250_000, "text/plain": {"a": 1}}
    outputs = [
        {"output_type": kind, "metadata": {"a": [{}]}, "data": values, "execution_count": {}}
        for kind in ("display_data", "execute_result")
    ]
    metadata = {"a": [{}], "nbgrader": {"grade_id": "task", "b": [{}]}, "id": "c"}
    tracemalloc.start()
    found = read_notebook(encode(code_cell(outputs=outputs, metadata=metadata)).encode())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    plain = {"data": {"text/plain": ""}, "metadata": {}}
    assert found.content["metadata"] == {}
    assert found.content["cells"] == [
        code_cell(
            outputs=[
                {"output_type": "display_data"} | plain,
                {"output_type": "execute_result", "execution_count": None} | plain,
            ],
            metadata={"nbgrader": {"grade_id": "task"}, "id": "c"},
        )
    ]
    assert peak < 30 * 2**20  # mostly the text of the file


LINE = "1" * 999 + "\n"


def test_large_outputs_are_reduced_to_their_text_and_images():
    html = {"text/html": "x" * MAX_OUTPUT_CHARACTERS, "text/plain": "a figure", "image/png": "AA"}
    found = read_notebook(
        encode(
            code_cell(
                outputs=[
                    {"output_type": "display_data", "metadata": {}, "data": html},
                    {"output_type": "stream", "name": "stdout", "text": [LINE] * 2_000},
                    {"output_type": "stream", "name": "stderr", "text": [LINE] * 4_000},
                ]
            )
        ).encode()
    )
    figure, printed, note = found.content["cells"][0]["outputs"]
    assert printed["text"] == LINE * 2_000
    assert figure["data"] == {"text/plain": "a figure", "image/png": "AA"}
    assert "were removed" in note["text"]
    assert found.notes == ["no kernel name", "4 MB of outputs removed"]


def test_the_outputs_of_all_cells_have_a_budget_too():
    output = {"output_type": "stream", "name": "stdout", "text": "1" * 4_000_000}
    found = read_notebook(encode(*[code_cell(outputs=[output])] * 20).encode())
    sizes = [len(cell["outputs"][0]["text"]) for cell in found.content["cells"]]
    assert sizes[:16] == [4_000_000] * 16
    assert max(sizes[16:]) < 100
    assert found.notes == ["no kernel name", "15 MB of outputs removed"]


@pytest.mark.parametrize("end", ["\n", "\v", "\u2028"])
def test_outputs_of_very_many_lines_are_reduced(end):
    """A notebook file stores each line as a text of its own, which takes long to write."""
    printed = {"output_type": "stream", "name": "stdout", "text": end * 200_000}
    value = {"output_type": "display_data", "data": {"text/plain": end * 40_000}, "metadata": {}}
    found = read_notebook(encode(*[code_cell(outputs=[printed, value])] * 30).encode())
    outputs = [output for cell in found.content["cells"] for output in cell["outputs"]]
    texts = [each.get("text") or each["data"]["text/plain"] for each in outputs]
    lines = sum(len(text.splitlines()) for text in texts)
    assert 400_000 < lines < 700_000
    assert any("of outputs removed" in note for note in found.notes)


def test_printed_texts_in_succession_become_one_output():
    """A progress bar prints thousands of short texts, and none of them is lost."""
    outputs = [
        {"output_type": "stream", "name": "stderr" if number < 2 else "stdout", "text": [text, "|"]}
        for number, text in enumerate(map(str, range(5_000)))
    ]
    (cell,) = read_notebook(encode(code_cell(outputs=outputs)).encode()).content["cells"]
    assert cell["outputs"] == [
        {"output_type": "stream", "name": "stderr", "text": "0|1|"},
        {
            "output_type": "stream",
            "name": "stdout",
            "text": "".join(f"{number}|" for number in range(2, 5_000)),
        },
    ]


def test_the_number_of_outputs_is_limited_in_a_cell_and_in_a_notebook():
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "a"}}
    found = read_notebook(encode(*[code_cell(outputs=[output] * 3_000)] * 10).encode())
    counts = [len(cell["outputs"]) - 1 for cell in found.content["cells"]]  # without the note
    assert max(counts) == MAX_OUTPUTS
    assert sum(counts) == MAX_ALL_OUTPUTS
    assert all("removed" in cell["outputs"][-1]["text"] for cell in found.content["cells"])
    assert found.notes == ["no kernel name", "2 MB of outputs removed"]


def test_the_lines_of_a_traceback_and_the_attachments_are_limited():
    image = {"image/png": "AA"}
    error = {"output_type": "error", "traceback": ["a"] * 10_000}
    texts = [text_cell("", attachments={str(n): image for n in range(90)})] * 10
    found = read_notebook(encode(code_cell(outputs=[error]), *texts).encode())
    cells = found.content["cells"]
    assert len(cells[0]["outputs"][0]["traceback"]) == MAX_TRACEBACK_LINES
    assert sum(len(cell.get("attachments", {})) for cell in cells) == MAX_ALL_ATTACHMENTS


def test_code_cells_with_embedded_images_fit_in_a_message():
    source = "x = 'data:image/png;base64," + "A" * 2 * 2**20 + "'"
    assert read_notebook(encode(*[code_cell(source)] * 15).encode())
    with pytest.raises(StudentTextError, match="the code cells have 34 MB of text"):
        read_notebook(encode(*[code_cell(source)] * 17).encode())


def test_embedded_images_do_not_count_as_text():
    source = "![](data:image/png;base64," + "A" * 500_000 + ")"
    assert read_notebook(encode(text_cell(source)).encode()).content["cells"][0]["source"] == source


@pytest.mark.parametrize("kind", ["image/svg+xml", "image/bmp", "image/tiff", "image/avif"])
def test_an_image_that_cannot_be_shown_leaves_a_mark(kind):
    source = "![derivation](attachment:a.x)"
    cell = text_cell(source, attachments={"a.x": {kind: "AAAA"}, "b.png": {"image/png": "AAAA"}})
    found = read_notebook(encode(cell).encode())
    (kept,) = found.content["cells"]
    assert kept["attachments"] == {"b.png": {"image/png": "AAAA"}}
    mark = f"(Removed: an image of type {kind}. See the submitted file.)"
    assert kept["source"] == f"{source}\n\n{mark}"
    assert "images removed: 1" in found.notes
    again = read_notebook(json.dumps(found.content).encode())
    assert again.content["cells"] == [kept]


def test_surplus_images_leave_a_mark():
    image = {"image/png": "AA"}
    found = read_notebook(
        encode(text_cell("", attachments={str(n): image for n in range(90)})).encode()
    )
    (cell,) = found.content["cells"]
    assert "(Removed: 40 images beyond the number that is allowed. See" in cell["source"]
    assert "images removed: 40" in found.notes


def test_the_type_of_an_image_cannot_be_other_text():
    cell = text_cell("", attachments={"a": {"image/[a](https://evil.example)": "AAAA"}, "b": 1})
    (kept,) = read_notebook(encode(cell).encode()).content["cells"]
    assert "(Removed: 2 images of type unknown. See the submitted file.)" in kept["source"]


@pytest.mark.parametrize("is_attached", [False, True])
def test_the_images_of_a_notebook_have_one_budget(is_attached):
    data = "A" * (MAX_IMAGE_CHARACTERS // 2 - 1_000)
    if is_attached:
        cell = text_cell("\U0001f600", attachments={"a": {"image/png": data}})
    else:
        cell = text_cell(f"\U0001f600 ![a](data:image/png;base64,{data}) b")
    found = read_notebook(encode(*[cell] * 3).encode())
    *kept, reduced = found.content["cells"]
    assert all(each["source"] == cell["source"] for each in kept)
    mark = "\n\n(Removed: an image beyond the size that is allowed. See the submitted file.)"
    text = "\U0001f600" if is_attached else "\U0001f600 ![a](removed-image) b"
    assert reduced["source"] == text + mark
    assert "attachments" not in reduced
    assert "images removed: 1" in found.notes
