"""Results that grading would change: a submission was replaced, or the tests have changed."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import MissingEntry

from course.errors import CourseError
from course.instructor.course_dir import source_notebook
from course.instructor.grading import submission as submissions
from course.instructor.grading.reference_notebook import read_reference
from course.instructor.shortened_list import shorten_list

if TYPE_CHECKING:
    from nbgrader.api import Gradebook


def describe_outdated(
    root: Path, gradebook: "Gradebook", name: str, students: Collection[str] | None = None
) -> list[str]:
    """Return a sentence about each kind of outdated result of an assignment.

    `students` restricts this to their submissions. Results that do not record what was graded, such
    as those of nbgrader, are never called outdated.
    """
    try:
        source = source_notebook(root, name)
        fingerprint = read_reference(gradebook, source).fingerprint
    except (CourseError, MissingEntry):  # an assignment of an earlier term
        return []
    replaced, older = [], []
    for path in sorted(Path(root, "autograded").glob(f"*/{name}/{source.name}")):
        student = path.parts[-3]
        if students is not None and student not in students:
            continue
        digest = submissions.read_digest(path)
        submitted = Path(root, "submitted", student, name)
        if digest and submitted.is_dir() and digest != _digest(submitted, source.name):
            replaced.append(student)
        elif submissions.read_fingerprint(path) not in (None, fingerprint):
            older.append(student)
    sentences = []
    if replaced:
        sentences.append(
            f"{name}: the submission was replaced after it was graded, and the score is that of the"
            f" earlier one ({shorten_list(replaced)}): run course grade {name}"
        )
    if older:
        sentences.append(
            f"{name}: the tests or points have changed since grading, and the scores are not those"
            f" of the current ones ({shorten_list(older)}): run course grade {name} --outdated"
        )
    return sentences


def _digest(folder: Path, notebook: str) -> str:
    """Return the digest of a submission, or "" if it cannot be read."""
    try:
        return submissions.digest_files(folder, notebook)
    except OSError:
        return ""
