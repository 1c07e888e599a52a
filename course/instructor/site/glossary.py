"""A glossary of the terms that released notebooks define, which are bold where they are defined."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nbformat import NotebookNode

BOLD = re.compile(r"(?<!\*)\*\*(?P<term>[^*\n]+?)\*\*(?!\*)(?: \((?P<short>[A-Z]{2,6})\))?")
BLOCK = re.compile(r"^```.*?^```|^<details>.*?^</details>|^\$\$.*?\$\$$", re.M | re.S)
SENTENCE_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)\s+(?=[A-Z*$`([])")
LAST_SECTION = "## Recap"  # repeats terms that are defined earlier
# Before the name of a button, which is also bold.
BUTTON = re.compile(r"(?:[Cc]lick|[Cc]hoose|[Pp]ress|[Ss]elect) $")
# A sentence that begins like this is understandable only with the one before it.
REFERS_BACK = re.compile(r"(?:This|These|It|Its|They|Their|So|The sum|The responses|Each of)\b")
CONTINUES = re.compile(r"Its? \w")
MAX_WORDS = 4
# Bold text in the notebooks of this course that is emphasis, a label, or another form of a term.
NOT_TERMS = frozenset(
    [
        *("a", "a and a-lrn", "a third block", "active", "all", "all batch normalization layers"),
        *("b", "b and c", "blocks", "bold", "c and d", "convolution", "d and e", "difference"),
        *("diverged", "dropout after the blocks", "fast", "five common seeds", "freeze", "l2"),
        *("images on the device", "larger batches", "last", "one", "one design choice", "plain"),
        *("our accuracies", "overfitting", "plus", "pretrained", "reference", "simple cnn"),
        *("six-convolution cnn", "stages", "stride 1", "translation equivariant", "shifts"),
        *("translation-invariant", "twice the filters", "validation images", "why", "flips"),
        *("vgg-16 is column d", "trained"),
    ]
)


@dataclass(frozen=True)
class Definition:
    """A term, the sentences that define it, and where they are."""

    term: str
    text: str  # Markdown
    name: str  # of the assignment
    cell: str  # the ID of the cell


def definitions(notebooks: Mapping[str, NotebookNode]) -> list[Definition]:
    """Return the first definition of each term in some notebooks, sorted by term."""
    found: dict[str, Definition] = {}
    for name, notebook in notebooks.items():
        for each in _in_notebook(name, notebook):
            found.setdefault(_key(each.term), each)
    return sorted(found.values(), key=lambda each: each.term.lower())


def _in_notebook(name: str, notebook: NotebookNode) -> list[Definition]:
    """Return the definitions in a notebook; its first cell only announces terms."""
    found: list[Definition] = []
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        for line in BLOCK.sub("", cell.source).splitlines():
            if line == LAST_SECTION:
                return found
            if position and not line.startswith(("|", "#")):
                found += [Definition(term, text, name, cell.id) for term, text in _in_line(line)]
    return found


def _in_line(line: str) -> list[tuple[str, str]]:
    """Return the terms in a paragraph or list item, each with the sentences that define it."""
    line = re.sub(r"^(?:[-*]|\d+\.) ", "", line.strip())
    sentences, found = SENTENCE_END.split(line), []
    for number, sentence in enumerate(sentences):
        for bold in BOLD.finditer(sentence):
            if not _is_term(bold, sentence):
                continue
            text = sentence
            if number and REFERS_BACK.match(sentence):
                text = f"{sentences[number - 1]} {sentence}"
            if number + 1 < len(sentences) and CONTINUES.match(sentences[number + 1]):
                text += f" {sentences[number + 1]}"
            term = bold["term"] + (f" ({bold['short']})" if bold["short"] else "")
            found.append((term, text.rstrip(":")))
    return found


def _is_term(bold: re.Match[str], sentence: str) -> bool:
    """Return whether bold text is a term rather than a label, a button, or emphasis."""
    term = bold["term"]
    is_label = term[-1] in ".:?!" or sentence[bold.end() :].startswith(":")
    is_label = is_label and bold.start() == 0 and term[-1] in ".:?!"
    is_word = re.fullmatch(r"[A-Za-zÀ-ÿ0-9 ,×/-]+", term) and not term[0].isdigit()
    return bool(
        is_word
        and not is_label
        and len(term.split()) <= MAX_WORDS
        and term.lower() not in NOT_TERMS
        and not BUTTON.search(sentence[: bold.start()])
    )


def _key(term: str) -> str:
    """Return a key that is the same for singular and plural, and with or without abbreviation."""
    word = re.sub(r" \([A-Z]+\)$", "", term).lower().replace("-", " ")
    return word.removesuffix("s") if not word.endswith("ss") else word
