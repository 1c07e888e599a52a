"""Preprocessors that nbgrader_config.py adds to `nbgrader generate_assignment`."""

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor

from course.instructor.release.public_address import PublicAddress

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
