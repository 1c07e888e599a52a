"""The commands that grade what students handed in and hand it back."""

import sys

from course.errors import CourseError


def grade(arguments):
    """Grade what was handed in, a line a submission and a table at the end."""
    from course.instructor.cli import early_start

    # The kernels' imports take as long as nbgrader's; they run meanwhile.
    if not arguments.scheduler:
        early_start.start(arguments.root, isolated=not arguments.no_isolation)
    from course.instructor import course_dir
    from course.instructor.gradebook import scores
    from course.instructor.grading import class_grader, progress

    names = course_dir.assignment_names(arguments.root, arguments.names)
    how = class_grader.How(
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
        for grade in class_grader.grade(arguments.root, name, arguments.student, how):
            print(watch.line(grade), flush=True)
    # Where every assignment is asked for, one that nobody has handed in yet is no mistake.
    if missing and (arguments.names or not watch.done):
        raise missing[0]
    print(watch.summary())
    return 1 if any(grade.failed for grade in watch.done) else 0


def evidence(arguments):
    """Print what the weights reach that students handed in, and what a person should look at."""
    from course.instructor import course_dir
    from course.instructor import evidence as trainings

    names = course_dir.assignment_names(arguments.root, arguments.names)
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


def similar(arguments):
    """Print which submissions are remarkably alike, and where the page lies that shows them."""
    from course.instructor import course_dir
    from course.instructor.similarity import report

    names = course_dir.assignment_names(arguments.root, arguments.names)
    missing, looked, problems = [], 0, 0
    for name in names:
        try:
            found = report.look(arguments.root, name, arguments.most)
        except CourseError as error:
            missing.append(error)
            continue
        looked += 1
        problems += len(found.problems)
        print(f"{name}: {found.summary}")
        for line in found.problems + found.same + found.evidence:
            print(f"         {line}")
        for row in found.rows:
            print(f"  {row.points:5.1f}  {', '.join(row.students)}")
            for reason in row.reasons:
                print(f"         {reason}")
        print(f"{report.CAUTION}\n{found.path}", flush=True)
    # Where every assignment is asked for, one that nobody has handed in yet is no mistake.
    if missing and (arguments.names or not looked):
        raise missing[0]
    return 1 if problems else 0


def feedback(arguments):
    """Write feedback pages and print their paths."""
    from course.instructor import course_dir
    from course.instructor.feedback import write as feedback_pages
    from course.instructor.gradebook import scores

    wanted, missing = [], []
    for name in course_dir.assignment_names(arguments.root, arguments.names):
        try:
            students = scores.students_of(arguments.root, "autograded", name, arguments.student)
        except CourseError as error:
            missing.append(error)
            continue
        wanted += [(name, student) for student in students]
    # Where every assignment is asked for, one that is not graded yet is no mistake.
    if arguments.names and missing:
        raise missing[0]
    if not wanted:
        raise CourseError(
            f"there is nothing graded in {arguments.root / 'autograded'}: run course grade first."
        )
    failed = False
    for page in feedback_pages.write(arguments.root, wanted, arguments.workers):
        if page.problem:
            print(f"course: {page.problem}", file=sys.stderr, flush=True)
            failed = True
        else:
            print(page.path, flush=True)
    return 1 if failed else 0


def export(arguments):
    """Write scores into a file and print who has which and who none."""
    from course.instructor import course_dir
    from course.instructor.export import plugins
    from course.instructor.gradebook import health

    course_dir.assignment_names(arguments.root)
    api = course_dir.open_api(arguments.root)
    # Opening a gradebook that is not there would make one.
    state, words = health.look(arguments.root, api.coursedir.db_url)
    if state != health.THERE:
        raise CourseError(words)
    plugin = plugins.PLUGINS[arguments.to](
        parent=api,
        to=str(arguments.path),
        roster=str(arguments.roster or ""),
        student=arguments.student or [],
        assignment=arguments.assignment or [],
        waiting=arguments.waiting,
        zero=arguments.zero,
        force=arguments.force,
    )
    with api.gradebook as open_gradebook:
        print(plugin.write(open_gradebook))
    return 0
