"""A kernel cannot reach the course, the machine, the network or other kernels."""

import errno
import os
from pathlib import Path

import pytest
from pyseccomp import Arch, resolve_syscall

from course.instructor.sandbox.bubblewrap import PACKAGE_ROOT
from tests.instructor.sandbox import descendants, open_kernel, result_of, run, wait_until
from tests.instructor.sandbox.conftest import SECRET
from tests.instructor.sandbox.test_seccomp import REFUSED
from tests.submissions import ROOT

ATTEMPT = """
import os, errno
def attempt(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done"
"""
CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return ctypes.get_errno()
"""


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def number_of(name):
    return resolve_syscall(Arch.NATIVE, name)


def test_files_can_be_copied_without_advice_about_the_page_cache(kernel):
    source = """
import os, shutil, subprocess
import h5py
import numpy as np
with h5py.File("numbers.h5", "w") as file:
    file["numbers"] = np.arange(100_000)
shutil.copyfile("numbers.h5", "copy.h5")
copied = subprocess.run(["cp", "copy.h5", "second.h5"]).returncode
with h5py.File("second.h5") as file:
    total = int(file["numbers"][:].sum())
try:
    with open("copy.h5") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    refused = False
except OSError:
    refused = True
result = [copied, total, refused]
"""
    assert result_of(kernel, source) == [0, 4999950000, True]


def test_a_kernel_is_nobody_and_has_no_privileges(kernel):
    source = """
import ctypes, os
libc = ctypes.CDLL(None)
rights = (ctypes.c_uint32 * 6)()
assert libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), rights) == 0
result = {
    "root": 0 in (*os.getresuid(), *os.getresgid(), *os.getgroups()),
    "capabilities": list(rights),
    "bounding": [c for c in range(41) if libc.prctl(23, c, 0, 0, 0) == 1],
    "no_new_privs": libc.prctl(39, 0, 0, 0, 0),
    "filtered": libc.prctl(21, 0, 0, 0, 0),
    "dumps": os.sysconf("SC_PAGE_SIZE") and __import__("resource").getrlimit(4),
}
"""
    found = result_of(kernel, source)
    expected = {"capabilities": [0] * 6, "bounding": [], "no_new_privs": 1, "filtered": 2}
    assert found == {"root": os.geteuid() != 0 and os.getegid() == 0, "dumps": (0, 0)} | expected


def test_nobody_cannot_become_root_again(kernel):
    source = ATTEMPT + "result = attempt(os.setuid, 0), attempt(os.setgroups, [0])"
    assert result_of(kernel, source) == ("ENOSYS", "ENOSYS")


def test_dangerous_system_calls_are_refused(kernel):
    found = {name: number_of(name) for name in REFUSED}
    numbers = {name: number for name, number in found.items() if number >= 0}
    source = CALL + f"result = {{n: call(m, 0, 0, 0, 0, 0) for n, m in {numbers!r}.items()}}"
    assert result_of(kernel, source) == dict.fromkeys(numbers, errno.ENOSYS)


def test_no_namespace_is_entered_by_clone(kernel):
    clone, clone3 = number_of("clone"), number_of("clone3")
    flags = [1 << bit for bit in (17, *range(25, 31))]
    source = CALL + (
        f"result = [call({clone}, flag | 17, 0, 0, 0, 0) for flag in {flags}], call({clone3}, 0, 0)"
    )
    assert result_of(kernel, source) == ([errno.ENOSYS] * len(flags), errno.ENOSYS)


def test_no_network_of_any_family(kernel):
    source = """
import socket
result = []
for make in (socket.socket, socket.socketpair):
    for family in range(64):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                make(family, kind)
                result.append(family)
            except (OSError, ValueError):
                pass
result = sorted(set(result))
"""
    assert result_of(kernel, source) == [1]


def test_no_urgent_data_on_unix_sockets(kernel):
    source = (
        ATTEMPT
        + """
import socket
one, other = socket.socketpair()
result = [
    attempt(one.send, b"x", socket.MSG_OOB),
    attempt(one.sendmsg, [b"x"], [], socket.MSG_OOB),
    attempt(other.recv, 1, socket.MSG_OOB),
    attempt(other.recvmsg, 1, 0, socket.MSG_OOB),
    attempt(one.send, b"x"),
]
"""
    )
    assert result_of(kernel, source) == ["ENOSYS"] * 4 + ["done"]


def test_no_socket_has_an_address_or_a_queue_that_outlives_the_sender(kernel):
    source = (
        ATTEMPT
        + """
