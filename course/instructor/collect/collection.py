"""Taking in submissions: from an archive or a folder to `submitted/STUDENT/ASSIGNMENT/`.

Everything stays byte for byte in `build/intake/`, under names that nothing which comes in chooses.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from course.errors import CourseError
from course.evidence.format import FOLDER
from course.instructor import file_lock
from course.instructor.collect import attempts, notebook_reader, originals, submitted_folder
from course.instructor.collect import platform_file_names
from course.instructor.collect import notebook_repair
from course.instructor.collect.archive_reader import printable
from course.instructor.collect.released_assignment import read_releases
from course.instructor.collect.submission_finder import FOR_A_PERSON, MENDED, OLDER, SAME, TAKEN, SubmissionFinder, FileResult
from course.instructor.grading.journal import Journal
from course.instructor.roster import csv_writer


@dataclass(frozen=True)
class CollectOptions:
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

    def __init__(self, root, path, names, how=CollectOptions()):
        self.root, self.path, self.how = Path(root), Path(path), how
        self.references = read_releases(root, names)
        self.rows = []

    def run(self):
        """Take everything in and yield a `Row` a file.

        Raises
        ------
        CourseError
            If the path cannot be read or holds the course, or another collection runs here.
        """
        intake = self.root / "build" / "intake"
        if self.root.resolve().is_relative_to(self.path.resolve()):
            raise CourseError(f"{self.path} holds the course itself: name what you downloaded.")
        words = "submissions are being collected here already: wait for that, or stop it."
        with file_lock.exclusive_lock(intake, words):
            self.folder = originals.folder_of(self.path, intake)
            found = SubmissionFinder(
                self.path, self.folder, self.references, self.how.roster, self.how.student
            )
            self.rows += found.rows
            yield from found.rows
            for row in self._lay_out(found.attempts):
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

    def _lay_out(self, found):
        groups = {}
        for each in found:
            groups.setdefault(each.key, []).append(each)
        for (student, name), group in sorted(groups.items()):
            newest, others, problem = attempts.choose(group)
            for each in others:
                words = problem or f"kept as {each.stored.relative_to(self.root)}"
                state = FOR_A_PERSON if problem else OLDER
                if newest and each.digest == newest.digest:
                    state, words = SAME, "the same notebook twice"
                yield FileResult(state, each.file.shown, student, name, words)
            if newest:
                yield self._take(newest)

    def _take(self, attempt):
        """Put an attempt into `submitted/`, mended.

        It was read before, and is read again: all notebooks of a class would fill the memory.
        """
        row = FileResult(TAKEN, attempt.file.shown, *attempt.key)
        reference, original = attempt.reference, attempt.stored.read_bytes()
        try:
            notebook, notes = notebook_reader.parse(original)
            mended, more = notebook_repair.repair_notebook(notebook, reference)
        except notebook_reader.RepairError as error:
            where = attempt.stored.relative_to(self.root)
            row.state, row.words = FOR_A_PERSON, f"{error} (mend a copy of {where}, collect that)"
            return row
        notes = notes + more
        if not notes and not notebook_repair.is_valid(json.loads(original)):
            notes.append("what is no part of a notebook left out")
        content = {reference.file_name: notebook_repair.encode_notebook(mended) if notes else original}
        for name, place in attempt.evidence.items():
            content[f"{FOLDER}/{name}"] = place.read_bytes()
        if attempt.timestamp:
            content[submitted_folder.TIMESTAMP] = f"{attempt.timestamp}\n".encode()
        called = attempt.origin.file_name
        if platform_file_names.is_renamed(called, reference.stem):
            notes.append(f"called {printable(called)!r}")
        if reference.asks_for_evidence and not attempt.evidence:
            notes.append("no evidence beside it")
        words = "; ".join([*notes, *attempt.notes])
        row.state = MENDED if notes else TAKEN
        if attempt.checksum:
            words = f"checksum {attempt.checksum}" + (f"; {words}" if words else "")
        row.words = words
        place = submitted_folder.place_of(self.root, *attempt.key)
        if submitted_folder.holds(place, content):
            row.state = SAME
        elif place.exists() and not self.how.force:
            row.state = FOR_A_PERSON
            row.words = "another one is there: --force puts this one in its place"
        else:
            submitted_folder.put(self.root, *attempt.key, content)
            Journal(self.root, reference.name).grade_anew(attempt.student)
        return row

    def _write_table(self):
        rows = [["file", "state", "student", "assignment", "how or why"]]
        for row in self.rows:
            cells = row.file, row.state, row.student, row.assignment, row.words
            rows.append([csv_writer.escape_formula(cell) for cell in cells])
        csv_writer.write_table(self.folder / "table.csv", rows, force=True)
