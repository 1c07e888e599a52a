"""The virtual environment of a platform."""

import os
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.platforms.table import Platform

MODULES = Path(__file__).with_name("google_colab")
# Variables of this machine that a platform does not have.
REMOVED = ("COLAB_", "COURSE_", "JPY_", "JUPYTER", "KAGGLE_", "KERAS_", "MPL", "PAPERSPACE_",
           "PYTEST", "PYTHON", "TF_", "VIRTUAL_ENV", "XLA_")  # fmt: skip


class Environment:
    """A virtual environment with the packages of a platform, and nothing of this course.

    Parameters
    ----------
    platform : Platform
        Its row in the table.
    folder : Path
        A folder for the environment and for the student's home.
    variables : dict
        Environment variables in addition to those of the platform.
    """

    def __init__(self, platform: Platform, folder: Path, **variables: str) -> None:
        self.platform = platform
        self._more_variables = variables
        self.folder, self.home = folder / "environment", folder / "home"
        self.python = self.folder / "bin" / "python"

    def create(self) -> None:
        """Create the environment and install the packages."""
        self.home.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([find_python(self.platform.python), "-m", "venv", self.folder], check=True)
        if self.platform.packages:
            # Compiling every module takes longer than compiling those that are imported.
            self.pip("install", "--no-compile", *self.platform.packages)
        if self.platform.has_colab_modules:
            (library,) = self.folder.glob("lib/python*/site-packages")
            shutil.copytree(MODULES, library / "google" / "colab")

    def pip(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run pip, which must succeed, and return its output."""
        command = [str(self.python), "-m", "pip", *arguments]
        done = subprocess.run(command, cwd=cwd, env=self.variables, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pip {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    @cached_property
    def variables(self) -> dict[str, str]:
        """The environment variables of a kernel on the platform."""
        user_configuration = Path.home() / ".config" / "pip" / "pip.conf"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(REMOVED)
        }
        if user_configuration.is_file():
            inherited.setdefault("PIP_CONFIG_FILE", str(user_configuration))
        inherited.setdefault("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
        return inherited | {
            "HOME": str(self.home),
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "COURSE_PROFILE": "smoke",
            **self.platform.environment,
            **self._more_variables,
        }

    def versions(self) -> dict[str, str]:
        """Return the versions of the installed packages."""
        lines = self.pip("list", "--format=freeze").splitlines()
        pins = (line.split("==") for line in lines if "==" in line)
        return {canonicalize_name(name): version for name, version in pins}

    @property
    def megabytes(self) -> float:
        """The size of the environment."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sum(path.lstat().st_size for path in files) / 1e6

    def delete(self) -> None:
        """Delete the environment and the student's home."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


def find_python(version: str) -> str:
    """Return the path of a Python of this version, on the PATH or among those of pyenv."""
    name = f"python{version}"
    pyenv = Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")
    for candidate in (shutil.which(name), *map(str, sorted(pyenv))):
        # pyenv puts commands on the PATH for versions that are not activated.
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    raise RuntimeError(f"Python {version} is not installed: install it, for example with pyenv.")
