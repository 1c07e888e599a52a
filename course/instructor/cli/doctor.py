"""`course doctor`: checking the machine."""

import sys
from pathlib import Path

import click


@click.command("doctor")
@click.argument("subjects", nargs=-1, metavar="[SUBJECT]...")
@click.pass_obj
def command(root: Path, subjects: tuple[str, ...]) -> int:
    """Check this machine and say how to fix what is missing.

    SUBJECT is a part to check, such as isolation, data, or gpu; without subjects, all are checked.
    The exit code is 1 if something that grading needs is missing.
    """
    from course.instructor import doctor

    missing = []
    for finding in doctor.diagnose(root, subjects):
        print(finding, flush=True)
        if finding.state == doctor.MISSING and finding.subject not in missing:
            missing.append(finding.subject)
    if missing:
        print(
            f"course: this machine cannot grade yet: fix {', '.join(missing)}, as described above.",
            file=sys.stderr,
        )
    return 1 if missing else 0
