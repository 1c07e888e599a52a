"""Reading a submitted notebook file within budgets."""

import codecs
import json
import re
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from course.instructor.student_text import limited_worker
from course.instructor.student_text.limited_call import call_limited
from course.instructor.student_text.limited_worker import StudentTextError
from course.instructor.student_text.size_limits import (
    LINE_CHARACTERS,
    MAX_ALL_ATTACHMENTS,
    MAX_ALL_OUTPUT_CHARACTERS,
    MAX_ALL_OUTPUTS,
    MAX_ATTACHMENTS,
    MAX_CELL_CHARACTERS,
    MAX_CELLS,
    MAX_CODE_CHARACTERS,
    MAX_IMAGE_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_NESTING,
    MAX_NOTEBOOK_BYTES,
    MAX_OUTPUT_CHARACTERS,
    MAX_OUTPUTS,
    MAX_SOURCE_CHARACTERS,
    MAX_TRACEBACK_LINES,
)

CELL_TYPES = ("code", "markdown", "raw")
OUTPUT_TYPES = ("stream", "display_data", "execute_result", "error")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
PLAIN_TYPES = ("text/plain", "image/png", "image/jpeg")  # what remains of an output
# Some platforms embed a pasted image in the text of a cell instead of attaching it.
EMBEDDED_IMAGE = re.compile(r"data:image/[a-z]{1,9};base64,[A-Za-z0-9+/=]*+")
IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,30}")
REMOVED_IMAGE = "removed-image"  # in place of the address of an embedded image

TOO_LARGE = "beyond the size that is allowed"
MAX_REASONS = 5  # in a cell

serve = limited_worker.serve


@dataclass
class SubmittedNotebook:
    r"""A submitted notebook within all budgets, and notes on its differences from JupyterLab files.

    `content` is a dict in notebook format 4 (any minor version) with only these keys: `nbformat`,
    `nbformat_minor`, `metadata` (an empty dict), and `cells`. Each cell is a dict with `cell_type`
    (code, markdown, or raw), `source` (a string with `\n` at the ends of lines), `metadata` (maybe
    with the strings `id` and, in `nbgrader`, `grade_id`), and maybe `id` (a string). A code cell
    also has `execution_count` (an int or None) and `outputs`, which are valid in the format but
    contain only text, PNG and JPEG images, and errors. Other cells may have `attachments` (a dict
    from name to a dict from image type to a string); a paragraph at the end of the text says which
    images were removed. All text in it can be encoded as UTF-8.

    Nothing else comes back from the process with limits, so that a notebook takes about as much
    memory as its text: millions of small values would take a hundred times as much.
    """

    content: dict[str, Any]
    notes: list[str]


def read_notebook(content: bytes) -> SubmittedNotebook:
    """Return the notebook in a submitted file, parsed in a process with limits.

    Raises StudentTextError, whose message is a clause with its own subject, such as "the file is
    empty" or "cell 3 has 304,000 characters, and at most 100,000 are allowed". The result can
    still be an invalid notebook for nbformat (its ids may be missing or occur twice), but it is
    never too large, too deeply nested, or of unknown structure.

    For example, `nbformat.from_dict(read_notebook(path.read_bytes()).content)`. Check the size of
    a file before you read it: at most `size_limits.MAX_NOTEBOOK_BYTES` are accepted.
    """
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise StudentTextError(f"the file is larger than {MAX_NOTEBOOK_BYTES // 2**20} MB")
    notebook, notes = call_limited(parse, blocks=[content])
    return SubmittedNotebook(notebook, notes)


