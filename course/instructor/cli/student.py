"""`course student`: renaming and dropping students."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from course.instructor import unfinished_change
from course.instructor.course_dir import check_course_dir

if TYPE_CHECKING:
    from course.instructor.unfinished_change import UnfinishedChange

MAX_FILES = 20  # maximum number of paths that are printed


@click.group("student", no_args_is_help=False)
def command() -> None:
    """Rename or drop students, everywhere in the course."""


@command.command("rename")
@click.argument("old")
@click.argument("new")
@click.pass_obj
def rename(root: Path, old: str, new: str) -> int:
    """Give the student OLD the ID NEW.

    The ID changes in submissions, results, scores, the roster, due dates, and originals. Pages that
    show the ID are deleted; the usual commands create them again. NEW must not be in use.
    """
    check_course_dir(root)
    from course.instructor.students import change as changes

    with changes.exclusive(root):
        change = changes.unfinished(root, unfinished_change.RENAME, [old, new])
        if change:
            print(f"continuing the interrupted command: {change.command}")
        elif changes.is_complete(root, unfinished_change.RENAME, [old, new], [old]):
            print(f"already renamed: {old} -> {new}")
            return 0
        else:
            change, lines = changes.prepare_rename(root, old, new)
            print("\n".join([f"{old} -> {new}:", *lines]), flush=True)
        changes.rename(root, change)
        _print_rest(root, [old], change, skip=["submitted", "autograded", "originals"])
        unfinished_change.end(root, change)
    print(f"renamed: {old} -> {new}")
    return 0


@command.command("drop")
@click.argument("students", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def drop(root: Path, students: tuple[str, ...], yes: bool) -> int:
    """Delete everything that is stored about the students with these IDs.

    A submission that counts for a group moves to another member of the group. The command prints
    what it will delete, and asks for confirmation. Afterward, it prints what you have to delete
    yourself. Without a backup, nothing can be restored.
    """
    check_course_dir(root)
    from course.instructor.students import change as changes

    selected = list(dict.fromkeys(students))
    with changes.exclusive(root):
        change = changes.unfinished(root, unfinished_change.DROP, selected)
        if change:
            print(f"continuing the interrupted command: {change.command}")
        elif changes.is_complete(root, unfinished_change.DROP, selected, selected):
            print(f"already dropped: {', '.join(selected)}")
            return 0
        else:
            change, lines = changes.prepare_drop(root, selected)
            print("\n".join(lines), flush=True)
            if not yes and not _is_confirmed():
                print("nothing was deleted")
                return 1
        changes.drop(root, change)
        _print_rest(root, [*selected, *change.names], change, skip=[])
        unfinished_change.end(root, change)
    print(f"dropped: {', '.join(selected)}")
    print(
        "Also delete these students from backups, from exported files in other places, and from the"
        " learning platform."
    )
    return 0


def _is_confirmed() -> bool:
    """Ask whether to delete everything; return False if there is no answer."""
    try:
        return click.confirm("Delete all of this?")
    except click.Abort:
        print()
        return False


def _print_rest(
    root: Path, texts: Sequence[str], change: "UnfinishedChange", skip: list[str]
) -> None:
    """Print what is left to do by hand, and the files that still contain one of the texts."""
    from course.instructor.students import class_data, mentions

    for sentence in change.by_hand:
        print(f"To do: {sentence}")
    others = class_data.read_class(root).places
    skip = [*skip, unfinished_change.RECORD.as_posix()]
    found = mentions.find(root, texts, others, skip)
    found = [each for each in found if not any(each in sentence for sentence in change.by_hand)]
    if found:
        print("These files still contain the ID or the name: check each, and delete or edit it.")
        print("\n".join(f"  {path}" for path in found[:MAX_FILES]))
        if len(found) > MAX_FILES:
            print(f"  and {len(found) - MAX_FILES} more files")
