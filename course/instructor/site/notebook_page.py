"""A released notebook as a page of the site: its cells, with what the demonstrations show."""

import ast
import html
import re
from collections.abc import Collection, Mapping
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from course.instructor.analysis.cell_names import parse_cell
from course.instructor.release.public_address import PLACEHOLDER
from course.instructor.site import references
from course.instructor.site.glossary import Definition, with_anchors
from course.instructor.site.kept_figures import OTHERS
from course.instructor.site.opening_facts import TITLE, without_title_and_badges
from course.notebook_headings import section_headings

CELL_TITLE = re.compile(r"# @title (.+)\n")
NOTE = "This page shows the notebook for reading, before the exercises are solved."
PROFILES = (
    " `run.choose(smoke=…, cpu=…, gpu=…)` returns the value for your"
    " [profile](students.md#profiles), which determines how much data is used."
)
CHECK_TITLE = "Check exercise"
CHECK_STEP = "Run this cell in the notebook to check your answer."
# The cells whose code is of no interest to a reader, by the start of their titles.
STEPS = {
    CHECK_TITLE: CHECK_STEP,
    "Install the course package": "Run this cell first, in the notebook.",
    "Record the results": "Run this cell in the notebook. It needs no answer.",
    "Pack the submission": "Run this cell last, in the notebook. It writes the file to submit.",
}
NO_ADDRESS = (
    "*The address in this cell is a placeholder: your instructor has to set it before the cell"
    " can install the course package.*"
)
DRAWING_MODULE = "plotting"
LATER = {
    "Figure": "Figure: appears when you run the notebook.",
    "Table": "Table: appears when you run the notebook.",
    "Questions": "Questions: appear when you run the notebook.",
}
YOUR_CODE = '<p class="yours">Your code</p>'
YOUR_ANSWER = '<p class="yours">Your answer</p>'
TABLE_CALL = re.compile(r"\.table$")  # course.table, experiments.table, counting.table
HIDE_TAG = "hide-input"  # MyST-NB collapses the code of a cell with this tag


def render(
    name: str,
    path: str,
    notebook: NotebookNode,
    addresses: Mapping[str, str],
    terms: Collection[Definition] = (),
    names: Collection[str] = (),
) -> str:
    """Return the text of the notebook from which MyST-NB makes a page.

    `path` is the notebook's path in the public tree, `addresses` maps the names of platforms to the
    addresses that open it there, `terms` are those that the glossary links to this notebook, and
    `names` are the assignments of the site.
    """
    page = nbformat.v4.new_notebook(metadata=notebook.metadata)
    headings = section_headings(notebook.cells)
    found = references.targets(name, notebook, names)
    for position, (cell, heading) in enumerate(zip(notebook.cells, headings, strict=True)):
        if cell.cell_type == "code":
            page.cells += _code_cells(cell, heading)
            continue
        source = with_anchors(cell.source, [each for each in terms if each.cell == cell.id])
        if position == 0:
            source = _opening(name, path, notebook, source, addresses)
        elif utils.is_solution(cell):
            source = f"{YOUR_ANSWER}\n\n{source}"
        source = references.link(source, found)
        page.cells.append(nbformat.v4.new_markdown_cell(source, id=cell.id))
    return nbformat.writes(page)


def _opening(
    name: str, path: str, notebook: NotebookNode, source: str, addresses: Mapping[str, str]
) -> str:
    """Return the text of the first cell, with a box that says where the notebook can be run."""
    platforms = " or ".join(filter(None, [", ".join(list(addresses)[:-1]), *list(addresses)[-1:]]))
    where = f"open it in {platforms}, or download it" if addresses else "download it"
    text = f"{NOTE} To run it, change it, and be graded, {where}."
    if any("run.choose(" in cell.source for cell in notebook.cells if cell.cell_type == "code"):
        text += PROFILES
    title = TITLE.findall(source)[0]
    box = f'<div class="reading">\n\n{text}\n\n{launch_links(name, path, addresses)}\n\n</div>'
    return f"# {title}\n\n{box}\n\n{without_title_and_badges(source)}"


def launch_links(name: str, path: str, addresses: Mapping[str, str]) -> str:
    """Return the links that open or download a notebook, as HTML."""
    links = [
        f'<li><a href="{html.escape(address)}">Open in {platform}</a></li>'
        for platform, address in addresses.items()
    ]
    links.append(f'<li><a href="{quote(path)}" download>Download the notebook</a></li>')
    label = html.escape(f"Open {name}")
    return f'<ul class="launch" aria-label="{label}">{"".join(links)}</ul>'