def parse(content: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return a notebook as `SubmittedNotebook` describes it, in this process; see `read_notebook`.

    Raises StudentTextError, MemoryError, or RecursionError.
    """
    text, notes = _decode(content)
    try:
        raw = json.loads(text)
    except ValueError as error:
        if not text.strip():
            raise StudentTextError("the file is empty") from None
        reason = _describe(error)
        raise StudentTextError(f"the file is not a complete notebook ({reason})") from None
    _check_nesting(raw)
    notebook = _convert_to_format_4(raw, notes)
    if len(notebook["cells"]) > MAX_CELLS:
        count = len(notebook["cells"])
        raise StudentTextError(
            f"the notebook has {count:,} cells, and at most {MAX_CELLS:,} are allowed"
        )
    if notebook["nbformat_minor"] != 5:
        notes.append(f"format 4.{_shorten(notebook['nbformat_minor'])}")
    notes += _describe_metadata(notebook["metadata"])
    if "\r\n" in text or any("\r" in _source(cell) for cell in notebook["cells"]):
        notes.append("Windows line endings")
    cells, total, budget = [], 0, _Budget()
    for number, cell in enumerate(notebook["cells"], 1):
        normalized = _normalize_cell(cell, budget)
        total += _check_length(normalized["source"], number)
        cells.append(normalized)
    if total > MAX_SOURCE_CHARACTERS:
        raise StudentTextError(
            f"the cells have {total:,} characters in all, and at most {MAX_SOURCE_CHARACTERS:,} are"
            " allowed"
        )
    code = sum(len(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    if code > MAX_CODE_CHARACTERS:
        raise StudentTextError(
            f"the code cells have {_amount(code)} of text with their embedded images, and at most"
            f" {_amount(MAX_CODE_CHARACTERS)} are allowed"
        )
    if budget.removed:
        notes.append(f"{_amount(budget.removed)} of outputs removed")
    if budget.removed_images:
        notes.append(f"images removed: {budget.removed_images:,}")
    minor = notebook["nbformat_minor"]
    content_4 = {
        "nbformat": 4,
        "nbformat_minor": minor if type(minor) is int and 0 <= minor <= 5 else 5,
        "metadata": {},
        "cells": cells,
    }
    return content_4, notes


def _decode(content: bytes) -> tuple[str, list[str]]:
    """Return a file's text, and notes about its encoding."""
    encoding, notes = "utf-8", []
    if content.startswith(codecs.BOM_UTF8):
        encoding, notes = "utf-8-sig", ["byte-order mark"]
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding, notes = "utf-16", ["UTF-16"]
    try:
        return content.decode(encoding), notes
    except UnicodeDecodeError:
        kind = "a renamed zip archive" if content[:2] == b"PK" else "not UTF-8 text"
        raise StudentTextError(f"the file is {kind}") from None


def _check_nesting(value: Any) -> None:
    """Raise StudentTextError if lists and objects are nested too deeply."""
    level = [value]
    for _ in range(MAX_NESTING):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise StudentTextError("the file is too deeply nested")


def _convert_to_format_4(notebook: Any, notes: list[str]) -> dict[str, Any]:
    """Return a notebook in format 4 with a list of cells, and add a note if it was converted."""
    if not isinstance(notebook, dict):
        raise StudentTextError("the file is not a notebook")
    if notebook.get("nbformat") == 3 and isinstance(notebook.get("worksheets"), list):
        import nbformat

        try:
            notebook = json.loads(json.dumps(nbformat.convert(nbformat.from_dict(notebook), 4)))
        except Exception:  # nbformat raises many types of exceptions for invalid content
            raise StudentTextError("the notebook is in format 3 and is damaged") from None
        notes.append("format 3")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise StudentTextError("the notebook has no list of cells")
    metadata = notebook.get("metadata")
    return {
        "cells": cells,
        "metadata": metadata if isinstance(metadata, dict) else {},
        "nbformat_minor": notebook.get("nbformat_minor"),
    }


def _describe_metadata(metadata: dict[str, Any]) -> list[str]:
    """Return notes about a notebook's metadata."""
    notes = []
    kernel = metadata.get("kernelspec")
    name = kernel.get("name") if isinstance(kernel, dict) else None
    if name != "python3":
        notes.append(f"kernel {_shorten(name)!r}" if name else "no kernel name")
    if "widgets" in metadata:
        notes.append("widgets removed")
    return notes


def _normalize_cell(cell: dict[str, Any], budget: "_Budget") -> dict[str, Any]:
    """Return a cell as `SubmittedNotebook` describes it, and subtract it from the budget."""
    kind = cell.get("cell_type")
    normalized: dict[str, Any] = {
        "cell_type": kind if kind in CELL_TYPES else "raw",
        "source": _source(cell).replace("\r\n", "\n").replace("\r", "\n"),
        "metadata": _names_in(cell.get("metadata")),
    }
    if _is_name(cell.get("id")):
        normalized["id"] = cell["id"]
    if normalized["cell_type"] == "code":
        normalized["outputs"] = budget.limit_outputs(cell.get("outputs"))
        normalized["execution_count"] = _count(cell.get("execution_count"))
    else:
        if attachments := budget.images(cell.get("attachments")):
            normalized["attachments"] = attachments
        text = EMBEDDED_IMAGE.sub(budget.limit_embedded, normalized["source"])
        normalized["source"] = text + budget.take_mark()
    return normalized


def _names_in(metadata: Any) -> dict[str, Any]:
    """Return the names of a cell that its metadata contains: an id, and nbgrader's grade id."""
    entries = metadata if isinstance(metadata, dict) else {}
    nbgrader = entries.get("nbgrader")
    names: dict[str, Any] = {}
    if _is_name(entries.get("id")):
        names["id"] = entries["id"]
    if isinstance(nbgrader, dict) and _is_name(nbgrader.get("grade_id")):
        names["nbgrader"] = {"grade_id": nbgrader["grade_id"]}
    return names


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME_CHARACTERS


def _check_length(source: str, number: int) -> int:
    """Return the number of characters in a cell, or raise StudentTextError if it is too long."""
    length = len(EMBEDDED_IMAGE.sub("", source)) if "data:image/" in source else len(source)
    if length > MAX_CELL_CHARACTERS:
        raise StudentTextError(
            f"cell {number} has {length:,} characters, and at most {MAX_CELL_CHARACTERS:,} are"
            " allowed"
        )
    return length


class _Budget:
    """The remaining budgets of a notebook while its cells are read, in characters and numbers."""

    def __init__(self) -> None:
        self.characters, self.outputs = MAX_ALL_OUTPUT_CHARACTERS, MAX_ALL_OUTPUTS
        self.attachments = MAX_ALL_ATTACHMENTS
        self.image_characters = MAX_IMAGE_CHARACTERS
        self.removed = 0  # characters of outputs
        self.removed_images = 0
        self._reasons: list[str] = []  # for the images that were removed from this cell

    def images(self, attachments: Any) -> dict[str, dict[str, str]]:
        """Return the images among a cell's attachments."""
        images: dict[str, dict[str, str]] = {}
        for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
            bundle = bundle if isinstance(bundle, dict) else {}
            texts = {kind: _joined(bundle.get(kind)) for kind in IMAGE_TYPES}
            found = {kind: text for kind, text in texts.items() if text}
            size = sum(map(len, found.values()))
            if not found:
                kinds = filter(IMAGE_TYPE.fullmatch, map(str, bundle))
                self._reasons.append(f"of type {next(kinds, 'unknown')}")
            elif not 0 < len(name) <= MAX_NAME_CHARACTERS:
                self._reasons.append("without a usable name")
            elif len(images) == min(MAX_ATTACHMENTS, self.attachments):
                self._reasons.append("beyond the number that is allowed")
            elif size > self.image_characters:
                self._reasons.append(TOO_LARGE)
            else:
                images[name] = found
                self.image_characters -= size
        self.attachments -= len(images)
        return images

    def limit_embedded(self, match: re.Match[str]) -> str:
        """Return an embedded image, or a placeholder if the image exceeds the budget."""
        if len(match[0]) > self.image_characters:
            self._reasons.append(TOO_LARGE)
            return REMOVED_IMAGE
        self.image_characters -= len(match[0])
        return match[0]

    def take_mark(self) -> str:
        """Return the paragraph about the images that were removed from a cell, or ""."""
        reasons, self._reasons = self._reasons, []
        if not reasons:
            return ""
        self.removed_images += len(reasons)
        listed = [
            f"an image {reason}" if count == 1 else f"{count:,} images {reason}"
            for reason, count in Counter(reasons).most_common(MAX_REASONS)
        ]
        return f"\n\n(Removed: {', '.join(listed)}. See the submitted file.)"

    def limit_outputs(self, outputs: Any) -> list[dict[str, Any]]:
        """Return the outputs of a cell that are within the budgets, and a note about the others."""
        known = _plain_outputs(outputs)
        size = sum(map(_size, known))
        room = min(self.characters, MAX_OUTPUT_CHARACTERS)
        count = min(self.outputs, MAX_OUTPUTS)
        if size <= room and len(known) <= count:
            kept, kept_size, notes = known, size, []
        else:
            kept, kept_size = _first_outputs(known, room, count)
            removed = _characters(known) - _characters(kept)
            text = f"({_amount(removed)} of outputs were removed)\n"
            notes = [{"output_type": "stream", "name": "stdout", "text": text}]
            self.removed += removed
        self.characters -= kept_size
        self.outputs -= len(kept)
        return kept + notes


def _plain_outputs(outputs: Any) -> list[dict[str, Any]]:
    """Return the text, images, and errors; consecutive printed outputs become one output.

    Jupyter saves a progress bar as thousands of short outputs.
    """
    known = [
        each
        for each in (outputs if isinstance(outputs, list) else [])
        if isinstance(each, dict) and each.get("output_type") in OUTPUT_TYPES
    ]
    plain: list[dict[str, Any]] = []
    for stream, group in groupby(known, _stream_name):
        if stream is None:
            plain += map(_plain_output, group)
        else:
            text = "".join(_joined(each.get("text")) for each in group)
            plain.append({"output_type": "stream", "name": stream, "text": text})
    return plain


def _plain_output(output: dict[str, Any]) -> dict[str, Any]:
    """Return an error, or the text and the images of another output."""
    kind = output["output_type"]
    if kind == "error":
        lines = output.get("traceback")
        traceback = lines[:MAX_TRACEBACK_LINES] if isinstance(lines, list) else []
        names = {name: _joined(output.get(name)) for name in ("ename", "evalue")}
        return {"output_type": kind, **names, "traceback": list(map(_joined, traceback))}
    found = output.get("data")
    data = found if isinstance(found, dict) else {}
    texts = {each: _joined(data[each]) for each in PLAIN_TYPES if each in data}
    plain: dict[str, Any] = {"output_type": kind, "data": texts, "metadata": {}}
    if kind == "execute_result":
        plain["execution_count"] = _count(output.get("execution_count"))
    return plain


def _count(value: Any) -> int | None:
    """Return an execution count, or None if the value is not a valid one."""
    return value if type(value) is int and 0 <= value < 2**31 else None


def _stream_name(output: dict[str, Any]) -> str | None:
    """Return the name of the stream that printed an output, or None for other outputs."""
    if output["output_type"] != "stream":
        return None
    return "stderr" if output.get("name") == "stderr" else "stdout"


def _first_outputs(
    outputs: list[dict[str, Any]], room: int, count: int
) -> tuple[list[dict[str, Any]], int]:
    """Return the first outputs, `count` at most, that fit in `room` characters, and their size."""
    kept: list[dict[str, Any]] = []
    kept_size = 0
    for output in outputs:
        if len(kept) == count:
            break
        size = _size(output)
        if kept_size + size <= room:
            kept.append(output)
            kept_size += size
    return kept, kept_size


def _amount(characters: int) -> str:
    """Return a number of characters as text in KB or MB."""
    if characters >= 2**19:
        return f"{characters / 2**20:,.0f} MB"
    return f"{max(1, characters / 2**10):,.0f} KB"


def _size(output: dict[str, Any]) -> int:
    """Return the number of characters that an output's characters and lines count as."""
    return _characters(output) + LINE_CHARACTERS * _line_ends(output)


def _characters(value: Any) -> int:
    """Return the approximate number of characters in an output."""
    if isinstance(value, str):
        return len(value) + 8
    if isinstance(value, dict):
        return 8 + sum(map(len, value)) + sum(map(_characters, value.values()))
    if isinstance(value, list):
        return 8 + sum(map(_characters, value))
    return 8


def _line_ends(value: Any) -> int:
    """Return the number of line ends in an output."""
    if isinstance(value, str):
        return max(0, len(value.splitlines()) - 1)
    values = value.values() if isinstance(value, dict) else value
    return sum(map(_line_ends, values)) if isinstance(value, dict | list) else 0


def _source(cell: dict[str, Any]) -> str:
    """Return a cell's source as one string."""
    return _joined(cell.get("source"))


def _joined(value: Any) -> str:
    """Return a string that may be stored as a list of lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))


def _describe(error: ValueError) -> str:
    """Return a JSON error's message without its position."""
    message = str(error).split(": ")[0]
    return message if len(message) < 100 else "damaged"


def _shorten(value: object) -> str:
    """Return a value as a short, printable string."""
    return "".join(char for char in str(value)[:200] if char.isprintable())[:40]
