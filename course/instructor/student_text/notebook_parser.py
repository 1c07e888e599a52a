"""Reading a submitted notebook file within budgets."""

import codecs
import json
import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from course.instructor.student_text import limited_worker
from course.instructor.student_text.budgets import (
    MAX_ALL_ATTACHMENTS,
    MAX_ALL_METADATA_CHARACTERS,
    MAX_ALL_OUTPUT_CHARACTERS,
    MAX_ALL_OUTPUTS,
    MAX_ATTACHMENTS,
    MAX_CELL_CHARACTERS,
    MAX_CELLS,
    MAX_CODE_CHARACTERS,
    MAX_METADATA_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_NESTING,
    MAX_NOTEBOOK_BYTES,
    MAX_OUTPUT_CHARACTERS,
    MAX_OUTPUTS,
    MAX_SOURCE_CHARACTERS,
    MAX_TRACEBACK_LINES,
)
from course.instructor.student_text.limited_call import call_limited
from course.instructor.student_text.limited_worker import StudentTextError

CELL_TYPES = ("code", "markdown", "raw")
OUTPUT_TYPES = ("stream", "display_data", "execute_result", "error")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
PLAIN_TYPES = ("text/plain", "image/png", "image/jpeg")  # what remains of a large output
# Some platforms embed a pasted image in the text of a cell instead of attaching it.
EMBEDDED_IMAGE = re.compile(r"data:image/[a-z]{1,9};base64,[A-Za-z0-9+/=]*+")

serve = limited_worker.serve


@dataclass
class SubmittedNotebook:
    r"""A submitted notebook within all budgets, and how it differs from what JupyterLab saves.

    `content` is a dict in notebook format 4 (any minor version) with only these keys: `nbformat`,
    `nbformat_minor`, `metadata` (a dict), and `cells`. Each cell is a dict with `cell_type` (code,
    markdown, or raw), `source` (a string with `\n` at the ends of lines), `metadata` (a dict of
    anything), and maybe `id` (a string). A code cell also has `execution_count` (an int or None)
    and `outputs` (dicts with a known `output_type`, whose other values can be anything). Other
    cells may have `attachments` (a dict from name to a dict from image type to a string). All text
    in it can be encoded as UTF-8.
    """

    content: dict[str, Any]
    notes: list[str]


def read_notebook(content: bytes) -> SubmittedNotebook:
    """Return the notebook in a submitted file, parsed in a process with limits.

    Raises StudentTextError, whose message is a clause with its own subject, such as "the file is
    empty" or "cell 3 has 304,000 characters, and at most 100,000 are allowed". The result can
    still be an invalid notebook for nbformat (its ids may be missing or occur twice, and a value in
    an output may have any type), but none that is large, deep, or of unknown structure.

    For example, `nbformat.from_dict(read_notebook(path.read_bytes()).content)`. Check the size of
    a file before you read it: at most `budgets.MAX_NOTEBOOK_BYTES` are accepted.
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
    minor = notebook["nbformat_minor"]
    content_4 = {
        "nbformat": 4,
        "nbformat_minor": minor if type(minor) is int and 0 <= minor <= 5 else 5,
        "metadata": budget.small_entries(notebook["metadata"]),
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
        "metadata": budget.small_entries(cell.get("metadata")),
    }
    if isinstance(cell.get("id"), str) and len(cell["id"]) <= MAX_NAME_CHARACTERS:
        normalized["id"] = cell["id"]
    if normalized["cell_type"] == "code":
        normalized["outputs"] = budget.limit_outputs(cell.get("outputs"))
        count = cell.get("execution_count")
        normalized["execution_count"] = count if type(count) is int else None
    elif attachments := budget.images(cell.get("attachments")):
        normalized["attachments"] = attachments
    return normalized


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
    """What is left of a notebook's budgets while its cells are read, in characters and numbers."""

    def __init__(self) -> None:
        self.characters, self.outputs = MAX_ALL_OUTPUT_CHARACTERS, MAX_ALL_OUTPUTS
        self.metadata, self.attachments = MAX_ALL_METADATA_CHARACTERS, MAX_ALL_ATTACHMENTS
        self.removed = 0  # characters of outputs

    def small_entries(self, metadata: Any) -> dict[str, Any]:
        """Return the entries of a metadata object that are not too large."""
        small = {}
        for name, value in metadata.items() if isinstance(metadata, dict) else ():
            size = len(name) + _size(value)
            is_small = len(name) <= MAX_NAME_CHARACTERS and size <= MAX_METADATA_CHARACTERS
            if is_small and size <= self.metadata:
                small[name] = value
                self.metadata -= size
        return small

    def images(self, attachments: Any) -> dict[str, dict[str, str]]:
        """Return the images among a cell's attachments."""
        images: dict[str, dict[str, str]] = {}
        for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
            if len(images) == min(MAX_ATTACHMENTS, self.attachments):
                break
            if not isinstance(bundle, dict) or not 0 < len(name) <= MAX_NAME_CHARACTERS:
                continue
            texts = {kind: _joined(bundle.get(kind)) for kind in IMAGE_TYPES}
            if found := {kind: text for kind, text in texts.items() if text}:
                images[name] = found
        self.attachments -= len(images)
        return images

    def limit_outputs(self, outputs: Any) -> list[dict[str, Any]]:
        """Return the outputs of a cell that are within the budgets, and a note about the others."""
        known = _merged_outputs(outputs)
        # The parsed data is measured because serializing it again would take longer.
        size = sum(map(_size, known))
        room = min(self.characters, MAX_OUTPUT_CHARACTERS)
        count = min(self.outputs, MAX_OUTPUTS)
        if size <= room and len(known) <= count:
            kept, kept_size, notes = known, size, []
        else:
            kept, kept_size = _first_outputs(known, room, count)
            text = f"({_amount(size - kept_size)} of outputs were removed)\n"
            notes = [{"output_type": "stream", "name": "stdout", "text": text}]
        self.removed += size - kept_size
        self.characters -= kept_size
        self.outputs -= len(kept)
        return kept + notes


