"""Preprocessors that nbgrader_config.py adds to `nbgrader generate_assignment`."""

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nbformat.v4 import new_output
from nbgrader.api import MissingEntry
from nbgrader.preprocessors import (
    ClearSolutions,
    InstantiateTests,
    NbGraderPreprocessor,
    SaveCells,
)

from course.errors import CourseError
from course.instructor.release import cell_rules
from course.instructor.release.public_address import PublicAddress
from course.instructor.sandbox.cell_execution import printable

# The first line of a cell that students run but need not read. Colab shows it as a title.
TITLE = "# @title "

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from nbgrader.api import Notebook


class CheckCells(NbGraderPreprocessor):
    """A preprocessor that refuses what the later ones would refuse without naming the cell."""

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Raise CourseError, with one line per cell, or return the notebook unchanged."""
        if problems := list(cell_rules.find_problems(nb)):
            path = _source_path(resources)
            raise CourseError("\n".join(f"{path}: {problem}" for problem in problems))
        return nb, resources


class InstantiateTestsOfCell(InstantiateTests):
    """A preprocessor whose errors name the cell with the AUTOTEST lines."""

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Replace AUTOTEST lines with tests."""
        try:
            return super().preprocess(nb, resources)
        except CourseError:
            raise
        except Exception as error:  # for example autotests.yml is missing or invalid
            raise CourseError(
                f"{_source_path(resources)}: its AUTOTEST lines cannot be used"
                f" ({_reason(error)}): correct autotests.yml, or write the tests yourself."
            ) from None

    def preprocess_cell(
        self, cell: "NotebookNode", resources: dict, index: int
    ) -> tuple["NotebookNode", dict]:
        """Replace the AUTOTEST lines of a cell. All cells run for it, up to the last."""
        described = cell_rules.describe_cell(cell, index + 1)
        try:
            return super().preprocess_cell(cell, resources, index)
        except Exception as error:  # the code of the cell can raise anything
            raise CourseError(
                f"{_source_path(resources)}: {described} fails while AUTOTEST lines are replaced"
                f" ({_reason(error)}): correct the cell or autotests.yml."
            ) from None


class SaveCellsByName(SaveCells):
    """A preprocessor that names the cells that were added or removed despite submissions."""

    def _create_notebook(self, nb: "NotebookNode") -> None:
        """Enter the cells in the gradebook, or raise CourseError if there are submissions."""
        try:
            notebook = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        except MissingEntry:
            notebook = None
        if notebook and notebook.submissions:
            self._check_same_cells(notebook)
        super()._create_notebook(nb)

    def _check_same_cells(self, notebook: "Notebook") -> None:
        """Raise CourseError if the gradebook has other cells, or cells of other types."""
        pairs = (
            (self.new_source_cells, notebook.source_cells),
            (self.new_grade_cells, notebook.grade_cells),
            (self.new_solution_cells, notebook.solution_cells),
            (self.new_task_cells, notebook.task_cells),
        )
        changes: dict[str, str] = {}
        for position, (new, entered) in enumerate(pairs):
            old = {cell.name for cell in entered}
            for name in sorted(new.keys() ^ old):
                kind = "added" if name in new else "removed"
                changes.setdefault(name, kind if position == 0 else "changed in type")
        if changes:
            listed = ", ".join(f"{name} ({kind})" for name, kind in changes.items())
            raise CourseError(
                f"source/{self.assignment_id}/{self.notebook_id}.ipynb: graded or locked cells"
                f" cannot change once there are submissions, but these did: {listed}: undo this."
            )


class FillInAddress(NbGraderPreprocessor):
    """A preprocessor that fills in the course's public address in badges and install cells."""

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Replace the placeholders in every cell."""
        ids = resources["nbgrader"]
        path = f"release/{ids['assignment']}/{ids['notebook']}.ipynb"
        address = PublicAddress(parent=self)
        for cell in nb.cells:
            cell.source = address.fill_in(cell.source, path)
        return nb, resources


class RemoveUnusedAttachments(NbGraderPreprocessor):
    """A preprocessor that removes the pictures of solutions and mark schemes.

    They are attached to a cell, and remain there when the text that shows them is removed.
    """

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Keep only the attachments that the text of their cell shows."""
        for cell in nb.cells:
            shown = unquote(cell.source)
            attachments = cell.get("attachments", {})
            for name in [each for each in attachments if f"attachment:{each}" not in shown]:
                del attachments[name]
            if "attachments" in cell and not attachments:
                del cell["attachments"]
        return nb, resources


class ClearSolutionsWithInstruction(ClearSolutions):
    """A preprocessor that replaces a solution with a stub that raises an instruction.

    `### BEGIN SOLUTION Divide by 255.` becomes `raise NotImplementedError("Divide by 255.")`.
    A solution without an instruction gets nbgrader's own stub.
    """

    code_stub: dict[str, str]  # a trait of the base class

    def _replace_solution_region(self, cell: "NotebookNode", language: str) -> bool:
        """Replace the cell's solution and return whether there was one."""
        delimiter = re.escape(self.begin_solution_delimeter)
        instruction = re.search(rf"{delimiter}[ \t]+(\S.*)", cell.source)
        if cell.cell_type != "code" or language != "python" or not instruction:
            return super()._replace_solution_region(cell, language)
        default_stubs = self.code_stub
        text = instruction[1].strip().replace('"', "'")
        stub = f'# Your code here, in place of the next line.\nraise NotImplementedError("{text}")'
        self.code_stub = {**default_stubs, "python": stub}
        try:
            return super()._replace_solution_region(cell, language)
        finally:
            self.code_stub = default_stubs


class CollapseCells(NbGraderPreprocessor):
    """A preprocessor that collapses the code of the cells that begin with a title.

    These are checks and other cells that students run but need not read. Their output stays
    visible. Students can expand them; nbgrader and the checksums ignore this state.
    """

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Set the metadata that JupyterLab (and VS Code) and Colab read."""
        for cell in nb.cells:
            if cell.cell_type == "code" and cell.source.startswith(TITLE):
                cell.metadata["cellView"] = "form"
                cell.metadata["jupyter"] = {"source_hidden": True}
        return nb, resources


class ShowResultFigure(NbGraderPreprocessor):
    """A preprocessor that puts the figure of the finished result into the cell that shows it.

    It is the only output of a release. Every platform shows it before anything runs.
    """

    def preprocess(self, nb: "NotebookNode", resources: dict) -> tuple["NotebookNode", dict]:
        """Add the output to the cell that has the tag, if there is a figure."""
        # Matplotlib takes 0.4 s to import, and grading never gets here.
        from course.instructor.release.result_figures import SHOWS_TAG, cells_with_tag
        from course.plotting import result_figure

        figure = result_figure.result(resources["nbgrader"]["assignment"])
        for cell in cells_with_tag(nb, SHOWS_TAG):
            if figure.image:
                image = base64.b64encode(figure.image).decode()
                data = {"image/png": image, "text/plain": figure.alt}
                metadata = {"image/png": {"alt": figure.alt}}
                cell.outputs = [new_output("display_data", data, metadata=metadata)]
        return nb, resources


def _source_path(resources: dict) -> str:
    """Return the path of the notebook that is being compiled, in the course directory."""
    ids = resources["nbgrader"]
    return f"source/{ids['assignment']}/{ids['notebook']}.ipynb"


def _reason(error: Exception) -> str:
    """Return the type and the first line of an error; that of a cell's code is inside another."""
    name = getattr(error, "ename", type(error).__name__)
    lines = printable(getattr(error, "evalue", error)).strip().splitlines()
    return f"{name}: {lines[0]}" if lines else name
