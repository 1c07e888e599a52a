"""Why a machine cannot isolate kernels, and what to do about it."""

import shutil
import subprocess

import pytest

from course.instructor.sandbox import bubblewrap


@pytest.mark.parametrize(
    ("errors", "problem"),
    [
        ("bwrap: execvp /home/a/python: Permission denied", "readable by every user"),
        ("bwrap: Creating new namespace failed: Operation not permitted", "user namespaces"),
        (
            "  import seccomp\nRuntimeError: Unable to find libseccomp",
            "apt-get install libseccomp2",
        ),
        ("ModuleNotFoundError: No module named 'pyseccomp'", "pip install pyseccomp"),
        ("", "no reason given"),
    ],
)
def test_a_failed_probe_is_explained(monkeypatch, errors, problem):
    if not bubblewrap.is_linux():
        pytest.skip("needs Linux")
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr=errors)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: failed)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert problem in bubblewrap.isolation_problem.__wrapped__()
