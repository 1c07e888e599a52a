"""Submissions as they are found, several of a student among them, and which of them counts."""

from dataclasses import dataclass, field
from pathlib import Path

from course.instructor.collect import platform_file_names


@dataclass
class Attempt:
    """A notebook that was handed in, and what lay with it.

    Attributes
    ----------
    file : files.File
        The notebook.
    origin : naming.Origin
    student : str
    reference : Reference
        Its assignment.
    stored : Path
        Where the file is kept as it came.
    digest : str
        Of its content.
    checksum : str
        What the notebook's last cell has told the student, or "".
    evidence : dict of str to Path
        Name to where the file is kept.
    notes : list of str
        What was noticed when it was found.
    packed_at : float
        When the notebook's last cell has packed it, in seconds since 1970, or 0.
    timestamp : str
        When it was handed in, as nbgrader's exchange says it, or "".
    """

    file: object
    origin: object
    student: str
    reference: object
    stored: Path
    digest: str
    checksum: str = ""
    packed_at: float = 0.0
    timestamp: str = ""
    evidence: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)

    @property
    def key(self):
        """Whose it is and of which assignment."""
        return self.student, self.reference.name

    @property
    def order(self):
        """What grows from attempt to attempt."""
        number = platform_file_names.plain_stem(self.origin.file_name)[1]
        # What the platform says counts before the time that a file says.
        return (self.origin.attempt, self.packed_at or self.file.modified or 0.0, number)

    def owns(self, file, origin):
        """Return whether another file was handed in together with this notebook."""
        if origin.platform:
            same = "platform", "name", "number", "student"
            mine = [getattr(self.origin, name) for name in same]
            if mine != [getattr(origin, name) for name in same]:
                return False
            return origin.platform != "nbgrader" or origin.attempt == self.origin.attempt
        mine = self.file.container
        return bool(mine or not self.origin.platform) and file.parts[: len(mine)] == mine


def nearest(attempts, origin):
    """Return those of several attempts that a file without a platform's name lies nearest to."""
    if origin.platform:
        return attempts
    depth = max((len(each.file.container) for each in attempts), default=0)
    return [each for each in attempts if len(each.file.container) == depth]


def choose(attempts):
    """Return the newest of a student's attempts at an assignment, and the others.

    Returns
    -------
    newest : Attempt or None
        None where nothing says which is.
    others : list of Attempt
        In the order in which they were handed in.
    problem : str
        Why there is no newest, or "".
    """
    if len({each.origin.number for each in attempts}) > 1:
        who = attempts[0].origin.name
        return None, attempts, f"two people are called {who!r}: give a --roster that tells them"
    ranked = sorted(attempts, key=lambda each: each.order)
    newest = ranked[-1]
    equal = [each for each in ranked if each.order == newest.order]
    if len({each.digest for each in equal}) > 1:
        return None, attempts, "there are two attempts, and nothing says which is the newer"
    return newest, ranked[:-1], ""
