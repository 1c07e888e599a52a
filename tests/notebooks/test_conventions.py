"""Conventions that every source and release notebook follows."""

import ast
import base64
import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbgrader.nbgraderformat import MetadataValidator

from course.instructor.release.conventions import find_deviations
from course.instructor.release.preprocessors import TITLE
from course.instructor.release.public_address import PublicAddress
from course.instructor.release.result_figures import MAX_KILOBYTES, SHOWS_TAG
from course.plotting import result_figure

ROOT = Path(__file__).parents[2]
MAX_CELL_LINES = 30
# Overfitting ten images shows that a network can learn at all; there is nothing to validate.
FITS_WITHOUT_VALIDATION = {"overfit-ten"}
WITHOUT_TRAINING = {"01-convolution", "03-vgg16"}

SECRETS = [
    ("### BEGIN SOLUTION", "### END SOLUTION"),
    ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"),
    ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="),
]


def notebooks(stage):
    return sorted((ROOT / stage).glob("*/*.ipynb"))


def for_each_notebook(stage):
    ids = [path.parent.name for path in notebooks(stage)]
    return pytest.mark.parametrize("path", notebooks(stage), ids=ids)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def nbgrader_metadata(cell, key):
    return cell.metadata.get("nbgrader", {}).get(key)


def parse(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))


def split_secrets(path):
    """Return the secret lines of a source notebook, and its visible text."""
    secret, visible = [], []
    for cell in read(path).cells:
        end = None
        for line in cell.source.splitlines():
            begins = [close for begin, close in SECRETS if line.strip().startswith(begin)]
            if end is None and not begins:
                visible.append(line)
            elif end is None:
                (end,) = begins
            elif line.strip() == end:
                end = None
            else:
                secret.append(line.strip())
        assert end is None, f"the line {end} is missing in {cell.id}"
    return secret, "\n".join(visible)


def test_every_assignment_has_one_source_notebook_and_its_release():
    sources = [path.relative_to(ROOT / "source") for path in notebooks("source")]
    releases = [path.relative_to(ROOT / "release") for path in notebooks("release")]
    assert sources == releases
    folders = sorted(path.name for path in (ROOT / "source").iterdir() if path.is_dir())
    assert [path.parent.name for path in sources] == folders != []


@for_each_notebook("source")
def test_the_file_is_valid_and_has_no_outputs(path):
    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))
    executed = [cell.id for cell in code_cells(path) if cell.outputs or cell.execution_count]
    assert executed == []


@for_each_notebook("source")
def test_cell_ids_are_unique_and_readable(path):
    ids = [cell.id for cell in read(path).cells]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if re.fullmatch(r"[0-9a-f-]{8,}", name)] == []


@for_each_notebook("source")
def test_nbgrader_accepts_the_metadata_and_grade_ids_are_the_cell_ids(path):
    MetadataValidator().validate_nb(read(path))
    graded = [cell for cell in read(path).cells if "nbgrader" in cell.metadata]
    assert [nbgrader_metadata(cell, "grade_id") for cell in graded] == [cell.id for cell in graded]


@for_each_notebook("source")
def test_it_follows_the_conventions_that_a_release_checks(path):
    assert find_deviations(read(path), path.parent.name) == []


@for_each_notebook("source")
def test_it_opens_with_badges_install_result_parameters_and_setup(path):
    title, install, result, parameters, setup = read(path).cells[:5]
    assert title.cell_type == "markdown"
    assert re.findall(r"\]\(({{\w+}})\)", title.source) == ["{{COLAB}}", "{{PAPERSPACE}}"]
    assert "{{INSTALL}}" in install.source
    assert install.source == read(notebooks("source")[0]).cells[1].source, (
        "all notebooks have the same"
    )
    assert nbgrader_metadata(install, "locked")
    assert result.metadata.tags == [SHOWS_TAG]
    assert parameters.metadata.tags == ["parameters"]
    assignments = parse(parameters).body
    assert [line.targets[0].id for line in assignments[:2]] == ["profile", "seed"]
    # Grading and headless runs read the values without running the cell, so they are literals.
    assert [ast.literal_eval(line.value) for line in assignments][:2] == [None, 0]
    assert "course.setup(profile=profile, seed=seed)" in setup.source
    assert nbgrader_metadata(setup, "locked")
    assert nbgrader_metadata(setup, "grade_id") == "setup"


@for_each_notebook("source")
def test_the_last_cell_packs_the_submission(path):
    cells = read(path).cells
    # 04 to 07 still have the second heading.
    assert cells[-2].source.startswith(("## Submit\n", "## Hand in\n"))
    assert "nbgrader" not in cells[-1].metadata
    hands_in = any("evidence.save(" in cell.source for cell in cells)
    assert cells[-1].source == (
        f"{TITLE}Pack the submission\nfrom course import packing\n\n"
        f'packing.pack("{path.parent.name}", notebook="{path.name}"'
        f"{', evidence=True' * hands_in})"
    )


@for_each_notebook("source")
def test_no_code_cell_is_too_long(path):
    # The title of a collapsed cell is not code.
    sources = {cell.id: cell.source.splitlines() for cell in code_cells(path)}
    lines = {name: sum(not line.startswith(TITLE) for line in sources[name]) for name in sources}
    assert {name: n for name, n in lines.items() if n > MAX_CELL_LINES} == {}


