import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT_TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
ENVIRONMENT_TEXT = (ROOT / "environment.yml").read_text(encoding="utf-8")
CONSTRAINTS_TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads(PYPROJECT_TEXT)
ENVIRONMENT = yaml.safe_load(ENVIRONMENT_TEXT)

PROJECT = PYPROJECT["project"]["name"]
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
LISTED = PYPROJECT["project"]["dependencies"] + [
    line for extra in EXTRAS.values() for line in extra
]
# `dev` takes in `instructor`, and that `tools`, under the project's own name.
DIRECT = [line for line in LISTED if Requirement(line).name != PROJECT]
(PIP_LINES,) = (entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict))
CONDA_LINES = [entry for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)]
PINS = [
    Requirement(line) for line in CONSTRAINTS_TEXT.splitlines() if line and not line.startswith("#")
]


def comparable(line):
    requirement = Requirement(line)
    return (
        canonicalize_name(requirement.name),
        frozenset(requirement.extras),
        frozenset(map(str, requirement.specifier)),
        str(requirement.marker),
    )


def has_reason(text, written):
    """Whether a comment of two words or more stands beside a line or above its group of lines."""
    lines = text.splitlines()
    (place,) = (number for number, line in enumerate(lines) if written in line)
    if "#" in lines[place]:
        return len(lines[place].partition("#")[2].split()) > 1
    # Lines without a comment of their own share the one that stands above them.
    while "#" not in lines[place]:
        place -= 1
        if lines[place].endswith(("[", ":")):
            return False
    return lines[place].lstrip().startswith("#") and len(lines[place].split()) > 2


def test_environment_and_pyproject_ask_for_the_same():
    instructor = [line for line in EXTRAS["instructor"] if Requirement(line).name != PROJECT]
    base_and_instructor = PYPROJECT["project"]["dependencies"] + EXTRAS["tools"] + instructor
    in_pyproject = sorted(map(str, map(comparable, base_and_instructor)))
    packages = [line for line in PIP_LINES if not line.startswith("--")]
    assert sorted(map(str, map(comparable, packages))) == in_pyproject


def test_environment_installs_the_course_itself_with_the_pinned_versions():
    options = [line for line in PIP_LINES if line.startswith("--")]
    assert options == ["--constraint constraints.txt", "--editable ."]


@pytest.mark.parametrize("line", DIRECT)
def test_a_reason_stands_with_each_dependency_in_pyproject(line):
    assert has_reason(PYPROJECT_TEXT, f'"{line}"')


@pytest.mark.parametrize("line", CONDA_LINES + PIP_LINES)
def test_a_reason_stands_with_each_dependency_in_environment(line):
    assert has_reason(ENVIRONMENT_TEXT, f"- {line}" if line != "pip" else "- pip ")


@pytest.mark.parametrize("line", DIRECT)
def test_each_direct_dependency_is_pinned_to_one_version_that_it_allows(line):
    wanted = Requirement(line)
    (pin,) = (
        each for each in PINS if canonicalize_name(each.name) == canonicalize_name(wanted.name)
    )
    assert re.fullmatch(r"==\d[\w.]*", str(pin.specifier))
    (version,) = (each.version for each in pin.specifier)
    assert wanted.specifier.contains(version)


def test_both_builds_of_tensorflow_are_pinned_to_the_same_version():
    versions = {canonicalize_name(pin.name): str(pin.specifier) for pin in PINS}
    assert versions["tensorflow"] == versions["tensorflow-cpu"]


def test_every_pin_is_exact_and_stands_once():
    assert [str(pin) for pin in PINS if not str(pin.specifier).startswith("==")] == []
    names = [canonicalize_name(pin.name) for pin in PINS]
    assert sorted(names) == sorted(set(names))


def test_packages_come_from_wherever_the_machine_takes_them():
    # A registry's address in these files would override the one that a class or a company uses.
    for text in (CONSTRAINTS_TEXT, ENVIRONMENT_TEXT):
        assert not re.search(r"://|git\+|index-url|find-links|(^|\s)-[if]\s", text)
    assert [line for line in LISTED if Requirement(line).url] == []
    assert [str(pin) for pin in PINS if pin.url] == []
    assert "uv" not in PYPROJECT["tool"]
    assert ENVIRONMENT["channels"] == ["conda-forge"]


def test_the_python_versions_agree():
    supported = SpecifierSet(PYPROJECT["project"]["requires-python"])
    minors = [minor for minor in range(40) if supported.contains(f"3.{minor}")]
    (python,) = (line for line in CONDA_LINES if line.startswith("python="))
    assert supported.contains(python.removeprefix("python="))
    assert f"3.{minors[0]} to 3.{minors[-1]} work" in ENVIRONMENT_TEXT
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py3{minors[0]}"
    (made,) = re.findall(r"^PYTHON \?= python(.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert python == f"python={made}"
