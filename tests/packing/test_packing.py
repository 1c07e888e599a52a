"""The last cell of a notebook, run in real kernels; and the list that it packs."""

import io
import json
import os
import time
import zipfile

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from course import packing
from course.packing import review
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

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
    page = pathlib.Path("page.txt")
    return {"ipynb": json.loads(page.read_text())} if page.exists() else None  # it timed out
def download(filename):
    if not pathlib.Path(filename).exists():
        raise FileNotFoundError(filename)
    print("downloading", filename)
google, colab = types.ModuleType("google"), types.ModuleType("google.colab")
colab._message = types.SimpleNamespace(blocking_request=blocking_request)
colab.files = types.SimpleNamespace(download=download)
google.colab = colab
sys.modules |= {"google": google, "google.colab": colab}
"""


def notebook_of(*cells, pack=PACK):
    heading = cell("markdown", "### Exercise 1: double (2 points)")
    return [heading, *cells, cell("code", pack)]


def saved_after_running(file, cells):
    """Return a file's cells with the number that each was run as, as Jupyter saves them."""
    texts = [each["source"] for each in cells if each["cell_type"] == "code"]
    runs = {text: number for number, text in enumerate(texts, 1) if text != PACK}
    return [
        {**each, "execution_count": runs.get(each["source"])}
        if each["cell_type"] == "code"
        else each
        for each in file
    ]


@pytest.fixture
def run(tmp_path):
    """Return a function that runs cells in a kernel and gives what the last one printed.

    The file that is packed may hold other cells, under another name, saved some time ago. Jupyter
    tells the kernel what the file was called when it started.
    """

    def execute(cells, file=None, *, name="small.ipynb", saved_ago=0, told="small.ipynb"):
        file = cells if file is None else file
        write_notebook(tmp_path / name, saved_after_running(file, cells))
        when = time.time() - saved_ago
        os.utime(tmp_path / name, (when, when))
        notebook = nbformat.from_dict(
            json.loads((write_notebook(tmp_path / "run" / "x.json", cells)).read_text())
        )
        client = NotebookClient(
            notebook, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
        )
        environment = {k: v for k, v in os.environ.items() if k != "JPY_SESSION_NAME"}
        if told:
            environment["JPY_SESSION_NAME"] = str(tmp_path / told)
        with client.setup_kernel(env=environment):
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
    assert "ok: Copy of small (1).ipynb is packed as small.ipynb" in said
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
    answers = [
        STUB,
        cell("code", "raise NotImplementedError('x')", "without-hint"),
        cell("code", "# nothing but words", "words"),
        cell("markdown", "*Write your answer here.*", "text"),
        cell("markdown", " ", "empty-text"),
        {**STUB, "metadata": {}},
    ]
    cells = [ANSWER]
    for number, answer in enumerate(answers, 2):
        cells += [cell("markdown", f"### Exercise {number}"), answer]
    said = run(notebook_of(*cells))
    assert [line for line in said.splitlines() if line.startswith("  - ")] == [
        f"  - Exercise {number}" for number in range(2, 8)
    ]
    assert "You can hand it in as it is" in said
    assert "small.ipynb" in packed(tmp_path)


def test_code_that_is_no_answer_may_raise_and_may_be_empty(run):
    mine = cell("code", "def later():\n    raise NotImplementedError('x')")
    locked = cell("code", "# nothing", "test", points=2)
    assert "ok: no answer is empty" in run(notebook_of(ANSWER, mine, locked))


def test_a_cell_that_was_not_run_as_it_stands_is_named(run):
    file = notebook_of({**ANSWER, "source": "def double(x):\n    return 3 * x"})
    said = run(notebook_of(ANSWER), file)
    assert "look: not run as it stands in the file: the cell `def double(x):`\n" in said
    assert (
        "\n  under Exercise 1: double (2 points). Restart the kernel and run all cells.\n" in said
    )


def test_of_many_cells_that_were_not_run_the_first_is_named_and_the_rest_counted(run):
    long = cell("code", f"numbers = [{', '.join(map(str, range(30)))}]")
    said = run(notebook_of(ANSWER), notebook_of(ANSWER, long, cell("code", "a = 1")))
    assert "the cell `numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11...`\n" in said
    assert "(2 points), and 1 more. Restart" in said


def test_cells_that_were_run_out_of_order_are_named(run):
    first, second = cell("code", "a = 1", "a"), cell("code", "b = 2", "b")
    said = run(notebook_of(second, first), notebook_of(first, second))
    assert "look: not run after those above it: the cell `b = 2`\n" in said


