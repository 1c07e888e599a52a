"""The caller of a forkserver: its end, an idle forkserver, unisolated kernels, submitted files."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course.errors import CourseError
from course.files import files_below
from course.instructor.sandbox import bubblewrap, forkserver_client, kernel_client
from course.instructor.sandbox.forkserver_client import Forkserver
from course.instructor.sandbox.kernel_client import EngineError, KernelEnded
from course.instructor.sandbox.limits import Limits
from tests.instructor.sandbox import (
    STUDENT,
    descendants,
    open_kernel,
    result_of,
    run,
    running,
    wait_until,
)
from tests.submissions import ROOT

CALLER = """
import sys, time
from course.instructor.sandbox.forkserver_client import Forkserver
from course.instructor.sandbox.limits import Limits
forkserver = Forkserver(isolated=sys.argv[1] == "isolated")
is_open = sys.argv[1] == "open"  # an isolated kernel cannot start a session
source = f'''
import os, signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen(["sleep", "1000"], start_new_session={is_open})
if os.fork() == 0:
    {is_open} and os.setsid()
    while True: pass
os.fork()
while True: pass
'''
module = "course.instructor.grading.student_worker"
kernels = [forkserver.start_kernel(module, Limits()) for _ in range(2)]
for kernel in kernels:
    kernel.send({"op": "run", "name": "cell", "source": source})
print("running", flush=True)
time.sleep(1000)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["isolated", "open"])
def test_a_killed_caller_leaves_no_process(mode):
    if mode == "isolated" and (problem := bubblewrap.isolation_problem()):
        pytest.skip(problem)
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, mode],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert caller.stdout.readline() == b"running\n"
        assert wait_until(lambda: len(descendants(caller.pid)) >= 8, seconds=10)
        started = descendants(caller.pid)
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        caller.stdout.close()
    assert wait_until(lambda: not running(started))


def test_kernels_run_without_a_sandbox(unisolated_forkserver):
    files = [("folder/table.csv", b"1")]
    with open_kernel(unisolated_forkserver, files) as kernel:
        source = "import os\nresult = os.getcwd(), open('folder/table.csv').read(), os.getpid()"
        folder, table, process = result_of(kernel, source)
        assert table == "1"
        assert Path(folder).is_dir() and process > 1
        assert result_of(kernel, "result = os.environ['HOME']") == folder
        assert "PYTEST_CURRENT_TEST" not in result_of(kernel, "result = list(os.environ)")
    assert not Path(folder).exists()