import os, socket
one, other = socket.socketpair()
result = [
    attempt(socket.socket, socket.AF_UNIX),
    attempt(one.bind, "/tmp/socket"),
    attempt(one.listen),
    attempt(one.connect, "/tmp/socket"),
    attempt(one.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20),
    attempt(socket.send_fds, one, [b"x"], [0]),
]
"""
    )
    assert result_of(kernel, source) == ["EPERM", *["ENOSYS"] * 5]


def test_what_notebooks_need_still_works(kernel):
    source = """
import concurrent.futures, multiprocessing, os, shutil, subprocess, tempfile, threading
import asyncio
import numpy as np

def square(number):
    return number * number

with concurrent.futures.ThreadPoolExecutor(2) as pool:
    found = [list(pool.map(square, range(3)))]
with multiprocessing.get_context("fork").Pool(2) as pool:
    found.append(pool.map(square, range(3)))
found.append(subprocess.run(["sh", "-c", "ls / | wc -l; sort"], input="b\\na", text=True,
    capture_output=True, check=True).stdout.split()[-2:])
with tempfile.TemporaryDirectory() as folder:
    np.savez_compressed(folder + "/a.npz", one=np.ones(3))
    shutil.make_archive(folder + "/all", "zip", folder)
    shutil.copytree(folder, folder + "-again")
    found.append(sorted(os.listdir(folder + "-again")))
found.append(asyncio.new_event_loop().run_until_complete(asyncio.sleep(0.01, "slept")))
result = found
"""
    squares = [0, 1, 4]
    expected = [squares, squares, ["a", "b"], ["a.npz", "all.zip"], "slept"]
    assert result_of(kernel, source) == expected


def test_joblib_and_scikit_learn_work_with_several_jobs(kernel):
    source = """
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier

squares = Parallel(n_jobs=2)(delayed(pow)(number, 2) for number in range(4))
search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, n_jobs=-1, cv=2)
search.fit([[0], [1], [2], [3], [10], [11], [12], [13]], [0] * 4 + [1] * 4)
result = [*squares, search.best_score_]
"""
    assert result_of(kernel, source) == [0, 1, 4, 9, 1.0]


def test_the_environment_contains_nothing_of_the_callers(kernel):
    found = result_of(kernel, "import os\nresult = dict(os.environ)")
    assert SECRET not in found
    assert found["HOME"] == "/tmp"  # not the folder of the submitted files
    assert "PYTEST_CURRENT_TEST" not in found
    assert "hunter2" not in str(found)


def test_the_user_has_a_name(kernel):
    """Libraries put it into the names of their folders."""
    assert result_of(kernel, "import getpass\nresult = getpass.getuser()") == "student"


def test_no_file_of_the_course_is_visible(kernel):
    source = f"""
import os
from pathlib import Path
places = [{str(ROOT)!r}, {str(ROOT / "source")!r}, {str(ROOT / "tests")!r}, "/home", "/work",
          {str(Path.home() / ".cache")!r}, "/etc/passwd", "/etc/shadow", "/var", "/run", "/sys"]
result = {{"there": [place for place in places if os.path.exists(place)], "named": []}}
result["packages"] = sorted(os.listdir({PACKAGE_ROOT!r}))
large = ("/usr", "/opt/environment", sys.base_prefix) if (sys := __import__("sys")) else ()
for folder, folders, names in os.walk("/"):
    folders[:] = [each for each in folders if not os.path.join(folder, each).startswith(large)]
    result["named"] += [n for n in names if n.endswith((".ipynb", ".db", "_config.py"))]
"""
    found = result_of(kernel, source)
    assert found == {"there": [], "named": [], "packages": ["course"]}


def test_proc_lists_no_process(kernel):
    source = """
