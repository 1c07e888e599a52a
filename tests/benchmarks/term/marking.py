"""Marking written answers through the server of `course mark`, as its page does."""

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.term.assignments import ITEMS, Assignment
from tests.benchmarks.term.example_class import Upload
from tests.instructor.marking.marking_server import Server, marking_server


def mark(root: Path, assignment: Assignment, uploads: Sequence[Upload]) -> None:
    """Mark the written answers of uploads; the server is killed after each half of them."""
    for half in (uploads[::2], uploads[1::2]):
        with marking_server(root, assignment.name) as server:
            (listed,) = server.call("overview")[1]["questions"]
            for upload in half:
                _mark(server, listed["key"], upload)


def _mark(server: Server, key: str, upload: Upload) -> None:
    """Find an answer by its text, as the page shows no names, and select the items of its score."""
    question = server.call("question", question=key)[1]
    shown = f"<p>{upload.text}</p>"
    (answer,) = (each for each in question["answers"] if shown in (each["html"] or ""))
    keys = {each["label"]: each["key"] for each in question["question"]["items"]}
    chosen = {
        "items": [keys[label] for label in ITEMS[upload.mark]],
        "adjustment": None if ITEMS[upload.mark] else 0,
        "comment": upload.comment,
        "pending": False,
    }
    versions = {answer["id"]: answer["version"]}
    status, saved = server.call(
        "mark", question=key, versions=versions, mark=chosen, grader="Grace"
    )
    assert status == 200, saved
