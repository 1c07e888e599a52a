"""Conversion of a submitted notebook to a grading job, and of its outcome to a graded notebook."""

import hashlib
import itertools
import keyword
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course.files import files_below
from course.instructor.grading.job import CodeCell, GradingJob, GradingSettings, Outcome
from course.instructor.grading.reference_notebook import (
    ReferenceNotebook,
    hash_of_code,
    without_mark_schemes,
)
from course.instructor.provided_files import provided_files
from course.instructor.sandbox.cell_execution import printable
from course.instructor.student_text.size_limits import (
    MAX_NOTEBOOK_BYTES,
    MAX_OUTPUTS,
    MAX_TRACEBACK_LINES,
)
from course.instructor.submission_time import TIMESTAMP
from course.instructor.thread_safe_parsing import parse_literal
from course.packing import helper_files

KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# The fields that nbformat allows in a cell; one more makes a notebook invalid.
CELL_FIELDS = {
    "code": {"id", "cell_type", "metadata", "source", "outputs", "execution_count"},
    "markdown": {"id", "cell_type", "metadata", "source", "attachments"},
    "raw": {"id", "cell_type", "metadata", "source", "attachments"},
}
MAX_COUNT = 2**31  # of executions
# Strings, and comments of one or more lines.
PROSE = re.compile(
    r"""(?s:\"{3}.*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z))"""
    r"""|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|\#[^\n]*(?:\n[ \t]*\#[^\n]*)*"""
)
MAX_SEARCHED = 50_000  # characters of a code cell
MIN_WORDS = 4  # of a sentence in a string or comment, as opposed to a title or a name
MIN_LETTERS = 8  # the same in a script without spaces
WORD = re.compile(r"\w+")
ADJACENT_WORDS = re.compile(r"\b([^\W\d]\w*)(?=[ \t]+([^\W\d]\w*))")
TEXT_MAGIC = re.compile(r"\s*%%(?:markdown|html|latex|writefile|file)\b")
KEYWORDS = {*keyword.kwlist, *keyword.softkwlist}
SAFE_MIME_TYPES = ("text/plain", "image/png", "image/jpeg")
# The cell that reports a problem with the whole submission begins with this text. Only the key in
# its metadata distinguishes it from a student's cell, whose metadata `sanitize` drops.
GRADING_NOTE = "**While this was graded:**"
GRADING_NOTE_KEY = "grading_note"
MAX_LISTED = 5  # skipped files in a note
MAX_PATH = 100  # characters of the path of a skipped file in a note
MAX_OUTPUT_BYTES = 4 * 2**20
# The key in a graded notebook's metadata for the fingerprint of the tests that graded it.
TESTS_FINGERPRINT = "tests_fingerprint"
# The key there for the digest of the submission that was graded.
SUBMISSION_DIGEST = "submission_digest"
# The key there, with the value true, of a submission that got zeros because it could not be run.
NOT_GRADED_KEY = "not_graded"
# The key there for the names of the helper files that the notebook could import.
HELPER_FILES = "helper_files"
MAX_TYPED_NAMES = 20  # that are read, beginning with the last
METADATA_BYTES = 4096  # the maximum in a graded notebook
_FINGERPRINT = re.compile(rb'"%s": "(\w+)"' % TESTS_FINGERPRINT.encode())
_DIGEST = re.compile(rb'"%s": "(\w+)"' % SUBMISSION_DIGEST.encode())
_NOT_GRADED = re.compile(rb'"%s": true' % NOT_GRADED_KEY.encode())
PUNCTUATION = re.compile(r"[!-%'-/:-@\[-`{-~]")  # without &, which begins an entity
_STUDENT_PARAMETER = re.compile(r"^student = ", re.MULTILINE)
# A literal in one line. Parsing so short a text is safe.
_TYPED_NAME = re.compile(r"^student[ \t]*+=([^\n]{1,300})$", re.MULTILINE)