def test_limits_hold_without_a_sandbox(unisolated_forkserver):
    with open_kernel(unisolated_forkserver) as kernel:
        assert run(kernel, "x = bytearray(3 * 2**30)")["error"]["class_name"] == "MemoryError"
        assert run(kernel, "while True: pass", seconds=0.3)["late"]
        with pytest.raises(KernelEnded, match="did not stop"):
            run(kernel, "sum(range(10**13))", seconds=0.3)
    for source, cause in [("import os\nos._exit(3)", "exited with code 3"),
                          ("import os\nos.kill(os.getpid(), 9)", "SIGKILL"),
                          ("import os\nos.kill(os.getpid(), 40)", "signal 40")]:  # fmt: skip
        with open_kernel(unisolated_forkserver) as kernel, pytest.raises(KernelEnded, match=cause):
            run(kernel, source)
    with open_kernel(unisolated_forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1


def test_background_processes_end_without_a_sandbox(unisolated_forkserver):
    before = descendants(unisolated_forkserver._process.pid)
    with open_kernel(unisolated_forkserver) as kernel:
        source = """
import os, subprocess, sys
folder = os.getcwd()
subprocess.Popen(["sleep", "1000"])
subprocess.Popen(["sleep", "1000"], start_new_session=True)
if os.fork() == 0:  # a daemon: its parent has ended, and it keeps writing
    os.setsid()
    if os.fork():
        os._exit(0)
    while True:
        os.makedirs(folder, exist_ok=True)
        open(folder + "/again", "w").close()
result = folder
"""
        folder = result_of(kernel, source)
        # The daemon writes only once it is one; the intermediate process remains a zombie.
        assert wait_until(Path(folder, "again").exists)
        assert wait_until(
            lambda: len(running(descendants(unisolated_forkserver._process.pid) - before)) == 4
        )
        during = descendants(unisolated_forkserver._process.pid) - before
    assert not running(during)
    assert wait_until(lambda: not descendants(unisolated_forkserver._process.pid) & during)
    assert not Path(folder).exists()


@pytest.mark.slow
def test_an_idle_forkserver_ends_by_itself():
    with Forkserver(isolated=False, idle_seconds=0.5) as forkserver:
        forkserver.wait_until_ready()
        with open_kernel(forkserver) as kernel:
            time.sleep(1)
            assert result_of(kernel, "result = 1") == 1
        assert wait_until(lambda: not forkserver.alive, seconds=10)
        with pytest.raises(KernelEnded, match="has ended"):
            forkserver.start_kernel(STUDENT, Limits())


@pytest.mark.parametrize("length", [100_000, 1_000_000])
def test_an_environment_larger_than_a_packet_reaches_the_kernel(unisolated_forkserver, length):
    environment = {"LARGE": "x" * length}
    kernel = unisolated_forkserver.start_kernel(STUDENT, Limits(), environment=environment)
    with contextlib.closing(kernel):
        assert result_of(kernel, "import os\nresult = len(os.environ['LARGE'])") == length


def test_a_kernel_that_is_closed_at_once_does_not_harm_the_next(unisolated_forkserver):
    for _ in range(3):
        unisolated_forkserver.start_kernel(STUDENT, Limits()).close()
    with open_kernel(unisolated_forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1


@contextlib.contextmanager
def stalled(forkserver):
    """Stop an unisolated forkserver, as if this machine were too busy to run it."""
    forkserver._process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        forkserver._process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("files", [[], [("table.csv", b"1")]])
def test_a_kernel_that_does_not_start_is_an_error_of_the_engine(
    unisolated_forkserver, monkeypatch, files
):
    monkeypatch.setattr(kernel_client, "START_SECONDS", 0.3)
    with (
        stalled(unisolated_forkserver),
        pytest.raises(EngineError, match=r"it took more than 0\.3 s: close other programs"),
    ):
        unisolated_forkserver.start_kernel(STUDENT, Limits(), files)
    with open_kernel(unisolated_forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1


def test_the_end_of_a_forkserver_is_an_error_of_the_engine():
    with Forkserver(isolated=False, uses_keras=False) as forkserver:
        kernel = forkserver.start_kernel(STUDENT, Limits())
        forkserver._process.kill()
        forkserver._process.wait()
        with pytest.raises(EngineError, match="the process that starts kernels has ended"):
            for _ in range(100):  # the kernel is ended too, but can answer until then
                run(kernel, "1")
                time.sleep(0.05)
        with pytest.raises(EngineError, match="the process that starts kernels has ended"):
            run(kernel, "1")
        with pytest.raises(EngineError, match="could not be started"):
            forkserver.start_kernel(STUDENT, Limits())
        kernel.close()


def test_a_forkserver_that_cannot_start_reports_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        Forkserver(isolated=False) as forkserver,
        pytest.raises(CourseError, match="course doctor"),
    ):
        forkserver.wait_until_ready()


def test_a_machine_that_cannot_isolate_is_refused(monkeypatch):
    monkeypatch.setattr(bubblewrap, "isolation_problem", lambda: "bubblewrap is missing")
    with pytest.raises(CourseError, match="bubblewrap is missing; or grade with --no-isolation"):
        Forkserver()


def test_no_descriptor_is_left_behind(forkserver):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    with open_kernel(forkserver):
        pass
    before = count()
    for source in ("1", "import os\nos._exit(1)"):
        with open_kernel(forkserver) as kernel, contextlib.suppress(KernelEnded):
            run(kernel, source)
    assert count() == before


def test_only_regular_files_are_found(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "table.csv").write_text("1,2")
    (folder / "notes.ipynb").write_text("{}")
    (folder / "linked").symlink_to(outside / "secret")
    (folder / "data" / "linked").symlink_to(outside)
    (folder / "endless").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    assert list(files_below(folder, lambda name: name.endswith(".ipynb"))) == [
        ("data/table.csv", b"1,2")
    ]


def test_the_total_size_of_files_is_limited(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(10))
    assert [path for path, _ in files_below(tmp_path, max_bytes=25)] == ["a", "b"]


def test_a_file_that_is_too_large_is_reported_and_hides_no_other(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10))
    with (tmp_path / "b").open("wb") as file:
        file.truncate(10 * 2**30)
    (tmp_path / "c").write_bytes(bytes(10))
    too_large = []
    found = files_below(tmp_path, max_bytes=25, too_large=too_large)
    assert [path for path, _ in found] == ["a", "c"]
    assert too_large == [("b", 10 * 2**30)]


def test_the_shared_forkserver_is_reused_while_it_is_alive(forkserver):
    assert forkserver_client.shared_forkserver() is forkserver
