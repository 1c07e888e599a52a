"""Three notebooks with the oldest versions that pyproject.toml permits."""

import subprocess
import sys

import pytest

from tests.conftest import run_command

ASSIGNMENTS = ("01-convolution", "02-mnist", "05-deeper-cnn")


@pytest.mark.slow
def test_the_notebooks_run_and_are_graded_with_the_declared_minimum(tmp_path):
    package = ["jupyterquiz==2.9", "--no-deps", "--dest", str(tmp_path)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *package]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("pip cannot download packages here")
    options = [word for name in ASSIGNMENTS for word in ("--assignment", name)]
    folder = tmp_path / "platforms"
    done = run_command(
        sys.executable, "-m", "tests.platforms", "minimum", *options, "--folder", folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| minimum | passed |" in done.stdout
    # An installation that is not from the notebook's own address would prove nothing.
    assert "cnn-course" in done.stdout
    assert not (folder / "minimum" / "environment").exists()
