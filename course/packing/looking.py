"""What a student should know before handing in, told from the notebook and what was run."""

import itertools

TEXT_STUB = "*Write your answer here.*"
CODE_STUB = "raise NotImplementedError("
SAVED_AGO = 60  # seconds after which something may have been written that is not in the file
MAX_MB = 20
RUN_ALL = "Restart the kernel and run all cells"


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
    found = [_look_at_order(before, executed), _look_at_errors(before), _look_at_answers(cells)]
    if notebook.saved_ago is not None and notebook.saved_ago > SAVED_AGO:
        minutes = max(1, round(notebook.saved_ago / 60))
        found.append(
            (
                False,
                f"the file was saved {minutes} minute{'s' * (minutes > 1)} ago: what you have"
                " written since is not in it. Save (Ctrl+S), then run this cell again.",
            )
        )
    size = len(notebook.content) / 2**20
    if size > MAX_MB:
        found.append(
            (
                False,
                f"the notebook has {size:.0f} MB, most of it outputs, which some platforms refuse:"
                " clear the largest outputs and save.",
            )
        )
    return found


def empty_answers(cells):
    """Return the headings of the exercises whose answer is still as it came, or empty."""
    return list(dict.fromkeys(_heading(cells, n) for n, cell in enumerate(cells) if _is_open(cell)))


def _look_at_order(cells, executed):
    """Tell whether every code cell was run as it stands there, from the top to the bottom."""
    code = [(n, cell["source"].strip()) for n, cell in enumerate(cells) if _is_code(cell)]
    code = [(n, text) for n, text in code if text]
    last = {text.strip(): number for number, text in enumerate(executed)}
    for place, text in code:
        if text not in last:
            return False, f"{_named(cells, place)} was not run as it stands in the file. {RUN_ALL}."
    texts = [text for _, text in code]
    # Of the same text twice, nothing says which was run last.
    single = [(place, text) for place, text in code if texts.count(text) == 1]
    for (_, one), (place, two) in itertools.pairwise(single):
        if last[one] > last[two]:
            return False, f"{_named(cells, place)} was not run after those above it. {RUN_ALL}."
    return True, "all cells were run, from the top to the bottom"


def _look_at_errors(cells):
    for place, cell in enumerate(cells):
        outputs = cell.get("outputs") if _is_code(cell) else None
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict) and output.get("output_type") == "error":
                return False, f"{_named(cells, place)} ends with an error."
    return True, "no cell ends with an error"


def _look_at_answers(cells):
    found = empty_answers(cells)
    if not found:
        return True, "no answer is empty"
    return False, "\n  - ".join(["not answered yet:", *found])


def _is_code(cell):
    return cell.get("cell_type") == "code"


def _is_open(cell):
    text = cell["source"].strip()
    if _is_code(cell):
        return CODE_STUB in text and "# Your code here" in text
    described = cell["metadata"].get("nbgrader") if isinstance(cell["metadata"], dict) else None
    is_answer = isinstance(described, dict) and described.get("solution")
    return text == TEXT_STUB or bool(is_answer and not text)


def _heading(cells, place):
    """Return the nearest heading at or above a cell."""
    for cell in reversed(cells[: place + 1]):
        if cell.get("cell_type") == "markdown":
            lines = [line for line in cell["source"].splitlines() if line.startswith("#")]
            if lines:
                return lines[-1].strip("# ")
    return "the first cells"


def _named(cells, place):
    first = cells[place]["source"].strip().splitlines()[0][:50]
    return f"the cell that begins with `{first}`, under {_heading(cells, place)!r},"
