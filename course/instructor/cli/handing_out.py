"""The commands that make what students get."""

import shlex
import sys

from course import __version__
from course.errors import CourseError


def release(arguments):
    """Compile assignments, or say which releases are stale."""
    from course.instructor import course_dir
    from course.instructor.release import build

    names = course_dir.assignment_names(arguments.root, arguments.names)
    if arguments.check:
        with build.comparison(arguments.root) as stale_files:
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
        build.build(arguments.root, name)
        print(f"compiled source/{name} into release/{name}")
    return 0


def publish(arguments):
    """Write what students get into a folder: the public repository, or what goes into one."""
    from course.instructor import course_dir
    from course.instructor.release import publish as writing
    from course.instructor.release import student_package
    from course.instructor.release.address import PublicAddress

    root, directory = arguments.root, arguments.directory
    names = course_dir.assignment_names(root)
    student_package.check_course(root)
    address = PublicAddress.of_course(root)
    if not (address.is_set or arguments.without_address):
        raise CourseError(
            "c.PublicAddress.url in nbgrader_config.py is still the placeholder, so badges and"
            " install cells lead nowhere: set it and run course release, or publish with"
            " --without-address."
        )
    try:
        writing.check_folder(directory, root)
        # These take seconds, which a slip should not cost.
        from course.instructor.release import build, public_tree

        files = public_tree.public_files(root)
        with build.comparison(root) as stale_files:
            for name in names:
                print(f"comparing release/{name} with what source/{name} compiles to", flush=True)
                public_tree.check_fresh(name, stale_files(name))
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
        print(_what_next(directory, address))
    return 0


def _what_next(directory, address):
    """Return the commands that bring a publication to students."""
    if not address.is_set:
        return "Next: hand out this folder. Badges and install cells lead nowhere."
    git = f"    git -C {shlex.quote(str(directory))}"
    save = [f"{git} add --all", f"{git} commit --message 'Version {__version__}'"]
    if (directory / ".git").exists():
        lines = ["Next: look at the changes, then save and push them:"]
        lines += [f"{git} status", *save, f"{git} push origin HEAD:{address.branch}"]
    else:
        lines = ["Next: make a repository of it and push it to the address:"]
        lines += [f"{git} init --initial-branch {address.branch}", *save]
        lines += [f"{git} remote add origin {address.url}"]
        lines += [f"{git} push --set-upstream origin {address.branch}"]
    return "\n".join(lines)
