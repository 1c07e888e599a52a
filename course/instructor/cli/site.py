"""`course site`: building the course's web site."""

from pathlib import Path

import click

from course.errors import CourseError
from course.instructor.cli import forkserver_warmup, options
from course.instructor.course_dir import assignment_names


@click.command("site")
@click.argument("directory", type=options.PATH, metavar="DIR")
@options.names
@click.pass_obj
def command(root: Path, directory: Path, names: tuple[str, ...]) -> int:
    """Build the course's web site in DIR.

    It shows what `course publish` writes, so it contains no solutions and no hidden tests.

    DIR is a new folder or an earlier site, whose files are replaced. NAME is an assignment to show,
    such as 02-mnist; without names, all are shown. The site needs no server: open DIR/index.html in
    a browser.
    """
    from course.instructor.release import student_package
    from course.instructor.release.public_address import PublicAddress

    selected = assignment_names(root, names)
    student_package.check_course(root)
    address = PublicAddress.of_course(root)
    try:
        from course.instructor.site import site_builder

        site_builder.check_folder(directory, root)
        forkserver_warmup.start_for_notebooks()
        from course.instructor.release import public_files

        files = public_files.public_files(root, selected)
        count, outdated = site_builder.build(files, directory, address)
    except OSError as error:
        raise CourseError(
            f"cannot read or write {error.filename or directory} ({error.strerror}): fix the"
            " problem, then build the site again."
        ) from None
    print(f"{count} pages in {directory}: open {directory / 'index.html'} in a browser")
    if outdated:
        print(
            f"note: the code that draws the figures of {', '.join(outdated)} has changed, so the"
            f" site leaves them out: run course figures --site {' '.join(outdated)}"
        )
    if not address.is_set:
        print(
            "note: c.PublicAddress.url in nbgrader_config.py is still the placeholder, so the site"
            " offers the notebooks only as downloads."
        )
    return 0
