"""The packages that grading has: installed for it, and listed for students."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from course.gradable.importable_packages import GRADING_PACKAGES, has_newer_syntax, missing_imports
from tests.submissions import ROOT

GUIDE = (ROOT / "docs" / "students.md").read_text(encoding="utf-8")


def required():
    """Return the distributions that the extra `instructor` installs, directly or indirectly."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    waiting = [*project["dependencies"], *extras["tools"], *extras["instructor"]]
    found = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        is_needed = marker is None or any(
            marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)
        )
        if is_needed and name not in found and name != project["name"]:
            found.add(name)
            extras = ["", *requirement.extras]
            for line in metadata.requires(name) or []:
                inner = Requirement(line)
                if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                    inner.marker = None
                    waiting.append(str(inner))
    return found


def test_everything_that_students_may_import_is_installed_with_grading():
    installed = required()
    providers = metadata.packages_distributions()
    for package in set(GRADING_PACKAGES) - {"course"}:
        assert importlib.util.find_spec(package)
        assert {canonicalize_name(each) for each in providers[package]} & installed, package


@pytest.mark.parametrize("package", GRADING_PACKAGES)
def test_the_guide_lists_each_package(package):
    (paragraph,) = re.findall(r"These packages are available.*?\n- ", GUIDE, re.DOTALL)
    assert f"`{package}`" in paragraph


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("import numpy as np, pandas as pd\nfrom sklearn import metrics\nimport os.path", []),
        ("import seaborn as sns", ["seaborn"]),
        ("from seaborn.objects import Plot\nimport seaborn", ["seaborn"]),
        ("def plot():\n    import torch.nn, cv2", ["torch", "cv2"]),
        ("%pip install -q a\nif True:\n    !pip install a\n    import plotly", ["plotly"]),
        ("%%time\nimport seaborn", ["seaborn"]),
        ("try:\n    import google.colab\nexcept ImportError:\n    pass", []),
        ("%%bash\nimport seaborn", []),
        ("from . import helper", []),
        ("import (", []),
        ("", []),
    ],
)  # fmt: skip
def test_missing_imports_are_found(source, missing):
    assert missing_imports(source) == missing


NEWER = [
    'f"digit {d["n"]}"',
    "def label[T](d: T): pass",
    "type Row = dict",
    """f"{'\\n'.join(x)}\"""",
    '''f"""{d["""n"""]}"""''',
]
KNOWN = [
    """f"digit {d['n']}\"""",
    """f'{x:>{w}}' + "a\"""",
    'f"{x}\\n"',
    'f"{x=}" f"{y}"',
    "%matplotlib inline\n!ls\nx = 1",
    "type = 3",
    "def f(:",
]
# Without the package, whose dependencies another Python may not have.
JUDGE = """
import json, runpy, sys
judge = runpy.run_path("course/gradable/importable_packages.py")["has_newer_syntax"]
print(json.dumps([[judge(each) for each in group] for group in json.load(sys.stdin)]))
"""


def test_no_syntax_of_the_oldest_python_is_too_new():
    assert not any(map(has_newer_syntax, KNOWN))
    assert not any(map(has_newer_syntax, NEWER)) or sys.version_info >= (3, 12)


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_newer_syntax_is_found(version):
    # Where pyenv installs it beside this one, or in the path.
    beside = sorted(Path(sys.base_prefix).parent.glob(f"{version}.*/bin/python"))
    python = beside[0] if beside else shutil.which(f"python{version}")
    if python is None:
        pytest.skip(f"needs Python {version}")
    done = subprocess.run(
        [python, "-c", JUDGE], input=json.dumps([NEWER, KNOWN]), capture_output=True, text=True,
        cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[True] * len(NEWER), [False] * len(KNOWN)]
