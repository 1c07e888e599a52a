"""The commands that run the solutions, report, and examine the machine."""

import ast
import json
import sys

from course.errors import CourseError
from course.metrics import text
from course.training import results_table


def run(arguments):
    """Run solution notebooks side by side, compare what they measure with its bands, report."""
    from course.profiles import check_profile

    check_profile(arguments.profile)
    from course.instructor.regression.measure import MIN_SEEDS

    given = _parse(arguments.parameters)
    for name in ("profile", "seed"):
        if name in given:
            raise CourseError(f"-p {name}=... sets what has an option of its own: use --{name}.")
    seeds = [arguments.seed + number for number in range(arguments.seeds)]
    if arguments.update_bands and len(seeds) < MIN_SEEDS:
        raise CourseError(
            f"bands need at least {MIN_SEEDS} seeds: give --seeds {MIN_SEEDS} or more."
        )

    from course.instructor.course_dir import assignment_names, source_notebook

    names = assignment_names(arguments.root, arguments.names)
    if not arguments.scheduler:
        from course.instructor.cli import early_start

        early_start.start_for_notebooks()  # it imports meanwhile what notebooks need
    from course.instructor.regression import plan, suite

    sources = {name: source_notebook(arguments.root, name) for name in names}
    kept = arguments.root / "build" / "runs"
    wanted = plan.Plan(kept, sources, arguments.profile, seeds, given)
    how = suite.How(arguments.workers, arguments.scheduler, arguments.share_gpu)
    outcome = suite.Regression(arguments.root, wanted, how)
    for checked in outcome.run():
        print(_run_line(checked.run, checked), flush=True)
        if len(wanted.jobs) == 1:
            for metric, value in checked.run.metrics.items():
                print(f"    {metric} = {text(value)}")
    if arguments.update_bands:
        for title, lines in outcome.update_bands(_words(arguments)):
            print(title, *lines, sep="\n    ")
    page = outcome.report()
    outcome.finish()
    for title, lines in outcome.spreads():
        print(title, *lines, sep="\n    ")
    # At the end, where they are seen: until now the progress bar had the last line.
    for name, problem in outcome.problems():
        print(f"course: {name}: {problem}", file=sys.stderr)
    print(outcome.summary())
    print(f"report: {page}")
    return 1 if outcome.failed else 0


def _run_line(run, checked):
    seed = f"seed {run.seed}, " if run.seed else ""
    verdict = f"{run.seconds:.1f} s  {checked.verdict}"
    return f"{run.assignment}  {run.setting}, {seed}{run.backend}  {verdict}"


def _words(arguments):
    """Return the command as a person would type it again, for a note of where bands come from."""
    words = ["course run", *arguments.names, f"--profile {arguments.profile}"]
    words += [f"--seed {arguments.seed}"] if arguments.seed else []
    words += [f"--seeds {arguments.seeds}", *(f"-p {pair}" for pair in arguments.parameters)]
    return " ".join([*words, "--update-bands"])


def _parse(pairs):
    """Return `NAME=VALUE` arguments as a dict; a value that is no Python literal is text."""
    parameters = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise CourseError(f"-p {pair} sets nothing: write it as -p NAME=VALUE.")
        try:
            # As JSON has it, in which it is kept: lists for tuples, and no sets.
            parameters[name] = json.loads(json.dumps(ast.literal_eval(value)))
        except (ValueError, SyntaxError, TypeError):
            parameters[name] = value
    return parameters


def report(arguments):
    """Write the report page and print its path."""
    from course.instructor import course_dir
    from course.instructor.gradebook import scores
    from course.instructor.regression import report, suite

    course_dir.assignment_names(arguments.root)
    grades = scores.scores(arguments.gradebook or arguments.root)
    checked = suite.kept(arguments.root)
    page = report.write(arguments.root / "build" / "report", grades, checked)
    if grades:
        print(results_table([_score_row(grade) for grade in grades]))
    for each in checked:
        print(_run_line(each.run, each))
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


def doctor(arguments):
    """Print what this machine can do; 1 if it cannot grade."""
    from course.instructor import doctor

    lacks = []
    for finding in doctor.examine(arguments.root, arguments.subjects):
        print(finding, flush=True)
        if finding.state == doctor.LACK and finding.subject not in lacks:
            lacks.append(finding.subject)
    if lacks:
        print(f"course: this machine cannot grade yet: mend {', '.join(lacks)}.", file=sys.stderr)
    return 1 if lacks else 0
