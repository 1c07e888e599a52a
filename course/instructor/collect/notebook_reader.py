"""Reading a submitted notebook, whatever a platform or an editor has made of its file."""

import codecs
import json
import re

from course.instructor.grading.submission import CELL_ID, MAX_OUTPUT_BYTES, safe_outputs

CELL_TYPES = ("code", "markdown", "raw")
MAX_NOTEBOOK_BYTES = 512 * 2**20  # bytes; outputs of 100 MB come, and are left out


class RepairError(Exception):
    """A notebook that is left for a person; the message is the reason."""


def parse(content):
    """Return a submitted notebook as plain data, and what had to be mended to read it.

    Afterwards every cell has a type, a text and a dict of metadata, and code cells have outputs
    that are no larger than what grading keeps.

    Parameters
    ----------
    content : bytes
        Of the file.

    Returns
    -------
    notebook : dict
        Of format 4.
    notes : list of str
        A few words each.

    Raises
    ------
    CannotBeMended
        If it is no whole notebook.
    """
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise RepairError(f"it is larger than {MAX_NOTEBOOK_BYTES // 2**20} MB")
    text, notes = _decode(content)
    try:
        notebook = json.loads(text)
    except RecursionError:
        raise RepairError("it is too deeply nested") from None
    except ValueError as error:
        if not text.strip():
            raise RepairError("the file is empty") from None
        raise RepairError(f"it is no whole notebook file ({_reason(error)})") from None
    notebook = _as_format_4(notebook, notes)
    if notebook.get("nbformat_minor") != 5:
        notes.append(f"format 4.{_short(notebook.get('nbformat_minor'))}")
    metadata = notebook.get("metadata")
    notebook["metadata"] = metadata if isinstance(metadata, dict) else {}
    _note_metadata(notebook["metadata"], notes)
    sizes = [_make_plain(cell) for cell in notebook["cells"]]
    if any(size.had_line_ends for size in sizes) or "\r\n" in text:
        notes.append("Windows line ends")
    dropped = sum(size.dropped for size in sizes)
    if dropped:
        notes.append(f"{dropped / 2**20:,.0f} MB of outputs left out")
    return notebook, notes


def valid_id(text):
    """Return whether nbformat takes a text as the id of a cell."""
    return isinstance(text, str) and bool(CELL_ID.fullmatch(text))


def _decode(content):
    """Return a file's text, and the notes about its encoding."""
    encoding, notes = "utf-8", []
    if content.startswith(codecs.BOM_UTF8):
        encoding, notes = "utf-8-sig", ["byte-order mark"]
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding, notes = "utf-16", ["UTF-16"]
    try:
        return content.decode(encoding), notes
    except UnicodeDecodeError:
        what = "a zip archive under another name" if content[:2] == b"PK" else "not text in UTF-8"
        raise RepairError(f"it is {what}") from None


def _as_format_4(notebook, notes):
    if not isinstance(notebook, dict):
        raise RepairError("it is no notebook")
    if notebook.get("nbformat") == 3 and isinstance(notebook.get("worksheets"), list):
        import nbformat

        try:
            notebook = json.loads(json.dumps(nbformat.convert(nbformat.from_dict(notebook), 4)))
        except Exception:  # what it raises on broken input is not to be listed
            raise RepairError("it is of format 3, and broken") from None
        notes.append("format 3")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise RepairError("it has no list of cells")
    return notebook


def _note_metadata(metadata, notes):
    kernel = metadata.get("kernelspec")
    name = kernel.get("name") if isinstance(kernel, dict) else None
    if name != "python3":
        notes.append(f"kernel {_short(name)!r}" if name else "no kernel named")
    if "widgets" in metadata:
        notes.append("widgets left out")


class _Sizes:
    had_line_ends = False
    dropped = 0


def _make_plain(cell):
    """Make a cell what every other step can rely on, in place; return what was done."""
    done = _Sizes()
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(map(str, source))
    source = str(source)
    if "\r" in source:
        done.had_line_ends = True
        source = re.sub(r"\r\n?", "\n", source)
    cell["source"] = source
    if cell.get("cell_type") not in CELL_TYPES:
        cell["cell_type"] = "raw"
    if not isinstance(cell.get("metadata"), dict):
        cell["metadata"] = {}
    if cell["cell_type"] == "code":
        done.dropped = _limit_outputs(cell)
        count = cell.get("execution_count")
        cell["execution_count"] = count if type(count) is int else None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    return done


def _limit_outputs(cell):
    """Leave of a cell's outputs what grading would keep; return the bytes that are left out."""
    outputs = cell.get("outputs")
    outputs = outputs if isinstance(outputs, list) else []
    outputs = [each for each in outputs if isinstance(each, dict)]
    cell["outputs"] = outputs
    # Text is measured as it stands: writing all of it down again would take longer.
    size = sum(map(_size, outputs))
    if size <= MAX_OUTPUT_BYTES:
        return 0
    kept = [each for each in outputs if _size(each) <= MAX_OUTPUT_BYTES]
    cell["outputs"] = json.loads(json.dumps(safe_outputs(kept)))
    left = size - sum(map(_size, cell["outputs"]))
    words = f"({left / 2**20:,.0f} MB of outputs were left out when this was collected)\n"
    cell["outputs"].append({"output_type": "stream", "name": "stdout", "text": words})
    return left


def _size(value):
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list):
        # Ten million lines are one output.
        return len("".join(value)) if _are_texts(value) else sum(map(_size, value))
    return 8


def _are_texts(values):
    return set(map(type, values)) == {str}


def _reason(error):
    words = str(error).split(": ")[0]
    return words if len(words) < 100 else "damaged"


def _short(value):
    text = "".join(letter for letter in str(value) if letter.isprintable())
    return text[:40]
