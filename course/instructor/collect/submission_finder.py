"""What lies in an archive or a folder: whose notebooks, and what belongs to them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from course import packing
from course.instructor.collect import attempts, notebook_reader, originals, submitted_folder
from course.instructor.collect import platform_file_names
from course.instructor.collect.archive_reader import printable, safe_name
from course.instructor.collect.submission_owner import UnknownOwnerError, OwnerResolver, hints_of
from course.instructor.collect.released_assignment import read_cells, identify_assignment

TAKEN, MENDED, SAME = "taken", "mended", "there already"
OLDER, LEFT_OUT, FOR_A_PERSON = "older attempt", "left out", "for a person"
MAX_EVIDENCE_FILE = 16 * 2**20  # what is too large for grading is for grading to say
OTHER_ARCHIVES = {".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2"}


@dataclass
class FileResult:
    """What became of a file.

    Attributes
    ----------
    state : str
        One of this module's constants.
    file : str
        Its path in what was collected.
    student, assignment : str
        Whose and of what, or "".
    words : str
        How it was mended, or why it was left.
    """

    state: str
    file: str
    student: str = ""
    assignment: str = ""
    words: str = ""


class SubmissionFinder:
    """What was found; making it reads every file once.

    Parameters
    ----------
    path : Path
        What is collected.
    folder : Path
        Where it is kept.
    references : list of Reference
        Of the assignments that it may hold.
    roster : Roster or None
        The class.
    student : str or None
        Whose everything is.

    Attributes
    ----------
    attempts : list of Attempt
    rows : list of Row
        Of the files that are no attempt.
    """

    def __init__(self, path, folder, references, roster=None, student=None):
        self.references = references
        self.names = {each.name for each in references}
        self.rows, self.attempts = [], []
        self.beside = []  # what may belong to a notebook, and where it is kept
        files = list(self._readable(originals.keep(path, folder)))
        tops = {file.parts[0] if len(file.parts) > 1 else "" for file, _ in files}
        common = tops.pop() if len(tops) == 1 and path.is_file() else ""
        self.whose = OwnerResolver(roster, student, common)
        self._sort(files)
        self._attach()

    def _leave_other(self, file):
        """Note a file that is neither a notebook nor evidence; other archives hold perhaps one."""
        kind = Path(file.name).suffix.lower()
        if kind in OTHER_ARCHIVES:
            words = f"a {kind} archive cannot be opened here: unpack it, and collect the folder"
            self._leave(file, FOR_A_PERSON, words)
        else:
            self._leave(file, LEFT_OUT, "neither a notebook nor evidence")

    def _readable(self, found):
        """Yield the files whose content is kept by itself; note the others."""
        for file, place in found:
            if file.is_junk:
                self._leave(file, LEFT_OUT, "a system's file")
            elif file.problem:
                self._leave(file, FOR_A_PERSON, file.problem)
            elif place is None:
                self._leave_other(file)
            else:
                yield file, place

    def _sort(self, files):
        """Sort files into attempts, and what may belong to them."""
        manifests = {
            file.container: self._manifest(file, files)
            for file, _ in files
            if file.name == packing.MANIFEST
        }
        for file, place in files:
            if originals.is_notebook(file.name):
                self._find_attempt(file, place, manifests.get(file.container, {}))
            elif file.name == packing.MANIFEST:
                self._leave(file, LEFT_OUT, "read: the list that a notebook's last cell writes")
            else:
                self.beside.append((file, place))

    def _manifest(self, file, files):
        inside = {
            "/".join(each.parts[len(file.parts) - 1 :]): each.read()
            for each, _ in files
            if each.parts[: len(file.parts) - 1] == file.parts[:-1]
        }
        return packing.read_manifest(inside)

    def _find_attempt(self, file, place, manifest):
        origin = platform_file_names.origin_of(file.parts, self.names)
        content = place.read_bytes()
        student = assignment = ""
        try:
            notebook, _ = notebook_reader.parse(content)
            cells = read_cells(notebook)
            reference = identify_assignment(self.references, cells)
            if reference is None:
                words = "it is no notebook of " + (
                    self.references[0].name if len(self.references) == 1 else "this course"
                )
                self._leave(file, FOR_A_PERSON, words)
                return
            assignment = reference.name
            student = self.whose.of(origin, hints_of(file, reference, cells, manifest))
        except (notebook_reader.RepairError, UnknownOwnerError) as error:
            self._leave(file, FOR_A_PERSON, str(error), student, assignment)
            return
        found = attempts.Attempt(
            file, origin, student, reference, place, hashlib.sha256(content).hexdigest()
        )
        found.timestamp = origin.timestamp
        found.checksum = manifest.get("checksum") or ""
        found.packed_at = platform_file_names.utc(manifest.get("packed_at", "").removesuffix(" UTC"))
        found.notes = [printable(each)[:200] for each in manifest.get("problems", ())]
        self.attempts.append(found)

    def _attach(self):
        """Give evidence and times of handing in to the notebooks that they came with."""
        for file, place in self.beside:
            origin = platform_file_names.origin_of(file.parts, self.names)
            owners = [each for each in self.attempts if each.owns(file, origin)]
            if file.name == submitted_folder.TIMESTAMP:
                self._attach_time(file, place, owners)
            elif originals.is_evidence(file.name):
                owners = [each for each in owners if each.reference.asks_for_evidence]
                self._attach_evidence(file, place, attempts.nearest(owners, origin))
            else:
                self._leave_other(file)

    def _attach_time(self, file, place, owners):
        text = place.read_bytes()[:100].decode(errors="replace").strip()
        for each in owners:
            if each.origin.platform == "nbgrader" and text.isprintable():
                each.timestamp = each.timestamp or text
        self._leave(file, LEFT_OUT, "read: the time of handing in")

    def _attach_evidence(self, file, place, owners):
        if len({each.student for each in owners}) != 1:
            words = "several students' notebooks lie beside it" if owners else "not asked for"
            self._leave(file, FOR_A_PERSON if owners else LEFT_OUT, words)
        elif place.stat().st_size > MAX_EVIDENCE_FILE:
            words = f"it is larger than {MAX_EVIDENCE_FILE // 2**20} MB"
            self._leave(file, FOR_A_PERSON, words, *owners[0].key)
        else:
            for each in owners:
                each.evidence.setdefault(safe_name(file.name), place)
            self._leave(file, TAKEN, "evidence", *owners[0].key)

    def _leave(self, file, state, words, student="", assignment=""):
        self.rows.append(FileResult(state, file.shown, student, assignment, words))
