"""Pack the measurements for a GPU machine that has JAX, but no network.

    python -m tests.benchmarks.gpu.pack DIR

Writes `DIR/benchmark.tar.gz`, with the committed files of the project, wheels, and `run.sh`, and
`DIR/data.tar.gz`, with the datasets in the folder that COURSE_DATA_DIR specifies. The data are
larger than many transfers permit, so they are an archive of their own. On the GPU machine:

    tar xf benchmark.tar.gz && tar xf data.tar.gz && sh run.sh --output results.json
"""

import argparse
import email
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from course.datasets.data_files import data_directory
from tests.submissions import ROOT

# Each machine with JAX has these.
WITH_JAX = {"jax", "jaxlib", "ml-dtypes", "numpy", "opt-einsum", "scipy"}
# `course run` does not need these parts of the extra "tools".
UNUSED = {"jupyterlab", "nbgrader", "pandas", "pyseccomp", "scikit-learn"}
ALSO = ["ipykernel"]  # comes with JupyterLab otherwise
# Machines on which JAX supports a GPU have at least the last of these.
PLATFORMS = ["manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_27_x86_64"]
PLATFORMS += ["manylinux_2_28_x86_64"]
METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
DATA = ("cifar10.npz", "mnist.npz")
LIMIT = 64  # MiB; what is larger has to be carried in another way


def requirements() -> list[str]:
    """Return the direct requirements of the measurements, without those that come with JAX."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = content["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["tools"], *ALSO]
    # The package itself is installed too, because Jupyter finds the kernels by its entry points.
    lines += content["build-system"]["requires"]
    left_out = WITH_JAX | UNUSED
    return [line for line in lines if canonicalize_name(Requirement(line).name) not in left_out]


def download_wheels(folder: Path, python_version: str) -> None:
    """Download the wheels of the requirements, and of what these require, into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python_version}"]
    command += [f"--platform={each}" for each in PLATFORMS]
    # The versions with which the course is tested.
    command += ["--constraint", str(ROOT / "constraints.txt")]
    lines = requirements()
    while lines:
        subprocess.run([*command, *lines], check=True)
        for wheel in folder.glob("*.whl"):
            if parse_wheel_filename(wheel.name)[0] in WITH_JAX:
                wheel.unlink()
        lines = missing_requirements(folder, python_version)


def missing_requirements(folder: Path, python_version: str) -> list[str]:
    """Return what the wheels in a folder require with a version of Python, but is not there.

    `pip download` evaluates conditions such as `python_version == "3.12"` for the Python that runs
    it, so requirements can be missing if it runs with another version.
    """
    environment = {"python_version": python_version, "python_full_version": f"{python_version}.0"}
    wheels = list(folder.glob("*.whl"))
    available = WITH_JAX | {parse_wheel_filename(wheel.name)[0] for wheel in wheels}
    missing = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as content:
            (path,) = (each for each in content.namelist() if METADATA.fullmatch(each))
            metadata = email.message_from_bytes(content.read(path))
        for line in metadata.get_all("Requires-Dist", []):
            requirement = Requirement(line)
            applies = not requirement.marker or requirement.marker.evaluate(
                environment | {"extra": ""}
            )
            if applies and canonicalize_name(requirement.name) not in available:
                requirement.marker = None
                missing[requirement.name] = str(requirement)
    return sorted(missing.values())


def pack(destination: Path, python_version: str) -> list[Path]:
    """Write both archives, and return their paths."""
    destination.mkdir(parents=True, exist_ok=True)
    archives = [destination / "benchmark.tar.gz", destination / "data.tar.gz"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        download_wheels(folder / "wheels", python_version)
        command = ["git", "archive", "--prefix=project/", f"--output={folder / 'project.tar'}"]
        subprocess.run([*command, "HEAD"], cwd=ROOT, check=True)
        with tarfile.open(folder / "project.tar") as project:
            project.extractall(folder, filter="data")
        (folder / "requirements.txt").write_text("\n".join(requirements()) + "\n", encoding="utf-8")
        script = Path(__file__).with_name("run.sh").read_text(encoding="utf-8")
        (folder / "run.sh").write_text(
            script.replace("PYTHON_VERSION", python_version), encoding="utf-8"
        )
        with tarfile.open(archives[0], "w:gz") as archive:
            for name in ("project", "wheels", "requirements.txt", "run.sh"):
                archive.add(folder / name, name)
    with tarfile.open(archives[1], "w:gz") as archive:
        for name in DATA:
            archive.add(data_directory() / name, f"data/{name}")
    return archives


def main() -> int:
    """Pack, and print the sizes."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gpu.pack", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("destination", type=Path, metavar="DIR")
    parser.add_argument("--python-version", default="3.12", help="of the GPU machine")
    options = parser.parse_args()
    missing = [name for name in DATA if not (data_directory() / name).is_file()]
    if missing:
        print(
            f"pack: there is no {missing[0]} in {data_directory()}: set COURSE_DATA_DIR to the"
            f" folder that contains {' and '.join(DATA)}.",
            file=sys.stderr,
        )
        return 1
    try:
        archives = pack(options.destination, options.python_version)
    except subprocess.CalledProcessError as error:
        program = "git" if error.cmd[0] == "git" else "pip"
        print(f"pack: {program} failed: see its message above.", file=sys.stderr)
        return 1
    for path in archives:
        size = path.stat().st_size / 2**20
        note = f"; more than {LIMIT} MiB, so carry it separately" if size > LIMIT else ""
        print(f"{path}: {size:.1f} MiB{note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
