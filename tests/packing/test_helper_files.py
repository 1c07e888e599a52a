"""The packing cell packs the Python files that a notebook imports, run in real kernels."""

from course import packing
from course.packing import helper_files
from tests.conftest import cell
from tests.packing.test_packing import notebook_of, packed, run

__all__ = ["run"]  # a fixture


def importing(*lines):
    """Return a notebook whose answer imports modules."""
    return notebook_of(cell("code", "\n".join(lines), "double"))


def test_the_files_that_a_notebook_imports_are_packed_with_checksums(run, tmp_path):
    (tmp_path / "helpers.py").write_text("import layers_of\ndef double(x):\n    return 2 * x\n")
    (tmp_path / "layers_of.py").write_text("import helpers\n")
    (tmp_path / "unused.py").write_text("x = 1\n")
    output = run(importing("from helpers import double"))
    assert "ok: packed with the notebook: helpers.py, layers_of.py" in output
    assert "warning" not in output
    files = packed(tmp_path)
    assert files.keys() == {"small.ipynb", "helpers.py", "layers_of.py", "submission.json"}
    assert files["helpers.py"] == (tmp_path / "helpers.py").read_bytes()
    assert packing.read_manifest(files)["problems"] == []
    changed = packing.read_manifest(files | {"helpers.py": b""})
    assert changed["problems"] == ["changed since it was packed: helpers.py"]


def test_a_file_with_the_name_of_another_module_is_not_packed_and_the_reason_is_printed(
    run, tmp_path
):
    for name in ("random", "nbformat", "keras"):
        (tmp_path / f"{name}.py").write_text("x = 1\n")
    (tmp_path / "large.py").write_text("#" * (helper_files.MAX_BYTES + 1))
    output = run(importing("try:\n    import random, nbformat, large\nexcept ImportError: pass"))
    problems = [line for line in output.splitlines() if "is not packed" in line]
    advice = "rename the file, and change the imports."
    assert problems == [
        "warning: random.py is not packed: random is a module of Python's standard library:"
        f" {advice}",
        f"warning: nbformat.py is not packed: nbformat is an installed package: {advice}",
        "warning: large.py is not packed: it is larger than 100 KB.",
    ]
    assert packed(tmp_path).keys() == {"small.ipynb", "submission.json"}


def test_what_a_helper_file_imports_is_reviewed(run, tmp_path):
    (tmp_path / "helpers.py").write_text("import seaborn_of_mine\n")
    output = run(importing("try:\n    import helpers\nexcept ImportError: pass"))
    assert "warning: grading does not have seaborn_of_mine: helpers.py." in output


def test_no_more_than_a_few_files_are_packed(run, tmp_path):
    names = [f"part_{number}" for number in range(helper_files.MAX_FILES + 1)]
    for name in names:
        (tmp_path / f"{name}.py").write_text("")
    output = run(importing(f"import {', '.join(names)}"))
    assert "part_10.py is not packed: there are more than 10 helper files with the notebook." in (
        output
    )
    assert len(packed(tmp_path)) == helper_files.MAX_FILES + 2


def test_names_that_no_notebook_can_import_are_refused():
    for name in ("my file.py", "class.py", "__main__.py", "é.py", "helpers.txt", ".py"):
        assert helper_files.name_problem(name).startswith("a notebook cannot import"), name
    assert not helper_files.name_problem("helpers.py")
