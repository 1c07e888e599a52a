"""The end of a kernel: its cause is reported, and nothing of it remains."""

import threading
import time

import pytest

from course.instructor.sandbox.forkserver_client import Forkserver
from course.instructor.sandbox.kernel_client import KernelEnded
from tests.instructor.sandbox import descendants, open_kernel, result_of, run, running, wait_until

FILL = """
import time
block = bytearray(600 * 2**20)
block[::4096] = b"x" * len(block[::4096])
time.sleep(20)
"""


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import os\nos._exit(3)", "exited with code 3"),
        ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
        ("import os\nos.abort()", "it was killed by SIG"),
    ],
)
def test_the_cause_is_reported(kernel, source, cause):
    with pytest.raises(KernelEnded, match=cause):
        run(kernel, source)
    assert cause in kernel.end_reason


def test_a_process_that_uses_too_much_memory_gets_an_error(kernel):
    assert run(kernel, "x = bytearray(3 * 2**30)")["error"]["class_name"] == "MemoryError"
    assert result_of(kernel, "result = 1") == 1


@pytest.mark.parametrize("hide", ["", "import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"])
def test_processes_that_use_too_much_memory_together_are_killed(forkserver, hide):
    source = f"import os\n{hide}for _ in range(6):\n    if os.fork() == 0:\n        break\n{FILL}"
    with (
        open_kernel(forkserver, processes=128) as kernel,
        pytest.raises(KernelEnded, match="memory"),
    ):
        run(kernel, source)


LEADERLESS = """
import ctypes, os, threading, time
def fill():
    time.sleep(0.5)
    block = bytearray(600 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(20)
    os._exit(0)
for _ in range(5):
    if os.fork() == 0:
        threading.Thread(target=fill).start()
        ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit
time.sleep(20)
"""


def test_processes_whose_first_threads_have_ended_count(forkserver):
    with (
        open_kernel(forkserver, processes=128) as kernel,
        pytest.raises(KernelEnded, match="memory"),
    ):
        run(kernel, LEADERLESS)


NAMED = """
import ctypes, os, time
ctypes.CDLL(None).prctl(15, {name}, 0, 0, 0)  # PR_SET_NAME
for _ in range(5):
    if os.fork() == 0:
        block = bytearray(600 * 2**20)
        block[::4096] = b"x" * len(block[::4096])
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\x1eVmRSS: -999999", b"\nVmRSS: -999999"])
def test_the_name_of_a_process_is_not_read(forkserver, name):
    with (
        open_kernel(forkserver, processes=128) as kernel,
        pytest.raises(KernelEnded, match="memory"),
    ):
        run(kernel, NAMED.format(name=name))
    with open_kernel(forkserver) as other:
        assert result_of(other, "result = 1") == 1


ENDING = """
import os, threading, time
for _ in range(60):
    if os.fork() == 0:
        for _ in range(3):
            threading.Thread(target=time.sleep, args=(5,)).start()
        os._exit(0)
    os.wait()
result = 1
"""


def test_processes_that_end_with_threads_are_not_killed(kernel):
    assert result_of(kernel, ENDING) == 1


SHARE = """
import os, time
block = bytearray(600 * 2**20)
block[::4096] = b"x" * len(block[::4096])
for _ in range(4):
    if os.fork() == 0:
        time.sleep(30)
time.sleep(2)
"""


def test_processes_that_share_memory_are_not_killed(kernel):
    assert run(kernel, SHARE)["error"] is None
    assert result_of(kernel, "result = len(block)") == 600 * 2**20


# Shared memory without a file would stay allocated after its pages are discarded, uncounted.
UNCOUNTED = """
import mmap
result = []
with open("/dev/zero", "r+b", buffering=0) as zero:
    for descriptor in (-1, zero.fileno()):
        try:
            mmap.mmap(descriptor, 4096)
            result.append("mapped")
        except OSError:
            result.append("refused")
    result.append(zero.read(4).hex())
private = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
with open("/dev/shm/file", "w+b") as file:
    file.truncate(4096)
    result.append(len(mmap.mmap(file.fileno(), 4096)))
