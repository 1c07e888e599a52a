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
from course.instructor.doctor import software
from tests.conftest import cell, write_notebook
from tests.submissions import ROOT

QUICK = [subject for subject in doctor.SUBJECTS if subject != "gpu"]
CONFIG = "c = get_config()\n"


@pytest.fixture
def findings(capsys):
    """Run `course doctor` in this process; returns the exit code and (state, subject, text)."""

    def run(root, *subjects):
        code = main(["-C", str(root), "doctor", *subjects])
        lines = capsys.readouterr().out.splitlines()
        return code, [tuple(line.split(maxsplit=2)) for line in lines]

    return run


@pytest.fixture
def without_bubblewrap(tmp_path):
    """Return a PATH on which there is no bwrap."""
    empty = tmp_path / "programs"
    empty.mkdir()
    return empty


@pytest.mark.slow
def test_every_subject_has_its_line_and_the_exit_code_follows(course_command):
    finished = course_command("doctor")
    found = [line.split(maxsplit=2) for line in finished.stdout.splitlines()]
    assert list(dict.fromkeys(subject for _, subject, _ in found)) == list(doctor.SUBJECTS)
    assert {state for state, _, _ in found} <= {"ok", "note", "lack"}
    assert finished.returncode == any(state == "lack" for state, _, _ in found)
    assert "Traceback" not in finished.stderr


