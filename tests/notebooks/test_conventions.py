import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbgrader.nbgraderformat import MetadataValidator

ROOT = Path(__file__).parents[2]
MOST_LINES_OF_A_CELL = 30
# Ten pictures learned by heart show that a network can learn at all; there is nothing to validate.
FITS_WITHOUT_VALIDATION = {"overfit-ten"}
TRAINS_NOTHING = {"01-convolution", "03-vgg16"}

SECRETS = [
    ("### BEGIN SOLUTION", "### END SOLUTION"),
    ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"),
    ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="),
]


def notebooks(stage):
    return sorted((ROOT / stage).glob("*/*.ipynb"))


def each(stage):
    ids = [path.parent.name for path in notebooks(stage)]
    return pytest.mark.parametrize("path", notebooks(stage), ids=ids)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def role(cell, key):
    return cell.metadata.get("nbgrader", {}).get(key)


def tree(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))


def split_secrets(path):
    """Return a source notebook's secret lines and the text of all that students may see."""
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
        assert end is None, f"{cell.id} lacks a line {end}"
    return secret, "\n".join(visible)


def test_every_assignment_has_one_source_notebook_and_its_release():
    sources = [path.relative_to(ROOT / "source") for path in notebooks("source")]
    releases = [path.relative_to(ROOT / "release") for path in notebooks("release")]
    assert sources == releases
    folders = sorted(path.name for path in (ROOT / "source").iterdir() if path.is_dir())
    assert [path.parent.name for path in sources] == folders != []


@each("source")
def test_the_file_is_valid_and_holds_no_outputs(path):
    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))
    left = [cell.id for cell in code_cells(path) if cell.outputs or cell.execution_count]
    assert left == []


@each("source")
def test_cell_ids_are_unique_and_readable(path):
    ids = [cell.id for cell in read(path).cells]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if re.fullmatch(r"[0-9a-f-]{8,}", name)] == []


@each("source")
def test_nbgrader_accepts_the_metadata_and_grade_ids_are_the_cell_ids(path):
    MetadataValidator().validate_nb(read(path))
    graded = [cell for cell in read(path).cells if "nbgrader" in cell.metadata]
    assert [role(cell, "grade_id") for cell in graded] == [cell.id for cell in graded]


@each("source")
def test_it_opens_with_badges_install_parameters_and_setup(path):
    title, install, parameters, setup = read(path).cells[:4]
    assert title.cell_type == "markdown"
    assert re.findall(r"\]\(({{\w+}})\)", title.source) == ["{{COLAB}}", "{{PAPERSPACE}}"]
    assert "{{INSTALL}}" in install.source
    assert role(install, "locked")
    assert parameters.metadata.tags == ["parameters"]
    assignments = tree(parameters).body
    assert [line.targets[0].id for line in assignments[:2]] == ["profile", "seed"]
    # Grading and headless runs read every value without running the cell: literals only.
    assert [ast.literal_eval(line.value) for line in assignments][:2] == [None, 0]
    assert "course.setup(profile=profile, seed=seed)" in setup.source
    assert role(setup, "locked")
    assert role(setup, "grade_id") == "setup"


@each("source")
def test_the_last_cell_packs_what_is_handed_in(path):
    cells = read(path).cells
    assert cells[-2].source.startswith("## Hand in\n")
    assert "nbgrader" not in cells[-1].metadata
    hands_in = any("evidence.save(" in cell.source for cell in cells)
    assert cells[-1].source == (
        "from course import packing\n\n"
        f'packing.pack("{path.parent.name}", notebook="{path.name}"'
        f"{', evidence=True' * hands_in})"
    )


@each("source")
def test_no_code_cell_is_long(path):
    lines = {cell.id: len(cell.source.splitlines()) for cell in code_cells(path)}
    assert {name: n for name, n in lines.items() if n > MOST_LINES_OF_A_CELL} == {}


