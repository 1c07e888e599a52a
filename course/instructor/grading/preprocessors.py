"""Steps that the course puts into nbgrader's pipelines; nbgrader_config.py says where.

generate_assignment: FillAddress, then ClearSolutionsWithInstruction in the place of ClearSolutions.
autograde: RestoreCells in the place of the steps that sanitize, TwoKernels in that of Execute.
generate_feedback: HideFromStudents.
"""

import json
import re
from pathlib import Path

from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import (
    AssignLatePenalties,
    ClearSolutions,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from traitlets import Bool, Float, Integer, List, Unicode

from course.instructor.grading import notebook_grader, telling
from course.instructor.grading import submission as submissions
from course.instructor.release.address import PublicAddress
from course.instructor.sandbox.limits import Limits

SHOW_EXPECTED_TAG = "show-expected"
MARK_SCHEME = re.compile(
    r"^=== BEGIN MARK SCHEME ===.*?^=== END MARK SCHEME ===[^\n]*\n?", re.S | re.M
)


class FillAddress(NbGraderPreprocessor):
    """Put the course's address into badges and install cells."""

    def preprocess(self, nb, resources):
        """Replace the placeholders in every cell."""
        ids = resources["nbgrader"]
        path = f"release/{ids['assignment']}/{ids['notebook']}.ipynb"
        address = PublicAddress(parent=self)
        for cell in nb.cells:
            cell.source = address.fill_in(cell.source, path)
        return nb, resources


class ClearSolutionsWithInstruction(ClearSolutions):
    """Replace a solution by a stub that raises with the instruction behind BEGIN SOLUTION.

    `### BEGIN SOLUTION Divide by 255.` becomes `raise NotImplementedError("Divide by 255.")`;
    without an instruction nbgrader's own stub is used.
    """

    def _replace_solution_region(self, cell, language):
        delimiter = re.escape(self.begin_solution_delimeter)
        instruction = re.search(rf"{delimiter}[ \t]+(\S.*)", cell.source)
        if cell.cell_type != "code" or language != "python" or not instruction:
            return super()._replace_solution_region(cell, language)
        general = self.code_stub
        text = instruction[1].strip().replace('"', "'")
        lines = ["# Your code here, in place of the next line."]
        lines.append(f'raise NotImplementedError("{text}")')
        self.code_stub = {**general, "python": "\n".join(lines)}
        try:
            return super()._replace_solution_region(cell, language)
        finally:
            self.code_stub = general


class RestoreCells(NbGraderPreprocessor):
    """Put a submission's cells right by the gradebook; see `submissions.sanitize`.

    In the place of nbgrader's ClearOutput, DeduplicateIds and OverwriteCells, which believe some of
    the metadata that a student can write, and stop at a test that was deleted behind a locked cell.
    """

    def preprocess(self, nb, resources):
        """Restore every cell that the gradebook knows."""
        submissions.sanitize(nb, read_kit(resources))
        return nb, resources


class TwoKernels(NbGraderPreprocessor):
    """Run a submission and its tests in two isolated kernels; in the place of nbgrader's Execute.

    `course grade` runs many side by side beforehand and leaves this step out when it saves.
    """

    cell_seconds = Float(60, help="Wall time of a cell.").tag(config=True)
    call_seconds = Float(20, help="Wall time of a test's call of a function.").tag(config=True)
    notebook_seconds = Float(300, help="Wall time of a notebook.").tag(config=True)
    memory_mb = Integer(4096, help="Memory beyond that of the imports.").tag(config=True)
    processes = Integer(128, help="Processes and threads.").tag(config=True)
    disk_mb = Integer(256, help="Files in the scratch directory.").tag(config=True)
    output_kb = Integer(256, help="Text that a cell may print.").tag(config=True)
    message_mb = Integer(256, help="What may cross between the kernels at once.").tag(config=True)
    devices = List(Unicode(), help="Devices to let in, such as /dev/nvidia0.").tag(config=True)
    own_numbers = Bool(
        False, help="Whether each student's graded questions have numbers of their own."
    ).tag(config=True)
    isolation = Bool(True, help="Whether to isolate; to be turned off by hand.").tag(config=True)

    def settings(self):
        """Return what `submissions.make_job` takes as settings."""
        return {
            "limits": Limits(**{name: getattr(self, name) for name in Limits().as_dict()}),
            "isolated": self.isolation,
            "devices": list(self.devices),
            "own_numbers": self.own_numbers,
        }

    def preprocess(self, nb, resources):
        """Grade, unless that is done, and put the outputs into the notebook."""
        ids = resources["nbgrader"]
        identity = ids["assignment"], ids["student"], ids["notebook"]
        # nbgrader converts with the course directory as the working directory.
        folders = submissions.folders(Path(), resources["metadata"]["path"], ids["assignment"])
        job = submissions.make_job(nb, folders, read_kit(resources), identity, self.settings())
        submissions.apply_outcome(nb, notebook_grader.grade_here(job))
        return nb, resources


class SaveScoresAtOnce(SaveAutoGrades):
    """Save a notebook's scores in one transaction: after a kill all of them are there, or none.

    nbgrader's own step commits each cell by itself, which also takes the disk thirty times as long.
    The penalty for lateness, a step of its own in nbgrader, belongs to the scores.
    """

    def preprocess(self, nb, resources):
        """Save the scores of every cell and the penalty."""
        ids = resources["nbgrader"]
        self.assignment_id, self.student_id = ids["assignment"], ids["student"]
        self.notebook_id = ids["notebook"]
        with Gradebook(ids["db_url"]) as self.gradebook:
            session = self.gradebook.db
            session.commit = session.flush
            for index, cell in enumerate(nb.cells):
                self.preprocess_cell(cell, resources, index)
            self._save_penalty()
            del session.commit
            session.commit()
        return nb, resources

    def _save_penalty(self):
        # It is reckoned from the new scores, not from those that this session has read before.
        self.gradebook.db.flush()
        self.gradebook.db.expire_all()
        late = AssignLatePenalties(parent=self.parent)
        late.init_plugin()
        submission = self.gradebook.find_submission(self.assignment_id, self.student_id)
        notebook = self.gradebook.find_submission_notebook(
            self.notebook_id, self.assignment_id, self.student_id
        )
        notebook.late_submission_penalty = None
        if submission.total_seconds_late > 0:
            penalty = late.plugin_inst.late_submission_penalty(
                self.student_id, notebook.score, submission.total_seconds_late
            )
            if penalty is not None:
                notebook.late_submission_penalty = late._check_late_penalty(notebook, penalty)


def read_kit(resources):
    """Return the kit of the assignment that a conversion is about."""
    ids = resources["nbgrader"]
    source = Path("source", ids["assignment"], f"{ids['notebook']}.ipynb")
    with Gradebook(ids["db_url"]) as gradebook:
        return submissions.read_kit(gradebook, source, ids["assignment"], ids["notebook"])


class HideFromStudents(NbGraderPreprocessor):
    """Leave in a graded notebook what its student may read.

    Hidden tests, mark schemes, lines of tracebacks and, of hidden checks, the expected values go.
    What a student's cell raised in grading is no output that the student handed in: it is moved to
    where the page says what happened in grading. nbgrader's ClearHiddenTests and ClearMarkScheme
    stop at a student's cell that holds their marks.
    """

    show_expected = Bool(
        False,
        help="Whether pages say what hidden checks expected; the tag show-expected says it of one"
        " test cell of the source.",
    ).tag(config=True)

    def preprocess(self, nb, resources):
        """Go through the cells, and note which of them wait for a person."""
        ids = resources["nbgrader"]
        source = Path("source", ids["assignment"], f"{ids['notebook']}.ipynb")
        source = json.loads(source.read_text(encoding="utf-8"))
        self._shown = submissions.tagged(source, SHOW_EXPECTED_TAG)
        ids["while_graded"] = []
        with Gradebook(ids["db_url"]) as gradebook:
            submission = gradebook.find_submission_notebook(
                ids["notebook"], ids["assignment"], ids["student"]
            )
            ids["waiting"] = {each.name for each in submission.grades if each.needs_manual_grade}
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell, resources, cell_index):
        """Leave of a test its visible part, and of its outcome what may be told."""
        hides = False
        if utils.is_locked(cell) or utils.is_grade(cell):
            shown = notebook_grader.without_hidden(cell.source)
            hides = shown != cell.source
            cell.source = MARK_SCHEME.sub("", shown)
        if cell.cell_type != "code":
            return cell, resources
        if utils.is_grade(cell) and not utils.is_solution(cell):
            allowed = self.show_expected or cell.metadata.nbgrader.grade_id in self._shown
            cell.outputs = telling.for_students(cell.outputs, hides, allowed)
        else:
            cell.outputs, raised = telling.own_outputs(cell.outputs)
            resources["nbgrader"]["while_graded"] += [(cell_index, each) for each in raised]
        return cell, resources