import os
result = sorted(n for n in os.listdir("/proc") if n.isdigit()), sorted(os.listdir("/proc/self"))
"""
    assert result_of(kernel, source) == ([], ["cmdline", "cpuset", "exe"])


@pytest.mark.parametrize(
    "place",
    ["/", "/usr", "/opt", f"{PACKAGE_ROOT}/course", "/dev", "/dev/pts", "/proc", "/proc/self"],
)
def test_everything_but_its_own_folders_is_read_only(kernel, place):
    source = ATTEMPT + f"result = attempt(open, {place!r} + '/mine', 'w')"
    assert result_of(kernel, source) in ("EROFS", "EACCES")


def test_every_mount_is_read_only_or_memory_of_the_kernels_own(forkserver):
    """A kernel can leave nothing in these mounts; this test reads a table that it cannot read."""
    own = {"/scratch", "/tmp", "/dev/shm"}
    before = descendants(forkserver._process.pid)
    with open_kernel(forkserver) as kernel:
        run(kernel, "1")
        # The process that started it ends at any time.
        assert wait_until(lambda: len(descendants(forkserver._process.pid) - before) == 1)
        (process,) = descendants(forkserver._process.pid) - before
        mounts = [
            line.split(" - ")
            for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()
        ]
    places = {}  # the uppermost mount on each place
    writable = set()
    for mount, filesystem in mounts:
        place, options = mount.split()[4:6]
        places[place] = filesystem.split()[0]
        if "rw" in options.split(","):
            writable.add(place)
    assert "/dev/null" in places
    assert writable == own
    assert {places[place] for place in own} == {"tmpfs"}


def test_devices_work_but_their_times_and_modes_cannot_be_changed(kernel):
    source = (
        ATTEMPT
        + """
devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")]
result = {
    name: [attempt(os.utime, name), attempt(os.chmod, name, 0o666)]
    for name in devices
}
with open("/dev/null", "r+b", buffering=0) as null, open("/dev/urandom", "rb") as random:
    result["used"] = [null.write(b"text"), len(null.read()), len(random.read(8))]
    result["opened"] = attempt(os.utime, null.fileno())
"""
    )
    found = result_of(kernel, source)
    assert found.pop("used") == [4, 0, 8]
    assert found.pop("opened") == "EROFS"
    assert all(outcome == ["EROFS", "EROFS"] for outcome in found.values()), found


def test_only_harmless_devices_exist(kernel):
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "ptmx", "console"}
    harmless |= {"core", "fd", "stdin", "stdout", "stderr"}
    assert set(result_of(kernel, "import os\nresult = os.listdir('/dev')")) <= harmless


def test_its_socket_is_the_only_open_descriptor(kernel):
    source = """
import os, stat
result = []
for descriptor in range(3, 256):
    try:
        result.append(stat.S_ISSOCK(os.fstat(descriptor).st_mode))
    except OSError:
        pass
"""
    assert result_of(kernel, source) == [True]


LEAVE_TRACES = """
import os, subprocess
for place in ("/scratch", "/tmp", "/dev/shm"):
    open(f"{place}/mine", "w").write("mine")
child = subprocess.Popen(["sleep", "100"])
result = os.getpid(), child.pid
"""
FIND_TRACES = """
import os
found = [f"{place}/{n}" for place in ("/scratch", "/tmp", "/dev/shm") for n in os.listdir(place)]
for process in range(2, 70_000):
    try:
        os.kill(process, 0)
        found.append(process)
    except OSError:
        pass
result = found
"""


def test_parallel_kernels_see_nothing_of_each_other(forkserver):
    with open_kernel(forkserver) as one, open_kernel(forkserver) as other:
        own, child = result_of(one, LEAVE_TRACES)
        assert own == 1  # of its own process namespace
        assert result_of(other, FIND_TRACES) == []
        # The owner does find what the other kernel does not.
        found = result_of(one, FIND_TRACES)
        assert {"/tmp/mine", "/dev/shm/mine", "/scratch/mine", child} <= {*found}
        run(other, "import os\nos.kill(-1, 9)")
        assert result_of(one, "result = child.poll()") is None


def test_a_later_kernel_finds_nothing_of_an_earlier_one(forkserver):
    with open_kernel(forkserver, [("table.csv", b"1")]) as one:
        result_of(one, LEAVE_TRACES)
        result_of(one, "import builtins, numpy\nbuiltins.mine = numpy.mine = 1\nresult = 1")
    with open_kernel(forkserver) as other:
        assert result_of(other, FIND_TRACES) == []
        source = (
            "import builtins, numpy\nresult = hasattr(builtins, 'mine'), hasattr(numpy, 'mine')"
        )
        assert result_of(other, source) == (False, False)


def test_no_descriptor_can_be_passed_to_another_process(forkserver):
    before = descriptors()
    source = """
import os, socket
result = []
for descriptor in range(3, 256):
    try:
        sock = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        continue
    try:
        socket.send_fds(sock, [b"\\0"], [os.open("/dev/null", os.O_RDONLY)] * 3)
        result.append(descriptor)
    except OSError:
        pass
"""
    with open_kernel(forkserver) as kernel:
        inside = descriptors()
        assert result_of(kernel, source) == []
        assert descriptors() <= inside
    assert descriptors() <= before
