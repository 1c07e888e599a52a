"""Steps that the course puts into nbgrader's pipelines; nbgrader_config.py says where.

generate_assignment: FillAddress, then ClearSolutionsWithInstruction in the place of ClearSolutions.
autograde: PinParameters, then ExecuteInScratch in the place of Execute, then KeepScoresHonest.
generate_feedback: HideTestTracebacks.
"""

import ast
import re
import shutil
import tempfile
from pathlib import Path

import papermill
from nbformat.v4 import new_code_cell
from nbgrader import utils
from nbgrader.preprocessors import ClearSolutions, Execute, NbGraderPreprocessor

from course import address

GRADING_PROFILE = "smoke"
SETUP_CELL = "setup"
PARTIAL_CREDIT_TAG = "partial-credit"


class FillAddress(NbGraderPreprocessor):
    """Put the course's address into badges and install cells."""

    def preprocess(self, nb, resources):
        """Replace the placeholders in every cell."""
        ids = resources["nbgrader"]
        path = f"release/{ids['assignment']}/{ids['notebook']}.ipynb"
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


class PinParameters(NbGraderPreprocessor):
    """Set every parameter to the source notebook's value and the profile to `smoke`.

    A student may have typed profile="gpu" or epochs=500 there; a submission is graded on synthetic
    data within seconds all the same.
    """

    def preprocess(self, nb, resources):
        """Insert a cell in front of the locked one that calls `course.setup`."""
        ids = resources["nbgrader"]
        # nbgrader converts with the course directory as the working directory.
        source = Path("source", ids["assignment"], f"{ids['notebook']}.ipynb")
        known = papermill.inspect_notebook(source)
        values = {name: ast.literal_eval(entry["default"]) for name, entry in known.items()}
        values["profile"] = GRADING_PROFILE
        lines = ["# Set for grading"] + [f"{name} = {value!r}" for name, value in values.items()]
        grade_ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells]
        # Where the set-up was deleted, no cell works, but the notebook is still read to its end.
        place = grade_ids.index(SETUP_CELL) if SETUP_CELL in grade_ids else 0
        nb.cells.insert(place, new_code_cell("\n".join(lines)))
        return nb, resources


class ExecuteInScratch(Execute):
    """Run the notebook in a directory of its own that holds the submitted files but no notebook.

    nbgrader's Execute works in autograded/, where the hidden tests lie as a file and where a saved
    model would stay.
    """

    def preprocess(self, nb, resources):
        """Execute the notebook; the directory is gone afterwards."""
        submitted = resources.setdefault("metadata", {}).get("path") or "."
        with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
            shutil.copytree(
                submitted, scratch, ignore=shutil.ignore_patterns("*.ipynb"), dirs_exist_ok=True
            )
            resources["metadata"]["path"] = scratch
            try:
                return super().preprocess(nb, resources)
            finally:
                resources["metadata"]["path"] = submitted


class KeepScoresHonest(NbGraderPreprocessor):
    """Let nothing but a failed check take points from a test cell, and nothing add to it.

    nbgrader gives 0 to a test cell that wrote to stderr, so a warning would cost the points, and it
    reads a number that the cell displays as its score. A cell tagged `partial-credit` keeps the
    number, as nbgrader's documentation describes it.
    """

    def preprocess_cell(self, cell, resources, cell_index):
        """Turn stderr into stdout and results into plain displays, in test cells."""
        is_test = cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell)
        if is_test:
            wants_partial_credit = PARTIAL_CREDIT_TAG in cell.metadata.get("tags", [])
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.name = "stdout"
                elif output.output_type == "execute_result" and not wants_partial_credit:
                    output.output_type = "display_data"
                    del output["execution_count"]
        return cell, resources


class HideTestTracebacks(NbGraderPreprocessor):
    """Show of a failed test its reason alone: the lines of a traceback are hidden tests."""

    def preprocess_cell(self, cell, resources, cell_index):
        """Replace the traceback of each error in a test cell by its last line."""
        if cell.cell_type == "code" and utils.is_grade(cell):
            for output in cell.outputs:
                if output.output_type == "error":
                    output.traceback = [f"{output.ename}: {output.evalue}"]
        return cell, resources
