"""The preprocessor that nbgrader_config.py adds to `nbgrader generate_feedback`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool

from course.instructor.grading import redaction
from course.instructor.grading.reference_notebook import tagged_cells, without_mark_schemes
from course.instructor.lateness import due_dates
from course.instructor.lateness.late_policy import LatePolicy, late_penalties

if TYPE_CHECKING:
    from nbformat import NotebookNode

SHOW_EXPECTED_TAG = "show-expected"


class HideFromStudents(NbGraderPreprocessor):
    """A preprocessor that removes from a graded notebook everything that students must not see.

    It removes hidden tests, mark schemes, traceback lines, and the values that hidden checks
    expect. Errors that student cells raised during grading are not submitted outputs, so they are
    moved to `resources` for the page's notes. nbgrader's ClearHiddenTests and ClearMarkScheme are
    not used because they fail if a student's cell contains their markers.
    """

    show_expected = Bool(
        False,
        help="Show the values that hidden checks expect. The tag show-expected does the same for a"
        " single test cell in the source.",
    ).tag(config=True)

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Redact the cells; record manual scores, pending cells, and the notice about lateness."""
        ids = resources["nbgrader"]
        source = Path("source", ids["assignment"], f"{ids['notebook']}.ipynb")
        source_nb = json.loads(source.read_text(encoding="utf-8"))
        self._show_expected_in = tagged_cells(source_nb, SHOW_EXPECTED_TAG)
        ids["grading_errors"] = []
        with Gradebook(ids["db_url"]) as gradebook:
            submission = gradebook.find_submission_notebook(
                ids["notebook"], ids["assignment"], ids["student"]
            )
            ids["graded_by_hand"] = {
                each.name for each in submission.grades if each.manual_score is not None
            }
            ids["pending_manual_grading"] = {
                each.name for each in submission.grades if each.needs_manual_grade
            }
            late = late_penalties(self.parent)
            ids["late_notice"] = ""
            if isinstance(late.plugin_inst, LatePolicy):
                ids["late_notice"] = due_dates.late_notice(
                    gradebook,
                    ids["assignment"],
                    ids["student"],
                    late.plugin_inst,
                    is_group=ids.get("is_group", False),
                )
        return super().preprocess(nb, resources)

    def preprocess_cell(
        self, cell: "NotebookNode", resources: dict, cell_index: int
    ) -> tuple["NotebookNode", dict]:
        """Remove hidden tests and mark schemes, and outputs that the student must not see."""
        has_hidden_tests = False
        if utils.is_locked(cell) or utils.is_grade(cell):
            visible = redaction.without_hidden_tests(cell.source)
            has_hidden_tests = visible != cell.source
            cell.source = without_mark_schemes(visible)
        if cell.cell_type != "code":
            return cell, resources
        if utils.is_grade(cell) and not utils.is_solution(cell):
            allowed = (
                self.show_expected or cell.metadata.nbgrader.grade_id in self._show_expected_in
            )
            cell.outputs = redaction.redact_outputs(cell.outputs, has_hidden_tests, allowed)
        else:
            cell.outputs, errors = redaction.split_grading_errors(cell.outputs)
            resources["nbgrader"]["grading_errors"] += [(cell_index, each) for each in errors]
        return cell, resources
