"""The caller's side: its own end, an idle zygote, kernels without a sandbox, files to hand in."""

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
from course.instructor.sandbox import bubblewrap, forkserver_client
from course.instructor.sandbox.forkserver_client import Zygote
from course.instructor.sandbox.kernel_client import KernelGone
from course.instructor.sandbox.limits import Limits
from tests.instructor.sandbox import STUDENT, descendants, kernel_of, living, result_of, run, until
from tests.submissions import ROOT

CALLER = """
import sys, time
from course.instructor.sandbox.forkserver_client import Zygote
from course.instructor.sandbox.limits import Limits
zygote = Zygote(isolated=sys.argv[1] == "isolated")
source = '''
import os, signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    while True: pass
os.fork()
while True: pass
'''
kernels = [zygote.kernel("course.instructor.grading.student_worker", Limits()) for _ in range(2)]
for kernel in kernels:
    kernel.tell({"op": "run", "name": "cell", "source": source})
print("running", flush=True)
time.sleep(1000)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["isolated", "open"])
def test_a_killed_caller_leaves_no_process(mode):
    if mode == "isolated" and (problem := bubblewrap.problem()):
        pytest.skip(problem)
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, mode],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert caller.stdout.readline() == b"running\n"
        assert until(lambda: len(descendants(caller.pid)) >= 8, seconds=10)
        started = descendants(caller.pid)
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        caller.stdout.close()
    assert until(lambda: not living(started))


def test_kernels_run_without_a_sandbox(open_zygote):
    files = [("folder/table.csv", b"1")]
    with kernel_of(open_zygote, files) as kernel:
        source = "import os\nresult = os.getcwd(), open('folder/table.csv').read(), os.getpid()"
        folder, table, process = result_of(kernel, source)
        assert table == "1"
        assert Path(folder).is_dir() and process > 1
        assert result_of(kernel, "result = os.environ['HOME']") == folder
        assert "PYTEST_CURRENT_TEST" not in result_of(kernel, "result = list(os.environ)")
    assert not Path(folder).exists()


def test_limits_hold_without_a_sandbox(open_zygote):
    with kernel_of(open_zygote) as kernel:
        assert run(kernel, "x = bytearray(3 * 2**30)")["error"]["class"] == "MemoryError"
        assert run(kernel, "while True: pass", seconds=0.3)["late"]
        with pytest.raises(KernelGone, match="did not stop"):
            run(kernel, "sum(range(10**13))", seconds=0.3)
    for source, cause in [("import os\nos._exit(3)", "exit code 3"),
                          ("import os\nos.kill(os.getpid(), 9)", "SIGKILL"),
                          ("import os\nos.kill(os.getpid(), 40)", "signal 40")]:  # fmt: skip
        with kernel_of(open_zygote) as kernel, pytest.raises(KernelGone, match=cause):
            run(kernel, source)
    with kernel_of(open_zygote) as kernel:
        assert result_of(kernel, "result = 1") == 1


def test_background_processes_end_without_a_sandbox(open_zygote):
    before = descendants(open_zygote._process.pid)
    with kernel_of(open_zygote) as kernel:
        source = """
import os, subprocess, sys
folder = os.getcwd()
subprocess.Popen(["sleep", "1000"])
subprocess.Popen(["sleep", "1000"], start_new_session=True)
if os.fork() == 0:  # a daemon: its parent is gone, and it writes on
    os.setsid()
    if os.fork():
        os._exit(0)
    while True:
        os.makedirs(folder, exist_ok=True)
        open(folder + "/again", "w").close()
result = folder
"""
        folder = result_of(kernel, source)
        # The daemon writes once it is one; the process between stays a zombie of the kernel.
        assert until(Path(folder, "again").exists)
        assert until(lambda: len(living(descendants(open_zygote._process.pid) - before)) == 4)
        during = descendants(open_zygote._process.pid) - before
    assert not living(during)
    assert until(lambda: not descendants(open_zygote._process.pid) & during)
    assert not Path(folder).exists()


@pytest.mark.slow
def test_an_idle_zygote_ends_by_itself():
    with Zygote(isolated=False, idle_seconds=0.5) as zygote:
        zygote.wait_until_ready()
        with kernel_of(zygote) as kernel:
            time.sleep(1)
            assert result_of(kernel, "result = 1") == 1
        assert until(lambda: not zygote.alive, seconds=10)
        with pytest.raises(KernelGone, match="has ended"):
            zygote.kernel(STUDENT, Limits())


def test_a_zygote_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Zygote(isolated=False) as zygote, pytest.raises(CourseError, match="course doctor"):
        zygote.wait_until_ready()


def test_a_machine_that_cannot_isolate_is_refused(monkeypatch):
    monkeypatch.setattr(bubblewrap, "problem", lambda: "bubblewrap is missing")
    with pytest.raises(CourseError, match="bubblewrap is missing; or grade with --no-isolation"):
        Zygote()


def test_no_descriptor_is_left_behind(zygote):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    with kernel_of(zygote):
        pass
    before = count()
    for source in ("1", "import os\nos._exit(1)"):
        with kernel_of(zygote) as kernel, contextlib.suppress(KernelGone):
            run(kernel, source)
    assert count() == before


def test_only_plain_files_are_handed_in(tmp_path):
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


def test_what_is_handed_in_is_limited(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(10))
    assert [path for path, _ in files_below(tmp_path, max_bytes=25)] == ["a", "b"]


def test_a_file_that_is_too_large_is_named_and_hides_no_other(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10))
    with (tmp_path / "b").open("wb") as file:
        file.truncate(10 * 2**30)
    (tmp_path / "c").write_bytes(bytes(10))
    too_large = []
    found = files_below(tmp_path, max_bytes=25, too_large=too_large)
    assert [path for path, _ in found] == ["a", "c"]
    assert too_large == [("b", 10 * 2**30)]


def test_the_shared_zygote_is_one_as_long_as_it_lives(zygote):
    assert forkserver_client.shared_zygote() is zygote
