"""The last cell of a notebook, run in real kernels; and the list that it packs."""

import io
import json
import os
import time
import zipfile

import nbformat
import pytest
from nbclient import NotebookClient

from course import packing
from tests.conftest import cell, write_notebook

PACK = 'from course import packing\npacking.pack("01-small", notebook="small.ipynb")'
ANSWER = cell("code", "def double(x):\n    return 2 * x", "double")
STUB = cell(
    "code", '# Your code here, in place of the next line.\nraise NotImplementedError("x")', "double"
)
WORDS = cell("markdown", "It doubles.", "explain")
COLAB = """
import json, pathlib, sys, types
def blocking_request(request_type, request="", timeout_sec=5, parent=None):
    assert request_type == "get_ipynb"
    return {"ipynb": json.loads(pathlib.Path("page.txt").read_text())}
google, colab = types.ModuleType("google"), types.ModuleType("google.colab")
colab._message = types.SimpleNamespace(blocking_request=blocking_request)
colab.files = types.SimpleNamespace(download=lambda path: print("downloading", path))
google.colab = colab
sys.modules |= {"google": google, "google.colab": colab}
"""


def notebook_of(*cells, pack=PACK):
    heading = cell("markdown", "### Exercise 1: double (2 points)", "heading")
    return [heading, *cells, cell("code", pack, "pack")]


@pytest.fixture
def run(tmp_path):
    """Return a function that runs cells in a kernel and gives what the last one printed.

    The file that is packed may hold other cells, under another name, saved some time ago.
    """

    def execute(cells, file=None, *, name="small.ipynb", saved_ago=0, said="JPY_SESSION_NAME"):
        write_notebook(tmp_path / name, cells if file is None else file)
        when = time.time() - saved_ago
        os.utime(tmp_path / name, (when, when))
        notebook = nbformat.from_dict(
            json.loads((write_notebook(tmp_path / "run" / "x.json", cells)).read_text())
        )
        client = NotebookClient(
            notebook, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
        )
        environment = {k: v for k, v in os.environ.items() if k != "JPY_SESSION_NAME"}
        with client.setup_kernel(env=environment | ({said: str(tmp_path / name)} if said else {})):
            for number, each in enumerate(notebook.cells):
                client.execute_cell(each, number)
        return "".join(
            output.get("text", "") or "\n".join(output.get("traceback", []))
            for output in notebook.cells[-1].outputs
        )

    return execute


def packed(tmp_path):
    """Return the files in the archive that was written."""
    with zipfile.ZipFile(tmp_path / "small-hand-in.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_is_whole_is_packed_under_its_own_name(run, tmp_path):
    said = run(notebook_of(ANSWER, WORDS), name="Copy of small (1).ipynb")
    assert "look" not in said
    assert "ok: all cells were run" in said
    assert "ok: no answer is empty" in said
    files = packed(tmp_path)
    assert files.keys() == {"small.ipynb", "hand-in.json"}
    assert files["small.ipynb"] == (tmp_path / "Copy of small (1).ipynb").read_bytes()
    told = packing.read_manifest(files)
    assert told["problems"] == []
    assert told["assignment"] == "01-small"
    assert f"Its checksum is {told['checksum']}." in said
    assert str(tmp_path / "small-hand-in.zip") in said


def test_empty_answers_are_named_by_their_exercise_and_packed_all_the_same(run, tmp_path):
    empty = cell("markdown", "*Write your answer here.*", "explain")
    said = run(notebook_of(STUB, empty, cell("markdown", " ", "other")))
    assert "not answered yet:\n  - Exercise 1: double (2 points)" in said
    assert "You can hand it in as it is" in said
    assert "small.ipynb" in packed(tmp_path)


def test_an_answer_without_metadata_is_known_by_its_stub(run):
    bare = {**STUB, "metadata": {}}
    assert "not answered yet" in run(notebook_of(bare))


def test_a_cell_that_was_not_run_as_it_stands_is_named(run):
    file = notebook_of({**ANSWER, "source": "def double(x):\n    return 3 * x"})
    said = run(notebook_of(ANSWER), file)
    assert "begins with `def double(x):`" in said
    assert "under 'Exercise 1: double (2 points)', was not run as it stands" in said


def test_cells_that_were_run_out_of_order_are_named(run):
    first, second = cell("code", "a = 1", "a"), cell("code", "b = 2", "b")
    said = run(notebook_of(second, first), notebook_of(first, second))
    assert "`b = 2`" in said
    assert "was not run after those above it" in said


def test_a_cell_with_an_error_is_named(run):
    output = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
    broken = {**cell("code", "1 / 0", "broken"), "outputs": [output]}
    assert "`1 / 0`, under 'Exercise 1: double (2 points)', ends with an error" in run(
        notebook_of(broken)
    )


def test_a_file_that_was_saved_long_ago_is_told(run):
    assert "was saved 5 minutes ago" in run(notebook_of(ANSWER), saved_ago=300)


def test_on_colab_the_page_itself_is_packed_and_downloaded(run, tmp_path):
    cells = [cell("code", COLAB, "colab"), *notebook_of(ANSWER)]
    page = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 0}
    (tmp_path / "page.txt").write_text(json.dumps(page))
    said = run(cells, name="other.ipynb", file=[], said="")
    assert "downloading small-hand-in.zip" in said
    assert json.loads(packed(tmp_path)["small.ipynb"])["cells"] == cells