def test_a_cell_with_an_error_is_named(run):
    output = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
    broken = {**cell("code", "1 / 0"), "outputs": [output]}
    emptied = {**cell("code", ""), "outputs": [output]}
    assert "look: ends with an error: the cell ``" in run(notebook_of(ANSWER), notebook_of(emptied))
    assert "look: ends with an error: the cell `1 / 0`\n  under Exercise 1" in run(
        notebook_of(broken)
    )


OTHER = cell("code", "def double(x):\n    return x + x", "other")


def test_what_was_run_and_not_saved_is_told(run):
    # Both versions were run; the file holds the older one.
    said = run(notebook_of(ANSWER, OTHER), notebook_of(ANSWER))
    assert said.startswith("look: the file does not hold what you ran last. Save (Ctrl+S)")


def test_an_answer_that_was_mended_run_and_saved_is_whole(run, tmp_path):
    assert "look" not in run(notebook_of(ANSWER, OTHER), notebook_of(OTHER))
    assert b"return x + x" in packed(tmp_path)["small.ipynb"]


def test_what_was_saved_under_another_name_is_packed(run, tmp_path):
    # The file that the kernel was told of is still there, with what it held before.
    write_notebook(tmp_path / "small.ipynb", notebook_of(ANSWER))
    os.utime(tmp_path / "small.ipynb", (0, 0))
    said = run(notebook_of(ANSWER, OTHER), notebook_of(OTHER), name="mine.ipynb")
    assert "look" not in said
    assert "ok: mine.ipynb is packed as small.ipynb" in said
    assert b"return x + x" in packed(tmp_path)["small.ipynb"]


def test_a_copy_that_was_made_before_is_not_packed(run, tmp_path):
    cells = notebook_of(ANSWER, OTHER)
    write_notebook(tmp_path / "copy.ipynb", saved_after_running(cells, cells))
    os.utime(tmp_path / "copy.ipynb", (0, 0))
    assert "look: the file does not hold" in run(cells, notebook_of(ANSWER))
    assert b"x + x" not in packed(tmp_path)["small.ipynb"]


def test_of_a_large_notebook_the_largest_outputs_are_named(run):
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 22 * 2**20}
    said = run(notebook_of(ANSWER), notebook_of({**ANSWER, "outputs": [output]}))
    assert "look: the notebook has 22 MB" in said
    assert "Clear the outputs of\n  - the cell `def double(x):` under Ex" in said


@pytest.mark.parametrize("until", ["the file is whole", "nobody saves any more"])
def test_what_jupyter_is_saving_is_waited_for_and_its_old_copy_is_never_packed(
    run, tmp_path, until
):
    old = write_notebook(tmp_path / ".~small.ipynb", notebook_of(ANSWER, cell("code", "a = 1")))
    if until == "the file is whole":
        remove = f"import os, threading; threading.Timer(1, os.remove, [{str(old)!r}]).start()"
        cells = notebook_of(cell("code", remove), ANSWER)
    else:
        cells = notebook_of(ANSWER)
    run(cells)
    assert packed(tmp_path)["small.ipynb"] == (tmp_path / "small.ipynb").read_bytes()


def test_a_file_that_was_saved_long_ago_is_told(run):
    assert "was saved 5 minutes ago" in run(notebook_of(ANSWER), saved_ago=300)


def test_on_colab_the_page_itself_is_packed_and_downloaded(run, tmp_path):
    cells = [cell("code", COLAB, "colab"), *notebook_of(ANSWER)]
    page = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 0}
    (tmp_path / "page.txt").write_text(json.dumps(page))
    said = run(cells, name="other.ipynb", file=[], told="")
    assert "look" not in said
    assert "downloading small-hand-in.zip" in said
    assert json.loads(packed(tmp_path)["small.ipynb"])["cells"] == cells


def test_where_colab_does_not_answer_the_student_downloads_the_notebook(run):
    cells = [cell("code", COLAB, "colab"), *notebook_of(ANSWER)]
    assert "cannot be read from here. Save it, download it" in run(cells, file=[], told="")


def test_an_archive_that_cannot_be_written_is_one_sentence_and_leaves_nothing(run, tmp_path):
    (tmp_path / "small-hand-in.zip").mkdir()
    assert "CourseError: " in (said := run(notebook_of(ANSWER)))
    assert "small-hand-in.zip cannot be written" in said
    assert not list(tmp_path.glob("*.part"))


def test_in_vs_code_the_file_that_it_names_is_packed(run, tmp_path):
    path = tmp_path / "deep" / "mine.ipynb"
    cells = [cell("code", f"__vsc_ipynb_file__ = {str(path)!r}", "vs"), *notebook_of(ANSWER)]
    write_notebook(path, saved_after_running(cells, cells))
    assert "look" not in run(cells, file=[], told="")
    assert packed(tmp_path)["small.ipynb"] == path.read_bytes()


