"""Reading submitted notebooks, including files that platforms and editors have changed."""

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any

from course.instructor.grading.submission import CELL_ID, MAX_OUTPUT_BYTES, safe_outputs

CELL_TYPES = ("code", "markdown", "raw")
# Notebooks with 100 MB of outputs occur; outputs are limited later.
MAX_NOTEBOOK_BYTES = 512 * 2**20


class RepairError(Exception):
    """An error for a notebook that needs manual review; the message is the reason."""


@dataclass
class ParsedNotebook:
    """A submitted notebook as plain data."""

    raw: dict[str, Any]  # as parsed from the file
    # The notebook in format 4. Every cell has a type, a text, and a metadata dict; the outputs of
    # code cells are within grading's size limit.
    content: dict[str, Any]
    notes: list[str]  # differences from a notebook that JupyterLab saves


def parse(content: bytes) -> ParsedNotebook:
    """Parse the content of a submitted file; raise RepairError if it is not a notebook."""
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise RepairError(f"the file is larger than {MAX_NOTEBOOK_BYTES // 2**20} MB")
    text, notes = _decode(content)
    try:
        raw = json.loads(text)
    except RecursionError:
        raise RepairError("the file is too deeply nested") from None
    except ValueError as error:
        if not text.strip():
            raise RepairError("the file is empty") from None
        raise RepairError(f"the file is not a complete notebook ({_describe(error)})") from None
    notebook = dict(_convert_to_format_4(raw, notes))
    if notebook.get("nbformat_minor") != 5:
        notes.append(f"format 4.{_shorten(notebook.get('nbformat_minor'))}")
    metadata = notebook.get("metadata")
    notebook["metadata"] = metadata if isinstance(metadata, dict) else {}
    kernel = notebook["metadata"].get("kernelspec")
    name = kernel.get("name") if isinstance(kernel, dict) else None
    if name != "python3":
        notes.append(f"kernel {_shorten(name)!r}" if name else "no kernel name")
    if "widgets" in notebook["metadata"]:
        notes.append("widgets removed")
    if "\r\n" in text or any("\r" in _source(cell) for cell in notebook["cells"]):
        notes.append("Windows line endings")
    normalized = [_normalize_cell(cell) for cell in notebook["cells"]]
    notebook["cells"] = [cell for cell, _ in normalized]
    if removed := sum(removed for _, removed in normalized):
        notes.append(f"{removed / 2**20:,.0f} MB of outputs removed")
    return ParsedNotebook(raw, notebook, notes)


def is_valid_cell_id(value: object) -> bool:
    """Return True if nbformat accepts a value as the id of a cell."""
    return isinstance(value, str) and bool(CELL_ID.fullmatch(value))


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
        raise RepairError(f"the file is {kind}") from None


def _convert_to_format_4(notebook: Any, notes: list[str]) -> dict[str, Any]:
    """Return a notebook in format 4 with a list of cells, and add a note if it was converted."""
    if not isinstance(notebook, dict):
        raise RepairError("the file is not a notebook")
    if notebook.get("nbformat") == 3 and isinstance(notebook.get("worksheets"), list):
        import nbformat

        try:
            notebook = json.loads(json.dumps(nbformat.convert(nbformat.from_dict(notebook), 4)))
        except Exception:  # nbformat raises many types of exceptions for invalid content
            raise RepairError("the notebook is in format 3 and is damaged") from None
        notes.append("format 3")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise RepairError("the notebook has no list of cells")
    return notebook


def _normalize_cell(cell: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return a copy of a cell as `ParsedNotebook` describes it, and the number of bytes removed."""
    cell, removed = dict(cell), 0
    cell["source"] = re.sub(r"\r\n?", "\n", _source(cell))
    if cell.get("cell_type") not in CELL_TYPES:
        cell["cell_type"] = "raw"
    if not isinstance(cell.get("metadata"), dict):
        cell["metadata"] = {}
    if cell["cell_type"] == "code":
        cell["outputs"], removed = _limit_outputs(cell.get("outputs"))
        count = cell.get("execution_count")
        cell["execution_count"] = count if type(count) is int else None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    return cell, removed


def _limit_outputs(outputs: Any) -> tuple[list[Any], int]:
    """Return a cell's outputs, reduced to grading's size limit, and the number of bytes removed."""
    outputs = [each for each in outputs if isinstance(each, dict)] if type(outputs) is list else []
    # The parsed data is measured because serializing it again would take longer.
    size = sum(map(_size, outputs))
    if size <= MAX_OUTPUT_BYTES:
        return outputs, 0
    small = [each for each in outputs if _size(each) <= MAX_OUTPUT_BYTES]
    limited = json.loads(json.dumps(safe_outputs(small)))
    removed = size - sum(map(_size, limited))
    text = f"({removed / 2**20:,.0f} MB of outputs were removed during collection)\n"
    return [*limited, {"output_type": "stream", "name": "stdout", "text": text}], removed


def _size(value: Any) -> int:
    """Return the approximate size of parsed JSON, in characters."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list):
        # One output can have ten million lines; joining them is the fastest way to measure.
        return len("".join(value)) if set(map(type, value)) == {str} else sum(map(_size, value))
    return 8


def _source(cell: dict[str, Any]) -> str:
    """Return a cell's source, which may be a list of lines, as one string."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _describe(error: ValueError) -> str:
    """Return a JSON error's message without its position."""
    message = str(error).split(": ")[0]
    return message if len(message) < 100 else "damaged"


def _shorten(value: object) -> str:
    """Return a value as a short, printable text."""
    return "".join(char for char in str(value) if char.isprintable())[:40]
