"""The runs of one `course run` command, their comparison with the bands, and the report."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from course.instructor.regression import report
from course.instructor.regression.bands import BANDS_PATH, Bands
from course.instructor.regression.checked_run import CheckedRun, check_run, load_checked_runs
from course.instructor.regression.junit import write_junit
from course.instructor.regression.notebook_run import Job, NotebookRun
from course.instructor.regression.parallel_runs import run_in_parallel, worker_count
from course.instructor.regression.plan import Plan
from course.instructor.regression.seed_variation import variation_lines
from course.instructor.sandbox.executor import open_executor


@dataclass(frozen=True)
class RunOptions:
    """The resources that runs may use."""

    workers: int | None = None  # parallel runs; None: one per GPU, or one per core
    scheduler: str | None = None  # address of a Dask scheduler
    runs_per_gpu: int = 1


class RegressionSuite:
    """The runs of one command and their results."""

    def __init__(self, root: Path, plan: Plan, options: RunOptions) -> None:
        """Read the bands of the course directory."""
        self.root, self.plan, self.options = Path(root), plan, options
        self.bands = Bands(self.root / BANDS_PATH)
        self.checked_runs: list[CheckedRun] = []
        self._seconds = 0.0

    def run(self) -> Iterator[CheckedRun]:
        """Execute the plan and yield each run; first those that a killed command has finished."""
        start = time.perf_counter()
        options = self.options
        is_remote = options.scheduler is not None
        workers = (
            options.workers if is_remote else worker_count(options.workers, options.runs_per_gpu)
        )
        with self.plan.lock(), open_executor(workers, options.scheduler) as (executor, count):
            jobs = self.plan.prepare()
            for run in self.plan.finished_runs(jobs):
                yield self._check(run)
            seconds = {job.run["assignment"]: self._earlier_seconds(job) for job in jobs}
            for run in run_in_parallel(
                jobs, executor, count, is_remote, options.runs_per_gpu, seconds
            ):
                yield self._check(run)
        self._seconds = time.perf_counter() - start
        self.checked_runs.sort(key=lambda checked: self.plan.position(checked.run))

    def finish(self) -> None:
        """Record that all is done; a command killed earlier continues when it is repeated."""
        self.plan.finish()

    @property
    def failed(self) -> bool:
        """True if any run failed."""
        return any(checked.failed for checked in self.checked_runs)

    def problems(self) -> list[tuple[str, str]]:
        """Return (assignment, sentence) for each failure."""
        found = [(each.run, problem) for each in self.checked_runs for problem in each.problems]
        several_seeds = len(self.plan.seeds) > 1
        return [
            (f"{run.assignment}, seed {run.seed}" if several_seeds else run.assignment, problem)
            for run, problem in found
        ]

    def seed_variation(self) -> list[tuple[str, list[str]]]:
        """Return a title and lines for each notebook that was run with several seeds."""
        found = []
        for name, runs in self._by_assignment():
            if len(runs) > 1:
                title = f"{name}  {runs[0].setting}, {len(runs)} seeds, mean ± standard deviation"
                found.append((title, variation_lines(runs)))
        return found

    def update_bands(self, command: str) -> list[tuple[str, list[str]]]:
        """Replace the bands of each notebook whose runs passed; return titles and changes."""
        found: list[tuple[str, list[str]]] = []
        for name, runs in self._by_assignment():
            if any(run.error for run in runs):
                found.append((f"{name}  bands unchanged: a run failed", []))
                continue
            changes = self.bands.update(runs, command)
            title = f"{name}  bands measured with {len(runs)} seeds"
            found.append((title, changes or ["nothing has changed"]))
        self.checked_runs = [check_run(checked.run, self.bands) for checked in self.checked_runs]
        return found

    def report(self) -> Path:
        """Write the report and return the path of its page."""
        folder = self.root / "build" / "report"
        write_junit(folder / "junit.xml", self.checked_runs)
        return report.write(folder, [], load_checked_runs(self.root))

    def summary(self) -> str:
        """Return the overall result in one line."""
        passed = sum(not checked.failed for checked in self.checked_runs)
        return f"{passed} of {len(self.checked_runs)} passed in {self._seconds:.1f} s"

    def _earlier_seconds(self, job: Job) -> float:
        """Return how long a job's assignment took when its bands were measured, or 0."""
        return self.bands.of(NotebookRun(**job.run)).get("measured", {}).get("seconds", 0)

    def _check(self, run: NotebookRun) -> CheckedRun:
        """Check a run and store the result."""
        self.checked_runs.append(check_run(run, self.bands))
        return self.checked_runs[-1]

    def _by_assignment(self) -> Iterator[tuple[str, list[NotebookRun]]]:
        """Yield the runs of each assignment."""
        runs = [checked.run for checked in self.checked_runs]
        for name, group in groupby(runs, key=lambda run: run.assignment):
            yield name, list(group)
