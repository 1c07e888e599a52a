"""Taking in submissions: from an archive or a folder to `submitted/STUDENT/ASSIGNMENT/`.

Everything stays byte for byte in `build/intake/`, under names that nothing which comes in chooses.
"""

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from course import packing
from course.grading.journal import Journal
from course.intake import attempts, keeping, laying_out, mending, naming, reading
from course.intake.files import printable, safe_name
from course.intake.reference import cells_of, read_references, recognise
from course.intake.whose import Unknown, Whose, hints_of
from course.kernels import lock

TAKEN, MENDED, SAME = "taken", "mended", "there already"
OLDER, LEFT_OUT, FOR_A_PERSON = "older attempt", "left out", "for a person"
MAX_EVIDENCE_FILE = 16 * 2**20


@dataclass
class Row:
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


@dataclass(frozen=True)
class How:
    """How submissions are taken in.

    Attributes
    ----------
    roster : Roster or None
        The class.
    student : str or None
        Whose everything is.
    force : bool
        Put others in the place of submissions that are there.
    """

    roster: object = None
    student: str | None = None
    force: bool = False


class Collection:
    """One archive, folder or notebook that is taken in.

    Parameters
    ----------
    root : Path
        The course directory.
    path : Path
        What is collected.
    names : list of str
        Assignments that it may hold.
    how : How
    """

    def __init__(self, root, path, names, how=How()):
        self.root, self.path, self.how = Path(root), Path(path), how
        self.references = read_references(root, names)
        self.names = {each.name for each in self.references}
        self.rows = []
        self.attempts = []
        self.beside = []  # what may belong to a notebook, and where it is kept

    def run(self):
        """Take everything in and yield a `Row` a file.

        Raises
        ------
        CourseError
            If the path cannot be read, or another collection runs here.
        """
        intake = self.root / "build" / "intake"
        words = "submissions are being collected here already: wait for that, or stop it."
        with lock.alone(intake, words):
            self.folder = keeping.folder_of(self.path, intake)
            self._find(keeping.keep(self.path, self.folder))
            self._attach()
            yield from self.rows
            for row in self._lay_out():
                self.rows.append(row)
                yield row
            self._write_table()

    def missing(self):
        """Return who has handed in nothing, by assignment that something was taken in of.

        Returns
        -------
        dict of str to list of str
        """
        submitted = self.root / "submitted"
        if self.how.roster:
            people = [person.student for person in self.how.roster]
        else:
            people = sorted(each.name for each in submitted.glob("[!.]*") if each.is_dir())
        names = sorted({row.assignment for row in self.rows if row.state in (TAKEN, MENDED, SAME)})
        return {
            name: [each for each in people if not (submitted / each / name).is_dir()]
            for name in names
        }

    def _leave_other(self, file):
        """Note a file that is neither a notebook nor evidence; other archives hold perhaps one."""
        kind = Path(file.name).suffix.lower()
        if kind in (".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2"):
            words = f"a {kind} archive cannot be opened here: unpack it, and collect the folder"
            self._leave(file, FOR_A_PERSON, words)
        else:
            self._leave(file, LEFT_OUT, "neither a notebook nor evidence")

    def _find(self, found):
        """Sort files into attempts, evidence, and what is left."""
        files = []
        for file, place in found:
            if file.is_junk:
                self._leave(file, LEFT_OUT, "a system's file")
            elif file.problem:
                self._leave(file, FOR_A_PERSON, file.problem)
            elif place is None:
                self._leave_other(file)
            else:
                files.append((file, place))
        tops = {file.parts[0] if len(file.parts) > 1 else "" for file, _ in files}
        common = tops.pop() if len(tops) == 1 and self.path.is_file() else ""
        self.whose = Whose(self.how.roster, self.how.student, common)
        manifests = {
            file.container: self._manifest(file, files)
            for file, _ in files
            if file.name == packing.MANIFEST
        }
        for file, place in files:
            if keeping.is_notebook(file.name):
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
        origin = naming.origin_of(file.parts, self.names)
        content = place.read_bytes()
        student = assignment = ""
        try:
            notebook, _ = reading.parse(content)
            cells = cells_of(notebook)
            reference = recognise(self.references, cells)
            if reference is None:
                words = "it is no notebook of " + (
                    self.references[0].name if len(self.references) == 1 else "this course"
                )
                self._leave(file, FOR_A_PERSON, words)
                return
            assignment = reference.name
            student = self.whose.of(origin, hints_of(file, reference, cells, manifest))
        except (reading.CannotBeMended, Unknown) as error:
            self._leave(file, FOR_A_PERSON, str(error), student, assignment)
            return
        found = attempts.Attempt(
            file, origin, student, reference, place, hashlib.sha256(content).hexdigest()
        )
        found.timestamp = origin.timestamp
        found.checksum = manifest.get("checksum") or ""
        found.packed_at = manifest.get("packed_at") or ""
        found.notes = [printable(each)[:200] for each in manifest.get("problems", ())]
        self.attempts.append(found)

    def _attach(self):
        """Give evidence and times of handing in to the notebooks that they came with."""
        for file, place in self.beside:
            origin = naming.origin_of(file.parts, self.names)
            owners = [each for each in self.attempts if each.owns(file, origin)]
            if file.name == laying_out.TIMESTAMP:
                self._attach_time(file, place, owners)
            elif keeping.is_evidence(file.name):
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

    def _lay_out(self):
        groups = {}
        for each in self.attempts:
            groups.setdefault(each.key, []).append(each)
        for (student, name), group in sorted(groups.items()):
            newest, others, problem = attempts.choose(group)
            for each in others:
                words = problem or f"kept as {each.stored.relative_to(self.root)}"
                state = FOR_A_PERSON if problem else OLDER
                if newest and each.digest == newest.digest:
                    state, words = SAME, "the same notebook twice"
                yield Row(state, each.file.shown, student, name, words)
            if newest:
                yield self._take(newest)

    def _take(self, attempt):
        """Put an attempt into `submitted/`, mended."""
        row = Row(TAKEN, attempt.file.shown, *attempt.key)
        reference, original = attempt.reference, attempt.stored.read_bytes()
        try:
            notebook, notes = reading.parse(original)
            mended, more = mending.mend(notebook, reference)
        except reading.CannotBeMended as error:
            where = attempt.stored.relative_to(self.root)
            row.state, row.words = FOR_A_PERSON, f"{error} (mend a copy of {where}, collect that)"
            return row
        notes = notes + more
        if not notes and not mending.is_valid(json.loads(original)):
            notes.append("what is no part of a notebook left out")
        content = {reference.file_name: mending.dump(mended) if notes else original}
        for name, place in attempt.evidence.items():
            content[f"evidence/{name}"] = place.read_bytes()
        if attempt.timestamp:
            content[laying_out.TIMESTAMP] = f"{attempt.timestamp}\n".encode()
        called = attempt.origin.file_name
        if naming.is_renamed(called, reference.stem):
            notes.append(f"called {printable(called)!r}")
        if reference.asks_for_evidence and not attempt.evidence:
            notes.append("no evidence beside it")
        words = "; ".join([*notes, *attempt.notes])
        row.state = MENDED if notes else TAKEN
        if attempt.checksum:
            words = f"checksum {attempt.checksum}" + (f"; {words}" if words else "")
        row.words = words
        place = laying_out.place_of(self.root, *attempt.key)
        if laying_out.holds(place, content):
            row.state = SAME
        elif place.exists() and not self.how.force:
            row.state = FOR_A_PERSON
            row.words = "another one is there: --force puts this one in its place"
        else:
            laying_out.put(self.root, *attempt.key, content)
            Journal(self.root, reference.name).grade_anew(attempt.student)
        return row

    def _leave(self, file, state, words, student="", assignment=""):
        self.rows.append(Row(state, file.shown, student, assignment, words))

    def _write_table(self):
        place = self.folder / "table.csv"
        unfinished = place.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "state", "student", "assignment", "how or why"])
            for row in self.rows:
                writer.writerow([row.file, row.state, row.student, row.assignment, row.words])
        unfinished.replace(place)
