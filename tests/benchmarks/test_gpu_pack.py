"""Packing the measurements for a GPU machine without a network."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.benchmarks.gpu import pack
from tests.submissions import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="packing needs the git repository"),
]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PINS = {
    canonicalize_name(Requirement(line).name): str(Requirement(line).specifier)[2:]
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
}


def write_wheel(folder, name, requirements=()):
    """Write a wheel without code, of the version that constraints.txt has."""
    version = PINS.get(name, "99")
    title = f"{name.replace('-', '_')}-{version}"
    required = "".join(f"Requires-Dist: {each}\n" for each in requirements)
    with zipfile.ZipFile(folder / f"{title}-py3-none-any.whl", "w") as wheel:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}"
        wheel.writestr(f"{title}.dist-info/METADATA", metadata)
        wheel.writestr(f"{title}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{title}.dist-info/RECORD", "")


def pack_command(folder, *arguments, data):
    """Run the command with the real pip, which takes wheels from a folder instead of an index."""
    environment = os.environ | {"COURSE_DATA_DIR": str(data), "PIP_CONFIG_FILE": os.devnull}
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "index")}
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gpu.pack", folder / "packed", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an index of wheels, data, and the archives for this version of Python."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "index").mkdir()
    (folder / "data").mkdir()
    for name in pack.DATA:
        (folder / "data" / name).write_bytes(b"images")
    names = {canonicalize_name(Requirement(line).name) for line in pack.requirements()}
    for name in names - {"keras"}:
        write_wheel(folder / "index", name)
    # pip evaluates the second condition for the Python that runs it.
    conditions = ['conditional ; python_version == "3.99"', 'never ; python_version < "3"']
    write_wheel(folder / "index", "keras", ["numpy", *conditions, 'extra-one ; extra == "x"'])
    write_wheel(folder / "index", "conditional", ["indirect"])
    write_wheel(folder / "index", "indirect")
    write_wheel(folder / "index", "numpy")
    finished = pack_command(folder, "--python-version", HERE, data=folder / "data")
    assert finished.returncode == 0, finished.stderr
    assert "benchmark.tar.gz: " in finished.stdout and "data.tar.gz: 0.0 MiB" in finished.stdout
    return folder


def members(path):
    with tarfile.open(path) as archive:
        return set(archive.getnames())


def wheel_names(path):
    files = [name for name in members(path) if name.endswith(".whl")]
    return {name.split("/")[1].split("-")[0].replace("_", "-") for name in files}


def test_the_archive_contains_project_wheels_and_script(folder):
    path = folder / "packed" / "benchmark.tar.gz"
    needed = {"run.sh", "requirements.txt", "project/course/__init__.py", "project/pyproject.toml"}
    needed |= {"project/tests/benchmarks/gpu/__main__.py", "project/nbgrader_config.py"}
    assert needed <= members(path)
    names = {canonicalize_name(Requirement(line).name) for line in pack.requirements()}
    assert wheel_names(path) == names  # without numpy, which each machine with JAX has
    assert {"keras", "papermill", "hypothesis", "hatchling"} <= names
    assert members(folder / "packed" / "data.tar.gz") == {f"data/{name}" for name in pack.DATA}


def test_no_address_is_recorded(folder):
    with tarfile.open(folder / "packed" / "benchmark.tar.gz") as archive:
        for name in ("run.sh", "requirements.txt"):
            text = archive.extractfile(name).read().decode()
            assert "://" not in text and str(folder) not in text


def test_requirements_of_another_python_are_packed_too(folder, tmp_path):
    (tmp_path / "index").symlink_to(folder / "index")
    finished = pack_command(tmp_path, "--python-version", "3.99", data=folder / "data")
    assert finished.returncode == 0, finished.stderr
    assert {"conditional", "indirect"} <= wheel_names(tmp_path / "packed" / "benchmark.tar.gz")


def test_missing_data_and_wheels_are_named(folder, tmp_path):
    (tmp_path / "index").mkdir()
    finished = pack_command(tmp_path, data=tmp_path)
    assert finished.returncode == 1
    assert f"there is no cifar10.npz in {tmp_path}: set COURSE_DATA_DIR" in finished.stderr
    finished = pack_command(tmp_path, data=folder / "data")
    assert finished.returncode == 1
    assert "ERROR" in finished.stderr and "pack: pip failed" in finished.stderr
    assert not list((tmp_path / "packed").glob("*.gz"))


@pytest.mark.parametrize(
    "version, reason",
    [(HERE, "data/cifar10.npz: unpack data.tar.gz beside run.sh"), ("3.99", "wheels are for 3.99")],
)
def test_the_script_says_what_is_missing(tmp_path, version, reason):
    script = ROOT.joinpath("tests/benchmarks/gpu/run.sh").read_text()
    path = tmp_path / "run.sh"
    path.write_text(script.replace("PYTHON_VERSION", version))
    environment = {"PATH": os.environ["PATH"], "PYTHON": sys.executable}
    finished = subprocess.run(
        ["sh", path], env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1 and reason in finished.stderr
    assert not (tmp_path / "venv").exists()
