"""The pages of the site that are not notebooks, as Markdown."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files as resources
from string import Template

import course
from course.errors import CourseError
from course.instructor.site.glossary import Definition
from course.instructor.site.opening_facts import OpeningFacts

# The sections of docs/students.md on the page about grading.
GRADING_SECTIONS = ("How you are graded", "Reading a check")
START_SECTION = "A GPU on Colab"


def landing(
    facts: Sequence[OpeningFacts],
    colab: Mapping[str, str],
    downloads: Mapping[str, str],
    guide: str,
    archive: str,
) -> str:
    """Return the landing page.

    `colab` maps the assignments to their addresses on Colab, and `downloads` to the paths of their
    notebooks in the site; `archive` is the path of the archive with the whole public tree.
    """
    figures = [
        f'<figure><a href="{each.name}.html"><img src="_images/{each.name}.png"'
        f' alt="Finished result of {each.name}" loading="lazy"></a><figcaption>'
        f'<a href="{each.name}.html">{escape(each.title)}</a><br>{escape(each.alt)}'
        "</figcaption></figure>"
        for each in facts
        if each.figure
    ]
    rows = ["| Assignment | You need to know | Time | Points |", "|---|---|---|---|"]
    rows += [
        f"| [{each.name}]({each.name}.ipynb) | {each.required} | {each.time} | {each.points} |"
        for each in facts
    ]
    return _fill_in(
        "index.md",
        count=len(facts),
        hours=round(sum(each.minutes for each in facts) / 60),
        points=sum(each.points for each in facts),
        version=course.__version__,
        figures="\n".join(figures),
        table="\n".join(rows),
        start=_start(facts[0], colab, downloads, guide),
        names="\n".join(each.name for each in facts),
        archive=archive,
    )


def grading(facts: Sequence[OpeningFacts], guide: str) -> str:
    """Return the page about grading, with the sections of the students' guide about it."""
    rows = ["| Assignment | Points | Graded by |", "|---|---|---|"]
    rows += [
        f"| [{each.name}]({each.name}.ipynb) | {each.points} | {each.graded} |" for each in facts
    ]
    sections = [f"## {name}\n\n{_section(guide, name)}" for name in GRADING_SECTIONS]
    # The page itself has the first name.
    sections[0] = sections[0].replace(GRADING_SECTIONS[0], "The rules", 1)
    text = "\n\n".join(sections).replace("](#", "](students.md#")
    return _fill_in("grading.md", table="\n".join(rows), sections=text)


def glossary(definitions: Sequence[Definition]) -> str:
    """Return the glossary, with a heading for each letter."""
    entries, letter = [], ""
    for each in definitions:
        if each.term[0].upper() != letter:
            letter = each.term[0].upper()
            entries.append(f"## {letter}")
        term = each.term[0].upper() + each.term[1:]
        entries.append(f"{term}\n: {each.text} ([{each.name}](#{each.name}-{each.cell}))")
    return _fill_in("glossary.md", count=len(definitions), entries="\n\n".join(entries))


def instructors() -> str:
    """Return the tour for instructors."""
    return _fill_in("instructors.md")


def _start(
    first: OpeningFacts, colab: Mapping[str, str], downloads: Mapping[str, str], guide: str
) -> str:
    """Return the steps to the first assignment on Colab."""
    steps = re.findall(r"^\d+\. (.+(?:\n   .+)*)", _section(guide, START_SECTION), re.MULTILINE)
    if address := colab.get(first.name):
        opening = f"[Open {first.name} in Colab]({address}), and sign in."
    else:
        opening = (
            "Your instructor's page has a Colab button for each notebook. Alternatively,"
            f' <a href="{downloads[first.name]}" download>download {first.name}</a>, open'
            " <https://colab.research.google.com>,"
            " and choose **File > Upload notebook**."
        )
    steps = [opening, *steps[1:]]
    steps.append("To continue later, open the copy in your Drive, and run all cells again.")
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))


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
    text = resources(__package__).joinpath("pages", template).read_text(encoding="utf-8")
    return Template(text).substitute(values)
