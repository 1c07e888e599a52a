"""The pages of the site that are not notebooks, as Markdown."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files as resources
from string import Template

from myst_parser.slugs import github_slugify

from course.errors import CourseError
from course.instructor.site.glossary import Definition
from course.instructor.site.opening_facts import OpeningFacts

# The sections of docs/students.md that are on the page about grading instead.
GRADING_SECTIONS = ("How you are graded", "Reading a check")
COLAB_SECTION = "A GPU on Colab"
LAPTOP_SECTION = "On a laptop"
SUBMIT_SECTION = "Submit your work"
INDEX_ENTRIES = {SUBMIT_SECTION: "how to submit"}  # queries that a section answers, in its words
STEPS = re.compile(r"^\d+\. (.+(?:\n   .+)*)", re.MULTILINE)
COMMANDS = re.compile(r"(?:^    .+\n)+", re.MULTILINE)
DRIVE_STEP = "Save a copy in Drive"  # an uploaded notebook is in Drive already
NO_ADDRESS = (
    "The badges in the notebooks of this site do not work, because they need an address that your"
    " instructor has to set. To work on Colab or Paperspace, use the buttons on your instructor's"
    " page."
)
NUMBER_WORDS = dict(enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight"], 1))


def landing(
    facts: Sequence[OpeningFacts],
    colab: Mapping[str, str],
    downloads: Mapping[str, str],
    guide: str,
    archive: str,
) -> str:
    """Return the landing page.

    `colab` maps the assignments to their addresses on Colab, and is empty if the course has no
    public address. `downloads` maps them to the paths of their notebooks in the site; `archive` is
    the path of the archive with the whole public tree.
    """
    rows = ["| Assignment | You need to know | Time | Points |", "|---|---|---|---|"]
    rows += [
        f"| [{each.name}]({each.name}.ipynb) | {_capitalized(each.required)} | {each.time}"
        f" | {each.points} |"
        for each in facts
    ]
    if colab:
        platform, need = "Colab", "you need a browser and a Google account, and nothing to install"
        start = _start_on_colab(facts[0].name, colab, downloads, guide, archive)
    else:
        platform, need = "a laptop", "you download the course and install Python and its packages"
        start = _start_on_laptop(guide, archive)
    count = len(facts)
    return _fill_in(
        "index.md",
        count=count,
        count_word=NUMBER_WORDS.get(count, count),
        hours=_hours(facts),
        points=sum(each.points for each in facts),
        figures=_figures(facts),
        table="\n".join(rows),
        platform=platform,
        anchor=github_slugify(f"Start on {platform}"),
        need=need,
        start=start,
        names="\n".join(f"{each.short_title} <{each.name}>" for each in facts),
    )


def students(guide: str, has_colab: bool) -> str:
    """Return the students' guide with a list of its sections.

    Sections that another page of the site contains are links to it: those about grading, and the
    steps on Colab if the landing page has them.
    """
    for name in GRADING_SECTIONS:
        link = f"See [{name}](grading.md#{_grading_anchor(name)})."
        guide = guide.replace(_section(guide, name), link)
    if has_colab:
        section = _section(guide, COLAB_SECTION)
        *_, last_step = STEPS.finditer(section)
        link = "To start, follow the steps in [Start on Colab](index.md#start-on-colab)."
        guide = guide.replace(section, link + section[last_step.end() :])
    names = re.findall("^## (.+)$", guide, re.MULTILINE)
    for name, entry in INDEX_ENTRIES.items():
        index = f"```{{index}} ! {entry}\n```\n"
        guide = guide.replace(f"## {name}\n", f"{index}\n## {name}\n")
    contents = "\n".join(f"- [{name}](#{github_slugify(name)})" for name in names)
    title, _, text = guide.partition("\n")
    note = "" if has_colab else f"{NO_ADDRESS}\n\n"
    return f"{title}\n\n{note}{contents}\n{text}"


def grading(facts: Sequence[OpeningFacts], guide: str) -> str:
    """Return the page about grading, with the sections of the students' guide about it."""
    rows = ["| Assignment | By a program | By a person | Total |", "|---|--:|--:|--:|"]
    links = [f"[{each.name}]({each.name}.ipynb)" for each in facts]
    manual, total = [each.manual_points for each in facts], [each.points for each in facts]
    for name, by_person, points in zip(
        [*links, "All"], [*manual, sum(manual)], [*total, sum(total)], strict=True
    ):
        rows.append(f"| {name} | {points - by_person} | {by_person} | {points} |")
    sections = [f"## {name}\n\n{_section(guide, name)}" for name in GRADING_SECTIONS]
    # The page itself has the first name.
    sections[0] = sections[0].replace(GRADING_SECTIONS[0], "The rules", 1)
    text = "\n\n".join(sections).replace("](#", "](students.md#")
    submit = f"[{SUBMIT_SECTION}](students.md#{github_slugify(SUBMIT_SECTION)})"
    return _fill_in("grading.md", submit=submit, table="\n".join(rows), sections=text)


def glossary(definitions: Sequence[Definition]) -> str:
    """Return the glossary, with a heading for each letter."""
    entries, letter = [], ""
    for each in definitions:
        if each.term[0].upper() != letter:
            letter = each.term[0].upper()
            entries.append(f"## {letter}")
        term = _capitalized(each.term)
        entries.append(f"{term}\n: {each.text} ([{each.name}](#{each.anchor}))")
    return _fill_in("glossary.md", count=len(definitions), entries="\n\n".join(entries))


