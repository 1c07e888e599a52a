"""The commands that make what students get."""

import sys


def release(arguments):
    """Compile assignments, or say which releases are stale."""
    from course.grading import coursework, releases

    names = coursework.assignment_names(arguments.root, arguments.names)
    if arguments.check:
        stale = [path for name in names for path in releases.stale_files(arguments.root, name)]
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
