"""Print, as JSON, the problems that a smoke run of a notebook in the current folder finds.

Each problem is a pair: "error", "metric", "claim", or "reference", and a sentence.
"""

import json
import sys
from pathlib import Path

from course.instructor.cli import forkserver_warmup
from course.instructor.course_dir import source_notebook
from course.instructor.regression.plan import Plan
from course.instructor.regression.suite import RegressionSuite


def main(assignment: str) -> None:
    """Run the notebook and print its problems."""
    forkserver_warmup.start_for_notebooks()
    root = Path.cwd()
    sources = {assignment: source_notebook(root, assignment)}
    suite = RegressionSuite(root, Plan(root / "build" / "runs", sources, "smoke", [0], {}))
    (checked,) = suite.run(workers=1, scheduler=None, runs_per_gpu=1)
    if checked.run.error:
        found = [("error", checked.run.error)]
    else:
        found = [(each.about, each.reason) for each in checked.verdicts if each.failed]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
