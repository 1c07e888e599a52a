"""What each command of `course` does: calls one function, prints, returns the exit code.

Modules that take seconds to import are imported by the commands that need them.
"""

import ast
import json
import sys
from pathlib import Path

from course.errors import CourseError
from course.metrics import text
from course.training import results_table


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


def grade(arguments):
    """Grade what was handed in, a line a submission and a table at the end."""
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


def evidence(arguments):
    """Print what the weights reach that students handed in, and what a person should look at."""
    from course.grading import coursework, trainings

    names = coursework.assignment_names(arguments.root, arguments.names)
    if not arguments.names:
        names = [name for name in names if trainings.asks_for_evidence(arguments.root, name)]
    findings, alike = [], []
    for name in names:
        found = []
        for finding in trainings.examine(arguments.root, name, arguments.student):
            print(_evidence_line(name, finding), flush=True)
            for problem in finding.problems:
                print(f"    {problem}")
            found.append(finding)
        for group in trainings.same_weights(found):
            alike.append(group)
            print(f"{name}  the same weights: {', '.join(group)}")
        findings += found
    troubled = sum(bool(each.problems) for each in findings)
    print(f"{len(findings)} looked at, {troubled} of them for a person to look at")
    return 1 if troubled or alike else 0


def _evidence_line(name, finding):
    stated, measured = (
        f"{value:.1%}" if isinstance(value, float) else "-"
        for value in (finding.stated, finding.measured)
    )
    what = f"{finding.experiment or 'no weights'}  {finding.profile}".rstrip()
    verdict = "look at it" if finding.problems else "agrees"
    return f"{name}  {finding.student}  {what}  stated {stated}, measured {measured}  {verdict}"


def feedback(arguments):
    """Write feedback pages and print their paths."""
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


def run(arguments):
    """Run solution notebooks side by side, compare what they measure with its bands, report."""
    from course.profiles import check_profile

    check_profile(arguments.profile)
    from course.regression.measuring import MIN_SEEDS

    given = _parse(arguments.parameters)
    for name in ("profile", "seed"):
        if name in given:
            raise CourseError(f"-p {name}=... sets what has an option of its own: use --{name}.")
    seeds = [arguments.seed + number for number in range(arguments.seeds)]
    if arguments.update_bands and len(seeds) < MIN_SEEDS:
        raise CourseError(
            f"bands need at least {MIN_SEEDS} seeds: give --seeds {MIN_SEEDS} or more."
        )

    from course.grading.coursework import assignment_names, source_notebook

    names = assignment_names(arguments.root, arguments.names)
    if not arguments.scheduler:
        from course.kernels import early

        early.start_for_notebooks()  # it imports meanwhile what notebooks need
    from course.regression import plan, regression

    sources = {name: source_notebook(arguments.root, name) for name in names}
    kept = arguments.root / "build" / "runs"
    wanted = plan.Plan(kept, sources, arguments.profile, seeds, given)
    how = regression.How(arguments.workers, arguments.scheduler, arguments.share_gpu)
    outcome = regression.Regression(arguments.root, wanted, how)
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
    from course.grading import coursework, scores
    from course.regression import regression, report

    coursework.assignment_names(arguments.root)
    grades = scores.scores(arguments.gradebook or arguments.root)
    checked = regression.kept(arguments.root)
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
    from course import doctor

    lacks = []
    for finding in doctor.examine(arguments.root, arguments.subjects):
        print(finding, flush=True)
        if finding.state == doctor.LACK and finding.subject not in lacks:
            lacks.append(finding.subject)
    if lacks:
        print(f"course: this machine cannot grade yet: mend {', '.join(lacks)}.", file=sys.stderr)
    return 1 if lacks else 0