def sanitize(nb: NotebookNode, reference: ReferenceNotebook) -> None:
    """Restore a submitted notebook in place, trusting nothing that its metadata claims.

    Cells are identified only by their grade ids; if several cells have the same id, the last one
    counts. An identified cell gets its type, its permissions, and, if it is locked, its text from
    the gradebook; what a student typed into a locked text is moved to a cell below it. Missing
    cells are inserted. The outputs of tests are removed; other outputs keep only text, errors, and
    images. Other metadata and unknown fields are dropped, and invalid cell ids are replaced.
    """
    nb.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    )
    nb.nbformat, nb.nbformat_minor = 4, 5
    seen: set[str] = set()
    cell_ids = set()
    typed: dict[str, NotebookNode] = {}
    for cell in reversed(nb.cells):
        name = _claimed_id(cell)
        cell.metadata = NotebookNode()
        if not CELL_ID.fullmatch(str(cell.get("id"))) or cell.id in cell_ids:
            cell.id = new_code_cell().id
        cell_ids.add(cell.id)
        if name in reference.cells and name not in seen:
            seen.add(name)
            if text := _typed_text(cell, reference.cells[name]):
                typed[cell.id] = new_markdown_cell(text)
            _restore(cell, name, reference.cells[name])
    nb.cells = [
        each for cell in nb.cells for each in (cell, typed.get(cell.id)) if each is not None
    ]
    for name in reference.order:
        if name not in seen:
            _insert_missing(nb, name, reference)
    for cell in nb.cells:
        if cell.cell_type == "code":
            is_test = reference.is_test(_claimed_id(cell))
            cell.outputs = [] if is_test else safe_outputs(cell.get("outputs", []))
            count = cell.get("execution_count")
            is_valid = type(count) is int and 0 <= count < MAX_COUNT and not is_test
            cell.execution_count = count if is_valid else None
        for key in cell.keys() - CELL_FIELDS.get(cell.cell_type, set()):
            del cell[key]
    _leave_to_a_person(nb, reference)


def has_known_cell(nb: NotebookNode, reference: ReferenceNotebook) -> bool:
    """Return whether at least one cell of a submitted notebook is in the gradebook."""
    return any(_claimed_id(cell) in reference.cells for cell in nb.cells)


def make_job(
    nb: NotebookNode,
    folders: Sequence[Path],
    reference: ReferenceNotebook,
    identity: tuple[str, str, str],
    settings: GradingSettings,
) -> GradingJob:
    """Return the grading job for a sanitized notebook.

    A file in a later folder replaces the file with the same path in an earlier folder; the last
    folder belongs to the assignment. A submitted Python file with the name of an installed module
    is left out. `identity` is (assignment, student, notebook).
    """
    typed_name = None
    if _STUDENT_PARAMETER.search(reference.parameters):
        if settings.personalized_quizzes:
            parameters = f"{reference.parameters}\nstudent = {identity[1]!r}"
            reference = replace(reference, parameters=parameters)
        else:
            typed_name = _typed_name(nb)
    files: dict[str, bytes] = {}
    provided: list[str] = []
    too_large: list[tuple[str, int]] = []
    for folder in folders:
        if folder is folders[-1]:
            found = provided_files(folder, too_large)
            provided = list(found)
        else:
            below = files_below(folder, _is_notebook, too_large=too_large)
            found = {path: content for path, content in below if not _shadows_module(path)}
        files |= found
    skipped = _describe_skipped([each for each in too_large if each[0] not in files])
    cells = [
        CodeCell(index=index, grade_id=_claimed_id(cell), source=cell.source)
        for index, cell in enumerate(nb.cells)
        if cell.cell_type == "code"
    ]
    return GradingJob(
        *identity,
        cells,
        sorted(files.items()),
        reference,
        settings,
        provided,
        [path for path in sorted(files) if _is_python(path) and path not in provided],
        skipped,
        typed_name=typed_name,
    )


def _typed_name(nb: NotebookNode) -> str | None:
    """Return the name last assigned to `student` in a code cell without a grade id, or None."""
    own = [cell for cell in nb.cells if cell.cell_type == "code" and not _claimed_id(cell)]
    lines = [match[1] for cell in own for match in _TYPED_NAME.finditer(cell.source)]
    return next(filter(None, map(_name_in, reversed(lines[-MAX_TYPED_NAMES:]))), None)


