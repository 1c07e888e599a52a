import re
import sqlite3
import subprocess
import sys
import tomllib
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest

from course.instructor import doctor
from course.instructor.cli.main import main
from course.instructor.doctor import machine, software
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

QUICK = [subject for subject in doctor.SUBJECTS if subject != "gpu"]
CONFIG = "c = get_config()\n"


@pytest.fixture
def findings(capsys):
    """Return a function that runs `course doctor`; it returns the exit code and the findings."""

    def run(root, *subjects):
        code = main(["-C", str(root), "doctor", *subjects])
        lines = capsys.readouterr().out.splitlines()
        return code, [tuple(line.split(maxsplit=2)) for line in lines]

    return run


@pytest.fixture
def without_bubblewrap(tmp_path):
    """Return a PATH without bwrap."""
    empty = tmp_path / "programs"
    empty.mkdir()
    return empty


@pytest.mark.slow
def test_every_subject_has_a_line_and_the_exit_code_follows(course_command):
    finished = course_command("doctor")
    found = [line.split(maxsplit=2) for line in finished.stdout.splitlines()]
    assert list(dict.fromkeys(subject for _, subject, _ in found)) == list(doctor.SUBJECTS)
    assert {state for state, _, _ in found} <= {"ok", "note", "missing"}
    assert finished.returncode == any(state == "missing" for state, _, _ in found)
    assert "Traceback" not in finished.stderr


