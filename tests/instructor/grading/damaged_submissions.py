"""Submissions that are damaged, or made to stop the commands for a whole class."""

import os

from tests.conftest import cell, write_notebook
from tests.instructor.grading.classes import NAME, TESTS

FILE_NAME = "small.ipynb"
HALF_PAIR = "\ud83d"  # half of a surrogate pair, which cannot be encoded


def answer(source="answer = 3", **more):
    """Return the cells of a submission with an answer cell that may have further fields."""
    return [cell("code", source, "answer") | more, *TESTS]


def write_text(folder, text):
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_text(text)


def write_cells(folder, cells):
    write_notebook(folder / FILE_NAME, cells)


def write_file(folder, name, content):
    write_cells(folder, answer())
    (folder / name).write_bytes(content)


def write_deep_folders(folder):
    """Write 1,300 nested folders: more than Python has levels of recursion."""
    write_cells(folder, answer())
    deep = os.open(folder, os.O_RDONLY)
    for _ in range(1300):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)


def write_many_files(folder):
    write_cells(folder, answer())
    (folder / "many").mkdir()
    for number in range(1_200):
        (folder / "many" / str(number)).touch()


def write_nothing(folder):
    folder.mkdir(parents=True)
    (folder / "notes.txt").touch()


def write_folder_as_notebook(folder):
    (folder / FILE_NAME).mkdir(parents=True)


def write_link(folder):
    folder.mkdir(parents=True)
    (folder / FILE_NAME).symlink_to(f"../../student-01/{NAME}/{FILE_NAME}")


def write_linked_timestamp(folder):
    write_cells(folder, answer())
    (folder / "timestamp.txt").symlink_to("/dev/zero")


def branches(count):
    """Return code whose analysis takes time that grows with the square of its length."""
    return "".join(f"v{i} = 1\nif v{i}: answer = 1\n" for i in range(count))


def stream(text):
    return {"outputs": [{"output_type": "stream", "name": "stdout", "text": text}]}


# Each function gets the folder to write. These submissions cannot be graded.
NOT_GRADABLE = {
    "not-json": lambda folder: write_text(folder, "not a notebook"),
    "deep-json": lambda folder: write_text(folder, "[" * 100_000),
    "empty-objects": lambda folder: write_text(folder, f"[{'{},' * 900_000}{{}}]"),
    "many-cells": lambda folder: write_cells(folder, answer() + 3_000 * [cell("raw", "x")]),
    "long-cell": lambda folder: write_cells(folder, answer("answer = 1\n" * 100_000)),
    "long-branches": lambda folder: write_cells(folder, answer(branches(11_000))),
    "folder-as-notebook": write_folder_as_notebook,
    "link": write_link,
    "missing": write_nothing,
}
# These can be graded; they get all points for a right answer, and none for a wrong one.
RIGHT = {
    "half-pair-in-code": lambda folder: write_cells(folder, answer(f"answer = 3 # {HALF_PAIR}")),
    "half-pair-in-output": lambda folder: write_cells(folder, answer(**stream(HALF_PAIR))),
    "half-pair-in-attachment": lambda folder: write_cells(
        folder,
        [
            *answer(),
            cell("markdown", "x") | {"attachments": {HALF_PAIR: {"image/png": HALF_PAIR}}},
        ],
    ),
    "forty-nines": lambda folder: write_file(folder, "timestamp.txt", b"9" * 40),
    "linked-timestamp": write_linked_timestamp,
    "deep-folders": write_deep_folders,
    "many-files": write_many_files,
    "database-error-in-name": lambda folder: write_file(
        folder, "KeyboardInterrupt sqlalchemy.exc.OperationalError: \n", b""
    ),
    "branches": lambda folder: write_cells(folder, answer(branches(500) + "answer = 3")),
}
WRONG = {
    "deep-expression": "answer = " + "-" * 50_000 + "3",
    "form-feeds": "a =\x0c%pwd\n" * 900,
    "exit": "import os\nos._exit(3)",
    "flood": "for _ in range(100): print('x' * 10**6)",
    "always-equal": """
class Answer:
    __eq__ = __ge__ = __gt__ = __bool__ = lambda *arguments: True
answer = Answer()
""",
}
GRADABLE = RIGHT | {
    name: lambda folder, source=source: write_cells(folder, answer(source))
    for name, source in WRONG.items()
}
DAMAGED = NOT_GRADABLE | GRADABLE


def write_class(root, honest, damaged=()):
    """Submit honest work, which maps each student to the answer, and damaged work.

    `damaged` maps each student to a key of `DAMAGED`.
    """
    for student, source in honest.items():
        write_cells(root / "submitted" / student / NAME, answer(source))
    for student, name in dict(damaged).items():
        DAMAGED[name](root / "submitted" / student / NAME)
