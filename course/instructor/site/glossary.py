"""A glossary of terms, with the places in released notebooks where they are bold or first used."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files as resources

from myst_parser.slugs import github_slugify
from nbformat import NotebookNode

BOLD = re.compile(r"(?<!\*)\*\*(?P<term>[^*\n]+?)\*\*(?!\*)")
BLOCK = re.compile(r"^```.*?^```|^<details>.*?^</details>|^\$\$.*?\$\$$", re.M | re.S)
INLINE = re.compile(
    r"`[^`]+`|\$[^$]+\$|\[[^]]*\]\([^)]*\)|<[^>]+>"
)  # in which a term has no anchor
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
    start: int  # the position of the term in the cell
    end: int

    @property
    def anchor(self) -> str:
        """The anchor of the term on the page of the notebook."""
        return f"{self.name}-{github_slugify(self.term)}"


@dataclass(frozen=True)
class Place:
    """Where a notebook mentions a term."""

    name: str
    cell: str
    start: int
    end: int


def definitions(notebooks: Mapping[str, NotebookNode]) -> list[Definition]:
    """Return the definitions of the terms that some notebooks contain, sorted by term."""
    texts, terms = _written_definitions()
    places: dict[str, Place] = {}
    for key, place in bold_terms(notebooks).items():
        if term := terms.get(key):
            places.setdefault(term, place)
    places |= plain_terms(notebooks)
    found = [
        Definition(term, texts[term], place.name, place.cell, place.start, place.end)
        for term, place in places.items()
    ]
    return sorted(found, key=lambda each: each.term.lower())


def bold_terms(notebooks: Mapping[str, NotebookNode]) -> dict[str, Place]:
    """Return the bold terms, each with the place where it is first bold."""
    found: dict[str, Place] = {}
    for cell, name in _text_cells(notebooks):
        for start, line in _prose_lines(cell.source):
            for bold in BOLD.finditer(line):
                if _is_term(bold["term"], line[: bold.start()]):
                    place = Place(name, cell.id, start + bold.start(), start + bold.end())
                    found.setdefault(_key(bold["term"]), place)
    return found


def plain_terms(notebooks: Mapping[str, NotebookNode]) -> dict[str, Place]:
    """Return the terms that notebooks use without making them bold, each with its first place."""
    found: dict[str, Place] = {}
    for term in _content()["plain"]:
        pattern = re.compile(rf"\b{re.escape(term)}s?\b(?! function| map| memory)", re.IGNORECASE)
        uses = (
            Place(name, cell.id, start + use.start(), start + use.end())
            for cell, name in _text_cells(notebooks)
            for start, line in _prose_lines(cell.source)
            for use in pattern.finditer(INLINE.sub(_blank, line))
        )
        if place := next(uses, None):
            found[term] = place
    return found


def with_anchors(source: str, found: Iterable[Definition]) -> str:
    """Return the text of a cell with an anchor for each of the terms that it defines."""
    for each in sorted(found, key=lambda each: each.start, reverse=True):
        marked = f"[{source[each.start : each.end]}]{{#{each.anchor}}}"
        source = source[: each.start] + marked + source[each.end :]
    return source


def undefined_terms(notebooks: Mapping[str, NotebookNode]) -> list[str]:
    """Return the bold terms without a definition."""
    return sorted(bold_terms(notebooks).keys() - _written_definitions()[1].keys())


def unused_terms(notebooks: Mapping[str, NotebookNode]) -> list[str]:
    """Return the terms and other forms in the file that no notebook contains."""
    texts, terms = _written_definitions()
    bold = bold_terms(notebooks)
    used = {terms[key] for key in bold if key in terms} | plain_terms(notebooks).keys()
    others = [key for key, term in terms.items() if key != _key(term) and key not in bold]
    return sorted([*(texts.keys() - used), *others])


def _content() -> dict[str, dict[str, str]]:
    """Return the content of the file with the definitions."""
    text = resources(__package__).joinpath("pages", "glossary.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _written_definitions() -> tuple[dict[str, str], dict[str, str]]:
    """Return the definition of each term, and the term of each key that notebooks can contain."""
    content = _content()
    terms = {_key(term): term for term in content["definitions"]}
    others = {_key(form): term for form, term in content["other_forms"].items()}
    return content["definitions"] | content["plain"], terms | others


def _text_cells(notebooks: Mapping[str, NotebookNode]) -> Iterator[tuple[NotebookNode, str]]:
    """Yield each text cell with its assignment, up to the last section."""
    for name, notebook in notebooks.items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                if LAST_SECTION in cell.source.splitlines():
                    break
                yield cell, name


def _prose_lines(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text without code, tables, and headings, each with its position.

    Of the first cell, which has a title, these are only the paragraphs: its lists announce terms,
    and its labels are bold.
    """
    position, others = 0, ("|", "#", *(("-", "*", "[") if source.startswith("# ") else ()))
    for line in BLOCK.sub(_blank, source).splitlines(keepends=True):
        if not line.startswith(others):
            yield position, line.rstrip("\n")
        position += len(line)


def _blank(found: re.Match[str]) -> str:
    """Return blanks in place of a text, so that the positions of others stay the same."""
    return re.sub(r"[^\n]", " ", found[0])


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