def test_slow_libraries_are_not_imported():
    code = (
        f"import sys\nfrom course.instructor.cli.main import main\nmain(['doctor', *{QUICK}])\n"
        "print('loaded', {'keras', 'nbgrader', 'tensorflow'} & set(sys.modules))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert finished.stdout.splitlines()[-1] == "loaded set()", finished.stderr


def test_a_missing_bubblewrap_is_reported_with_its_fix(course_command, without_bubblewrap):
    finished = course_command("doctor", "isolation", PATH=str(without_bubblewrap))
    assert finished.returncode == 1
    (line,) = finished.stdout.splitlines()
    assert line.startswith("missing isolation")
    assert "apt-get install bubblewrap" in line
    assert (
        finished.stderr
        == "course: this machine cannot grade yet: fix isolation, as described above.\n"
    )


def test_bubblewrap_without_permission_is_reported_with_what_to_allow(
    course_command, without_bubblewrap
):
    program = without_bubblewrap / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1")
    program.chmod(0o755)
    finished = course_command("doctor", "isolation", PATH=str(without_bubblewrap))
    assert finished.returncode == 1
    assert "(bwrap: setting up uid map: Permission denied)" in finished.stdout
    assert "user namespaces" in finished.stdout and "AppArmor" in finished.stdout


@pytest.mark.slow
def test_grading_without_bubblewrap_needs_the_flag(
    small_course, course_command, without_bubblewrap
):
    solution = "### BEGIN SOLUTION Set two to 2.\ntwo = 2\n### END SOLUTION"
    root = small_course(
        cell("code", solution, "two"), cell("code", "assert two == 2", "test_two", 3)
    )
    submitted = [cell("code", "two = 2", "two"), cell("code", "assert two == 2", "test_two", 3)]
    write_notebook(root / "submitted" / "ada" / "01-small" / "small.ipynb", submitted)

    refused = course_command("-C", root, "grade", PATH=str(without_bubblewrap))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("course: bubblewrap, which isolates submissions, is missing")
    assert "--no-isolation" in line and line.endswith(".")
    assert not (root / "autograded").exists()

    typed = course_command("-C", root, "grade", "--no-isolation", PATH=str(without_bubblewrap))
    assert typed.returncode == 0, typed.stderr
    assert re.search(r"3/3 .* ada: graded\n", typed.stdout)
    found = course_command("-C", root, "doctor", "gradebook").stdout
    assert found.endswith("gradebook.db, SQLite: 1 assignment, 1 student\n")


def test_missing_data_is_a_note_with_the_command_that_downloads_it(findings, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    code, [(state, _, text), (state_of_cifar10, _, text_of_cifar10)] = findings(ROOT, "data")
    assert (code, state, state_of_cifar10) == (0, "note", "note")
    assert f"mnist.npz is not in {tmp_path}" in text and "datasets.load_mnist()" in text
    assert f"cifar10.npz is not in {tmp_path}" in text_of_cifar10
    assert "datasets.load_cifar10()" in text_of_cifar10


def test_damaged_data_is_named(findings, tmp_path, monkeypatch):
    (tmp_path / "mnist.npz").write_bytes(b"half")
    one = np.zeros((1, 32, 32, 3), "uint8")
    whole = {"x_train": one, "x_test": one}
    np.savez(tmp_path / "cifar10.npz", **whole, y_train=one[:, 0, 0, :1], y_test=one[:, 0, 0, :1])
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    code, [(state, _, text), (state_of_cifar10, _, _)] = findings(ROOT, "data")
    assert (code, state, state_of_cifar10) == (0, "note", "ok")
    assert "mnist.npz is damaged" in text and "delete it" in text


@pytest.mark.parametrize(
    ("url", "state", "text_part"),
    [
        (
            "https://github.com/YOUR_ORGANIZATION/x",
            "note",
            "set c.PublicAddress.url in nbgrader_config.py",
        ),
        ("https://github.com/owl-school/x", "ok", "https://github.com/owl-school/x, branch"),
    ],
)
def test_the_public_address_is_printed_or_a_note(findings, tmp_path, url, state, text_part):
    (tmp_path / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.PublicAddress.url = {url!r}\n"
    )
    code, [(found, _, text)] = findings(tmp_path, "address")
    assert (code, found) == (0, state)
    assert text_part in text


def test_versions_that_differ_from_the_tested_ones_are_a_note(findings, tmp_path, monkeypatch):
    pins = tmp_path / "constraints.txt"
    pins.write_text("# written by hand\nkeras==0.1\nunheard-of==1.0\n")
    monkeypatch.setattr(software, "CONSTRAINTS", pins)
    code, [(_, _, shown), (state, _, text)] = findings(ROOT, "packages")
    assert (code, state) == (0, "note")
    assert "constraints.txt" not in shown
    assert f"keras {metadata.version('keras')} instead of 0.1" in text
    assert "unheard-of" not in text


def test_a_package_that_grading_needs_is_missing(findings, monkeypatch):
    installed = metadata.version

    def version(name):
        if name == "nbgrader":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(software.metadata, "version", version)
    code, found = findings(ROOT, "packages")
    assert code == 1
    (text,) = [text for state, _, text in found if state == "missing"]
    assert text.startswith("nbgrader is not installed: run pip install")


@pytest.mark.parametrize("version", ["0.1", "99.0"])
def test_a_version_that_is_too_old_or_too_new_is_missing(findings, monkeypatch, version):
    installed = metadata.version
    monkeypatch.setattr(
        software.metadata,
        "version",
        lambda name: version if name == "jsonschema" else installed(name),
    )
    monkeypatch.setattr(
        software.metadata, "requires", lambda name: ["jsonschema<4.25,>=4", "keras>=3.10"]
    )
    code, [(state, _, text), *_] = findings(ROOT, "packages")
    assert (code, state) == (1, "missing")
    assert text.startswith(f"jsonschema {version} is installed, but the course needs jsonschema<4.")
    assert "too old" not in text and "pip install" in text


def test_an_optional_package_names_an_extra_of_pyproject(findings, monkeypatch):
    monkeypatch.setattr(software.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(software.shutil, "which", lambda name: None)
    code, found = findings(ROOT, "cluster", "postgresql", "browser")
    assert code == 0
    assert [state for state, _, _ in found] == ["note"] * 3
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {extra for _, _, text in found for extra in re.findall(r"\.\[(\w+)\]", text)}
    assert named == {"cluster", "postgres"}
    assert named | {software.EXTRA} <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("subject", ["gradebook", "machine", "address"])
def test_outside_a_course_directory_nothing_is_created(findings, tmp_path, subject):
    code, [(state, _, text)] = findings(tmp_path, subject)
    assert code == 0
    assert list(tmp_path.iterdir()) == []
    if subject != "machine":
        assert state == "note" and "is not a course directory" in text


def test_a_configuration_that_fails_is_missing(findings, tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG + "c.ExecuteIsolated.memory_mb = many\n")
    code, [(state, _, text)] = findings(tmp_path, "gradebook")
    assert (code, state) == (1, "missing")
    assert text.startswith("cannot read ")
    assert "nbgrader_config.py (NameError: name 'many' is not defined)" in text


def test_a_device_that_does_not_exist_is_missing(findings, tmp_path, monkeypatch):
    monkeypatch.setattr("course.instructor.sandbox.bubblewrap.isolation_problem", lambda: None)
    monkeypatch.setattr(software.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="bw"))
    devices = "c.ExecuteIsolated.devices = ['/dev/null', '/dev/no-such-device']\n"
    (tmp_path / "nbgrader_config.py").write_text(CONFIG + devices)
    code, found = findings(tmp_path, "isolation")
    assert code == 1
    (text,) = [text for state, _, text in found if state == "missing"]
    assert text.startswith("/dev/no-such-device in c.ExecuteIsolated.devices does not exist")


def test_too_little_memory_for_all_workers_is_a_note(findings, tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG + "c.ExecuteIsolated.memory_mb = 10**9\n")
    code, [(state, _, text)] = findings(tmp_path, "machine")
    assert (code, state) == (0, "ok" if text.startswith("1 core") else "note")
    assert state == "ok" or "--workers 1" in text


def test_a_gradebook_that_does_not_exist_yet_is_a_note_and_is_not_created(findings, tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    code, [(state, _, text)] = findings(tmp_path, "gradebook")
    assert (code, state) == (0, "note")
    assert "run course release to create it" in text
    assert not (tmp_path / "gradebook.db").exists()


def gradebook(root, content=b""):
    (root / "nbgrader_config.py").write_text(CONFIG)
    (root / "gradebook.db").write_bytes(content)
    return root


def test_a_damaged_gradebook_is_missing(findings, tmp_path):
    code, [(state, _, text)] = findings(gradebook(tmp_path, b"no database" * 99), "gradebook")
    assert (code, state) == (1, "missing")
    assert "is damaged (file is not a database): replace it with your last backup." in text


def test_a_database_of_another_program_is_missing(findings, tmp_path):
    code, [(state, _, text)] = findings(gradebook(tmp_path), "gradebook")
    assert (code, state) == (1, "missing")
    assert "is not an nbgrader gradebook" in text


def test_a_gradebook_in_use_is_a_note(findings, tmp_path):
    root = gradebook(tmp_path)
    holder = sqlite3.connect(root / "gradebook.db", isolation_level=None)
    holder.execute("begin exclusive")
    code, [(state, _, text)] = findings(root, "gradebook")
    holder.close()
    assert (code, state) == (0, "note")
    assert "is in use by another command" in text


def test_a_server_that_does_not_respond_is_missing_and_its_password_stays_secret(
    findings, tmp_path
):
    pytest.importorskip("psycopg")
    server = "postgresql+psycopg://owl:secret-word@127.0.0.1:9/course"
    (tmp_path / "nbgrader_config.py").write_text(f"{CONFIG}c.CourseDirectory.db_url = {server!r}\n")
    code, [(state, _, text)] = findings(tmp_path, "gradebook")
    assert (code, state) == (1, "missing")
    assert "cannot open the gradebook" in text and "start its server" in text
    assert "secret-word" not in text


def test_a_failing_keras_is_reported_in_one_line(course_command):
    finished = course_command("doctor", "gpu", KERAS_BACKEND="abacus")
    assert finished.returncode == 0
    (line,) = finished.stdout.splitlines()
    assert line.startswith("note    gpu") and "abacus" in line
    assert "Traceback" not in finished.stdout + finished.stderr


def test_an_unknown_subject_is_reported_in_one_sentence(course_command):
    finished = course_command("doctor", "gpus")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith("course: course doctor cannot check 'gpus': choose from python")


def test_sessions_that_do_not_share_the_processor_evenly_are_a_note(
    findings, tmp_path, monkeypatch
):
    monkeypatch.setattr("course.instructor.sandbox.bubblewrap.isolation_problem", lambda: None)
    monkeypatch.setattr(software.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="bw"))
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    for value, noted in (("1\n", False), ("0\n", True)):
        (tmp_path / "autogroup").write_text(value)
        monkeypatch.setattr(machine, "AUTOGROUP", tmp_path / "autogroup")
        code, found = findings(tmp_path, "isolation")
        assert code == 0
        assert any("sched_autogroup_enabled=1" in text for _, _, text in found) == noted
