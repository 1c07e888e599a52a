"""The table of platforms, and updates of the versions in it."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.submissions import ROOT

TABLE = Path(__file__).with_name("platforms.toml")
MINIMUM = "declared minimum"
PIN = re.compile(r"([\w.-]+)==(\S+)")
# Colab's lists name these differently.
SAME_PACKAGES = {"tensorflow-cpu": "tensorflow"}


@dataclass(frozen=True)
class Platform:
    """A row of the table; its comment at the top describes the fields."""

    name: str
    python: str
    notebook: str
    packages: list[str] = field(default_factory=list)
    requirements: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    installs: list[str] | None = None
    offline: str = ""
    red: list[str] = field(default_factory=list)

    @property
    def has_colab_modules(self) -> bool:
        """True if `google.colab` can be imported there."""
        return "COLAB_RELEASE_TAG" in self.environment


def read_platforms(path: Path = TABLE) -> dict[str, Platform]:
    """Return the platforms by name."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    for row in rows.values():
        if row.get("packages") == MINIMUM:
            row["packages"] = declared_minimum()
        elif isinstance(row.get("packages"), str):
            row["packages"] = rows[row["packages"]]["packages"]
    return {name: Platform(name, **row) for name, row in rows.items()}


def declared_minimum(pyproject: Path = ROOT / "pyproject.toml") -> list[str]:
    """Return the oldest versions that the student package and its backend permit."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["instructor"]
    (backend,) = (line for line in extra if line.startswith("tensorflow-cpu"))
    lines = [*project["dependencies"], backend.partition(";")[0]]
    return ["ipykernel", *(line.strip().replace(">=", "==") for line in lines)]


def update_versions(name: str, freeze: str, path: Path = TABLE) -> list[str]:
    """Give the packages of a row the versions in the output of `pip freeze`; return the changes."""
    versions = {
        canonicalize_name(match[1]): match[2]
        for line in freeze.splitlines()
        if (match := PIN.fullmatch(line.strip()))
    }
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    packages = document[name]["packages"]
    changes = []
    for position, line in enumerate(packages):
        package = Requirement(line).name
        key = canonicalize_name(package)
        version = versions.get(SAME_PACKAGES.get(key, key))
        if version is None:
            raise ValueError(f"the list does not contain {package}: remove it from {path.name}")
        new = f"{package}=={version.partition('+')[0]}"
        if new != line:
            packages[position] = new
            changes.append(f"{line} -> {version}")
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
    return changes
