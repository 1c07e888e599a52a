"""Searches a folder for content that students must not read."""

import json
import re

# The parts of a source notebook between two of nbgrader's markers.
PARTS = {
    "solution": ("### BEGIN SOLUTION", "### END SOLUTION"),
    "hidden test": ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"),
    "mark scheme": ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="),
}
MARKERS = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS?|MARK SCHEME)")
# An import of a public module reveals nothing.
PUBLIC_IMPORT = re.compile(
    r"(import|from) (?!course\.instructor)[\w.]+( import [\w, ]+)?( as \w+)?"
)
# Shorter lines, such as "return x", can come from anywhere.
MIN_LENGTH = 12


def secrets(root):
    """Return the secret lines of the sources, each with a description.

    A line that also occurs in a public part of a source is not secret. The releases are not used,
    because the search checks them.
    """
    secret, public_parts = {}, []
    for path in sorted(root.glob("source/*/*.ipynb")):
        for text in _sources(path):
            for kind, (begin, end) in PARTS.items():
                between = re.compile(f"{begin}[^\n]*\n(.*?){end}", re.DOTALL)
                for part in between.findall(text):
                    # A sentence could be copied without the rest of its line.
                    for piece in map(_plain, re.split(r"\n|(?<=[.;]) ", part)):
                        secret[piece] = f"{kind} of {path.parent.name}"
                text = between.sub("", text)
            public_parts.append(_plain(text))
    public = "\n".join(public_parts)
    return {
        line: kind
        for line, kind in secret.items()
        if len(line) >= MIN_LENGTH and line not in public and not PUBLIC_IMPORT.fullmatch(line)
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
    """Return the secrets that a folder contains, as (path, description)."""
    found = []
    as_paths = {name.replace(".", "/") for name in modules}
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        name = path.relative_to(tree).as_posix()
        if name.removesuffix(".py").removesuffix("/__init__") in as_paths:
            found.append((name, "is an instructor module"))
        text = _all_text(path)
        found += [(name, marker[0]) for marker in MARKERS.finditer(text)]
        found += [(name, f"{kind}: {line}") for line, kind in secret_lines.items() if line in text]
        words = set(re.findall(r"course(?:[./]\w+)+", text.replace(".py", "")))
        named = {word.replace("/", ".") for word in words} & modules
        found += [(name, f"names {module}") for module in sorted(named)]
    return found


def _all_text(path):
    """Return the text of a file with single spaces; a notebook's strings also without escapes."""
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
