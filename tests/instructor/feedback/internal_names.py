"""Names of the course's own code that mean nothing to a student: modules, classes, and paths."""

import ast
import html
import re

from tests.submissions import ROOT

# Words in a text of the course can be the name of a class; compound names cannot.
COMPOUND_NAME = re.compile(r"_*[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+")
CLASSES = {
    node.name
    for path in (ROOT / "course" / "instructor").rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ClassDef) and COMPOUND_NAME.fullmatch(node.name)
}
INTERNAL = re.compile(
    rf"\b(course\.(instructor|gradable|errors)\b[\w.]*|{'|'.join(sorted(CLASSES))})\b"
    rf"|<locals>|{re.escape(str(ROOT))}"
)
STYLE = re.compile("<style.*?</style>", re.DOTALL)
# In the code that a page shows, the student or the instructor has written the names.
CODE = re.compile('<pre class="highlight".*?</pre>', re.DOTALL)


def internal_names(page):
    """Return the internal names that a feedback page shows outside code."""
    text = re.sub("<[^>]*>", "", CODE.sub("", STYLE.sub("", page)))
    return {each[0] for each in INTERNAL.finditer(html.unescape(text))}
