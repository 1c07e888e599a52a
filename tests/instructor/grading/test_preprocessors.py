import re
from dataclasses import asdict

import pytest
from traitlets.config import Config

from course.instructor.course_dir import load_config
from course.instructor.grading.preprocessors import ExecuteIsolated
from course.instructor.sandbox.limits import WARM_MINUTES, Limits
from tests.submissions import ROOT

DEFAULTS = {name: str(value) for name, value in asdict(Limits()).items()}


def test_the_course_changes_no_default_limit():
    settings = ExecuteIsolated(config=load_config(ROOT)).settings()
    assert settings.limits == Limits()


def test_a_configured_limit_replaces_the_default():
    config = Config({"ExecuteIsolated": {"cell_seconds": 7, "isolation": False}})
    settings = ExecuteIsolated(config=config).settings()
    assert settings.limits == Limits(cell_seconds=7)
    assert not settings.isolated


@pytest.mark.parametrize(
    ("path", "pattern", "others"),
    [
        (
            "nbgrader_config.py",
            r"^# c\.ExecuteIsolated\.(\w+) = (\d+)",
            {"warm_minutes": f"{WARM_MINUTES:g}"},
        ),
        ("docs/instructors/limits.md", r"^\| `c\.ExecuteIsolated\.(\w+)` \| (\d+) \|", {}),
    ],
)
def test_every_default_is_written_down_correctly(path, pattern, others):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert dict(re.findall(pattern, text, re.MULTILINE)) == DEFAULTS | others
