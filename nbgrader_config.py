import os
import sys
from pathlib import Path

c = get_config()

# nbgrader starts `alembic` to make a new gradebook; find it without an activated environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

# The name under which the gradebook and the formgrader keep this course.
c.CourseDirectory.course_id = "building-cnns-with-keras"

# The public repository in which release/ is published: badges and install cells lead there. Replace
# it before the first release. No account name on GitHub may hold an underscore, so nobody can
# register the placeholder.
c.PublicAddress.url = "https://github.com/YOUR_ORGANISATION/building-cnns-with-keras"
c.PublicAddress.branch = "main"  # the branch that badges open

# Backups that editors and JupyterLab leave must not reach students; nor must results of runs.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    ".DS_Store",
    "results",
    "*-hand-in.zip",  # what the last cell of a notebook packs
]

# nbgrader's own list with two changes: the address is filled in, and each stub has its instruction.
c.GenerateAssignment.preprocessors = [
    "course.instructor.grading.preprocessors.FillInAddress",
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.InstantiateTests",
    "nbgrader.preprocessors.LockCells",
    "course.instructor.grading.preprocessors.ClearSolutionsWithInstruction",
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

# What a student's metadata claims is not believed; the gradebook says which cell is which.
c.Autograde.sanitize_preprocessors = [
    "course.instructor.grading.preprocessors.RestoreCells",
    "nbgrader.preprocessors.OverwriteKernelspec",
]

# nbgrader's own list: submissions run in two isolated kernels, scores are saved at once, and cell
# metadata is not checked again, since all of it comes from the gradebook.
c.Autograde.autograde_preprocessors = [
    "course.instructor.grading.preprocessors.ExecuteIsolated",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "course.instructor.grading.preprocessors.SaveScoresAtomically",
]

# What a submission may use, in each of its two kernels. A whole solved notebook takes seconds.
c.ExecuteIsolated.cell_seconds = 60
c.ExecuteIsolated.call_seconds = 20  # one call of a student's function by a test
c.ExecuteIsolated.notebook_seconds = 300
c.ExecuteIsolated.memory_mb = 4096  # beyond that of the imports
c.ExecuteIsolated.processes = 128  # TensorFlow alone starts a dozen threads
c.ExecuteIsolated.disk_mb = 256
c.ExecuteIsolated.output_kb = 256  # text a cell
c.ExecuteIsolated.devices = []  # with a GPU: ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"]

# True: each student's graded questions have numbers of their own, drawn from the name under which
# the submission lies; the student types that name into the parameters cell.
c.ExecuteIsolated.own_numbers = False

# What students put into text cells and outputs reaches a browser with the rights of a grader.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {
    "markdown2html": "course.instructor.feedback.html_sanitizer.markdown_to_safe_html"
}

# Feedback shows what a check said, never a hidden test or a mark scheme.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "course.instructor.grading.preprocessors.HideFromStudents",
]

# A page of our own, which a telephone shows well and which needs no network.
c.GenerateFeedback.exporter_class = "course.instructor.feedback.page.FeedbackExporter"

# True: pages also say what a hidden check expected. Whoever has the page has the answer then.
c.HideFromStudents.show_expected = False
