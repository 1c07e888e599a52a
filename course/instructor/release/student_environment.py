"""What a student's machine needs, as pip and conda read it; all of it from our pyproject.toml."""

import re
import tomllib
from pathlib import Path

# The tables of pyproject.toml that say what the kit is. Extras, the command, kernels and the
# settings of our tools are the instructor's.
TABLES = ("build-system", "project", "tool.hatch.version", "tool.hatch.build.targets.wheel")


class Requirements:
    """What our pyproject.toml asks for.

    Parameters
    ----------
    root : Path
        The course directory.
    """

    def __init__(self, root):
        self._text = Path(root, "pyproject.toml").read_text(encoding="utf-8")
        self._project = tomllib.loads(self._text)["project"]

    @property
    def packages(self):
        """The names of the packages that the kit depends on."""
        return [re.match(r"[\w-]+", line)[0] for line in self._project["dependencies"]]

    @property
    def python(self):
        """The versions of Python that will do, such as "3.11 to 3.13"."""
        first, end = re.findall(r"3\.(\d+)", self._project["requires-python"])
        return f"3.{first} to 3.{int(end) - 1}"

    def pyproject(self):
        """Return the public pyproject.toml: ours without the tables of the instructor."""
        tables = re.split(r"^(?=\[)", self._text, flags=re.MULTILINE)
        kept = [table for table in tables if table.partition("]")[0][1:] in TABLES]
        return "\n\n".join(table.strip() for table in kept) + "\n"

    def for_pip(self):
        """Return requirements.txt."""
        return "\n".join(
            [
                "# In this folder: python -m pip install -r requirements.txt",
                "",
                "# The helpers that notebooks import; pyproject.toml says what they need, and why.",
                ".",
                "# What Keras computes with; for a GPU put tensorflow[and-cuda] in its place.",
                *self._lines("instructor", "tensorflow"),
                "# Where notebooks are opened.",
                *self._lines("tools", "jupyterlab"),
                "",
            ]
        )

    def for_conda(self):
        """Return environment.yml."""
        return (
            "# For conda, in this folder: conda env create -f environment.yml\n"
            f"name: {self._project['name']}\n"
            "channels:\n"
            "  - conda-forge\n"
            "dependencies:\n"
            f"  - python{self._project['requires-python']}   # {self.python} work\n"
            "  - pip   # installs the rest\n"
            "  - pip:\n"
            "      - -r requirements.txt   # the same as without conda; reasons stand there\n"
        )

    def _lines(self, extra, start):
        found = self._project["optional-dependencies"][extra]
        return [line for line in found if line.startswith(start)]
