import os
import sys
from pathlib import Path

c = get_config()

# nbgrader starts `alembic` to create a gradebook: find it even if no environment is activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

# The name of this course in the gradebook and the formgrader.
c.CourseDirectory.course_id = "building-cnns-with-keras"

# The public repository that contains the published release/; badges and install cells link to it.
# Replace the placeholder YOUR_ORGANIZATION before the first release. Nobody can register that name,
# because an account name on GitHub cannot contain an underscore.
c.PublicAddress.url = "https://github.com/YOUR_ORGANIZATION/building-cnns-with-keras"
c.PublicAddress.branch = "main"  # the branch that badges open

# Students must not receive backups made by editors or JupyterLab, nor the results of runs.
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "*.pyc",
    "__pycache__",
    ".DS_Store",
    "results",
    "*-submission.zip",  # written by the last cell of a notebook
]

# nbgrader's default list with these changes: errors that name the cell (CheckCells,
# InstantiateTestsOfCell, SaveCellsByName), FillInAddress, a stub with an instruction, the removal
# of the images in solutions and mark schemes, collapsed cells, and the figure at the top.
c.GenerateAssignment.preprocessors = [
    "course.instructor.release.preprocessors.CheckCells",
    "course.instructor.release.preprocessors.FillInAddress",
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "course.instructor.release.preprocessors.InstantiateTestsOfCell",
    "nbgrader.preprocessors.LockCells",
    "course.instructor.release.preprocessors.ClearSolutionsWithInstruction",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "course.instructor.release.preprocessors.SaveCellsByName",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "course.instructor.release.preprocessors.RemoveUnusedAttachments",
    "course.instructor.release.preprocessors.CollapseCells",
    "course.instructor.release.preprocessors.ShowResultFigure",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# The mark scheme of a written answer is in the locked question cell above it: the gradebook stores
# it and the formgrader shows it. nbgrader expects it in task cells, but an unanswered task does not
# get a score of zero automatically.
c.ClearMarkScheme.enforce_metadata = False
c.ClearMarkScheme.check_attachment_leakage = False  # RemoveUnusedAttachments removes them

# The stub that replaces a solution without an instruction of its own.
c.ClearSolutions.code_stub = {
    "python": "# Your code here, in place of the next line.\n"
    "raise NotImplementedError('Your answer.')",
}
c.ClearSolutions.text_stub = "*Write your answer here.*"

# The metadata in a submission is not trusted: the cells are restored from the gradebook.
c.Autograde.sanitize_preprocessors = [
    "course.instructor.grading.preprocessors.RestoreCells",
    "nbgrader.preprocessors.OverwriteKernelspec",
]

# nbgrader's default list with three changes: submissions run in two isolated kernels, the scores of
# a notebook are saved in one transaction, and cell metadata is not checked again, because all of it
# comes from the gradebook.
c.Autograde.autograde_preprocessors = [
    "course.instructor.grading.preprocessors.ExecuteIsolated",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "course.instructor.grading.preprocessors.SaveScoresAtomically",
]

# Limits of a submission: the times are wall times, and the others apply to each of its two kernels.
# These are the defaults; uncomment a line to change one. Grading a complete solution takes seconds.
# c.ExecuteIsolated.cell_seconds = 60
# c.ExecuteIsolated.call_seconds = 20  # one call of a student's function by a test
# c.ExecuteIsolated.notebook_seconds = 300  # the whole notebook, with its tests
# c.ExecuteIsolated.memory_mb = 4096  # beyond what the imports use
# c.ExecuteIsolated.processes = 128  # and threads: TensorFlow alone starts a dozen
# c.ExecuteIsolated.disk_mb = 256  # for each of the scratch folder, /tmp, and /dev/shm
# c.ExecuteIsolated.output_kb = 256  # printed text of one cell
# c.ExecuteIsolated.message_mb = 256  # one message between the two kernels
c.ExecuteIsolated.devices = []  # with a GPU: ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"]

# The process that starts kernels takes seconds to start. It stays ready for the next command, uses
# about 0.5 GB of memory, and ends after this many idle minutes. 0: it ends with the command.
# c.ExecuteIsolated.warm_minutes = 10

# True: each student's graded quizzes have different values, derived from the student's folder name
# in submitted/. The student types that name into the parameters cell.
c.ExecuteIsolated.personalized_quizzes = False

# What each day or part of a day after the due date costs, in percent of the score; 0 by default.
# The due dates are in due_dates.csv, or set with nbgrader's own commands; submission_times.csv
# corrects submission times.
c.AssignLatePenalties.plugin_class = "course.instructor.lateness.late_policy.LatePolicy"
# c.LatePolicy.percent_per_day = 10
# c.LatePolicy.max_percent = 50
# c.LatePolicy.grace_minutes = 15
# c.LatePolicy.time_zone = "Europe/Berlin"  # of both tables and of feedback; the default is UTC

# The formgrader's pages show students' text: it is rendered within limits, and HTML in it is
# sanitized. The default preprocessors, none of which a page needs, would read it without limits.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.default_preprocessors = []
c.HTMLExporter.preprocessors = [
    "course.instructor.feedback.formgrader.RenderCells",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.HTMLExporter.filters = {
    "markdown2html": "course.instructor.feedback.formgrader.rendered_source",
    "highlight_code": "course.instructor.feedback.formgrader.rendered_source",
    "strip_files_prefix": "course.instructor.feedback.formgrader.unchanged",
}
# The formgrader's pages load nothing from other servers.
if "nbgrader.server_extensions.formgrader.base" in sys.modules:
    from course.instructor.feedback.formgrader import secure_pages

    secure_pages()

# Feedback shows the messages of checks, but never a hidden test or a mark scheme.
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "course.instructor.feedback.preprocessors.HideFromStudents",
]

# Feedback pages that are readable on a phone and need no network.
c.GenerateFeedback.exporter_class = "course.instructor.feedback.page.FeedbackExporter"

# True: pages also show the values that hidden checks expect, and so reveal the answers.
c.HideFromStudents.show_expected = False
