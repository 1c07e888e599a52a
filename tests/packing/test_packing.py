"""The last cell of a notebook, run in real kernels, and the manifest that it packs."""

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
EXPLANATION = cell("markdown", "It doubles.", "explain")
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
    """Return a file's cells with their execution counts, as Jupyter saves them."""
    sources = [each["source"] for each in cells if each["cell_type"] == "code"]
    counts = {source: number for number, source in enumerate(sources, 1) if source != PACK}
    return [
        {**each, "execution_count": counts.get(each["source"])}
        if each["cell_type"] == "code"
        else each
        for each in file
    ]


@pytest.fixture
def run(tmp_path):
    """Return a function that runs cells in a kernel and returns the output of the last one.

    The file can have other cells and another name, and can have been saved some time ago. Jupyter
    tells the kernel the name of the file at its start.
    """

    def execute(cells, file=None, *, name="small.ipynb", age=0, announced="small.ipynb"):
        file = cells if file is None else file
        write_notebook(tmp_path / name, saved_after_running(file, cells))
        when = time.time() - age
        os.utime(tmp_path / name, (when, when))
        notebook = nbformat.from_dict(
            json.loads((write_notebook(tmp_path / "run" / "x.json", cells)).read_text())
        )
        client = NotebookClient(
            notebook, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
        )
        environment = {k: v for k, v in os.environ.items() if k != "JPY_SESSION_NAME"}
        if announced:
            environment["JPY_SESSION_NAME"] = str(tmp_path / announced)
        with client.setup_kernel(env=environment):
            for number, each in enumerate(notebook.cells):
                client.execute_cell(each, number)
        return "".join(
            output.get("text", "") or "\n".join(output.get("traceback", []))
            for output in notebook.cells[-1].outputs
        )

    return execute


