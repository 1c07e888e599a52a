"""Randomly damaged files are collected valid or flagged, and never cause a traceback."""

import json
import random

import nbformat
import pytest

from course.instructor.cli import main
from tests.instructor.collect import platform_archives
from tests.instructor.collect.damages import damage
from tests.instructor.collect.platform_archives import zipped
from tests.submissions import solved

NAME, FILE = "03-vgg16", "vgg16.ipynb"
WHOLE = damage(solved(NAME), ())[0]
PATH = platform_archives.moodle("Ada", 3, FILE)
VALUES = [None, 3, [], {}, "x", [1], {"a": 1}, True, float("inf")]


def mutate_bytes(content, rng):
    """Return bytes with some changed, deleted or inserted."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 3, 20])):
        at, kind = rng.randrange(len(content)), rng.randrange(4)
        if kind == 0:
            content[at] = rng.randrange(256)
        elif kind == 1:
            del content[at : at + rng.randrange(1, 50)]
        elif kind == 2:
            content[at:at] = rng.randbytes(rng.randrange(1, 20))
        else:
            content[at] ^= 1 << rng.randrange(8)
    return bytes(content)


def mutate_values(value, rng):
    """Change or delete some values in nested lists and dicts, in place."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        if rng.random() < 0.004:
            value[key] = rng.choice(VALUES)
        elif isinstance(value, dict) and rng.random() < 0.002:
            del value[key]
        elif isinstance(value[key], dict | list):
            mutate_values(value[key], rng)


def mutated_archive(rng):
    """Return an archive with a random error in the archive, the notebook file or its values."""
    kind = rng.randrange(3)
    if kind == 0:
        inner = zipped({"evidence/a.json": b"{}"})
        return mutate_bytes(zipped({PATH: WHOLE, "x/evidence.zip": inner}), rng)
    if kind == 1:
        return zipped({PATH: mutate_bytes(WHOLE, rng)})
    notebook = json.loads(WHOLE)
    mutate_values(notebook, rng)
    return zipped({PATH: json.dumps(notebook).encode()})


@pytest.mark.filterwarnings("ignore")  # zipfile and nbformat warn of errors
@pytest.mark.parametrize("seed", range(4))
def test_a_randomly_damaged_file_is_collected_valid_or_flagged(root, capsys, seed):
    rng, codes = random.Random(seed), set()
    for number in range(50):
        path = root.parent / f"{number}.zip"
        path.write_bytes(mutated_archive(rng))
        student = f"s{number}"
        code = main.main(["-C", str(root), "collect", str(path), NAME, "--student", student])
        codes.add(code)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        submitted = root / "submitted" / student / NAME / FILE
        assert code == 1 or submitted.is_file()
        if submitted.is_file():
            nbformat.validate(nbformat.read(submitted, as_version=4))
    assert codes == {0, 1}
