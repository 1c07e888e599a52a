"""Originals are saved outside build/, survive `make clean`, and are read and parsed once."""

import json
import os
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from course.instructor.collect import archive_reader, originals, submitted_folder
from course.instructor.collect.platform_file_names import PathParser
from tests.instructor.collect import platform_archives
from tests.instructor.collect.damages import damage
from tests.instructor.collect.platform_archives import zipped
from tests.submissions import ROOT, solved

NAME, FILE = "02-mnist", "mnist.ipynb"
MEMBER = platform_archives.moodle("Ada Lovelace", 17, FILE)
WHOLE = damage(solved(NAME), ())[0]
DAMAGED = damage(solved(NAME), ["metadata and ids missing", "Windows line endings"])[0]


def contents(folder):
    """Return the contents of all files under a folder."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_make_clean_removes_no_original_and_no_replaced_submission(root, collect):
    first, second = zipped({MEMBER: WHOLE}), zipped({MEMBER: DAMAGED})
    assert collect(first).returncode == 0
    assert collect(second, "--force").returncode == 0
    shutil.copy(ROOT / "Makefile", root)
    (root / "build" / "runs").mkdir(parents=True)
    done = subprocess.run(["make", "clean"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (root / "build").exists()
    assert {first, second, WHOLE, DAMAGED} <= set(contents(root))
    replaced = root / "originals" / "replaced" / "ada-lovelace"
    assert [path.read_bytes() for path in replaced.rglob(FILE)] == [WHOLE]


def test_originals_of_an_older_version_are_moved_and_none_is_lost(root, collect):
    old = root / "build" / "intake"
    files = {
        "first-1234abcd/first.zip": b"first",
        "replaced/ada/02-mnist-1/mnist.ipynb": b"replaced",
        "lock": b"",
    }
    for _ in range(2):  # the second time there is a folder of each name already
        for name, content in files.items():
            path = old / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        assert collect({MEMBER: WHOLE}).returncode == 0
        assert not old.exists()
        files = {name: content + b", again" for name, content in files.items()}
    found = contents(root / "originals")
    assert {b"first", b"first, again", b"replaced", b"replaced, again"} <= set(found)


def test_replacing_a_submission_leaves_no_moment_without_it(root, monkeypatch):
    submitted_folder.write(root, "ada", NAME, {FILE: b"old"})
    folder = root / "submitted" / "ada" / NAME
    rename, missing = Path.rename, []

    def watched(path, target):
        result = rename(path, target)
        if not folder.exists():
            missing.append(path)
        return result

    monkeypatch.setattr(Path, "rename", watched)
    submitted_folder.write(root, "ada", NAME, {FILE: b"new"})
    assert missing == []
    assert (folder / FILE).read_bytes() == b"new"


def test_archives_in_uploads_do_not_stay_in_memory(tmp_path):
    inner = zipped({"photo.png": os.urandom(10 * 2**20)})
    members = {f"student{n}_{n}_{n}_work.zip": inner for n in range(4)}
    path = tmp_path / "submissions.zip"
    path.write_bytes(zipped(members))
    listed = archive_reader.list_files(path)
    paths = PathParser([file.parts for file in listed], [])
    tracemalloc.start()
    saved = list(originals.save(path, listed, tmp_path / "originals", paths))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [each.file.problem for each in saved] == [""] * 4
    assert held < 5 * 2**20


@pytest.mark.parametrize("content", [WHOLE, DAMAGED], ids=["whole", "damaged"])
def test_no_notebook_is_parsed_in_the_instructors_process(root, collect, monkeypatch, content):
    loads, parsed = json.loads, []

    def counted(text, *arguments, **options):
        parsed.append(text.decode() if isinstance(text, bytes) else text)
        return loads(text, *arguments, **options)

    monkeypatch.setattr(json, "loads", counted)
    assert collect({f"ada/{FILE}": content}, "--student", "ada").returncode == 0
    assert (root / "submitted" / "ada" / NAME / FILE).is_file()
    assert parsed  # the releases
    assert content.decode() not in parsed
