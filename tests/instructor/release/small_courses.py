"""Small courses to publish: a copy of `course/` and one assignment that does not use Keras."""

import shutil
from pathlib import Path

from tests.conftest import BIN, cell, run_command, write_notebook
from tests.submissions import ROOT

ADDRESS = "https://github.com/some-school/cnns"
TITLE = (
    "# One, and then two\n\n[![Open in Colab](https://example.org/badge.svg)]({{COLAB}})\n"
    "[![Run on Paperspace](https://example.org/badge.svg)]({{PAPERSPACE}})"
)
INSTALL = """\
import importlib.util
if importlib.util.find_spec('course') is None:
    %pip install -q '{{INSTALL}}'"""
SOLUTION = """\
def one():
    ### BEGIN SOLUTION Return the number one.
    return 3 - 2
    ### END SOLUTION"""
TEST = """\
assert one() == 1
### BEGIN HIDDEN TESTS
assert type(one()) is int
### END HIDDEN TESTS"""


def create_course(root, *cells, address=ADDRESS):
    """Create a course directory that is not compiled yet, and return it."""
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course", root / "course", ignore=without_caches)
    for name in ("nbgrader_config.py", "pyproject.toml", "LICENSE", "docs/students.md"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    if address:
        set_address(root, address)
    folder = root / "source" / "01-small"
    write_notebook(
        folder / "small.ipynb",
        [
            cell("markdown", TITLE),
            cell("code", INSTALL),
            cell("code", "import course\nfrom course import checks"),
            cell("code", SOLUTION, "one"),
            cell("code", TEST, "test_one", points=1),
            *cells,
        ],
    )
    (folder / "heights.csv").write_text("name,height\nada,170\n")
    return root


def set_address(root, address):
    """Set the public address of a course directory."""
    text = f'c.PublicAddress.url = "{address}"'
    replace_line(root / "nbgrader_config.py", text, line="c.PublicAddress.url = ")


def replace_line(path, text, line):
    """Replace the only line of a file that starts with `line`."""
    lines = path.read_text().splitlines()
    (position,) = (number for number, each in enumerate(lines) if each.startswith(line))
    lines[position] = text
    path.write_text("\n".join(lines) + "\n")


def run_course(root, *arguments):
    """Run `course` from the `course/` of a course directory."""
    return run_command(BIN / "course", "-C", root, *arguments, PYTHONPATH=str(root))


def publish(root, directory, *flags):
    """Publish a course directory and return the output of the command, which must succeed."""
    done = run_course(root, "publish", directory, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(tree):
    """Return the content of all files in a folder except git's."""
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in sorted(Path(tree).rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(tree).parts
    }


def git(directory, *arguments):
    """Run git in a folder and return its output; it must succeed."""
    identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    done = run_command("git", "-C", directory, *identity, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
