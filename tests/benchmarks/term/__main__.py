"""Play a term, compare its scores, and print a table of the times."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from course import tables
from tests.benchmarks.term.comparison import compare
from tests.benchmarks.term.example_class import MIN_STUDENTS, draw_class
from tests.benchmarks.term.play import Player, TermError
from tests.benchmarks.term.steps import Term

MAX_PROBLEMS = 40  # that are printed


def main() -> int:
    """Play and compare; the exit code is 1 if a command failed or a score is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.term", description=__doc__)
    parser.add_argument("--students", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--short", action="store_true", help="leave out commands that change no score"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the course in a new folder")
    options = parser.parse_args()
    if options.students < MIN_STUDENTS:
        parser.error(f"a class has at least {MIN_STUDENTS} students")
    # Short, because the path of a socket may have only about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="term-") as folder:
        if options.keep:
            options.keep.mkdir()
        return play(options, (options.keep or Path(folder)).resolve(), Path(folder))


def play(options: argparse.Namespace, folder: Path, runtime: Path) -> int:
    """Play a term in a folder, with sockets in another one, and print what was found."""
    start = time.monotonic()
    term = Term(folder / "course", folder / "downloads", draw_class(options.students, options.seed))
    player = Player(term, options.kills, options.seed, runtime)
    try:
        played = player.play(list(term.steps(not options.short)))
    except TermError as error:
        print(error, file=sys.stderr)
        return 1
    found = compare(term)
    rows = [
        {"step": name, "runs": played.runs[name] or len(played.kills), "seconds": f"{seconds:.1f}"}
        for name, seconds in played.seconds.most_common()
    ]
    rows.append(
        {
            "step": "the whole term",
            "runs": played.runs.total(),
            "seconds": f"{time.monotonic() - start:.1f}",
        }
    )
    for command, moment in played.kills:
        print(f"killed after {moment:.1f} s: course {command}")
    print(tables.table(rows))
    for problem in found.problems[:MAX_PROBLEMS]:
        print(problem, file=sys.stderr)
    if len(found.problems) > MAX_PROBLEMS:
        print(f"{len(found.problems) - MAX_PROBLEMS} more problems", file=sys.stderr)
    print(
        f"{options.students} students, {len(term.example.uploads)} uploads,"
        f" {len(played.kills)} kills survived, {found.scores:,} scores compared,"
        f" {found.files:,} files found, {found.pages} feedback pages,"
        f" {len(found.problems)} problems"
    )
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