@for_each_notebook("source")
def test_headings_of_exercises_state_their_points(path):
    stated, actual, heading = {}, {}, "no heading"
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and not nbgrader_metadata(cell, "solution"):
            for line in re.findall(r"^#+ .*$", cell.source, re.MULTILINE):
                heading = line
                if points := re.search(r"\((\d+) points?\b", line):
                    stated[heading] = int(points[1])
        if nbgrader_metadata(cell, "grade"):
            actual[heading] = actual.get(heading, 0) + nbgrader_metadata(cell, "points")
    assert actual == stated != {}
    title = read(path).cells[0].source
    assert f"**What is graded:** {sum(actual.values())} points" in title


@for_each_notebook("source")
def test_only_keras_3_is_used(path):
    others = r"\btensorflow\b|\btf\.|\b(import|from)\s+(torch|jax|tf_keras)\b"
    assert [cell.id for cell in read(path).cells if re.search(others, cell.source)] == []


@for_each_notebook("source")
def test_every_solution_has_an_instruction(path):
    solutions = [cell for cell in code_cells(path) if nbgrader_metadata(cell, "solution")]
    assert solutions
    missing = [c.id for c in solutions if not re.search(r"### BEGIN SOLUTION +\S+ \S", c.source)]
    assert missing == []


@for_each_notebook("source")
def test_every_fit_has_validation_data(path):
    # `train_each` requires it.
    trainings = [
        (cell.id, node.func.attr, {keyword.arg for keyword in node.keywords})
        for cell in code_cells(path)
        for node in ast.walk(parse(cell))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("fit", "train_each")
    ]
    fits = [(name, keywords) for name, function, keywords in trainings if function == "fit"]
    assert trainings or path.parent.name in WITHOUT_TRAINING
    missing = {name for name, keywords in fits if "validation_data" not in keywords}
    assert missing <= FITS_WITHOUT_VALIDATION


@for_each_notebook("source")
def test_text_introduces_each_code_cell(path):
    cells = read(path).cells
    unexplained = [
        cell.id
        for before, cell in list(pairwise(cells))[4:]
        if cell.cell_type == "code"
        and not nbgrader_metadata(cell, "grade")
        and before.cell_type != "markdown"
        # An exercise with two answers may have two pairs of solution and test in a row.
        and not (nbgrader_metadata(cell, "solution") and nbgrader_metadata(before, "grade"))
    ]
    assert unexplained == []


@for_each_notebook("release")
def test_a_release_has_no_markers_placeholders_or_outputs_except_its_figure(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?:BEGIN|END) (?:SOLUTION|HIDDEN TESTS|MARK SCHEME)", text) == []
    assert re.findall(r"{{[A-Z]+}}", text) == []
    assert [cell.id for cell in code_cells(path) if cell.execution_count] == []
    (figure,) = [cell for cell in code_cells(path) if SHOWS_TAG in cell.metadata.get("tags", [])]
    assert [cell.id for cell in code_cells(path) if cell.outputs and cell.id != figure.id] == []
    (output,) = figure.outputs
    expected = result_figure.result(path.parent.name)
    assert base64.b64decode(output.data["image/png"]) == expected.image
    assert output.metadata["image/png"]["alt"] == output.data["text/plain"] == expected.alt
    assert len(expected.image) <= MAX_KILOBYTES * 1024


@for_each_notebook("release")
def test_a_release_collapses_exactly_the_cells_with_a_title(path):
    titled, collapsed = (
        [cell.id for cell in code_cells(path) if is_so(cell)]
        for is_so in (
            lambda cell: cell.source.startswith(TITLE),
            lambda cell: cell.metadata.get("jupyter", {}).get("source_hidden"),
        )
    )
    assert titled == collapsed != []
    forms = [cell.id for cell in code_cells(path) if cell.metadata.get("cellView") == "form"]
    assert forms == titled
    # Titles and text say what a cell is for, and its outputs stay visible.
    assert not any(cell.metadata.get("collapsed") for cell in code_cells(path))


@for_each_notebook("release")
def test_a_release_contains_no_line_of_a_solution_or_a_hidden_test(path):
    secret, visible = split_secrets(ROOT / "source" / path.parent.name / path.name)
    released = "\n".join(cell.source for cell in read(path).cells)
    secret = [line for line in secret if len(line) > 20 and line not in visible]
    assert secret
    assert [line for line in secret if line in released] == []


@for_each_notebook("release")
def test_the_stubs_of_a_release_raise_an_error_with_an_instruction(path):
    stubs = [cell for cell in code_cells(path) if nbgrader_metadata(cell, "solution")]
    assert stubs
    for cell in stubs:
        raised = [node.exc for node in ast.walk(parse(cell)) if isinstance(node, ast.Raise)]
        assert [call.func.id for call in raised] == ["NotImplementedError"], cell.id
        assert len(ast.literal_eval(raised[0].args[0]).split()) > 1, cell.id


@for_each_notebook("release")
def test_every_code_cell_of_a_release_compiles(path):
    for cell in code_cells(path):
        compile(parse(cell), cell.id, "exec")


@for_each_notebook("release")
def test_the_badges_of_a_release_open_it(path):
    colab, paperspace = re.findall(r"\]\((https://[^)]+\.ipynb[^)]*)\)", read(path).cells[0].source)
    assert colab.endswith(f"/{path.relative_to(ROOT).as_posix()}")
    container = PublicAddress.of_course(ROOT).paperspace_container
    assert paperspace.endswith(f"/{path.relative_to(ROOT).as_posix()}?container={container}")