def packed(tmp_path):
    """Return the files in the written archive."""
    with zipfile.ZipFile(tmp_path / "small-submission.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_complete_notebook_is_packed_under_its_original_name(run, tmp_path):
    output = run(notebook_of(ANSWER, EXPLANATION), name="Copy of small (1).ipynb")
    assert "warning" not in output
    assert "ok: Copy of small (1).ipynb is packed as small.ipynb" in output
    assert "ok: all cells were run" in output
    assert "ok: no answer is empty" in output
    files = packed(tmp_path)
    assert files.keys() == {"small.ipynb", "submission.json"}
    assert files["small.ipynb"] == (tmp_path / "Copy of small (1).ipynb").read_bytes()
    manifest = packing.read_manifest(files)
    assert manifest["problems"] == []
    assert manifest["assignment"] == "01-small"
    assert f"Its checksum is {manifest['checksum']}." in output
    assert str(tmp_path / "small-submission.zip") in output


def test_empty_answers_are_named_by_their_exercise_and_packed(run, tmp_path):
    answers = [
        STUB,
        cell("code", "raise NotImplementedError('x')", "without-hint"),
        cell("code", "# only a comment", "comment"),
        cell("markdown", "*Write your answer here.*", "text"),
        cell("markdown", " ", "empty-text"),
        {**STUB, "metadata": {}},
    ]
    cells = [ANSWER]
    for number, answer in enumerate(answers, 2):
        cells += [cell("markdown", f"### Exercise {number}"), answer]
    output = run(notebook_of(*cells))
    assert [line for line in output.splitlines() if line.startswith("  - ")] == [
        f"  - Exercise {number}" for number in range(2, 8)
    ]
    assert "You can submit it as it is" in output
    assert "small.ipynb" in packed(tmp_path)


@pytest.mark.parametrize("metadata", [None, [], "x"])
def test_a_cell_with_unusable_metadata_is_packed(run, tmp_path, metadata):
    cells = notebook_of(ANSWER, EXPLANATION)
    output = run(cells, file=[{**each, "metadata": metadata} for each in cells])
    assert "Error" not in output
    assert "small.ipynb" in packed(tmp_path)


def test_code_outside_answers_can_raise_or_be_empty(run):
    own = cell("code", "def later():\n    raise NotImplementedError('x')")
    locked = cell("code", "# nothing", "test", points=2)
    assert "ok: no answer is empty" in run(notebook_of(ANSWER, own, locked))


def test_a_cell_that_was_not_run_in_its_present_form_is_named(run):
    file = notebook_of({**ANSWER, "source": "def double(x):\n    return 3 * x"})
    output = run(notebook_of(ANSWER), file)
    assert "warning: not run in its present form: the cell `def double(x):`\n" in output
    assert (
        "\n  under Exercise 1: double (2 points). Restart the kernel and run all cells.\n" in output
    )


def test_nobody_has_to_run_the_cell_that_shows_the_finished_result(run):
    result = cell("code", 'from course import plotting\n\nplotting.result("01-small")')
    assert "all cells were run from top to bottom" in run(
        notebook_of(ANSWER), notebook_of(result, ANSWER)
    )


def test_the_first_of_many_unexecuted_cells_is_named_and_the_others_are_counted(run):
    long = cell("code", f"numbers = [{', '.join(map(str, range(30)))}]")
    output = run(notebook_of(ANSWER), notebook_of(ANSWER, long, cell("code", "a = 1")))
    assert "the cell `numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11...`\n" in output
    assert "(2 points), and 1 more. Restart" in output


def test_cells_that_were_run_out_of_order_are_named(run):
    first, second = cell("code", "a = 1", "a"), cell("code", "b = 2", "b")
    output = run(notebook_of(second, first), notebook_of(first, second))
    assert "warning: not run after the cells above it: the cell `b = 2`\n" in output


def test_a_cell_with_an_error_is_named(run):
    output = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
    broken = {**cell("code", "1 / 0"), "outputs": [output]}
    emptied = {**cell("code", ""), "outputs": [output]}
    assert "warning: ends with an error: the cell ``" in run(
        notebook_of(ANSWER), notebook_of(emptied)
    )
    assert "warning: ends with an error: the cell `1 / 0`\n  under Exercise 1" in run(
        notebook_of(broken)
    )


def test_what_works_here_but_not_in_grading_is_named(run):
    answer = cell(
        "code",
        "import xml, threading as t\nrows = (row for row in [1, 2])\nother = rows",
        "double",
    )
    imports = cell("code", "%matplotlib inline\nimport nbclient.client\nfrom nbclient import util")
    guarded = cell("code", "try:\n    import google.colab\nexcept ImportError:\n    pass")
    test = cell("code", "import nbformat\nassert rows", "test_double", points=1)
    output = run(notebook_of(answer, imports, guarded, test))
    assert [line for line in output.splitlines() if line.startswith("warning")] == [
        "warning: grading does not have nbclient: the cell `%matplotlib inline`",
        "warning: tests cannot use rows: it is a generator, which can be read only once: use a"
        " list.",
    ]
    assert "under Exercise 1: double (2 points).\n  Answers that need this import lose" in output
    assert "It is set in the cell `import xml, threading as t`\n  under Exercise 1" in output


OLD_PYTHON = """
from course.gradable import importable_packages
from course.packing import review
importable_packages.GRADING_PYTHON = review.GRADING_PYTHON = 3, 9
"""


def test_a_cell_whose_syntax_is_too_new_for_grading_is_named(run):
    answer = cell("code", "match [1]:\n    case [x]:\n        y = x", "double")
    test = cell("code", "match [1]:\n    case [x]:\n        pass", "test_double", points=1)
    output = run(notebook_of(cell("code", OLD_PYTHON), answer, test))
    warnings = [line for line in output.splitlines() if line.startswith("warning")]
    assert warnings == [
        "warning: Python 3.9, which grading may use, cannot read the cell `match [1]:`"
    ]


@pytest.mark.slow
def test_a_network_that_grading_cannot_rebuild_is_named(run):
    answer = cell(
        "code",
        "import keras\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x, name='a')])",
        "double",
    )
    test = cell("code", "model.summary()", "test_double", points=1)
    output = run(notebook_of(answer, test))
    assert "warning: tests cannot use model: its layer a is a Lambda layer: use Keras's" in output


OTHER = cell("code", "def double(x):\n    return x + x", "other")


def test_unsaved_cells_are_reported(run):
    # Both versions were run; the file contains the older one.
    output = run(notebook_of(ANSWER, OTHER), notebook_of(ANSWER))
    assert output.startswith(
        "warning: the file does not contain the cells that you ran last. Save (Ctrl+S)"
    )


def test_a_corrected_executed_and_saved_answer_gives_no_warning(run, tmp_path):
    assert "warning" not in run(notebook_of(ANSWER, OTHER), notebook_of(OTHER))
    assert b"return x + x" in packed(tmp_path)["small.ipynb"]


def test_a_notebook_saved_under_another_name_is_packed(run, tmp_path):
    # The file whose name the kernel has still exists, with its earlier content.
    write_notebook(tmp_path / "small.ipynb", notebook_of(ANSWER))
    os.utime(tmp_path / "small.ipynb", (0, 0))
    output = run(notebook_of(ANSWER, OTHER), notebook_of(OTHER), name="mine.ipynb")
    assert "warning" not in output
    assert "ok: mine.ipynb is packed as small.ipynb" in output
    assert b"return x + x" in packed(tmp_path)["small.ipynb"]


def test_an_older_copy_is_not_packed(run, tmp_path):
    cells = notebook_of(ANSWER, OTHER)
    write_notebook(tmp_path / "copy.ipynb", saved_after_running(cells, cells))
    os.utime(tmp_path / "copy.ipynb", (0, 0))
    assert "warning: the file does not contain" in run(cells, notebook_of(ANSWER))
    assert b"x + x" not in packed(tmp_path)["small.ipynb"]


def test_the_largest_outputs_of_a_large_notebook_are_named(run):
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 22 * 2**20}
    output = run(notebook_of(ANSWER), notebook_of({**ANSWER, "outputs": [output]}))
    assert "warning: the notebook has 22 MB" in output
    assert "Clear the outputs of\n  - the cell `def double(x):` under Ex" in output


