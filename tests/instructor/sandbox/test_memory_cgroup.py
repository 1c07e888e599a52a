"""The memory cgroup of a kernel, in a folder that looks like cgroup v2.

Where this machine has the memory controller of cgroup v2, the last test uses it.
"""

from pathlib import Path

import pytest

from course.instructor.sandbox import memory_cgroup
from course.instructor.sandbox.limits import PRELOADED_MB, Limits
from tests.instructor.sandbox import LIMITS, open_kernel, result_of, wait_until


@pytest.fixture
def mount(tmp_path):
    """Return a folder that looks like cgroup v2: this process is in /slice/own."""
    (tmp_path / "own").write_text("4:memory:/elsewhere\n0::/slice/own\n")
    for folder in (tmp_path, tmp_path / "slice", tmp_path / "slice/own"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.procs").write_text("")
        (folder / "cgroup.subtree_control").write_text("cpu memory\n")
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "slice/own/cgroup.subtree_control").write_text("")
    return tmp_path


def find_parent(mount):
    return memory_cgroup.find_parent.__wrapped__(mount, mount / "own")


def test_the_cgroup_above_that_of_this_process_is_used(mount):
    assert find_parent(mount) == (mount / "slice", "")
    (mount / "slice/own/cgroup.subtree_control").write_text("memory")
    assert find_parent(mount) == (mount / "slice/own", "")


def test_without_the_controller_or_the_right_there_is_a_reason(mount):
    (mount / "slice/cgroup.subtree_control").write_text("cpu")
    folder, reason = find_parent(mount)
    assert folder is None and reason.startswith("this user cannot create cgroups")
    for path, text in [("cgroup.controllers", "cpu"), ("own", "4:memory:/elsewhere\n")]:
        (mount / path).write_text(text)
        folder, reason = find_parent(mount)
        assert folder is None and reason.startswith("this machine has no cgroup v2 with the memory")


def test_a_kernel_joins_a_cgroup_with_its_limit(mount, forkserver, monkeypatch):
    make_folder = Path.mkdir

    def make_cgroup(path, *arguments, **named):
        make_folder(path, *arguments, **named)
        if path.name.startswith(memory_cgroup.PREFIX):
            (path / "cgroup.procs").write_text("")

    monkeypatch.setattr(Path, "mkdir", make_cgroup)
    monkeypatch.setattr(memory_cgroup, "find_parent", lambda: (mount / "slice", ""))
    with open_kernel(forkserver) as kernel:
        assert result_of(kernel, "result = 1") == 1
        (cgroup,) = (mount / "slice").glob(f"{memory_cgroup.PREFIX}*")
        assert (cgroup / "cgroup.procs").read_text() == "0"
        limit = LIMITS["memory_mb"] + PRELOADED_MB + 3 * LIMITS["disk_mb"]
        assert (cgroup / "memory.max").read_text() == str(limit * 2**20)
        assert result_of(kernel, "import os\nresult = os.path.exists('/sys/fs/cgroup')") is False
    assert memory_cgroup._remaining == [cgroup]
    for file in cgroup.iterdir():
        file.unlink()
    memory_cgroup.remove_remaining()
    assert memory_cgroup._remaining == [] and not cgroup.exists()


def test_a_failure_to_create_one_is_no_failure_of_the_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_cgroup, "find_parent", lambda: (tmp_path / "missing", ""))
    assert memory_cgroup.create(Limits()) is None
    monkeypatch.setattr(memory_cgroup, "find_parent", lambda: (tmp_path, ""))
    assert memory_cgroup.create(Limits()) is None  # a folder without the files of a cgroup
    for folder in memory_cgroup._remaining.copy():
        memory_cgroup._remaining.remove(folder)


def test_a_real_cgroup_ends_a_kernel_whose_processes_use_too_much_together(forkserver):
    if memory_cgroup.find_parent()[0] is None:
        pytest.skip(memory_cgroup.find_parent()[1])
    source = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        hoard = b"x" * 600_000_000
        time.sleep(60)
time.sleep(20)
"""
    with open_kernel(forkserver) as kernel, pytest.raises(Exception, match="memory"):
        result_of(kernel, source)
    assert wait_until(lambda: memory_cgroup.remove_remaining() or not memory_cgroup._remaining)
