"""The commands that make what students get."""

import shlex
import sys

from course import __version__, address
from course.errors import CourseError


def release(arguments):
    """Compile assignments, or say which releases are stale."""
    from course.grading import coursework, releases

    names = coursework.assignment_names(arguments.root, arguments.names)
    if arguments.check:
        with releases.comparison(arguments.root) as stale_files:
            stale = [path for name in names for path in stale_files(name)]
        for path in stale:
            print(
                f"stale: {path} is not what source/ compiles to: run course release.",
                file=sys.stderr,
            )
        if not stale:
            print(f"fresh: {', '.join(names)}")
        return 1 if stale else 0
    for name in names:
        releases.build(arguments.root, name)
        print(f"compiled source/{name} into release/{name}")
    return 0


def publish(arguments):
    """Write what students get into a folder: the public repository, or what goes into one."""
    from course.grading import coursework
    from course.publishing import kit, writing

    root, directory = arguments.root, arguments.directory
    names = coursework.assignment_names(root)
    kit.check_course(root)
    if not (address.is_set() or arguments.without_address):
        raise CourseError(
            "course/address.py still has the placeholder, so that badges and install cells lead"
            " nowhere: set ADDRESS and run course release, or type --without-address to publish"
            " without them."
        )
    try:
        writing.check_folder(directory, root)
        # These take seconds, which a slip should not cost.
        from course.grading import releases
        from course.publishing import tree

        files = tree.public_files(root)
        with releases.comparison(root) as stale_files:
            for name in names:
                print(f"comparing release/{name} with what source/{name} compiles to", flush=True)
                tree.check_fresh(name, stale_files(name))
        version_before = writing.published_version(directory)
        outcome = writing.write(directory, files)
    except OSError as error:
        raise CourseError(
            f"{error.filename or directory} cannot be read or written ({error.strerror}): see to"
            " that, and publish again."
        ) from None
    print(
        f"version {__version__} in {directory}: {len(outcome.written)} files written,"
        f" {len(outcome.removed)} removed, {len(outcome.same)} the same"
    )
    changed = outcome.written + outcome.removed
    if version_before == __version__ and any(path.startswith("course/") for path in changed):
        print(
            f"note: course/ has changed and is still version {__version__}, so pip keeps the older"
            " one where it is installed: raise __version__ in course/__init__.py, and publish"
            " again."
        )
    if changed:
        print(_what_next(directory))
    return 0


def _what_next(directory):
    """Return the commands that bring a publication to students."""
    if not address.is_set():
        return "Next: hand out this folder. Badges and install cells lead nowhere."
    git = f"    git -C {shlex.quote(str(directory))}"
    save = [f"{git} add --all", f"{git} commit --message 'Version {__version__}'"]
    if (directory / ".git").exists():
        lines = ["Next: look at the changes, then save and push them:"]
        lines += [f"{git} status", *save, f"{git} push origin HEAD:{address.BRANCH}"]
    else:
        lines = ["Next: make a repository of it and push it to the address:"]
        lines += [f"{git} init --initial-branch {address.BRANCH}", *save]
        lines += [f"{git} remote add origin {address.ADDRESS}"]
        lines += [f"{git} push --set-upstream origin {address.BRANCH}"]
    return "\n".join(lines)