@pytest.mark.parametrize("until", ["the file is complete", "a timeout"])
def test_packing_waits_for_a_save_and_never_packs_the_old_copy(run, tmp_path, until):
    old = write_notebook(tmp_path / ".~small.ipynb", notebook_of(ANSWER, cell("code", "a = 1")))
    if until == "the file is complete":
        remove = f"import os, threading; threading.Timer(1, os.remove, [{str(old)!r}]).start()"
        cells = notebook_of(cell("code", remove), ANSWER)
    else:
        cells = notebook_of(ANSWER)
    run(cells)
    assert packed(tmp_path)["small.ipynb"] == (tmp_path / "small.ipynb").read_bytes()


def test_a_file_that_was_saved_long_ago_is_reported(run):
    assert "was saved 5 minutes ago" in run(notebook_of(ANSWER), age=300)


def test_on_colab_the_content_of_the_page_is_packed_and_downloaded(run, tmp_path):
    cells = [cell("code", COLAB, "colab"), *notebook_of(ANSWER)]
    page = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 0}
    (tmp_path / "page.txt").write_text(json.dumps(page))
    output = run(cells, name="other.ipynb", file=[], announced="")
    assert "warning" not in output
    assert "downloading small-submission.zip" in output
    assert json.loads(packed(tmp_path)["small.ipynb"])["cells"] == cells


def test_if_colab_does_not_respond_the_student_downloads_the_notebook(run):
    cells = [cell("code", COLAB, "colab"), *notebook_of(ANSWER)]
    assert "cannot read the notebook. Save it, download it" in run(cells, file=[], announced="")


def test_kaggle_has_colabs_packages_but_its_page_is_never_asked(run, tmp_path):
    kaggle = "import os\nos.environ['KAGGLE_KERNEL_RUN_TYPE'] = 'Interactive'"
    cells = [cell("code", COLAB, "colab"), cell("code", kaggle, "kaggle"), *notebook_of(ANSWER)]
    page = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 0}
    (tmp_path / "page.txt").write_text(json.dumps(page))
    output = run(cells, file=[], announced="")
    assert "cannot read the notebook. Save it, download it" in output
    # A notebook that is a file there, as when Kaggle runs a saved version, is packed.
    output = run(cells, announced="")
    assert "downloading" not in output and "Find the file in the output section" in output
    assert packed(tmp_path).keys() == {"small.ipynb", "submission.json"}


