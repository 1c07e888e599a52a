"""`course publish`: writing the public tree."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course import __version__
from course.errors import CourseError
from course.instructor.cli import options
from course.instructor.course_dir import assignment_names

if TYPE_CHECKING:
    from course.instructor.release.public_address import PublicAddress


@click.command("publish")
@click.argument("directory", type=options.PATH, metavar="DIR")
@options.names
@click.option(
    "--without-address",
    is_flag=True,
    help="Publish even if the public address is still a placeholder; badges and install cells then"
    " do not work.",
)
@click.pass_obj
def command(root: Path, directory: Path, names: tuple[str, ...], without_address: bool) -> int:
    """Write the public tree for students to DIR.

    DIR is a new folder or a checkout of the public repository. NAME is an assignment to publish,
    such as 02-mnist; without names, all are published. Assignments that were published before, but
    are not named, are removed from DIR.
    """
    from course.instructor.release import publisher, student_package
    from course.instructor.release.public_address import PublicAddress

    selected = assignment_names(root, names)
    student_package.check_course(root)
    address = PublicAddress.of_course(root)
    if not (address.is_set or without_address):
        raise CourseError(
            "c.PublicAddress.url in nbgrader_config.py is still the placeholder, so badges and"
            " install cells would not work: set it and run course release, or publish with"
            " --without-address."
        )
    try:
        publisher.check_folder(directory, root)
        # These imports take seconds, so the folder is checked first.
        from course.instructor.release import build, public_files

        files = public_files.public_files(root, selected)
        with build.comparison(root) as stale_files:
            for name in selected:
                print(f"comparing release/{name} with what source/{name} compiles to", flush=True)
                public_files.check_fresh(name, stale_files(name))
        previous_version = publisher.published_version(directory)
        changes = publisher.write(directory, files)
    except OSError as error:
        raise CourseError(
            f"cannot read or write {error.filename or directory} ({error.strerror}): fix the"
            " problem, then publish again."
        ) from None
    print(
        f"version {__version__} in {directory}: {len(changes.written)} files written,"
        f" {len(changes.removed)} removed, {len(changes.unchanged)} unchanged"
    )
    changed = changes.written + changes.removed
    if previous_version == __version__ and any(path.startswith("course/") for path in changed):
        print(
            f"note: course/ has changed but is still version {__version__}, so pip does not update"
            " it where it is installed: raise __version__ in course/__init__.py and publish again."
        )
    if changed:
        print(_next_steps(directory, address))
    return 0


def _next_steps(directory: Path, address: "PublicAddress") -> str:
    """Return the commands that make a publication available to students."""
    if not address.is_set:
        return "Next: give this folder to students. Badges and install cells do not work."
    git = f"    git -C {shlex.quote(str(directory))}"
    commit = [f"{git} add --all", f"{git} commit --message 'Version {__version__}'"]
    if (directory / ".git").exists():
        lines = ["Next: review the changes, then commit and push them:"]
        lines += [f"{git} status", *commit, f"{git} push origin HEAD:{address.branch}"]
    else:
        lines = ["Next: make the folder a repository and push it to the public address:"]
        lines += [f"{git} init --initial-branch {address.branch}", *commit]
        lines += [f"{git} remote add origin {address.url}"]
        lines += [f"{git} push --set-upstream origin {address.branch}"]
    return "\n".join(lines)
