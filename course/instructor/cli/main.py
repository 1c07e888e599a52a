"""The command `course`: its arguments, and what its errors say.

Modules that take seconds to import are imported by the commands that need them, so that
`course --help` and a mistyped name answer at once.
"""

import argparse
import os
import sys
from pathlib import Path

from course import __version__
from course.errors import CourseError
from course.instructor.cli import collecting, grading, handing_out, running
from course.profiles import PROFILES


def main(arguments=None):
    """Run the command line and return the exit code: 0 only when all went well."""
    parsed = _parser().parse_args(arguments)
    # nbgrader starts `alembic`, Jupyter its kernels: find both without an activated environment.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        code = parsed.command(parsed)
        sys.stdout.flush()
        return code
    except CourseError as error:
        print(f"course: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if not extra:
            raise
        how = "run make demo in the course directory, or " if extra == "instructor" else ""
        there = "there" if how else "in the course directory"
        print(
            f"course: this command needs {error.name}, which is not installed: {how}pip install"
            f" '.[{extra}]' {there}.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(
            "course: stopped; what is done is kept, so run the same command to go on.",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        # As in `course grade | head`. Python would write the rest at its end, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(
            "course: stopped, as nobody reads the output any more; what is done is kept, so run"
            " the same command to go on.",
            file=sys.stderr,
        )
        return 1
    except Exception as error:
        if not _is_of_database(error):
            raise
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        print(
            f"course: the gradebook cannot be used ({reason}): see that its file or server is"
            " there and free, and CourseDirectory.db_url in nbgrader_config.py right.",
            file=sys.stderr,
        )
        return 1


# Package to the extra of pyproject.toml that brings it.
EXTRAS = dict.fromkeys(
    ["jinja2", "nbclient", "nbconvert", "nbformat", "nbgrader", "papermill", "traitlets"],
    "instructor",
) | {"psycopg": "postgres"}


def _is_of_database(error):
    """Return whether an error comes from the gradebook's database or its address."""
    exceptions = sys.modules.get("sqlalchemy.exc")
    return bool(exceptions) and isinstance(error, (exceptions.DBAPIError, exceptions.ArgumentError))


def _parser():
    parser = argparse.ArgumentParser(prog="course", description="Building CNNs with Keras.")
    parser.add_argument("--version", action="version", version=f"course {__version__}")
    parser.add_argument(
        "-C",
        dest="root",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the course directory (default: here)",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name, function, summary, names="*"):
        command = subparsers.add_parser(name, help=summary, description=summary)
        command.set_defaults(command=function)
        if names:
            command.add_argument(
                "names", nargs=names, metavar="NAME", help="assignments; none means all"
            )
        return command

    release = add("release", handing_out.release, "Compile source/ into release/.")
    release.add_argument(
        "--check", action="store_true", help="change nothing; fail if release/ is stale"
    )

    publish = add("publish", handing_out.publish, "Write the public tree for students.", names=None)
    publish.add_argument(
        "directory",
        type=Path,
        metavar="DIR",
        help="a new folder, or the checkout of the public repository",
    )
    publish.add_argument(
        "--without-address",
        action="store_true",
        help="publish though ADDRESS is the placeholder: badges and install cells lead nowhere",
    )

    collect = add("collect", collecting.collect, "Take in what students handed in.", names=None)
    collect.add_argument(
        "path", type=Path, metavar="PATH", help="a folder, a zip archive, or a notebook"
    )
    collect.add_argument(
        "names", nargs="*", metavar="NAME", help="assignments that it may hold; none means all"
    )
    collect.add_argument(
        "--roster", type=Path, metavar="FILE", help="the class as CSV (default: roster.csv)"
    )
    collect.add_argument("--student", metavar="S", help="whose all of it is")
    collect.add_argument(
        "--force", action="store_true", help="replace submissions that are there; they are kept"
    )

    grade = add("grade", grading.grade, "Grade what lies in submitted/.")
    grade.add_argument("--student", metavar="S", help="only this student's submission")
    grade.add_argument("--force", action="store_true", help="grade again what is graded already")
    _add_where(grade, "grade", "submissions side by side (default: one a core)")
    grade.add_argument(
        "--no-isolation",
        action="store_true",
        help="run submissions without a sandbox, with your rights; only for work that you trust",
    )

    evidence = add("evidence", grading.evidence, "Measure the weights that students handed in.")
    evidence.add_argument("--student", metavar="S", help="only this student's")

    similar = add("similar", grading.similar, "List submissions that are remarkably alike.")
    similar.add_argument(
        "--most",
        type=_at_least_one,
        default=20,
        metavar="N",
        help="list N pairs or groups at most (default: 20)",
    )

    feedback = add("feedback", grading.feedback, "Write feedback pages for what is graded.")
    feedback.add_argument("--student", metavar="S", help="only this student's page")
    feedback.add_argument(
        "--workers",
        type=_at_least_one,
        metavar="N",
        help="pages side by side (default: one a core)",
    )

    export = add("export", grading.export, "Write the scores into a file.", names=None)
    export.add_argument("path", type=Path, metavar="PATH", help="the CSV file to be written")
    export.add_argument(
        "--to",
        choices=["csv", "canvas", "moodle"],
        default="csv",
        help="whose format (default: csv)",
    )
    export.add_argument(
        "--roster", type=Path, metavar="FILE", help="the class as CSV (default: roster.csv)"
    )
    export.add_argument(
        "--student", action="append", metavar="S", help="only this student's; may be repeated"
    )
    export.add_argument(
        "--assignment", action="append", metavar="NAME", help="only this one's; may be repeated"
    )
    export.add_argument(
        "--waiting", action="store_true", help="the score so far, where a part waits for a person"
    )
    export.add_argument(
        "--zero", action="store_true", help="0 for who has handed in nothing where others have"
    )
    export.add_argument("--force", action="store_true", help="replace a file that is there")

    run = add("run", running.run, "Run the solution notebooks headlessly.")
    run.add_argument(
        "--profile", default="smoke", help=f"one of {', '.join(PROFILES)} (default: smoke)"
    )
    run.add_argument(
        "--seed", type=int, default=0, help="what every random number starts from (default: 0)"
    )
    run.add_argument(
        "--seeds",
        type=_at_least_one,
        default=1,
        metavar="N",
        help="run N times, with --seed and the ones that follow, and print means and deviations",
    )
    run.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set another parameter",
    )
    _add_where(run, "run", "notebooks side by side (default: one a GPU, or one a core)")
    run.add_argument(
        "--share-gpu",
        type=_at_least_one,
        default=1,
        metavar="N",
        help="let N notebooks have the same GPU (default: 1)",
    )
    run.add_argument(
        "--update-bands",
        action="store_true",
        help="take what these runs measure as the new bands, and say which have become wider",
    )

    add(
        "report",
        running.report,
        "Write build/report/index.html from the gradebook and the runs.",
        names=None,
    ).add_argument(
        "--gradebook", type=Path, metavar="DIR", help="take the scores of another course directory"
    )

    add(
        "doctor",
        running.doctor,
        "Say what this machine can do, and how to mend what it cannot.",
        names=None,
    ).add_argument("subjects", nargs="*", metavar="SUBJECT", help="such as isolation, data, gpu")
    return parser


def _add_where(command, verb, workers):
    """Add the options that say where it is done, and how many at once."""
    command.add_argument("--workers", type=_at_least_one, metavar="N", help=workers)
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help=f"{verb} on the Dask cluster at this address"
    )


def _at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("there must be at least 1")
    return number
