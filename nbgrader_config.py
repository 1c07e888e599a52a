import os
import sys
from pathlib import Path

c = get_config()

# nbgrader starts `alembic` to make a new gradebook; find it without an activated environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

# The name under which the gradebook and the formgrader keep this course.
c.CourseDirectory.course_id = "building-cnns-with-keras"

# Backups that editors and JupyterLab leave must not reach students; nor must results of runs.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", ".DS_Store", "results"]

# nbgrader's own list with two changes: the address is filled in, and each stub has its instruction.
c.GenerateAssignment.preprocessors = [
    "course.grading.preprocessors.FillAddress",
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.InstantiateTests",
    "nbgrader.preprocessors.LockCells",
    "course.grading.preprocessors.ClearSolutionsWithInstruction",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# A mark scheme stands in the locked question cell above a written answer: the gradebook keeps it,
# the formgrader shows it. nbgrader expects it in task cells, where an empty answer gets no zero.
c.ClearMarkScheme.enforce_metadata = False

# The stub of a solution that names no instruction.
c.ClearSolutions.code_stub = {
    "python": "# Your code here, in place of the next line.\n"
    "raise NotImplementedError('Your answer.')",
}
c.ClearSolutions.text_stub = "*Write your answer here.*"

# nbgrader's own list with three changes; their reasons stand with the classes.
c.Autograde.autograde_preprocessors = [
    "course.grading.preprocessors.PinParameters",
    "course.grading.preprocessors.ExecuteInScratch",
    "course.grading.preprocessors.KeepScoresHonest",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# Seconds a cell: importing TensorFlow alone takes 10 on a slow machine; a whole notebook takes 20.
c.Execute.timeout = 60

# ipykernel warns in the terminal, once a submission, where its messages are not encrypted.
c.KernelManager.transport_encryption = "auto"

# A deleted test cell comes back, and fails, instead of raising the share of the remaining points.
c.OverwriteCells.add_missing_cells = True

# Feedback shows what a check said, never a hidden test or a mark scheme.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "course.grading.preprocessors.HideTestTracebacks",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
