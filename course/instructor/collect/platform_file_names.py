"""Whose a file is and which attempt, as the names that platforms make say it.

Canvas      doejohn_LATE_4711_90210_mnist.ipynb, or LATE_anon_x7Gq2_90210_mnist.ipynb, in one folder
Moodle      Ada Lovelace_4711_assignsubmission_file/mnist.ipynb, or _file_mnist.ipynb
nbgrader    ada+02-mnist+2026-03-01 12:00:00.000000 UTC/mnist.ipynb, or ada/02-mnist/mnist.ipynb
Drive       Ada Lovelace - mnist.ipynb, Ada Lovelace/mnist.ipynb, Copy of mnist (1).ipynb

Canvas: `lib/content_zipper.rb` of canvas-lms, which leaves letters, digits and `_` of a name, in
small letters. Moodle: `mod/assign/classes/downloader.php`; older versions end the folder with `_`.
nbgrader: `exchange/default/submit.py`. Drive: as Google Classroom names the copies it makes.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

CANVAS = re.compile(
    r"(?:(?P<name>(?!LATE_).+?)_)?(?:LATE_)?(?P<user>\d+|anon_[^\W_]+)_(?P<file>\d+)_(?P<rest>.+)",
    re.S,
)
MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?P<kind>file|onlinetext)(?:_(?P<rest>.*))?",
    re.S,
)
EXCHANGE = re.compile(
    r"(?P<student>[^+]+)\+(?P<assignment>[^+]+)\+"
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?P<zone>\w+)(?:\+.*)?",
    re.S,
)
COPY_WORDS = r"(?:copy of|kopie von|copie de|copia de|cópia de|kopia)\s+"
COPY_OF = re.compile(rf"^{COPY_WORDS}", re.I)
COPY = re.compile(r"([ _]-[ _]copy|-copy\d*|[ _]copy( \d+)?)$", re.I)
NUMBER = re.compile(r"(?:[ _]?\((\d+)\)|-(\d{1,2}))$")


@dataclass(frozen=True)
class Origin:
    """What the names say of a file.

    Attributes
    ----------
    platform : str
        "Canvas", "Moodle", "nbgrader" or "".
    name : str
        Of the student, as the platform has it.
    number : str
        Canvas's user number, or what stands for it where names are hidden; Moodle's participant
        number.
    student : str
        The student's folder in submitted/, where nbgrader has made the names.
    attempt : int or float
        Grows from attempt to attempt where the platform says it, else 0.
    timestamp : str
        When it was handed in as nbgrader writes it, or "".
    file_name : str
        The file's name as the student had it.
    """

    platform: str = ""
    name: str = ""
    number: str = ""
    student: str = ""
    attempt: float = 0
    timestamp: str = ""
    file_name: str = ""


def origin_of(parts, assignments):
    """Return what the names along a path say.

    Parameters
    ----------
    parts : tuple of str
        Folders and the file, those in an archive included.
    assignments : collection of str
        Names of assignments.

    Returns
    -------
    Origin
        Empty but for the file's name where no platform has made the names.
    """
    for place, part in enumerate(parts):
        is_file = place == len(parts) - 1
        if found := EXCHANGE.fullmatch(part):
            when = utc(found["time"])
            return Origin(
                "nbgrader",
                student=found["student"],
                attempt=when,
                timestamp=f"{found['time']} {found['zone']}",
                file_name=parts[-1],
            )
        if found := MOODLE.fullmatch(part):
            name = (found["rest"] if is_file else "") or parts[-1]
            return Origin("Moodle", found["name"], found["number"], file_name=name)
        if found := CANVAS.fullmatch(part):
            name = found["rest"] if is_file else parts[-1]
            user, attempt = found["user"], int(found["file"])
            return Origin("Canvas", found["name"] or user, user, "", attempt, file_name=name)
        if part in assignments and 0 < place < len(parts) - 1:
            return Origin("nbgrader", student=parts[place - 1], file_name=parts[-1])
    return Origin(file_name=parts[-1])


def plain_stem(file_name):
    """Return a file's name without ending and marks of copies, and the largest of their numbers."""
    stem, number = file_name.rpartition(".")[0] or file_name, 0
    while True:
        before = stem
        stem = COPY.sub("", COPY_OF.sub("", stem)).strip()
        if found := NUMBER.search(stem):
            number = max(number, int(found[1] or found[2]))
            stem = stem[: found.start()].strip()
        if stem == before:
            return stem, number


def is_renamed(file_name, known):
    """Return whether a notebook's file is called otherwise than the release's, but for whose it is.

    Parameters
    ----------
    file_name : str
    known : str
        The release's name without its ending, "mnist".
    """
    stem, number = plain_stem(file_name)
    is_copy = number > 0 or stem != file_name.removesuffix(".ipynb")
    return is_copy or (stem != known and not beside(stem, known))


def beside(stem, known):
    """Return what stands in a file's name beside the notebook's own, such as a student's name.

    Parameters
    ----------
    stem : str
        From `plain_stem`: "Ada Lovelace - mnist", "mnist_ada".
    known : str
        The notebook's, "mnist".

    Returns
    -------
    str
        "" where there is nothing, or no mark between the two.
    """
    own = re.escape(known)
    between = r"(?:\s+-\s+|[_\s]+|-)"
    before, after = rf"(?P<rest>.+?){between}(?:{COPY_WORDS})?{own}", rf"{own}{between}(?P<rest>.+)"
    for pattern in (before, after):
        if found := re.fullmatch(pattern, stem, re.I | re.S):
            return COPY_OF.sub("", found["rest"]).strip()
    return ""


def utc(text):
    """Return a time such as "2026-03-01 12:00:00" in UTC as seconds since 1970, 0 if it is none."""
    form = "%Y-%m-%d %H:%M:%S.%f" if "." in text else "%Y-%m-%d %H:%M:%S"
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0
