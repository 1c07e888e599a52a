"""What platforms and students do to a notebook on its way back, a function each.

Each takes a notebook as plain data and changes it in place, or says what becomes of its file.
"""

import codecs
import copy
import json


def lose_metadata(notebook):
    """As tools that clean notebooks do: the cells keep their ids."""
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def lose_metadata_and_ids(notebook):
    lose_metadata(notebook)
    lose_ids(notebook)


def lose_ids(notebook):
    """As Colab saves: format 4.0, whose cells have no ids."""
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell.pop("id", None)


def save_by_colab(notebook):
    """As Colab saves, which keeps an id of its own in the metadata, and its own kernel."""
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
    """Copy an answer and a test, as a slip with the keyboard does."""
    for kind in ("solution", "grade"):
        places = [n for n, cell in enumerate(notebook["cells"]) if _is(cell, kind)]
        place = places[len(places) // 2]
        twin = copy.deepcopy(notebook["cells"][place])
        if "id" in twin:
            twin["id"] = f"twin-{kind}"
        notebook["cells"].insert(place + 1, twin)


def delete_graded(notebook):
    """Delete a test and a locked cell, which can be put back."""
    for kind in ("grade", "locked"):
        cells = [c for c in notebook["cells"] if _is(c, kind) and not _is(c, "solution")]
        notebook["cells"].remove(cells[len(cells) // 2])


def add_widgets_without_state(notebook):
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def change_kernel(notebook):
    notebook["metadata"]["kernelspec"] = {
        "name": "conda-env-tf-py",
        "display_name": "Python [conda env:tf]",
        "language": "python",
    }


def add_large_outputs(notebook, size=6 * 2**20):
    """Print more than is kept; 100 MB have a test of their own."""
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    first["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * size}]


def use_windows_line_ends(notebook):
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def split_into_lines(notebook):
    """As nbformat writes: the text of a cell as a list of lines."""
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)


CELLS = {
    "metadata lost": lose_metadata,
    "metadata and ids lost": lose_metadata_and_ids,
    "format 4.0 without ids": lose_ids,
    "saved by Colab": save_by_colab,
    "graded cells twice": duplicate_graded,
    "graded cells deleted": delete_graded,
    "widgets without state": add_widgets_without_state,
    "foreign kernel": change_kernel,
    "large outputs": add_large_outputs,
    "Windows line ends": use_windows_line_ends,
    "lists of lines": split_into_lines,
}
# What is done to the file: its content, its name.
FILES = {
    "Windows file": lambda content, name: (content.replace(b"\n", b"\r\n"), name),
    "byte-order mark": lambda content, name: (codecs.BOM_UTF8 + content, name),
    "UTF-16": lambda content, name: (content.decode("utf-8-sig").encode("utf-16"), name),
    "Copy of": lambda content, name: (content, f"Copy of {name}"),
    "(1)": lambda content, name: (content, name.replace(".ipynb", " (1).ipynb")),
}
# Metadata goes last: the others look there for graded cells. The order among them says nothing.
ORDER = [
    "graded cells twice", "graded cells deleted", "large outputs", "Windows line ends",
    "lists of lines", "widgets without state", "foreign kernel", "saved by Colab",
    "metadata lost", "metadata and ids lost", "format 4.0 without ids",
]  # fmt: skip
KINDS = [*ORDER, *FILES]


def damage(notebook, kinds, name="mnist.ipynb"):
    """Return the file of a notebook that has gone through some of `KINDS`, and its name."""
    notebook = copy.deepcopy(notebook)
    for kind in sorted(set(kinds) & set(CELLS), key=ORDER.index):
        CELLS[kind](notebook)
    content = json.dumps(notebook, indent=1, ensure_ascii=False).encode()
    for kind in FILES:
        if kind in kinds:
            content, name = FILES[kind](content, name)
    return content, name


def _is(cell, kind):
    return cell["metadata"].get("nbgrader", {}).get(kind)