def _code_cells(cell: NotebookNode, heading: str) -> list[NotebookNode]:
    """Return a code cell as cells of the page: collapsed under its title if the notebook does so.

    Of a check, and of a cell without interest to a reader, only the title is shown.
    """
    found = CELL_TITLE.match(cell.source)
    title = found[1].strip() if found else ""
    if step := _step(cell, title):
        line = f'<p class="step"><strong>{html.escape(title or CHECK_TITLE)}.</strong> {step}</p>'
        cells = [nbformat.v4.new_markdown_cell(line, id=cell.id)]
        if PLACEHOLDER in cell.source:
            cells.append(nbformat.v4.new_markdown_cell(NO_ADDRESS))
        return cells
    page_cell = nbformat.v4.new_code_cell(cell.source[found.end() :] if found else cell.source)
    page_cell.id = cell.id
    page_cell.outputs = [_with_alt(output, cell, heading) for output in cell.outputs]
    missing = [f'<p class="later">{LATER[kind]}</p>' for kind in _missing(page_cell, cell.outputs)]
    if missing:
        later = nbformat.v4.new_output("display_data", data={"text/html": "".join(missing)})
        page_cell.outputs.append(later)
    if title:
        prompt = f"Code: {title}"
        page_cell.metadata["tags"] = [HIDE_TAG]
        page_cell.metadata["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt}
    if utils.is_solution(cell):
        return [nbformat.v4.new_markdown_cell(YOUR_CODE), page_cell]
    return [page_cell]


def _step(cell: NotebookNode, title: str) -> str:
    """Return the sentence that a page shows instead of the code of a cell, or an empty text."""
    if utils.is_grade(cell) and not utils.is_solution(cell):
        return CHECK_STEP
    return next((step for start, step in STEPS.items() if title.startswith(start)), "")


def _with_alt(output: NotebookNode, cell: NotebookNode, heading: str) -> NotebookNode:
    """Return an output whose image, if it has one, has an alternative text."""
    for kind in _images(output):
        described = output.metadata.get(kind, {}).get("alt")
        titles = _figure_titles(cell.source)
        alt = described or f"Figure: {'; '.join(titles) or heading}"
        data = output.data[kind]
        encoded = "".join(data) if isinstance(data, list) else data
        image = f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{encoded.strip()}">'
        return nbformat.v4.new_output("display_data", data={"text/html": image})
    return output


def _images(output: NotebookNode) -> list[str]:
    """Return the MIME types of the images in an output."""
    return [kind for kind in output.get("data", {}) if kind.startswith("image/")]


def _missing(cell: NotebookNode, outputs: list[NotebookNode]) -> list[str]:
    """Return the kinds of results that a cell shows when it is run, but not on the page."""
    if any(OTHERS in str(output.get("data", {})) for output in outputs):
        return []
    shown = {"Figure"} if any(_images(output) for output in outputs) else set()
    if any("<table" in str(output.get("data", {})) for output in outputs):
        shown.add("Table")
    return [kind for kind in LATER if kind in _results(cell.source) - shown]


def _results(source: str) -> set[str]:
    """Return the kinds of results that a cell shows, rather than a function that it defines."""
    tree = parse_cell(source) or ast.Module([], [])
    waiting: list[ast.AST] = list(tree.body)
    # Only the value of the last line, and what is passed to `display`, is shown as a table.
    tables = [tree.body[-1].value] if tree.body and isinstance(tree.body[-1], ast.Expr) else []
    found = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function.startswith(f"{DRAWING_MODULE}."):
                found.add("Figure")
            elif function == "questions.ask":
                found.add("Questions")
            elif function == "display":
                tables += node.args
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    if any(
        isinstance(each, ast.Call) and TABLE_CALL.search(ast.unparse(each.func)) for each in tables
    ):
        found.add("Table")
    return found


def _figure_titles(source: str) -> list[str]:
    """Return the texts that a cell passes as the titles of figures."""
    titles = []
    for node in ast.walk(parse_cell(source) or ast.Pass()):
        is_title = isinstance(node, ast.keyword) and node.arg == "title"
        if isinstance(node, ast.Assign):
            is_title = ast.unparse(node.targets[0]).endswith("title")
        value = getattr(node, "value", None)
        if is_title and isinstance(value, ast.Constant) and isinstance(value.value, str):
            titles.append(value.value)
    return titles
