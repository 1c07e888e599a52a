"""Review of a notebook before its submission: unexecuted cells, errors, and empty answers.

It also finds imports, syntax, and values that work in the notebook but not during grading.
"""

import ast
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from course import gradable
from course.gradable.importable_packages import GRADING_PYTHON, has_newer_syntax, missing_imports
from course.notebook_headings import is_answer, section_headings
from course.packing.helper_files import read_source
from course.packing.running_notebook import RunningNotebook

TEXT_STUB = "*Write your answer here.*"
CODE_STUB = "raise NotImplementedError("
CODE_HINT = "# Your code here"
PACKING_CALL = "packing.pack("  # the cell with this code is running
RESULT_CALL = "plotting.result("  # shows its figure before it runs: nobody has to run it
MAX_UNSAVED_SECONDS = 60  # edits after that time can be missing from the file
MAX_MB = 20
Finding = tuple[bool, str]  # True if all is well, and a line of text
RUN_ALL = "Restart the kernel and run all cells"
SAVE = "Save (Ctrl+S), then run this cell again"


def review_notebook(
    notebook: RunningNotebook,
    executed: list[str],
    variables: Mapping[str, Any],
    helpers: Mapping[str, bytes],
) -> list[Finding]:
    """Return the findings about a notebook.

    `executed` contains the executed sources in order; `variables` are those of the notebook.
    `helpers` are the helper files that are packed with it.
    """
    cells = notebook.cells
    packing_cells = [
        index
        for index, cell in enumerate(cells)
        if _is_code(cell) and PACKING_CALL in cell["source"]
    ]
    before = cells[: packing_cells[-1]] if packing_cells else cells
    findings = [
        _review_saving(notebook, executed),
        _review_order(before, executed),
        _review_errors(before),
        _review_answers(cells),
        *_review_imports(cells, helpers),
        *_review_syntax(cells, helpers),
        *_review_values(cells, variables),
        _review_size(notebook),
    ]
    return [finding for finding in findings if finding]


def empty_answers(cells: list[dict]) -> list[str]:
    """Return the headings of the exercises whose answers are empty or unchanged."""
    pairs = zip(cells, _headings(cells), strict=True)
    return list(dict.fromkeys(heading for cell, heading in pairs if _is_empty_answer(cell)))


def _review_saving(notebook: RunningNotebook, executed: list[str]) -> Finding | None:
    """Warn if edits are probably missing from the notebook's file."""
    if notebook.seconds_since_save is None:
        return None
    later = executed[notebook.latest_execution(executed) :]
    if any(source.strip() and PACKING_CALL not in source for source in later):
        return False, (
            f"the file does not contain the cells that you ran last. {SAVE}.\n"
            "  If this warning stays: restart the kernel, run all cells, and save."
        )
    if notebook.seconds_since_save <= MAX_UNSAVED_SECONDS:
        return None
    minutes = max(1, round(notebook.seconds_since_save / 60))
    return False, (
        f"the file was saved {minutes} minute{'s' * (minutes > 1)} ago: later changes are not"
        f" in it. {SAVE}."
    )


def _review_order(cells: list[dict], executed: list[str]) -> Finding:
    """Check that every code cell was run in its current form, from top to bottom."""
    code = [(index, cell["source"].strip()) for index, cell in enumerate(cells) if _is_code(cell)]
    code = [(index, source) for index, source in code if source and RESULT_CALL not in source]
    last = {source.strip(): number for number, source in enumerate(executed)}
    missing = [index for index, source in code if source not in last]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        title = _describe_cell(cells, missing[0])
        return False, f"not run in its present form: {title}{more}. {RUN_ALL}."
    sources = [source for _, source in code]
    # If two cells are equal, nothing shows which of them was run last.
    unique = [(index, source) for index, source in code if sources.count(source) == 1]
    for (_, first), (index, second) in itertools.pairwise(unique):
        if last[first] > last[second]:
            title = _describe_cell(cells, index)
            return False, f"not run after the cells above it: {title}. {RUN_ALL}."
    return True, "all cells were run from top to bottom"


def _review_errors(cells: list[dict]) -> Finding:
    """Warn about the first cell whose output is an error."""
    for index, cell in enumerate(cells):
        outputs = cell.get("outputs") if _is_code(cell) else None
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict) and output.get("output_type") == "error":
                return False, f"ends with an error: {_describe_cell(cells, index)}."
    return True, "no cell ends with an error"


def _review_answers(cells: list[dict]) -> Finding:
    """Warn about empty answers."""
    headings = empty_answers(cells)
    if not headings:
        return True, "no answer is empty"
    return False, "\n  - ".join(["not answered yet:", *headings])


