"""Preprocessors that nbgrader_config.py adds to `nbgrader generate_assignment`."""

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nbformat.v4 import new_output
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor

from course.instructor.release.public_address import PublicAddress

# The first line of a cell that students run but need not read. Colab shows it as a title.
TITLE = "# @title "

if TYPE_CHECKING:
    from nbformat import NotebookNode


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