def test_an_archive_that_cannot_be_written_is_an_error_and_leaves_nothing(run, tmp_path):
    (tmp_path / "small-submission.zip").mkdir()
    assert "CourseError: " in (output := run(notebook_of(ANSWER)))
    assert "small-submission.zip cannot be written" in output
    assert not list(tmp_path.glob(".*.part"))


def test_in_vs_code_the_named_file_is_packed(run, tmp_path):
    path = tmp_path / "deep" / "mine.ipynb"
    cells = [cell("code", f"__vsc_ipynb_file__ = {str(path)!r}", "vs"), *notebook_of(ANSWER)]
    write_notebook(path, saved_after_running(cells, cells))
    assert "warning" not in run(cells, file=[], announced="")
    assert packed(tmp_path)["small.ipynb"] == path.read_bytes()


def test_elsewhere_the_file_that_contains_the_executed_cells_is_packed(run, tmp_path):
    write_notebook(tmp_path / "unrelated.ipynb", [cell("code", "other = 1", "other")])
    write_notebook(tmp_path / "older.ipynb", notebook_of(ANSWER, EXPLANATION))
    assert "warning" not in run(notebook_of(ANSWER), announced="")
    assert packed(tmp_path)["small.ipynb"] == (tmp_path / "small.ipynb").read_bytes()


def test_if_nothing_can_be_read_it_says_what_to_upload(run, tmp_path):
    output = run(notebook_of(ANSWER), file=[], announced="")
    assert "cannot read the notebook" in output
    assert "upload it as small.ipynb" in output
    assert not (tmp_path / "small-submission.zip").exists()


def test_missing_evidence_is_reported_and_the_rest_is_packed(run, tmp_path):
    cells = notebook_of(ANSWER, pack=PACK.replace(")", ", evidence=True)"))
    assert "warning: evidence cannot be used" in run(cells)
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "iii.json").write_text("{}")
    (tmp_path / "evidence" / "iii.npz").symlink_to("/etc/passwd")
    assert "warning: " in run(cells)
    assert packed(tmp_path).keys() == {"small.ipynb", "evidence/iii.json", "submission.json"}


@pytest.mark.parametrize(
    ("profile", "line"),
    [
        ("gpu", "ok: evidence of 1 training run (gpu profile)"),
        ("smoke", "warning: the evidence is not from a real training run"),
        (["gpu"], "warning: the evidence is not from a real training run"),
    ],
)
def test_evidence_is_packed_and_its_profile_printed(run, tmp_path, profile, line):
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "iii.json").write_text(json.dumps({"name": "III", "profile": profile}))
    np.savez(folder / "iii.npz", weight_0=np.ones(3, "<f2"))
    (folder / "notes.txt").write_text("mine")
    assert line in run(notebook_of(ANSWER, pack=PACK.replace(")", ", evidence=True)")))
    files = packed(tmp_path)
    assert files.keys() == {
        "small.ipynb",
        "evidence/iii.json",
        "evidence/iii.npz",
        "submission.json",
    }
    assert files["evidence/iii.npz"] == (folder / "iii.npz").read_bytes()
    assert packing.read_manifest(files)["checksum"]


HIDDEN = cell(
    "code", "### BEGIN HIDDEN TESTS\nassert double(4) == 8\n### END HIDDEN TESTS", "test", points=2
)


def test_hidden_tests_are_never_packed(run, tmp_path):
    output = run(notebook_of(ANSWER, HIDDEN))
    assert output == "This notebook contains hidden tests: nothing is packed.\n"
    assert not (tmp_path / "small-submission.zip").exists()


