"""Writing the public tree into a folder without losing anyone's files."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from course.errors import CourseError
from course.files import write_atomically
from course.instructor.file_lock import exclusive_lock

# Lists the published files; a later publication replaces and removes only these.
MANIFEST = ".published"
# Holds the lock and the file that is being written; removed at the end. A killed publication
# therefore leaves no incomplete file elsewhere in a checkout.
STAGING = ".publishing"
MODE = 0o644


@dataclass(frozen=True)
class Changes:
    """The paths that a publication wrote, removed, or found unchanged."""

    written: list[str]
    removed: list[str]
    unchanged: list[str]


def check_folder(directory: Path, root: Path) -> None:
    """Raise CourseError if a folder is not suitable for the public tree of a course directory.

    A folder is unsuitable if it is inside this course directory (except in `build/`), contains it,
    or is any course directory; if it is a file; if its git history contains the sources; or if it
    is neither empty, nor an earlier publication, nor a git checkout. It does not need to exist.
    """
    resolved, course = directory.resolve(), root.resolve()
    advice = "choose a new folder or the checkout of the public repository"
    if resolved.is_relative_to(course) and resolved.relative_to(course).parts[:1] != ("build",):
        raise CourseError(f"{directory} is in the course directory: {advice}.")
    if course.is_relative_to(resolved):
        raise CourseError(f"{directory} contains the course directory: {advice}.")
    if resolved.exists() and not resolved.is_dir():
        raise CourseError(f"{directory} is a file: {advice}.")
    if (resolved / "nbgrader_config.py").exists():
        raise CourseError(f"{directory} is a course directory itself: {advice}.")
    names = {path.name for path in resolved.iterdir()} - {STAGING} if resolved.exists() else set()
    if names and not names & {MANIFEST, ".git"}:
        raise CourseError(
            f"{directory} is not empty, and is neither an earlier publication nor a git checkout:"
            f" {advice}."
        )
    if ".git" in names:
        history = ["log", "--all", "--max-count=1", "--format=%h", "--"]
        commit = _git(resolved, *history, "nbgrader_config.py", "source/*/*.ipynb").strip()
        if commit:
            raise CourseError(
                f"the git history of {directory} contains the sources (commit {commit}), which"
                " everyone could read there: publish to a repository with a separate history."
            )


def write(directory: Path, files: dict[str, bytes]) -> Changes:
    """Write the files, given by path in the folder, and remove other files published earlier.

    Unchanged files are not touched. A killed call leaves each file complete, either old or new, and
    the next call does the rest. Raises CourseError if a file is in the way or edits would be lost.
    """
    published = _read_manifest(directory)
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    for path in [MANIFEST, *files, *published]:
        _check_path(directory, path)
    manifest = _manifest(digests.items())
    written = [path for path, content in files.items() if not _holds(directory / path, content)]
    removed = [path for path in published if path not in files and (directory / path).exists()]
    changes = Changes(written, removed, [path for path in files if path not in written])
    staging = directory / STAGING
    is_complete = _holds(directory / MANIFEST, manifest) and not staging.exists()
    if is_complete and not written and not removed:
        return changes
    _check_unmodified(directory, [*written, *removed], published, digests)
    error_message = f"another publication to {directory} is running: wait until it ends."
    with exclusive_lock(staging, error_message):
        # Until everything is written, the manifest lists both the old and the new content.
        both = {(path, digest) for path, old in published.items() for digest in old}
        both |= set(digests.items())
        _write_file(directory, MANIFEST, _manifest(both))
        for path in written:
            _write_file(directory, path, files[path])
        for path in removed:
            _remove(directory, path)
        _write_file(directory, MANIFEST, manifest)
        shutil.rmtree(staging)
    return changes


def published_version(directory: Path) -> str | None:
    """Return the version of the course that was last published to a folder."""
    file = directory / "course" / "__init__.py"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return match and match[1]


def _manifest(entries: Iterable[tuple[str, str]]) -> bytes:
    """Return the text of a manifest, in the format of `sha256sum --check`."""
    lines = [f"{digest}  {path}\n" for path, digest in sorted(entries)]
    return ("# Written by course publish, which replaces these files.\n" + "".join(lines)).encode()


def _read_manifest(directory: Path) -> dict[str, set[str]]:
    """Return the published paths, each with the digests that its content may have.

    After an interrupted publication, these are the digests of the old and of the new content.
    """
    file = directory / MANIFEST
    published: dict[str, set[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        if line.startswith("#"):
            continue
        digest, _, path = line.partition("  ")
        parts = PurePosixPath(path).parts
        if not path or path.startswith("/") or {"..", ".git"} & set(parts):
            raise CourseError(
                f"{file} is damaged ({line!r} is not a valid entry): restore it from git, or delete"
                " it and any files that should no longer be published."
            )
        published.setdefault(path, set()).add(digest)
    return published


def _check_path(directory: Path, path: str) -> None:
    """Raise CourseError if a link, or a folder in place of a file or vice versa, is in the way."""
    for part in [*reversed(Path(path).parents[:-1]), Path(path)]:
        step = directory / part
        has_right_kind = step.is_file() if part == Path(path) else step.is_dir()
        if step.is_symlink() or (step.exists() and not has_right_kind):
            raise CourseError(
                f"{step} is in the way of {path}, which is to be published: move {step} elsewhere."
            )


def _check_unmodified(
    directory: Path, paths: list[str], published: dict[str, set[str]], digests: dict[str, str]
) -> None:
    """Raise CourseError if a file with changes that are not in git would be lost."""
    modified = []
    for path in paths:
        if (directory / path).exists():
            digest = hashlib.sha256((directory / path).read_bytes()).hexdigest()
            if digest not in published.get(path, ()) and digest != digests.get(path):
                modified.append(path)
    if modified and (directory / ".git").exists():
        # Take no lock and do not refresh the index: nothing changes before the first write.
        status = ["--no-optional-locks", "--literal-pathspecs", "status", "--porcelain"]
        status += ["-z", "--no-renames", "--untracked-files=all", "--ignored"]
        changed = _git(directory, *status, "--", *modified)
        modified = [entry[3:] for entry in changed.split("\0") if entry]
    if modified:
        raise CourseError(
            f"{directory / modified[0]} has changed since it was published, and the change is not"
            " in git: commit it or move the file elsewhere, and publish again."
        )


def _holds(path: Path, content: bytes) -> bool:
    """Return whether a file has this content and the public file mode."""
    return path.is_file() and path.stat().st_mode & 0o777 == MODE and path.read_bytes() == content


def _write_file(directory: Path, path: str, content: bytes) -> None:
    """Atomically write or replace a file."""
    staged = directory / STAGING / "next"
    write_atomically(staged, content)
    staged.chmod(MODE)
    (directory / path).parent.mkdir(parents=True, exist_ok=True)
    staged.replace(directory / path)


def _remove(directory: Path, path: str) -> None:
    """Remove a file and the folders that it leaves empty."""
    (directory / path).unlink()
    for folder in Path(path).parents[:-1]:
        if any((directory / folder).iterdir()):
            break
        (directory / folder).rmdir()


def _git(directory: Path, *arguments: str) -> str:
    """Return the output of a git command in a folder."""
    try:
        done = subprocess.run(
            ["git", "-C", directory, *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CourseError(
            f"{directory} is a git checkout, but git is not installed: install it and publish"
            " again."
        ) from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise CourseError(f"git cannot read {directory} ({reason}): fix this, then publish again.")
    return done.stdout
