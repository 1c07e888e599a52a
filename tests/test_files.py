"""Files and folders are seen whole, whenever a process that writes them is killed."""

import os
import resource
import signal
import subprocess
import sys

import pytest

from course import files
from course.files import files_below, replacing_folder, restore_folder, write_atomically

# Replaces a folder and kills itself at the N-th line that files.py executes.
KILLED = """
import os, signal, sys
from pathlib import Path
from course import files

folder, exchange, line = Path(sys.argv[1]), sys.argv[2] == "exchange", int(sys.argv[3])
if not exchange:
    files._exchange = lambda first, second: False
left = line

def trace(frame, event, argument):
    global left
    if event == "line" and frame.f_code.co_filename == files.__file__:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
with files.replacing_folder(folder) as staging:
    (staging / "a").write_text("new")
    (staging / "b").write_text("new")
"""


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def content_of(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


OLD, NEW = {"a": "old", "c": "old"}, {"a": "new", "b": "new"}


@pytest.mark.parametrize("way", ["exchange", "two renames"])
@pytest.mark.parametrize("existed", [True, False])
def test_a_folder_is_old_or_new_at_whichever_line_its_writer_is_killed(tmp_path, way, existed):
    line, outcomes = 0, []
    while not outcomes or outcomes[-1] != "ended":
        line += 1
        folder = tmp_path / str(line) / "folder"
        folder.parent.mkdir()
        if existed:
            folder.mkdir()
            for name, text in OLD.items():
                (folder / name).write_text(text)
        arguments = [sys.executable, "-c", KILLED, str(folder), way, str(line)]
        code = subprocess.run(arguments, check=False).returncode
        assert code in (0, -signal.SIGKILL)
        outcomes.append("ended" if code == 0 else "killed")
        if way == "exchange" and existed:
            assert folder.is_dir(), "never missing, not even before it is restored"
        restore_folder(folder)
        if existed or folder.exists():
            assert content_of(folder) in ([OLD, NEW] if existed else [NEW])
        with replacing_folder(folder) as staging:
            (staging / "a").write_text("newest")
        assert content_of(folder) == {"a": "newest"}
        assert names_in(folder.parent) == ["folder"], "nothing is left beside it"
    assert len(outcomes) > 10


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_stays_if_filling_the_new_one_fails(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(files, "_exchange", lambda first, second: False)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing_folder(folder) as staging:
        (staging / "a").write_text("new")
        1 / 0  # noqa: B018
    assert content_of(folder) == {"a": "old"}
    assert names_in(tmp_path) == ["folder"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS has no renameat2")
def test_linux_exchanges_folders_in_one_step(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert files._exchange(tmp_path / "one", tmp_path / "two")
    assert names_in(tmp_path / "one") == ["two"]


def test_a_file_that_cannot_be_written_leaves_the_previous_one(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, "x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["file"]


def test_files_below_skips_links_and_what_is_too_large(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "small").write_text("12")
    (tmp_path / "large").write_text("123456")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    skipped = []
    assert dict(files_below(tmp_path, max_bytes=5, too_large=skipped)) == {"in/small": b"12"}
    assert skipped == [("large", 6)]


def test_files_below_ends_in_deep_folders_and_among_many_files(tmp_path, monkeypatch):
    """1,300 nested folders exceed Python's recursion limit, and 100,000 files the memory."""
    deep = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1300):  # a path of this length cannot be opened at once
        os.mkdir("d", dir_fd=deep)
        deep, above = os.open("d", os.O_RDONLY, dir_fd=deep), deep
        os.close(above)
    os.close(deep)
    (tmp_path / "a").write_text("1")
    skipped = []
    assert dict(files_below(tmp_path, too_large=skipped)) == {"a": b"1"}
    assert skipped == [("d/" * files.MAX_FOLDERS + "d", 0)]
    monkeypatch.setattr(files, "MAX_FILES", 2)
    for name in ("b", "c", "ca"):
        (tmp_path / name).write_text("1")
    skipped.clear()
    assert dict(files_below(tmp_path, too_large=skipped)) == {"a": b"1", "b": b"1"}
    assert skipped == [("c", 0)]
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # rmtree would exceed the limit too