@pytest.mark.parametrize("said", ["", "VSCODE"])
def test_elsewhere_the_file_that_holds_what_was_run_is_packed(run, tmp_path, said):
    cells = notebook_of(ANSWER)
    if said:
        path = str(tmp_path / "deep" / "small.ipynb")
        write_notebook(tmp_path / "deep" / "small.ipynb", cells)
        cells = [cell("code", f"__vsc_ipynb_file__ = {path!r}", "vs"), *cells]
    write_notebook(tmp_path / "unrelated.ipynb", [cell("code", "other = 1", "other")])
    run(cells, said="")
    assert "small.ipynb" in packed(tmp_path)


def test_where_nothing_can_be_read_it_says_what_to_upload(run, tmp_path):
    said = run(notebook_of(ANSWER), file=[], said="")
    assert "cannot be read from here" in said
    assert "upload it as small.ipynb" in said
    assert not (tmp_path / "small-hand-in.zip").exists()


def test_missing_evidence_is_told_and_what_is_there_is_packed(run, tmp_path):
    cells = notebook_of(ANSWER, pack=PACK.replace(")", ", evidence=True)"))
    assert "look: evidence cannot be used" in run(cells)
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "iii.json").write_text("{}")
    (tmp_path / "evidence" / "iii.npz").symlink_to("/etc/passwd")
    assert "look: " in run(cells)
    assert packed(tmp_path).keys() == {"small.ipynb", "evidence/iii.json", "hand-in.json"}


def test_what_papermill_runs_leaves_no_archive(run, tmp_path):
    injected = cell("code", "seed = 1", "injected", tags=["injected-parameters"])
    assert "cannot be read from here" in run([injected, *notebook_of(ANSWER)], said="")
    assert not (tmp_path / "small-hand-in.zip").exists()


FILES = {"small.ipynb": b"{}", "evidence/iii.json": b"[]"}
MANIFEST, CHECKSUM = packing.manifest.make_manifest({"assignment": "01-small", "seed": 0}, FILES)


def test_a_manifest_tells_what_has_changed_since():
    whole = FILES | {packing.MANIFEST: MANIFEST}
    assert packing.read_manifest(whole)["checksum"] == CHECKSUM
    for files, words in [
        (whole | {"small.ipynb": b"{ }"}, "changed since it was packed: small.ipynb"),
        (whole | {"more.npz": b""}, "added since it was packed: more.npz"),
        ({packing.MANIFEST: MANIFEST, "small.ipynb": b"{}"}, "missing since it was packed"),
    ]:
        told = packing.read_manifest(files)
        assert told["checksum"] == ""
        assert words in told["problems"][0]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"null", b"[" * 60_000, b"\xff\xfe", b"{" + b" " * 2**20 + b"}",
        b'{"files": 3}', b'{"files": {"a": {}}}', b'{"files": {"a": 1e999}, "student": {}}',
        '{"files": {}, "assignment": "\x1b[31m\u202e"}'.encode(),
    ],
)  # fmt: skip
def test_a_hostile_manifest_is_believed_nothing(content):
    told = packing.read_manifest({packing.MANIFEST: content, "small.ipynb": b"{}"})
    assert told["problems"]
    assert told["checksum"] == ""
    assert all(text.isprintable() for key, text in told.items() if isinstance(text, str))


def test_the_archive_is_a_plain_zip(run, tmp_path):
    run(notebook_of(ANSWER))
    content = (tmp_path / "small-hand-in.zip").read_bytes()
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
