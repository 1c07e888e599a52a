"""Links in the text of a page: to the notebooks and sections that the text mentions."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from myst_parser.slugs import github_slugify
from nbformat import NotebookNode

# Code, formulas, links, attributes, and HTML tags, in which nothing is a reference.
NOT_PROSE = re.compile(
    r"^```.*?^```|^(?: {4}|#|<).*?$|<[^>\n]+>|\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`"
    r"|!?\[[^]\n]*\](?:\([^)\n]*\)|{[^}\n]*})",
    re.MULTILINE | re.DOTALL,
)
HEADING = re.compile(r"^## (?P<title>(?P<number>\d+) .+)$", re.MULTILINE)
LIST = r"(?:\s(?:and|to|or)\s|,\s(?:and\s)?)"
NOTEBOOKS = re.compile(rf"\b[Nn]otebooks?\s0\d\b(?:{LIST}0\d\b)*|\(0\d(?=\))")
SECTIONS = re.compile(
    rf"\b[Ss]ections?\s\d+\b(?!\.\d)(?:{LIST}\d+\b(?!\.\d))*(?!\s+of\s(?:the\s)?(?:paper|notebook))"
)
ONE = re.compile(r"\b(?:[Nn]otebook|[Ss]ection)\s(\d+)|\d+")


@dataclass(frozen=True)
class Targets:
    """What the text of a page can refer to: other pages by number, and sections of the page."""

    pages: Mapping[str, str]  # such as {"02": "02-mnist.ipynb"}
    sections: Mapping[str, str]  # such as {"7": "#7-relu-and-pooling"}


def targets(name: str, notebook: NotebookNode, names: Collection[str]) -> Targets:
    """Return what the text of a notebook can refer to; `names` are the assignments of the site."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = [(found["number"], found["title"]) for found in HEADING.finditer(text)]
    numbers = [number for number, _ in headings]
    sections = {
        number: f"#{github_slugify(title)}"
        for number, title in headings
        if numbers.count(number) == 1
    }
    pages = {each.partition("-")[0]: f"{each}.ipynb" for each in names if each != name}
    return Targets(pages, sections)


def link(text: str, found: Targets) -> str:
    """Return a text in Markdown whose references to notebooks and sections are links."""
    parts, position = [], 0
    for other in NOT_PROSE.finditer(text):
        parts += [_link_prose(text[position : other.start()], found), other[0]]
        position = other.end()
    return "".join([*parts, _link_prose(text[position:], found)])


def _link_prose(text: str, found: Targets) -> str:
    """Return prose whose references are links."""
    text = NOTEBOOKS.sub(lambda each: _link_each(each[0], found.pages), text)
    return SECTIONS.sub(lambda each: _link_each(each[0], found.sections), text)


def _link_each(reference: str, addresses: Mapping[str, str]) -> str:
    """Return a reference, such as "sections 3 and 4", with a link for each known number."""

    def linked(one: re.Match[str]) -> str:
        address = addresses.get(one[1] or one[0])
        return f"[{one[0]}]({address})" if address else one[0]

    return ONE.sub(linked, reference)
