"""Writing the public tree into a folder, so that nothing of anybody else is lost in it."""

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from course.errors import CourseError
from course.instructor.file_lock import exclusive_lock

# Says in the tree what was published there; a later publication replaces and removes that alone.
MANIFEST = ".published"
# Where a file is written before it takes its place; gone when all is done.
WORKSHOP = ".publishing"
MODE = 0o644


@dataclass(frozen=True)
class Outcome:
    """What a publication did: paths in the tree."""

    written: list
    removed: list
    same: list


def check_folder(directory, root):
    """Refuse a folder into which nobody would publish on purpose.

    Parameters
    ----------
    directory : Path
        Where the tree is to stand; it need not exist.
    root : Path
        The course directory.

    Raises
    ------
    CourseError
        If it is or holds a course directory, or something else than a publication or a checkout.
    """
    here, course = directory.resolve(), root.resolve()
    elsewhere = "choose a new folder or the checkout of the public repository"
    if here.is_relative_to(course) and here.relative_to(course).parts[:1] != ("build",):
        raise CourseError(f"{directory} is in the course directory: {elsewhere}.")
    if course.is_relative_to(here):
        raise CourseError(f"{directory} holds the course directory: {elsewhere}.")
    if here.exists() and not here.is_dir():
        raise CourseError(f"{directory} is a file: {elsewhere}.")
    if (here / "nbgrader_config.py").exists():
        raise CourseError(f"{directory} is a course directory itself: {elsewhere}.")
    names = {path.name for path in here.iterdir()} - {WORKSHOP} if here.exists() else set()
    if names and not names & {MANIFEST, ".git"}:
        raise CourseError(
            f"{directory} is not empty, and neither an earlier publication nor a git checkout:"
            f" {elsewhere}."
        )
    if ".git" in names:
        history = ["log", "--all", "--max-count=1", "--format=%h", "--"]
        commit = _git(here, *history, "nbgrader_config.py", "source/*/*.ipynb").strip()
        if commit:
            raise CourseError(
                f"the history of {directory} holds the sources (commit {commit}), which everybody"
                " could read there: publish into a repository with a history of its own."
            )


def write(directory, files):
    """Make a folder hold the files, and no others that were published there before.

    A file that is the same is not touched. A killed call leaves each file whole, old or new, and
    the next one goes on.

    Parameters
    ----------
    directory : Path
        A folder that `check_folder` lets pass.
    files : dict of str to bytes
        Content by path below it.

    Returns
    -------
    Outcome

    Raises
    ------
    CourseError
        If something is in the way, or a change of somebody else would be lost.
    """
    published = _read_manifest(directory)
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    for path in [MANIFEST, *files, *published]:
        _check_way(directory, path)
    manifest = _manifest(digests.items())
    written = [path for path, content in files.items() if not _is(directory / path, content)]
    removed = [path for path in published if path not in files and (directory / path).exists()]
    outcome = Outcome(written, removed, [path for path in files if path not in written])
    workshop = directory / WORKSHOP
    is_done = _is(directory / MANIFEST, manifest) and not workshop.exists()
    if is_done and not written and not removed:
        return outcome
    _check_kept(directory, [*written, *removed], published, digests)
    with exclusive_lock(workshop, f"another publication into {directory} is under way: wait for its end."):
        # Until all is done, old and new are both known as ours.
        both = {(path, digest) for path, old in published.items() for digest in old}
        both |= set(digests.items())
        _put(directory, MANIFEST, _manifest(both))
        for path in written:
            _put(directory, path, files[path])
        for path in removed:
            _remove(directory, path)
        _put(directory, MANIFEST, manifest)
        shutil.rmtree(workshop)
    return outcome


def published_version(directory):
    """Return the version that was published here before, or None."""
    file = directory / "course" / "__init__.py"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return found and found[1]


def _manifest(entries):
    """Return the manifest's text, which `sha256sum --check` reads too."""
    lines = [f"{digest}  {path}\n" for path, digest in sorted(entries)]
    return ("# Written by course publish, which replaces these files.\n" + "".join(lines)).encode()


def _read_manifest(directory):
    """Return what was published here before: path to the digests of its content."""
    file = directory / MANIFEST
    published = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        if line.startswith("#"):
            continue
        digest, _, path = line.partition("  ")
        parts = PurePosixPath(path).parts
        if not path or path.startswith("/") or {"..", ".git"} & set(parts):
            raise CourseError(
                f"{file} is damaged ({line!r} is no line of it): take it back from git, or delete"
                " it and, by hand, what is no longer published."
            )
        published.setdefault(path, set()).add(digest)
    return published


def _check_way(directory, path):
    """Refuse where a link or a folder stands in the place of a file, or a file in a folder's."""
    place = directory / path
    folders = [
        directory.joinpath(*place.relative_to(directory).parts[:depth])
        for depth in range(1, len(Path(path).parts))
    ]
    for step in [*folders, place]:
        is_right = step.is_file() if step == place else step.is_dir()
        if step.is_symlink() or (step.exists() and not is_right):
            raise CourseError(
                f"{step} is in the way of {path}, which is to be published: move it elsewhere."
            )


def _check_kept(directory, paths, published, digests):
    """Refuse where a file would go that neither a publication wrote nor git has."""
    foreign = []
    for path in paths:
        if (directory / path).exists():
            digest = hashlib.sha256((directory / path).read_bytes()).hexdigest()
            if digest not in published.get(path, ()) and digest != digests.get(path):
                foreign.append(path)
    if foreign and (directory / ".git").exists():
        # No lock and no refreshed index: the checkout stays as it is until something is written.
        status = ["--no-optional-locks", "--literal-pathspecs", "status", "--porcelain"]
        status += ["-z", "--no-renames", "--untracked-files=all", "--ignored"]
        changed = _git(directory, *status, "--", *foreign)
        foreign = [entry[3:] for entry in changed.split("\0") if entry]
    if foreign:
        raise CourseError(
            f"{directory / foreign[0]} is not as it was published, and git does not keep it:"
            " commit it or move it elsewhere, and publish again."
        )


def _is(path, content):
    return path.is_file() and path.stat().st_mode & 0o777 == MODE and path.read_bytes() == content


def _put(directory, path, content):
    beside = directory / WORKSHOP / "next"
    beside.write_bytes(content)
    beside.chmod(MODE)
    (directory / path).parent.mkdir(parents=True, exist_ok=True)
    beside.replace(directory / path)


def _remove(directory, path):
    """Remove a file, and the folders that it leaves empty."""
    (directory / path).unlink()
    for folder in list((directory / path).parents)[: len(Path(path).parts) - 1]:
        if any(folder.iterdir()):
            break
        folder.rmdir()


def _git(directory, *arguments):
    try:
        done = subprocess.run(
            ["git", "-C", directory, *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CourseError(
            f"{directory} is a git checkout: install git, and publish again."
        ) from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason"])[0]
        raise CourseError(f"git cannot read {directory} ({reason}): mend that, and publish again.")
    return done.stdout
