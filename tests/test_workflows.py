"""The GitHub workflows, which cannot run here: the commands and files that they use exist."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from course.instructor.cli.commands import course
from tests.platforms.table import read_platforms

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SITE = "site.yml"  # publishes the public tree; the others run the solutions
RUNS = [path for path in WORKFLOWS if path.name != SITE]
IMAGE = "cnn-course-gpu"


def workflow(name):
    """Return the content of a workflow file."""
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def steps(content):
    """Return the steps of all jobs of a workflow."""
    return [step for job in content["jobs"].values() for step in job["steps"]]


def commands(content):
    """Return the commands of a workflow, each as a list of words."""
    return [shlex.split(step["run"]) for step in steps(content) if "run" in step]


def test_each_kind_of_runner_has_a_workflow():
    names = ["gpu.yml", "lessons.yml", "platforms.yml", "site.yml", "tests.yml"]
    assert [path.name for path in WORKFLOWS] == names


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_command_of_a_workflow_exists(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets.add(".venv/.instructor")
    called = commands(workflow(path.name))
    assert called
    for words in called:
        if IMAGE in words and words[:2] == ["docker", "run"]:
            words = words[words.index(IMAGE) + 1 :]
        if ">>" in words:
            words = words[: words.index(">>")]
        if words[0] == "make":
            assert set(words[1:]) <= targets, words
        elif words[0] in ("course", ".venv/bin/course"):
            values = {"$SEEDS": "2", "$NAME": "02-mnist"}
            arguments = [values.get(word, word) for word in words[1:]]
            course.commands[arguments[0]].make_context(arguments[0], arguments[1:])
        elif words[0] == "docker":
            assert (ROOT / words[words.index("--file") + 1]).is_file(), words
        else:
            assert words[0] in ("cat", "sudo", "chown"), words


def test_a_push_lints_tests_and_runs_the_smoke_regression():
    content = workflow("tests.yml")
    assert {"push", "pull_request"} <= content[True].keys()  # YAML reads `on` as true
    called = commands(content)
    assert ["make", "test"] in called
    assert [".venv/bin/course", "run", "--profile", "smoke"] in called
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^test:.* lint\b", makefile, re.MULTILINE)
    assert "release --check" in makefile.partition("\nlint:")[2].partition("\n\n")[0]


def test_the_gpu_workflow_starts_on_a_schedule_for_a_label_and_manually():
    content = workflow("gpu.yml")
    assert {"schedule", "workflow_dispatch", "pull_request"} == content[True].keys()
    job = content["jobs"]["regression"]
    assert job["runs-on"][0] == "self-hosted"
    assert (
        "labels.*.name, 'gpu'" in job["if"] and "labeled" in content[True]["pull_request"]["types"]
    )
    assert any(words[-4:-1] == ["--profile", "gpu", "--seeds"] for words in commands(content))


def test_the_platforms_run_every_week_on_every_python_of_their_table():
    content = workflow("platforms.yml")
    assert {"schedule", "workflow_dispatch"} == content[True].keys()
    assert ["make", "platforms"] in commands(content)
    (versions,) = (
        step["with"]["python-version"].split()
        for step in steps(content)
        if "setup-python@" in step.get("uses", "")
    )
    assert {*versions} == {platform.python for platform in read_platforms().values()}
    makefile = (ROOT / "Makefile").read_text()
    assert "-m tests.platforms $(PLATFORM)" in makefile
    assert f"PYTHON ?= python{versions[-1]}" in makefile


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_the_report_of_a_failed_run_is_uploaded_too(path):
    uploads = [
        step for step in steps(workflow(path.name)) if "upload-artifact@" in step.get("uses", "")
    ]
    assert uploads and all(step["if"] == "always()" for step in uploads)
    report = "build/platforms/report.md" if path.name == "platforms.yml" else "build/report/"
    assert all(report in step["with"]["path"].split() for step in uploads)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_the_report_with_solutions_is_not_published(path):
    assert not [step for step in steps(workflow(path.name)) if "pages" in step.get("uses", "")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_have_a_version_and_jobs_a_time_limit(path):
    content = workflow(path.name)
    for step in steps(content):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step["uses"])
    assert content["permissions"] == {"contents": "read"}
    for name, job in content["jobs"].items():
        assert job["timeout-minutes"], name


def test_only_the_built_site_is_published_by_a_job_without_our_code():
    content = workflow(SITE)
    assert content[True]["push"]["branches"] == ["main"]
    build, publish = content["jobs"]["build"], content["jobs"]["publish"]
    assert [step["run"] for step in build["steps"] if "run" in step] == ["make site"]
    (upload,) = (step for step in build["steps"] if "upload-pages" in step.get("uses", ""))
    assert upload["with"]["path"] == "build/site/"
    assert "course site build/site" in (ROOT / "Makefile").read_text().replace(
        "$(COURSE)", "course"
    )
    assert "permissions" not in build
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert [step["uses"].partition("@")[0] for step in publish["steps"]] == ["actions/deploy-pages"]


def test_the_image_is_based_on_tensorflows_and_installs_the_tools():
    text = (ROOT / "docker" / "gpu.Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^FROM tensorflow/tensorflow:\$\{TENSORFLOW\}-gpu$", text, re.MULTILINE)
    copied = [words.split()[1:-1] for words in re.findall(r"^COPY .*", text, re.MULTILINE)]
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists()
    assert ".[tools]" in text
    assert "instructor" not in text, "the TensorFlow of the image must stay"