def test_what_takes_seconds_to_import_is_left_alone():
    code = (
        f"import sys\nfrom course.instructor.cli.main import main\nmain(['doctor', *{QUICK}])\n"
        "print('loaded', {'keras', 'nbgrader', 'tensorflow'} & set(sys.modules))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert finished.stdout.splitlines()[-1] == "loaded set()", finished.stderr


def test_without_bubblewrap_the_lack_comes_with_its_mend(course_command, without_bubblewrap):
    finished = course_command("doctor", "isolation", PATH=str(without_bubblewrap))
    assert finished.returncode == 1
    (line,) = finished.stdout.splitlines()
    assert line.startswith("lack isolation")
    assert "apt-get install bubblewrap" in line
    assert finished.stderr == "course: this machine cannot grade yet: mend isolation.\n"


def test_where_bubblewrap_may_not_work_the_lack_says_what_to_allow(
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
def test_grading_without_bubblewrap_is_refused_unless_a_person_types_the_flag(
    small_course, course_command, without_bubblewrap
):
    solution = "### BEGIN SOLUTION Set two to 2.\ntwo = 2\n### END SOLUTION"
    root = small_course(
        cell("code", solution, "two"), cell("code", "assert two == 2", "test_two", 3)
    )
    handed_in = [cell("code", "two = 2", "two"), cell("code", "assert two == 2", "test_two", 3)]
    write_notebook(root / "submitted" / "ada" / "01-small" / "small.ipynb", handed_in)

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


def test_missing_data_is_a_note_with_the_command_that_fetches_it(findings, tmp_path, monkeypatch):
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
    ("value", "state", "words"),
    [
        (
            "https://github.com/YOUR_ORGANISATION/x",
            "note",
            "set c.PublicAddress.url in nbgrader_config.py",
        ),
        ("https://github.com/owl-school/x", "ok", "https://github.com/owl-school/x, branch"),
    ],
)
def test_the_address_is_unset_or_shown(findings, tmp_path, value, state, words):
    (tmp_path / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.PublicAddress.url = {value!r}\n"
    )
    code, [(found, _, text)] = findings(tmp_path, "address")
    assert (code, found) == (0, state)
    assert words in text


def test_other_versions_than_the_tested_ones_are_a_note(findings, tmp_path, monkeypatch):
    pins = tmp_path / "constraints.txt"
    pins.write_text("# written by hand\nkeras==0.1\nunheard-of==1.0\n")
    monkeypatch.setattr(software, "CONSTRAINTS", pins)
    code, [(_, _, shown), (state, _, text)] = findings(ROOT, "packages")
    assert (code, state) == (0, "note")
    assert "constraints.txt" not in shown
    assert f"keras {metadata.version('keras')} instead of 0.1" in text
    assert "unheard-of" not in text


def test_a_package_that_grading_needs_is_a_lack(findings, monkeypatch):
    installed = metadata.version

    def version(name):
        if name == "nbgrader":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(software.metadata, "version", version)
    code, found = findings(ROOT, "packages")
    assert code == 1
    (text,) = [text for state, _, text in found if state == "lack"]
    assert text.startswith("nbgrader is not installed: run pip install")


def test_what_is_optional_names_an_extra_that_there_is(findings, monkeypatch):
    monkeypatch.setattr(software.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(software.shutil, "which", lambda name: None)
    code, found = findings(ROOT, "cluster", "postgresql", "browser")
    assert code == 0
    assert [state for state, _, _ in found] == ["note"] * 3
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {extra for _, _, text in found for extra in re.findall(r"\.\[(\w+)\]", text)}
    assert named == {"cluster", "postgres"}
    assert named | {software.EXTRA} <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("subject", ["gradebook", "machine"])
def test_outside_of_a_course_directory_nothing_is_made(findings, tmp_path, subject):
    code, [(state, _, text)] = findings(tmp_path, subject)
    assert code == 0
    assert list(tmp_path.iterdir()) == []
    if subject == "gradebook":
        assert state == "note" and "is not a course directory" in text


def test_a_configuration_that_fails_is_a_lack(findings, tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG + "c.ExecuteIsolated.memory_mb = many\n")
    code, [(state, _, text)] = findings(tmp_path, "gradebook")
    assert (code, state) == (1, "lack")
    assert "nbgrader_config.py cannot be read (NameError: name 'many' is not defined)" in text


def test_a_device_that_is_not_there_is_a_lack(findings, tmp_path, monkeypatch):
    monkeypatch.setattr("course.instructor.sandbox.bubblewrap.isolation_problem", lambda: None)
    monkeypatch.setattr(software.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="bw"))
    devices = "c.ExecuteIsolated.devices = ['/dev/null', '/dev/no-such-device']\n"
    (tmp_path / "nbgrader_config.py").write_text(CONFIG + devices)
    code, found = findings(tmp_path, "isolation")
    assert code == 1
    (text,) = [text for state, _, text in found if state == "lack"]
    assert text.startswith("/dev/no-such-device of c.ExecuteIsolated.devices is not there")


def test_workers_that_may_want_more_memory_than_there_is_are_a_note(findings, tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG + "c.ExecuteIsolated.memory_mb = 10**9\n")
    code, [(state, _, text)] = findings(tmp_path, "machine")
    assert (code, state) == (0, "ok" if text.startswith("1 core") else "note")
    assert state == "ok" or "--workers 1" in text


def test_a_gradebook_that_is_not_there_yet_is_a_note_and_is_not_made(findings, tmp_path):
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    code, [(state, _, text)] = findings(tmp_path, "gradebook")
    assert (code, state) == (0, "note")
    assert "course release creates it" in text
    assert not (tmp_path / "gradebook.db").exists()


def gradebook(root, content=b""):
    (root / "nbgrader_config.py").write_text(CONFIG)
    (root / "gradebook.db").write_bytes(content)
    return root


def test_a_damaged_gradebook_is_a_lack(findings, tmp_path):
    code, [(state, _, text)] = findings(gradebook(tmp_path, b"no database" * 99), "gradebook")
    assert (code, state) == (1, "lack")
    assert "is damaged (file is not a database): replace it with your last backup." in text


def test_a_database_of_something_else_is_a_lack(findings, tmp_path):
    code, [(state, _, text)] = findings(gradebook(tmp_path), "gradebook")
    assert (code, state) == (1, "lack")
    assert "is not an nbgrader gradebook" in text


def test_a_gradebook_in_use_is_a_note(findings, tmp_path):
    root = gradebook(tmp_path)
    holder = sqlite3.connect(root / "gradebook.db", isolation_level=None)
    holder.execute("begin exclusive")
    code, [(state, _, text)] = findings(root, "gradebook")
    holder.close()
    assert (code, state) == (0, "note")
    assert "is in use by another command" in text


def test_a_server_that_does_not_answer_is_a_lack_that_tells_no_password(findings, tmp_path):
    pytest.importorskip("psycopg")
    server = "postgresql+psycopg://owl:secret-word@127.0.0.1:9/course"
    (tmp_path / "nbgrader_config.py").write_text(f"{CONFIG}c.CourseDirectory.db_url = {server!r}\n")
    code, [(state, _, text)] = findings(tmp_path, "gradebook")
    assert (code, state) == (1, "lack")
    assert "cannot open the gradebook" in text and "start its server" in text
    assert "secret-word" not in text


def test_keras_that_does_not_start_is_said_in_a_line(course_command):
    finished = course_command("doctor", "gpu", KERAS_BACKEND="abacus")
    assert finished.returncode == 0
    (line,) = finished.stdout.splitlines()
    assert line.startswith("note gpu") and "abacus" in line
    assert "Traceback" not in finished.stdout + finished.stderr


def test_an_unknown_subject_is_answered_in_one_sentence(course_command):
    finished = course_command("doctor", "gpus")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith(
        "course: 'gpus' is nothing that course doctor looks at: choose of python"
    )
