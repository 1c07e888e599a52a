"""A course directory whose public repository is on this machine."""

import json
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tests.conftest import BIN, run_command
from tests.instructor.release.small_courses import ADDRESS, git, set_address
from tests.submissions import ROOT, solved

COPIED = ("course", "source", "docs", "LICENSE", "nbgrader_config.py", "pyproject.toml")


class PublicCourse:
    """A copy of this course, published to a local repository.

    Parameters
    ----------
    folder : Path
        A new folder.
    names : sequence of str
        The assignments that are published; all by default.
    """

    def __init__(self, folder: Path, names: tuple[str, ...] = ()) -> None:
        self.root, self.repository = folder / "course", folder / "public"
        self.names = names or tuple(sorted(path.name for path in ROOT.glob("source/*")))
        self.root.mkdir(parents=True)
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", *self._others())
                shutil.copytree(ROOT / name, self.root / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, self.root / name)
        set_address(self.root, ADDRESS)
        self.run("release", *self.names)
        self.run("publish", self.repository, *self.names)
        git(self.repository, "init", "--quiet", "--initial-branch", "main")
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", "The course")

    @property
    def git_variables(self) -> dict[str, str]:
        """The environment variables with which git reads the local repository at the address."""
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.repository.resolve()}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
        }

    def _others(self) -> list[str]:
        """Return the names of the assignments that are not published."""
        return [path.name for path in ROOT.glob("source/*") if path.name not in self.names]

    def run(self, command: str, *arguments: object) -> str:
        """Run a `course` command of this copy, which must succeed, and return its output."""
        environment = {"PYTHONPATH": str(self.root)}
        done = run_command(BIN / "course", "-C", self.root, command, *arguments, **environment)
        if done.returncode:
            raise RuntimeError(f"course {command} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def solved_notebook(self, name: str) -> NotebookNode:
        """Return the released notebook with the solutions filled in."""
        return nbformat.reads(json.dumps(solved(name, self.root)), as_version=4)

    def untouched_notebook(self, name: str) -> NotebookNode:
        """Return the notebook that students open."""
        return nbformat.read(self.repository / "release" / name / self.file_name(name), 4)

    def file_name(self, name: str) -> str:
        """Return the name of an assignment's notebook file."""
        (path,) = (self.root / "release" / name).glob("*.ipynb")
        return path.name

    def copy_provided_files(self, name: str, folder: Path) -> None:
        """Copy what students get beside a notebook, without the notebook itself."""
        for path in (self.repository / "release" / name).iterdir():
            if path.suffix == ".ipynb":
                continue
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, folder / path.name)

    def lost_points(self, student: str, name: str) -> dict[str, float]:
        """Return the points that each automatic test of a graded submission lost."""
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            submission = gradebook.find_submission(name, student)
            return {
                grade.name: grade.max_score - grade.auto_score
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.auto_score is not None and grade.auto_score < grade.max_score
            }