def _review_imports(cells: list[dict], helpers: Mapping[str, bytes]) -> Iterator[Finding]:
    """Warn about each cell and helper file that imports what grading does not have."""
    packed = {Path(name).stem for name in helpers}
    for source, where in _own_code(cells, helpers):
        missing = [name for name in missing_imports(source) if name not in packed]
        if missing:
            consequence = "Answers that need this import lose their points."
            yield False, f"grading does not have {' or '.join(missing)}: {where}.\n  {consequence}"


def _review_syntax(cells: list[dict], helpers: Mapping[str, bytes]) -> Iterator[Finding]:
    """Warn about code whose syntax is too new for the oldest supported Python."""
    version = ".".join(map(str, GRADING_PYTHON))
    for source, where in _own_code(cells, helpers):
        if has_newer_syntax(source):
            advice = "Avoid new syntax, such as the same quotation marks inside an f-string."
            yield (
                False,
                f"Python {version}, which grading may use, cannot read {where}.\n  {advice}",
            )


def _own_code(cells: list[dict], helpers: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yield the code that the student can change, and where it is."""
    for index, cell in enumerate(cells):
        if _is_code(cell) and not _is_locked(cell):
            yield cell["source"], _describe_cell(cells, index)
    for name, content in helpers.items():
        yield read_source(content), name


def _review_values(cells: list[dict], variables: Mapping[str, Any]) -> Iterator[Finding]:
    """Warn about each value of an answer that a visible test uses but graded tests cannot use."""
    tested = set().union(*(_names(cell) for cell in cells if _is_code(cell) and _is_locked(cell)))
    for index, cell in enumerate(cells):
        if not _is_code(cell) or not is_answer(cell):
            continue
        for name in sorted(_names(cell, ast.Store) & tested & variables.keys()):
            reason = _find_reason(variables[name])
            if reason:
                clause, where = reason.sentence(), _describe_cell(cells, index)
                yield False, f"tests cannot use {name}: {clause}.\n  It is set in {where}."


def _find_reason(value: Any) -> gradable.Reason | None:
    """Return the reason why tests cannot use a value, or None if none can be determined."""
    try:
        return gradable.find_reason(value)
    except Exception:  # the methods of a student's class may fail, and must not prevent packing
        return None


def _names(cell: dict, context: type[ast.expr_context] = ast.expr_context) -> set[str]:
    """Return the names in a cell's code, all of them or only those that it loads or stores."""
    try:
        nodes = ast.walk(ast.parse(cell["source"]))
        return {
            node.id
            for node in nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, context)
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def _is_locked(cell: dict) -> bool:
    """Return True for a cell that grading restores, such as a test."""
    grading = cell["metadata"].get("nbgrader")
    return isinstance(grading, dict) and bool(grading.get("locked"))


def _review_size(notebook: RunningNotebook) -> Finding | None:
    """Warn about a notebook that some platforms may reject because of its size."""
    size = len(notebook.content) / 2**20
    if size <= MAX_MB:
        return None
    cells = notebook.cells
    sizes = [len(json.dumps(cell)) for cell in cells]
    largest = sorted(range(len(cells)), key=sizes.__getitem__, reverse=True)[:3]
    large_cells = [
        _describe_cell(cells, index).replace("\n ", "") for index in largest if sizes[index] > 2**20
    ]
    return False, "\n  - ".join(
        [
            f"the notebook has {size:.0f} MB, which some platforms reject. Clear the outputs of",
            *large_cells,
        ]
    )


def _is_code(cell: dict) -> bool:
    """Return True for a code cell."""
    return cell.get("cell_type") == "code"


def _is_empty_answer(cell: dict) -> bool:
    """Return True for an answer cell that is empty or unchanged."""
    source = cell["source"].strip()
    if not _is_code(cell):
        return source == TEXT_STUB or (is_answer(cell) and not source)
    # If the metadata is lost, only the complete stub identifies an answer.
    is_stub = CODE_STUB in source and (is_answer(cell) or CODE_HINT in source)
    is_empty = all(line.lstrip().startswith("#") for line in source.splitlines() if line.strip())
    return is_stub or (is_answer(cell) and is_empty)


def _headings(cells: list[dict]) -> list[str]:
    """Return the section heading of each cell."""
    return [heading or "the first cells" for heading in section_headings(cells)]


def _describe_cell(cells: list[dict], index: int) -> str:
    """Return a cell's first line and heading."""
    first = next(iter(cells[index]["source"].strip().splitlines()), "")
    short = f"{first[:47]}..." if len(first) > 50 else first
    return f"the cell `{short}`\n  under {_headings(cells)[index]}"
