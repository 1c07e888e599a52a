"""What a student should know before handing in, told from the notebook and what was run."""

import itertools
import json

from course.notebook_headings import section_headings

TEXT_STUB = "*Write your answer here.*"
CODE_STUB = "raise NotImplementedError("
CODE_HINT = "# Your code here"
SAVED_AGO = 60  # seconds after which something may have been written that is not in the file
MAX_MB = 20
RUN_ALL = "Restart the kernel and run all cells"
SAVE = "Save (Ctrl+S), then run this cell again"


def look(notebook, executed, this="packing.pack("):
    """Return what to say about a notebook.

    Parameters
    ----------
    notebook : OwnNotebook
    executed : list of str
        The texts of the cells that were run, in their order.
    this : str
        What stands in the cell that is running; it and what comes after it is not looked at.

    Returns
    -------
    list of (bool, str)
        Whether it is as it should be, and a line.
    """
    cells = notebook.cells
    places = [n for n, cell in enumerate(cells) if _is_code(cell) and this in cell["source"]]
    before = cells[: places[-1]] if places else cells
    found = [
        _look_at_saving(notebook, executed, this),
        _look_at_order(before, executed),
        _look_at_errors(before),
        _look_at_answers(cells),
        _look_at_size(notebook),
    ]
    return [each for each in found if each]


def empty_answers(cells):
    """Return the headings of the exercises whose answer is still as it came, or empty."""
    return list(dict.fromkeys(_heading(cells, n) for n, cell in enumerate(cells) if _is_open(cell)))


def _look_at_saving(notebook, executed, this):
    """Tell what of the page is not in the file, as far as that can be told."""
    if notebook.saved_ago is None:
        return None
    later = executed[notebook.newest_run(executed) :]
    if any(text.strip() and this not in text for text in later):
        return False, (
            f"the file does not hold what you ran last. {SAVE}.\n"
            "  If this line stays: restart the kernel, run all cells, and save."
        )
    if notebook.saved_ago <= SAVED_AGO:
        return None
    minutes = max(1, round(notebook.saved_ago / 60))
    return False, (
        f"the file was saved {minutes} minute{'s' * (minutes > 1)} ago: what you have written"
        f" since is not in it. {SAVE}."
    )


def _look_at_order(cells, executed):
    """Tell whether every code cell was run as it stands there, from the top to the bottom."""
    code = [(n, cell["source"].strip()) for n, cell in enumerate(cells) if _is_code(cell)]
    code = [(n, text) for n, text in code if text]
    last = {text.strip(): number for number, text in enumerate(executed)}
    missing = [place for place, text in code if text not in last]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        named = _named(cells, missing[0])
        return False, f"not run as it stands in the file: {named}{more}. {RUN_ALL}."
    texts = [text for _, text in code]
    # Of the same text twice, nothing says which was run last.
    single = [(place, text) for place, text in code if texts.count(text) == 1]
    for (_, one), (place, two) in itertools.pairwise(single):
        if last[one] > last[two]:
            return False, f"not run after those above it: {_named(cells, place)}. {RUN_ALL}."
    return True, "all cells were run, from the top to the bottom"


def _look_at_errors(cells):
    for place, cell in enumerate(cells):
        outputs = cell.get("outputs") if _is_code(cell) else None
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict) and output.get("output_type") == "error":
                return False, f"ends with an error: {_named(cells, place)}."
    return True, "no cell ends with an error"


def _look_at_answers(cells):
    found = empty_answers(cells)
    if not found:
        return True, "no answer is empty"
    return False, "\n  - ".join(["not answered yet:", *found])


def _look_at_size(notebook):
    size = len(notebook.content) / 2**20
    if size <= MAX_MB:
        return None
    cells = notebook.cells
    sizes = {n: len(json.dumps(cell)) for n, cell in enumerate(cells)}
    largest = sorted(sizes, key=sizes.get, reverse=True)[:3]
    named = [_named(cells, n).replace("\n ", "") for n in largest if sizes[n] > 2**20]
    words = f"the notebook has {size:.0f} MB, which some platforms refuse. Clear the outputs of"
    return False, "\n  - ".join([words, *named])


def _is_code(cell):
    return cell.get("cell_type") == "code"


def _is_open(cell):
    text = cell["source"].strip()
    described = cell["metadata"].get("nbgrader") if isinstance(cell["metadata"], dict) else None
    is_answer = isinstance(described, dict) and described.get("solution") is True
    if not _is_code(cell):
        return text == TEXT_STUB or (is_answer and not text)
    # Where the metadata are lost, only the whole stub tells an answer from other code.
    is_stub = CODE_STUB in text and (is_answer or CODE_HINT in text)
    is_empty = all(line.lstrip().startswith("#") for line in text.splitlines() if line.strip())
    return is_stub or (is_answer and is_empty)


def _heading(cells, place):
    """Return the heading that a cell is under."""
    return section_headings(cells)[place] or "the first cells"


def _named(cells, place):
    first = next(iter(cells[place]["source"].strip().splitlines()), "")
    short = f"{first[:47]}..." if len(first) > 50 else first
    return f"the cell `{short}`\n  under {_heading(cells, place)}"
