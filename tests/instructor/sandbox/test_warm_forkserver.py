"""Forkservers that outlive a command, and commands that use one which another has started."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from course.errors import CourseError
from course.instructor.sandbox import bubblewrap, forkserver_client, warm_forkserver
from course.instructor.sandbox.forkserver_client import Forkserver
from course.instructor.sandbox.kernel_client import KernelEnded
from course.instructor.sandbox.limits import Limits
from tests.instructor.sandbox import (
    descendants,
    name_of,
    open_kernel,
    result_of,
    run,
    running,
    state_of,
    wait_until,
)
from tests.submissions import ROOT

CLIENT = """
import sys, time
from course.instructor.sandbox.forkserver_client import Forkserver
from course.instructor.sandbox.limits import Limits
forkserver = Forkserver(uses_keras=False, stays_warm=True, idle_seconds=60)
kernel = forkserver.start_kernel("course.instructor.grading.student_worker", Limits())
kernel.send({"op": "run", "name": "cell", "source": "while True: pass"})
print("running", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Give the test a private folder for sockets; end the forkservers that it leaves."""
    if problem := bubblewrap.isolation_problem():
        pytest.skip(problem)
    # The path of a socket is short; pytest's folders have long names.
    folder = Path("/tmp", f"warm-{os.getpid()}-{abs(hash(tmp_path.name)) % 10**6}")
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder / "cnn-course"
    for process in processes(folder / "cnn-course"):
        os.kill(process, signal.SIGKILL)
    subprocess.run(["rm", "-r", str(folder)], check=True)


def open_warm(idle_seconds=60, **options):
    return Forkserver(idle_seconds=idle_seconds, uses_keras=False, stays_warm=True, **options)


def processes(runtime):
    """Return the sandboxes whose log is in the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/fd/2"):
        process = int(path.parts[2])
        with contextlib.suppress(OSError):
            if path.readlink().is_relative_to(runtime) and name_of(process) == "bwrap":
                found.append(process)
    return found


def busy(runtime):
    """Return the kernels in the sandboxes: processes whose parent is Python, as a forkserver is."""
    found = {each for process in processes(runtime) for each in descendants(process)}
    return {each for each in found if parent_name(each).startswith("python")}


def parent_name(process):
    """Return the name of the program that a process's parent runs, or "" if it has ended."""
    try:
        return name_of(state_of(process)[1])
    except OSError:
        return ""


def is_forkserver(process):
    """Return whether a process is the program that bubblewrap runs."""
    return name_of(process).startswith("python") and parent_name(process) == "bwrap"


def memory_of(process):
    """Return the writable memory of a process."""
    found = []
    with Path(f"/proc/{process}/mem").open("rb") as memory:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            addresses, permissions = line.split()[:2]
            start, end = (int(each, 16) for each in addresses.split("-"))
            if permissions.startswith("rw") and "[v" not in line:
                memory.seek(start)
                try:
                    found.append(memory.read(end - start))
                except OSError:
                    continue
    return b"".join(found)


def test_a_second_client_uses_the_forkserver_that_the_first_left(runtime):
    with open_warm() as first, open_kernel(first) as kernel:
        assert result_of(kernel, "result = 6 * 7") == 42
    started = processes(runtime)
    assert started
    with open_warm() as second, open_kernel(second) as kernel:
        assert result_of(kernel, "result = 6 * 7") == 42
    assert processes(runtime) == started
    assert len(list(runtime.glob("*.socket"))) == 1


def test_two_clients_at_a_time_do_not_disturb_each_other(runtime):
    with open_warm() as first, open_kernel(first) as kernel:
        with open_warm() as second, open_kernel(second) as other:
            run(other, "x = 'second'")
            run(kernel, "x = 'first'")
            assert result_of(other, "result = x") == "second"
        # The end of one client ends none of the other's kernels.
        assert result_of(kernel, "result = x") == "first"


def test_the_kernels_of_a_killed_client_end(runtime):
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert client.stdout.readline() == b"running\n"
        assert wait_until(lambda: busy(runtime))
        kernel = busy(runtime)
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
        client.stdout.close()
    assert wait_until(lambda: not running(kernel))
    with open_warm() as forkserver, open_kernel(forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1


def test_closing_a_client_ends_its_kernels_at_once(runtime):
    forkserver = open_warm()
    kernel = forkserver.start_kernel("course.instructor.grading.student_worker", Limits())
    forkserver.close()
    with pytest.raises(KernelEnded):
        run(kernel, "while True: pass", seconds=20)
    assert processes(runtime)


def test_an_idle_one_ends_by_itself_and_the_next_client_starts_another(runtime):
    with open_warm(idle_seconds=0.5) as forkserver:
        forkserver.wait_until_ready()
        assert forkserver.alive
        assert wait_until(lambda: not processes(runtime), seconds=10)
        assert not forkserver.alive
    with open_warm(idle_seconds=0.5) as forkserver, open_kernel(forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1


def test_changed_code_gets_a_forkserver_of_its_own(runtime, monkeypatch):
    with open_warm() as forkserver:
        forkserver.wait_until_ready()
    monkeypatch.setattr(warm_forkserver, "_state_of_code", lambda: "another version")
    with open_warm() as forkserver, open_kernel(forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1
    assert len(list(runtime.glob("*.socket"))) == 2


def test_a_replaced_folder_gets_a_forkserver_of_its_own(tmp_path, monkeypatch):
    """The sandbox of a running one contains the folder before, even if both have the same files."""
    package = shutil.copytree(warm_forkserver.PACKAGE, tmp_path / "course")
    monkeypatch.setattr(warm_forkserver, "PACKAGE", package)
    state = warm_forkserver._state_of_code.__wrapped__
    before = state()
    assert state() == before
    package.rename(tmp_path / "before")
    shutil.copytree(tmp_path / "before", package)
    assert state() != before


def test_what_an_ended_one_left_is_removed(runtime, monkeypatch):
    with open_warm() as forkserver:
        forkserver.wait_until_ready()
    (left,) = runtime.glob("*.socket")
    sandboxes = processes(runtime)
    ending = {each for sandbox in sandboxes for each in [sandbox, *descendants(sandbox)]}
    for process in sandboxes:
        os.kill(process, signal.SIGKILL)
    # The forkserver inside ends a moment after its sandbox.
    assert wait_until(lambda: not running(ending))
    monkeypatch.setattr(warm_forkserver, "_state_of_code", lambda: "another version")
    with open_warm() as forkserver:
        forkserver.wait_until_ready()
    assert not left.exists() and not left.with_suffix(".log").exists()


def test_a_folder_that_others_can_enter_is_not_used(runtime):
    runtime.mkdir(mode=0o755)
    runtime.chmod(0o755)  # whatever the umask is
    with open_warm() as forkserver, open_kernel(forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1
    assert not list(runtime.iterdir()) and not processes(runtime)


def test_an_unisolated_one_never_outlives_its_client(runtime):
    with open_warm(isolated=False) as forkserver:
        forkserver.wait_until_ready()
    assert not runtime.exists()


def test_one_that_cannot_start_says_why(runtime):
    with (
        open_warm(devices=["/dev/missing"]) as forkserver,
        pytest.raises(CourseError, match=r"ended \(bwrap: .*/dev/missing.*run course doctor"),
    ):
        forkserver.wait_until_ready()


def test_the_shared_forkserver_starts_again_after_its_warm_one_was_killed(runtime, monkeypatch):
    monkeypatch.setattr(forkserver_client, "_shared", {})
    monkeypatch.setattr(forkserver_client, "_warm_minutes", 1)
    first = forkserver_client.shared_forkserver(uses_keras=False)
    first.wait_until_ready()
    for process in processes(runtime):
        os.kill(process, signal.SIGKILL)
    assert wait_until(lambda: not first.alive)
    second = forkserver_client.shared_forkserver(uses_keras=False)
    assert second is not first
    with open_kernel(second) as kernel:
        assert result_of(kernel, "result = 1") == 1
    second.close()


def test_it_holds_nothing_of_what_kernels_run(runtime):
    """The request of a kernel passes through the forkserver; cells and files do not."""
    secret = "hidden-test-4711"
    with open_warm() as forkserver, open_kernel(forkserver, [("a.txt", secret.encode())]) as kernel:
        assert result_of(kernel, f"result = '{secret}'") == secret
        python = {each for sandbox in processes(runtime) for each in descendants(sandbox)}
        (process,) = [each for each in python if is_forkserver(each)]
        content = memory_of(process)
        assert b"course.instructor.sandbox.forkserver" in content
        assert secret.encode() not in content
