"""Kinds of damage that platforms and students do to notebooks.

A function in `CELLS` changes a notebook in place; one in `FILES` changes its file.
"""

import codecs
import copy
import json


def remove_metadata(notebook):
    """Remove the metadata but not the ids, as tools that clean notebooks do."""
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def remove_metadata_and_ids(notebook):
    """Remove metadata and ids."""
    remove_metadata(notebook)
    remove_ids(notebook)


def remove_ids(notebook):
    """Convert to format 4.0, whose cells have no ids, as Colab does."""
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell.pop("id", None)


def save_by_colab(notebook):
    """Save as Colab does, with the id in the metadata and its own kernel."""
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell["metadata"]["id"] = cell.pop("id", "none")
    notebook["metadata"] = {
        "accelerator": "GPU",
        "colab": {"provenance": [], "gpuType": "T4"},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }


def duplicate_graded(notebook):
    """Duplicate an answer and a test, as an accidental key press does."""
    for kind in ("solution", "grade"):
        positions = [n for n, cell in enumerate(notebook["cells"]) if _is(cell, kind)]
        position = positions[len(positions) // 2]
        twin = copy.deepcopy(notebook["cells"][position])
        if "id" in twin:
            twin["id"] = f"twin-{kind}"
        notebook["cells"].insert(position + 1, twin)


def delete_graded(notebook):
    """Delete a test and a locked cell, which can be restored."""
    for kind in ("grade", "locked"):
        cells = [c for c in notebook["cells"] if _is(c, kind) and not _is(c, "solution")]
        notebook["cells"].remove(cells[len(cells) // 2])


def add_widgets_without_state(notebook):
    """Add the metadata of widgets without their state."""
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def change_kernel(notebook):
    """Set the kernel of a conda environment."""
    notebook["metadata"]["kernelspec"] = {
        "name": "conda-env-tf-py",
        "display_name": "Python [conda env:tf]",
        "language": "python",
    }


def add_large_outputs(notebook, size=6 * 2**20):
    """Add more output than is preserved; 100 MB has its own test."""
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    first["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * size}]


def use_windows_line_endings(notebook):
    """End lines as on Windows."""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def split_into_lines(notebook):
    """Write the source of a cell as a list of lines, as nbformat does."""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)


CELLS = {
    "metadata missing": remove_metadata,
    "metadata and ids missing": remove_metadata_and_ids,
    "format 4.0 without ids": remove_ids,
    "saved by Colab": save_by_colab,
    "duplicate graded cells": duplicate_graded,
    "graded cells deleted": delete_graded,
    "widgets without state": add_widgets_without_state,
    "foreign kernel": change_kernel,
    "large outputs": add_large_outputs,
    "Windows line endings": use_windows_line_endings,
    "lists of lines": split_into_lines,
}
# Each takes and returns the content and the name of the file.
FILES = {
    "Windows file": lambda content, name: (content.replace(b"\n", b"\r\n"), name),
    "byte-order mark": lambda content, name: (codecs.BOM_UTF8 + content, name),
    "UTF-16": lambda content, name: (content.decode("utf-8-sig").encode("utf-16"), name),
    "Copy of": lambda content, name: (content, f"Copy of {name}"),
    "(1)": lambda content, name: (content, name.replace(".ipynb", " (1).ipynb")),
}
# Metadata is removed last: the others find graded cells by it.
ORDER = [
    "duplicate graded cells", "graded cells deleted", "large outputs", "Windows line endings",
    "lists of lines", "widgets without state", "foreign kernel", "saved by Colab",
    "metadata missing", "metadata and ids missing", "format 4.0 without ids",
]  # fmt: skip
KINDS = [*ORDER, *FILES]


def damage(notebook, kinds, name="mnist.ipynb"):
    """Return the file of a notebook with some kinds of damage from `KINDS`, and its name."""
    notebook = copy.deepcopy(notebook)
    for kind in sorted(set(kinds) & set(CELLS), key=ORDER.index):
        CELLS[kind](notebook)
    content = json.dumps(notebook, indent=1, ensure_ascii=False).encode()
    for kind in FILES:
        if kind in kinds:
            content, name = FILES[kind](content, name)
    return content, name


def _is(cell, kind):
    """Return nbgrader's flag of a cell."""
    return cell["metadata"].get("nbgrader", {}).get(kind)