@each("source")
def test_points_stand_in_the_headings_of_the_exercises(path):
    promised, given, heading = {}, {}, "no heading"
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and not role(cell, "solution"):
            for line in re.findall(r"^#+ .*$", cell.source, re.MULTILINE):
                heading = line
                if points := re.search(r"\((\d+) points?\b", line):
                    promised[heading] = int(points[1])
        if role(cell, "grade"):
            given[heading] = given.get(heading, 0) + role(cell, "points")
    assert given == promised != {}
    title = read(path).cells[0].source
    assert f"**What is graded:** {sum(given.values())} points" in title


@each("source")
def test_only_keras_3_is_used_whatever_the_backend(path):
    other = r"\btensorflow\b|\btf\.|\b(import|from)\s+(torch|jax|tf_keras)\b"
    assert [cell.id for cell in read(path).cells if re.search(other, cell.source)] == []


@each("source")
def test_every_solution_has_an_instruction(path):
    solutions = [cell for cell in code_cells(path) if role(cell, "solution")]
    assert solutions
    lacking = [c.id for c in solutions if not re.search(r"### BEGIN SOLUTION +\S+ \S", c.source)]
    assert lacking == []


@each("source")
def test_every_fit_has_validation_data(path):
    # `train_each` takes no call without them.
    trainings = [
        (cell.id, node.func.attr, {keyword.arg for keyword in node.keywords})
        for cell in code_cells(path)
        for node in ast.walk(tree(cell))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("fit", "train_each")
    ]
    fits = [(name, keywords) for name, function, keywords in trainings if function == "fit"]
    assert trainings or path.parent.name in TRAINS_NOTHING
    lacking = {name for name, keywords in fits if "validation_data" not in keywords}
    assert lacking <= FITS_WITHOUT_VALIDATION


@each("source")
def test_a_sentence_stands_before_each_code_cell(path):
    cells = read(path).cells
    bare = [
        cell.id
        for before, cell in list(pairwise(cells))[3:]
        if cell.cell_type == "code"
        and not role(cell, "grade")
        and before.cell_type != "markdown"
        # An exercise of two answers may have two pairs of solution and test in a row.
        and not (role(cell, "solution") and role(before, "grade"))
    ]
    assert bare == []


@each("release")
def test_a_release_holds_no_marker_no_placeholder_and_no_output(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?:BEGIN|END) (?:SOLUTION|HIDDEN TESTS|MARK SCHEME)", text) == []
    assert re.findall(r"{{[A-Z]+}}", text) == []
    assert [cell.id for cell in code_cells(path) if cell.outputs or cell.execution_count] == []


@each("release")
def test_a_release_gives_away_no_line_of_a_solution_or_a_hidden_test(path):
    secret, visible = split_secrets(ROOT / "source" / path.parent.name / path.name)
    released = "\n".join(cell.source for cell in read(path).cells)
    secret = [line for line in secret if len(line) > 20 and line not in visible]
    assert secret
    assert [line for line in secret if line in released] == []


@each("release")
def test_a_release_has_stubs_that_raise_with_an_instruction(path):
    stubs = [cell for cell in code_cells(path) if role(cell, "solution")]
    assert stubs
    for cell in stubs:
        raised = [node.exc for node in ast.walk(tree(cell)) if isinstance(node, ast.Raise)]
        assert [call.func.id for call in raised] == ["NotImplementedError"], cell.id
        assert len(ast.literal_eval(raised[0].args[0]).split()) > 1, cell.id


@each("release")
def test_every_code_cell_of_a_release_compiles(path):
    for cell in code_cells(path):
        compile(tree(cell), cell.id, "exec")


@each("release")
def test_the_badges_of_a_release_open_that_release(path):
    badges = re.findall(r"\]\((https://[^)]+\.ipynb)\)", read(path).cells[0].source)
    assert len(badges) == 2
    assert all(badge.endswith(f"/{path.relative_to(ROOT).as_posix()}") for badge in badges)
