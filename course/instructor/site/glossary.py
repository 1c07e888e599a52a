"""A glossary of the terms that are bold in released notebooks, where they are defined."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files as resources

from nbformat import NotebookNode

BOLD = re.compile(r"(?<!\*)\*\*(?P<term>[^*\n]+?)\*\*(?!\*)")
BLOCK = re.compile(r"^```.*?^```|^<details>.*?^</details>|^\$\$.*?\$\$$", re.M | re.S)
LAST_SECTION = "## Recap"  # repeats terms that are defined earlier
# Before the name of a button, which is also bold.
BUTTON = re.compile(r"(?:[Cc]lick|[Cc]hoose|[Pp]ress|[Ss]elect) $")
WORDS = re.compile(r"[A-Za-zÀ-ÿ][A-Za-zÀ-ÿ0-9 ,×/-]*")
MAX_WORDS = 4
# Bold text in the notebooks of this course that is emphasis or a label, or that names something in
# a single notebook.
NOT_TERMS = frozenset(
    [
        *("a", "a and a-lrn", "a third block", "active", "all", "all batch normalization layers"),
        *("b", "b and c", "blocks", "bold", "c and d", "configuration", "d and e", "difference"),
        *("diverged", "dropout after the blocks", "fast", "five common seeds", "flips", "freeze"),
        *("images on the device", "l2", "larger batches", "last", "one", "one design choice"),
        *("option", "our accuracies", "plain", "plus", "pretrained", "reference", "shifts"),
        *("simple cnn", "six-convolution cnn", "specification", "stages", "stride 1", "trained"),
        *("twice the filters", "validation images", "vgg-16 is column d", "why"),
    ]
)


@dataclass(frozen=True)
class Definition:
    """A term, the sentences that define it, and where a notebook defines it."""

    term: str
    text: str  # Markdown
    name: str  # of the assignment
    cell: str  # the ID of the cell


def definitions(notebooks: Mapping[str, NotebookNode]) -> list[Definition]:
    """Return the definitions of the terms that are bold in some notebooks, sorted by term."""
    texts, terms = _written_definitions()
    found: dict[str, Definition] = {}
    for key, (name, cell) in bold_terms(notebooks).items():
        if (term := terms.get(key)) and term not in found:
            found[term] = Definition(term, texts[term], name, cell)
    return sorted(found.values(), key=lambda each: each.term.lower())


def bold_terms(notebooks: Mapping[str, NotebookNode]) -> dict[str, tuple[str, str]]:
    """Return the bold terms, each with the assignment and the cell in which it is first bold."""
    found: dict[str, tuple[str, str]] = {}
    for name, notebook in notebooks.items():
        for term, cell in _in_notebook(notebook):
            found.setdefault(_key(term), (name, cell))
    return found


def undefined_terms(notebooks: Mapping[str, NotebookNode]) -> list[str]:
    """Return the bold terms without a definition."""
    return sorted(bold_terms(notebooks).keys() - _written_definitions()[1].keys())


def unused_terms(notebooks: Mapping[str, NotebookNode]) -> list[str]:
    """Return the terms and other forms in the file that no notebook defines."""
    texts, terms = _written_definitions()
    bold = bold_terms(notebooks)
    used = {terms[key] for key in bold if key in terms}
    others = [key for key, term in terms.items() if key != _key(term) and key not in bold]
    return sorted([*(texts.keys() - used), *others])


def _written_definitions() -> tuple[dict[str, str], dict[str, str]]:
    """Return the definition of each term, and the term of each key that notebooks can contain."""
    text = resources(__package__).joinpath("pages", "glossary.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    terms = {_key(term): term for term in content["definitions"]}
    others = {_key(form): term for form, term in content["other_forms"].items()}
    return content["definitions"], terms | others


def _in_notebook(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield each bold term with the ID of its cell; the first cell only announces terms."""
    for cell in notebook.cells[1:]:
        if cell.cell_type != "markdown":
            continue
        for line in BLOCK.sub("", cell.source).splitlines():
            if line == LAST_SECTION:
                return
            if not line.startswith(("|", "#")):
                for bold in BOLD.finditer(line):
                    if _is_term(bold["term"], line[: bold.start()]):
                        yield bold["term"], cell.id


def _is_term(text: str, before: str) -> bool:
    """Return whether bold text is a term rather than a label, a button, or emphasis."""
    return bool(
        WORDS.fullmatch(text)
        and len(text.split()) <= MAX_WORDS
        and text.lower() not in NOT_TERMS
        and not BUTTON.search(before)
    )


def _key(term: str) -> str:
    """Return a key that is the same for singular and plural, and with or without abbreviation."""
    word = re.sub(r" \([A-Za-z]+\)$", "", term).lower().replace("-", " ")
    return word.removesuffix("s") if not word.endswith("ss") else word