def test_elsewhere_the_file_that_holds_what_was_run_is_packed(run, tmp_path):
    write_notebook(tmp_path / "unrelated.ipynb", [cell("code", "other = 1", "other")])
    write_notebook(tmp_path / "older.ipynb", notebook_of(ANSWER, WORDS))
    assert "look" not in run(notebook_of(ANSWER), told="")
    assert packed(tmp_path)["small.ipynb"] == (tmp_path / "small.ipynb").read_bytes()


def test_where_nothing_can_be_read_it_says_what_to_upload(run, tmp_path):
    said = run(notebook_of(ANSWER), file=[], told="")
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


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("gpu", "ok: evidence of 1 training (gpu profile)"),
        ("smoke", "look: the evidence is not of a real training"),
        (["gpu"], "look: the evidence is not of a real training"),
    ],
)
def test_evidence_is_packed_and_its_profile_told(run, tmp_path, profile, words):
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "iii.json").write_text(json.dumps({"name": "III", "profile": profile}))
    np.savez(folder / "iii.npz", weight_0=np.ones(3, "<f2"))
    (folder / "notes.txt").write_text("mine")
    assert words in run(notebook_of(ANSWER, pack=PACK.replace(")", ", evidence=True)")))
    files = packed(tmp_path)
    assert files.keys() == {"small.ipynb", "evidence/iii.json", "evidence/iii.npz", "hand-in.json"}
    assert files["evidence/iii.npz"] == (folder / "iii.npz").read_bytes()
    assert packing.read_manifest(files)["checksum"]


HIDDEN = cell(
    "code", "### BEGIN HIDDEN TESTS\nassert double(4) == 8\n### END HIDDEN TESTS", "test", points=2
)


def test_hidden_tests_are_never_packed(run, tmp_path):
    said = run(notebook_of(ANSWER, HIDDEN))
    assert said == "This notebook holds hidden tests: nothing is packed.\n"
    assert not (tmp_path / "small-hand-in.zip").exists()


def test_what_is_packed_reaches_the_instructor_and_never_a_release(
    run, tmp_path, small_course, course_command
):
    answer = {**ANSWER, "source": f"### BEGIN SOLUTION\n{ANSWER['source']}\n### END SOLUTION"}
    root = small_course(*notebook_of(answer, HIDDEN))
    # An instructor who runs all cells of the source has packed before hidden tests were refused.
    (root / "source" / "01-small" / "small-hand-in.zip").write_bytes(b"solutions")
    assert course_command("release", cwd=root).returncode == 0
    (released,) = (root / "release" / "01-small").iterdir()

    cells = nbformat.read(released, as_version=4).cells
    run([{**each, "source": ANSWER["source"]} if each.id == "double" else each for each in cells])
    checksum = packing.read_manifest(packed(tmp_path))["checksum"]
    done = course_command("collect", "small-hand-in.zip", "--student", "ada", cwd=root)
    assert f"01-small  ada  collected: checksum {checksum}" in done.stdout
    taken = root / "submitted" / "ada" / "01-small" / "small.ipynb"
    assert taken.read_bytes() == packed(tmp_path)["small.ipynb"]


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
        b'{"files": {"\\ud800\\u001b[31m": ""}}',
        '{"files": {}, "assignment": "\x1b[31m\u202e"}'.encode(),
    ],
)  # fmt: skip
def test_a_hostile_manifest_is_believed_nothing(content):
    told = packing.read_manifest({packing.MANIFEST: content, "small.ipynb": b"{}"})
    assert told["problems"]
    assert told["checksum"] == ""
    texts = [*(text for text in told.values() if isinstance(text, str)), *told["problems"]]
    assert all(text.isprintable() for text in texts)


def test_names_that_cannot_be_encoded_are_read_all_the_same():
    files = {"\udc80.ipynb": b"{}"}
    content, checksum = packing.manifest.make_manifest({}, files)
    told = packing.read_manifest(files | {packing.MANIFEST: content})
    assert (told["checksum"], told["problems"]) == (checksum, [])


def test_the_archive_is_a_plain_zip(run, tmp_path):
    run(notebook_of(ANSWER))
    content = (tmp_path / "small-hand-in.zip").read_bytes()
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


@pytest.mark.parametrize("path", sorted(ROOT.glob("release/*/*.ipynb")), ids=lambda path: path.stem)
def test_every_stub_of_a_release_counts_as_empty_with_its_metadata_and_without(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    answers = [each for each in cells if each["metadata"].get("nbgrader", {}).get("solution")]
    for each in cells:
        each["source"] = "".join(each["source"])
    bare = [{**each, "metadata": {}} for each in cells]
    assert review.empty_answers(cells) == review.empty_answers(bare)
    for each in answers:
        for metadata in (each["metadata"], {}):
            assert review.empty_answers([{**each, "metadata": metadata}]), each["id"]
