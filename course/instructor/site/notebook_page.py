"""A released notebook as a page of the site: its cells, with what the demonstrations show."""

import ast
import html
import re
from collections.abc import Collection
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode

from course.instructor.analysis.cell_names import parse_cell
from course.instructor.release.public_address import PLACEHOLDER
from course.instructor.site.opening_facts import TITLE, without_title_and_badges
from course.notebook_headings import section_headings

CELL_TITLE = re.compile(r"# @title (.+)\n")
NOTE = "This page shows the notebook before the exercises are solved."
LATER_FIGURE = '<p class="later">Figure: appears when you run the notebook.</p>'
NO_ADDRESS = (
    "*The address in the next cell is a placeholder: your instructor has to set it before the cell"
    " can install the course package.*"
)
DRAWING_MODULE = "plotting"
HIDE_TAG = "hide-input"  # MyST-NB collapses the code of a cell with this tag


def render(
    name: str,
    path: str,
    notebook: NotebookNode,
    addresses: dict[str, str],
    targets: Collection[str] = (),
) -> str:
    """Return the text of the notebook from which MyST-NB makes a page.

    `path` is the notebook's path in the public tree, `addresses` maps the names of platforms to the
    addresses that open it there, and `targets` are the IDs of cells to which other pages link.
    """
    page = nbformat.v4.new_notebook(metadata=notebook.metadata)
    headings = section_headings(notebook.cells)
    for position, (cell, heading) in enumerate(zip(notebook.cells, headings, strict=True)):
        if cell.cell_type == "markdown":
            source = cell.source
            if position == 0:
                title = TITLE.findall(source)[0]
                source = f"# {title}\n\n{launch_links(name, path, addresses)}\n\n*{NOTE}*\n\n"
                source += without_title_and_badges(cell.source)
            if cell.id in targets:
                source = f"({name}-{cell.id})=\n{source}"
            page.cells.append(nbformat.v4.new_markdown_cell(source, id=cell.id))
        else:
            if PLACEHOLDER in cell.source:
                page.cells.append(nbformat.v4.new_markdown_cell(NO_ADDRESS))
            page.cells.append(_code_cell(cell, heading))
    return nbformat.writes(page)


def launch_links(name: str, path: str, addresses: dict[str, str]) -> str:
    """Return the links that open or download a notebook, as HTML."""
    links = [
        f'<li><a href="{html.escape(address)}">Open in {platform}</a></li>'
        for platform, address in addresses.items()
    ]
    links.append(f'<li><a href="{quote(path)}" download>Download the notebook</a></li>')
    label = html.escape(f"Open {name}")
    return f'<ul class="launch" aria-label="{label}">{"".join(links)}</ul>'


def _code_cell(cell: NotebookNode, heading: str) -> NotebookNode:
    """Return a code cell, collapsed under its title if the notebook collapses it."""
    title = CELL_TITLE.match(cell.source)
    source = cell.source[title.end() :] if title else cell.source
    page_cell = nbformat.v4.new_code_cell(source, id=cell.id)
    page_cell.outputs = [_with_alt(output, cell, heading) for output in cell.outputs]
    if _draws(source) and not any(_images(output) for output in cell.outputs):
        later = nbformat.v4.new_output("display_data", data={"text/html": LATER_FIGURE})
        page_cell.outputs.append(later)
    if title:
        prompt = title[1].strip()
        page_cell.metadata["tags"] = [HIDE_TAG]
        page_cell.metadata["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt}
    return page_cell


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


def _draws(source: str) -> bool:
    """Return whether a cell draws a figure when it is run, rather than in a function it defines."""
    waiting: list[ast.AST] = [parse_cell(source) or ast.Pass()]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(f"{DRAWING_MODULE}."):
            return True
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    return False


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
