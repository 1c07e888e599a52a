"""Archives as platforms hand them out, of notebooks that students have named and damaged."""

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
    """Return names, no two alike, some of them in other scripts."""
    names = [*OTHER_SCRIPTS, *(f"{first} {last}" for last in LAST for first in FIRST)]
    names += [f"{first} {last} {n}" for n in "BCDE" for last in LAST for first in FIRST]
    return names[:count]


def canvas(name, number, attachment, file_name, late=False):
    """Return what Canvas calls a student's file."""
    *first, last = name.split()
    sortable = "".join(each for each in f"{last}{''.join(first)}".lower() if each.isalnum())
    return f"{sortable}_{'LATE_' if late else ''}{number}_{attachment}_{file_name}"


def moodle(name, number, file_name):
    """Return where Moodle puts a student's file."""
    return f"{name}_{number}_assignsubmission_file_/{file_name}"


def exchange(student, assignment, when, file_name):
    """Return where nbgrader's exchange puts a student's file."""
    return f"{student}+{assignment}+{when} UTC/{file_name}"


def drive(name, file_name, folder="Submissions"):
    """Return where Google Drive puts the copy that Classroom has made for a student."""
    return f"{folder}/{name} - {file_name}"


def zipped(members, times=None):
    """Return the bytes of a zip archive of path to content."""
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
    """Return an archive whose member of this path claims to be encrypted."""
    place = content.rfind(path.encode()) - 46  # its entry in the directory
    assert content[place : place + 4] == b"PK\1\2"
    flags = int.from_bytes(content[place + 8 : place + 10], "little") | 1
    return content[: place + 8] + flags.to_bytes(2, "little") + content[place + 10 :]


def class_of(count, notebook, file_name, assignment, seed=0, damaged=0.1):
    """Return four archives of a class: what each is called, its bytes, and what it holds.

    Parameters
    ----------
    count : int
        Students.
    notebook : dict
        What everybody hands in; each has a line of their own in it.
    file_name, assignment : str
        Of the release.
    seed : int
    damaged : float
        Share of the students whose file has gone through one or two kinds of damage.

    Returns
    -------
    archives : dict of str to bytes
    files : int
        How many there are in all.
    """
    rng = random.Random(seed)
    members = {"canvas": {}, "moodle": {}, "drive": {}, "exchange": {}}
    for number, name in enumerate(people(count)):
        own = notebook | {"cells": [dict(cell) for cell in notebook["cells"]]}
        own["cells"][-1]["source"] = [*own["cells"][-1]["source"], f"\nHanded in by {name}."]
        kinds = rng.sample(KINDS, rng.choice([1, 2])) if rng.random() < damaged else []
        content, called = damage(own, kinds, file_name)
        kind = sorted(members)[number % 4]
        path = {
            "canvas": lambda n=name, c=called, i=number: canvas(
                n, 100 + i, 9000 + i, c, i % 7 == 0
            ),
            "moodle": lambda n=name, c=called, i=number: moodle(n, 500 + i, c),
            "drive": lambda n=name, c=called: drive(n, c),
            "exchange": lambda c=called, i=number: exchange(
                f"student{i}", assignment, "2026-03-01 12:00:00.000000", c
            ),
        }[kind]()
        members[kind][path] = content
        if kind == "exchange":
            members[kind][path.rpartition("/")[0] + "/timestamp.txt"] = b"2026-03-01 12:00:00 UTC"
    return {f"{kind}.zip": zipped(files) for kind, files in members.items()}, sum(
        map(len, members.values())
    )