def instructors(facts: Sequence[OpeningFacts], url: str | None) -> str:
    """Return the tour for instructors; `url` is the address of the public repository, if set."""
    repository, contact = "the public repository", "Ask the person who publishes this site"
    if url:
        repository += ", which the buttons on these pages open"
        contact = f"Ask those who publish this site, for example with an [issue]({url}/issues),"
    points = sum(each.points for each in facts)
    manual = sum(each.manual_points for each in facts)
    return _fill_in(
        "instructors.md",
        repository=repository,
        contact=contact,
        count=len(facts),
        hours=_hours(facts),
        points=points,
        manual=manual,
        automatic=points - manual,
    )


def _hours(facts: Sequence[OpeningFacts]) -> int:
    """Return how many hours all assignments take."""
    return round(sum(each.minutes for each in facts) / 60)


def _figures(facts: Sequence[OpeningFacts]) -> str:
    """Return the figures of the finished results, with what you do in each assignment."""
    captions = tomllib.loads(_page("captions.toml"))
    figures = []
    for each in facts:
        if each.figure:
            image = f"_images/{each.name}.png"
            figures.append(
                f'<figure><a class="image" href="{image}"><img src="{image}"'
                f' alt="{escape(each.alt)}"></a><figcaption>'
                f'<a href="{each.name}.html">{escape(each.title)}</a>'
            )
            if caption := captions.get(each.name):
                figures[-1] += f"<p>{escape(caption)}</p>"
            figures[-1] += "</figcaption></figure>"
    return "\n".join(figures)


def _start_on_colab(
    name: str, colab: Mapping[str, str], downloads: Mapping[str, str], guide: str, archive: str
) -> str:
    """Return the steps to an assignment on Colab: with its button, and with its file."""
    steps = STEPS.findall(_section(guide, COLAB_SECTION))[1:]
    with_button = [f"[Open {name} in Colab]({colab[name]}), and sign in.", *steps]
    with_file = [
        f'<a href="{downloads[name]}" download>Download {name}</a>.',
        "Open <https://colab.research.google.com>, and sign in.",
        "Choose **File > Upload notebook**, and select the file. Colab saves it in your Drive.",
        *(step for step in steps if DRIVE_STEP not in step),
    ]
    return (
        f"With the button, which is the shortest way:\n\n{_numbered(with_button)}\n\n"
        f"With the file, if your instructor gave you one:\n\n{_numbered(with_file)}\n\n"
        "To continue later, open the notebook in your Drive, and run all cells again.\n\n"
        "To use Kaggle, Paperspace, or your own computer instead, read"
        " [Where to work](students.md#where-to-work). For your own computer,"
        f' <a href="{archive}" download>download the course</a>: the archive contains all notebooks'
        " and the list of packages to install."
    )


def _start_on_laptop(guide: str, archive: str) -> str:
    """Return the steps to the first assignment on a laptop, without the course's address."""
    commands = COMMANDS.findall(_section(guide, LAPTOP_SECTION) + "\n")[:2]
    steps = [
        "Install Python 3.11, 3.12, or 3.13.",
        f'<a href="{archive}" download>Download the course</a>, and unpack the archive.',
        "Open a terminal in the folder that contains `requirements.txt`. Create an environment, and"
        f" activate it:\n\n{commands[0]}",
        f"Install the course, and start JupyterLab:\n\n{commands[1]}",
        "In JupyterLab, open the folder `release`, and in it the first notebook.",
    ]
    return (
        f"{_numbered(steps)}\n\n"
        f"[{LAPTOP_SECTION}](students.md#{github_slugify(LAPTOP_SECTION)}) has the details. To work"
        " on Colab instead, use the Colab buttons on your instructor's page."
    )


def _numbered(steps: Sequence[str]) -> str:
    """Return a numbered list, with the further paragraphs of a step indented."""
    items = []
    for number, step in enumerate(steps, start=1):
        first, *others = step.split("\n")
        others = [f"   {line.strip() if not line.startswith('    ') else line}" for line in others]
        items.append("\n".join([f"{number}. {first}", *others]).rstrip())
    return "\n".join(items)


def _capitalized(text: str) -> str:
    """Return a text whose first letter is a capital."""
    return text[:1].upper() + text[1:]


def _grading_anchor(name: str) -> str:
    """Return the anchor of a section on the page about grading, whose first one is its top."""
    return github_slugify("The rules" if name == GRADING_SECTIONS[0] else name)


def _section(guide: str, heading: str) -> str:
    """Return the text of a section of the students' guide."""
    found = re.search(
        rf"^## {re.escape(heading)}\n(.+?)(?=^## |\Z)", guide, re.MULTILINE | re.DOTALL
    )
    if not found:
        raise CourseError(
            f"docs/students.md has no section {heading!r}, which the site shows: add it, or change"
            " the names in course/instructor/site/text_pages.py."
        )
    return found[1].strip()


def _fill_in(template: str, **values: object) -> str:
    """Return a page made from a template in pages/."""
    return Template(_page(template)).substitute(values)


def _page(name: str) -> str:
    """Return the text of a file in pages/."""
    return resources(__package__).joinpath("pages", name).read_text(encoding="utf-8")
