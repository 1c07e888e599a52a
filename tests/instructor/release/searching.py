"""A search of a folder for what no student may read: the other half of `course publish`."""

import json
import re

# What a source notebook puts between two marks of nbgrader.
PARTS = {
    "solution": ("### BEGIN SOLUTION", "### END SOLUTION"),
    "hidden test": ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"),
    "mark scheme": ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="),
}
MARKS = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS?|MARK SCHEME)")
# Shorter lines, such as "return x", say nothing about where they come from.
SHORTEST = 12


def secrets(root):
    """Return what the sources keep from students: line to what it is.

    A line that stands in a part of a source for students too is no secret. Whether the releases
    are right is what the search is to find out, so nothing here is taken from them.
    """
    kept, public = {}, []
    for path in sorted(root.glob("source/*/*.ipynb")):
        for text in _sources(path):
            for kind, (begin, end) in PARTS.items():
                between = re.compile(f"{begin}[^\n]*\n(.*?){end}", re.DOTALL)
                for part in between.findall(text):
                    # A sentence could be quoted without the others of its line.
                    for piece in map(_plain, re.split(r"\n|(?<=[.;]) ", part)):
                        kept[piece] = f"{kind} of {path.parent.name}"
                text = between.sub("", text)
            public.append(_plain(text))
    public = "\n".join(public)
    return {
        line: kind for line, kind in kept.items() if len(line) >= SHORTEST and line not in public
    }


def instructor_modules(root):
    """Return the dotted names of all modules in `course/instructor/`."""
    package = root / "course"
    modules = {
        ".".join(["course", *path.relative_to(package).with_suffix("").parts])
        for path in package.rglob("instructor/**/*.py")
    }
    return {name.removesuffix(".__init__") for name in modules}


def search(tree, secret_lines, modules):
    """Return what of it stands in a folder, as (path, what)."""
    found = []
    as_paths = {name.replace(".", "/") for name in modules}
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        name = path.relative_to(tree).as_posix()
        if name.removesuffix(".py").removesuffix("/__init__") in as_paths:
            found.append((name, "is a module of the instructor"))
        text = _all_text(path)
        found += [(name, mark[0]) for mark in MARKS.finditer(text)]
        found += [(name, f"{kind}: {line}") for line, kind in secret_lines.items() if line in text]
        words = set(re.findall(r"course(?:[./]\w+)+", text.replace(".py", "")))
        named = {word.replace("/", ".") for word in words} & modules
        found += [(name, f"names {module}") for module in sorted(named)]
    return found


def _all_text(path):
    """Return all that a file says, in plain spaces; a notebook's strings without JSON's escapes."""
    text = path.read_bytes().decode("utf-8", "replace")
    if path.suffix == ".ipynb":
        text += "\n".join(_strings(json.loads(text)))
    return _plain(text)


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            yield "".join(value)
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _sources(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def _plain(text):
    return " ".join(text.split())
