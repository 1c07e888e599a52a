"""Names on a leaderboard: those of the roster and the gradebook, or pseudonyms.

If a student's submission counts for a group, the name is that of the group.
"""

import hmac
import secrets
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from course.errors import CourseError
from course.files import write_atomically
from course.instructor.course_dir import open_api
from course.instructor.gradebook import health
from course.instructor.gradebook.group_submissions import WITHOUT_GROUPS, GroupSubmissions
from course.instructor.roster.roster import read_course_roster
from course.instructor.sandbox.cell_execution import printable
from course.instructor.student_text.layout_limits import limit_layout

# Beside the gradebook. Anyone who has it can compute the pseudonym of every student ID.
KEY_FILE_NAME = "pseudonyms.key"
KEY_BYTES = 32
MAX_CHARACTERS = 80
ADJECTIVES = (
    "Amber", "Azure", "Brave", "Bright", "Bronze", "Calm", "Careful", "Cheerful", "Clever",
    "Copper", "Coral", "Crimson", "Curious", "Daring", "Eager", "Emerald", "Fair", "Gentle",
    "Golden", "Graceful", "Happy", "Honest", "Indigo", "Ivory", "Jade", "Jolly", "Keen", "Kind",
    "Lively", "Lucky", "Merry", "Mighty", "Noble", "Patient", "Polite", "Proud", "Quick", "Quiet",
    "Ruby", "Scarlet", "Silver", "Steady", "Sunny", "Swift", "Turquoise", "Violet", "Witty", "Wise",
)  # fmt: skip
ANIMALS = (
    "Albatross", "Badger", "Beaver", "Bison", "Buffalo", "Camel", "Caribou", "Cheetah", "Crane",
    "Dolphin", "Eagle", "Egret", "Falcon", "Ferret", "Finch", "Fox", "Gazelle", "Gecko", "Heron",
    "Ibex", "Jaguar", "Kestrel", "Koala", "Lark", "Lemur", "Leopard", "Lynx", "Marten", "Moose",
    "Narwhal", "Ocelot", "Orca", "Osprey", "Otter", "Owl", "Panda", "Pelican", "Penguin", "Puffin",
    "Raven", "Robin", "Seal", "Swan", "Tapir", "Tiger", "Walrus", "Wolf", "Zebra",
)  # fmt: skip


def real_names(
    root: Path, students: Iterable[str], shared: GroupSubmissions = WITHOUT_GROUPS
) -> dict[str, str]:
    """Map each student ID to the name in the roster or the gradebook, or else to the ID itself.

    If two students have the same name, it is followed by the ID. A group has its own name, followed
    by those of its members.
    """
    readers = {student: shared.readers_of(student) for student in students}
    known = _gradebook_names(root)
    known |= {each.student: each.name for each in read_course_roster(root) or () if each.name}
    everyone = {each for members in readers.values() for each in members}
    names = {student: known.get(student) or student for student in everyone}
    counts = Counter(names.values())
    shown = {
        student: _displayable(name if counts[name] == 1 else f"{name} ({student})")
        for student, name in names.items()
    }
    for student, members in readers.items():
        group = shared.group_of(student)
        if group and len(members) > 1:
            listed = ", ".join(shown[each] for each in members)
            shown[student] = f"{_displayable(group.name)} ({listed})"
    return {student: shown[student] for student in readers}


def pseudonyms(
    root: Path, students: Iterable[str], shared: GroupSubmissions = WITHOUT_GROUPS
) -> dict[str, str]:
    """Map each student ID to a pseudonym that depends only on the ID and the course's secret key.

    That of a group depends on the IDs of all its members. Without the key, a pseudonym cannot be
    traced to an ID, even by someone who knows all IDs. The key is created by the first call; the
    same pseudonyms appear as long as its file exists.
    """
    key = _read_or_create_key(Path(root, KEY_FILE_NAME))
    # No ID contains a null character.
    texts = {student: "\0".join(sorted(shared.readers_of(student))) for student in students}
    digests = {
        student: int.from_bytes(hmac.digest(key, text.encode(errors="surrogatepass"), "sha256"))
        for student, text in texts.items()
    }
    short = {student: _pseudonym(digest, 1_000) for student, digest in digests.items()}
    counts = Counter(short.values())
    # Among 200 students, two have the same short pseudonym once in about 100 courses.
    return {
        student: name if counts[name] == 1 else _pseudonym(digests[student], 10**9)
        for student, name in short.items()
    }


def _pseudonym(digest: int, numbers: int) -> str:
    """Return an adjective, an animal, and a number for a digest."""
    rest, adjective = divmod(digest, len(ADJECTIVES))
    rest, animal = divmod(rest, len(ANIMALS))
    return f"{ADJECTIVES[adjective]} {ANIMALS[animal]} {rest % numbers}"


def _read_or_create_key(path: Path) -> bytes:
    """Return the secret key of a course, which is created if the file does not exist."""
    try:
        if not path.exists():
            write_atomically(path, secrets.token_hex(KEY_BYTES) + "\n")
            path.chmod(0o600)
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise CourseError(
            f"the pseudonym key {path} cannot be read or written ({error.strerror}): solve this"
            " problem, for example by changing the permissions of the file or its folder, or leave"
            " out --pseudonyms."
        ) from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise CourseError(
            f"the pseudonym key {path} is damaged: restore it from a backup, or delete it, which"
            " gives every student a new pseudonym."
        )
    return key


def _gradebook_names(root: Path) -> dict[str, str]:
    """Map student IDs to the names in the gradebook; empty if there is no gradebook."""
    api = open_api(root)
    # Opening a missing gradebook would create one.
    if health.check_gradebook(root, api.coursedir.db_url)[0] != health.AVAILABLE:
        return {}
    with api.gradebook as gradebook:
        parts = {each.id: (each.first_name, each.last_name) for each in gradebook.students}
    return {student: " ".join(filter(None, names)) for student, names in parts.items()}


def _displayable(name: str) -> str:
    """Return a name of limited length, without characters that affect a terminal or a browser."""
    return limit_layout(printable(name)[:MAX_CHARACTERS])
