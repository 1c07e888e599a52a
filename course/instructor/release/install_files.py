"""The files from which students install the course, generated from pyproject.toml."""

import re
import tomllib
from pathlib import Path

# The tables of pyproject.toml that describe the student package. Extras, the command, the kernels,
# and the settings of development tools are for instructors only.
TABLES = ("build-system", "project", "tool.hatch.version", "tool.hatch.build.targets.wheel")


class Requirements:
    """The requirements in the pyproject.toml of a course directory."""

    def __init__(self, root: Path) -> None:
        self._text = Path(root, "pyproject.toml").read_text(encoding="utf-8")
        self._project = tomllib.loads(self._text)["project"]

    @property
    def packages(self) -> list[str]:
        """The names of the packages that the student package depends on."""
        return [re.split(r"[^\w-]", line, maxsplit=1)[0] for line in self._project["dependencies"]]

    @property
    def python(self) -> str:
        """The supported versions of Python, such as "3.11 to 3.13"."""
        first, end = re.findall(r"3\.(\d+)", self._project["requires-python"])
        return f"3.{first} to 3.{int(end) - 1}"

    def pyproject(self) -> str:
        """Return the public pyproject.toml: the tables of the student package."""
        tables = re.split(r"^(?=\[)", self._text, flags=re.MULTILINE)
        public = [table for table in tables if table.partition("]")[0][1:] in TABLES]
        return "\n\n".join(table.strip() for table in public) + "\n"

    def for_pip(self) -> str:
        """Return requirements.txt."""
        return "\n".join(
            [
                "# In this folder: python -m pip install -r requirements.txt",
                "",
                "# The package that notebooks import; pyproject.toml lists what it needs and why.",
                ".",
                "# The backend of Keras; for a GPU, replace it with tensorflow[and-cuda].",
                *self._lines("instructor", "tensorflow"),
                "# The program in which you open notebooks.",
                *self._lines("tools", "jupyterlab"),
                "",
            ]
        )

    def for_conda(self) -> str:
        """Return environment.yml."""
        return (
            "# For conda, in this folder: conda env create -f environment.yml\n"
            f"name: {self._project['name']}\n"
            "channels:\n"
            "  - conda-forge\n"
            "dependencies:\n"
            f"  - python{self._project['requires-python']}   # {self.python} are supported\n"
            "  - pip   # installs the rest\n"
            "  - pip:\n"
            "      - -r requirements.txt   # the same as without conda; it explains them\n"
        )

    def for_binder(self) -> dict[str, str]:
        """Return the files from which Binder installs the course, by path.

        Binder would read the Python version in environment.yml only if it were a single one.
        """
        oldest = self.python.split()[0]
        return {
            "binder/runtime.txt": f"python-{oldest}\n",
            "binder/requirements.txt": "# The same as on a laptop.\n-r ../requirements.txt\n",
        }

    def _lines(self, extra: str, prefix: str) -> list[str]:
        """Return the requirements of an extra that begin with a prefix."""
        requirements = self._project["optional-dependencies"][extra]
        return [line for line in requirements if line.startswith(prefix)]