def _name_in(literal: str) -> str | None:
    """Return the text of a literal name or number, as the quizzes show it, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for "\d"
            value = parse_literal(literal)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, SystemError):
        return None
    is_name = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if is_name and value else None  # the notebook ignores 0, too


def _is_notebook(name: str) -> bool:
    return name.endswith(".ipynb")


def _is_python(path: str) -> bool:
    return path.lower().endswith(helper_files.SUFFIX)


def _shadows_module(path: str) -> bool:
    """Return whether a submitted Python file can be imported, but not as a helper file."""
    if not _is_python(path):
        return False
    name = f"{Path(Path(path).parts[0]).stem}{helper_files.SUFFIX}"
    return helper_files.is_importable(name) and bool(helper_files.name_problem(name))


def _describe_skipped(skipped: Sequence[tuple[str, int]]) -> list[str]:
    """Return the first of the skipped files, with their sizes, and the number of the others.

    A path without a size is that of a folder, or of the first of too many files.
    """
    shown = [
        f"{path[:MAX_PATH]} ({size / 2**20:,.0f} MB)" if size else f"{path[:MAX_PATH]} and beyond"
        for path, size in skipped[:MAX_LISTED]
    ]
    others = len(skipped) - MAX_LISTED
    return shown + ([f"{others} more"] if others > 0 else [])


def safe_outputs(outputs: Iterable[dict[str, Any]]) -> list[NotebookNode]:
    """Copy outputs, with only their text, errors, and images: nothing that a browser executes."""
    result: list[dict[str, Any]] = []
    size = 0
    for output in outputs:
        safe: dict[str, Any]
        match output:
            case {"output_type": "display_data" | "execute_result", "data": dict(data)}:
                data = {name: _text(data[name]) for name in SAFE_MIME_TYPES if name in data}
                safe = {"output_type": "display_data", "data": data, "metadata": {}}
            case {"output_type": "stream", "text": text}:
                safe = {"output_type": "stream", "name": "stdout", "text": _text(text)}
            case {"output_type": "error"}:
                safe = {name: _text(output.get(name)) for name in ("ename", "evalue")}
                found = output.get("traceback")
                lines = found[:MAX_TRACEBACK_LINES] if isinstance(found, list) else []
                lines = [_text(line) for line in lines]
                safe |= {"output_type": "error", "traceback": lines}
            case _:
                continue
        size += len(str(safe))
        # One more than a submission may have, for the note that replaces the others.
        if size > MAX_OUTPUT_BYTES or len(result) > MAX_OUTPUTS:
            note = "(the remaining outputs were too large or too many to save)\n"
            result.append({"output_type": "stream", "name": "stdout", "text": note})
            break
        result.append(safe)
    return [nbformat.from_dict(output) for output in result]


def digest_files(folder: Path, notebook: str) -> str:
    """Return a digest of a submitted notebook and the files beside it, or "" without a notebook.

    The submission time is not part of it: it changes the late penalty, but no score.
    """
    path = folder / notebook
    if path.is_symlink() or not path.is_file():
        return ""
    too_large: list[tuple[str, int]] = []
    with path.open("rb") as file:
        files = [(notebook, file.read(MAX_NOTEBOOK_BYTES + 1))]
    summary = hashlib.sha256()
    for name, content in itertools.chain(
        files, files_below(folder, _is_notebook, too_large=too_large)
    ):
        if name != TIMESTAMP:
            summary.update(name.encode("utf-8", "surrogatepass") + b"\0")
            summary.update(hashlib.sha256(content).digest())
    summary.update(repr(too_large).encode("utf-8", "surrogatepass"))
    return summary.hexdigest()


def apply_outcome(nb: NotebookNode, job: GradingJob, outcome: Outcome) -> None:
    """Add a job's outcome, and what it was graded with, to the job's notebook in place."""
    nb.metadata[TESTS_FINGERPRINT] = job.reference.fingerprint
    if helpers := [name for name in job.helpers if helper_files.is_importable(name)]:
        nb.metadata[HELPER_FILES] = helpers[: helper_files.MAX_FILES]
    if job.submission:
        nb.metadata[SUBMISSION_DIGEST] = job.submission
    if not outcome.is_graded:
        nb.metadata[NOT_GRADED_KEY] = True
    for index, outputs in outcome.outputs.items():
        cell = nb.cells[int(index)]
        # The outputs of a code answer that is graded by hand are kept.
        if job.reference.is_test(cell.metadata.get("nbgrader", {}).get("grade_id")):
            cell.outputs = []
        cell.outputs += [nbformat.from_dict(output) for output in outputs]
    if outcome.note:
        text = f"{GRADING_NOTE} {_plain_markdown(outcome.note)}"
        nb.cells.insert(0, new_markdown_cell(text, metadata={GRADING_NOTE_KEY: True}))


def grading_note(cell: NotebookNode) -> str:
    """Return the note about a problem in a cell, without Markdown, or "" for any other cell."""
    if cell.metadata.get(GRADING_NOTE_KEY) is not True:
        return ""
    note = re.sub(r"\\(.)", r"\1", cell.source.removeprefix(GRADING_NOTE))
    return GRADING_NOTE.replace("*", "") + note.replace("&amp;", "&")


def read_fingerprint(graded: Path) -> str | None:
    """Return the fingerprint of the tests that graded a notebook, or None if it is not recorded."""
    found = _FINGERPRINT.findall(_read_end(graded))
    return found[-1].decode() if found else None


def read_digest(graded: Path) -> str | None:
    """Return the digest of the submission that was graded, or None if it is not recorded."""
    found = _DIGEST.findall(_read_end(graded))
    return found[-1].decode() if found else None


def was_graded(graded: Path) -> bool:
    """Return whether a graded notebook's scores come from its tests.

    Otherwise, they are zeros that were recorded because the submission could not be run.
    """
    return not _NOT_GRADED.search(_read_end(graded))


def _read_end(graded: Path) -> bytes:
    """Return the end of a graded notebook, which contains its metadata, or b"" on an error.

    nbformat writes the notebook's metadata after its cells. In JSON, a backslash precedes every
    quotation mark of a text; therefore, a student's text cannot look like metadata.
    """
    try:
        with graded.open("rb") as file:
            file.seek(max(0, graded.stat().st_size - METADATA_BYTES))
            return file.read()
    except OSError:
        return b""


def _leave_to_a_person(nb: NotebookNode, reference: ReferenceNotebook) -> None:
    """Prevent an automatic 0 for an unchanged answer if the student wrote into a cell beside it.

    nbgrader recognizes an unchanged answer by its checksum; without one, the answer is pending
    manual grading.
    """
    records = [reference.cells.get(_claimed_id(cell) or "") for cell in nb.cells]
    is_boundary = [bool(each and (each["grade"] or each["solution"])) for each in records]
    own: dict[int, bool] = {}
    for index, (cell, record) in enumerate(zip(nb.cells, records, strict=True)):
        if not (record and record["grade"] and record["solution"]):
            continue
        before = itertools.takewhile(lambda at: not is_boundary[at], range(index - 1, -1, -1))
        after = itertools.takewhile(lambda at: not is_boundary[at], range(index + 1, len(nb.cells)))
        beside = [at for at in itertools.chain(before, after) if records[at] is None]
        for at in beside:
            if at not in own:
                own[at] = _is_own(nb.cells[at], reference)
        if any(own[at] for at in beside):
            cell.metadata.nbgrader.pop("checksum", None)


def _is_own(cell: NotebookNode, reference: ReferenceNotebook) -> bool:
    """Return whether a cell without a grade id has text or images that students did not get."""
    if cell.get("attachments"):
        return True
    if not cell.source.strip() or hash_of_code(cell.source) in reference.ungraded:
        return False
    if cell.cell_type != "code":
        return True
    errors = {output.get("ename") for output in cell.get("outputs", [])}
    return "SyntaxError" in errors or has_prose(cell.source)


def has_prose(source: str) -> bool:
    """Return whether a code cell contains a sentence, or nothing but text.

    The cell is not parsed, so this takes time proportional to its length. The result is True for a
    long cell, such as one with an embedded image, which is not searched.
    """
    if len(source) > MAX_SEARCHED:
        return True
    code = PROSE.sub('""', source)
    lines = [line for line in code.splitlines() if line.lstrip()[:1] not in ("%", "!", "?")]
    return (
        any(map(_is_sentence, PROSE.findall(source)))
        or bool(TEXT_MAGIC.match(source))
        or (code != source and {"print", *WORD.findall(code)} == {"print"})
        # Two names in a row are not Python.
        or any(not KEYWORDS & {*pair} for line in lines for pair in ADJACENT_WORDS.findall(line))
    )


def _is_sentence(text: str) -> bool:
    """Return whether a string or a comment has as many words, or letters, as a sentence."""
    letters = sum(letter.isalpha() and not letter.isascii() for letter in text)
    return letters >= MIN_LETTERS or len(WORD.findall(text)) >= MIN_WORDS


def _typed_text(cell: NotebookNode, record: dict[str, Any]) -> str:
    """Return the lines that a student typed into a locked text, such as a question."""
    if not record["locked"] or record["solution"] or record["cell_type"] == "code":
        return ""
    # Students did not get the lines of a mark scheme: such a line is an answer.
    known = {line.strip() for line in without_mark_schemes(record["source"]).splitlines()}
    lines = [line for line in cell.source.splitlines() if line.strip() not in known]
    return "\n".join(lines).strip()


def _restore(cell: NotebookNode, name: str, record: dict[str, Any]) -> None:
    """Restore a cell's type, metadata, and, if the cell is locked, text from its record."""
    if cell.cell_type != record["cell_type"]:
        cell.cell_type = record["cell_type"]
        cell.outputs, cell.execution_count = [], None  # dropped again if it is not code
    if record["locked"] or (record["grade"] and not record["solution"]):
        cell.source = record["source"]
    cell.metadata["nbgrader"] = _metadata(name, record)