"""


def test_no_memory_is_shared_without_a_file(kernel):
    assert result_of(kernel, UNCOUNTED) == ["refused", "refused", "00000000", 4096]


# Each thread changes the protection of a large region, for which it holds the lock of the process's
# memory mappings. A reader of smaps_rollup gives this lock up at each of the many other mappings.
CONTENTION = """
import ctypes, os, threading, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
size, many = 1500 * 2**20, 27_000
region = libc.mmap(None, size, 3, 0x22, -1, 0)
libc.madvise(ctypes.c_void_p(region), ctypes.c_size_t(size), 15)  # small pages
ctypes.memset(region, 1, size)
mappings = libc.mmap(None, 2 * many * 4096, 0, 0x4022, -1, 0)
for number in range(many):
    libc.mprotect(mappings + 2 * number * 4096, 4096, 1)
def work():
    end = time.monotonic() + 25
    while time.monotonic() < end:
        libc.mprotect(region, size, 1)
        libc.mprotect(region, size, 3)
for _ in range(4):
    if os.fork() == 0:
        for _ in range(15):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(25)
        os._exit(0)
time.sleep(25)
"""


def test_a_kernel_that_changes_its_mappings_delays_no_other(forkserver):
    with open_kernel(forkserver, processes=128, memory_mb=3000) as kernel:
        kernel.send({"op": "run", "name": "cell", "source": CONTENTION})
        end, longest = time.monotonic() + 20, 0.0
        while not kernel.has_ended() and time.monotonic() < end:
            start = time.monotonic()
            with open_kernel(forkserver) as other:
                assert result_of(other, "result = 1") == 1
            longest = max(longest, time.monotonic() - start)
    assert longest < 3
    assert kernel.end_reason == "it used too much memory"


def test_a_fork_bomb_is_killed_and_the_forkserver_keeps_working(forkserver, kernel):
    source = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    with pytest.raises(KernelEnded, match=r"too many processes|did not stop"):
        run(kernel, source, seconds=10)
    start = time.monotonic()
    with open_kernel(forkserver) as other:
        assert result_of(other, "result = 1") == 1
    assert time.monotonic() - start < 3


def test_a_thread_bomb_reaches_a_limit(kernel):
    source = """
import threading, time
count = 0
try:
    while True:
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        count += 1
except RuntimeError:
    result = count
"""
    assert 0 < result_of(kernel, source) < 48


def test_the_children_of_a_kernel_end_with_it(forkserver):
    before = descendants(forkserver._process.pid)
    with open_kernel(forkserver) as kernel:
        run(kernel, "import subprocess\nfor _ in range(3): subprocess.Popen(['sleep', '100'])")
        run(kernel, "subprocess.Popen('exec sleep 100', shell=True)")
        during = descendants(forkserver._process.pid) - before
        assert len(during) >= 5
    assert wait_until(lambda: not running(during))
    # No zombies either: nothing accumulates in a forkserver that serves a whole class.
    assert wait_until(lambda: not descendants(forkserver._process.pid) & during)


GARBAGE = """
import os
for descriptor in range(3, 256):
    try:
        os.set_blocking(descriptor, False)
        os.write(descriptor, {data})
    except OSError:
        pass
{after}
"""


@pytest.mark.parametrize("after", ["", "import time\ntime.sleep(50)", "os._exit(0)"])
@pytest.mark.parametrize(
    "data", ["b'garbage' * 1000", "bytes(16)", "b'\\x00' * 7 + b'\\x05' + bytes(8) + b'12345'"]
)
def test_garbage_on_the_socket_ends_only_the_kernel(forkserver, data, after):
    with open_kernel(forkserver) as kernel:
        start = time.monotonic()
        with pytest.raises(KernelEnded) as gone:
            for _ in range(3):  # the messages after a number that was sent as an answer
                run(kernel, GARBAGE.format(data=data, after=after), seconds=1)
        assert str(gone.value)
        assert time.monotonic() - start < 15


def test_closed_descriptors_end_only_the_kernel(kernel):
    with pytest.raises(KernelEnded):
        run(kernel, "import os\nos.closerange(3, 256)", seconds=2)


def test_a_kernel_that_does_not_read_does_not_block_its_caller(forkserver):
    with open_kernel(forkserver) as kernel:
        with pytest.raises(KernelEnded):
            run(kernel, "import time\nwhile True:\n try: time.sleep(9)\n except: pass", seconds=0.2)
        start = time.monotonic()
        with pytest.raises(KernelEnded):
            kernel.send({"op": "run"}, [bytes(2**22)])
        assert time.monotonic() - start < 1


def test_a_forkserver_outlives_the_thread_that_started_it(forkserver):
    started = []
    thread = threading.Thread(target=lambda: started.append(Forkserver()))
    thread.start()
    thread.join()
    with started[0] as other:
        assert not wait_until(lambda: not other.alive, seconds=1)
    assert not other.alive