def _merged_outputs(outputs: Any) -> list[dict[str, Any]]:
    """Return a cell's outputs of known types; printed texts in succession become one output.

    Jupyter saves a progress bar as thousands of short texts.
    """
    known = [
        each
        for each in (outputs if isinstance(outputs, list) else [])
        if isinstance(each, dict) and each.get("output_type") in OUTPUT_TYPES
    ]
    merged = []
    for stream, group in groupby(known, _stream_name):
        together = list(group)
        if stream is not None and len(together) > 1:
            text = "".join(_joined(each.get("text")) for each in together)
            together = [{"output_type": "stream", "name": stream, "text": text}]
        merged += together
    for output in merged:
        if isinstance(output.get("traceback"), list):
            del output["traceback"][MAX_TRACEBACK_LINES:]
    return merged


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
        if isinstance(output.get("data"), dict):
            plain = {kind: output["data"][kind] for kind in PLAIN_TYPES if kind in output["data"]}
            output = output | {"data": plain}
        size = _size(output)
        if kept_size + size <= room:
            kept.append(output)
            kept_size += size
    return kept, kept_size


def _amount(characters: int) -> str:
    """Return a number of characters as people read it."""
    if characters >= 2**19:
        return f"{characters / 2**20:,.0f} MB"
    return f"{max(1, characters / 2**10):,.0f} KB"


def _size(value: Any) -> int:
    """Return the approximate size of parsed JSON, in characters."""
    if isinstance(value, str):
        return len(value) + 8
    if isinstance(value, dict):
        return 8 + sum(map(len, value)) + sum(map(_size, value.values()))
    if isinstance(value, list):
        # One output can have ten million lines; joining them is the fastest way to measure.
        if set(map(type, value)) == {str}:
            return len("".join(value)) + 8 * len(value)
        return 8 + sum(map(_size, value))
    return 8


def _source(cell: dict[str, Any]) -> str:
    """Return a cell's source as one string."""
    return _joined(cell.get("source"))


def _joined(value: Any) -> str:
    """Return a text that may be stored as a list of lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))


def _describe(error: ValueError) -> str:
    """Return a JSON error's message without its position."""
    message = str(error).split(": ")[0]
    return message if len(message) < 100 else "damaged"


def _shorten(value: object) -> str:
    """Return a value as a short, printable text."""
    return "".join(char for char in str(value)[:200] if char.isprintable())[:40]
