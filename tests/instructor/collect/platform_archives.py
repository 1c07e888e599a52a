"""Archives as platforms export them, with notebooks that students renamed and damaged."""

import io
import random
import stat
import time
import zipfile

from tests.instructor.collect.damages import KINDS, damage

FIRST = ["Ada", "Björn", "Chloé", "Đorđe", "Élise", "Fatima", "Güneş", "Håkon", "Ivana", "José"]
LAST = ["Lovelace", "Ångström", "Noether", "Ramanujan", "Šimić", "Müller", "García", "Turing"]
OTHER_SCRIPTS = ["李 雷", "Анна Петрова", "محمد علي", "Γιώργος Παππάς", "田中 さくら"]


def people(count):
    """Return distinct names, some of them in other scripts."""
    names = [*OTHER_SCRIPTS, *(f"{first} {last}" for last in LAST for first in FIRST)]
    names += [f"{first} {last} {n}" for n in "BCDE" for last in LAST for first in FIRST]
    return names[:count]


def canvas(name, number, attachment, file_name, late=False):
    """Return the name that Canvas gives a student's file."""
    *first, last = name.split()
    sortable = "".join(each for each in f"{last}{''.join(first)}".lower() if each.isalnum())
    return f"{sortable}_{'LATE_' if late else ''}{number}_{attachment}_{file_name}"


def moodle(name, number, file_name):
    """Return the path that Moodle gives a student's file."""
    return f"{name}_{number}_assignsubmission_file_/{file_name}"


def exchange(student, assignment, when, file_name):
    """Return the path that nbgrader's exchange gives a student's file."""
    return f"{student}+{assignment}+{when} UTC/{file_name}"


def drive(name, file_name, folder="Submissions"):
    """Return the path in Google Drive of the copy that Classroom made for a student."""
    return f"{folder}/{name} - {file_name}"


def zipped(members, times=None):
    """Return a zip archive of files, given as path -> content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (path, content) in enumerate(members.items()):
            when = (times or {}).get(path, 1_760_000_000 + 60 * number)
            info = zipfile.ZipInfo(path, time.localtime(when)[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return file.getvalue()


def add_link(content, path, target):
    """Return an archive with a symbolic link added."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        info = zipfile.ZipInfo(path)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
    return file.getvalue()


def encrypted(content, path):
    """Return an archive whose member with this path claims to be encrypted."""
    entry = content.rfind(path.encode()) - 46  # in the archive's directory
    assert content[entry : entry + 4] == b"PK\1\2"
    flags = int.from_bytes(content[entry + 8 : entry + 10], "little") | 1
    return content[: entry + 8] + flags.to_bytes(2, "little") + content[entry + 10 :]


def class_of(count, notebook, file_name, assignment, seed=0, damaged=0.1):
    """Return the archives of a class, one per platform, as name -> content, and the file count.

    Each student submits `notebook`, named `file_name`, with one line of their own; the fraction
    `damaged` of them has one or two kinds of damage.
    """
    rng = random.Random(seed)
    members = {"canvas": {}, "moodle": {}, "drive": {}, "exchange": {}}
    for number, name in enumerate(people(count)):
        own = notebook | {"cells": [dict(cell) for cell in notebook["cells"]]}
        own["cells"][-1]["source"] = [*own["cells"][-1]["source"], f"\nSubmitted by {name}."]
        kinds = rng.sample(KINDS, rng.choice([1, 2])) if rng.random() < damaged else []
        content, new_name = damage(own, kinds, file_name)
        kind = sorted(members)[number % 4]
        path = {
            "canvas": lambda n=name, c=new_name, i=number: canvas(
                n, 100 + i, 9000 + i, c, i % 7 == 0
            ),
            "moodle": lambda n=name, c=new_name, i=number: moodle(n, 500 + i, c),
            "drive": lambda n=name, c=new_name: drive(n, c),
            "exchange": lambda c=new_name, i=number: exchange(
                f"student{i}", assignment, "2026-03-01 12:00:00.000000", c
            ),
        }[kind]()
        members[kind][path] = content
        if kind == "exchange":
            members[kind][path.rpartition("/")[0] + "/timestamp.txt"] = b"2026-03-01 12:00:00 UTC"
    return {f"{kind}.zip": zipped(files) for kind, files in members.items()}, sum(
        map(len, members.values())
    )
