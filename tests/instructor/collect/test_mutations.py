"""Files that are damaged at random: taken in readable, or left, and never a traceback."""

import json
import random

import nbformat
import pytest

from course.instructor.cli import main
from tests.instructor.collect import archives
from tests.instructor.collect.archives import zipped
from tests.instructor.collect.damages import damage
from tests.submissions import solved

NAME, FILE = "03-vgg16", "vgg16.ipynb"
WHOLE = damage(solved(NAME), ())[0]
PATH = archives.moodle("Ada", 3, FILE)
VALUES = [None, 3, [], {}, "x", [1], {"a": 1}, True, float("inf")]


def of_bytes(content, rng):
    """Return bytes of which some are changed, left out, or added."""
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


def of_values(value, rng):
    """Change some of what is in lists and dicts, in place."""
    places = list(value) if isinstance(value, dict) else range(len(value))
    for place in places:
        if rng.random() < 0.004:
            value[place] = rng.choice(VALUES)
        elif isinstance(value, dict) and rng.random() < 0.002:
            del value[place]
        elif isinstance(value[place], dict | list):
            of_values(value[place], rng)


def mutated(rng):
    """Return an archive in which something is wrong."""
    kind = rng.randrange(3)
    if kind == 0:
        inner = zipped({"evidence/a.json": b"{}"})
        return of_bytes(zipped({PATH: WHOLE, "x/evidence.zip": inner}), rng)
    if kind == 1:
        return zipped({PATH: of_bytes(WHOLE, rng)})
    notebook = json.loads(WHOLE)
    of_values(notebook, rng)
    return zipped({PATH: json.dumps(notebook).encode()})


@pytest.mark.filterwarnings("ignore")  # zipfile and nbformat warn of what is wrong
@pytest.mark.parametrize("seed", range(4))
def test_what_is_damaged_at_random_is_taken_in_readable_or_left(root, capsys, seed):
    rng, codes = random.Random(seed), set()
    for number in range(50):
        path = root.parent / f"{number}.zip"
        path.write_bytes(mutated(rng))
        student = f"s{number}"
        code = main.main(["-C", str(root), "collect", str(path), NAME, "--student", student])
        codes.add(code)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        taken = root / "submitted" / student / NAME / FILE
        assert code == 1 or taken.is_file()
        if taken.is_file():
            nbformat.validate(nbformat.read(taken, as_version=4))
    assert codes == {0, 1}
