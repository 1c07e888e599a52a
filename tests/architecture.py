"""Print the tree of `course/`, one line per folder and module, from their docstrings.

`python -m tests.architecture` prints it; with `--write` it replaces the tree in CONTRIBUTING.md.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- tree: begin (make tree) -->", "<!-- tree: end -->"


def summary_of(path):
    """Return the first line of a module's docstring."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[0]


def lines_below(folder, indent=""):
    """Yield the lines of a folder: its modules, then its folders, each with its summary."""
    paths = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    folders = [path.parent for path in folder.glob("*/__init__.py")]
    for path in sorted(paths):
        yield f"{indent}{path.name:<{32 - len(indent)}}  {summary_of(path)}"
    # The instructor's side comes last: it imports all the others.
    for path in sorted(folders, key=lambda each: (each.name == "instructor", each.name)):
        yield f"{indent}{path.name + '/':<{32 - len(indent)}}  {summary_of(path / '__init__.py')}"
        yield from lines_below(path, indent + "  ")


def tree():
    """Return the tree of `course/` as text."""
    package = ROOT / "course"
    first = f"{'course/':<32}  {summary_of(package / '__init__.py')}"
    return "\n".join([first, *lines_below(package, "  ")])


def guide_with(text):
    """Return CONTRIBUTING.md with the text in place of its tree."""
    guide = GUIDE.read_text(encoding="utf-8")
    before, _, rest = guide.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n```text\n{text}\n```\n\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        GUIDE.write_text(guide_with(tree()), encoding="utf-8")
    else:
        print(tree())
