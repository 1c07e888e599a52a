"""The command `course`: parses, calls one function, prints.

Modules that take seconds to import are imported by the commands that need them, so that
`course --help` and a mistyped name answer at once.
"""

import argparse
import ast
import os
import sys
from pathlib import Path

from course import __version__
from course.errors import CourseError
from course.profiles import PROFILES
from course.training import results_table


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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name, function, summary, names="*"):
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(command=function)
        if names:
            command.add_argument(
                "names", nargs=names, metavar="NAME", help="assignments; none means all"
            )
        return command

    release = add("release", _release, "Compile source/ into release/.")
    release.add_argument(
        "--check", action="store_true", help="change nothing; fail if release/ is stale"
    )

    grade = add("grade", _grade, "Grade what lies in submitted/.")
    grade.add_argument("--student", metavar="S", help="only this student's submission")
    grade.add_argument("--force", action="store_true", help="grade again what is graded already")
    grade.add_argument(
        "--workers",
        type=_at_least_one,
        metavar="N",
        help="submissions side by side (default: one a core)",
    )
    grade.add_argument(
        "--scheduler", metavar="ADDRESS", help="grade on the Dask cluster at this address"
    )
    grade.add_argument(
        "--no-isolation",
        action="store_true",
        help="run submissions without a sandbox, with your rights; only for work that you trust",
    )

    feedback = add("feedback", _feedback, "Write feedback pages for what is graded.")
    feedback.add_argument("--student", metavar="S", help="only this student's page")

    run = add("run", _run, "Run the solution notebooks headlessly.")
    run.add_argument(
        "--profile", default="smoke", help=f"one of {', '.join(PROFILES)} (default: smoke)"
    )
    run.add_argument(
        "--seed", type=int, default=0, help="what every random number starts from (default: 0)"
    )
    run.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set another parameter",
    )

    add(
        "report",
        _report,
        "Write build/report/index.html from the gradebook and the runs.",
        names=None,
    ).add_argument(
        "--gradebook", type=Path, metavar="DIR", help="take the scores of another course directory"
    )

    add(
        "doctor",
        _doctor,
        "Say what this machine can do, and how to mend what it cannot.",
        names=None,
    ).add_argument("subjects", nargs="*", metavar="SUBJECT", help="such as isolation, data, gpu")
    return parser


def _release(arguments):
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


def _grade(arguments):
    from course.kernels import early

    # The kernels' imports take as long as nbgrader's; they run meanwhile.
    if not arguments.scheduler:
        early.start(arguments.root, isolated=not arguments.no_isolation)
    from course.grading import coursework, grades, progress, scores

    names = coursework.assignment_names(arguments.root, arguments.names)
    how = grades.How(
        arguments.workers, arguments.scheduler, not arguments.no_isolation, arguments.force
    )
    watch = progress.Progress()
    missing = []
    for name in names:
        try:
            waiting = scores.students_of(arguments.root, "submitted", name, arguments.student)
        except CourseError as error:
            missing.append(error)
            continue
        watch.expect(len(waiting))
        for grade in grades.grade(arguments.root, name, arguments.student, how):
            print(watch.line(grade), flush=True)
    # Where every assignment is asked for, one that nobody has handed in yet is no mistake.
    if missing and (arguments.names or not watch.done):
        raise missing[0]
    print(watch.summary())
    return 1 if any(grade.failed for grade in watch.done) else 0


def _at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("there must be at least 1")
    return number


def _feedback(arguments):
    from course.grading import coursework, scores

    pages = 0
    for name in coursework.assignment_names(arguments.root, arguments.names):
        if arguments.names or any(Path(arguments.root, "autograded").glob(f"*/{name}")):
            for page in scores.feedback(arguments.root, name, arguments.student):
                print(page)
                pages += 1
    if not pages:
        raise CourseError(
            f"there is nothing graded in {arguments.root / 'autograded'}: run course grade first."
        )
    return 0


def _run(arguments):
    from course.grading.coursework import assignment_names, source_notebook
    from course.profiles import check_profile

    check_profile(arguments.profile)
    names = assignment_names(arguments.root, arguments.names)
    parameters = {"profile": arguments.profile, "seed": arguments.seed} | _parse(
        arguments.parameters
    )

    from course.regression import runs

    sources = {name: source_notebook(arguments.root, name).resolve() for name in names}
    for source in sources.values():
        runs.check_parameters(source, parameters)
    kept = (arguments.root / "build" / "runs").resolve()
    done = [runs.run_notebook(source, kept, name, parameters) for name, source in sources.items()]
    for run in done:
        print(_run_line(run))
        for name, value in run.metrics.items():
            print(f"    {name} = {value}")
        print(f"    kept in {run.notebook}")
        if run.error:
            print(f"course: {run.assignment}: {run.error}", file=sys.stderr)
    return 1 if any(run.error for run in done) else 0


def _run_line(run):
    verdict = "failed" if run.error else "passed"
    return f"{run.assignment}  {run.profile}, {run.backend}  {run.seconds:.1f} s  {verdict}"


def _parse(pairs):
    """Return `NAME=VALUE` arguments as a dict; a value that is no Python literal is text."""
    parameters = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CourseError(f"-p {pair} sets nothing: write it as -p NAME=VALUE.")
        try:
            parameters[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parameters[name] = value
    return parameters


def _report(arguments):
    from course.grading import coursework, scores
    from course.regression import report, runs

    coursework.assignment_names(arguments.root)
    grades = scores.scores(arguments.gradebook or arguments.root)
    kept = runs.kept_runs(arguments.root / "build" / "runs")
    page = report.write(arguments.root / "build" / "report" / "index.html", grades, kept)
    if grades:
        print(results_table([_score_row(grade) for grade in grades]))
    for run in kept:
        print(_run_line(run))
    print(f"report: {page}")
    return 0


def _score_row(grade):
    return {
        "assignment": grade.assignment,
        "student": grade.student,
        "points": f"{grade.score:g}",
        "of": f"{grade.max_score:g}",
        "by hand": "to do" if grade.by_hand else "done",
    }


def _doctor(arguments):
    from course import doctor

    lacks = []
    for finding in doctor.examine(arguments.root, arguments.subjects):
        print(finding, flush=True)
        if finding.state == doctor.LACK and finding.subject not in lacks:
            lacks.append(finding.subject)
    if lacks:
        print(f"course: this machine cannot grade yet: mend {', '.join(lacks)}.", file=sys.stderr)
    return 1 if lacks else 0
