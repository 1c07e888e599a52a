"""Messages, docstrings, comments and guides use the field's terms; this list is a floor."""

import re
import subprocess

import pytest

from tests.submissions import ROOT

# Word or phrase to the standard term.
REPLACED = {
    r"mend(s|ed|ing)?": "fix, repair",
    r"reckon(s|ed|ing)?": "calculate",
    r"shall": "must, or the present tense",
    r"whoever": "anyone who",
    r"hence|thereof|whereof": "so, of it",
    r"zygotes?": "forkserver",
    r"by heart": "memorize",
    r"examinations?": "test, evaluation",
    r"hand(s|ed|ing)? in": "submit",
    r"hand-ins?": "submission",
    r"sheets?": "quiz",
    r"piles?": "training set, validation set, test set",
    r"what came of": "the result of",
    r"as far as can be": "if possible",
    r"a (row|line|number) a \w+": "one row per ...",
    r"made-up": "example",
    r"laid out|lies about|lie about": "arranged, left over",
    r"colour\w*|normalis\w+|initialis\w+|optimis\w+|recognis\w+": "American spelling",
}
PATTERN = re.compile(
    "|".join(rf"(?P<r{number}>\b({word})\b)" for number, word in enumerate(REPLACED)), re.IGNORECASE
)
# Tests and submissions quote the notebooks, whose texts are still the old ones.
QUOTES_NOTEBOOKS = re.compile(
    r"tests/(notebooks/test_0|submissions/0|instructor/similarity/answer_)"
)
# Names that students, platforms or old archives use.
QUOTED = r"sheet\||(## |\")Hand in|hand-in(\"|\.zip|\.json)|style sheet|questions\.Sheet"


def texts():
    """Return the paths of the texts that people read, from the root of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.py", "*.md", "*.toml", "*.html", "*.yml", "Makefile"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    paths = [path for path in listed.stdout.split("\0") if path]
    return [
        path
        for path in paths
        if path != "tests/test_language.py" and not QUOTES_NOTEBOOKS.match(path)
    ]


@pytest.mark.parametrize("path", texts())
def test_a_text_uses_the_standard_terms(path):
    found = []
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
        for match in PATTERN.finditer(re.sub(QUOTED, "", line)):
            term = list(REPLACED.values())[int(match.lastgroup[1:])]
            found.append(f"{path}:{number}: {match[0]!r}: write {term}")
    assert not found, "\n".join(found)
