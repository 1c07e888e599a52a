"""Uploads that try to stop the collection of a class, or to change what others submitted.

Each function of `UPLOADS` takes the content of a valid notebook and returns the files of one
student's folder, as path -> content, and a part of the line that `course collect` prints for it.
"""

import io
import json
import lzma
import struct
import zipfile
from functools import lru_cache

from tests.instructor.collect.platform_archives import encrypted, zipped

FILE = "mnist.ipynb"
MB = 2**20


def _edited(whole, **entries):
    """Return a notebook with some entries added to its last cell."""
    notebook = json.loads(whole)
    notebook["cells"][-1] |= entries
    return json.dumps(notebook).encode()


@lru_cache(1)
def _nested_bomb(whole):
    """Return 3 KB that unpack to 90 MB in two steps."""
    zeros = bytes(MB)
    inner = io.BytesIO()
    with (
        zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(FILE, "w", force_zip64=True) as member,
    ):
        for _ in range(90):
            member.write(zeros)
    return {"work.zip": zipped({"inner.zip": inner.getvalue()})}, "would unpack to 90 MB"


def _lzma(whole):
    """Return an archive with a compression method that can require any amount of memory."""
    assert lzma
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(FILE, whole)
    return {"work.zip": file.getvalue()}, "compression method is not supported"


def _deep_archives(whole):
    content = zipped({FILE: whole})
    for _ in range(5):
        content = zipped({"a.zip": content})
    return {"work.zip": content}, "nested too deeply"


def _zip64(whole):
    """Return an archive that states a small directory, and in its ZIP64 record the large one."""
    count = 20_000
    numbers = (20, 3, 20, 0, 0x800, 0, 0, 0x5A21, 0, 0, 0, 1, 0, 0, 0, 0, 0x81A40000, 0)
    entry = struct.pack("<4s4B4H2LL5H2L", b"PK\1\2", *numbers)
    directory = (entry + b"a") * count
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), 0)
    end += struct.pack("<4sLQL", b"PK\6\7", 0, len(directory), 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 47, 0, 0)
    return {"work.zip": directory + end}, "is in the ZIP64 format"


UPLOADS = {
    "120 folders": lambda whole: ({"d/" * 120 + FILE: whole}, "more than 32 levels"),
    "5000 digits": lambda whole: ({f"mnist ({'1' * 5000}).ipynb": whole}, "500 characters"),
    "20000 underscores": lambda whole: ({"_" * 20_000 + FILE: whole}, "500 characters"),
    "file and folder": lambda whole: ({"a.ipynb": whole, "a.ipynb/b.ipynb": b"{"}, "complete"),
    "90 MB": _nested_bomb,
    "9 MB of spaces": lambda whole: ({FILE: b" " * (9 * MB)}, "the file is empty"),
    "8 MB of objects": lambda whole: (
        {FILE: b'{"nbformat": 4, "cells": [' + b"{}," * (8 * MB // 3) + b"{}]}"},
        "too many elements",
    ),
    "8 MB of lists": lambda whole: ({FILE: b"[" * (8 * MB)}, "flagged"),
    "half a character": lambda whole: (
        {FILE: _edited(whole, source="x = '\ud83d'")},
        "repaired: invalid content removed",
    ),
    "foreign name": lambda whole: ({f"Ada Lovelace - {FILE}": whole}, "the path names"),
    "foreign name in a zip": lambda whole: (
        {"work.zip": zipped({f"Ada Lovelace_17_assignsubmission_file/{FILE}": whole})},
        "collected",
    ),
    "foreign nbgrader path": lambda whole: (
        {f"s0/02-mnist/{FILE}": whole},
        "looks like nbgrader's",
    ),
    "encrypted": lambda whole: (
        {"work.zip": encrypted(zipped({FILE: whole}), FILE)},
        "encrypted",
    ),
    "lzma": _lzma,
    "600 files": lambda whole: (
        {"work.zip": zipped({f"{n}.ipynb": b"" for n in range(600)})},
        "more than 500 files",
    ),
    "deep archives": _deep_archives,
    "cut archive": lambda whole: ({"work.zip": zipped({FILE: whole})[:-50]}, "zip archive"),
    "no notebook": lambda whole: ({"mnist.py": b"x = 1"}, "there is no notebook with it"),
    "merge conflict": lambda whole: (
        {FILE: whole.replace(b' "cells"', b'<<<<<<< HEAD\n "cells"\n>>>>>>> b', 1)},
        "merge-conflict markers",
    ),
    "many candidates": lambda whole: ({FILE: _many_candidates(whole)}, "could be the answer"),
    "400 underscores": lambda whole: ({"_" * 400 + "x" + FILE: whole}, "repaired: renamed"),
    "90 CJK letters": lambda whole: ({"李" * 90 + f" - {FILE}": whole}, "collected"),
    "half a name": lambda whole: (
        {FILE: _edited(whole, cell_type="markdown", attachments={"\ud83d.png": {"a": "\ud83d"}})},
        "repaired: ",
    ),
    "foreign Moodle path": lambda whole: (
        {f"Ada Lovelace_17_assignsubmission_file/{FILE}": whole},
        "looks like Moodle's",
    ),
    "ZIP64": _zip64,
    "501 damaged archives": lambda whole: (
        {f"{n}.zip": b"PK" for n in range(501)},
        "more than 500 files",
    ),
}


def _many_candidates(whole):
    """Return a notebook without metadata, with 1,900 texts that resemble answers."""
    notebook = json.loads(whole)
    cells = notebook["cells"]
    for each in cells:
        each["metadata"], each["id"] = {}, None
        each.pop("id")
    notebook["nbformat_minor"] = 4
    position = next(n for n, each in enumerate(cells) if "def prepare" in "".join(each["source"]))
    text = "".join(cells[position]["source"]).replace("def ", "de ")
    extra = [dict(cells[position], source=f"{text}\n# {n}") for n in range(1_900)]
    cells[position : position + 1] = extra
    return json.dumps(notebook).encode()