def test_an_archive_reaches_the_instructor_and_never_a_release(
    run, tmp_path, small_course, course_command
):
    answer = {**ANSWER, "source": f"### BEGIN SOLUTION\n{ANSWER['source']}\n### END SOLUTION"}
    root = small_course(*notebook_of(answer, HIDDEN))
    # An archive that an instructor created by running all cells of a source notebook.
    (root / "source" / "01-small" / "small-submission.zip").write_bytes(b"solutions")
    assert course_command("release", cwd=root).returncode == 0
    (released,) = (root / "release" / "01-small").iterdir()

    cells = nbformat.read(released, as_version=4).cells
    run([{**each, "source": ANSWER["source"]} if each.id == "double" else each for each in cells])
    checksum = packing.read_manifest(packed(tmp_path))["checksum"]
    done = course_command("collect", "small-submission.zip", "--student", "ada", cwd=root)
    assert f"01-small  ada  collected: checksum {checksum}" in done.stdout
    collected = root / "submitted" / "ada" / "01-small" / "small.ipynb"
    assert collected.read_bytes() == packed(tmp_path)["small.ipynb"]


FILES = {"small.ipynb": b"{}", "evidence/iii.json": b"[]"}
MANIFEST, CHECKSUM = packing.manifest.create_manifest({"assignment": "01-small", "seed": 0}, FILES)


def test_a_manifest_shows_later_changes():
    complete = FILES | {packing.MANIFEST: MANIFEST}
    assert packing.read_manifest(complete)["checksum"] == CHECKSUM
    for files, text in [
        (complete | {"small.ipynb": b"{ }"}, "changed since it was packed: small.ipynb"),
        (complete | {"more.npz": b""}, "added since it was packed: more.npz"),
        ({packing.MANIFEST: MANIFEST, "small.ipynb": b"{}"}, "missing since it was packed"),
    ]:
        manifest = packing.read_manifest(files)
        assert manifest["checksum"] == ""
        assert text in manifest["problems"][0]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"null", b"[" * 60_000, b"\xff\xfe", b"{" + b" " * 2**20 + b"}",
        b'{"files": 3}', b'{"files": {"a": {}}}', b'{"files": {"a": 1e999}, "student": {}}',
        b'{"files": {"\\ud800\\u001b[31m": ""}}',
        '{"files": {}, "assignment": "\x1b[31m\u202e"}'.encode(),
    ],
)  # fmt: skip
def test_a_hostile_manifest_is_harmless(content):
    manifest = packing.read_manifest({packing.MANIFEST: content, "small.ipynb": b"{}"})
    assert manifest["problems"]
    assert manifest["checksum"] == ""
    texts = [*(text for text in manifest.values() if isinstance(text, str)), *manifest["problems"]]
    assert all(text.isprintable() for text in texts)


def test_the_manifest_of_an_earlier_version_is_read():
    manifest = packing.read_manifest(FILES | {"hand-in.json": MANIFEST})
    assert (manifest["checksum"], manifest["problems"]) == (CHECKSUM, [])


def test_names_that_cannot_be_encoded_are_read():
    files = {"\udc80.ipynb": b"{}"}
    content, checksum = packing.manifest.create_manifest({}, files)
    manifest = packing.read_manifest(files | {packing.MANIFEST: content})
    assert (manifest["checksum"], manifest["problems"]) == (checksum, [])


def test_the_archive_is_a_plain_zip(run, tmp_path):
    run(notebook_of(ANSWER))
    content = (tmp_path / "small-submission.zip").read_bytes()
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


@pytest.mark.parametrize("path", sorted(ROOT.glob("release/*/*.ipynb")), ids=lambda path: path.stem)
def test_every_stub_of_a_release_counts_as_empty_with_and_without_metadata(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    answers = [each for each in cells if each["metadata"].get("nbgrader", {}).get("solution")]
    for each in cells:
        each["source"] = "".join(each["source"])
    bare = [{**each, "metadata": {}} for each in cells]
    assert review.empty_answers(cells) == review.empty_answers(bare)
    for each in answers:
        for metadata in (each["metadata"], {}):
            assert review.empty_answers([{**each, "metadata": metadata}]), each["id"]