def _metadata(name: str, record: dict[str, Any]) -> NotebookNode:
    """Return nbgrader's metadata for a cell with this record."""
    fields = ("locked", "grade", "solution", "task", "checksum", "cell_type")
    content = {field: record[field] for field in fields}
    content |= {"grade_id": name, "schema_version": 3}
    if record["grade"] or record["task"]:
        content["points"] = record["points"]
    return nbformat.from_dict(content)


def _insert_missing(nb: NotebookNode, name: str, reference: ReferenceNotebook) -> None:
    """Insert a missing cell after the last cell that precedes it in the source, or first."""
    record = reference.cells[name]
    make = new_code_cell if record["cell_type"] == "code" else new_markdown_cell
    cell = make(record["source"], metadata={"nbgrader": _metadata(name, record)})
    before = set(reference.order[: reference.order.index(name)])
    positions = [index for index, each in enumerate(nb.cells) if _claimed_id(each) in before]
    nb.cells.insert(positions[-1] + 1 if positions else 0, cell)


def _claimed_id(cell: NotebookNode) -> str | None:
    """Return the grade id in a cell's metadata, or None if it is missing or not a string."""
    claimed = cell.metadata.get("nbgrader")
    name = claimed.get("grade_id") if isinstance(claimed, dict) else None
    return name if isinstance(name, str) else None


def _text(value: object) -> str:
    """Return an output's text, which notebooks store as a string or as a list of lines."""
    return printable("".join(map(str, value)) if isinstance(value, list) else str(value or ""))


def _plain_markdown(text: str) -> str:
    """Return a text as Markdown that is shown as it is, without links, formatting, or HTML."""
    line = "".join(filter(str.isprintable, text))
    return PUNCTUATION.sub(r"\\\g<0>", line).replace("&", "&amp;")
